"""The way of a page: image -> lines in reading order -> normalised crops -> text."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from text_recognizer.images import ImageSource, LineStrip, open_image, to_gray
from text_recognizer.images.open import MAX_PIXELS
from text_recognizer.images.preparation import PreparedPage
from text_recognizer.images.preparation import prepare as prepare_pages
from text_recognizer.page import Line, Page, Polygon, Region, Word
from text_recognizer.recognition.bundle import Bundle, bundle_task
from text_recognizer.recognition.layout.detector import OWN_DETECTOR, LineDetector, own_detector
from text_recognizer.recognition.layout.line_tracing import DetectedLine
from text_recognizer.recognition.layout.regions import page_regions
from text_recognizer.recognition.text.attention_recognizer import AttentionLineRecognizer
from text_recognizer.recognition.text.character_recognizer import CharacterRecognizer, ReadCharacter
from text_recognizer.recognition.text.line_recognizer import OWN_LANGUAGE, LineTextRecognizer, ReadLine
from text_recognizer.recognition.text.paragraph_recognizer import ParagraphTextRecognizer

_Points = NDArray[np.float64]


class TextRecognizer:
    """Reads pages of handwriting.

    lines, detector, characters, paragraphs: name of a shipped bundle or path of another; lines may also be a
    `LineTextRecognizer`, or name a bundle that reads lines by attention; detector "auto": the one that it names.
    language: likewise, of a language model that has a say in reading lines; "auto": the one that belongs to the bundle
    of the lines; None for none.
    looks: test-time augmentation, views of each line from 1 (none) to 3: more help with unusual hands, and take as
    many times as long.
    threads: of the networks, by default one a core. max_pixels: larger images are refused before they are decoded.

    >>> page = TextRecognizer().read("letter.jpg")  # doctest: +SKIP
    >>> print(page.text)  # doctest: +SKIP
    """

    def __init__(
        self,
        lines: str | os.PathLike[str] | LineTextRecognizer = "lines",
        detector: str | os.PathLike[str] = OWN_DETECTOR,
        threads: int | None = None,
        max_pixels: int = MAX_PIXELS,
        characters: str | os.PathLike[str] = "characters",
        paragraphs: str | os.PathLike[str] = "paragraphs",
        language: str | os.PathLike[str] | None = OWN_LANGUAGE,
        looks: int = 1,
    ) -> None:
        self.line_reader = (
            lines if isinstance(lines, LineTextRecognizer) else open_line_reader(lines, threads, language, looks)
        )
        self._detector_name, self._threads = detector, threads
        self._detector: LineDetector | None = None
        self._characters_name = characters
        self._character_reader: CharacterRecognizer | None = None
        self._paragraphs_name = paragraphs
        self._paragraph_reader: ParagraphTextRecognizer | None = None
        self.max_pixels = max_pixels

    @property
    def detector(self) -> LineDetector:
        """The line detector, loaded when first asked for: readers of cropped lines do without it."""
        if self._detector is None:
            name = own_detector(self.line_reader.bundle, self._detector_name)
            self._detector = LineDetector(name, self._threads)
        return self._detector

    @property
    def character_reader(self) -> CharacterRecognizer:
        """The recogniser of single characters, loaded when first asked for."""
        if self._character_reader is None:
            self._character_reader = CharacterRecognizer(self._characters_name, self._threads)
        return self._character_reader

    @property
    def paragraph_reader(self) -> ParagraphTextRecognizer:
        """The recogniser of whole paragraphs, loaded when first asked for."""
        if self._paragraph_reader is None:
            self._paragraph_reader = ParagraphTextRecognizer(self._paragraphs_name, self.detector, self._threads)
        return self._paragraph_reader

    def read(self, source: ImageSource, use_language: bool = True, prepare: str | Collection[str] = "auto") -> Page:
        """Read a page.

        source: a path, the bytes of a file, a PIL image, or an array as `images.open_image` takes it. use_language:
        whether the language model has its say. prepare: what is done to the image before, "none", "auto" or names of
        steps (`images.preparation.STEPS`); coordinates are those of the image that was given in any case.
        Raises ImageError (a ValueError) where the image cannot be read, ValueError for an unknown step. A blank page
        has no lines.
        """
        image = open_image(source, self.max_pixels)
        size = image.shape[1], image.shape[0]
        found: list[tuple[PreparedPage, DetectedLine, LineStrip]] = []
        crops: list[NDArray[np.uint8]] = []
        for part in prepare_pages(image, prepare):
            gray = to_gray(part.image)  # as in training: lines are cut from gray pages
            for detected in self.detector.detect(gray):
                strip = LineStrip(detected.baseline, detected.polygon)
                found.append((part, detected, strip))
                crops.append(strip.cut(gray))
        readings = self.line_reader.read(crops, consecutive=True, use_language=use_language)
        lines = [
            (part, detected, line)
            for reading, (part, detected, strip) in zip(readings, found, strict=True)
            if (line := _page_line(reading, detected, strip, part, size)).text
        ]
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else None
        return Page(
            tuple(line for _, _, line in lines),
            *size,
            name,
            {"detector": self.detector.bundle.identity} | self.line_models(use_language),
            _regions(lines),
        )

    def read_lines(self, sources: Sequence[ImageSource], use_language: bool = True) -> list[Line]:
        """Read images that hold one line each; polygons are in pixels of each image. use_language: as in `read`."""
        images = [open_image(source, self.max_pixels) for source in sources]
        readings = self.line_reader.read(images, use_language=use_language)
        return [_crop_line(reading, image) for reading, image in zip(readings, images, strict=True)]

    def line_bundles(self, use_language: bool = True) -> dict[str, Bundle]:
        """The bundles that read lines: of the network, and of the language model where there is one."""
        language = self.line_reader.language if use_language else None
        if language is None or language.bundle is None:
            return {"lines": self.line_reader.bundle}
        return {"lines": self.line_reader.bundle, "language": language.bundle}

    def line_models(self, use_language: bool = True) -> dict[str, str]:
        """Their identities, for `Page.models`."""
        return {name: bundle.identity for name, bundle in self.line_bundles(use_language).items()}

    def read_paragraph(self, source: ImageSource) -> Page:
        """Read an image that holds one paragraph, as a whole: by attention, no line is cut out."""
        image = open_image(source, self.max_pixels)
        lines = self.paragraph_reader.read(image)
        models = {
            "detector": self.detector.bundle.identity,
            "paragraphs": self.paragraph_reader.bundle.identity,
        }
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else None
        return Page(tuple(line for line in lines if line.text), image.shape[1], image.shape[0], name, models)

    def read_characters(self, sources: Sequence[ImageSource]) -> list[Line]:
        """Read images that hold one character each: lines of one character, the whole image their polygon."""
        images = [open_image(source, self.max_pixels) for source in sources]
        readings = self.character_reader.read(images)
        return [_character_line(reading, image) for reading, image in zip(readings, images, strict=True)]


def open_line_reader(
    bundle: str | os.PathLike[str],
    threads: int | None = None,
    language: str | os.PathLike[str] | None = None,
    looks: int = 1,
) -> LineTextRecognizer | AttentionLineRecognizer:
    """The recogniser of lines that a bundle is for. Raises BundleError.

    language, looks: of `LineTextRecognizer`; a decoder that reads by attention knows its language itself, and has no
    test-time augmentation.
    """
    if bundle_task(bundle) == "attention-lines":
        return AttentionLineRecognizer(bundle, threads)
    return LineTextRecognizer(bundle, threads, language, looks)


def _character_line(reading: ReadCharacter, image: NDArray[np.uint8]) -> Line:
    height, width = image.shape[:2]
    whole = _polygon(_corners((0.0, 0.0, width, height)), width, height)
    words = (Word(reading.text, whole, reading.confidence, (reading.confidence,)),) if reading.text else ()
    return Line(reading.text, whole, reading.confidence, (), words)


def _page_line(
    reading: ReadLine, detected: DetectedLine, strip: LineStrip, part: PreparedPage, size: tuple[int, int]
) -> Line:
    def original(points: _Points) -> Polygon:
        return _polygon(part.original(points), *size)

    words = tuple(
        Word(word.text, original(strip.to_page(_corners(word.box))), word.confidence, word.character_confidences)
        for word in reading.words
    )
    return Line(reading.text, original(detected.polygon), reading.confidence, original(detected.baseline), words)


def _regions(lines: Sequence[tuple[PreparedPage, DetectedLine, Line]]) -> tuple[Region, ...]:
    """The regions of each part of a page, found where it is straight and outlined as it lies in the image."""
    regions: list[Region] = []
    first = 0
    for _, group in groupby(lines, key=lambda line: id(line[0])):
        members = list(group)
        outlines = [line.polygon for _, _, line in members]
        regions += page_regions([detected for _, detected, _ in members], outlines, first)
        first += len(members)
    return tuple(regions)


def _crop_line(reading: ReadLine, image: NDArray[np.uint8]) -> Line:
    height, width = image.shape[:2]
    box = reading.box or (0.0, 0.0, float(width), float(height))
    words = tuple(
        Word(word.text, _polygon(_corners(word.box), width, height), word.confidence, word.character_confidences)
        for word in reading.words
    )
    return Line(reading.text, _polygon(_corners(box), width, height), reading.confidence, (), words)


def _corners(box: tuple[float, float, float, float]) -> _Points:
    left, top, right, bottom = box
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _polygon(points: _Points, width: int, height: int) -> Polygon:
    """Points in whole pixels within the image, as the formats of archives (PAGE XML, hOCR) want them."""
    inside = np.round(points).clip(0, (width, height)) + 0.0  # no zero is negative
    return tuple((float(x), float(y)) for x, y in inside)
