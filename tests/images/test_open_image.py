import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from text_recognizer.images import ImageError, open_image


@pytest.fixture
def picture() -> Image.Image:
    gradient = np.tile(np.linspace(0, 255, 40, dtype=np.uint8), (30, 1))
    return Image.fromarray(np.stack([gradient, gradient[:, ::-1], np.full_like(gradient, 90)], axis=2))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_lossless_formats_come_back_exactly(picture, kind, tmp_path):
    path = tmp_path / f"image.{kind.lower()}"
    path.write_bytes(encoded(picture, kind))
    for source in (path, str(path), path.read_bytes(), picture, np.array(picture)):
        assert np.array_equal(open_image(source), np.array(picture))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_come_back_nearly(picture, kind):
    found = open_image(encoded(picture, kind, quality=95)).astype(int)
    assert np.abs(found - np.array(picture).astype(int)).mean() < 4


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16"])
def test_every_mode_becomes_gray_or_rgb_of_8_bits(picture, mode):
    if mode == "I;16":
        image = Image.fromarray((np.array(picture.convert("L")).astype(np.uint16) << 8) + 7)
    else:
        image = picture.convert(mode)
    found = open_image(encoded(image, "TIFF" if mode == "CMYK" else "PNG"))
    assert found.dtype == np.uint8
    assert found.shape in {(30, 40), (30, 40, 3)}
    gray = np.array(Image.fromarray(found).convert("L")).astype(int)
    limit = 130 if mode == "1" else 40 if mode in ("P", "CMYK") else 3
    assert np.abs(gray - np.array(picture.convert("L"))).mean() < limit


def test_transparency_lies_over_white():
    clear = np.zeros((9, 9, 4), np.uint8)
    assert (open_image(clear) == 255).all()
    assert (open_image(encoded(Image.fromarray(clear), "PNG")) == 255).all()


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))])
def test_exif_orientation_is_applied(orientation, corner):
    pixels = np.zeros((20, 30), np.uint8)
    pixels[:6, :6] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = open_image(encoded(Image.fromarray(pixels), "PNG", exif=exif))
    assert found[corner] == 255
    assert found.shape == ((20, 30) if orientation in (1, 3) else (30, 20))


@pytest.mark.parametrize(
    "array",
    [
        np.full((9, 12), 200, np.uint8),
        np.full((9, 12), 200 << 8, np.uint16),
        np.full((9, 12), 200 / 255),
        np.full((9, 12, 1), 200, np.uint8),
    ],
)
def test_arrays_of_other_depths(array):
    assert np.array_equal(open_image(array), np.full((9, 12), 200, np.uint8))


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 2, 2)), np.zeros(5), np.zeros((0, 5), np.uint8), np.full((9, 9), 7.0), np.zeros((9, 9), "S1")],
)
def test_arrays_that_are_no_images_are_refused(array):
    with pytest.raises(ImageError):
        open_image(array)


def bomb() -> bytes:
    """A PNG that says it has 30,000 x 30,000 pixels; decoding it would take 900 MB."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(ImageError, match="30000 x 30000 pixels, more than the limit"):
        open_image(bomb())


def test_bad_files_are_named_with_the_reason(tmp_path, picture):
    cut = encoded(picture.resize((400, 400)), "JPEG")
    cases = {
        "empty.png": (b"", "empty"),
        "text.png": (b"hello, I am no picture", "not an image"),
        "cut.jpg": (cut[: len(cut) // 2], "damaged or cut short"),
        "bomb.png": (bomb(), "more than the limit"),
    }
    for name, (data, reason) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ImageError, match=reason) as error:
            open_image(tmp_path / name)
        assert name in str(error.value)
    with pytest.raises(ImageError, match="too small"):
        open_image(np.zeros((1, 1), np.uint8))
    with pytest.raises(ImageError, match="does not exist"):
        open_image(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="directory"):
        open_image(tmp_path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_files_cut_anywhere_are_refused_or_read_but_never_crash(kind, picture):
    data = encoded(picture.resize((200, 150)), kind)
    refused = 0
    for share in (0.001, 0.01, 0.1, 0.5, 0.9, 0.99):
        try:
            open_image(data[: max(4, int(len(data) * share))])
        except ImageError:
            refused += 1
    assert refused >= 4


@pytest.mark.parametrize(
    "text", [b"BMW is a car, no picture", b"P2 something else", b"II*\0 and so on", b"\x89PNG\r\n\x1a\n"]
)
def test_texts_that_begin_like_pictures_are_refused(text):
    with pytest.raises(ImageError):
        open_image(text * 3)


def test_several_pages_in_one_tiff_are_not_dropped_silently(picture):
    with pytest.raises(ImageError, match="holds 2 pages"):
        open_image(encoded(picture, "TIFF", save_all=True, append_images=[picture]))


def test_a_transparent_gray_is_white(picture):
    pixels = np.full((20, 20), 200, np.uint8)
    pixels[5:9] = 0
    assert (open_image(encoded(Image.fromarray(pixels), "PNG", transparency=0))[5:9] == 255).all()


def test_the_limit_of_pillow_is_left_as_it_was(picture):
    before = Image.MAX_IMAGE_PIXELS
    open_image(encoded(picture, "PNG"))
    assert before == Image.MAX_IMAGE_PIXELS
