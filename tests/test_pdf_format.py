"""PDF: the picture as it was, and over it text that other programs find in the right place and order."""

from __future__ import annotations

import ctypes
import io
import math
import re
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pypdfium2
import pypdfium2.raw as raw
import pytest
from conftest import SAMPLES
from PIL import Image

from text_recognizer.formats.format import FormatError, Picture
from text_recognizer.formats.pdf import PdfFormat
from text_recognizer.formats.pdf_layer import add_text
from text_recognizer.images import open_document
from text_recognizer.page import Line, Page, Region, Word

LETTER = SAMPLES / "letter.jpg"
POPPLER = pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler-utils is not installed")
DPI = 144  # a pixel is half a point

Box = tuple[float, float, float, float]


@pytest.fixture(scope="module")
def letter_page(recognizer) -> Page:
    return recognizer.read(LETTER)


def picture(pixels: np.ndarray | None = None, encoded: bytes | None = None, dpi: float | None = DPI) -> Picture:
    """A picture of those pixels, or else of that file, whose pixels nobody may ask for."""

    def unwanted() -> np.ndarray:
        raise AssertionError("the pixels were not needed")

    return Picture(encoded, unwanted if pixels is None else lambda: pixels, dpi)


def paper(width: int = 600, height: int = 400) -> Picture:
    return picture(np.full((height, width), 255, np.uint8))


def line(
    text: str, left: float, bottom: float, angle: float = 0.0, height: float = 30.0, baseline: bool = True
) -> Line:
    """A line of words that begins at a point and rises by an angle in degrees; a character is 15 pixels wide."""
    along = np.array([math.cos(math.radians(angle)), -math.sin(math.radians(angle))])
    up = np.array([along[1], -along[0]])

    def quad(begin: float, end: float, below: float, above: float) -> tuple[tuple[float, float], ...]:
        ends = ((begin, above), (end, above), (end, below), (begin, below))
        return tuple(tuple((np.array([left, bottom]) + a * along + b * up).tolist()) for a, b in ends)

    words, begin = [], 0.0
    for text_of_word in text.split():
        end = begin + 15.0 * len(text_of_word)
        words.append(Word(text_of_word, quad(begin, end, -8, height - 8), 0.9))
        begin = end + 15.0
    whole = quad(-5, begin, -10, height)
    feet = quad(0, begin - 15, 0, 0)
    return Line(text, whole, 0.9, (feet[3], feet[2]) if baseline else (), tuple(words))


def begin(count: int, angle: float) -> tuple[float, float]:
    """Where a line of so many characters begins, so that its middle is that of the page."""
    return 300 - 7.5 * count * math.cos(math.radians(angle)), 200 + 7.5 * count * math.sin(math.radians(angle))


def page_of(*lines: Line, size: tuple[int, int] = (600, 400)) -> Page:
    return Page(lines, *size, source="scans/Brief an Émile.jpg#page=7")


def run(*command: object) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def saved(data: bytes, folder: Path, name: str = "page.pdf") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def opened(source: bytes | Path) -> closing[pypdfium2.PdfDocument]:
    return closing(pypdfium2.PdfDocument(source))


def poppler_words(path: Path) -> list[tuple[str, Box]]:
    """The words that pdftotext finds, in the order of the file, with their boxes in points, y down."""
    page = run("pdftotext", "-raw", "-bbox", path, "-")
    rows = re.findall(r'<word xMin="(.+?)" yMin="(.+?)" xMax="(.+?)" yMax="(.+?)">(.+?)</word>', page)
    return [(unescape(row[4]), tuple(map(float, row[:4]))) for row in rows]


def pdfium_words(data: bytes) -> list[tuple[str, Box]]:
    """The words that PDFium finds, likewise, on the first page as it is shown, cropped and turned."""
    with opened(data) as pdf:
        text = pdf[0].get_textpage()
        words = []
        for match in re.finditer(r"\S+", text.get_text_range()):
            boxes = [text.get_charbox(number) for number in range(*match.span())]
            points = np.array([on_screen(pdf[0], x, y) for box in boxes for x in box[::2] for y in box[1::2]])
            words.append((match[0], (*points.min(axis=0), *points.max(axis=0))))
    return words


