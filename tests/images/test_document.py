"""Documents of several pages: what each kind promises."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLES
from text_recognizer.images import ImageError, open_document, open_image


def picture(number: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """A page that says which one it is by its shade."""
    return Image.new("L", size, 40 * number + 40)


def stack(kind: str, count: int = 3, **options) -> bytes:
    buffer = io.BytesIO()
    pages = [picture(number) for number in range(count)]
    pages[0].save(buffer, kind, save_all=True, append_images=pages[1:], **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["TIFF", "PDF"])
def test_pages_come_in_their_order_from_bytes_and_files(kind, tmp_path):
    data = stack(kind)
    path = tmp_path / "document"
    path.write_bytes(data)
    for source in (data, path, str(path)):
        with open_document(source) as document:
            assert len(document) == 3
            assert document.kind == kind
            shades = [int(np.median(page)) for page in document]
            assert shades == pytest.approx([40, 80, 120], abs=3)
            assert int(np.median(document.page(1))) == pytest.approx(80, abs=3)


def test_an_image_is_a_document_of_one_page_equal_to_itself():
    path = SAMPLES / "letter.jpg"
    with open_document(path) as document:
        assert len(document) == 1
        assert np.array_equal(document.page(0), open_image(path))


def test_a_pdf_is_rendered_at_the_resolution_asked_for():
    data = stack("PDF", 1, resolution=72)  # 120 x 90 points
    assert open_document(data, dpi=144).page(0).shape[:2] == (180, 240)
    assert open_document(data, dpi=72).page(0).shape[:2] == (90, 120)


def test_a_pdf_page_of_unusual_size_is_rendered_coarser():
    data = stack("PDF", 1, resolution=0.5)  # four hundred inches wide
    page = open_document(data, max_pixels=1_000_000).page(0)
    assert 900_000 < page.shape[0] * page.shape[1] <= 1_000_000


def test_an_animation_is_its_first_picture():
    buffer = io.BytesIO()
    picture(0).save(buffer, "GIF", save_all=True, append_images=[picture(1)])
    assert len(open_document(buffer.getvalue())) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"hello", "nothing that can be read"),
        (b"%PDF-1.7 and no more", "damaged PDF"),
        (stack("TIFF")[:60], "damaged|nothing"),
    ],
)
def test_what_cannot_be_opened_says_why(data, message):
    with pytest.raises(ImageError, match=message):
        open_document(data)


def test_too_many_pages_and_too_many_pixels_are_refused():
    with pytest.raises(ImageError, match="more pages than the limit of 2"):
        open_document(stack("TIFF"), max_pages=2)
    with open_document(stack("TIFF"), max_pixels=5000) as document, pytest.raises(ImageError, match="page 2 of"):
        document.page(1)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ImageError, match="does not exist"):
        open_document(tmp_path / "nothing.pdf")
