"""Reports as one HTML file that needs no other: their look, light and dark, and the pictures in them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray


def render(template: Path, **values: Any) -> bytes:
    """The page of a Jinja template, which extends `report_page.html`; values are escaped. Raises TemplateError."""
    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(values).encode()


def picture_url(image: NDArray[np.uint8], widest: int, highest: int, quality: int = 80) -> tuple[str, tuple[int, int]]:
    """An image uint8 (H, W) or (H, W, 3) RGB as a data URL, reduced to fit into so many pixels, and its width and
    height."""
    scale = min(1.0, widest / image.shape[1], highest / image.shape[0])
    if scale < 1:
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    shown = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".webp", shown, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}", (image.shape[1], image.shape[0])