def on_screen(sheet: pypdfium2.PdfPage, x: float, y: float) -> tuple[float, float]:
    """Where a point of a page's own coordinates is shown, in points, y down."""
    width, height = sheet.get_size()
    across, down = ctypes.c_int(), ctypes.c_int()
    raw.FPDF_PageToDevice(sheet, 0, 0, round(100 * width), round(100 * height), 0, x, y, across, down)
    return across.value / 100, down.value / 100


def pdfium_text(data: bytes, number: int = 0) -> str:
    with opened(data) as pdf:
        return pdf[number].get_textpage().get_text_range().replace("\r", "")


def rendered(data: bytes, scale: float = 1.0) -> np.ndarray:
    with opened(data) as pdf:
        return np.array(pdf[0].render(scale=scale).to_pil().convert("RGB"))


def box_of(polygon: tuple[tuple[float, float], ...], scale: float) -> Box:
    points = np.array(polygon) * scale
    return (*points.min(axis=0), *points.max(axis=0))


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def shared(one: Box, other: Box) -> float:
    """The area of two boxes' intersection."""
    return area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    return shared(one, other) / (area(one) + area(other) - shared(one, other))


@POPPLER
def test_words_of_a_letter_are_found_where_they_stand(letter_page, tmp_path):
    path = saved(PdfFormat().write(letter_page, picture(encoded=LETTER.read_bytes(), dpi=200)), tmp_path)
    words = [word for line in letter_page.lines for word in line.words]
    found = poppler_words(path)
    assert [text for text, _ in found] == [word.text for word in words]
    wanted = [box_of(word.polygon, 72 / 200) for word in words]
    covered = [shared(box, want) / area(want) for (_, box), want in zip(found, wanted, strict=True)]
    assert min(covered) > 0.8
    assert np.mean(covered) > 0.95
    across = [overlap((b[0], 0, b[2], 1), (w[0], 0, w[2], 1)) for (_, b), w in zip(found, wanted, strict=True)]
    assert min(across) > 0.75  # the heights are those of the line
    assert np.mean([overlap(box, want) for (_, box), want in zip(found, wanted, strict=True)]) > 0.6


@pytest.mark.parametrize("baseline", [True, False])
@pytest.mark.parametrize("angle", [-90, -40, -12, -3, 0, 3, 12, 40, 90])
def test_slanted_lines(angle, baseline):
    slanted = line("Hôtel de la Poste", *begin(17, angle), angle, baseline=baseline)
    found = pdfium_words(PdfFormat().write(page_of(slanted), paper()))
    assert [text for text, _ in found] == slanted.text.split()
    for (_, box), word in zip(found, slanted.words, strict=True):
        assert overlap(box, box_of(word.polygon, 0.5)) > 0.7


@POPPLER
@pytest.mark.parametrize("angle", [-3, 0, 3, 90, 180])
def test_words_that_hardly_rise_are_whole_for_pdftotext(angle, tmp_path):
    """It cuts those that do rise into pieces."""
    slanted = line("Hôtel de la Renaissance", *begin(23, angle), angle)
    found = poppler_words(saved(PdfFormat().write(page_of(slanted), paper()), tmp_path))
    assert [text for text, _ in found] == slanted.text.split()
    for (_, box), word in zip(found, slanted.words, strict=True):
        assert overlap(box, box_of(word.polygon, 0.5)) > 0.6


@pytest.mark.parametrize("angle", [-30, -8, -2, 0, 2, 8, 30])
def test_slanted_lines_come_out_line_by_line(angle):
    first, second = "a line as broad as that", "and what follows it"
    down = np.array([math.sin(math.radians(angle)), math.cos(math.radians(angle))]) * 40
    x, y = begin(23, angle)
    lines = line(first, x, y, angle), line(second, x + down[0], y + down[1], angle)
    rows = pdfium_text(PdfFormat().write(page_of(*lines), paper())).splitlines()
    assert [row.strip() for row in rows] == [first, second]


