"""A page as the objects of a PDF: its picture, its invisible text, and the paragraphs that the text belongs to."""

from __future__ import annotations

import math
from pathlib import PurePath

from text_recognizer.formats.format import Picture
from text_recognizer.formats.pdf_image import page_image
from text_recognizer.formats.pdf_objects import (
    CID_FONT,
    CONTENT,
    DOCUMENT,
    ELEMENT,
    FONT,
    IMAGE,
    MARKS,
    PAGE,
    PAGES,
    SECTION,
    UNICODE,
    PagePart,
    stream,
)
from text_recognizer.formats.pdf_text import TextLayer, unicode_map
from text_recognizer.page import Page

USUAL_DPI = 200  # where a file does not say; an A4 page then has 1654 x 2339 pixels
_LEAST_DPI = 100  # cameras and drawing programs write 72 or 96 where they know nothing
_LONGEST = 14400  # points: the side of the largest page that PDF's readers need to show (ISO 32000-1, C.2)


def picture_page(page: Page, picture: Picture) -> PagePart:
    """The page with its picture, and its text over it. Raises ValueError where a line with text has no place."""
    image = page_image(picture)
    points = points_a_pixel(page, picture.dpi)
    text = TextLayer(page, points)
    width, height = page.width * points, page.height * points
    turned = " ".join(map(str, image.matrix))
    content = f"/Artifact BMC\nq {width:.3f} 0 0 {height:.3f} 0 0 cm {turned} cm /I Do Q\nEMC\n".encode() + text.content
    resources = f"/Font <</F {FONT} 0 R>> /XObject <</I {IMAGE} 0 R>>"
    return _part(page, (width, height), text, content, resources, image.body)


def text_page(page: Page, points: float) -> PagePart:
    """The page with its text only, to be laid over another one. points: a pixel's size in points."""
    text = TextLayer(page, points)
    size = page.width * points, page.height * points
    return _part(page, size, text, text.content, f"/Font <</F {FONT} 0 R>>", b"null")


def points_a_pixel(page: Page, dpi: float | None) -> float:
    """A pixel's size in points of 1/72 inch: of so many pixels an inch, or of a usual number where that is unknown."""
    if dpi is None or not math.isfinite(dpi) or dpi < _LEAST_DPI:
        dpi = USUAL_DPI
    return min(72 / dpi, _LONGEST / max(page.width, page.height))


def _part(
    page: Page, size: tuple[float, float], text: TextLayer, content: bytes, resources: str, image: bytes
) -> PagePart:
    elements = [ELEMENT + number for number in range(len(text.elements))]
    references = " ".join(f"{element} 0 R" for element in elements)
    objects = {
        PAGE: f"<</Type /Page /Parent {PAGES} 0 R /MediaBox [0 0 {size[0]:.3f} {size[1]:.3f}] /StructParents 0 "
        f"/Tabs /S /Resources <<{resources}>> /Contents {CONTENT} 0 R>>".encode(),
        CONTENT: stream(content),
        FONT: f"<</Type /Font /Subtype /Type0 /BaseFont /Glyphless /Encoding /Identity-H "
        f"/DescendantFonts [{CID_FONT} 0 R] /ToUnicode {UNICODE} 0 R>>".encode(),
        UNICODE: stream(unicode_map(text.characters)),
        IMAGE: image,
        MARKS: f"[{references}]".encode(),
        SECTION: f"<</Type /StructElem /S /Sect /P {DOCUMENT} 0 R /K [{references}]>>".encode(),
    }
    for mark, (number, kind) in enumerate(zip(elements, text.elements, strict=True)):
        objects[number] = f"<</Type /StructElem /S /{kind} /P {SECTION} 0 R /Pg {PAGE} 0 R /K {mark}>>".encode()
    return PagePart([objects[number] for number in range(PAGE, PAGE + len(objects))], _title(page))


def _title(page: Page) -> str:
    """The name of the file that the page came from, without the page's number."""
    return PurePath((page.source or "").partition("#page=")[0]).name
