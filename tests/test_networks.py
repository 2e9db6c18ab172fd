"""Contracts that every registered network keeps; a new network is tested by being registered."""

import numpy as np
import pytest
import torch

from text_recognizer.learning import networks
from text_recognizer.learning.data.batches import LineBatch
from text_recognizer.learning.data.lines import LineLabel
from text_recognizer.learning.training.export import check_parity, to_onnx
from text_recognizer.learning.training.lines import ctc_loss

SMALL = {
    "crnn": {"classes": 12, "stem": 8, "channels": [8, 12, 16], "blocks": [1, 1, 1], "hidden": 24, "layers": 2},
    "fcn": {"stem": 4, "channels": [6, 8, 12, 12], "blocks": [1, 1, 1, 1], "top": 8},
    "mlp": {"classes": 7, "hidden": [24]},
    "lenet": {"classes": 7, "channels": [4, 6], "hidden": [16]},
    "resnet": {"classes": 7, "stem": 4, "channels": [6, 8, 8], "blocks": [1, 1, 1]},
}
LINE_NETWORKS = ["crnn"]
CHARACTER_NETWORKS = ["mlp", "lenet", "resnet"]


@pytest.fixture(params=networks.names())
def network(request):
    torch.manual_seed(0)
    return networks.build(request.param, **SMALL[request.param]).eval()


def test_every_network_has_a_small_variant_here():
    assert set(SMALL) == set(networks.names())


def pictures(network, batch, width):
    """Random images of a size that the network takes."""
    return torch.rand(batch, 1, *getattr(network, "input_size", (64, width)))


@pytest.mark.parametrize(("batch", "width"), [(1, 128), (3, 256)])
def test_shapes(network, batch, width):
    with torch.inference_mode():
        output = network(pictures(network, batch, width))
    assert output.dtype == torch.float32
    if hasattr(network, "input_size"):
        assert output.shape == (batch, network.config.classes)
    elif hasattr(network, "columns_per_frame"):
        assert output.shape == (batch, width // network.columns_per_frame, network.config.classes)
    else:
        assert output.shape == (batch, network.config.maps, 64 // network.stride, width // network.stride)


def test_an_image_reads_the_same_in_any_batch(network):
    images = pictures(network, 4, 192)
    with torch.inference_mode():
        together = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    assert torch.allclose(together, alone, atol=1e-4)


def test_saved_and_loaded_is_equal(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    name = next(name for name in networks.names() if isinstance(network, type(networks.build(name, **SMALL[name]))))
    other = networks.build(name, **SMALL[name]).eval()
    other.load_state_dict(torch.load(tmp_path / "weights.pt"))
    image = pictures(network, 1, 128)
    with torch.inference_mode():
        assert torch.equal(network(image), other(image))


def test_onnx_agrees_at_several_sizes(network):
    assert check_parity(network, to_onnx(network)) < 1e-3


def line_batch(texts: list[list[int]]) -> LineBatch:
    rng = np.random.default_rng(0)
    images = np.zeros((len(texts), 1, 64, 256), np.float32)
    glyphs = rng.random((12, 48, 20)) > 0.6
    for row, numbers in enumerate(texts):
        for place, number in enumerate(numbers):
            images[row, 0, 8:56, 16 + 32 * place : 36 + 32 * place] = glyphs[number]
    return LineBatch(
        torch.from_numpy(images),
        torch.full((len(texts),), 64),
        torch.tensor([number for numbers in texts for number in numbers]),
        torch.tensor([len(numbers) for numbers in texts]),
        [LineLabel(str(i), "", "", "") for i in range(len(texts))],
    )


@pytest.mark.parametrize("name", LINE_NETWORKS)
def test_one_batch_is_learned_by_heart(name):
    torch.manual_seed(1)
    network = networks.build(name, **SMALL[name] | {"dropout": 0.0})
    batch = line_batch([[1, 2, 3, 4], [5, 5, 6], [7, 8, 9, 10, 11]])
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for _ in range(700):
        logits, shortcut = network.forward_with_shortcut(batch.images)
        loss = ctc_loss(logits, batch)
        if loss < 0.05:
            break
        optimizer.zero_grad()
        (loss + 0.1 * ctc_loss(shortcut, batch)).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
    assert loss < 0.05


@pytest.mark.parametrize("name", CHARACTER_NETWORKS)
def test_one_batch_of_characters_is_learned_by_heart(name):
    torch.manual_seed(1)
    network = networks.build(name, **SMALL[name] | {"dropout": 0.0})
    images, numbers = (torch.rand(14, 1, 28, 28) > 0.7).float(), torch.arange(14) % 7
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(200):
        loss = torch.nn.functional.cross_entropy(network(images), numbers)
        if loss < 0.05:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05


def test_one_page_is_learned_by_heart():
    torch.manual_seed(1)
    network = networks.build("fcn", **SMALL["fcn"])
    image, core = torch.zeros(1, 1, 128, 128), torch.zeros(1, 1, 32, 32)
    for row in (24, 72):
        image[:, :, row : row + 20, 16:112:6] = 1
        core[:, :, row // 4 : row // 4 + 5, 4:28] = 1
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(150):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(image)[:, :1], core)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [("nonsense", {}, "there are: crnn, fcn, lenet, mlp, resnet"), ("crnn", {"hiden": 3}, "hiden")],
)
def test_unknown_names_are_named(name, fields, message):
    with pytest.raises(ValueError, match=message):
        networks.build(name, **fields)