def test_curved_lines_are_followed():
    """Two halves of a line, one that rises and one that falls."""
    rising, falling = line("up the hill", 50, 200, 15), line("down it again", 230, 152, -15)
    curved = Line("", (), 0.9, rising.baseline + falling.baseline, rising.words + falling.words)
    found = pdfium_words(PdfFormat().write(page_of(curved), paper()))
    assert [text for text, _ in found] == "up the hill down it again".split()
    for (_, box), word in zip(found, curved.words, strict=True):
        assert overlap(box, box_of(word.polygon, 0.5)) > 0.55


def test_pdfium_extracts_and_finds(letter_page):
    data = PdfFormat().write(letter_page, picture(encoded=LETTER.read_bytes(), dpi=200))
    assert [row.strip() for row in pdfium_text(data).splitlines()] == letter_page.text.splitlines()
    word = next(word for line in letter_page.lines for word in line.words if word.text == "Watson,")
    with opened(data) as pdf:
        text = pdf[0].get_textpage()
        begin, count = text.search("Watson,").get_next()
        left, bottom, right, top = text.get_rect(0) if text.count_rects(begin, count) == 1 else ()
        height = pdf[0].get_height()
    assert overlap((left, height - top, right, height - bottom), box_of(word.polygon, 72 / 200)) > 0.6


@POPPLER
def test_words_that_touch_stay_apart(tmp_path):
    """Their outlines overlap, as they do in slanted writing."""
    words = [Word(text, ((x, 50), (x + 60, 50), (x + 60, 80), (x, 80)), 0.9) for text, x in (("J'ai", 50), ("lu", 105))]
    close = Line("J'ai lu", ((40, 40), (170, 40), (170, 90), (40, 90)), 0.9, ((40, 75), (170, 75)), tuple(words))
    data = PdfFormat().write(page_of(close), paper())
    assert [text for text, _ in poppler_words(saved(data, tmp_path))] == ["J'ai", "lu"]
    assert pdfium_text(data).split() == ["J'ai", "lu"]


@POPPLER
def test_lines_whose_words_have_no_places(tmp_path):
    whole = replace(line("three small words", 50, 100), words=())
    data = PdfFormat().write(page_of(whole), paper())
    found = poppler_words(saved(data, tmp_path))
    assert [text for text, _ in found] == ["three", "small", "words"]
    assert area(box_of(whole.polygon, 0.5)) == pytest.approx(
        sum(shared(box, box_of(whole.polygon, 0.5)) for _, box in found), rel=0.2
    )


TEXTS = [
    "Là-bas, l'œuvre coûte 12 € « enfin »",
    "„Grüße“ — ‘naïve’ … ½ ³ №",
    "Привет, мир",
    "日本語の 手書き 文字",
    "한국어 ελληνικά",
    "emoji 😀 𝔘𝔫𝔦 𠀋",
    "e\u0301te\u0301 combined",
    "<tags> & (brackets) \\ % / [ ]",
]


@POPPLER
@pytest.mark.parametrize("text", TEXTS)
def test_any_characters(text, tmp_path):
    data = PdfFormat().write(page_of(line(text, 20, 100)), paper(900))
    assert pdfium_text(data).strip() == text
    assert run("pdftotext", "-raw", saved(data, tmp_path), "-").strip() == text


def test_more_characters_than_a_list_of_a_cmap_holds():
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 250)))
    data = PdfFormat().write(page_of(line(text, 20, 100), size=(4000, 400)), paper(4000))
    assert pdfium_text(data).strip() == text


def test_half_a_character_is_no_reason_to_stop():
    assert pdfium_text(PdfFormat().write(page_of(line("ab\ud800cd", 20, 100)), paper())).strip() == "ab?cd"


