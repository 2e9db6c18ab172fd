"""The classifier two-sample test: what a classifier can tell apart is not of one distribution.

Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests" (2017), with a logistic regression on the features and
their squares. Each half of the readings is told apart by what was learned from the other half.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from text_recognizer.service.monitoring.two_samples import area_under_curve, effective_size, rank_sum_p_value

Matrix = NDArray[np.float64]
_MOST = 1000  # rows of a sample: more only take longer
_RIDGE = 3.0  # prior weight against large coefficients
_STEPS = 12  # of Newton's method
_FAR = 4.0  # standard deviations; what lies further counts as that far


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

    Rows of one block are alike: they never are in both halves, and count as fewer. None where a half has too few rows.
    """
    features, seed = _comparable(first, second), np.random.default_rng(0)
    sides, blocks = [], []
    for sample, names in zip(features, (first_blocks, second_blocks), strict=True):
        chosen = np.sort(seed.permutation(len(sample))[:_MOST])
        sides.append(sample[chosen])
        blocks.append([names[k] for k in chosen])
    halves = [_halves(names, seed) for names in blocks]
    if min(int(half.sum()) for pair in halves for half in (pair, ~pair)) < 5:
        return None
    found = []
    for learned in (True, False):
        weights = _fit(*(side[half == learned] for side, half in zip(sides, halves, strict=True)))
        scores = [side[half != learned] @ weights for side, half in zip(sides, halves, strict=True)]
        groups = [[b for b, h in zip(names, half, strict=True) if h != learned]
                  for names, half in zip(blocks, halves, strict=True)]  # fmt: skip
        sizes = [effective_size(score, group) for score, group in zip(scores, groups, strict=True)]
        area = area_under_curve(*scores)
        found.append((area, rank_sum_p_value(area, *sizes)))
    # Bonferroni: the two halves' p-values depend on each other.
    return Separation(float(np.mean([area for area, _ in found])), min(1.0, 2 * min(p for _, p in found)))


def _halves(blocks: Sequence[Hashable], seed: np.random.Generator) -> NDArray[np.bool_]:
    """Which rows are of the first half; blocks stay whole."""
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
