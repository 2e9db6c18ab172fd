"""Whether two samples come from one distribution: tests without SciPy, which serving does without."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def ks_distance(first: Numbers, second: Numbers) -> float:
    """The Kolmogorov-Smirnov statistic of samples (N,) and (M,): the largest distance of their distributions, 0..1."""
    first, second = np.sort(first), np.sort(second)
    places = np.concatenate([first, second])
    shares = (np.searchsorted(sample, places, side="right") / len(sample) for sample in (first, second))
    return float(np.abs(np.subtract(*shares)).max())


def ks_p_value(distance: float, first: float, second: float) -> float:
    """How likely a distance as large is, of samples of sizes first and second from one distribution.

    Kolmogorov's limit with the correction of Stephens (1970) for finite samples. Ties make it smaller than it says.
    """
    root = math.sqrt(first * second / (first + second))
    x = (root + 0.12 + 0.11 / root) * distance
    if x < 0.2:
        return 1.0
    if x < 1.2:  # where the other series converges slowly
        terms = (math.exp(-(((2 * k - 1) * math.pi / x) ** 2) / 8) for k in range(1, 6))
        return min(1.0, max(0.0, 1 - math.sqrt(2 * math.pi) / x * math.fsum(terms)))
    return min(1.0, 2 * math.fsum((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 20)))


def fisher_p_value(first: int, of_first: int, second: int, of_second: int) -> float:
    """Fisher's exact test, two-sided: whether `first` of `of_first` and `second` of `of_second` are of one share.

    Where chi-square's approximation fails, for a kind that was hardly ever seen, this one holds.
    """
    total, drawn = of_first + of_second, first + second
    low, high = max(0, drawn - of_second), min(drawn, of_first)
    ways = np.array([_log_choose(of_first, k) + _log_choose(of_second, drawn - k) for k in range(low, high + 1)])
    chances = np.exp(ways - _log_choose(total, drawn))
    return float(min(1.0, chances[chances <= chances[first - low] * (1 + 1e-7)].sum()))


def _log_choose(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)


def rank_sum_p_value(area: float, first: float, second: float) -> float:
    """How likely scores separate samples of one distribution as well, by Mann and Whitney: one-sided, from the area
    under the ROC curve, 0.5 where they do not at all."""
    deviation = math.sqrt((first + second + 1) / (12 * first * second))
    return 0.5 * math.erfc((area - 0.5) / deviation / math.sqrt(2))


def area_under_curve(low: Numbers, high: Numbers) -> float:
    """How often a score of `high` (M,) is above one of `low` (N,), a tie counting half."""
    ordered = np.sort(low)
    below, upto = (np.searchsorted(ordered, high, side=side) for side in ("left", "right"))
    return float((below + upto).mean() / 2 / len(low))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, each as large as it must be for all of them together to have the level of one (Holm, 1979)."""
    order = np.argsort(p_values, kind="stable")
    raised = np.maximum.accumulate(np.asarray(p_values, float)[order] * np.arange(len(order), 0, -1)).clip(max=1.0)
    result = np.empty(len(order))
    result[order] = raised
    return result.tolist()


def stability_index(expected: Numbers, counts: Numbers, size: float, now: float) -> float:
    """The population stability index of counts in bins (B,) against the shares (B,) expected, less what chance alone
    adds where samples are of sizes `size` (the expected) and `now`; never below 0. 0.1 is taken for little, 0.25 for
    much.
    """
    bins = len(expected)
    then = (expected * size + 0.5) / (size + 0.5 * bins)
    found = (counts / max(1.0, counts.sum()) * now + 0.5) / (now + 0.5 * bins)
    index = float(((found - then) * np.log(found / then)).sum())
    return max(0.0, index - (bins - 1) * (1 / size + 1 / now))


def effective_size(values: Numbers, blocks: Sequence[Hashable]) -> float:
    """How many independent values tell as much as these (N,), of which those of one block are alike.

    Kish's design effect, with the intraclass correlation of a one-way analysis of variance of ranks. With one block, or
    a block for each value, it is N: nothing can be told, or nothing is shared.
    """
    size = len(values)
    _, block = np.unique(np.array([hash(b) for b in blocks]), return_inverse=True)
    sizes = np.bincount(block).astype(float)
    groups = len(sizes)
    if groups < 2 or groups == size:
        return float(size)
    _, places, repeats = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(repeats) - (repeats - 1) / 2)[places]
    means = np.bincount(block, ranks) / sizes
    between = float((sizes * (means - ranks.mean()) ** 2).sum()) / (groups - 1)
    within = float(((ranks - means[block]) ** 2).sum()) / (size - groups)
    usual = (size - float((sizes**2).sum()) / size) / (groups - 1)
    spread = between + (usual - 1) * within
    alike = min(1.0, max(0.0, (between - within) / spread)) if spread > 0 else 0.0
    return size / (1 + (float((sizes**2).sum()) / size - 1) * alike)
