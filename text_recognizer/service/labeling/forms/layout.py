"""Where things stand on a form, in millimetres from the top left corner of the sheet: boxes are x, y, width, height."""

from __future__ import annotations

from dataclasses import dataclass

Box = tuple[float, float, float, float]

PAPERS = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}

MARGIN = 10.0  # many printers leave out the outermost five
MARKER = 12.0
CODE = 22.0
TICK = 4.5
FIRST_ROW = 42.0
ROW_PITCH = 23.0
PROMPT_BASELINE = 4.4  # of a row, below its top
PROMPT_SIZE = 3.6
BOX_TOP = 6.8  # below the prompt's descenders
BOX_HEIGHT = 14.6
FOOT = 4.0  # kept free above the lower markers
CONSENT_BASELINE = 36.0
MARK, MARK_GAP = 1.5, 0.8  # length of the mark on the left of a box that says where to write, its distance from it
WRITING_LINE = 0.68  # of a box's height, where it is
#: How far beyond its box writing is still taken: left, top, right, bottom. Above stands the prompt, below the next one.
OVERFLOW = (0.0, 0.9, 4.0, 2.3)


@dataclass(frozen=True)
class Sheet:
    """What every page of a form has. markers: clockwise from the top left; yes, no: the boxes to tick for consent."""

    size: tuple[float, float]
    markers: tuple[Box, Box, Box, Box]
    code: Box
    yes: Box
    no: Box


def sheet_of(paper: str) -> Sheet:
    """The sheet of a paper. Raises ValueError for an unknown one."""
    if paper not in PAPERS:
        raise ValueError(f"{paper!r} is no paper of forms; there are: {', '.join(PAPERS)}")
    width, height = PAPERS[paper]
    left, right, top, bottom = MARGIN, width - MARGIN - MARKER, MARGIN, height - MARGIN - MARKER
    places = ((left, top), (right, top), (right, bottom), (left, bottom))
    first, second, third, fourth = ((x, y, MARKER, MARKER) for x, y in places)
    tick = CONSENT_BASELINE - TICK + 0.8
    return Sheet(
        (width, height),
        (first, second, third, fourth),
        (right - 6 - CODE, top, CODE, CODE),
        (86.0, tick, TICK, TICK),
        (100.0, tick, TICK, TICK),
    )


def row_boxes(paper: str) -> list[Box]:
    """The boxes to write into, from top to bottom: ten on A4, nine on Letter."""
    width, height = PAPERS[paper]
    free = height - MARGIN - MARKER - FOOT - FIRST_ROW
    count = int((free + ROW_PITCH - BOX_TOP - BOX_HEIGHT) // ROW_PITCH)
    tops = (FIRST_ROW + number * ROW_PITCH for number in range(count))
    return [(MARGIN, round(top + BOX_TOP, 2), width - 2 * MARGIN, BOX_HEIGHT) for top in tops]
