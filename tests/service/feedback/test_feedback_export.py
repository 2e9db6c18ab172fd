"""Corrected lines of real pages become a training set, and a training set is what training reads."""

import csv
import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.conftest import SAMPLES
from text_recognizer.cli.main import app
from text_recognizer.images import cut_line, normalize_line, open_image, to_gray
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.page import Page
from text_recognizer.service.feedback import NewCorrection, StoredPage, StoredReading
from text_recognizer.service.feedback.export import export_lines

LETTER = [text for text in (SAMPLES / "letter.txt").read_text(encoding="utf-8").splitlines() if text]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_CACHE", str(tmp_path / "cache"))


def fill(store, sample_pages) -> None:
    """Three readings: one with consent and corrections, one without consent, one with consent and no image."""
    letter, notes = (StoredPage(*sample_pages[name]) for name in ("letter", "notes-photograph"))
    store.save_reading(StoredReading("letter", (letter, notes), consent=True, owner="key"))
    store.save_reading(StoredReading("secret", (letter,), consent=False))
    store.save_reading(StoredReading("blind", (replace(letter, image=None),), consent=True))
    store.add_corrections("letter", [NewCorrection(0, 0, "wrong at first"), NewCorrection(0, 0, "Ça va, “œuf”")], "ann")
    confirmed = store.reading("letter").pages[1].page.lines[2].text
    store.add_corrections("letter", [NewCorrection(1, 2, confirmed), NewCorrection(1, 3, "")], None)
    for other in ("secret", "blind"):
        store.add_corrections(other, [NewCorrection(0, 0, "not to be seen")], "ann")


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "lines.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_corrected_lines_with_consent_are_exported_as_the_recogniser_saw_them(
    store, sample_pages, recognizer, tmp_path
):
    fill(store, sample_pages)
    report = export_lines(store, tmp_path / "set", split="val")
    assert (report.folder, report.lines, report.writers) == (tmp_path / "set", 2, 1)
    assert report.skipped == {"nothing is written there": 1, "no image is stored": 1}
    first, second = table(tmp_path / "set")
    assert list(first) == ["line_id", "split", "writer", "kind", "text", "sha256", "reading", "source"]
    assert first["text"] == "Ça va, “œuf”"
    assert [row["line_id"] for row in (first, second)] == ["letter-00-000", "letter-01-002"]
    assert (first["split"], first["writer"], first["kind"], first["reading"]) == ("val", "key", "gray", "letter")
    for row, (page, data), number in [
        (first, sample_pages["letter"], 0),
        (second, sample_pages["notes-photograph"], 2),
    ]:
        png = (tmp_path / "set" / "lines" / f"{row['line_id']}.png").read_bytes()
        assert hashlib.sha256(png).hexdigest() == row["sha256"]
        crop = np.array(Image.open(io.BytesIO(png)))
        line = page.lines[number]
        seen = cut_line(to_gray(open_image(data)), np.array(line.baseline), np.array(line.polygon))
        assert crop.shape == seen.shape
        # The stored outlines are rounded to hundredths of a pixel.
        assert np.abs(crop.astype(int) - seen).mean() < 0.5
        assert recognizer.read_lines([crop])[0].text == line.text


