"""The report of a suite: one HTML file that needs no other, with pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from text_recognizer.atomic_files import write_file
from text_recognizer.learning.evaluation.calibration import reliability_diagram
from text_recognizer.learning.evaluation.suites.bootstrap import RESAMPLES, Interval
from text_recognizer.learning.evaluation.suites.comparison import Row
from text_recognizer.learning.evaluation.suites.run import SuiteResult
from text_recognizer.learning.report_page import picture_url, render

_WORST, _CONFUSIONS = 20, 25
_WIDEST = 900  # pixels of a picture
_BAR, _BAR_HEIGHT = 160, 14  # pixels of the bar of a difference
_NOTHING, _SPACE = "(nothing)", "(space)"


def write_report(path: Path, results: Sequence[SuiteResult], refusals: Sequence[str]) -> None:
    """Write the report. refusals: why the model is refused; none where it passes. Raises OSError."""
    first = results[0]
    tested = ", ".join(result.suite.identity for result in results)
    html = render(
        Path(__file__).with_name("report.html"),
        title=f"{first.identity}: {first.slot}",
        about=f"Tested by {tested}",
        verdict=f"Refused: {len(refusals)} reason{'s' if len(refusals) != 1 else ''}" if refusals else "Passed",
        refusals=refusals,
        results=results,
        resamples=f"{RESAMPLES:,}",
        percent=_percent,
        bar=_bar,
        picture=_picture,
        marked=_marked,
        reliability=_reliability,
        confusions=confusions,
        worst=_worst,
    )
    write_file(path, html)


def confusions(result: SuiteResult, most: int = _CONFUSIONS) -> list[tuple[str, str, int]]:
    """What was written, what was read instead, and how often; the most frequent first."""
    counted: Counter[tuple[str, str]] = Counter()
    for samples in result.samples:
        for truth, text in zip(samples.truths, samples.texts, strict=True):
            for edit in Levenshtein.editops(truth, text):
                written = truth[edit.src_pos] if edit.tag != "insert" else _NOTHING
                read = text[edit.dest_pos] if edit.tag != "delete" else _NOTHING
                counted[written, read] += 1
    return [(_visible(written), _visible(read), count) for (written, read), count in counted.most_common(most)]


def _visible(character: str) -> str:
    return _SPACE if character == " " else character


def _worst(result: SuiteResult) -> list[dict[str, Any]]:
    """The samples with the most errors, with their pictures."""
    measure = next(iter(result.samples[0].errors)) if result.samples else ""
    ranked = sorted(
        (-int(samples.errors[measure][0][index]), number, index)
        for number, samples in enumerate(result.samples)
        for index in range(len(samples.names))
    )
    rows = []
    for minus, number, index in ranked[:_WORST]:
        samples = result.samples[number]
        if not minus or samples.image is None:
            break
        rows.append(
            {
                "picture": _picture(samples.image(index)),
                "set": samples.set,
                "name": samples.names[index],
                "errors": -minus,
                "units": int(samples.errors[measure][1][index]),
                "truth": samples.truths[index] if samples.truths else None,
                "text": samples.texts[index] if samples.texts else "",
            }
        )
    return rows


def _reliability(result: SuiteResult) -> list[str]:
    diagrams = [
        reliability_diagram(samples.sure, samples.right, samples.set) for samples in result.samples if len(samples.sure)
    ]
    return [_picture(np.array(diagram.convert("RGB"))) for diagram in diagrams]


def _marked(truth: str, text: str) -> Markup:
    """What is written, and below it what was read, marked where they differ."""
    above, below = [], []
    for edit in Levenshtein.opcodes(truth, text):
        was, now = truth[edit.src_start : edit.src_end], text[edit.dest_start : edit.dest_end]
        wrong = edit.tag != "equal"
        above.append(Markup("<del>{}</del>").format(was) if wrong and was else escape(was))
        below.append(Markup("<ins>{}</ins>").format(now) if wrong and now else escape(now))
    return Markup("").join(above) + Markup("<br>") + Markup("").join(below)


def _percent(found: Interval | None) -> Markup:
    """A value with its interval."""
    if found is None:
        return Markup("")
    return Markup('{:.2f} <span class="muted">({:.2f} to {:.2f})</span>').format(
        100 * found.value, 100 * found.low, 100 * found.high
    )


def _bar(row: Row, rows: Sequence[Row]) -> Markup:
    """The difference as a dot and its interval as a line, on one scale for all rows, 0 in the middle."""
    if row.difference is None:
        return Markup("")
    ends = [abs(end) for other in rows if other.difference for end in (other.difference.low, other.difference.high)]
    scale = (_BAR / 2 - 4) / max(1e-6, float(np.quantile(ends, 0.95)))

    def at(value: float) -> float:
        return float(np.clip(_BAR / 2 + scale * value, 2, _BAR - 2))

    kind = "not" if row.unjudged else "worse" if row.worse else "judged"
    low, middle, high = at(row.difference.low), at(row.difference.value), at(row.difference.high)
    return Markup(
        '<svg width="{w}" height="{h}" role="img" aria-label="difference"><line x1="{m}" x2="{m}" y2="{h}" '
        'class="zero"/><rect class="{kind}" x="{low:.1f}" y="6" width="{wide:.1f}" height="2"/>'
        '<circle class="{kind}" cx="{at:.1f}" cy="7" r="4"/></svg>'
    ).format(w=_BAR, h=_BAR_HEIGHT, m=_BAR / 2, kind=kind, low=low, wide=max(1.0, high - low), at=middle)


def _picture(image: NDArray[np.uint8]) -> str:
    """An image (H, W) or (H, W, 3) as a data URL, reduced where it is large."""
    return picture_url(image, _WIDEST, _WIDEST)[0]
