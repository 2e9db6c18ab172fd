"""Reading of line crops: normalise, batch by width, run the network, decode, place words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.images import NORMALIZATION_VERSION, NormalizedLine, normalize_line_with_box
from text_recognizer.recognition.bundle import BundleError, available_cores, load_bundle
from text_recognizer.recognition.text.beam_search import Candidate, beam_search
from text_recognizer.recognition.text.confidence import Calibration, character_features, search_features
from text_recognizer.recognition.text.ctc import DecodedCharacter, greedy, placed, softmax
from text_recognizer.recognition.text.ensemble import TTA_TRANSFORMS, averaged, open_session, tta_view
from text_recognizer.recognition.text.language_model import load_language_model
from text_recognizer.recognition.text.line_geometry import LineGeometry

NO_LANGUAGE = "none"  # where a name is asked for
OWN_LANGUAGE = "auto"  # the language model that the bundle of the lines names
_USUAL_LANGUAGE = "language"
_SEARCHED = 64  # lines at once


@dataclass(frozen=True)
class ReadWord:
    """A word of a line crop: its box (left, top, right, bottom) in pixels of the crop."""

    text: str
    box: tuple[float, float, float, float]
    confidence: float
    character_confidences: tuple[float, ...]


@dataclass(frozen=True)
class ReadLine:
    """The reading of one line crop; box: around the writing, in pixels of the crop; None where it is blank."""

    text: str
    confidence: float
    words: tuple[ReadWord, ...]
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class DecodedLine:
    """The characters of a line, in words, and the features (W, F) of how sure each word is; see `confidence.py`.

    searched: whether a language model had a say.
    """

    words: list[list[DecodedCharacter]]
    features: NDArray[np.float64]
    searched: bool = False


class LineTextRecognizer:
    """Reads crops of single lines with a "lines" bundle, of one network or of several that read together.

    language: a bundle of a language model, which then has a say in what is read; "auto": the one that the bundle names;
    with None or "none" the likeliest character of each frame is taken (greedy decoding). looks: views of each
    line for test-time augmentation, from 1 (none) to 3; more help with unusual hands, and take as many times as long.
    Raises BundleError for a bundle that cannot be used and ValueError for another number of views.
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str] = "lines",
        threads: int | None = None,
        language: str | os.PathLike[str] | None = None,
        looks: int = 1,
    ) -> None:
        if not 1 <= looks <= len(TTA_TRANSFORMS):
            raise ValueError(f"test-time augmentation reads 1 to {len(TTA_TRANSFORMS)} views of a line, not {looks}")
        self.tta = looks
        self.bundle = load_bundle(bundle, "lines", NORMALIZATION_VERSION)
        settings = self.bundle.settings
        try:
            self.alphabet = Alphabet(settings["alphabet"])
            self.geometry = LineGeometry(**settings["geometry"])
            self.temperature = float(settings.get("temperature", 1.0))
            calibrations = {name: Calibration(**weights) for name, weights in settings.get("calibration", {}).items()}
            own_language = str(settings.get("language", _USUAL_LANGUAGE))
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{self.bundle.folder / 'bundle.json'} lacks settings for lines: {error!r}") from error
        silent = language is None or language == NO_LANGUAGE
        chosen = own_language if language == OWN_LANGUAGE else language
        try:
            self.language = None if silent else load_language_model(chosen, self.alphabet)  # type: ignore[arg-type]
        except BundleError as error:
            if language != OWN_LANGUAGE:
                raise
            raise BundleError(f"{self.bundle.folder} asks for a language model: {error}; none reads without") from error
        self._calibrations = {
            searched: calibrations.get(name, Calibration())
            for searched, name in ((False, "greedy"), (True, "language"))
        }
        self._space = self.alphabet.encode(" ")[0] if " " in self.alphabet else 0
        self.session = open_session(self.bundle, threads)
        self._pool = ThreadPoolExecutor(threads or available_cores(), "lines")  # begins none before it is used

    def read(
        self,
        crops: Sequence[NDArray[np.uint8]],
        batch_size: int = 16,
        consecutive: bool = False,
        use_language: bool = True,
    ) -> list[ReadLine]:
        """Read line crops, each uint8 (H, W) or (H, W, 3), in the order given.

        consecutive: each goes on with the text of the one before, as on a page. use_language: whether the language
        model, if there is one, has its say.
        """
        lines = [normalize_line_with_box(crop, self.geometry.height) for crop in crops]
        logits = self.logits([line.image for line in lines], batch_size)
        found = self.decode(logits, consecutive, use_language)
        return [self._line(line, decoded) for line, decoded in zip(lines, found, strict=True)]

    def logits(self, images: Sequence[NDArray[np.uint8]], batch_size: int = 16) -> list[NDArray[np.float32]]:
        """CTC logits (T, K) of normalised images (height, W), each cut to its own frames; the mean over TTA views."""
        outputs = [self.view_logits([tta_view(image, k) for image in images], batch_size) for k in range(self.tta)]
        if self.tta == 1:
            return outputs[0]
        return [averaged(views, self.temperature) for views in zip(*outputs, strict=True)]

    def view_logits(self, images: Sequence[NDArray[np.uint8]], batch_size: int = 16) -> list[NDArray[np.float32]]:
        """CTC logits (T, K) of normalised images (height, W) as they are."""
        results: list[NDArray[np.float32]] = [np.zeros((0, len(self.alphabet)), np.float32)] * len(images)
        buckets: dict[int, list[int]] = {}
        for index, image in enumerate(images):
            buckets.setdefault(self.bucket(image), []).append(index)
        for _, indices in sorted(buckets.items()):
            for start in range(0, len(indices), batch_size):
                chosen = indices[start : start + batch_size]
                for index, output in zip(chosen, self.batch_logits([images[i] for i in chosen]), strict=True):
                    results[index] = output
        return results

    def bucket(self, image: NDArray[np.uint8]) -> int:
        """The bucket of a normalised image (height, W): its padded width. Lines of one bucket may share a run.

        No line sees another's padding that way. Where each line has a run of its own, all lines are in bucket 0.
        """
        return 0 if self.session.alone else self.geometry.padded_width(image.shape[1])

    def batch_logits(self, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """CTC logits (T, K) of normalised images (height, W) of one bucket: in one run of the network, or each in a
        run of its own, on as many threads as there are. Raises BundleError where the scores are no numbers."""
        if self.session.alone:
            outputs = [output[0] for output in self._pool.map(self.session.run, map(self._alone, images))]
        else:
            outputs = list(self.session.run(self.geometry.batch(images)))
        if not all(np.isfinite(output).all() for output in outputs):
            raise BundleError(f"{self.bundle.folder} gives scores that are no numbers: its weights are damaged")
        return [output[: self.geometry.frames(image.shape[1])] for image, output in zip(images, outputs, strict=True)]

    def _alone(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.geometry.batch([image])

    def decode(
        self, logits: Sequence[NDArray[np.float32]], consecutive: bool = False, use_language: bool = True
    ) -> list[DecodedLine]:
        """The characters that CTC logits (T, K) of lines say, and the language model, if there is one. consecutive,
        use_language: as in `read`; what was before is known as the network alone reads it, so that all lines are
        searched at once."""
        probabilities = [softmax(scores, self.temperature) for scores in logits]
        alone = [greedy(rows) for rows in probabilities]
        if self.language is None or not use_language or not probabilities:
            read = [self._words(characters) for characters in alone]
            return [DecodedLine(words, character_features(words)) for words in read]
        before = [" "] * len(probabilities)
        if consecutive:
            before[1:] = [self._before_the_next(characters) for characters in alone[:-1]]
        found: list[list[Candidate]] = []
        texts: list[list[DecodedCharacter]] = []
        for start in range(0, len(logits), _SEARCHED):
            part = slice(start, start + _SEARCHED)
            found += beam_search(probabilities[part], self.language, before[part])
            texts += placed(probabilities[part], [candidates[0].numbers for candidates in found[part]], alone[part])
        lines = []
        for text, characters, candidates in zip(texts, alone, found, strict=True):
            words = self._words(text)
            features = search_features(words, characters, candidates, self.language.words, self._space)
            lines.append(DecodedLine(words, features, searched=True))
        return lines

    def _before_the_next(self, characters: Sequence[DecodedCharacter]) -> str:
        """What stands before the line that follows this one: a word that a hyphen breaks goes on."""
        text = self.alphabet.decode([character.number for character in characters]).rstrip()
        return text[:-1] if text.endswith("-") and text[:-1][-1:].isalpha() else text + " "

    def word_texts(self, decoded: DecodedLine) -> list[str]:
        """The words of a line."""
        return [self.alphabet.decode([character.number for character in word]) for word in decoded.words]

    def confidences(self, decoded: DecodedLine) -> list[float]:
        """How sure each word of a line is, calibrated where the bundle says how."""
        return self._calibrations[decoded.searched](decoded.features).tolist()

    def _line(self, line: NormalizedLine, decoded: DecodedLine) -> ReadLine:
        if not line.image.any():
            return ReadLine("", 1.0, (), None)
        sure = zip(decoded.words, self.confidences(decoded), strict=True)
        words = tuple(self._word(line, word, confidence) for word, confidence in sure)
        rows = np.flatnonzero(line.image.max(axis=1))
        corners = line.to_crop(np.array([[0, rows[0]], [line.image.shape[1], rows[-1] + 1]]))
        text = normalize_text(" ".join(word.text for word in words))
        return ReadLine(text, line_confidence(words), words, _box(corners))

    def _words(self, characters: list[DecodedCharacter]) -> list[list[DecodedCharacter]]:
        """Groups of characters between spaces."""
        groups: list[list[DecodedCharacter]] = [[]]
        for character in characters:
            if character.number == self._space:
                groups.append([])
            else:
                groups[-1].append(character)
        return [group for group in groups if group]

    def _word(self, line: NormalizedLine, characters: list[DecodedCharacter], confidence: float) -> ReadWord:
        text = self.alphabet.decode([character.number for character in characters])
        confidences = tuple(character.probability for character in characters)
        # CTC peaks somewhere inside a character: half a character of air at both ends finds its outline.
        frames = characters[-1].end - characters[0].start
        air = max(2.0, 0.5 * frames / len(characters))
        left = self.geometry.column(characters[0].start - air)
        right = self.geometry.column(characters[-1].end + air)
        left, right, top, bottom = _ink_extent(line.image, left, right)
        corners = line.to_crop(np.array([[left, top], [right, bottom]]))
        return ReadWord(text, _box(corners), confidence, confidences)


def line_confidence(words: Sequence[ReadWord]) -> float:
    """Mean confidence of a line's words, weighted by their length."""
    weights = [len(word.text) for word in words]
    return float(np.average([word.confidence for word in words], weights=weights)) if words else 0.0


def _ink_extent(image: NDArray[np.uint8], left: float, right: float) -> tuple[float, float, float, float]:
    """The columns and rows of the ink between two columns; the columns themselves where there is none."""
    start, end = max(0, int(left)), min(image.shape[1], int(np.ceil(right)))
    part = image[:, start:end] > 64
    columns, rows = np.flatnonzero(part.any(axis=0)), np.flatnonzero(part.any(axis=1))
    if not len(columns):
        return left, right, 0.0, float(image.shape[0])
    return start + float(columns[0]), start + float(columns[-1] + 1), float(rows[0]), float(rows[-1] + 1)


def _box(corners: NDArray[np.float64]) -> tuple[float, float, float, float]:
    (left, top), (right, bottom) = corners.tolist()
    return left, top, right, bottom
