"""Make glyphless.ttf, the font of the invisible text in a PDF (needs fontTools):

    python tools/make_glyphless_font.py

Its one character paints nothing. It has the size of the text all the same, two points at opposite corners, for there
are programs that take the place of a character from its outline rather than from the font's measures.
"""

from __future__ import annotations

from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib.tables._g_l_y_f import Glyph

FILE = Path(__file__).resolve().parents[1] / "text_recognizer" / "formats" / "pdf" / "glyphless.ttf"
WIDTH, ASCENT, DESCENT = 500, 650, -220  # thousandths of the size; writer.py and text_layer.py say the same


def make(target: Path = FILE) -> None:
    """Write the font. The same bytes each time."""
    names = [".notdef", "blank"]
    builder = FontBuilder(unitsPerEm=1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({})
    builder.setupGlyf({name: _outline() for name in names})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (WIDTH, 0)))
    builder.setupHorizontalHeader(ascent=ASCENT, descent=DESCENT)
    builder.setupPost(keepGlyphNames=False)
    builder.font["head"].created = builder.font["head"].modified = 3_800_000_000  # seconds since 1904
    builder.font.recalcTimestamp = False
    del builder.font["cmap"]  # characters are found by number
    builder.save(target)


def _outline() -> Glyph:
    """From a corner to the opposite one and back: a shape without any area."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, DESCENT))
    pen.lineTo((WIDTH, ASCENT))
    pen.closePath()
    return pen.glyph()


if __name__ == "__main__":
    make()
