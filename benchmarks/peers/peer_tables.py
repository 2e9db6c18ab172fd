"""What benchmarks/peers/peers.py measured, as Markdown tables and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Okabe and Ito's colours, which colour-blind people tell apart.
COLOURS = {
    "ours": "#0072B2",
    "ours-greedy": "#56B4E9",
    "tesseract": "#D55E00",
    "rapidocr": "#009E73",
    "easyocr": "#CC79A7",
    "kraken": "#000000",
}
_MARKERS = {"IAM": "o", "Copiste": "s"}


def tables(result: dict[str, Any]) -> str:
    """Markdown: a table a set, headed by the machine, and who was left out."""
    parts = [result["machine"]]
    for found in result["sets"]:
        other = "WER %" if found["unit"] == "line" else "lines found %"
        head = f"| {found['name']}, {found['count']} | CER % | {other} | ms, median | mean | x Tesseract | "
        rows = [head + "processor ms | load s | peak MB |", "|---|---|---|---|---|---|---|---|---|"]
        rows += [_row(system, found["systems"].get("tesseract")) for system in found["systems"].values()]
        parts.append("\n".join(rows))
    parts += [f"Skipped: {name}: {why}" for name, why in result["skipped"].items()]
    return "\n\n".join(parts)


def _row(system: dict[str, Any], tesseract: dict[str, Any] | None) -> str:
    cells = [
        system["title"],
        "-" if system["cer"] is None else f"{system['cer']:.1f}",
        f"{system['wer'] if 'wer' in system else system['found']:.1f}",
        f"{system['median']:.0f}",
        f"{system['mean']:.0f}",
        "-" if tesseract is None else f"{system['median'] / tesseract['median']:.2f}",
        f"{system['processor']:.0f}",
        f"{system['load']:.1f}",
        f"{system['peak']:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def plot(result: dict[str, Any], path: Path) -> None:
    """Error rate against milliseconds an image, lines and pages side by side."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot, ticker
    from matplotlib.patches import Patch

    figure, panels = pyplot.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
    titles: dict[str, str] = {}
    for panel, unit in zip(panels, ("line", "page"), strict=True):
        for found in (found for found in result["sets"] if found["unit"] == unit):
            marker = next(marker for name, marker in _MARKERS.items() if found["name"].startswith(name))
            read = {name: system for name, system in found["systems"].items() if system["cer"] is not None}
            for name, system in read.items():
                titles[name] = system["title"]
                panel.plot(
                    system["median"], system["cer"], marker, color=COLOURS[name], markersize=9, markeredgecolor="white"
                )
        panel.set(xscale="log", xlabel=f"median milliseconds a {unit}, logarithmic", title=f"{unit}s")
        panel.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 3)))
        panel.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
        panel.xaxis.set_minor_formatter(ticker.NullFormatter())
        panel.margins(x=0.12)
        panel.grid(alpha=0.3)
    panels[0].set_ylim(bottom=0)  # of both: they share the axis
    panels[0].set_ylabel("CER %, less is better")
    shapes = [pyplot.Line2D([], [], ls="", marker=m, color="grey", label=f"{n} val") for n, m in _MARKERS.items()]
    systems = [Patch(color=COLOURS[name], label=titles[name]) for name in COLOURS if name in titles]
    figure.legend(handles=[*systems, *shapes], loc="outside right center", frameon=False)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
