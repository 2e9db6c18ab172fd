"""A page put together from the blocks of lines that a file has, whoever wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from text_recognizer.page import REGION_KINDS, Line, Page, Polygon, Region

# Words that say what a region is, beyond our own: of SegmOnto (eScriptorium), and of programs for print.
_KINDS = {"margintextzone": "marginalia", "marginal": "marginalia", "margin": "marginalia", "title": "heading"}


@dataclass(frozen=True)
class LineMark:
    """What a file says of a line beside what it holds: its identifier there, and what is known of its text.

    status: "model" where nobody has looked at what the model read, "illegible" where somebody has and could not read
    it; "" where nothing is said. Only files that we have written say it.
    """

    identifier: str
    status: str = ""


@dataclass(frozen=True)
class Block:
    """A block of a file: its identifier, its kind (None: the file says none), its outline, its column, its lines.

    lines: each with its mark, in the order of the file.
    """

    identifier: str
    kind: str | None
    polygon: Polygon
    column: int | None
    lines: tuple[tuple[LineMark, Line], ...]


def kind_of(label: str) -> str:
    """The kind of region that a word of another program means; what is not known is a paragraph."""
    label = label.strip().lower()
    if label in REGION_KINDS:
        return label
    return _KINDS.get(label.partition(":")[0], "paragraph")


def in_order(
    blocks: Sequence[Block], order: Sequence[str]
) -> tuple[tuple[Line, ...], tuple[Region, ...], tuple[LineMark, ...]]:
    """Lines and regions of a page, and the marks of the lines.

    order: identifiers of blocks and of lines, as the file's reading order has them; what is not named there follows,
    in the order of the file. One block alone of which no kind is known says nothing, and makes no region.
    """
    rank: dict[str, int] = {}
    for place, identifier in enumerate(order):
        rank.setdefault(identifier, place)
    last = len(order)
    blocks = [block for block in blocks if block.lines or block.kind is not None]
    blocks.sort(key=lambda block: rank.get(block.identifier, last))
    lines = [(mark, line, number) for number, block in enumerate(blocks) for mark, line in block.lines]
    places = sorted(range(len(lines)), key=lambda place: rank.get(lines[place][0].identifier, last))
    found = tuple(lines[place][1] for place in places)
    marks = tuple(lines[place][0] for place in places)
    if all(block.kind is None for block in blocks) and len(blocks) <= 1:
        return found, (), marks
    numbers = {place: number for number, place in enumerate(places)}
    held: list[list[int]] = [[] for _ in blocks]
    for place, (_, _, block) in enumerate(lines):
        held[block].append(numbers[place])
    regions = tuple(
        Region(block.kind or "paragraph", block.polygon, tuple(members), block.column)
        for block, members in zip(blocks, held, strict=True)
    )
    return found, regions, marks


def marks_or_numbers(page: Page, marks: Sequence[LineMark]) -> Sequence[LineMark]:
    """A mark for each line to write: those given, else their numbers. Raises ValueError for too few or too many."""
    if marks and len(marks) != len(page.lines):
        raise ValueError(f"{len(marks)} marks are given for {len(page.lines)} lines")
    return marks or [LineMark(f"line_{number}") for number in range(len(page.lines))]


def line_order(page: Page) -> list[int]:
    """The numbers of the lines as the regions hold them, one region after the other."""
    return [number for region in page.regions for number in region.lines] or list(range(len(page.lines)))


def regions_or_whole(page: Page) -> list[tuple[Region | None, tuple[int, ...]]]:
    """Each region with its lines; None with all lines where a page has lines and no regions."""
    if page.regions:
        return [(region, region.lines) for region in page.regions]
    return [(None, tuple(range(len(page.lines))))] if page.lines else []
