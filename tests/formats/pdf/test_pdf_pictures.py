"""PDF: the picture as it was, in a page of the right size."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.helpers.pdf_pages import LETTER, opened, page_of, paper, pdfium_text, picture, rendered
from text_recognizer.formats.pdf.pdf import PdfFormat
from text_recognizer.images import open_document
from text_recognizer.page import Page


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
