"""Whether two samples come from one distribution: tests without SciPy, which serving does without.

The classifier two-sample test: what a classifier can tell apart is not of one distribution.

Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests" (2017), with a logistic regression on the features and
their squares. Each half of the readings is told apart by what was learned from the other half.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


Matrix = NDArray[np.float64]
_MOST = 1000  # rows of a sample: more only take longer
_RIDGE = 3.0  # prior weight against large coefficients
_STEPS = 12  # of Newton's method
_FAR = 4.0  # standard deviations; what lies further counts as that far


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


@dataclass(frozen=True)
class Separation:
    """How well the samples are told apart: area under the ROC curve (0.5: not at all), and how likely that is of one
    distribution."""

    area: float
    p_value: float


def separation(
    first: Matrix, second: Matrix, first_blocks: Sequence[Hashable], second_blocks: Sequence[Hashable]
) -> Separation | None:
    """Whether rows of features (N, F) and (M, F) can be told apart; NaN is replaced by what is usual.

    Rows of one block are alike: they never are in both folds, and count as fewer. None where a fold has too few rows.
    """
    features, seed = _comparable(first, second), np.random.default_rng(0)
    sides, blocks = [], []
    for sample, names in zip(features, (first_blocks, second_blocks), strict=True):
        chosen = np.sort(seed.permutation(len(sample))[:_MOST])
        sides.append(sample[chosen])
        blocks.append([names[k] for k in chosen])
    folds = [_first_fold(names, seed) for names in blocks]
    if min(int(fold.sum()) for pair in folds for fold in (pair, ~pair)) < 5:
        return None
    found = []
    for learned in (True, False):
        weights = _fit(*(side[fold == learned] for side, fold in zip(sides, folds, strict=True)))
        scores = [side[fold != learned] @ weights for side, fold in zip(sides, folds, strict=True)]
        groups = [[b for b, f in zip(names, fold, strict=True) if f != learned]
                  for names, fold in zip(blocks, folds, strict=True)]  # fmt: skip
        sizes = [effective_size(score, group) for score, group in zip(scores, groups, strict=True)]
        area = area_under_curve(*scores)
        found.append((area, rank_sum_p_value(area, *sizes)))
    # Bonferroni: the two folds' p-values depend on each other.
    return Separation(float(np.mean([area for area, _ in found])), min(1.0, 2 * min(p for _, p in found)))


def _first_fold(blocks: Sequence[Hashable], seed: np.random.Generator) -> NDArray[np.bool_]:
    """Which rows are of the first fold; blocks stay whole."""
    names = list(dict.fromkeys(blocks))
    chosen = {names[k] for k in seed.permutation(len(names))[: len(names) // 2]}
    return np.array([block in chosen for block in blocks])


def _comparable(first: Matrix, second: Matrix) -> tuple[Matrix, Matrix]:
    """Features in standard deviations of all rows, then their squares, and a one; both samples are treated alike."""
    both = np.vstack([first, second])
    known = np.isfinite(both)
    usual = np.array([np.median(c[k]) if k.any() else 0.0 for c, k in zip(both.T, known.T, strict=True)])
    filled = np.where(known, both, usual)
    spread = filled.std(axis=0)
    scaled = ((filled - filled.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).clip(-_FAR, _FAR)
    rows = np.hstack([scaled, scaled**2 - 1, np.ones((len(scaled), 1))])
    return rows[: len(first)], rows[len(first) :]


def _fit(first: Matrix, second: Matrix) -> NDArray[np.float64]:
    """Weights (F,) of a logistic regression that is positive for the second sample; both samples count alike."""
    rows = np.vstack([first, second])
    sizes = np.repeat([len(first), len(second)], [len(first), len(second)])
    counted = len(rows) / (2 * sizes)
    target = np.repeat([0.0, 1.0], [len(first), len(second)])
    weights = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-(rows @ weights).clip(-30, 30)))
        slope = rows.T @ (counted * (chance - target)) + _RIDGE * weights
        curvature = (rows * (counted * chance * (1 - chance))[:, None]).T @ rows + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curvature, slope)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return weights
