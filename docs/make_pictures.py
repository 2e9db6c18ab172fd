"""Make the pictures of the README from what the shipped models read.

python docs/make_pictures.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from text_recognizer import Line, TextRecognizer

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "samples"


def doubt_color(confidence: float) -> tuple[int, int, int]:
    """From dark gray for a sure word to red for a doubtful one."""
    doubt = min(1.0, max(0.0, (0.95 - confidence) / 0.6))
    return int(40 + 180 * doubt), int(40 - 10 * doubt), int(45 - 15 * doubt)


def outlined(image: Image.Image, lines: list[Line]) -> Image.Image:
    """The page with its lines and words outlined."""
    canvas = image.convert("RGB")
    overlay = Image.new("RGBA", canvas.size)
    draw = ImageDraw.Draw(overlay)
    for line in lines:
        draw.polygon(line.polygon, fill=(40, 110, 220, 26), outline=(40, 110, 220, 255))
        for word in line.words:
            draw.polygon(word.polygon, outline=(220, 120, 20, 150))
    canvas.paste(overlay, (0, 0), overlay)
    return canvas


def typeface(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans where it is installed, else a font of the tests: Pillow's own knows no accents."""
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size)
    except OSError:
        return ImageFont.truetype(str(HERE.parent / "tests" / "data" / "fonts" / "kalam.ttf"), size)


def written(lines: list[Line], scale: float, size: tuple[int, int]) -> Image.Image:
    """The text that was read, beside where it was read, each word in the colour of its confidence."""
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for line in lines:
        height = (line.polygon[-1][1] - line.polygon[0][1]) * scale
        font = typeface(max(9, min(18, round(0.75 * height))))
        x, y = 16.0, line.baseline[0][1] * scale
        for word in line.words:
            draw.text((x, y), word.text, fill=doubt_color(word.confidence), font=font, anchor="ls")
            x += font.getlength(word.text + " ")
    return canvas


def main() -> None:
    """Write pictures/reading.png: a real page, what was found on it, and what was read."""
    path = SAMPLES / "copiste-1.jpg"
    lines = list(TextRecognizer().read(path).lines)
    with Image.open(path) as image:
        page = outlined(image, lines)
    bottom = min(page.height, int(max(y for line in lines for _, y in line.polygon)) + 40)
    scale = 860 / page.width
    page = page.crop((0, 0, page.width, bottom)).resize((860, round(bottom * scale)), Image.Resampling.LANCZOS)
    text = written(lines, scale, (780, page.height))
    both = np.hstack([np.asarray(page), np.asarray(text)])
    Image.fromarray(both).quantize(96).save(HERE / "pictures" / "reading.png", optimize=True)


if __name__ == "__main__":
    main()
