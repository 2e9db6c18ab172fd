"""Files of ill will, or of bad luck: they are refused, it is said why, and the next one is read."""

from __future__ import annotations

import time

import pytest
from PIL import Image

from tests.service.http.conftest import assert_problem
from tests.service.http.files import blank_png, bomb, chunk, encoded, locked_pdf, many_scans, pdf_page, png, stack, tiff

pytestmark = pytest.mark.usefixtures("well_afterwards")
SMALL = Image.new("L", (200, 150), 255)


def _looping_tiff() -> bytes:
    return tiff(3, last=8)


DAMAGED = {
    "empty": b"",
    "one byte": b"\x89",
    "text": b"My dear Watson,\n" * 100,
    "html": b"<!doctype html><html><body><script>alert(1)</script></body></html>",
    "svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "zip": b"PK\x03\x04" + bytes(400),
    "zip after a PNG head": png(40, 40) + b"PK\x03\x04" + bytes(40),
    "a GIF that is HTML": b"GIF89a/*<script>alert(1)</script>*/=1;" + bytes(20),
    "HTML before a PDF": b"<html></html>" + pdf_page(),
    "a PDF that is a ZIP": b"%PDF-1.4\nPK\x03\x04" + bytes(400),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n(file:///etc/passwd) run\n",
    "no pixels": png(0, 0),
    "a PNG without its pixels": png(100, 100),
    "a PNG of 50,000 x 50,000": png(50_000, 50_000),
    "a JPEG of 65,000 x 65,000": b"\xff\xd8\xff\xc0\x00\x0b\x08\xfd\xe8\xfd\xe8\x01\x01\x11\x00\xff\xd9",
    "a TIFF without dimensions": b"II*\0\x08\0\0\0\0\0\0\0\0\0" + bytes(100),
    "a TIFF in an endless circle of nothing": b"II*\0\x08\0\0\0\0\0\x08\0\0\0" + bytes(100),
    "an animation cut short": encoded(SMALL, "GIF")[:60],
    "a locked PDF": locked_pdf(),
    "a PDF of a million pages": pdf_page(count=1_000_000),
    "a PDF page of 300 km": pdf_page(b"0 0 1000000000 0.001"),
    "too small": encoded(SMALL.resize((4, 4)), "PNG"),
    "long text in a PNG": png(100, 100, chunk(b"zTXt", b"k\0\0" + bomb(100))),
    "a long profile in a PNG": png(100, 100, chunk(b"iCCP", b"k\0\0" + bomb(100)), pixels=b"x"),
    "a JPEG of endless scans": many_scans(5000),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_no_image_is_refused(strict, name):
    problem = assert_problem(strict.predict(DAMAGED[name]), 422)
    assert "/" not in problem["detail"].replace("/v1/", ""), "no path of the server"


@pytest.mark.parametrize("name", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "PDF", "GIF"])
def test_a_file_that_is_cut_short_is_refused(strict, letter_page, name):
    data = encoded(letter_page, name)
    for share in (0.05, 0.5, 0.95):
        answer = strict.predict(data[: int(share * len(data))])
        if name == "PDF" and answer.status_code == 200:
            continue  # PDFium mends what it can
        assert_problem(answer, 422)


def test_a_real_image_above_the_limit_is_refused_before_it_is_decoded(strict):
    data = blank_png(8000)
    assert len(data) < 200_000
    start = time.monotonic()
    problem = assert_problem(strict.predict(data), 422)
    assert "4,000,000" in problem["detail"]
    assert time.monotonic() - start < 5


def test_pages_of_a_document_are_limited(strict):
    for data in (stack([SMALL] * 6, "PDF"), stack([SMALL] * 6, "TIFF"), tiff(15_000)):
        start = time.monotonic()
        problem = assert_problem(strict.predict(data), 422)
        assert "limit of 5" in problem["detail"]
        assert time.monotonic() - start < 5, "however many there are"
    assert len(strict.predict(stack([SMALL] * 5, "PDF")).json()["pages"]) == 5


def test_a_tiff_whose_pages_go_round_in_a_circle_ends(strict):
    assert len(strict.predict(_looping_tiff()).json()["pages"]) == 3


@pytest.mark.parametrize(
    "box", [b"0 0 1e9 1e9", b"nan nan nan nan", b"-3e38 -3e38 3e38 3e38", b"0 0 100000 100000", b"0 0 0 0"]
)
def test_a_pdf_page_of_absurd_size_is_read_coarsely(strict, box):
    assert strict.predict(pdf_page(box)).status_code == 200


@pytest.mark.parametrize("size", [(8, 100_000), (100_000, 8), (9, 9), (30_000, 100)])
def test_images_of_odd_shapes_are_read(strict, size):
    image = Image.new("L", size, 255)
    image.paste(0, (size[0] // 3, size[1] // 3, size[0] // 2 + 1, size[1] // 2 + 1))
    for unit in ("page", "line"):
        assert strict.predict(encoded(image, "PNG"), unit=unit).status_code == 200
