"""The features of the pages of drift_pages.py, kept beside what was read; and the references of the shipped bundles.

TEXT_RECOGNIZER_DATA=... python -m benchmarks.monitoring.drift_features    # writes the references
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import text_recognizer.service.monitoring as monitoring
from benchmarks.monitoring.drift_pages import MODEL, VALIDATION, pictures, readings
from text_recognizer import TextRecognizer
from text_recognizer.atomic_files import write_file
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.paths import cache_dir, data_dir
from text_recognizer.recognition.bundle import find_bundle
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer
from text_recognizer.service.monitoring.features import FEATURES_VERSION, ReadingFeatures, reading_features
from text_recognizer.service.monitoring.recorder import out_of_vocabulary_share
from text_recognizer.service.monitoring.reference import REFERENCE_FILE
from text_recognizer.service.reading.reference_readings import reference_of_pages

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def features(kind: str, model: str = MODEL) -> dict[str, ReadingFeatures]:
    """The features of the pages of a kind, by name; kept beside the readings."""
    folder = Path(monitoring.__file__).parent
    made_of = fingerprint(folder / "features.py", folder / "image_features.py")
    file = cache_dir() / "drift" / f"{model}-{kind.replace(' ', '-')}-features-{made_of}.json"
    pages = readings(kind, model)
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if len(known) < len(pages):
        reader = LineTextRecognizer(model, 1, "auto")
        out_of_vocabulary = out_of_vocabulary_share(reader.language, reader.alphabet)
        for name, image in pictures(kind):
            if name in pages and name not in known:
                start = time.process_time()
                found = reading_features(image, pages[name], NOW, out_of_vocabulary=out_of_vocabulary)
                found = dataclasses.replace(found, milliseconds=1000 * (time.process_time() - start))
                known[name] = found.values()
        write_file(file, json.dumps(known).encode())
    return {
        name: ReadingFeatures.from_values(values, NOW, pages[name].models, "page", FEATURES_VERSION)
        for name, values in known.items()
    }


def cost(pages: int = 6) -> None:
    """What features add to reading a page, in time of a core."""
    recognizer = TextRecognizer("lines", threads=1)
    reader = recognizer.line_reader
    out_of_vocabulary, spent = out_of_vocabulary_share(reader.language, reader.alphabet), np.zeros(2)
    for _, image in itertools.islice(pictures(VALIDATION), 20, 40, 20 // pages):
        times = [time.process_time()]
        page = recognizer.read(image)
        times.append(time.process_time())
        reading_features(image, page, NOW, out_of_vocabulary=out_of_vocabulary)
        spent += np.diff([*times, time.process_time()])
    print(f"features take {100 * spent[1] / spent[0]:.1f} % of what reading takes (lines, with its language model)")


def writers_of(forms: Sequence[str]) -> dict[str, str]:
    """Who wrote each form."""
    with (data_dir() / "iam" / "lines.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        known = {row["line_id"].rsplit("-", 1)[0]: row["writer"] for row in rows}
    return {form: known.get(form, form) for form in forms}


def write_references() -> None:
    """The references of the shipped bundles: the pages of validation."""
    for model in ("lines", "open"):
        found = features(VALIDATION, model)
        source = "validation pages: the handwriting of 28 IAM forms, 29 pages of Copiste d'un jour"
        reference = reference_of_pages([dataclasses.replace(f, milliseconds=np.nan) for f in found.values()], source)
        path = find_bundle(model) / REFERENCE_FILE
        reference.save(path)
        print(f"{path.name} of {model}: {reference.readings} readings, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    write_references()
