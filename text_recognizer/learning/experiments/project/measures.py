"""What a project's model is worth: its lines that were not learned from, read by the recogniser before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from text_recognizer.alphabet import Alphabet
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning.data.lines import LineDataset
from text_recognizer.learning.data.manifest import read_manifest
from text_recognizer.learning.data.sources import LineSource, lines_within
from text_recognizer.learning.evaluation.error_rates import error_rates
from text_recognizer.learning.evaluation.lines import decoded_texts
from text_recognizer.learning.experiments.fine_tune_data import own_lines
from text_recognizer.recognition.bundle import load_bundle
from text_recognizer.recognition.lines import OWN_LANGUAGE, LineTextRecognizer


@dataclass(frozen=True)
class MeasuredLine:
    """A line, its split, its true text, and what was read in it, before and after training."""

    split: str
    identifier: str
    text: str
    before: str
    after: str

    def row(self) -> tuple[object, ...]:
        """Identifier, characters that are wrong after and before (edits), and how many characters it has."""
        errors = (Levenshtein.distance(read, self.text) for read in (self.after, self.before))
        return (self.identifier, *errors, len(self.text))


def measured_lines(start: str | Path, trained: Path, folders: Sequence[Path]) -> list[MeasuredLine]:
    """The lines of val (or set apart for it) and of test, read with the language model that goes with each bundle."""
    alphabet = Alphabet(load_bundle(trained, "lines", NORMALIZATION_VERSION).settings["alphabet"])
    sources = own_lines(folders, alphabet).val
    sources += [
        LineSource("folder", path=str(folder.resolve()), split="test")
        for folder in folders
        if "test" in read_manifest(folder).counts("split")
    ]
    found = [(source.split, lines_within(source, alphabet, True)) for source in sources]
    before, after = (_read(bundle, [lines for _, lines in found]) for bundle in (start, trained))
    labels = [("test" if split == "test" else "val", label) for split, lines in found for label in lines.labels]
    return [
        MeasuredLine(split, label.identifier, label.text, old, new)
        for (split, label), old, new in zip(labels, before, after, strict=True)
    ]


def _read(bundle: str | Path, sets: Sequence[LineDataset]) -> list[str]:
    recognizer = LineTextRecognizer(bundle, language=OWN_LANGUAGE)
    logits = recognizer.logits([lines[number][0] for lines in sets for number in range(len(lines))])
    return decoded_texts(recognizer, recognizer.decode(logits, use_language=True))


def summarized(lines: Sequence[MeasuredLine], tuning: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Error rates of each split, and of the sets on which the old skill was measured, in percent.

    tuning: what fine-tuning wrote, its `before` and `after`.
    """
    found: dict[str, dict[str, float]] = {}
    for split in dict.fromkeys(line.split for line in lines):
        mine = [line for line in lines if line.split == split]
        texts = [line.text for line in mine]
        found[split] = {"lines": len(mine)}
        for suffix, read in (("", [line.after for line in mine]), ("_before", [line.before for line in mine])):
            rates = error_rates(read, texts)
            found[split] |= {f"cer{suffix}": round(100 * rates.cer, 2), f"wer{suffix}": round(100 * rates.wer, 2)}
    for name, after in tuning["after"].items():
        if name != "own":
            old, new = tuning["before"][name]["language"], after["language"]
            rates_of = {f"{rate}{suffix}": of[rate] for suffix, of in (("", new), ("_before", old)) for rate in of}
            found[name] = {"lines": after["lines"], **rates_of}
    return found
