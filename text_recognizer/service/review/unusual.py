"""Whether one page lies far outside of what is usual, and in which of its features.

Drift is told of many pages together (`monitoring.drift`); a person looks at one. A number is measured by how far it
lies outside the middle 80 % of the reference, in widths of that middle: of a normal distribution, a width is 2.6
standard deviations, so that a width outside of it is 3.8 from the mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from text_recognizer.service.monitoring.features import NOT_COMPARED, OF_THE_MODEL, ReadingFeatures
from text_recognizer.service.monitoring.reference import Reference

FAR = 1.0  # widths outside, and beyond all that the reference has: a page unlike the usual
FAR_IN_DRIFT = 0.25  # widths outside, of a feature that drifted while the page was read
RARE, RARE_IN_DRIFT = 0.01, 0.1  # of a feature that is a name: its share in the reference, the same two ways


@dataclass(frozen=True)
class DriftWindow:
    """A window of readings of which an alert told, and the features that had drifted in it."""

    start: datetime
    end: datetime
    features: Sequence[str]


@dataclass(frozen=True)
class Unusual:
    """Names of the features in which a page lies far outside, the farthest first. strange: of the reference.
    drifting: those that drifted, with the page, in the window of an alert."""

    strange: tuple[str, ...] = ()
    drifting: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.strange or self.drifting)


def unusual(features: ReadingFeatures, reference: Reference, windows: Iterable[DriftWindow] = ()) -> Unusual:
    """In what a page is unusual; in nothing where it cannot be compared: the crop of a line, or another version."""
    if (features.unit, features.version) != (reference.unit, reference.version):
        return Unusual()
    far = {name: _distance(name, features, reference) for name in _compared(reference)}
    strange = [name for name, (widths, beyond) in far.items() if widths >= FAR and beyond]
    drifted = {name for w in windows if w.start <= features.created <= w.end for name in w.features}
    drifting = [name for name in drifted & far.keys() if far[name][0] >= FAR_IN_DRIFT]

    def farthest(names: list[str]) -> tuple[str, ...]:
        return tuple(sorted(names, key=lambda name: (-far[name][0], name)))

    return Unusual(farthest(strange), farthest(drifting))


def _compared(reference: Reference) -> set[str]:
    return (reference.quantiles.keys() | reference.sample.names.keys()) - NOT_COMPARED - OF_THE_MODEL


def _distance(name: str, features: ReadingFeatures, reference: Reference) -> tuple[float, bool]:
    """How many widths a feature lies outside, and whether it lies beyond all that the reference has."""
    value = getattr(features, name, math.nan)
    if name in reference.sample.names:
        return _rarity(str(value), reference.sample.names[name].tolist())
    if not math.isfinite(value):
        return 0.0, False
    least, low, *_, high, most = reference.quantiles[name]
    width = high - low or most - least or 0.1 * abs(high) or 0.1  # where all were the same, a tenth of it
    return max(0.0, low - value, value - high) / width, not least <= value <= most


def _rarity(value: str, usual: Sequence[str]) -> tuple[float, bool]:
    known = [kind for kind in usual if kind]
    share = known.count(value) / len(known) if value and known else 1.0
    return (FAR if share < RARE else FAR_IN_DRIFT if share < RARE_IN_DRIFT else 0.0), share < RARE
