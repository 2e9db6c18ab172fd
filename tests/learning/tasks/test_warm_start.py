"""A training can begin with a bundle's weights: the network then computes what the bundle computes."""

import numpy as np
import pytest
import torch

from tests.helpers.programs import program
from tests.learning.experiments.test_training import TINY_LINES
from tests.learning.networks.test_networks import SMALL
from text_recognizer.alphabet import WESTERN_CHARACTERS, Alphabet
from text_recognizer.images import NORMALIZATION_VERSION, normalize_line
from text_recognizer.learning import networks
from text_recognizer.learning.export.export import write_bundle
from text_recognizer.learning.synthesis.lines import SyntheticLines
from text_recognizer.learning.tasks.base import NetworkChoice
from text_recognizer.learning.tasks.lines import line_alphabet
from text_recognizer.learning.tasks.warm_start import bundle_alphabet, calibrate, load_bundle_weights
from text_recognizer.learning.tasks.weights import adopted_shape, interpolated_with_start, widen
from text_recognizer.recognition.bundle import Session, find_bundle, load_bundle
from text_recognizer.recognition.text.ctc import softmax


def lines_batch():
    images = [normalize_line(SyntheticLines(seed=2)[k][0]) for k in range(4)]
    width = -(-max(image.shape[1] for image in images) // 64) * 64
    batch = np.zeros((len(images), 1, 64, width), np.float32)
    for row, image in enumerate(images):
        batch[row, 0, :, : image.shape[1]] = image / 255
    return batch


@pytest.mark.parametrize(
    ("name", "network", "difference"), [("line-cnn-lstm", "line-cnn-lstm", 1e-3), ("lines", "crnn", 0.03)]
)
def test_a_shipped_recogniser_goes_back_into_pytorch_whole(tiny_data, name, network, difference):
    bundle = load_bundle(name, "lines", NORMALIZATION_VERSION)
    fields = bundle.provenance["experiment"]["network"]["fields"]
    network = networks.build(network, classes=len(Alphabet(bundle.settings["alphabet"])), **fields)
    load_bundle_weights(network, bundle.folder)
    batch = lines_batch()
    expected = Session(bundle).run(batch)
    calibrate(network, [torch.from_numpy(batch)])
    norm = next(module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d))
    assert norm.running_mean.abs().max() > 0.01  # measured, not left as it was
    with torch.inference_mode():
        found = network.eval()(torch.from_numpy(batch)).numpy()
    # The second one computes with bytes in between, so that its answers are the same on the whole.
    assert np.abs(softmax(found) - softmax(expected)).mean() < difference * 0.1
    assert (found.argmax(-1) == expected.argmax(-1)).mean() > 1 - difference


def test_a_bundle_of_the_smaller_alphabet_reads_the_same_in_a_network_of_the_larger_one(bare_data):
    bundle = load_bundle("lines", "lines", NORMALIZATION_VERSION)
    assert bundle.settings["alphabet"] == WESTERN_CHARACTERS
    fields = bundle.provenance["experiment"]["network"]["fields"]
    before, after = Alphabet(WESTERN_CHARACTERS), line_alphabet([], "lines")
    assert after == Alphabet()
    images, readings = torch.from_numpy(lines_batch()), []
    for alphabet in (before, after):
        network = networks.build("crnn", classes=len(alphabet), **fields).eval()
        load_bundle_weights(network, bundle.folder, alphabet)
        with torch.inference_mode():
            readings.append(network(images))
    assert torch.equal(readings[0], readings[1][..., : len(before)])
    assert (readings[0].argmax(-1) == readings[1].argmax(-1)).all()  # no new character wins before it is learned
    assert readings[1].softmax(-1)[..., len(before) :].sum(-1).max() < 0.02


def test_a_network_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"convolutions|shape"):
        load_bundle_weights(networks.build("crnn", **SMALL["crnn"]), find_bundle("lines"))


def crnn(**fields):
    return networks.build("crnn", **SMALL["crnn"] | {"classes": 9} | fields)


@pytest.mark.parametrize("larger", [{"channels": [8, 24, 32]}, {"blocks": [2, 1, 3]}, {"stem": 12}])
def test_a_widened_network_computes_what_it_did_and_learns_with_all_of_its_weights(larger):
    torch.manual_seed(0)
    small = crnn(channels=[8, 16, 24], blocks=[1, 1, 2], stem=8)
    large = crnn(**{"channels": [8, 16, 24], "blocks": [1, 1, 2], "stem": 8} | larger)
    images = torch.rand(3, 1, 64, 192)
    calibrate(small, [images])
    widen(small, large)
    for before, after in zip(
        small.eval().forward_with_shortcut(images), large.eval().forward_with_shortcut(images), strict=True
    ):
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    optimizer = torch.optim.AdamW(large.train().parameters(), 1e-3)
    start = {name: weight.detach().clone() for name, weight in large.named_parameters()}
    for _ in range(2):  # what nothing listens to yet has no gradient in the first step
        optimizer.zero_grad()
        torch.stack([logits.square().mean() for logits in large.forward_with_shortcut(images)]).sum().backward()
        optimizer.step()
    still = [name for name, weight in large.named_parameters() if weight.ndim > 1 and (weight == start[name]).all()]
    assert still == []


