"""How fast drift is noticed, and how often where there is none: windows of real pages, read by the shipped recogniser.

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.monitoring.drift_pages      # first: reads the pages, resumably
    TEXT_RECOGNIZER_DATA=... python -m benchmarks.monitoring.drift [--picture docs/pictures/drift.png]
    TEXT_RECOGNIZER_DATA=... python -m benchmarks.monitoring.drift --mixtures
        # windows in which the new kind comes now and then

Each trial splits the pages of the ordinary kind anew: a half is the reference, the other half what comes in. A window
is the last 100 readings, spread evenly over 24 hours, and is checked after every fifth. From some reading on all are
of another kind, drawn with replacement from the pages of that kind; the delay is counted from there.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np

from benchmarks.machine import machine
from benchmarks.monitoring.drift_features import NOW, cost, features, writers_of
from benchmarks.monitoring.drift_pages import CHANGES, FRENCH, KINDS, ORDINARY, PRINTED
from benchmarks.monitoring.drift_plot import plot
from text_recognizer.service.monitoring.drift import DriftReport, Limits, compare
from text_recognizer.service.monitoring.features import (
    NAMES,
    ReadingFeatures,
    RecordedReading,
)
from text_recognizer.service.monitoring.reference import Reference
from text_recognizer.service.reading.reference_readings import reference_of_pages

WINDOW = 100  # readings in 24 hours
LONGEST = 200  # readings of another kind
STEP = 5  # readings from one check to the next
OF_THE_IMAGE = ("width", "height", "brightness", "contrast", "unevenness", "saturation", "ink", "sharpness",
                "stroke_width", "slant", "skew", "line_height", "lines", "characters")  # fmt: skip
Rows = Sequence[ReadingFeatures]


def window(rows: Rows, hours: Sequence[float]) -> list[RecordedReading]:
    """Readings, each a document, so many hours ago."""
    return [
        RecordedReading(f"{k}", 0, dataclasses.replace(row, created=NOW - timedelta(hours=hour)))
        for k, (row, hour) in enumerate(zip(rows, hours, strict=True))
    ]


def compared(reference: Reference, rows: Rows, hours: Sequence[float] | None = None) -> DriftReport:
    """A check of a window; by default its readings are spread evenly over 24 hours, the oldest first."""
    evenly = np.linspace(23.99, 0.01, len(rows)).tolist()
    return compare(reference, window(rows, hours or evenly), NOW - timedelta(hours=24), NOW, Limits(), NOW)


def halves(rows: Rows, rng: np.random.Generator) -> tuple[Reference, list[ReadingFeatures]]:
    """A reference of half of the pages, and the other half, shuffled."""
    mixed = [rows[k] for k in rng.permutation(len(rows))]
    cut = len(mixed) // 2
    return reference_of_pages(mixed[:cut], "half of the pages"), mixed[cut:]


def least_p(report: DriftReport) -> float:
    """The smallest p-value after correction: the level at which a window would be significant."""
    return min([feature.p_value for feature in report.features] + [1.0 if report.p_value is None else report.p_value])


def false_alarms(rows: Rows, trials: int = 200) -> None:
    """Windows of the ordinary kind, of other pages than the reference."""
    rng = np.random.default_rng(1)
    reports = [compared(reference, others[:WINDOW]) for reference, others in (halves(rows, rng) for _ in range(trials))]
    said("windows of the ordinary kind", reports)


def other_writers(rows: dict[str, ReadingFeatures], trials: int = 200) -> None:
    """Windows of other writers than those of the reference, an hour a writer: with blocks, and as if without."""
    writers = writers_of(list(rows))
    names = sorted(set(writers.values()))
    rng, with_blocks, loose = np.random.default_rng(2), [], []
    for _ in range(trials):
        chosen = set(rng.permutation(names)[: len(names) // 2].tolist())
        then = [name for name in rows if writers[name] in chosen]
        now = sorted((name for name in rows if writers[name] not in chosen), key=lambda name: writers[name])
        hours = {writer: k + 0.5 for k, writer in enumerate(sorted({writers[name] for name in now}))}
        found = [rows[name] for name in now]
        blocks = [writers[name] for name in then]
        usual = Reference.of([rows[name] for name in then], blocks, "half of the writers")
        with_blocks.append(compared(usual, found, [hours[writers[name]] for name in now]))
        usual = reference_of_pages([rows[name] for name in then], "half of the writers")
        mixed = [found[k] for k in rng.permutation(len(found))]
        loose.append(compared(usual, mixed))
    said(f"windows of other writers ({len(names)} in all), an hour each", with_blocks)
    said("the same, readings taken for independent", loose)


def said(what: str, reports: list[DriftReport]) -> None:
    """Print how many windows alarmed, and how many were significant at two levels whatever the size."""
    p = np.array([least_p(report) for report in reports])
    alarms = sum(bool(report.drift) for report in reports)
    sizes = f"{np.mean([report.readings for report in reports]):.0f} readings"
    print(f"{what} ({sizes}): {alarms} alarms in {len(reports)}; p < 0.05 in {(p < 0.05).sum()}, "
          f"p < 0.001 in {(p < 0.001).sum()}", flush=True)  # fmt: skip


def delays(rows: Rows, changed: Rows, trials: int, seed: int) -> tuple[list[float], DriftReport]:
    """Readings of another kind until the first alarm, infinite where there is none; and the last alarming report."""
    found, last = [], None
    for trial in range(trials):
        rng = np.random.default_rng((seed, trial))
        reference, ordinary = halves(rows, rng)
        drawn = [changed[k] for k in rng.integers(0, len(changed), LONGEST)]
        delay = float("inf")
        for count in range(STEP, LONGEST + 1, STEP):
            report = compared(reference, (ordinary[:WINDOW] + drawn[:count])[-WINDOW:])
            if report.drift:
                delay, last = float(count), report
                break
        found.append(delay)
    assert last is not None
    return found, last


def without(rows: Rows, hidden: Sequence[str]) -> Rows:
    """The same readings, some features unknown."""
    return [
        dataclasses.replace(row, **{name: "" if name in NAMES else np.nan for name in hidden})  # type: ignore[arg-type]
        for row in rows
    ]


def detection(kinds: dict[str, Rows], trials: int, picture: Path | None) -> None:
    """The table of delays, and their plot."""
    ordinary = kinds[ORDINARY]
    tried = {kind: (ordinary, kinds[kind]) for kind in (*CHANGES, PRINTED, FRENCH)}
    for kind, name, hidden in (
        ("photographs", "photographs, gray", ("tones", "saturation")),
        (FRENCH, f"{FRENCH}, by the text alone", ("tones", "polarity", *OF_THE_IMAGE)),
    ):
        tried[name] = without(ordinary, hidden), without(kinds[kind], hidden)
    found = {}
    print("| instead of scans | pages | noticed within 200 | median delay | longest | told by |")
    print("|---|---|---|---|---|---|")
    for number, (kind, (usual, changed)) in enumerate(tried.items()):
        times, report = delays(usual, changed, trials, number)
        found[kind] = times
        seen = [t for t in times if np.isfinite(t)]
        told = ", ".join(report.drifted[:4])
        noticed = f"{len(seen)} of {trials} | {np.median(times):.0f} | {max(times):.0f}"
        print(f"| {kind} | {len(changed)} | {noticed} | {told} |", flush=True)
    if picture:
        plot(found, LONGEST, picture)


def mixtures(kinds: dict[str, Rows], trials: int) -> None:
    """Windows that hold the new kind alone, as few readings as there must be, and such where it comes now and then."""
    print("| kind | alarms where 50 of 50 are new | where 20 of 100 are | where 10 of 100 are |\n|---|---|---|---|")
    for number, kind in enumerate((*CHANGES, PRINTED, FRENCH)):
        alarms = np.zeros(3, int)
        for trial in range(trials):
            rng = np.random.default_rng((100 + number, trial))
            reference, ordinary = halves(kinds[ORDINARY], rng)
            drawn = [kinds[kind][k] for k in rng.integers(0, len(kinds[kind]), 50)]
            for column, (old, new) in enumerate(((0, 50), (80, 20), (90, 10))):
                rows = ordinary[:old] + drawn[:new]
                alarms[column] += bool(compared(reference, [rows[k] for k in rng.permutation(len(rows))]).drift)
        print(f"| {kind} | " + " | ".join(f"{count} of {trials}" for count in alarms) + " |", flush=True)


def main() -> None:
    """Print the tables, or write the references."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20, help="of each kind of drift")
    parser.add_argument("--picture", type=Path, help="write the plot of delays as PNG")
    parser.add_argument("--mixtures", action="store_true", help="windows of other mixtures instead")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print(machine())
    known = {kind: features(kind) for kind in KINDS}
    if options.mixtures:
        mixtures({kind: list(rows.values()) for kind, rows in known.items()}, options.trials)
        return
    cost()
    spent = [f.milliseconds for kind in known.values() for f in kind.values()]
    print(f"features of a page: median {np.median(spent):.1f} ms of a core, 95 % within {np.quantile(spent, 0.95):.1f}")
    ordinary = list(known[ORDINARY].values())
    start = time.process_time()
    compared(*(lambda half: (half[0], half[1][:WINDOW]))(halves(ordinary, np.random.default_rng(0))))
    print(f"a check of {WINDOW} readings: {1000 * (time.process_time() - start):.0f} ms of a core")
    false_alarms(ordinary)
    other_writers(known[ORDINARY])
    detection({kind: list(rows.values()) for kind, rows in known.items()}, options.trials, options.picture)


if __name__ == "__main__":
    main()
