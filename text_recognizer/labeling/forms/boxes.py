"""The boxes of a straightened sheet: found by their rules, cut out without them, and told filled from empty.

Paper is never flat, so what the markers say is off by a millimetre or two in the middle of a sheet. The rules of
each box are traced, and the cut follows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.normalize import Gray, ink_density
from text_recognizer.labeling.forms.form import OVERFLOW, Box
from text_recognizer.labeling.forms.sheets import SCALE, StraightSheet

_REACH = 5.0  # millimetres by which a rule may be off
_PIECES = 32  # in which a long rule is traced; a short one in four
_STEP = 5  # pixels by which it may go up or down from piece to piece
_RULE_INK = 0.4  # no ink counts as more where rules are looked for, for they are paler than writing
_SIDES_DIFFER = 15  # pixels by which the left and the right rule may be off differently
_TICK_INK = 0.25  # density of a tick
_VISIBLE = 0.07  # ink of a rule that is there, beyond what stands beside it; it is blurred more than writing is
_BAND = 0.45  # millimetres on each side of a rule's middle that are painted over
_WIDEST = 40  # pixels along a rule that a stroke may cover
_PAPER_KERNEL = 41  # pixels, four millimetres: the window that must contain some paper
_PAPER = 235  # gray of the paper of cut lines
_STROKE = 0.3  # density from which a pixel belongs to a stroke
_INK = 0.15  # of the print's density, from which a pixel counts as written: pencil is pale
_SPECK = 0.2  # square millimetres; what is smaller is dust
_LEAST_INK = 4.0  # square millimetres in a box that is filled; twenty-five letters have about forty
_INSET = 0.9  # millimetres along the rules where ink does not count
_AIR = 2.0  # millimetres of paper kept on both sides of a cut line

Offsets = NDArray[np.float64]


class State(StrEnum):
    """What became of a box."""

    FILLED = "filled"
    EMPTY = "empty"
    HIDDEN = "hidden"  # its rules are not to be seen: a thumb, a fold, another sheet lies there
    OUTSIDE = "outside"  # of the picture


@dataclass(frozen=True)
class CutBox:
    """A box and what is written in it: gray uint8 (H, W) at ten pixels a millimetre where it is filled, else None.

    The image begins at the left rule, and above and below reaches as far beyond the box as `OVERFLOW` says.
    """

    state: State
    image: Gray | None = None


def cut_box(sheet: StraightSheet, box: Box) -> CutBox:
    """What is in a box."""
    if not sheet.in_picture(box):
        return CutBox(State.OUTSIDE)
    traced = _trace_box(sheet.ink, box)
    if traced is None:
        return CutBox(State.HIDDEN)
    places = _places(box, traced)
    ink = sheet.sample_ink(*places)
    if _written(_without_rules(_as_gray(ink), ink, box), box) < _LEAST_INK:
        return CutBox(State.EMPTY)
    return CutBox(State.FILLED, _without_rules(_evened(sheet.sample(*places)), ink, box))


def trimmed(image: Gray) -> Gray:
    """A cut line without most of the empty paper beside its writing."""
    density = ink_density(image)
    solid = cv2.morphologyEx((density > _STROKE).astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    columns = np.flatnonzero(solid.any(axis=0))
    if not len(columns):
        return image
    air = round(_AIR * SCALE)
    return np.ascontiguousarray(image[:, max(0, columns[0] - air) : columns[-1] + air + 1])


def tick_ink(sheet: StraightSheet, boxes: Sequence[Box]) -> list[float]:
    """The share of each of some small boxes beside each other that is inked, their outlines left out.

    The outlines are looked for nearby, all of them together, for a tick may hide much of one.
    """
    reach = round(_REACH * SCALE)
    places = [tuple(round(value * SCALE) for value in box) for box in boxes]
    windows = [sheet.ink[y - reach : y + h + reach, x - reach : x + w + reach] for x, y, w, h in places]
    width, height = places[0][2:]
    outline = np.zeros((height, width), np.float32)
    cv2.rectangle(outline, (1, 1), (width - 2, height - 2), 1.0, 3)
    outline -= outline.mean()  # otherwise the blackest place would be the best
    scores = sum(cv2.matchTemplate(np.minimum(window, _RULE_INK), outline, cv2.TM_CCORR) for window in windows)
    row, column = np.unravel_index(int(np.argmax(scores)), np.shape(scores))
    inset = round(_INSET * SCALE)
    inside = np.s_[row + inset : row + height - inset, column + inset : column + width - inset]
    return [float((window[inside] > _TICK_INK).mean()) for window in windows]


@dataclass(frozen=True)
class _Traced:
    """By how many millimetres each side of a box is off where it was expected, at even places along it."""

    top: Offsets
    bottom: Offsets
    left: Offsets
    right: Offsets


def _trace_box(ink: NDArray[np.float32], box: Box) -> _Traced | None:
    """Where the rules of a box really are; None where they are not to be seen."""
    x, y, width, height = box
    upper = _scores(ink, y, x, x + width, _PIECES)
    lower = _scores(ink, y + height, x, x + width, _PIECES)
    both = _path(upper + lower)  # the writing may touch one of them, hardly both in the same place
    top, bottom = (_path(scores, near=both) for scores in (upper, lower))
    seen = min(_mean_score(upper, top), _mean_score(lower, bottom))
    if seen < _VISIBLE:
        return None
    middle = float(np.median(both)) / SCALE
    sides = [_scores(ink.T, at, y + middle, y + middle + height, 4) for at in (x, x + width)]
    both = _path(sides[0] + sides[1])
    left, right = (_path(scores, near=both, within=_SIDES_DIFFER) for scores in sides)
    return _Traced(*(offsets / SCALE for offsets in (top, bottom, left, right)))


def _scores(ink: NDArray[np.float32], at: float, begin: float, end: float, pieces: int) -> NDArray[np.float64]:
    """How much like a horizontal rule every row near `at` (mm) looks, in each piece from `begin` to `end`.

    Returns (pieces, 2 * reach + 1): ink along the row beyond that beside it.
    """
    reach, beside = round(_REACH * SCALE), round(0.6 * SCALE)
    first = round(at * SCALE) - reach - beside
    columns = np.linspace(begin * SCALE + SCALE, end * SCALE - SCALE, pieces + 1).round().astype(int)
    rows = np.clip(np.arange(first, first + 2 * (reach + beside) + 1), 0, len(ink) - 1)
    profiles = np.stack([np.minimum(ink[rows, a:b], _RULE_INK).mean(axis=1) for a, b in pairwise(columns)])
    around = np.maximum(profiles[:, : -2 * beside], profiles[:, 2 * beside :])
    return np.asarray(profiles[:, beside:-beside] - around, np.float64)


def _path(scores: NDArray[np.float64], near: Offsets | None = None, within: int = 6) -> Offsets:
    """The row of each piece on the best path through the scores, in pixels from the middle (Viterbi).

    near: a path from which it departs by no more than `within` pixels.
    """
    count, rows = scores.shape
    offsets = np.arange(rows) - rows // 2
    if near is not None:
        scores = np.where(np.abs(offsets - near[:, None]) <= within, scores, -1.0)
    step = np.abs(offsets[:, None] - offsets)
    cost = np.where(step <= _STEP, 0.01 * step, np.inf)
    total, back = scores[0], np.zeros((count, rows), int)
    for piece in range(1, count):
        reached = total[None, :] - cost
        back[piece] = reached.argmax(axis=1)
        total = reached.max(axis=1) + scores[piece]
    path = [int(total.argmax())]
    for piece in range(count - 1, 0, -1):
        path.append(int(back[piece, path[-1]]))
    return np.asarray(offsets[path[::-1]], np.float64)


def _mean_score(scores: NDArray[np.float64], path: Offsets) -> float:
    at = (path + scores.shape[1] // 2).astype(int)
    return float(scores[np.arange(len(at)), at].mean())


def _places(box: Box, traced: _Traced) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where on the sheet, in millimetres, each pixel of the cut lies: x and y, each (H, W)."""
    x, y, width, height = box
    before, above, after, below = OVERFLOW
    across = np.arange(round(-before * SCALE), round((width + after) * SCALE)) / SCALE
    down = np.arange(round(-above * SCALE), round((height + below) * SCALE)) / SCALE
    top, bottom = (_along(offsets, across / width) for offsets in (traced.top, traced.bottom))
    left, right = (_along(offsets, down / height) for offsets in (traced.left, traced.right))
    share_down, share_across = (down / height)[:, None], (across / width)[None]
    off_y = top[None] * (1 - share_down) + bottom[None] * share_down
    off_x = left[:, None] * (1 - share_across) + right[:, None] * share_across
    return x + across[None] + off_x, y + down[:, None] + off_y


