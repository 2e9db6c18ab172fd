"""No skew between training and serving: a file is the same input to the network in both."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLES
from text_recognizer.alphabet import Alphabet
from text_recognizer.images import open_image
from text_recognizer.learning.datasets.sources import LineSource
from text_recognizer.learning.tasks.lines import LineData, LineDataModule
from text_recognizer.recognition.text.line_geometry import LineGeometry
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer


class Watched(LineTextRecognizer):
    """The shipped recogniser; `seen`: all that its network was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[np.ndarray] = []
        run = self.session.run
        self.session.run = lambda batch: (self.seen.append(batch), run(batch))[1]


def colour(crop: Image.Image) -> Image.Image:
    return crop


def sixteen_bits(crop: Image.Image) -> Image.Image:
    return Image.fromarray(np.array(crop.convert("L")).astype(np.uint16) * 257)


def transparent(crop: Image.Image) -> Image.Image:
    """Black ink on nothing, as drawing programs save it."""
    ink = Image.new("RGBA", crop.size, (0, 0, 0, 0))
    ink.putalpha(Image.fromarray(255 - np.array(crop.convert("L"))))
    return ink


def palette(crop: Image.Image) -> Image.Image:
    return crop.convert("P")


def png(image: Image.Image, turned: bool = False) -> bytes:
    buffer, exif = io.BytesIO(), Image.Exif()
    if turned:
        exif[0x0112] = 6
        image = image.rotate(90, expand=True)
    image.save(buffer, "PNG", exif=exif)
    return buffer.getvalue()


def folder_of(path: Path, data: bytes) -> Path:
    """A folder of one line to learn from and to be measured on."""
    (path / "lines").mkdir(parents=True)
    with (path / "lines.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t")
        table.writerow(["line_id", "split", "writer", "text", "sha256", "source"])
        for split in ("train", "val"):
            (path / "lines" / f"{split}.png").write_bytes(data)
            table.writerow([split, split, "Ada", "ink", hashlib.sha256(data).hexdigest(), "test"])
    return path


@pytest.fixture(scope="module")
def reader() -> Watched:
    return Watched()


@pytest.mark.parametrize("saved", [colour, sixteen_bits, transparent, palette, "turned"])
def test_the_network_is_given_the_same_in_training_and_in_reading(saved, reader, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_CACHE", str(tmp_path / "cache"))
    crop = Image.open(SAMPLES / "notes-photograph.jpg").convert("RGB").crop((100, 100, 900, 220))
    data = png(crop, turned=True) if saved == "turned" else png(saved(crop))
    reader.seen.clear()
    reader.read([open_image(data)])
    (served,) = reader.seen

    folder = str(folder_of(tmp_path / "lines", data))
    sources = [LineSource("folder", path=folder, split=split) for split in ("train", "val")]
    lines = LineData(train=sources[:1], val=sources[1:], workers=0)
    # Only reading stretches; what is trained on is stretched by the augmentation, up and down.
    module = LineDataModule(lines, Alphabet(), LineGeometry(stretch=1.0))
    (batch,) = list(module.val_dataloader()[0])
    image = module.val[0].parts[0][0][0]
    assert np.array_equal(reader.geometry.batch([image]), served)
    width = image.shape[1] + 2 * module.collate.geometry.margin
    plain = LineGeometry(stretch=1.0).batch([image])
    assert np.array_equal(batch.images.numpy()[0, 0, :, :width], plain[0, 0, :, :width])
    assert batch.images.numpy()[0, 0, :, width:].max(initial=0) == 0  # paper on both sides
