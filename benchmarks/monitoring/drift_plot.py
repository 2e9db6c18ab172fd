"""The picture of drift.py: readings from the change to the first alarm, of every trial, kind by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.cost.cost_plots import BLACK, BLUE, STYLE


def plot(delays: Mapping[str, Sequence[float]], longest: int, path: Path) -> None:
    """delays: kind -> readings until the first alarm in each trial; infinite ones are drawn at the right edge."""
    mpl.rcParams.update(STYLE)
    figure, axis = plt.subplots(figsize=(8, 0.36 * len(delays) + 0.9), layout="constrained")
    for row, times in enumerate(delays.values()):
        values, counts = np.unique(np.minimum(times, longest), return_counts=True)
        axis.plot(values[[0, -1]], [row, row], color=BLUE, alpha=0.4)
        axis.scatter(values, np.full(len(values), row), s=12 * counts, color=BLUE, alpha=0.7, lw=0)
        axis.plot(np.median(times), row, "|", color=BLACK, markersize=14, markeredgewidth=2)
    axis.set_yticks(range(len(delays)), list(delays))
    axis.invert_yaxis()
    axis.set(xlim=(0, longest), xlabel="readings since the change until the alarm (area: trials; bar: their median)")
    figure.savefig(path)
    plt.close(figure)
