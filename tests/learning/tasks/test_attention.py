"""Attention: decoders that read character by character, what they are taught, bundles of lines and of paragraphs."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from tests.learning.experiments.test_training import ROOT
from tests.learning.networks.test_networks import SMALL
from tests.learning.tasks.test_characters import call
from text_recognizer.alphabet import Alphabet
from text_recognizer.learning import networks
from text_recognizer.learning.alignment.character_positions import aligned_columns, even_columns, with_newline
from text_recognizer.learning.datasets.sources import paragraph_dataset
from text_recognizer.learning.export.onnx import check_steps, decoder_to_onnx, to_onnx
from text_recognizer.learning.loading.paragraph_batches import (
    Composer,
    ParagraphBatches,
    Piece,
    collate,
    cut_lines,
    form_piece,
    line_piece,
    stack_lines,
)
from text_recognizer.learning.networks.image_to_sequence import grid
from text_recognizer.learning.networks.transformer_decoder import place_of, start_places
from text_recognizer.learning.tasks.attention import AttentionModule, Teaching, guidance_loss
from text_recognizer.learning.tasks.base import NetworkChoice, Optimization
from text_recognizer.recognition.bundle import BundleError
from text_recognizer.recognition.layout.detector import LineDetector
from text_recognizer.recognition.text.attention_networks import END, Tokens
from text_recognizer.recognition.text.attention_recognizer import AttentionLineRecognizer, looping
from text_recognizer.recognition.text.paragraph_recognizer import ParagraphTextRecognizer

NAMES = ["line-cnn-transformer", "resnet-transformer"]
ALPHABET = Alphabet("abcdefghi ")


@pytest.fixture(params=NAMES)
def network(request):
    torch.manual_seed(0)
    return networks.build(request.param, **SMALL[request.param]).eval()


def images_for(network, batch, width, seed=0):
    height = getattr(network, "height", 128)
    return torch.rand(batch, 1, height, width, generator=torch.Generator().manual_seed(seed))


def test_tokens_and_text_go_back_and_forth():
    tokens = Tokens(ALPHABET)
    text = "a bad\n\nface"
    assert tokens.decode([*tokens.encode(text), END]) == text
    assert len(tokens) == len(ALPHABET) + 1
    with pytest.raises(ValueError, match="outside the alphabet"):
        tokens.encode("a\nzebra")


def test_step_by_step_equals_all_at_once(network):
    with torch.inference_mode():
        images = images_for(network, 2, 160)
        memory, shape = network(images), cells_of(network, images)
        tokens = torch.randint(1, 12, (2, 7))
        tokens[:, 0] = END
        places = torch.rand(2, 7, 2) * 5
        hidden = torch.zeros(2, shape[0] * shape[1], dtype=torch.bool)
        hidden[1, -2:] = True
        expected, attention = network.decoder(tokens, places, memory, hidden)
        past, cells = network.decoder.begin(2)[2], grid(*shape)
        for step in range(7):
            logits, place, past = network.decoder.step(tokens[:, step], places[:, step], past, memory, hidden, cells)
            assert torch.allclose(logits, expected[:, step], atol=1e-5)
            assert torch.allclose(place, place_of(attention[:, step], cells), atol=1e-4)
    assert torch.allclose(attention.sum(-1), torch.ones(2, 7), atol=1e-5)
    assert not attention[1, :, -2:].any()


def cells_of(network, images):
    return network.cells(network.features(images[:1]).shape[2:])


def test_padding_changes_nothing(network):
    features = network.features(images_for(network, 1, 160)).detach()
    padded = torch.nn.functional.pad(features, (0, 9, 0, 0 if features.shape[2] == 1 else 4))
    sizes = torch.tensor([features.shape[2:]])
    with torch.inference_mode():
        readings = [
            network.read(network.memory(x), network.hidden(sizes, x.shape[2:]), network.cells(x.shape[2:]), 12)
            for x in (features, padded)
        ]
    assert torch.equal(readings[0][0], readings[1][0])
    assert torch.allclose(readings[0][1], readings[1][1], atol=1e-5)
    assert torch.allclose(readings[0][2], readings[1][2], atol=1e-3)


@pytest.mark.parametrize("rows", [6, 7, 8])  # three features make a cell: all remainders
def test_features_mean_the_same_beside_those_of_a_higher_paragraph(rows):
    torch.manual_seed(0)
    fields = {key: value for key, value in SMALL["resnet-transformer"].items() if key != "classes"}
    choice = NetworkChoice("resnet-transformer", fields)
    module = AttentionModule(choice, ALPHABET, Optimization(), Teaching(), ["val"]).eval()
    rng, stride = np.random.default_rng(0), module.network.stride
    pieces = [
        Piece(rng.random((16, height, 20)).astype(np.float16), stride, "abc", np.zeros((4, 2), np.float32))
        for height in (rows, 15)
    ]
    memories = []
    for batch in (collate(pieces[:1], module.tokens), collate(pieces, module.tokens)):
        with torch.inference_mode():
            memory, hidden, shape = module.remember(batch)
        own = ~hidden[0].reshape(shape)
        assert own.sum(0).max() == -(-rows // module.network.merge[0])
        memories.append(memory[0][..., own.flatten(), :])
    assert torch.allclose(*memories, atol=1e-5)


def test_onnx_agrees_step_by_step_at_several_sizes(network):
    assert check_steps(network, to_onnx(network), decoder_to_onnx(network)) < 1e-3


def drawn_piece(text, seed=0):
    """Lines of random glyphs 32 columns apart, the same glyph for the same letter."""
    glyphs = np.random.default_rng(seed).random((12, 24, 20)) > 0.5
    lines = text.split("\n")
    ink = np.zeros((1, 96 * len(lines), 32 * max(map(len, lines)) + 32), np.uint8)
    places = []
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            top, left = 96 * row + 36, 16 + 32 * column
            if letter != " ":
                ink[0, top : top + 24, left : left + 20] = 255 * glyphs[ALPHABET.encode(letter)[0]]
        places.append(with_newline(96 * row + 48.0, np.arange(len(line), dtype=np.float32) * 32 + 26))
    return Piece(ink, (1, 1), text, np.concatenate(places))


def test_one_batch_is_learned_by_heart_and_read_back():
    torch.manual_seed(1)
    fields = {key: value for key, value in SMALL["resnet-transformer"].items() if key != "classes"}
    teaching = Teaching(corrupted=0.1, label_smoothing=0.0, wander=(0.1, 0.1))
    module = AttentionModule(
        NetworkChoice("resnet-transformer", fields | {"dropout": 0.0}), ALPHABET, Optimization(), teaching, ["val"]
    )
    module._weight = lambda: 0.5
    module.log = lambda *_, **__: None
    batch = collate([drawn_piece(text) for text in ("abc\nde", "fgh i", "ed\ncb\na")], module.tokens)
    optimizer = torch.optim.AdamW(module.network.parameters(), lr=4e-3)
    module.train()
    for _ in range(80):
        loss = module.training_step(batch, 0)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.network.parameters(), 2.0)
        optimizer.step()
    module.eval()
    module.on_validation_epoch_start()
    module.validation_step(batch, 0)
    assert [text for text, _ in module.readings[0]] == batch.texts


def test_a_frozen_encoder_stays_as_it_is():
    fields = {key: value for key, value in SMALL["resnet-transformer"].items() if key != "classes"}
    choice = NetworkChoice("resnet-transformer", fields)
    module = AttentionModule(choice, ALPHABET, Optimization(), Teaching(), ["val"], freeze_encoder=True).train()
    norms = [m for m in module.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    batch = collate([drawn_piece("ab")], module.tokens)
    memory, _, _ = module.remember(batch)
    memory.sum().backward()
    assert all(parameter.grad is None for parameter in module.network.encoder_parameters())
    assert module.network.neck.weight.grad is not None


def test_guidance_is_least_where_attention_is_right():
    cells = grid(3, 4)
    places = torch.tensor([[[1.0, 2.0], [float("nan"), float("nan")]]])
    right, wrong = torch.full((1, 2, 12), 1e-3), torch.full((1, 2, 12), 1e-3)
    right[0, 0, 6], wrong[0, 0, 0] = 1, 1
    losses = [guidance_loss(x / x.sum(-1, keepdim=True), places, cells, (0.3, 0.3)) for x in (right, wrong)]
    assert losses[0] < 0.5 < 3 < losses[1]
    assert torch.equal(place_of(right[:, 0] / right[:, 0].sum(), cells).round(), torch.tensor([[1.0, 2.0]]))
    assert start_places(2).shape == (2, 2)


def test_pieces_are_cut_and_stacked_with_their_places():
    whole = drawn_piece("abc\nde\nfghi")
    part = cut_lines(whole, 1, 2)
    assert part.text == "de\nfghi"
    assert part.places.shape == (len(part.text) + 1, 2)
    for place, letter in zip(part.places, part.text + "\n", strict=True):
        row, column = place.astype(int)
        inked = part.values[0, row - 8 : row + 8, column - 8 : column + 8].any()
        assert inked == (letter != "\n")
    lines = [cut_lines(whole, at, 1) for at in range(3)]
    stacked = stack_lines(lines, np.zeros(1, np.uint8), 1.0, np.random.default_rng(0))
    assert stacked.text == whole.text
    assert stacked.lines == 3
    rows = [stacked.places[at, 0] for at in (0, 4, 7)]
    assert rows == sorted(rows)
    row, column = stacked.places[5].astype(int)
    assert stacked.values[0, row - 8 : row + 8, column - 8 : column + 8].any()


def test_lines_and_forms_become_pieces(recognizer):
    from tests.learning.tasks.test_characters import drawn
    from text_recognizer.images import normalize_line

    text = "Some hands write"
    image = normalize_line(drawn(text))
    columns = aligned_columns([image, image], [text, "x" * 500], recognizer.line_reader)
    assert np.all(np.diff(columns[0]) > 0)
    assert np.abs(columns[0] - even_columns(image.shape[1], text)).max() < 0.15 * image.shape[1]
    assert len(columns[1]) == 500  # no room for so many: spread evenly
    rng = np.random.default_rng(0)
    line = line_piece(image, text, columns[0], 1.2, rng)
    assert line.values.shape[1] % 16 == 0
    row, column = line.places[0].astype(int)
    assert line.values[0, row - 20 : row + 20, column - 15 : column + 15].any()
    places = with_newline(32.0, columns[0])[:-1]
    form = form_piece(image, text, places, 0.5)
    assert form.values.shape == (1, 32, round(image.shape[1] / 2))
    assert np.allclose(form.places[:-1], places / 2)


class Source:
    """Pieces for `Composer`."""

    def __init__(self, texts):
        self.dataset = self.texts = texts
        self.writers = ["one" if at % 2 else "two" for at in range(len(texts))]
        self.counts = [text.count("\n") + 1 for text in texts]

    def piece(self, index, rng):
        return drawn_piece(self.texts[index])


def test_paragraphs_grow_and_are_the_same_for_the_same_seed():
    batches = ParagraphBatches(["lines", "forms"], [1, 1], Tokens(ALPHABET), lines=6, steps=40, most=5, growth=0.5)
    paper = np.zeros(1, np.uint8)
    batches.composers = [
        Composer(Source(["ab", "cd", "ef", "gh", "ia", "bc", "de", "fg", "hi", "ac"]), paper, 1.0),
        Composer(Source(["ab\ncd\nef\ngh\nia", "ab\ncd"]), paper, 1.0),
    ]
    first, last = batches[0], batches[39]
    assert all("\n" not in text for text in first.texts)
    assert len(first.texts) == 6
    assert max(batches.count(at, np.random.default_rng(at)) for at in range(30, 40)) >= 4
    assert batches[39].texts == last.texts
    assert torch.equal(batches[39].maps, last.maps)
    assert last.targets.shape == last.tokens.shape
    assert torch.isfinite(last.places[last.targets >= 0]).all()


def test_a_decoder_that_lost_its_way_is_stopped():
    assert looping([1, 2, 3, 4, 5, 6]) == 0
    assert looping([9, *[1, 2, 3] * 8]) == 21
    assert looping([1, 2] * 11) == 0
    assert looping([7] * 24) == 23


TINY_FIELDS = "stem: 4, channels: [6, 8, 8], blocks: [1, 1, 1], width: 16, layers: 2, heads: 2, feedforward: 16"
TINY = ["--data.workers=0", "--trainer.precision=32-true", "--trainer.tracker=none"]
TINY_PARAGRAPHS = [
    f"--network.fields={{{TINY_FIELDS}}}",
    "--data.train=[{name: stacked-iam-train}]",
    "--data.val=[{name: stacked-iam-val, count: 2}]",
    "--data.epoch_lines=12",
    "--data.batch_lines=4",
    "--data.most=3",
    *TINY,
]


def succeed(*arguments):
    """Run a command in this process, which has everything loaded, and return what it printed."""
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_paragraphs_train_resume_export_and_read(tiny_data, tmp_path, monkeypatch):
    arguments = ["experiments/paragraphs.yaml", *TINY_PARAGRAPHS]
    succeed("train", *arguments, "--name=tiny", "--start_from=", "--trainer.epochs=1", "--trainer.validate_every=1")
    succeed("train", *arguments, "--name=tiny", "--start_from=", "--trainer.epochs=2", "--resume")
    later = ["--name=later", "--start_from=tiny", "--freeze_encoder=false", "--trainer.epochs=1"]
    succeed("train", *arguments, *later)
    bundle = tmp_path / "bundle"
    succeed("export", "later", "--output", bundle, "--no-measure")
    description = json.loads((bundle / "bundle.json").read_text())
    assert description["task"] == "paragraphs"
    assert "paragraph" in (bundle / "README.md").read_text()
    page = tmp_path / "page.png"
    Image.open(ROOT / "samples" / "letter.jpg").crop((0, 300, 1000, 700)).save(page)
    document = json.loads(succeed("read", "--unit", "paragraph", "--model", bundle, "--format", "json", page))
    assert document["models"]["paragraphs"].startswith("bundle 1")
    few = lambda source: paragraph_dataset(replace(source, count=1))  # noqa: E731
    monkeypatch.setattr("text_recognizer.learning.evaluation.error_rates.paragraph_dataset", few)
    assert "stacked-iam-val" in succeed("evaluate", "--model", bundle, "stacked-iam-val")
    (bundle / "decoder.onnx").write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"decoder\.onnx is not the file"):
        ParagraphTextRecognizer(bundle, LineDetector())


def test_attention_lines_train_export_and_read(tiny_data, tmp_path):
    fields = "channels: [4, 6, 8], hidden: 12, width: 16, layers: 2, heads: 2, feedforward: 16"
    arguments = [
        f"--network.fields={{{fields}}}",
        "--data.train=[{name: iam-train}]",
        "--data.val=[{name: iam-val}]",
        "--data.columns=3000",
        "--start_from=",
        *TINY,
    ]
    succeed("train", "experiments/line-cnn-transformer.yaml", "--name=t", "--trainer.epochs=1", *arguments)
    bundle = tmp_path / "bundle"
    succeed("export", "t", "--output", bundle, "--no-measure")
    line = tiny_data / "iam" / "lines" / "x00.webp"
    succeed("read", "--unit", "line", "--model", bundle, line)
    assert "iam-val" in succeed("evaluate", "--model", bundle, "iam-val")
    reader = AttentionLineRecognizer(bundle)
    crops = [np.array(Image.open(path).convert("L")) for path in sorted(line.parent.glob("*.webp"))[:4]]
    together, alone = reader.read(crops), [reader.read([crop])[0] for crop in crops]
    assert [one.text for one in together] == [one.text for one in alone]
    blank = reader.read([np.full((64, 300), 255, np.uint8)])[0]
    assert (blank.text, blank.words, blank.box) == ("", (), None)
    wrong = call("read", "--unit", "paragraph", "--model", bundle, line)
    assert wrong.exit_code == 2
    assert "not for 'paragraphs'" in wrong.stderr


def test_a_blank_paragraph_has_no_lines():
    class Nothing:
        def detect(self, gray):
            return []

    reader = ParagraphTextRecognizer.__new__(ParagraphTextRecognizer)
    reader.detector = Nothing()
    assert reader.read(np.full((300, 400), 255, np.uint8)) == []