def _along(offsets: Offsets, at: Offsets) -> Offsets:
    """Offsets of even pieces at places from 0 to 1, smoothed, for paper has no steps."""
    padded = np.r_[offsets[0], offsets, offsets[-1]]
    smooth = np.convolve(padded, [0.25, 0.5, 0.25], mode="valid")
    return np.interp(at, (np.arange(len(smooth)) + 0.5) / len(smooth), smooth)


def _as_gray(ink: NDArray[np.float32]) -> Gray:
    return np.round(255 * (1 - ink)).astype(np.uint8)


def _evened(gray: Gray) -> Gray:
    """A cut with the same light everywhere: the edge of a shadow looks like a stroke to whoever looks at one line."""
    window = np.ones((_PAPER_KERNEL, _PAPER_KERNEL), np.uint8)
    smooth = cv2.GaussianBlur(gray, (3, 3), 0)
    paper = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, window, borderType=cv2.BORDER_REPLICATE)
    level = cv2.min(cv2.blur(paper, (_PAPER_KERNEL // 2, _PAPER_KERNEL // 2)), paper)
    evened: Gray = cv2.divide(gray, cv2.max(level, 1), scale=_PAPER).astype(np.uint8)
    return evened


def _without_rules(gray: Gray, ink: NDArray[np.float32], box: Box) -> Gray:
    """A cut (H, W) without the box's rules; strokes stay, as `ink` tells them."""
    before, above, _, _ = OVERFLOW
    _, _, width, height = box
    stroke = ink > _STROKE
    gray = gray.copy()
    right = round((before + width) * SCALE)
    near = round(2 * _BAND * SCALE)
    for row in (above, above + height):  # where rules meet, each would be taken for a stroke that crosses the other
        for column in (before, before + width):
            top, left = round(row * SCALE) - near, round(column * SCALE) - near
            stroke[max(0, top) : top + 2 * near, max(0, left) : left + 2 * near] = False
    for at in (above, above + height):
        _erase(gray, stroke, round(at * SCALE), slice(0, right + round(_BAND * SCALE)))
    sides = slice(0, round((above + height + _BAND) * SCALE))
    for at in (0, right):
        _erase(gray.T, stroke.T, at, sides)
    return gray


def _erase(gray: Gray, stroke: NDArray[np.bool_], row: int, columns: slice) -> None:
    """Paint over the rows around `row`, in place, as far as no stroke comes in there.

    Where a stroke comes in on one side and out on the other it stays; where it only comes in, as far as the middle.
    """
    band, look = round(_BAND * SCALE), 3
    first, last = max(0, row - band), min(len(gray), row + band + 1)
    over, under = max(0, first - 1), min(len(gray) - 1, last)
    beside = np.stack([gray[over, columns], gray[under, columns]])
    paper = np.asarray(beside.max(axis=0) if first > 0 else beside[1], np.uint8)
    kernel = np.ones((1, 11), np.uint8)  # a stroke slants
    sides = (stroke[max(0, first - look) : first, columns], stroke[last : last + look, columns])
    reached = [np.asarray(side.any(axis=0), np.uint8)[None] for side in sides]
    # What is wide is no stroke but the edge of a shadow.
    strokes = (line & ~cv2.morphologyEx(line, cv2.MORPH_OPEN, np.ones((1, _WIDEST), np.uint8)) for line in reached)
    above, below = (cv2.dilate(line, kernel)[0] > 0 for line in strokes)
    for rows, kept in ((slice(first, row), above), (slice(row, last), below)):
        part = gray[rows, columns]
        part[:, ~kept] = paper[~kept]


def _written(gray: Gray, box: Box) -> float:
    """Square millimetres of ink, dark on 255, within a box, rules and specks left out."""
    before, above, _, _ = OVERFLOW
    inset = round(_INSET * SCALE)
    top, left = round(above * SCALE) + inset, round(before * SCALE) + inset
    bottom, right = (round((start + side) * SCALE) - inset for start, side in ((above, box[3]), (before, box[2])))
    mask = (gray[top:bottom, left:right] < 255 * (1 - _INK)).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA] / SCALE**2
    return float(areas[areas >= _SPECK].sum())
