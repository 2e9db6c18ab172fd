"""The IAM On-Line Handwriting Database: English lines as pen strokes, drawn as handwriting on paper.

Liwicki and Bunke, "IAM-OnDB - an on-line English sentence database acquired from handwritten text on a whiteboard"
(ICDAR 2005). Terms: research, non-commercial. Layout: `iam_ondb/lines.tsv` with columns line_id, split, writer, width,
height, text, and `iam_ondb/strokes.npz`; line i of the table has the rows `offsets[i]:offsets[i + 1]` of `dxy` (int16,
the movement from the point before; absolute for the first one of a line) and `end` (1 at the last point of a stroke).

`train` is drawn with any pen on any paper, another way for each seed. `val` is drawn once, as a good scan of the usual
pens, and is the same everywhere: scores on it can be compared.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.images import LINE_HEIGHT, normalize_line
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.exclusions import Exclusions
from text_recognizer.learning.datasets.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.datasets.pages import LEAST_COLUMNS
from text_recognizer.learning.datasets.registry import Description, register
from text_recognizer.learning.synthesis.lines import with_neighbours
from text_recognizer.learning.synthesis.page_margins import margin_strips
from text_recognizer.learning.synthesis.pen_strokes import (
    Hand,
    Pen,
    Points,
    draw_strokes,
    moved,
    some_hand,
    some_pen,
    straightened,
)
from text_recognizer.learning.synthesis.scanned import CLEAN, Look, scanned, textured
from text_recognizer.lines_tsv import read_table
from text_recognizer.paths import cache_dir, data_dir, require

#: Changes with the pictures; prepared ones are drawn again.
ONDB_VERSION = 1

_SMALL = frozenset("acemnorsuvwxz.,- ")  # neither ascenders nor descenders
_HANGING = frozenset("gjpqy,;Q()[]/")
_NEIGHBOURS = 0.12  # share of the lines with pieces of other ones at their edges
_MARGIN = 0.12  # of paper around the ink, in heights of the writing
_ROOM = 1.0  # columns of a line that is drawn anew at most, as shares of its strokes' at the height of lines

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class PenLine:
    """A line: its label, its points (N, 2) as they were written, y downwards, and whether each ends a stroke (N,)."""

    label: LineLabel
    points: Points
    ends: NDArray[np.bool_]


def pen_lines(split: str, exclusions: Exclusions) -> list[PenLine]:
    """The lines of a split; those with crossed-out words (`#`) or outside the alphabet are added to `exclusions`.

    Raises FileNotFoundError where the database is missing, and ValueError where table and strokes do not belong
    together.
    """
    folder = data_dir() / "iam_ondb"
    table = require(folder / "lines.tsv", "the IAM-OnDB lines")
    rows = [row for _, row in read_table(table).records()]
    with np.load(require(folder / "strokes.npz", "the IAM-OnDB strokes")) as stored:
        moves, ends, offsets = stored["dxy"], stored["end"].astype(bool), stored["offsets"]
    if len(offsets) != len(rows) + 1 or offsets[-1] != len(moves):
        raise ValueError(f"{table} has {len(rows)} lines, strokes.npz {len(offsets) - 1}: they do not belong together")
    alphabet, found = Alphabet(), []
    for number, row in enumerate(rows):
        if row["split"] != split:
            continue
        text = spaced(row["text"])
        if "#" in text:
            exclusions.add("crossed-out words", row["line_id"])
        elif not exclusions.unknown(text, alphabet, row["line_id"]):
            part = slice(offsets[number], offsets[number + 1])
            points = np.cumsum(moves[part].astype(np.int64), axis=0).astype(np.float64)
            label = LineLabel(row["line_id"], text, f"iam-ondb-{_writer(row)}", "iam-ondb")
            found.append(PenLine(label, points, ends[part]))
    return found


def spaced(text: str) -> str:
    """Text without the spaces that its tokens left before 's and before punctuation."""
    return re.sub(r"(?<=\w) (?=['’](?:s|re|ve|ll|d|m|t)\b|[,.;:?!])", "", normalize_text(text))


def _writer(row: dict[str, str]) -> str:
    """The writer of a line, or its form where nobody knows."""
    return row["writer"] if row["writer"] != "unknown" else row["line_id"].rpartition("-")[0]


def share_of_height(text: str) -> float:
    """How much of the height from ascenders to descenders a text takes up."""
    letters = set(text) - {" "}
    above, below = bool(letters - _SMALL - set("gpqy;")), bool(letters & _HANGING)
    return {(True, True): 1.0, (True, False): 0.75, (False, True): 0.75}.get((above, below), 0.5)


def draw(line: PenLine, rng: random.Random, noise: np.random.Generator, strips: Image | None = None) -> Image:
    """A normalised line uint8 (64, W), drawn with any pen on any paper; strips: of real paper."""
    size = rng.uniform(34, 60) if rng.random() < 0.2 else rng.uniform(60, 96)
    return _drawn(line, rng, noise, some_hand(rng, size), some_pen(rng), Look(), strips)


