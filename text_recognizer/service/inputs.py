"""Images that arrive as text: base64, or a data URL around it."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def decode_image_text(text: str) -> bytes:
    """The bytes of an image given as base64, with or without `data:image/...;base64,` before it.

    White space, a missing padding and the URL-safe alphabet are tolerated. Whether the bytes are an image is
    for `images.open_image` to say. Raises ValueError with a message for the client.
    """
    if text.lstrip()[:5].lower() == "data:":
        return decode_data_url(text)
    return _decode_base64(text)


def decode_data_url(text: str) -> bytes:
    """The bytes in a data URL (RFC 2397) of an image in base64. Raises ValueError with a message for the client."""
    head, comma, payload = text.strip().partition(",")
    scheme, colon, description = head.partition(":")
    if not comma or not colon or scheme.lower() != "data":
        raise ValueError("not a data URL: data:image/png;base64,... is one")
    kind, *parameters = (part.strip().lower() for part in description.split(";"))
    if "base64" not in parameters:
        raise ValueError("the data URL is not in base64: data:image/png;base64,... is")
    if kind and not kind.startswith("image/") and kind not in ("application/octet-stream", "application/pdf"):
        raise ValueError("the data URL holds no image: its type must begin with image/, or be application/pdf")
    return _decode_base64(unquote_to_bytes(payload).decode("latin-1") if "%" in payload else payload)


def _decode_base64(text: str) -> bytes:
    try:
        letters = b"".join(text.encode("ascii").split()).translate(_URL_SAFE).rstrip(b"=")
        data = base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError("the image is not in base64: a character or the length is wrong") from None
    if not data:
        raise ValueError("the image is empty (0 bytes)")
    return data
