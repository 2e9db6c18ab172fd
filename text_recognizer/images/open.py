"""Image files, bytes, PIL images and arrays as page images: upright, uint8, gray or RGB.

Nothing is decoded before its size is known to be sane, and whatever is wrong with a file is said in
one sentence that names it.
"""

from __future__ import annotations

import io
import os
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

#: Everything that is read as an image.
ImageSource = str | os.PathLike[str] | bytes | bytearray | Image.Image | NDArray[Any]

MAX_PIXELS = 120_000_000  # an A3 page at 600 dpi has 70 million
MIN_SIDE = 8  # pixels: less holds no letter
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM")
#: What Pillow raises for damaged files: it checks little before it computes with what it found.
DAMAGE = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError,
    RuntimeError, EOFError, MemoryError, struct.error, zlib.error,
)  # fmt: skip
KNOWN_FORMATS = "PNG, JPEG, TIFF, WebP, BMP"
_JPEG_SCANS = 100  # progressive ones have about ten; each costs the decoder a pass over all pixels, however small it is
_PILLOW_LIMIT = threading.Lock()


class ImageError(ValueError):
    """An image that cannot be read; the message says which, why, and what to do."""


def open_image(source: ImageSource, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The image as uint8 (H, W) gray or (H, W, 3) RGB, turned upright by its EXIF orientation.

    source: a path, the bytes of a file, a PIL image, or an array (H, W), (H, W, 1), (H, W, 3) RGB or
    (H, W, 4) RGBA of uint8, uint16, bool or float in [0, 1]. Transparency is laid over white.
    max_pixels: larger images are refused before they are decoded.
    Raises ImageError (a ValueError) for anything that is not a readable image.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, "the array", max_pixels)
    if isinstance(source, Image.Image):
        return _from_pil(source, "the image", max_pixels)
    name = "the image" if isinstance(source, bytes | bytearray) else str(source)
    data = bytes(source) if isinstance(source, bytes | bytearray) else read_file(Path(source))
    if not data:
        raise ImageError(f"{name} is empty (0 bytes)")
    try:
        with image_header(data) as image:
            return _from_pil(image, name, max_pixels)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not an image that can be read (known: {KNOWN_FORMATS})") from error
    except DAMAGE as error:
        raise ImageError(f"{name} is damaged or cut short: {error}") from error


def image_header(data: bytes) -> Image.Image:
    """The image with its header read and nothing decoded; our own limit of pixels speaks later and says its number."""
    if data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > _JPEG_SCANS:
        raise ImageError(f"a JPEG file of more than {_JPEG_SCANS} scans is not read")
    with _PILLOW_LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data), formats=_FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def read_file(path: Path) -> bytes:
    """The bytes of a file. Raises ImageError where it is not there or may not be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path} is a directory; name the image files in it") from error
    except PermissionError as error:
        raise ImageError(f"{path} may not be read: permission denied") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be read: {error}") from error


def check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    """Raises ImageError where an image of width x height pixels is too large or too small to be read."""
    if width * height > max_pixels:
        raise ImageError(
            f"{name} has {width} x {height} pixels, more than the limit of {max_pixels:,}: "
            "scale it down (300 dpi is plenty) or cut it into pages"
        )
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"{name} has {width} x {height} pixels: too small to hold writing")


def _from_pil(image: Image.Image, name: str, max_pixels: int) -> NDArray[np.uint8]:
    pages = count_frames(image, 1000)
    if pages > 1:
        raise ImageError(f"{name} holds {pages} pages: split it into images of one page each")
    return pixels_of(image, name, max_pixels)


def count_frames(image: Image.Image, limit: int) -> int:
    """The pages of an image, `limit` at most: 1 but for a TIFF stack, for frames of other formats are an animation.

    Pillow's own `n_frames` looks at all of them, in a time that grows with the square of their number.
    """
    if image.format != "TIFF":
        return 1
    count = 1
    try:
        while count < limit:
            image.seek(count)
            count += 1
    except EOFError:
        pass
    image.seek(0)
    return count


def pixels_of(image: Image.Image, name: str, max_pixels: int) -> NDArray[np.uint8]:
    """The picture that a PIL image shows now (its current frame), as `open_image` gives it. Raises ImageError."""
    check_size(image.width, image.height, name, max_pixels)
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
    except DAMAGE as error:
        raise ImageError(f"{name} is damaged or cut short: {error}") from error
    if upright.mode.startswith("I;16"):
        return _from_array(np.asarray(upright).astype(np.uint16, copy=False), name, max_pixels)
    if upright.mode == "I":
        return _from_array(np.asarray(upright).clip(0, 65535).astype(np.uint16), name, max_pixels)
    if upright.mode == "F":
        return _from_array(np.asarray(upright), name, max_pixels)
    if "A" in upright.mode or "transparency" in upright.info:
        return _over_white(np.asarray(upright.convert("RGBA")))
    return np.array(upright if upright.mode in ("L", "RGB") else upright.convert("L" if upright.mode == "1" else "RGB"))


def _from_array(array: NDArray[Any], name: str, max_pixels: int) -> NDArray[np.uint8]:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(f"{name} of shape {array.shape} is no image: (H, W), (H, W, 3) or (H, W, 4) is")
    if 0 in array.shape:
        raise ImageError(f"{name} of shape {array.shape} has no pixels")
    check_size(array.shape[1], array.shape[0], name, max_pixels)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype == np.uint8:
        pixels = array
    elif array.dtype == np.uint16:
        pixels = (array >> 8).astype(np.uint8)
    elif array.dtype == np.bool_:
        pixels = array.astype(np.uint8) * 255
    elif np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ImageError(f"{name} has floating-point pixels that are not all from 0 to 1")
        pixels = np.round(array * 255).astype(np.uint8)
    else:
        raise ImageError(f"{name} of {array.dtype} is no image: uint8, uint16, bool or float from 0 to 1 is")
    return _over_white(pixels) if pixels.ndim == 3 and pixels.shape[2] == 4 else np.ascontiguousarray(pixels)


def _over_white(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    alpha = rgba[:, :, 3].astype(np.uint16)
    out = np.empty((*alpha.shape, 3), np.uint8)
    for channel in range(3):  # one at a time: pages are large
        out[:, :, channel] = (rgba[:, :, channel] * alpha + 255 * (255 - alpha)) // 255
    return out
