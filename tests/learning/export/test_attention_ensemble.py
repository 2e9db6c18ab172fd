"""Several networks that read together by attention, as a bundle like any other."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from tests.learning.experiments.test_training import ROOT
from tests.learning.networks.test_networks import SMALL
from tests.learning.tasks.test_attention import succeed
from tests.learning.tasks.test_characters import call
from text_recognizer import TextRecognizer
from text_recognizer.alphabet import Alphabet
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning import networks, tasks
from text_recognizer.learning.datasets.lines import LineLabel
from text_recognizer.learning.export.ensemble import write_ensemble
from text_recognizer.learning.export.export import write_bundle
from text_recognizer.learning.networks.image_to_sequence import grid
from text_recognizer.learning.tasks.attention import AttentionModule, Teaching
from text_recognizer.learning.tasks.attention_lines import CollateForAttention
from text_recognizer.learning.tasks.base import NetworkChoice, Optimization
from text_recognizer.recognition.bundle import BundleError, load_bundle
from text_recognizer.recognition.text.attention_recognizer import AttentionLineRecognizer, AttentionReader
from text_recognizer.recognition.text.paragraph_recognizer import ParagraphTextRecognizer

ALPHABET = "abcdefghi "
TASKS = {"resnet-transformer": "paragraphs", "line-cnn-transformer": "attention-lines"}


def small_bundle(folder, network="resnet-transformer", seed=0, alphabet=ALPHABET, scale=1.15, **fields):
    """A real bundle of a small network with random weights, and the network; sure enough to read various characters."""
    torch.manual_seed(seed)
    built = networks.build(network, **(SMALL[network] | fields)).eval()
    with torch.no_grad():
        built.decoder.head.weight *= 12
        built.decoder.head.bias[0] -= 6  # no early end
        for module in built.modules():  # as in a trained network, the features of paper are not zero
            if isinstance(module, torch.nn.BatchNorm2d):
                module.bias.uniform_(0, 1)
    data = {"train": [{"name": "iam-train"}], "scale": scale}
    experiment = {"name": "small", "task": TASKS[network], "network": {"name": network}, "data": data}
    identity = {
        "name": folder.name,
        "task": TASKS[network],
        "version": "1",
        "normalization": NORMALIZATION_VERSION,
    }
    facts = {"experiment": experiment, "parameters": 1000, "epochs": 1, "steps": 1, "exported": "today"}
    settings = tasks.find(TASKS[network]).settings(built, experiment, Alphabet(alphabet)) | {"longest": 16}
    folder.mkdir()
    write_bundle(folder, built, identity, settings, facts)
    return folder, built


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """Two paragraph bundles, the second with finer cells and its alphabet in another order, and their networks."""
    folder = tmp_path_factory.mktemp("members")
    one = small_bundle(folder / "one")
    return one, small_bundle(folder / "other", seed=1, alphabet="ihgfedcba ", rows=1, columns=1)


def read_by_hand(networks, weights, image, steps):
    """What the networks read together, all told the same last token; their places in pixels of the image."""
    order = [np.arange(12), np.array([0, *range(9, 0, -1), 10, 11])]  # the second's token for each of the first's
    told, read, where = 0, [], []
    states = []
    for network in networks:
        _, places, past = network.decoder.begin(1)
        features = network.features(image)
        states.append([network.memory(features), grid(*network.cells(features.shape[2:])), places, past])
    for _ in range(steps):
        answers = []
        for number, (network, state) in enumerate(zip(networks, states, strict=True)):
            memory, cells, places, past = state
            token = torch.tensor([int(order[number][told])])
            logits, places, past = network.decoder.step(token, places, past, memory, None, cells)
            state[2:] = places, past
            answers.append((logits[0, order[number]], places[0] * torch.tensor(network.cell)))
        logs = sum(w * a.log_softmax(-1) for w, (a, _) in zip(weights, answers, strict=True)) / sum(weights)
        told = int(logs.argmax())
        if told == 0:
            break
        counts = torch.tensor([w * float(a.softmax(-1)[told]) for w, (a, _) in zip(weights, answers, strict=True)])
        read.append(told)
        where.append(sum(c * place for c, (_, place) in zip(counts / counts.sum(), answers, strict=True)))
    return read, torch.stack(where).numpy()


def test_members_read_together_as_the_mean_of_their_log_probabilities_says(members, tmp_path):
    (one, first), (other, second) = members
    folder = write_ensemble([one, other], tmp_path / "both", [2, 1], measure=False)
    reader = AttentionReader(load_bundle(folder, "paragraphs", NORMALIZATION_VERSION), threads=1)
    images = np.random.default_rng(0).random((2, 1, 96, 160), dtype=np.float32)
    with torch.inference_mode():
        for image, found in zip(images, reader.read(images, [160, 160]), strict=True):
            read, where = read_by_hand([first, second], [2, 1], torch.from_numpy(image[None]), 16)
            assert found.numbers.tolist() == read
            assert len(set(read)) > 2
            assert np.allclose(found.places * reader.cell, where, atol=0.1)
            assert ((found.probabilities > 0) & (found.probabilities <= 1)).all()


def test_a_member_alone_decides_where_its_weight_is_all(members, tmp_path):
    (one, _), (other, _) = members
    image = np.random.default_rng(1).random((1, 1, 96, 160), dtype=np.float32)
    alone = AttentionReader(load_bundle(one, "paragraphs", NORMALIZATION_VERSION)).read(image, [160])[0]
    for weights in ([1e6, 1], [1, 1e6]):
        folder = write_ensemble([one, other], tmp_path / "both", weights, measure=False)
        together = AttentionReader(load_bundle(folder, "paragraphs", NORMALIZATION_VERSION)).read(image, [160])[0]
        assert (together.numbers.tolist() == alone.numbers.tolist()) == (weights[0] > 1)


def test_the_shipped_paragraphs_with_themselves_are_read_by_the_command(recognizer, tmp_path):
    folder = tmp_path / "pair"
    succeed("ensemble", "paragraphs", "paragraphs", "--weight=3", "--weight=1", "--output", folder, "--no-measure")
    described = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    assert (described["task"], described["settings"]["weights"]) == ("paragraphs", [3.0, 1.0])
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "one paragraph" in card
    assert "several networks" in card
    page = tmp_path / "page.png"
    Image.open(ROOT / "samples" / "letter.jpg").convert("L").crop((0, 330, 500, 420)).save(page)
    document = json.loads(succeed("read", "--unit", "paragraph", "--model", folder, "--format", "json", page))
    assert document["models"]["paragraphs"].startswith("pair 1")
    assert document["text"].strip() == recognizer.read_paragraph(page).text.strip() != ""


def test_lines_are_read_together_the_same_in_any_batch(tmp_path):
    names = [small_bundle(tmp_path / f"n{seed}", "line-cnn-transformer", seed)[0] for seed in (0, 1)]
    folder = write_ensemble(names, tmp_path / "both", measure=False)
    reader = AttentionLineRecognizer(folder)
    rng = np.random.default_rng(2)
    crops = [(255 * (rng.random((64, width)) > 0.2)).astype(np.uint8) for width in (200, 260, 230)]
    together = reader.read(crops)
    assert [line.text for line in together] == [reader.read([crop])[0].text for crop in crops]
    assert any(line.text for line in together)
    recognizer = TextRecognizer(lines=folder)
    assert [line.text for line in recognizer.read_lines(crops)] == [line.text for line in together if line]


def test_a_bundle_reads_lines_as_validation_does(tmp_path):
    folder, network = small_bundle(tmp_path / "lines", "line-cnn-transformer")
    fields = {key: value for key, value in SMALL["line-cnn-transformer"].items() if key != "classes"}
    choice = NetworkChoice("line-cnn-transformer", fields)
    module = AttentionModule(choice, Alphabet(ALPHABET), Optimization(), Teaching(), ["val"]).eval()
    module.network.load_state_dict(network.state_dict())
    reader = AttentionLineRecognizer(folder)
    rng = np.random.default_rng(3)
    images = [(255 * (rng.random((64, width)) > 0.2)).astype(np.uint8) for width in (200, 331, 260)]
    read = reader.characters(images)
    collate = CollateForAttention(module.alphabet, reader.geometry)
    batch = collate([(image, LineLabel("x", "abc", "w", "s"), 400) for image in images])
    with torch.inference_mode():
        tokens, sure, _ = (found.numpy() for found in module.network.read(*module.remember(batch), 16))
    for one, numbers, probabilities in zip(read, tokens, sure, strict=True):
        count = len(one.numbers)
        assert count > 3
        assert one.numbers.tolist() == numbers[numbers > 0].tolist()
        assert one.probabilities == pytest.approx(probabilities[:count], abs=5e-3)  # weights in float16


@pytest.mark.parametrize(
    ("bundles", "message"),
    [
        (["lines", "paragraphs"], r"of one kind; lines is for lines by CTC, paragraphs is for paragraphs by attention"),
        (["detector", "detector"], r"detector is for detector: an ensemble is made of lines by CTC, paragraphs by"),
    ],
)
def test_kinds_do_not_mix(tmp_path, bundles, message):
    with pytest.raises(BundleError, match=message):
        write_ensemble(bundles, tmp_path / "none", measure=False)
    refused = call("ensemble", *bundles, "--output", tmp_path / "none")
    assert refused.exit_code == 2
    assert not (tmp_path / "none").exists()


def test_members_that_do_not_fit_are_refused(members, tmp_path):
    (one, _), (other, _) = members
    stranger = small_bundle(tmp_path / "stranger", alphabet="abcdefghj ")[0]
    smaller = small_bundle(tmp_path / "smaller", scale=0.8)[0]
    pair = write_ensemble([one, other], tmp_path / "pair", measure=False)
    for wrong, message in (
        (stranger, "stranger reads another alphabet.*ij"),
        (smaller, r"smaller takes images of another size than the first member \(scale\)"),
        (pair, "pair is an ensemble itself"),
    ):
        with pytest.raises(BundleError, match=message):
            write_ensemble([one, wrong], tmp_path / "none", measure=False)
    assert not (tmp_path / "none").exists()


def test_a_damaged_member_is_named(members, recognizer, tmp_path):
    (one, _), (other, _) = members
    folder = write_ensemble([one, other], tmp_path / "damaged", measure=False)
    hashes = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))["sha256"]
    (folder / "member-2-other" / "decoder.onnx").write_bytes(b"nothing")
    with pytest.raises(BundleError, match=r"member-2-other.decoder\.onnx is not the file"):
        ParagraphTextRecognizer(folder, recognizer.detector)
    shutil.rmtree(folder / "member-2-other")
    with pytest.raises(BundleError, match="member-2-other"):
        ParagraphTextRecognizer(folder, recognizer.detector)
    again = write_ensemble([other, one], tmp_path / "turned", measure=False)
    assert json.loads((again / "bundle.json").read_text(encoding="utf-8"))["sha256"] != hashes
