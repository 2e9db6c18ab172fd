"""Text regions of PAGE XML and ALTO files as paragraphs: their images, their texts, where their characters stand."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.cli.test_data_command import command
from tests.conftest import DATA
from tests.learning.datasets.test_datasets import check_item
from tests.learning.datasets.test_page_xml import ALTO, PAGE
from tests.learning.experiments.test_training import ROOT
from text_recognizer.alphabet import Alphabet
from text_recognizer.learning.datasets.sources import ParagraphSource, paragraph_dataset
from text_recognizer.learning.experiments.config import load_experiment
from text_recognizer.learning.experiments.sanity_checks import overfit
from text_recognizer.learning.loading.paragraph_batches import Composer, collate
from text_recognizer.learning.loading.paragraph_sources import piece_source, whole_paragraphs
from text_recognizer.recognition.text.attention_networks import Tokens

LEFT = ["My dear friend,", "the roses are out", "and the garden", "is full of bees"]
RIGHT = ["Thirty pounds", "of flour came", "on Monday"]
PITCH, TILT = 60, 0.03  # pixels from line to line, and by which a line falls for each to the right


def lines_of(texts, left, top):
    """(text, outline, baseline) of lines below each other, all falling to the right."""
    found = []
    for number, text in enumerate(texts):
        y, width = top + PITCH * number, 24 * len(text) + 20
        fall = TILT * width
        outline = [(left, y), (left + width, y + fall), (left + width, y + fall + 56), (left, y + 56)]
        found.append((text, outline, [(left, y + 42), (left + width, y + fall + 42)]))
    return found


def draw(path, regions):
    """A page with the lines of the regions in a handwriting font."""
    page = Image.new("L", (1100, 420), 240)
    font = ImageFont.truetype(str(DATA / "fonts" / "kalam.ttf"), 38)
    for text, outline, _ in (line for lines in regions for line in lines):
        for at, letter in enumerate(text):  # letter by letter, to follow the slope, where they are expected below
            x, y = outline[0][0] + 12 + 24 * at, outline[0][1] + TILT * 24 * at
            ImageDraw.Draw(page).text((x + 12, y + 42), letter, 25, font, anchor="ms")
    page.save(path)


def points(values):
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in values)


def page_xml(name, regions):
    content = ""
    for number, lines in enumerate(regions):
        content += f'<TextRegion id="r{number}">'
        for text, outline, baseline in lines:
            content += f'<TextLine><Coords points="{points(outline)}"/><Baseline points="{points(baseline)}"/>'
            content += f"<TextEquiv><Unicode>{text}</Unicode></TextEquiv></TextLine>"
        content += "</TextRegion>"
    return (
        f'<PcGts xmlns="{PAGE.format("2019-07-15")}"><Page imageFilename="{name}" imageWidth="1100" imageHeight="420">'
        f"{content}</Page></PcGts>"
    )


def alto(name, regions):
    content = ""
    for number, lines in enumerate(regions):
        content += f'<TextBlock ID="r{number}">'
        for text, outline, baseline in lines:
            words = "<SP/>".join(f'<String CONTENT="{word}"/>' for word in text.split())
            content += f'<TextLine BASELINE="{points(baseline)}"><Shape><Polygon POINTS="{points(outline)}"/></Shape>'
            content += f"{words}</TextLine>"
        content += "</TextBlock>"
    return (
        f'<alto xmlns="{ALTO.format(4)}"><Description><sourceImageInformation><fileName>{name}</fileName>'
        '</sourceImageInformation></Description><Layout><Page WIDTH="1100" HEIGHT="420"><PrintSpace>'
        f"{content}</PrintSpace></Page></Layout></alto>"
    )


REGIONS = [lines_of(LEFT, 60, 40), lines_of(RIGHT, 600, 40)]


def write(folder, regions, written=None, count=2, form=page_xml):
    """A folder of pages; written: the regions as the files have them."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        draw(folder / f"p{number}.png", regions)
        (folder / f"p{number}.xml").write_text(form(f"p{number}.png", written or regions), encoding="utf-8")
    (folder / "train.txt").write_text("p0\n")
    (folder / "val.txt").write_text(f"p{count - 1}\n")
    return folder


def source(folder, split="train"):
    return ParagraphSource("pages-paragraphs", path=str(folder), split=split)


@pytest.mark.parametrize("form", [page_xml, alto])
def test_regions_become_paragraphs(bare_data, tmp_path, form):
    folder = write(tmp_path / "letters", REGIONS, form=form)
    train, val = (paragraph_dataset(source(folder, split)) for split in ("train", "val"))
    assert [label.text for label in train.labels] == ["\n".join(LEFT), "\n".join(RIGHT)]
    assert [label.identifier for label in train.labels] == ["p0-r0", "p0-r1"]
    assert not {label.writer for label in train.labels} & {label.writer for label in val.labels}
    for item in train:
        check_item("paragraphs", item)


def inked(values, row, column, reach=9):
    top, left = max(0, int(row) - reach), max(0, int(column) - reach)
    return (values[top : top + 2 * reach, left : left + 2 * reach] > 60).any()


