"""Models that are loaded together and let go together, once nobody reads with them any more."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images import normalize_line_with_box
from text_recognizer.page import Page
from text_recognizer.recognition.bundle import BundleError
from text_recognizer.recognition.layout.detector import OWN_DETECTOR
from text_recognizer.recognition.recognizer import TextRecognizer
from text_recognizer.recognition.text.line_recognizer import OWN_LANGUAGE
from text_recognizer.service.monitoring.recorder import out_of_vocabulary_share
from text_recognizer.service.payloads import read_line
from text_recognizer.service.reading.batching import BatchingLineReader

_TRIAL_TEXT = "a line to read"
_TRIM = ctypes.CDLL(None) if os.name == "posix" else None


class LoadedModels:
    """A line recogniser, a language model and a detector that read for some time.

    Whoever reads with them calls `take` first and `give_back` at the end; after `retire` they are closed when the last
    one has. Arguments as of `BatchingLineReader` and `TextRecognizer`. Raises BundleError.
    """

    def __init__(
        self,
        lines: str | os.PathLike[str] = "lines",
        detector: str | os.PathLike[str] = OWN_DETECTOR,
        threads: int | None = None,
        batch_lines: int = 16,
        batch_seconds: float = 0.005,
        language: str | None = OWN_LANGUAGE,
    ) -> None:
        self.line_reader = BatchingLineReader(os.fspath(lines), threads, batch_lines, batch_seconds, language=language)
        try:
            self.recognizer = TextRecognizer(self.line_reader, detector, threads)
            self.bundles = [self.recognizer.detector.bundle, *self.recognizer.line_bundles().values()]
        except BaseException:
            self.line_reader.close()
            raise
        found = self.bundles[0].identity
        self._models = {use: {"detector": found} | self.recognizer.line_models(use) for use in (True, False)}
        self.out_of_vocabulary = out_of_vocabulary_share(self.line_reader.language, self.line_reader.alphabet)
        self._lock = threading.Lock()
        self._users, self._retired = 0, False

    def models_of(self, use_language: bool = True) -> dict[str, str]:
        """Identities of the models that read, with the language model or without it."""
        return self._models[use_language]

    def read(self, pixels: NDArray[np.uint8], unit: str, use_language: bool) -> Page:
        """Read uint8 (H, W) or (H, W, 3) that holds a page or one line."""
        if unit == "line":
            return read_line(self.recognizer, pixels, use_language)
        return self.recognizer.read(pixels, use_language)

    def try_out(self) -> None:
        """Find a line that is drawn here, and read it. Raises BundleError where that fails, or no scores come out.

        Whether they read well is not asked: that is what a bundle shows before it is promoted.
        """
        page = np.full((200, 900), 255, np.uint8)
        cv2.putText(page, _TRIAL_TEXT, (60, 120), cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 2, 0, 3, cv2.LINE_AA)
        reader = self.line_reader
        try:
            self.recognizer.detector.detect(page)
            logits = reader.logits([normalize_line_with_box(page, reader.geometry.height).image])
            reader.decode(logits)
        except Exception as error:  # whatever a network raises
            raise BundleError(f"{reader.bundle.folder} was loaded, but cannot read: {error!r}") from error
        if logits[0].shape[1] != len(reader.alphabet) or not np.isfinite(logits[0]).all():
            raise BundleError(f"{reader.bundle.folder} was loaded, but gives no scores of its characters")

    def take(self) -> LoadedModels:
        """Somebody reads with these models from now on."""
        with self._lock:
            self._users += 1
        return self

    def give_back(self) -> None:
        """Somebody who took them reads no more."""
        with self._lock:
            self._users -= 1
        self._end_if_idle()

    def retire(self) -> None:
        """Close them when the last one who reads with them is through; returns at once."""
        with self._lock:
            self._retired = True
        self._end_if_idle()

    def close(self) -> None:
        """Read what waits, then let go of networks and threads, and of their memory."""
        self.line_reader.close()
        del self.recognizer, self.line_reader, self.out_of_vocabulary
        with contextlib.suppress(OSError, AttributeError):  # of another C library
            if _TRIM is not None:
                _TRIM.malloc_trim(0)

    def _end_if_idle(self) -> None:
        with self._lock:
            ends = self._retired and self._users == 0
            self._retired = self._retired and not ends  # once
        if ends:  # in a thread of its own: whoever gives back last must not wait for threads that end
            threading.Thread(target=self.close, name="retired-models", daemon=True).start()
