"""`text-recognizer data check`: faults put into datasets, and what is said of them."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.conftest import fonts_and_text
from text_recognizer.alphabet import normalize_text
from text_recognizer.cli.main import app
from text_recognizer.learning.quality import label_scores
from text_recognizer.learning.quality import lines as measure
from text_recognizer.learning.quality.label_scores import LabelJudge
from text_recognizer.learning.quality.lines import InspectedLine, Reading
from text_recognizer.learning.quality.load import gather, together
from text_recognizer.learning.quality.report import charts, pieces
from text_recognizer.learning.quality.run import inspect

COLUMNS = ("line_id", "split", "writer", "text", "sha256", "source")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> list[tuple[np.ndarray, str]]:
    """Lines set in fonts, with their text."""
    from text_recognizer.learning.synthesis.lines import SyntheticLines

    with pytest.MonkeyPatch.context() as patch:
        fonts_and_text(tmp_path_factory.mktemp("drawn"), patch)
        lines = SyntheticLines(seed=11, printed_share=1.0)
        made = ((image, label.text) for image, label in map(lines.__getitem__, range(60)))
        return list(islice((found for found in made if len(found[1].split()) > 3), 20))


@pytest.fixture(scope="module")
def judge() -> LabelJudge:
    """The shipped recogniser."""
    return LabelJudge()


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def row(name: str, text: str, data: bytes, split: str = "train", writer: str = "Ada") -> dict[str, str]:
    digest = hashlib.sha256(data).hexdigest()
    return {"line_id": name, "split": split, "writer": writer, "text": text, "sha256": digest, "source": "test"}


def write(folder: Path, rows: list[dict[str, str]], images: dict[str, bytes], more: str = "") -> Path:
    (folder / "lines").mkdir(parents=True)
    for name, data in images.items():
        (folder / "lines" / f"{name}.png").write_bytes(data)
    with (folder / "lines.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        table.writeheader()
        table.writerows(rows)
        file.write(more)
    return folder


def clean(folder: Path, drawn: list[tuple[np.ndarray, str]]) -> tuple[list[dict[str, str]], dict[str, bytes]]:
    images = {f"p-{number:02d}": png(image) for number, (image, _) in enumerate(drawn)}
    rows = [row(name, text, images[name]) for name, (_, text) in zip(images, drawn, strict=True)]
    return rows, images


def check(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["data", "check", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def concerns(report: dict, code: str) -> set[str]:
    return {concern["identifier"] for f in report["findings"] if f["code"] == code for concern in f["concerns"]}


def test_a_folder_without_faults_has_no_errors(tmp_path, drawn, judge):
    rows, images = clean(tmp_path, drawn[:10])
    found = inspect(together([gather(str(write(tmp_path / "lines", rows, images)))]), judge, quiet=True)
    assert not found.has_errors
    grave = {finding.code for finding in found.findings if finding.severity != "note"}
    assert {"few-lines"} <= grave <= {"few-lines", "mixed-double-quotes", "disputed"}
    disputed = [concern for one in found.findings if one.code == "disputed" for concern in one.concerns]
    assert len(disputed) <= 1, "the recogniser may be wrong, and sure of it, once in ten lines of odd fonts"
    assert found.read == 10


def test_each_fault_is_found_at_its_line_and_the_report_needs_nothing_else(tmp_path, drawn):
    rows, images = clean(tmp_path, drawn)
    rows[0]["text"], rows[1]["text"] = rows[1]["text"], rows[0]["text"]
    words = rows[2]["text"].split()
    longest = max(range(1, len(words) - 1), key=lambda k: len(words[k]))
    rows[2]["text"] = " ".join(words[:longest] + words[longest + 1 :])
    rows[3]["text"] = rows[3]["text"].replace("a", "\u0430").replace("e", "\u0435")  # Cyrillic
    rows[4]["text"] += "\u200b"
    rows[5]["split"] = "valid"
    rows[6]["sha256"] = "0" * 64
    rows[7]["text"] = "<script>alert(1)</script> \u4e2d"
    del images["p-08"]
    images["p-09"] = b"no image"
    rows[9] = row("p-09", rows[9]["text"], images["p-09"])
    images["blank"], images["copy"] = png(np.full((80, 700), 250, np.uint8)), images["p-10"]
    rows += [row("blank", "nothing", images["blank"]), row("copy", "another text", images["copy"])]
    again = np.array(Image.open(io.BytesIO(images["p-11"])).reduce(2))
    high = np.vstack([drawn[12][0], drawn[12][0]])
    images["near"], images["double"], images["val"] = png(again), png(high), images["p-13"]
    rows += [row("near", "yet another", images["near"]), row("double", rows[12]["text"], images["double"])]
    rows += [row("val", rows[13]["text"], images["val"], "val", "Bea"), row("p-14", "once more", b"another")]
    rows += [row("empty", "", images["p-15"], "val", "Bea"), row("bea", rows[16]["text"], images["p-16"], "val")]
    images |= {"empty": images["p-15"], "bea": images["p-16"]}
    folder = write(tmp_path / "lines", rows, images, "broken\ttrain\tAda\tone\ttwo\tthree\tfour\n")

    code, output, _ = check(folder, "--output", tmp_path / "r.html", "--json", tmp_path / "r.json")
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert code == 1
    assert report["errors"]
    expected = {
        "swapped": {"p-00", "p-01"}, "missing-words": {"p-02"}, "look-alikes": {"p-03"}, "control": {"p-04"},
        "splits": {"p-05"}, "sha256": {"p-06", "p-14 (row 27)"}, "outside-alphabet": {"p-07"},
        "missing-image": {"p-08"}, "broken-image": {"p-09"}, "no-ink": {"blank"}, "several-lines": {"double"},
        "same-image-other-text": {"copy"}, "near-image-other-text": {"near"}, "identifiers": {"p-14"},
        "image-in-two-splits": {"val", "bea", "empty"}, "no-text": {"empty"}, "rows": {"row 30"},
        "writer-in-two-splits": {"writer Ada"},
    }  # fmt: skip
    for finding, names in expected.items():
        assert names <= concerns(report, finding), finding
    assert concerns(report, "swapped") == expected["swapped"]
    assert concerns(report, "no-ink") == {"blank"}
    assert any("broken" in line for line in output.splitlines())
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/webp;base64,") > 10
    assert "<mark>" in page
    assert 'alt="Image of p-00"' in page


def test_labels_shifted_by_a_line_are_named_as_that(tmp_path, drawn, judge):
    rows, images = clean(tmp_path, drawn[:11])
    texts = [r["text"] for r in rows]
    for number in range(4, 10):
        rows[number]["text"] = texts[number + 1]
    found = inspect(together([gather(str(write(tmp_path / "lines", rows, images)))]), judge, quiet=True).findings
    shifted = {c.identifier for f in found if f.code == "shifted" for c in f.concerns}
    assert {f"p-{number:02d}" for number in range(5, 9)} <= shifted <= {f"p-{number:02d}" for number in range(4, 10)}


def test_a_hand_that_is_hard_to_read_is_not_accused():
    scores = np.zeros((0, 3), np.float16)

    def line(number: int, writer: str, cost: float) -> InspectedLine:
        found = InspectedLine(
            f"{writer}{number}", "text", "train", writer, "", "", lambda: (np.zeros((1, 1), np.uint8), "")
        )
        return replace(found, reading=Reading("text", (0.5,), 0.5, cost, 9 * cost, scores))

    lines = [line(n, "easy", 0.2) for n in range(30)] + [line(n, "hard", 2.4) for n in range(10)]
    assert not label_scores.disputed(lines)
    lines += [line(99, "easy", 3.2), line(98, "hard", 6.0)]
    assert {found.identifier for found, _ in label_scores.disputed(lines)} == {"easy99", "hard98"}
    # A writer of whom most labels are wrong has no hard hand.
    lines += [line(n, "wrong", 6.0) for n in range(10)]
    assert len(label_scores.disputed(lines)) == 12


def test_thumbnails_tell_the_same_writing_from_another_and_bands_count_lines(drawn):
    from text_recognizer.images import normalize_line

    a, b = (normalize_line(image) for image, _ in drawn[:2])
    smaller = normalize_line(np.array(Image.fromarray(drawn[0][0]).reduce(2)))
    assert measure.thumbnail(a) @ measure.thumbnail(smaller) > 0.97
    assert measure.thumbnail(a) @ measure.thumbnail(b) < 0.9
    assert measure.bands(a / 255) == 1
    assert measure.bands(np.vstack([a, a]) / 255) == 2
    assert measure.bands(np.zeros((20, 20))) == 0


def test_differences_are_marked_in_both_texts():
    assert [(p.text, p.other) for p in pieces("a cat", "a hat")] == [("a ", False), ("c", True), ("at", False)]
    assert [(p.text, p.other) for p in pieces("abc", "xyz")] == [("abc", True)]
    assert "".join(p.text for p in pieces("abc", "xyz")) == "abc"


def test_registered_datasets_of_every_kind_are_checked(tiny_data, tmp_path):
    code, output, _ = check("iam", "--model", "none", "--json", tmp_path / "r.json")
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert code == 0, output
    assert [(size["split"], size["lines"]) for size in report["splits"]] == [("train", 7), ("val", 3)]
    assert report["model"] == ""
    code, output, _ = check("copiste-pages", "--output", tmp_path / "pages.html")
    assert code == 0, output
    assert (tmp_path / "pages.html").stat().st_size > 5000
    code, _, problem = check("iam", "copiste-pages")
    assert (code, "cannot be inspected together" in problem) == (2, True)
    code, _, problem = check("iam", "--model", "gone")
    assert (code, "gone" in problem) == (2, True)


def test_page_files_are_checked_one_by_one(tmp_path, drawn):
    folder = tmp_path / "letters"
    folder.mkdir()
    image, text = drawn[0]
    Image.fromarray(image).save(folder / "a.png")
    height, width = image.shape
    page = (
        '<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">'
        f'<Page imageFilename="a.png" imageWidth="{width}" imageHeight="{height}"><TextRegion id="r">'
        f'<TextLine id="l"><Coords points="0,0 {width},0 {width},{height} 0,{height}"/>'
        f"<TextEquiv><Unicode>{html.escape(normalize_text(text))}</Unicode></TextEquiv></TextLine>"
        '<TextLine id="m"><Coords points="0,0 9,0 9,9"/></TextLine></TextRegion></Page></PcGts>'
    )
    (folder / "a.xml").write_text(page, encoding="utf-8")
    (folder / "b.xml").write_text(page.replace("a.png", "gone.png"), encoding="utf-8")
    code, _, _ = check(folder, "--model", "none", "--json", tmp_path / "r.json")
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert code == 1
    assert concerns(report, "page-files") == {"b.xml"}
    assert concerns(report, "left-out")
    assert report["lines"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "unknown dataset 'nonsense'"),
        (["folder", "--path", "nowhere"], "there is no folder"),
        (["no/where"], "there is no folder no/where"),
        (["iam", "--output", "report.pdf"], "should end in .html"),
        (["font-characters"], "checks are for lines, paragraphs and pages"),
    ],
)
def test_what_goes_wrong_is_one_line(bare_data, arguments, message):
    code, _, problem = check(*arguments)
    assert code == 2
    assert message in problem
    assert len([line for line in problem.strip().splitlines() if "text-recognizer" in line]) == 1


def test_a_table_that_cannot_be_read_is_said_so(tmp_path):
    (tmp_path / "lines.tsv").write_bytes("line_id\ttext\nx\t\xe9".encode("latin-1"))
    code, _, problem = check(tmp_path)
    assert code == 2
    assert "UTF-8" in problem
    (tmp_path / "lines.tsv").write_text("a\tb\n", encoding="utf-8")
    assert "no column line_id, text" in check(tmp_path)[2]


def test_charts_of_few_lines_hold():
    line = InspectedLine("a", "abc", "train", "w", "", "", lambda: (np.zeros((1, 1), np.uint8), ""))
    assert [chart.caption for chart in charts([line])] == ["Characters, the most frequent first"]
    assert charts([]) == []
