"""The invisible text of a PDF page: operators that set words over the picture, and what its character codes mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from text_recognizer.formats.pdf_layout import SetWord, set_words
from text_recognizer.page import Page

#: What PDF calls the kinds of regions (ISO 32000-1, 14.8.4).
ELEMENTS = {"paragraph": "P", "heading": "H1", "marginalia": "Note"}
_WIDTH = 0.5  # of each character, as a share of the font's size; see glyphless.py
_END = 0.3  # the size of a space at the end of a line, as a share of that of the line
_CODES = 0xFFFF  # codes have two bytes, and 0 stays free
_ENTRIES = 100  # of a list in a CMap, at most


class TextLayer:
    """The text of a page in reading order, region by region.

    points: a pixel's size in points (1/72 inch). content: operators, to be put behind a content stream; they use the
    font /F. elements: the names of the structure elements that the marked content 0, 1, ... belongs to. characters:
    those that occur, the first of which has the code 1. Raises ValueError where a line with text has no place.
    """

    def __init__(self, page: Page, points: float) -> None:
        self._points, self._height = points, page.height * points
        self._codes: dict[str, int] = {}
        self.elements: list[str] = []
        self.content = b"".join(self._regions(page))

    @property
    def characters(self) -> list[str]:
        """The characters of the text, in the order of their codes from 1."""
        return list(self._codes)

    def _regions(self, page: Page) -> Iterator[bytes]:
        """A piece of marked content for each region; for all lines together where a page has no regions."""
        parts: list[tuple[str, Sequence[int]]] = [(region.kind, region.lines) for region in page.regions]
        for kind, numbers in parts or [("paragraph", range(len(page.lines)))]:
            lines = [line for line in (set_words(page.lines[number]) for number in numbers) if line]
            if not lines:
                continue
            yield f"/{ELEMENTS[kind]} <</MCID {len(self.elements)}>> BDC\nBT 3 Tr\n".encode()  # 3: paints nothing
            self.elements.append(ELEMENTS[kind])
            for line in lines:
                yield f"/F {_number(line[0].size * self._points)} Tf\n".encode()
                yield from map(self._word, line)
                yield self._end(line[-1].size)
            yield b"ET\nEMC\n"

    def _word(self, word: SetWord) -> bytes:
        """A word, stretched to its length, and a space that reaches to the next one."""
        (x, y), (right, down) = word.start, word.direction
        turn = " ".join(_number(value, 5) for value in (right, -down, down, right))
        place = f"{turn} {_number(x * self._points)} {_number(self._height - y * self._points)} Tm\n"
        shown = place + self._shown(word.text, word.length, word.size)
        if word.gap:
            shown += self._shown(" ", word.gap, word.size)
        return shown.encode()

    def _end(self, size: float) -> bytes:
        """A space at the end of a line, so that the words of a paragraph stay apart for programs that read by tags.

        It is small, for PDFium begins a new line where what follows does not overlap in height with what was before.
        """
        return f"/F {_number(_END * size * self._points)} Tf\n{self._shown(' ', _END * size, _END * size)}".encode()

    def _shown(self, text: str, length: float, size: float) -> str:
        codes = "".join(f"{self._code(character):04X}" for character in text)
        stretch = 100 * length / (len(text) * _WIDTH * size)
        return f"{_number(stretch)} Tz <{codes}> Tj\n"

    def _code(self, character: str) -> int:
        if character not in self._codes and len(self._codes) == _CODES:
            raise ValueError(f"a page of a PDF cannot have more than {_CODES} different characters")
        return self._codes.setdefault(character, len(self._codes) + 1)


def unicode_map(characters: Sequence[str]) -> bytes:
    """The CMap that says which characters the codes 1, 2, ... are (ISO 32000-1, 9.10.3), in UTF-16."""
    rows = [
        f"<{code:04X}> <{character.encode('utf-16-be', 'replace').hex().upper()}>\n"
        for code, character in enumerate(characters, 1)
    ]
    lists = [rows[begin : begin + _ENTRIES] for begin in range(0, len(rows), _ENTRIES)]
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
        + "".join(f"{len(some)} beginbfchar\n{''.join(some)}endbfchar\n" for some in lists)
        + "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode()


def _number(value: float, digits: int = 3) -> str:
    """A number as PDF writes it: never with an exponent."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")
