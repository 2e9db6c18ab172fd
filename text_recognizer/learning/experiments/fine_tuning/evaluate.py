"""What a line recogniser is worth before and after a fine-tuning, and the words for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.learning.evaluation import calibration
from text_recognizer.learning.evaluation.error_rates import decoded_texts, error_rates
from text_recognizer.learning.export.model_card import RELIABILITY, write_description
from text_recognizer.recognition.text.line_recognizer import OWN_LANGUAGE, LineTextRecognizer

#: Of each set the measures of each decoding, in percent: {"own": {"lines": 20, "greedy": {"cer": 7.1, "wer": 25.0}}}.
Scores = dict[str, dict[str, Any]]

_WORDS = 200  # with fewer the calibration of confidence stays as it was
DECODINGS = {"greedy": "letter by letter", "language": "with the language model"}


def measure_sets(folder: Path, sets: Mapping[str, LineDataset], fit: bool = False) -> Scores:
    """Error rates of a line bundle on sets, letter by letter and with its language model.

    fit: write the calibration of its confidence that suits the sets into the bundle, where there is more than one.
    """
    recognizer = LineTextRecognizer(folder, language=OWN_LANGUAGE)
    logits = {name: recognizer.logits([lines[k][0] for k in range(len(lines))]) for name, lines in sets.items()}
    scores: Scores = {name: {"lines": len(lines)} for name, lines in sets.items()}
    weights, pictures = {}, []
    for decoding in DECODINGS:
        outcomes = {}
        for name, lines in sets.items():
            read = recognizer.decode(logits[name], use_language=decoding == "language")
            rates = error_rates(decoded_texts(recognizer, read), [label.text for label in lines.labels])
            scores[name][decoding] = {"cer": round(100 * rates.cer, 2), "wer": round(100 * rates.wer, 2)}
            outcomes[name] = calibration.word_outcomes(recognizer, lines, read)
        if fit and len(sets) > 1 and sum(len(words.right) for words in outcomes.values()) >= _WORDS:
            fitted, _, drawn = calibration.calibrate(outcomes)
            weights[decoding] = asdict(fitted)
            pictures += list(drawn.values())
    if weights:
        data = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        data["settings"]["calibration"] = weights
        calibration.side_by_side(pictures).save(folder / RELIABILITY, optimize=True)
        write_description(folder, data)
    return scores


def is_better(before: Scores, after: Scores) -> bool:
    """Whether one's own lines are read with fewer errors: both ways of reading them counted together."""
    return sum(after["own"][name]["cer"] for name in DECODINGS) < sum(before["own"][name]["cer"] for name in DECODINGS)


def card_scores(before: Scores, after: Scores) -> dict[str, dict[str, Any]]:
    """Both scores as bundle.json and the model card hold them."""
    return {
        f"{title(name)} ({found['lines']} lines), {DECODINGS[decoding]}": {
            f"{measure.upper()} %{when}": scores[name][decoding][measure]
            for when, scores in (("", after), (" before fine-tuning", before))
            for measure in ("cer", "wer")
        }
        for name, found in after.items()
        for decoding in DECODINGS
    }


def title(name: str) -> str:
    """What a set is called for people."""
    return "own lines of val" if name == "own" else f"{name}, the old skill"


def table(before: Scores, after: Scores) -> list[tuple[str, ...]]:
    """Rows of a table for people: set, lines, how it was read, CER and WER % before and after."""
    return [
        (
            title(name),
            str(found["lines"]),
            DECODINGS[decoding],
            *(f"{before[name][decoding][measure]:.2f} -> {found[decoding][measure]:.2f}" for measure in ("cer", "wer")),
        )
        for name, found in after.items()
        for decoding in DECODINGS
    ]


_LOST = 0.5  # points of CER by which an old set may get worse without a word
_FEW_MEASURED = 20  # lines


def verdict(before: Scores, after: Scores) -> list[str]:
    """What is to be said of the result, a sentence each; nothing where all is well."""
    sentences = []
    if not is_better(before, after):
        sentences.append(
            "it did NOT get better on your lines: keep the recogniser you had. Label more lines (50 and more), and "
            "look whether labels and images belong together"
        )
    if after["own"]["lines"] < _FEW_MEASURED:
        sentences.append(f"{after['own']['lines']} lines to measure with are few: the numbers may be luck")
    for name in after.keys() - {"own"}:
        lost = after[name]["language"]["cer"] - before[name]["language"]["cer"]
        if lost > _LOST:
            sentences.append(f"it reads {name} worse by {lost:.1f} points: for other hands, keep the one you had")
    return sentences