def test_characters_are_placed_where_they_stand(bare_data, tmp_path):
    folder = write(tmp_path / "letters", REGIONS)
    pieces = piece_source(source(folder), 1.15)
    assert pieces.counts == [4, 3]
    for index, texts in enumerate((LEFT, RIGHT)):
        piece = pieces.piece(index, None)
        assert piece.text == "\n".join(texts)
        assert piece.places.shape == (len(piece.text) + 1, 2)
        at = 0
        for text in texts:
            own = piece.places[at : at + len(text)]
            assert (np.diff(own[:, 1]) > 0).all()
            fall = np.polyfit(own[:, 1], own[:, 0], 1)[0]
            assert fall == pytest.approx(TILT, abs=0.015)  # along the line, not across the page
            letters = [inked(piece.values[0], *place) for place, sign in zip(own, text, strict=True) if sign != " "]
            assert np.mean(letters) > 0.9
            at += len(text) + 1
    rows = pieces.piece(0, None).places[[0, len(LEFT[0]) + 1], 0]
    assert np.diff(rows)[0] > 30


def test_they_are_learned_from_and_measured_on(bare_data, tmp_path):
    folder = write(tmp_path / "letters", REGIONS)
    composer = Composer(piece_source(source(folder), 1.15), np.zeros(1, np.uint8), 1.15)
    batch = collate([composer.draw(2, np.random.default_rng(0)) for _ in range(3)], Tokens(Alphabet()))
    assert all(text.count("\n") == 1 for text in batch.texts)
    assert np.isfinite(batch.places[batch.targets >= 0].numpy()).all()
    whole = whole_paragraphs(source(folder, "val"), 1.15).piece(0, None)
    assert whole.text == "\n".join(LEFT)


def test_an_experiment_names_them(bare_data, tmp_path, monkeypatch):
    monkeypatch.setattr("text_recognizer.learning.experiments.sanity_checks.PASSES", 1)
    folder = write(tmp_path / "letters", REGIONS)
    fields = "stem: 4, channels: [6, 8, 8], blocks: [1, 1, 1], width: 16, layers: 2, heads: 2, feedforward: 16"
    arguments = [
        f"--network.fields={{{fields}}}",
        f"--data.train=[{{name: pages-paragraphs, path: '{folder}'}}]",
        f"--data.val=[{{name: pages-paragraphs, path: '{folder}', split: val}}]",
        "--data.batch_lines=2",
        "--data.workers=0",
        "--trainer.epochs=1",
        "--trainer.overfit_batches=1",
    ]
    for more in (["--start_from=", "--freeze_encoder=false"], ["--start_from=", "--freeze_encoder=true"]):
        verdict = overfit(load_experiment(ROOT / "experiments" / "paragraphs.yaml", [*arguments, *more]))
        assert verdict.steps == 1
        assert np.isfinite(verdict.loss)


def test_writing_of_any_size_comes_to_one_size(bare_data, tmp_path):
    folder = write(tmp_path / "letters", REGIONS)
    once = paragraph_dataset(source(folder)).shapes
    for number in range(2):
        path = folder / f"p{number}.png"
        with Image.open(path) as picture:
            picture.resize((2200, 840), Image.Resampling.BICUBIC).save(path)
    assert paragraph_dataset(source(folder)).shapes == pytest.approx(once, rel=0.12)


def test_a_line_without_text_ends_a_paragraph_and_is_painted_over(bare_data, tmp_path, caplog):
    left, right = ([list(line) for line in lines] for lines in REGIONS)
    left[1][0], right[1][0] = " ", "π"
    dataset = paragraph_dataset(source(write(tmp_path / "letters", REGIONS, [left, right])))
    assert [label.text for label in dataset.labels] == ["\n".join(LEFT[2:]), RIGHT[0]]
    assert "'π' (U+03C0)" in caplog.text
    assert "no text" in caplog.text
    above = dataset[0][0]
    whole = paragraph_dataset(source(write(tmp_path / "whole", REGIONS)))[0][0]
    assert above.shape[0] < 0.75 * whole.shape[0]
    first = (above[: above.shape[0] // 20] > 99).mean()
    assert first < 0.02  # of the line above, whose lower half lies in the block


def test_lines_beside_each_other_are_no_paragraph(bare_data, tmp_path, caplog):
    table = [REGIONS[0][0], REGIONS[1][0]]
    folder = write(tmp_path / "table", REGIONS, [table, REGIONS[1][1:]])
    assert [label.text for label in paragraph_dataset(source(folder)).labels] == ["\n".join(RIGHT[1:])]
    assert "do not stand below each other" in caplog.text
    only = write(tmp_path / "only", REGIONS, [table])
    with pytest.raises(ValueError, match="do not stand below each other"):
        paragraph_dataset(source(only))


def test_the_command_shows_them(bare_data, tmp_path):
    folder = write(tmp_path / "letters", REGIONS)
    sheet = tmp_path / "sheet.png"
    code, output, error = command("show", "pages-paragraphs", "--path", folder, "--output", sheet)
    assert code == 0, error
    assert "text regions" in output
    with Image.open(sheet) as picture:
        assert picture.width > 500
    code, _, error = command("show", "pages-paragraphs")
    assert code == 2
    assert "PAGE XML or ALTO" in error
