"""Contracts that every registered network keeps; a new network is tested by being registered."""

import numpy as np
import pytest
import torch

from text_recognizer.learning import networks
from text_recognizer.learning.datasets.lines import LineLabel
from text_recognizer.learning.export.onnx import check_parity, to_onnx
from text_recognizer.learning.loading.line_batches import LineBatch
from text_recognizer.learning.networks.image_to_sequence import ImageToSequence
from text_recognizer.learning.tasks.lines import ctc_loss

SMALL = {
    "crnn": {"classes": 12, "stem": 8, "channels": [8, 12, 16], "blocks": [1, 1, 1], "hidden": 24, "layers": 2},
    "fcn": {"stem": 4, "channels": [6, 8, 12, 12], "blocks": [1, 1, 1, 1], "top": 8},
    "line-cnn": {"classes": 12, "channels": [8, 12, 16], "hidden": 24},
    "line-windows": {"classes": 12, "channels": [8, 12, 16], "hidden": 24},
    "line-cnn-lstm": {"classes": 12, "channels": [8, 12, 16], "hidden": 24, "units": 16},
    "line-cnn-transformer": {"classes": 12, "channels": [4, 6, 8], "hidden": 12, "width": 24, "layers": 2, "heads": 2},
    "resnet-transformer": {
        "classes": 12,
        "stem": 6,
        "channels": [8, 12, 16],
        "blocks": [1, 1, 1],
        "width": 24,
        "layers": 2,
        "heads": 2,
    },
    "mlp": {"classes": 7, "hidden": [24]},
    "lenet": {"classes": 7, "channels": [4, 6], "hidden": [16]},
    "resnet": {"classes": 7, "stem": 4, "channels": [6, 8, 8], "blocks": [1, 1, 1]},
}
LINE_NETWORKS = ["crnn", "line-cnn", "line-windows", "line-cnn-lstm"]
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
    if isinstance(network, ImageToSequence):
        rows, columns = network.cells((64 // network.stride[0], width // network.stride[1]))
        assert output.shape == (batch, 2, 2, 2, rows * columns, 12)  # layers, keys and values, heads
    elif hasattr(network, "input_size"):
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
    name = next(name for name in networks.names() if type(network) is type(networks.build(name, **SMALL[name])))
    other = networks.build(name, **SMALL[name]).eval()
    other.load_state_dict(torch.load(tmp_path / "weights.pt"))
    image = pictures(network, 1, 128)
    with torch.inference_mode():
        assert torch.equal(network(image), other(image))


def test_onnx_agrees_at_several_sizes(network):
    assert check_parity(network, to_onnx(network)) < 1e-3


def line_batch(texts: list[list[int]]) -> LineBatch:
    rng = np.random.default_rng(0)
    images = np.zeros((len(texts), 1, 64, 128), np.float32)
    glyphs = rng.random((12, 48, 20)) > 0.6
    for row, numbers in enumerate(texts):
        for place, number in enumerate(numbers):
            images[row, 0, 8:56, 16 + 32 * place : 36 + 32 * place] = glyphs[number]
    return LineBatch(
        torch.from_numpy(images),
        torch.full((len(texts),), 32),
        torch.tensor([number for numbers in texts for number in numbers]),
        torch.tensor([len(numbers) for numbers in texts]),
        [LineLabel(str(i), "", "", "") for i in range(len(texts))],
    )


@pytest.mark.parametrize("name", LINE_NETWORKS)
def test_one_batch_is_learned_by_heart(name):
    torch.manual_seed(1)
    network = networks.build(name, **SMALL[name] | {"dropout": 0.0})
    batch = line_batch([[1, 2, 3], [5, 5, 6]])
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2, betas=(0.9, 0.99))
    for _ in range(700):
        loss = ctc_loss(network(batch.images), batch)
        if loss < 0.05:
            break
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
    assert loss < 0.05


def test_windows_and_the_convolution_of_the_whole_line_compute_the_same():
    torch.manual_seed(2)
    windows, whole = (networks.build(name, **SMALL[name]).eval() for name in ("line-windows", "line-cnn"))
    whole.load_state_dict(windows.state_dict())
    image = torch.rand(2, 1, 64, 200)
    with torch.inference_mode():
        assert torch.allclose(windows(image), whole(image), atol=1e-5)


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
    [("nonsense", {}, "there are: crnn, fcn, lenet"), ("crnn", {"hiden": 3}, "hiden")],
)
def test_unknown_names_are_named(name, fields, message):
    with pytest.raises(ValueError, match=message):
        networks.build(name, **fields)