def draw_clean(line: PenLine, rng: random.Random, noise: np.random.Generator) -> Image:
    """The same as a good scan: the hand as it is, a usual pen, white paper."""
    pen = replace(some_pen(rng), darkness=rng.uniform(0.7, 0.95), grain=0.1)
    pen = replace(pen, width=min(max(pen.width, 0.03), 0.052))
    return _drawn(line, rng, noise, Hand(size=rng.uniform(80, 96)), pen, CLEAN, None)


def _drawn(
    line: PenLine,
    rng: random.Random,
    noise: np.random.Generator,
    hand: Hand,
    pen: Pen,
    look: Look,
    strips: Image | None,
) -> Image:
    # The pen is as wide as it is whatever the letters: "on" is written smaller than "fly", with the same pen.
    whole, share = hand.size, share_of_height(line.label.text)
    points = moved(straightened(line.points), replace(hand, size=whole * share), rng)
    ink = textured(draw_strokes(points, line.ends, pen, whole), pen.grain, rng, noise)
    margin = round(_MARGIN * whole)
    ink = cv2.copyMakeBorder(ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    if look is not CLEAN and rng.random() < _NEIGHBOURS:
        ink = with_neighbours(ink, ink[:, ::-1], rng)
    return normalize_line(scanned(ink, rng, noise, look, strips))


class DrawnAnew(LineDataset):
    """Lines that are drawn another way each time that they are asked for: the seed comes from NumPy's global generator,
    as that of augmentation.

    widths: the widest that each line becomes; what is drawn wider is narrowed.
    """

    def __init__(self, lines: Sequence[PenLine], strips: Image) -> None:
        self.lines, self.strips = list(lines), strips
        self.labels = [line.label for line in self.lines]
        self.widths = np.array([widest(line) for line in self.lines], np.int64)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        seed, line, limit = int(np.random.randint(2**31)), self.lines[index], int(self.widths[index])
        image = draw(line, random.Random(seed), np.random.default_rng(seed), self.strips)
        if image.shape[1] > limit:
            image = np.asarray(cv2.resize(image, (limit, LINE_HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
        return image, line.label

    def only(self, indices: Sequence[int]) -> DrawnAnew:
        """The lines of some indices."""
        return DrawnAnew([self.lines[index] for index in indices], self.strips)


def widest(line: PenLine) -> int:
    """Columns that a line needs at most when it is drawn anew."""
    width, height = np.ptp(straightened(line.points), axis=0)
    return max(LINE_HEIGHT // 2, round(_ROOM * LINE_HEIGHT * width / max(1.0, height)))


@register(
    Description(
        "iam-ondb",
        "lines",
        "IAM-OnDB: English, 180 writers, pen strokes drawn on paper",
        licence="research, non-commercial",
        source="its owners, after registration "
        "(https://fki.tic.heia-fr.ch/databases/iam-on-line-handwriting-database), "
        "converted to lines.tsv and strokes.npz (docs/data.md), into iam_ondb/",
        splits=("train", "val"),
        options=("seed", "renderings"),
        files=(("iam_ondb/lines.tsv",), ("iam_ondb/strokes.npz",)),
    )
)
def iam_ondb_lines(split: str, seed: int = 1, renderings: int = 1) -> LineDataset:
    """The lines of a split, normalised.

    renderings: how often each train line is drawn, each time with another pen and paper, and stored; 0: it is drawn
    anew each time that it is asked for, and nothing is stored. seed: of the train lines. Raises FileNotFoundError
    where the database is missing.
    """
    if renderings < 0:
        raise ValueError(f"renderings of iam-ondb are 0 (drawn anew each time) or more, not {renderings}")
    exclusions = Exclusions(f"iam-ondb-{split}")
    lines = pen_lines(split, exclusions)
    table, strokes = (data_dir() / "iam_ondb" / name for name in ("lines.tsv", "strokes.npz"))
    made_of = ONDB_VERSION, table, strokes
    if split == "val":
        samples = _samples(lines, exclusions, "val", 1, None)
        return cached_lines(cache_dir(), f"iam-ondb-val-{fingerprint(*made_of)}", samples, len(lines), exclusions)
    strips = margin_strips()
    if renderings == 0:
        exclusions.say()
        return DrawnAnew(lines, strips)
    samples = _samples(lines, exclusions, str(seed), renderings, strips)
    key = f"iam-ondb-{split}-{seed}-{renderings}-{fingerprint(*made_of, strips.tobytes())}"
    return cached_lines(cache_dir(), key, samples, renderings * len(lines), exclusions)


def _samples(
    lines: Sequence[PenLine], exclusions: Exclusions, seed: str, renderings: int, strips: Image | None
) -> Iterator[tuple[Image, LineLabel]]:
    """Each line drawn `renderings` times; strips: None for good scans alone."""
    for rendering in range(renderings):
        for line in lines:
            name = f"{seed}-{rendering}-{line.label.identifier}"
            rng = random.Random(name)
            noise = np.random.default_rng(rng.getrandbits(63))
            image = draw_clean(line, rng, noise) if strips is None else draw(line, rng, noise, strips)
            if not image.any() or image.shape[1] < LEAST_COLUMNS * len(line.label.text):
                exclusions.add("more text than there is room for", line.label.identifier)
                continue
            identifier = f"{line.label.identifier}-{rendering}" if renderings > 1 else line.label.identifier
            yield image, replace(line.label, identifier=identifier)
