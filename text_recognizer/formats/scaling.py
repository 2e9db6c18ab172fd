"""Pages whose coordinates become those of an image of another size."""

from __future__ import annotations

from dataclasses import replace

from text_recognizer.page import Line, Page, Polygon


def scaled(page: Page, size: tuple[int, int] | None) -> Page:
    """The page as of an image of that width and height; as it is where size is None or its own size is unknown (0)."""
    if size is None or size == (page.width, page.height) or page.width <= 0 or page.height <= 0:
        return page
    across, down = size[0] / page.width, size[1] / page.height

    def moved(points: Polygon) -> Polygon:
        return tuple((x * across, y * down) for x, y in points)

    def line(old: Line) -> Line:
        words = tuple(replace(word, polygon=moved(word.polygon)) for word in old.words)
        return replace(old, polygon=moved(old.polygon), baseline=moved(old.baseline), words=words)

    return replace(
        page,
        lines=tuple(line(old) for old in page.lines),
        regions=tuple(replace(region, polygon=moved(region.polygon)) for region in page.regions),
        width=size[0],
        height=size[1],
    )
