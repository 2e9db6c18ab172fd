"""The pictures of cost.py: cost-reading.png, cost-memory.png, cost-roofline.png."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

# Okabe and Ito, "Color Universal Design" (2008); each line has a marker of its own too.
BLUE, ORANGE, GREEN, RED, BLACK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#000000"
MARKERS = "osD^vPX*"
Table = dict[str, Any]
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "figure.dpi": 110,
    "legend.frameon": False,
}


def column(table: Table, index: int) -> np.ndarray:
    """The numbers of a column; rows that begin with a text have none."""
    return np.array([row[index] for row in table["rows"] if not isinstance(row[0], str)], float)


def reading(tables: list[Table], path: Path) -> None:
    """Lines a second against batch, width, threads; and of processes."""
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.4), layout="constrained")
    names = {"by batch": "lines in a batch", "by width": "columns of a line", "by threads": "threads of the network"}
    for axis, table, (title, name) in zip(axes, tables, names.items(), strict=False):
        for index, label, color, marker in (
            (1, "network alone", BLUE, "o"),
            (5, "and greedy decoding", GREEN, "s"),
            (6, "and language model", ORANGE, "D"),
        ):
            axis.plot(column(table, 0), column(table, index), color=color, marker=marker, label=label)
        if title != "by width":
            axis.set_xscale("log", base=2)
        axis.set_xticks(column(table, 0), [f"{value:.0f}" for value in column(table, 0)])
        axis.minorticks_off()
        axis.set(xlabel=name, ylim=(0, 1.05 * axis.get_ylim()[1]), title=title)
    axes[0].set_ylabel("lines a second")
    axes[0].legend(loc="lower right")
    _processes(axes[3], tables[3])
    figure.savefig(path)
    plt.close(figure)


def _processes(axis: Axes, table: Table) -> None:
    """Bars of one and two processes, as a share of one process with one thread."""
    places = np.arange(len(table["rows"]))
    for number, (index, label, color, hatch) in enumerate(((3, "lines", ORANGE, ""), (5, "pages", BLUE, "///"))):
        values = column(table, index) / column(table, index)[0]
        bars = axis.bar(places + 0.4 * number - 0.2, values, 0.38, color=color, hatch=hatch, ec="white", label=label)
        axis.bar_label(bars, fmt="%.2f", fontsize=8)
    labels = [f"{row[0]} process{'es' if row[0] > 1 else ''}\n{row[1]} thread{'s' if row[1] > 1 else ''}"
              for row in table["rows"]]  # fmt: skip
    axis.set_xticks(places, labels, fontsize=9)
    axis.set(title="processes, with language model", ylabel="times one process of one thread")
    axis.set_ylim(0, 1.3 * axis.get_ylim()[1])
    axis.grid(visible=False, axis="x")
    axis.legend(loc="upper left", ncols=2)


def memory(page: list[Table] | None, sustained: list[Table] | None, path: Path) -> None:
    """Peak memory against size of page, and memory in use over many pages."""
    parts = [part for part in (page, sustained) if part]
    figure, axes = plt.subplots(1, len(parts), figsize=(5.4 * len(parts), 3.6), layout="constrained", squeeze=False)
    remaining = list(axes[0])
    if page:
        axis = remaining.pop(0)
        base = next(row[3] for row in page[0]["rows"] if isinstance(row[0], str))
        axis.axhline(base, color=BLACK, linestyle="--", linewidth=1, label="models loaded, nothing read")
        axis.plot(column(page[0], 0), column(page[0], 3), color=BLUE, marker="o", label="one letter, resized")
        axis.plot(column(page[1], 1), column(page[1], 4), color=ORANGE, marker="s", label="more and more lines")
        for number, row in enumerate(page[1]["rows"]):
            place = (4, -13 if number else -26)  # the first two are near to each other
            axis.annotate(f"{row[0]} lines", (row[1], row[4]), place, textcoords="offset points", fontsize=9)
        axis.set(xlabel="megapixels of the page", ylabel="peak memory, MB", ylim=(0, 1.1 * axis.get_ylim()[1]))
        axis.set_title("one page in a new process")
        axis.legend(loc="best")
    if sustained:
        axis = remaining.pop(0)
        axis.plot(column(sustained[1], 0), column(sustained[1], 1), color=BLUE, marker="o", markersize=4)
        axis.set(xlabel="pages read", ylabel="memory in use, MB", ylim=(0, 1.1 * axis.get_ylim()[1]))
        axis.set_title("many pages, one after the other")
    figure.savefig(path)
    plt.close(figure)


def roofline(tables: list[Table], path: Path) -> None:
    """The roofs of one thread, and the parts of the line network under them."""
    figure, axis = plt.subplots(figsize=(8.5, 4.8), layout="constrained")
    _, single, peak, memory_rate, cache_rate, _ = tables[0]["rows"][0]
    parts = tables[1]
    intensities = np.logspace(-1, 3.5, 200)
    for rate, style, label in ((memory_rate, "-", "roof of integers, memory"), (cache_rate, "--", "... cache (LSTM)")):
        axis.loglog(intensities, np.minimum(peak, intensities * rate), color=BLACK, ls=style, label=label)
    axis.axhline(single, color=BLACK, linestyle=":", label="peak of float32 (head)")
    rows = [row for row in parts["rows"] if row[3] is not None]
    for row, marker in zip(rows, MARKERS, strict=False):
        color = RED if row[0].startswith("LSTM") else GREEN if row[0] == "head" else BLUE
        label = f"{row[0]}: {row[5]:.0f} % of the time"
        axis.plot(row[3], row[6], marker=marker, markersize=9, color=color, ls="", label=label)
    axis.set(xlabel="FLOP a byte", ylabel="GFLOP/s", title=parts["title"], xlim=(0.1, 3000))
    axis.set_ylim(0.01 * peak, 12 * peak)
    axis.legend(fontsize=8, loc="upper left", framealpha=0.9, ncols=2)
    figure.savefig(path)
    plt.close(figure)


def draw(parts: dict[str, list[Table]], folder: Path) -> None:
    """Draw the pictures of those parts that there are."""
    folder.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        if parts.get("reading"):
            reading(parts["reading"], folder / "cost-reading.png")
        if parts.get("memory") or parts.get("sustained"):
            memory(parts.get("memory"), parts.get("sustained"), folder / "cost-memory.png")
        if parts.get("roofline"):
            roofline(parts["roofline"], folder / "cost-roofline.png")
