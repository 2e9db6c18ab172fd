"""How far an error rate, and the difference of two, can be believed: the bootstrap over writers or pages.

Lines of one writer resemble each other, so whole writers (pages, where nobody knows the writer) are drawn with
replacement, not lines: intervals over lines would be too narrow. This is the cluster bootstrap (Davison and Hinkley,
"Bootstrap Methods and their Application", 1997, section 3.8); for speech recognition Bisani and Ney, "Bootstrap
estimates for confidence intervals in ASR performance evaluation" (ICASSP 2004), which also compares two recognisers on
the same draws, and Liu and Peng, "Statistical testing on ASR performance via blockwise bootstrap" (Interspeech 2020),
for errors that depend on each other within a block. Intervals are those of percentiles.

Many slices are judged together by the largest standardised deviation of all of them in the same draws ("max T":
Westfall and Young, "Resampling-based Multiple Testing", 1993; Romano and Wolf, Econometrica 73, 2005): slices that
overlap are not paid for twice, as with Bonferroni's correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
LEVEL = 0.95

Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A measured value, and between which two it lies at the stated level. draws: (R,) what the resamples said."""

    value: float
    low: float
    high: float
    draws: Numbers


def group_numbers(groups: Sequence[str]) -> Counts:
    """(N,): for each sample the number of its group."""
    names = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    return np.array([names[name] for name in groups], np.int64)


@lru_cache(maxsize=128)
def resampled(count: int, resamples: int = RESAMPLES, seed: int = 0) -> Counts:
    """(R, G): how often each of G groups is drawn in each of R resamples. Not to be written to."""
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    drawn.setflags(write=False)
    return drawn


def rate_draws(errors: Counts, units: Counts, groups: Counts, drawn: Counts) -> Numbers:
    """(R,): the rate of each resample: errors over units, sums over the samples (N,) of the groups that are drawn."""
    sums = [np.bincount(groups, weights=values, minlength=drawn.shape[1]) for values in (errors, units)]
    return np.asarray((drawn @ sums[0]) / np.maximum(1, drawn @ sums[1]))


def rate(errors: Counts, units: Counts) -> float:
    """Errors over units, 0 for none."""
    return float(errors.sum() / max(1, units.sum()))


def interval(value: float, draws: Numbers, level: float = LEVEL) -> Interval:
    """The interval between the percentiles of the draws."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), draws)


def worse_together(differences: Sequence[Interval], level: float = LEVEL) -> list[bool]:
    """Which of many differences (of errors: above 0 is worse) are above 0 at that level for all of them together.

    One-sided, single step. A difference that is the same in every resample counts as it is.
    """
    if not differences:
        return []
    values = np.array([found.value for found in differences])
    draws = np.stack([found.draws for found in differences])  # (K, R)
    spread = draws.std(axis=1)
    certain = spread < 1e-12
    safe = np.where(certain, 1.0, spread)
    centred = np.where(certain[:, None], 0.0, (draws - draws.mean(axis=1, keepdims=True)) / safe[:, None])
    critical = float(np.quantile(centred.max(axis=0), level))
    return [
        bool(value > 0 if sure else value / wide > critical)
        for value, wide, sure in zip(values, safe, certain, strict=True)
    ]