def test_the_same_corrections_give_the_same_bytes_and_replace_only_when_asked(sqlite_store, sample_pages, tmp_path):
    fill(sqlite_store, sample_pages)
    export_lines(sqlite_store, tmp_path / "one")
    export_lines(sqlite_store, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    sqlite_store.add_corrections("letter", [NewCorrection(0, 5, "one more")], "bob")
    with pytest.raises(FileExistsError, match="one is there already"):
        export_lines(sqlite_store, tmp_path / "one")
    assert len(table(tmp_path / "one")) == 2
    assert export_lines(sqlite_store, tmp_path / "one", replace=True).lines == 3
    assert [row["text"] for row in table(tmp_path / "one")][1] == "one more"


def test_only_an_export_is_replaced(sqlite_store, sample_pages, tmp_path):
    fill(sqlite_store, sample_pages)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mine.txt").touch()
    with pytest.raises(FileExistsError, match="no export"):
        export_lines(sqlite_store, tmp_path / "letters", replace=True)
    with pytest.raises(ValueError, match="no split"):
        export_lines(sqlite_store, tmp_path / "new", split="training")


def test_an_export_that_fails_leaves_nothing(sqlite_store, sample_pages, tmp_path):
    fill(sqlite_store, sample_pages)
    sqlite_store.set_consent("letter", False)
    with pytest.raises(ValueError, match=r"no corrected lines .*; left out: 1 x no image is stored"):
        export_lines(sqlite_store, tmp_path / "out" / "set")
    assert list((tmp_path / "out").iterdir()) == []


def test_images_that_do_not_fit_their_page_are_left_out(sqlite_store, sample_pages, images, tmp_path):
    (page, data), (_, other) = sample_pages["letter"], sample_pages["notes-photograph"]
    fill(sqlite_store, sample_pages)
    sqlite_store.save_reading(StoredReading("swapped", (StoredPage(page, other),), consent=True))
    sqlite_store.add_corrections("swapped", [NewCorrection(0, 0, "elsewhere")], None)
    digest = hashlib.sha256(data).hexdigest()
    (images / digest[:2] / f"{digest}.jpg").write_bytes(data[:-1])
    report = export_lines(sqlite_store, tmp_path / "set")
    assert report.lines == 1
    assert report.skipped["the image is damaged"] == 1
    assert report.skipped["the image has another size than the page that was read"] == 1


def test_a_reading_of_a_cropped_line_is_exported_whole(sqlite_store, sample_pages, recognizer, tmp_path):
    page, data = sample_pages["letter"]
    crop = cut_line(to_gray(open_image(data)), np.array(page.lines[1].baseline), np.array(page.lines[1].polygon))
    buffer = io.BytesIO()
    Image.fromarray(crop).save(buffer, "PNG")
    read = Page(tuple(recognizer.read_lines([crop])), crop.shape[1], crop.shape[0])
    for kind in ("line", "page"):
        reading = StoredReading(kind, (StoredPage(read, buffer.getvalue()),), kind=kind, consent=True)
        sqlite_store.save_reading(reading)
        sqlite_store.add_corrections(kind, [NewCorrection(0, 0, LETTER[1])], "ann\tb")
    report = export_lines(sqlite_store, tmp_path / "set")
    assert report.skipped == {"the line has no baseline": 1}
    (row,) = table(tmp_path / "set")
    assert (row["reading"], row["writer"], row["text"]) == ("line", "ann b", LETTER[1])
    assert np.array_equal(np.array(Image.open(tmp_path / "set" / "lines" / "line-00-000.png")), crop)


def test_an_export_trains(sqlite_store, sample_pages, tmp_path):
    import torch

    from text_recognizer.alphabet import Alphabet
    from text_recognizer.learning import networks
    from text_recognizer.learning.loading.line_batches import Collate, MixedLines, WidthBatches
    from text_recognizer.recognition.text.line_geometry import LineGeometry

    fill(sqlite_store, sample_pages)
    sqlite_store.add_corrections("letter", [NewCorrection(0, 1, "outside: \u0142 \u4e2d")], None)
    export_lines(sqlite_store, tmp_path / "set")
    dataset = line_dataset(LineSource(name="folder", path=str(tmp_path / "set"), split="train"))
    assert len(dataset) == 2  # what the alphabet lacks is left out
    image, label = dataset[0]
    png = np.array(Image.open(tmp_path / "set" / "lines" / "letter-00-000.png"))
    assert np.array_equal(image, normalize_line(png))
    assert (label.text, label.writer, label.source) == ("Ça va, “œuf”", "feedback-key", "feedback")

    alphabet = Alphabet()
    fields = {"stem": 4, "channels": [4, 6, 8], "blocks": [1, 1, 1], "hidden": 8, "layers": 1}
    network = networks.build("crnn", classes=len(alphabet), **fields)
    lines, geometry = MixedLines([dataset]), LineGeometry(columns_per_frame=networks.columns_per_frame(network))
    for indices in WidthBatches(lines, 3000, geometry.margin, [len(lines)]):
        batch = Collate(alphabet, geometry)([lines[index] for index in indices])
        assert set(batch.labels) <= set(dataset.labels)
        assert int(batch.lengths.sum()) == len(batch.targets)
        assert (batch.frames >= batch.lengths).all()  # CTC can learn it
        assert torch.isfinite(batch.images).all()


def test_a_folder_that_cannot_be_trained_on_is_explained(sqlite_store, sample_pages, tmp_path):
    def dataset(**fields):
        return line_dataset(LineSource("folder", **fields))

    for path in ("", str(tmp_path / "nowhere")):
        with pytest.raises(FileNotFoundError, match=r"lines\.tsv"):
            dataset(path=path)
    fill(sqlite_store, sample_pages)
    folder = tmp_path / "set"
    export_lines(sqlite_store, folder)
    with pytest.raises(ValueError, match="no lines of split 'val'; splits in it: train"):
        dataset(path=str(folder), split="val")
    png = folder / "lines" / "letter-00-000.png"
    data = png.read_bytes()
    png.write_bytes(data + b"\0")
    with pytest.raises(ValueError, match="SHA-256 differs"):
        dataset(path=str(folder))
    png.unlink()
    with pytest.raises(FileNotFoundError, match=r"letter-00-000\.png is missing"):
        dataset(path=str(folder))
    png.write_bytes(data)
    assert len(dataset(path=str(folder))) == 2
    text = (folder / "lines.tsv").read_text(encoding="utf-8")
    (folder / "lines.tsv").write_text(text.replace("sha256", "hash"), encoding="utf-8")
    with pytest.raises(ValueError, match="no column sha256"):
        dataset(path=str(folder))


def command(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["feedback", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_line(sqlite_store, sqlite_url, images, sample_pages, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_FEEDBACK_DATABASE", sqlite_url)
    monkeypatch.setenv("TEXT_RECOGNIZER_FEEDBACK_IMAGES", str(images))
    fill(sqlite_store, sample_pages)
    code, out, errors = command("export", tmp_path / "set")
    assert (code, out) == (0, f"wrote 2 lines of 1 writers to {tmp_path / 'set'}\n")
    assert "left out 1: no image is stored" in errors
    code, _, errors = command("export", tmp_path / "set")
    assert (code, errors.count("\n")) == (2, 1)
    assert "is there already" in errors
    assert command("export", tmp_path / "set", "--replace", "--split", "val")[0] == 0
    assert {row["split"] for row in table(tmp_path / "set")} == {"val"}
    code, out, _ = command("statistics")
    assert [row.split() for row in out.splitlines()][:2] == [["readings", "3"], ["consented", "2"]]
    assert command("purge", "--days", 0) == (0, "deleted 1 readings\n", "")
    assert command("delete", "blind") == (0, "deleted blind\n", "")
    code, _, errors = command("delete", "blind")
    assert (code, errors) == (2, "text-recognizer: no reading is stored as 'blind'\n")
    assert command("forget", "key") == (0, "deleted 1 readings and corrections of key\n", "")
    assert sqlite_store.statistics().readings == 0
    code, _, errors = command("statistics", "--database", "mysql://host/x")
    assert (code, "mysql" in errors) == (2, True)
    code, _, errors = command("statistics", "--database", f"sqlite:///{SAMPLES / 'letter.txt'}")
    assert code == 2
    assert "is not a database" in errors
