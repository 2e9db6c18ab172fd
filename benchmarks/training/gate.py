"""How often the gate refuses a model that is as good as the one in production, and how soon it sees a worse one.

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.training.gate [--runs 200]

Errors are those of real readings of the sets of the suite "accuracy": of the shipped line recogniser with its language
model, and of the same with test-time augmentation (two views of each line). As good: of each writer the two readings
are exchanged or not, by chance, so that neither side is better. Worse: the same, and every character of one side
becomes an error with a small probability, in all lines or in those of one slice.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.evaluation.error_rates import read_dataset
from text_recognizer.learning.evaluation.suites.comparison import Comparison, compare
from text_recognizer.learning.evaluation.suites.readers import open_reader
from text_recognizer.learning.evaluation.suites.samples import Samples, line_distances, read_set
from text_recognizer.learning.evaluation.suites.suite import Accuracy, load_suite
from text_recognizer.recognition.text.line_recognizer import OWN_LANGUAGE, LineTextRecognizer

Errors = NDArray[np.int64]
SLICE = "characters: digits"


def with_errors(sets: list[Samples], change: Callable[[int, Samples, Errors], Errors]) -> list[Samples]:
    """The samples with other character errors; word errors are left out."""
    changed = []
    for number, found in enumerate(sets):
        errors, units = found.errors["CER"]
        changed.append(replace(found, errors={"CER": (change(number, found, errors), units)}))
    return changed


def worse_by(
    points: float, slice_title: str, pair: tuple[list[Samples], list[Samples]], rng: np.random.Generator
) -> tuple[list[Samples], list[Samples]]:
    """Two sides, the first with so many points of CER more in a slice, or everywhere."""

    def change(_: int, found: Samples, errors: Errors) -> Errors:
        inside = [part.members for part in found.slices if part.title == slice_title]
        members = inside[0] if inside else np.ones(len(errors), bool)
        return errors + rng.binomial(found.errors["CER"][1], points / 100) * members

    return with_errors(pair[0], change), pair[1]


def exchanged(
    sets: list[Samples], others: list[Errors], rng: np.random.Generator
) -> tuple[list[Samples], list[Samples]]:
    """Two sides between which the readings of each writer were dealt out by chance."""
    dealt = []
    for found in sets:
        side = {name: rng.random() < 0.5 for name in dict.fromkeys(found.groups)}
        dealt.append(np.array([side[name] for name in found.groups]))
    one = with_errors(sets, lambda number, _, errors: np.where(dealt[number], errors, others[number]))
    two = with_errors(sets, lambda number, _, errors: np.where(dealt[number], others[number], errors))
    return one, two


def refusals(found: Comparison) -> tuple[bool, bool, bool]:
    """Whether it is refused overall, on a slice, on either."""
    overall, parts = any(row.worse for row in found.overall), any(row.worse for row in found.slices)
    return overall, parts, overall or parts


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    print(machine())
    asked: Accuracy = load_suite("accuracy").of("lines").accuracy
    sets = [read_set(open_reader("lines"), name) for name in asked.sets]
    twice = LineTextRecognizer("lines", threads=1, language=OWN_LANGUAGE, looks=2)
    others = [
        line_distances(read_dataset(twice, line_dataset(LineSource(found.set))), found.truths)[0] for found in sets
    ]
    count = sum(len(found.names) for found in sets)
    rng = np.random.default_rng(0)
    print(f"{count} lines, {runs} runs each; refused in % of them: overall, on a slice, on either")
    cases: dict[str, Callable[[], tuple[list[Samples], list[Samples]]]] = {
        "as good": lambda: exchanged(sets, others, rng)
    }
    for points, where in ((0.1, ""), (0.2, ""), (0.5, ""), (0.5, SLICE), (1.0, SLICE)):
        name = f"{points} points worse, {where or 'all lines'}"
        cases[name] = lambda points=points, where=where: worse_by(points, where, exchanged(sets, others, rng), rng)  # type: ignore[misc]
    for name, make in cases.items():
        shares = np.mean([refusals(compare(*make(), asked)) for _ in range(runs)], axis=0)
        print(f"{name}: {100 * shares[0]:.1f}, {100 * shares[1]:.1f}, {100 * shares[2]:.1f}", flush=True)


if __name__ == "__main__":
    main()