def test_only_the_cnn_can_be_widened():
    with pytest.raises(ValueError, match="only the CNN"):
        widen(crnn(), crnn(hidden=SMALL["crnn"].get("hidden", 256) + 8))


def test_an_experiment_begins_with_a_bundle(tiny_data, tmp_path):
    first = program("train", "experiments/lines.yaml", "--name=first", "--trainer.epochs=1", *TINY_LINES)
    assert first.returncode == 0, first.stderr
    exported = program("export", "first", "--output", tmp_path / "first", "--no-measure")
    assert exported.returncode == 0, exported.stderr
    start = f"--start_from={tmp_path / 'first'}"
    second = program("train", "experiments/lines.yaml", "--name=second", "--trainer.epochs=1", start, *TINY_LINES)
    assert second.returncode == 0, second.stderr
    larger = "--network.fields={stem: 4, channels: [4, 8, 12], blocks: [1, 2, 1], hidden: 8, layers: 1}"
    options = ("--name=widened", "--trainer.epochs=1", start, *TINY_LINES, larger)
    third = program("train", "experiments/lines.yaml", *options)
    assert third.returncode == 0, third.stderr
    unknown = program("train", "experiments/lines.yaml", "--name=third", "--start_from=nothing", *TINY_LINES)
    assert unknown.returncode == 2
    assert "no model bundle" in unknown.stderr


def interpolation(bundle, alpha):
    """A larger network as if it were trained, and its interpolation with a bundle."""
    torch.manual_seed(1)
    fields = SMALL["crnn"] | {"channels": [8, 20, 16], "blocks": [1, 1, 2]}
    fields.pop("classes")
    alphabet = bundle_alphabet(bundle)
    network = networks.build("crnn", classes=len(alphabet), **fields)
    for norm in (module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        torch.nn.init.normal_(norm.bias)
    calibrate(network, [torch.rand(2, 1, 64, 128)])
    experiment = {
        "task": "lines",
        "start_from": str(bundle),
        "network": {"name": "crnn", "fields": fields},
        "alphabet": "".join(alphabet.characters),
    }
    weights = {f"network.{name}": weight.clone() for name, weight in network.state_dict().items()}
    mixed = networks.build("crnn", classes=len(alphabet), **fields)
    found = interpolated_with_start(experiment, weights, alpha)
    mixed.load_state_dict({name.removeprefix("network."): weight for name, weight in found.items()})
    return network.eval(), mixed.eval()


def small_bundle(folder):
    torch.manual_seed(2)
    fields = {name: value for name, value in SMALL["crnn"].items() if name != "classes"}
    network = networks.build("crnn", classes=len(Alphabet()), **fields).eval()
    identity = {"name": "small", "task": "lines", "version": "1", "normalization": NORMALIZATION_VERSION}
    provenance = {
        "experiment": {
            "task": "lines",
            "name": "small",
            "network": {"name": "crnn", "fields": fields},
            "data": {"train": []},
        }
    }
    folder.mkdir()
    settings = {"alphabet": "".join(Alphabet().characters)}
    write_bundle(
        folder, network, identity, settings, provenance | {"epochs": 1, "steps": 1, "parameters": 1, "exported": ""}
    )
    return network


def test_a_run_can_be_interpolated_with_the_smaller_bundle_that_it_began_with(tmp_path):
    small = small_bundle(tmp_path / "small")
    images = torch.rand(2, 1, 64, 192)
    run, whole = interpolation(tmp_path / "small", 1.0)
    torch.testing.assert_close(whole(images), run(images), rtol=1e-3, atol=1e-4)
    _, none = interpolation(tmp_path / "small", 0.0)
    torch.testing.assert_close(none(images), small(images), rtol=1e-2, atol=1e-2)  # stored as float16
    _, half = interpolation(tmp_path / "small", 0.5)
    assert not torch.allclose(half(images), run(images), atol=1e-3)
    assert not torch.allclose(half(images), small(images), atol=1e-3)
    with pytest.raises(ValueError, match="from 0 to 1"):
        interpolation(tmp_path / "small", 1.5)


def test_an_experiment_takes_the_shape_of_the_bundle_where_it_names_no_other():
    shape = {"channels": [48, 112, 224], "blocks": [1, 3, 3]}
    for choice, expected in (
        (NetworkChoice("crnn", {"dropout": 0.3}), shape | {"dropout": 0.3}),
        (NetworkChoice("crnn", {"blocks": [1, 4, 4]}), shape | {"blocks": [1, 4, 4]}),
        (NetworkChoice("resnet-transformer", {"width": 64}), shape | {"width": 64}),
        (NetworkChoice("line-cnn", {}), {}),
    ):
        before = dict(choice.fields)
        assert adopted_shape(choice, find_bundle("lines")) == NetworkChoice(choice.name, expected)
        assert choice.fields == before  # the experiment stays what it was