def test_the_picture_is_not_changed_by_the_text(letter_page):
    shown = picture(encoded=LETTER.read_bytes(), dpi=200)
    with_text = rendered(PdfFormat().write(letter_page, shown), 200 / 72)
    assert np.array_equal(
        with_text, rendered(PdfFormat().write(replace(letter_page, lines=(), regions=()), shown), 200 / 72)
    )
    difference = np.abs(with_text.astype(int) - np.array(Image.open(LETTER).convert("RGB")))
    assert with_text.shape == (1278, 1240, 3)
    assert difference.max() <= 2  # another JPEG decoder


def test_jpeg_files_are_kept_byte_for_byte(letter_page):
    encoded = LETTER.read_bytes()
    data = PdfFormat().write(letter_page, picture(encoded=encoded))
    assert encoded in data
    assert len(data) < len(encoded) + 8000


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_heeded(orientation):
    stored = np.zeros((32, 64, 3), np.uint8)
    stored[:16, :16], stored[16:, :16], stored[:16, 48:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(file, "JPEG", exif=exif, quality=95, subsampling=0)
    upright = open_document(file.getvalue()).page(0)
    page = Page((), upright.shape[1], upright.shape[0])
    shown = rendered(PdfFormat().write(page, picture(encoded=file.getvalue(), dpi=144)), 2.0)
    assert shown.shape == upright.shape
    assert np.abs(shown.astype(int) - upright).mean() < 6


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_jpeg_files_of_other_colours(mode):
    file = io.BytesIO()
    color = Image.new("RGB", (64, 32), (200, 40, 90)).convert(mode)
    color.save(file, "JPEG", quality=95)
    shown = rendered(PdfFormat().write(Page((), 64, 32), picture(encoded=file.getvalue())), 2.0)
    assert np.abs(shown.astype(int) - np.array(color.convert("RGB"))).max() < 40  # CMYK has no one conversion


def test_what_is_no_jpeg_file_is_shown_by_its_pixels():
    pixels = np.full((20, 30), 128, np.uint8)
    for encoded in (b"", b"\xff\xd8 cut short", b"\x89PNG"):
        data = PdfFormat().write(Page((), 30, 20), picture(pixels, encoded))
        assert np.array_equal(rendered(data, 2.0)[:, :, 0], pixels)


@pytest.mark.parametrize("kind", ["gray", "bilevel", "colour", "gray in colour"])
def test_other_pictures_are_kept_without_loss(kind):
    generator = np.random.default_rng(1)
    pixels = generator.integers(0, 256, (60, 81, 3), dtype=np.uint8)
    if kind != "colour":
        pixels = np.repeat(pixels[:, :, :1], 3, axis=2)
    if kind == "bilevel":
        pixels = (pixels > 100).astype(np.uint8) * 255
    given = pixels[:, :, 0] if kind in ("gray", "bilevel") else pixels
    data = PdfFormat().write(Page((), 81, 60), picture(given, dpi=144))
    assert np.array_equal(rendered(data, 2.0), pixels)
    assert (b"/DeviceRGB" in data) == (kind == "colour")
    assert (b"/BitsPerComponent 1 " in data) == (kind == "bilevel")


@pytest.mark.parametrize(
    ("dpi", "points"), [(300, 240.0), (144, 500.0), (None, 360.0), (72, 360.0), (math.nan, 360.0), (math.inf, 360.0)]
)
def test_size_of_the_page(dpi, points):
    page = Page((), 1000, 500)
    with opened(PdfFormat().write(page, picture(np.zeros((5, 10), np.uint8), dpi=dpi))) as pdf:
        assert pdf[0].get_size() == pytest.approx((points, points / 2))


def test_huge_pages_have_the_largest_size_that_every_reader_shows():
    data = PdfFormat().write(Page((), 100_000, 10), picture(np.zeros((1, 9), np.uint8), dpi=None))
    with opened(data) as pdf:
        assert pdf[0].get_width() == pytest.approx(14400)


def test_blank_page():
    data = PdfFormat().write(page_of(), paper())
    assert pdfium_text(data) == ""
    assert (rendered(data) == 255).all()


def test_metadata_and_the_same_bytes():
    written = [PdfFormat().write(page_of(line("word", 20, 100)), paper()) for _ in range(2)]
    assert written[0] == written[1]
    with opened(written[0]) as pdf:
        assert pdf.get_metadata_value("Title") == "Brief an Émile.jpg"
        assert pdf.get_metadata_value("Producer") == "Text Recognizer"


def test_what_cannot_be_written_is_said():
    with pytest.raises(ValueError, match="picture of the page"):
        PdfFormat().write(page_of())
    with pytest.raises(ValueError, match="width and the height"):
        PdfFormat().write(Page(), paper())
    with pytest.raises(ValueError, match="'lost' has no outline"):
        PdfFormat().write(page_of(Line("lost", (), 0.9)), paper())
    PdfFormat().write(page_of(Line(" ", (), 0.9)), paper())


def some_regions() -> Page:
    lines = (
        line("A title", 20, 50),
        line("first line", 20, 150),
        line("its second", 20, 200),
        line("a note", 400, 200),
    )
    boxes = [Region("heading", lines[0].polygon, (0,)), Region("paragraph", lines[1].polygon, (1, 2), 0)]
    return replace(page_of(*lines), regions=(*boxes, Region("marginalia", lines[3].polygon, (3,))))


@POPPLER
def test_paragraphs_are_tagged(tmp_path):
    parts = [saved(PdfFormat().write(some_regions(), paper()), tmp_path, f"{number}.pdf") for number in range(2)]
    with (tmp_path / "all.pdf").open("wb") as file:
        PdfFormat().join(parts, file)
    structure = re.sub(r"\s+", " ", run("pdfinfo", "-struct-text", tmp_path / "all.pdf"))
    section = 'Sect H1 (block) "A title " P (block) "first line its second " Note "a note "'
    assert re.sub(r" \(\w+\)", "", structure).strip() == f"Document {section} {section}".replace(" (block)", "")


@pytest.mark.skipif(not shutil.which("qpdf"), reason="qpdf is not installed")
def test_files_are_sound(letter_page, tmp_path):
    one = saved(PdfFormat().write(letter_page, picture(encoded=LETTER.read_bytes())), tmp_path, "one.pdf")
    two = saved(PdfFormat().write(some_regions(), paper()), tmp_path, "two.pdf")
    three = saved(PdfFormat().write(page_of(), paper()), tmp_path, "three.pdf")
    with (tmp_path / "all.pdf").open("wb") as file:
        PdfFormat().join([one, two, three], file)
    for path in (one, two, three, tmp_path / "all.pdf"):
        assert "No syntax or stream encoding errors" in run("qpdf", "--check", path)


def test_joined_pages_keep_their_order_text_and_pictures(tmp_path):
    parts = []
    for number in range(12):
        page = replace(
            page_of(line(f"page {number} – ü{chr(0x430 + number)}", 20, 100)), source=f"book.pdf#page={number}"
        )
        grey = picture(np.full((400, 600), 20 * number, np.uint8))
        parts.append(saved(PdfFormat().write(page, grey), tmp_path, f"{number}.pdf"))
    joined = io.BytesIO()
    PdfFormat().join(iter(parts), joined)
    with opened(joined.getvalue()) as pdf:
        assert len(pdf) == 12
        assert pdf.get_metadata_value("Title") == "book.pdf"
        for number in range(12):
            text = pdf[number].get_textpage().get_text_range().strip()
            assert text == f"page {number} – ü{chr(0x430 + number)}"
            assert np.array(pdf[number].render().to_pil().convert("L"))[100, 100] == 20 * number


def test_only_our_pages_are_joined(tmp_path):
    with pytest.raises(ValueError, match="one page at least"):
        PdfFormat().join([], io.BytesIO())
    ours = saved(PdfFormat().write(page_of(), paper()), tmp_path)
    joined = io.BytesIO()
    PdfFormat().join([ours, ours], joined)
    with closing(pypdfium2.PdfDocument.new()) as pdf:
        pdf.new_page(100, 100)
        foreign = io.BytesIO()
        pdf.save(foreign)
    for data in (joined.getvalue(), foreign.getvalue(), b"", b"no PDF", ours.read_bytes()[:-300]):
        with pytest.raises(ValueError, match="not a PDF of one page"):
            PdfFormat().join([saved(data, tmp_path, "other.pdf")], io.BytesIO())


JOINING = """
import sys, tracemalloc
from pathlib import Path
from text_recognizer.formats.pdf import PdfFormat
tracemalloc.start()
with open(sys.argv[2], "wb") as file:
    PdfFormat().join((Path(sys.argv[1]) for _ in range(int(sys.argv[3]))), file)
print(tracemalloc.get_traced_memory()[1])
"""


def test_joining_takes_the_memory_of_one_page(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (500, 500), dtype=np.uint8)  # that cannot be packed
    one = saved(PdfFormat().write(page_of(line("word", 20, 100)), picture(noise)), tmp_path)
    target = tmp_path / "all.pdf"
    few, many = (int(run(sys.executable, "-c", JOINING, one, target, count)) for count in (3, 300))
    assert many < few + 500_000 < 3_000_000
    with opened(target) as pdf:
        assert len(pdf) == 300
        assert pdf[299].get_textpage().get_text_range().strip() == "word"


def scanned(angle: int) -> bytes:
    """A PDF with a page that another program made: a white and a black half, cropped, shown after a turn by `angle`."""
    with closing(pypdfium2.PdfDocument.new()) as pdf:
        sheet = pdf.new_page(700, 800)
        image = pypdfium2.PdfImage.new(pdf)
        with Image.new("RGB", (100, 100), "white") as halves:
            halves.paste("black", (50, 0, 100, 100))
            image.set_bitmap(pypdfium2.PdfBitmap.from_pil(halves))
        image.set_matrix(pypdfium2.PdfMatrix(700, 0, 0, 800, 0, 0))
        sheet.insert_obj(image)
        sheet.gen_content()
        sheet.set_cropbox(50, 100, 350, 300) if angle % 180 == 0 else sheet.set_cropbox(50, 100, 250, 400)
        sheet.set_rotation(angle)
        pdf.new_page(300, 300)
        file = io.BytesIO()
        pdf.save(file)
    return file.getvalue()


@POPPLER
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_text_is_laid_over_the_pages_of_a_pdf(angle):
    source = scanned(angle)
    before = open_document(source, dpi=144).page(0)
    assert before.shape[:2] == (400, 600)
    page = page_of(line("Hôtel de la", 50, 200, 10), line("Poste 😀", 50, 300))
    target = io.BytesIO()
    add_text(source, [(0, page)], target)
    data = target.getvalue()
    assert np.array_equal(open_document(data, dpi=144).page(0), before)
    assert pdfium_text(data).split() == page.text.split()
    assert pdfium_text(data, 1) == ""
    words = [word for line in page.lines for word in line.words]
    for (text, box), word in zip(pdfium_words(data), words, strict=True):
        assert text == word.text
        assert overlap(box, box_of(word.polygon, 0.5)) > 0.6


def test_text_is_not_laid_over_what_is_not_there():
    target = io.BytesIO()
    with pytest.raises(FormatError, match="damaged or encrypted"):
        add_text(b"no PDF", [], target)
    with pytest.raises(ValueError, match="has 2 pages"):
        add_text(scanned(0), [(2, page_of())], target)
    with pytest.raises(ValueError, match="size of the picture"):
        add_text(scanned(0), [(1, Page())], target)
    assert target.getvalue() == b""


def test_the_font_is_what_its_script_makes(tmp_path):
    pytest.importorskip("fontTools")
    from text_recognizer.formats.glyphless import FILE, make

    make(tmp_path / "font.ttf")
    assert (tmp_path / "font.ttf").read_bytes() == FILE.read_bytes()
