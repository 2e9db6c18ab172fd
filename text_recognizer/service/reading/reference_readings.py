"""References: of pages that are read for it, and of the first readings of a server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from text_recognizer import TextRecognizer
from text_recognizer.images import NORMALIZATION_VERSION, open_image
from text_recognizer.recognition.bundle import load_bundle
from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.monitoring.features import ReadingFeatures, reading_features
from text_recognizer.service.monitoring.recorder import out_of_vocabulary_share
from text_recognizer.service.monitoring.reference import Reference
from text_recognizer.service.monitoring.samples import usable
from text_recognizer.service.monitoring.store import FeatureStore


def read_features(recognizer: TextRecognizer, file: Path) -> ReadingFeatures:
    """Read a page for a reference. Raises ImageError (a ValueError) where it cannot be read."""
    image = open_image(file)
    start = time.perf_counter()
    page = recognizer.read(image)
    milliseconds = 1000 * (time.perf_counter() - start)
    out_of_vocabulary = out_of_vocabulary_share(recognizer.line_reader.language, recognizer.line_reader.alphabet)
    return reading_features(image, page, utc_now(), "page", milliseconds, out_of_vocabulary)


def reference_of_pages(features: Sequence[ReadingFeatures], source: str) -> Reference:
    """The reference of pages that were read for it, each by itself. Raises ValueError for too few."""
    return Reference.of(features, range(len(features)), source)


def reference_of_readings(
    store: FeatureStore, bundle: str, readings: int, last: timedelta | None = None, unit: str = "page"
) -> Reference:
    """The reference of the first readings in a store, or the first of the last so many days, by a bundle. unit: "page",
    or "line" for crops of lines.

    Raises ValueError for too few, BundleError for a bundle that cannot be used, FeedbackUnavailable.
    """
    now = utc_now()
    identity = load_bundle(bundle, "lines", NORMALIZATION_VERSION).identity
    rows = store.first(readings, now - last if last else None)
    found, left_out = usable([row for row in rows if row.features.models.get("lines") == identity], unit, now)
    chosen = found.features
    if not chosen:
        why = "".join(f"; left out {count}: {reason}" for reason, count in left_out.items())
        raise ValueError(f"the store has no readings of {unit}s by {identity} among the first {len(rows)}{why}")
    days = f"{chosen[0].created:%Y-%m-%d} to {chosen[-1].created:%Y-%m-%d}"
    return Reference.of(chosen, found.blocks, f"readings from {days}")
