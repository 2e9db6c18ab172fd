"""Pictures of what models see and answer, for somebody who looks: in a notebook, one line each."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from text_recognizer.images import to_gray
from text_recognizer.learning.quality.preview import Sample, contact_sheet
from text_recognizer.learning.synthesis.characters import CLASSES, CharacterDataset
from text_recognizer.page import Line
from text_recognizer.recognition.layout.detector import LineDetector
from text_recognizer.recognition.layout.detector_input import detector_input
from text_recognizer.recognition.text.attention_recognizer import ReadCharacters
from text_recognizer.recognition.text.character_recognizer import CharacterRecognizer
from text_recognizer.recognition.text.ctc import greedy, softmax
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer
from text_recognizer.recognition.text.paragraph_recognizer import ParagraphTextRecognizer

_ROW = 14  # pixels of a row of probabilities
_MARGIN = 52  # pixels on the left for the characters


def ctc_picture(recognizer: LineTextRecognizer, image: NDArray[np.uint8], width: int = 1400) -> Image.Image:
    """Where CTC saw what: a normalised line (H, W), ink 255, and below it the probability of each character that it
    read, a row each, and of the blank, column by column."""
    probabilities = softmax(recognizer.logits([image])[0])
    numbers = list(dict.fromkeys(character.number for character in greedy(probabilities)))
    geometry, alphabet = recognizer.geometry, recognizer.alphabet
    start = geometry.margin // geometry.columns_per_frame
    frames = probabilities[start : start + -(-geometry.stretched(image.shape[1]) // geometry.columns_per_frame)]
    rows = np.repeat(np.sqrt(frames[:, [*numbers, 0]].T), _ROW, axis=0)  # the root shows doubts too
    both = np.vstack([image, 255 * cv2.resize(rows, (image.shape[1], len(rows)), interpolation=cv2.INTER_NEAREST)])
    picture = Image.new("L", (_MARGIN + both.shape[1], both.shape[0]), 255)
    picture.paste(Image.fromarray(255 - both.astype(np.uint8)), (_MARGIN, 0))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(_ROW)
    for row, number in enumerate([*numbers, 0]):
        name = "blank" if number == 0 else alphabet.decode([number]).replace(" ", "space")
        draw.text((_MARGIN - 4, image.shape[0] + (row + 0.5) * _ROW), name, 0, font, anchor="rm")
    return picture if picture.width <= width else picture.reduce(-(-picture.width // width))


def attention_picture(
    recognizer: ParagraphTextRecognizer, ink: NDArray[np.uint8], read: ReadCharacters, every: int = 6
) -> Image.Image:
    """Where attention was while a paragraph was read: its way over the ink (H, W), 255 for ink, as a line, and for each
    of `every` so many characters the cell of the image that it looked at, with what it saw there, in red where it gave
    that a probability below a half."""
    picture = Image.fromarray(np.repeat(255 - ink[..., None] // 2, 3, axis=2))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(18)
    rows, columns = recognizer.reader.cell
    points = [(float(x), float(y)) for y, x in read.places * (rows, columns)]
    draw.line(points, (160, 190, 235), width=2)
    for (x, y), number, sure in list(zip(points, read.numbers.tolist(), read.probabilities, strict=True))[::every]:
        color = (40, 110, 220) if sure >= 0.5 else (220, 30, 30)
        draw.rectangle((x - columns / 2, y - rows / 2, x + columns / 2, y + rows / 2), outline=color, width=2)
        name = {"\n": "new line", " ": "space"}.get(sign := recognizer.reader.tokens.decode([number]), sign)
        draw.text((x, y - rows / 2), name, color, font, anchor="mb")
    return picture


def misread_sheet(recognizer: CharacterRecognizer, dataset: CharacterDataset, count: int = 32) -> Image.Image:
    """Characters that were read wrongly, the surest mistakes first: what they are, and what they were taken for."""
    probabilities = softmax(recognizer.logits(np.asarray(dataset.pixels)))
    answers, sureness = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != dataset.labels)
    worst = wrong[np.argsort(-sureness[wrong])][:count]
    found = [
        Sample(255 - dataset[int(index)][0], f"{dataset.text[index]}→{CLASSES[answers[index]]}", "", "")
        for index in worst
    ]
    title = f"{len(wrong)} of {len(dataset)} read wrongly"
    return contact_sheet(found, "characters", title, "what it is → what it was taken for, the surest mistakes first")


def core_picture(detector: LineDetector, page: NDArray[np.uint8], side: int = 1024) -> Image.Image:
    """A page (H, W) or (H, W, 3), and in red how likely the detector takes each pixel for the core of a line."""
    gray = to_gray(page)
    scale = side / max(gray.shape)
    maps = detector.session.run(detector_input(gray, scale))[0]
    core = 1 / (1 + np.exp(-maps[0]))
    size = round(gray.shape[1] * scale), round(gray.shape[0] * scale)
    paper = np.repeat(cv2.resize(gray, size, interpolation=cv2.INTER_AREA)[..., None], 3, axis=2).astype(np.float32)
    strength = cv2.resize(core, None, fx=4, fy=4)[: size[1], : size[0], None]
    red = np.array([220, 30, 30], np.float32)
    mixed = paper * (1 - 0.6 * strength) + red * 0.6 * strength
    return Image.fromarray(mixed.astype(np.uint8))


def outlined(page: Image.Image, lines: Sequence[Line]) -> Image.Image:
    """The page with the outlines of its lines, numbered in reading order."""
    picture = page.convert("RGB")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(24)
    for number, line in enumerate(lines, 1):
        draw.polygon(line.polygon, outline=(40, 110, 220), width=2)
        draw.text(line.polygon[0], str(number), (220, 30, 30), font)
    return picture
