"""Corrected lines as a training set: the crops that the recogniser saw, with the text that people gave them.

Layout: `lines.tsv` (`lines_tsv.py`) with columns line_id, split, writer, kind, text, sha256, reading, source, and the
gray crops in `lines/<line_id>.png`. `LineSource(name="folder")` reads it.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer.alphabet import normalize_text
from text_recognizer.atomic_files import whole_folder
from text_recognizer.images import ImageError, LineStrip, open_image, to_gray
from text_recognizer.lines_tsv import TABLE, table_bytes
from text_recognizer.page import Line, Page
from text_recognizer.service.feedback.records import Correction, DamagedImage, StoredReading, UnknownReading
from text_recognizer.service.feedback.store import FeedbackStore

SPLITS = ("train", "val", "test")
COLUMNS = ("line_id", "split", "writer", "kind", "text", "sha256", "reading", "source")


@dataclass(frozen=True)
class ExportReport:
    """What was exported. writers: how many. skipped: why corrected lines were left out -> how many."""

    folder: Path
    lines: int
    writers: int
    skipped: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class CorrectedLine:
    """A line of a reading with consent that somebody corrected or confirmed.

    identifier: of the line in exports. writer: whoever the handwriting may be of: splits by it keep a hand on one side.
    page: counted from 0. corrected: when it was, last. untaught: why it teaches nothing, "" where it does.
    """

    identifier: str
    reading: str
    page: int
    writer: str
    corrected: datetime
    untaught: str


def corrected_lines(store: FeedbackStore) -> list[CorrectedLine]:
    """The corrected lines of readings with consent, the oldest reading first; no image is looked at."""
    return [
        CorrectedLine(_identifier(reading, made), reading.id, made.page, _writer(reading, made), made.created, why)
        for reading in _consented(store)
        for made in _last(reading)
        for why in [_untaught(made) or ""]
    ]


@dataclass(frozen=True)
class _Sample:
    """A corrected line: its reading, its last correction and its crop as an encoded image."""

    reading: StoredReading
    correction: Correction
    png: bytes

    @property
    def identifier(self) -> str:
        return _identifier(self.reading, self.correction)

    @property
    def writer(self) -> str:
        return _writer(self.reading, self.correction)

    def row(self, split: str) -> list[str]:
        digest = hashlib.sha256(self.png).hexdigest()
        return [
            *(self.identifier, split, self.writer, "gray", self.correction.after),
            *(digest, self.reading.id, "feedback"),
        ]


def export_lines(
    store: FeedbackStore, folder: Path, split: str | Mapping[str, str] = "train", replace: bool = False
) -> ExportReport:
    """Write the corrected and confirmed lines of readings with consent as a training set.

    split: of all lines, or of each by its identifier (`corrected_lines`); lines without one are left out.
    A line of which only a word was corrected last is left out: nobody has said that the rest of it is right.

    The folder appears whole or not at all. The same corrections give the same bytes. replace: an export that is there
    gives way to the new one. Raises FileExistsError where the folder is there and is not to be replaced, or is no
    export; ValueError for an unknown split, or where there is no line to export; FeedbackUnavailable.
    """
    for given in {split} if isinstance(split, str) else set(split.values()):
        if given not in SPLITS:
            raise ValueError(f"{given!r} is no split; there are: {', '.join(SPLITS)}")
    folder = folder.resolve()
    _check_folder(folder, replace)
    skipped: Counter[str] = Counter()
    with whole_folder(folder, replace) as partial:
        writers = _write(partial, _samples(store, skipped), split)
        if not writers:
            left_out = "".join(f"; left out: {count} x {why}" for why, count in skipped.items())
            raise ValueError(f"there are no corrected lines of readings with consent to export{left_out}")
    return ExportReport(folder, writers.total(), len(writers), dict(skipped))


def _check_folder(folder: Path, replace: bool) -> None:
    """An export replaces an export, and nothing else."""
    if not folder.exists():
        return
    if not replace:
        raise FileExistsError(f"{folder} is there already: name another folder, or replace it")
    if folder.is_file() or (any(folder.iterdir()) and not (folder / TABLE).is_file()):
        raise FileExistsError(f"{folder} holds something that is no export of lines: name another folder")


def _write(folder: Path, samples: Iterator[_Sample], split: str | Mapping[str, str]) -> Counter[str]:
    """Write the lines; returns how many each writer has."""
    writers: Counter[str] = Counter()
    (folder / "lines").mkdir()
    rows = []
    for sample in samples:
        chosen = split if isinstance(split, str) else split.get(sample.identifier)
        if chosen is None:
            continue
        (folder / "lines" / f"{sample.identifier}.png").write_bytes(sample.png)
        rows.append(sample.row(chosen))
        writers[sample.writer] += 1
    (folder / TABLE).write_bytes(table_bytes(COLUMNS, rows))
    return writers


def _samples(store: FeedbackStore, skipped: Counter[str]) -> Iterator[_Sample]:
    for reading in _consented(store):
        yield from _reading_samples(store, reading, skipped)


def _consented(store: FeedbackStore) -> Iterator[StoredReading]:
    for identifier in store.consented():
        try:
            reading = store.reading(identifier)
        except UnknownReading:  # deleted since
            continue
        if reading.consent:  # it may have been withdrawn since
            yield reading


def _last(reading: StoredReading) -> list[Correction]:
    """The last correction of each line, in the order of pages and lines."""
    last = {(made.page, made.line): made for made in reading.corrections}
    return [last[key] for key in sorted(last)]


def _identifier(reading: StoredReading, made: Correction) -> str:
    return f"{reading.id}-{made.page:02d}-{made.line:03d}"


def _writer(reading: StoredReading, made: Correction) -> str:
    return normalize_text(reading.owner or made.who or "") or reading.id


def _reading_samples(store: FeedbackStore, reading: StoredReading, skipped: Counter[str]) -> Iterator[_Sample]:
    last = _last(reading)
    for number, stored in enumerate(reading.pages):
        chosen = [made for made in last if made.page == number]
        written = [made for made in chosen if _untaught(made) is None]
        skipped.update(reason for made in chosen if (reason := _untaught(made)))
        if not written:
            continue
        image = _page_image(store, reading.id, number, stored.page)
        if isinstance(image, str):
            skipped.update([image] * len(written))
            continue
        for made in written:
            crop = _crop(image, stored.page.lines[made.line], reading.kind)
            if crop is None:
                skipped["the line has no baseline"] += 1
            else:
                yield _Sample(reading, made, _png(crop))


def _untaught(made: Correction) -> str | None:
    """Why a correction teaches nothing; None where it does."""
    if not made.after:
        return "nothing is written there"
    return "only a word was corrected, the line was not confirmed" if made.word is not None else None


def _page_image(store: FeedbackStore, reading_id: str, number: int, page: Page) -> NDArray[np.uint8] | str:
    """The page as the recogniser saw it, gray (H, W), or why there is none."""
    try:
        data = store.image(reading_id, number)
        if data is None:
            return "no image is stored"
        image = to_gray(open_image(data))
    except (DamagedImage, ImageError):
        return "the image is damaged"
    if image.shape != (page.height, page.width):
        return "the image has another size than the page that was read"  # so the outlines lie elsewhere
    return image


def _crop(image: NDArray[np.uint8], line: Line, kind: str) -> NDArray[np.uint8] | None:
    """The line as the recogniser saw it: cut out of its page, or the whole image of a cropped line."""
    if line.baseline:
        return LineStrip(np.array(line.baseline), np.array(line.polygon)).cut(image)
    return image if kind == "line" else None


def _png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
