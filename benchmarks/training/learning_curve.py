"""A learning curve as an SVG: error against lines given, the old test kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

_LEFT, _TOP, _WIDTH, _HEIGHT = 56, 40, 440, 270
_COLORS = ("#1f5fbf", "#b00020", "#2e7d32", "#8a5a00", "#6a1b9a", "#00838f", "#555555")
_OLD = "Copiste val"


def curve_svg(results: Sequence[dict[str, Any]]) -> str:
    """Greedy CER of each writer's test lines, and of the old test (dashed), against the lines that were given.

    results: rows with "writer", "lines" and the scores "before" and "after", as `fine_tuning.py` keeps them.
    """
    curves: dict[str, list[tuple[int, float]]] = {}
    for row in sorted(results, key=lambda row: (row["writer"], row["lines"])):
        points = curves.setdefault(row["writer"], [(0, row["before"]["own"]["greedy"]["cer"])])
        points.append((row["lines"], row["after"]["own"]["greedy"]["cer"]))
    old = [
        (0, results[0]["before"]["old"]["greedy"]["cer"]),
        *((row["lines"], row["after"]["old"]["greedy"]["cer"]) for row in results),
    ]
    curves[_OLD] = [(lines, _mean([cer for at, cer in old if at == lines])) for lines in sorted({at for at, _ in old})]
    most = max(lines for points in curves.values() for lines, _ in points)
    top = 10 * math.ceil(max(cer for points in curves.values() for _, cer in points) / 10)
    drawn = "".join(
        _curve(name, points, most, top, number) for number, (name, points) in enumerate(sorted(curves.items()))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="660" height="380" font-family="sans-serif" font-size="13">'
        '<rect width="660" height="380" fill="white"/>'
        f'<text x="{_LEFT}" y="22">CER % on other lines of the writer, letter by letter</text>'
        f"{_axes(most, top)}{drawn}</svg>\n"
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _place(lines: int, cer: float, most: int, top: float) -> tuple[float, float]:
    """The root of the lines to the right, so that few and many can be told apart."""
    return _LEFT + _WIDTH * math.sqrt(lines / most), _TOP + _HEIGHT * (1 - cer / top)


def _axes(most: int, top: float) -> str:
    parts = []
    for percent in range(0, int(top) + 1, 10):
        y = _place(0, percent, most, top)[1]
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_LEFT + _WIDTH}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{percent}</text>')
    ticks = [0, *(lines for lines in (20, 50, 100, 200, 500, 1000, 2000, 5000) if lines <= 1.1 * most)]
    for lines in ticks:
        x = _place(lines, 0, most, top)[0]
        parts.append(f'<text x="{x:.1f}" y="{_TOP + _HEIGHT + 20}" text-anchor="middle">{lines}</text>')
    parts.append(f'<text x="{_LEFT + _WIDTH / 2}" y="{_TOP + _HEIGHT + 44}" text-anchor="middle">lines given</text>')
    return "".join(parts)


def _curve(name: str, points: list[tuple[int, float]], most: int, top: float, number: int) -> str:
    """One curve, and its name in the legend."""
    color, dash = _COLORS[number % len(_COLORS)], ' stroke-dasharray="6 4"' if name == _OLD else ""
    places = [_place(lines, cer, most, top) for lines, cer in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in places)
    x, y = _LEFT + _WIDTH + 24, _TOP + 12 + 22 * number
    return (
        f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"{dash}/>{dots}'
        f'<line x1="{x}" y1="{y - 4}" x2="{x + 26}" y2="{y - 4}" stroke="{color}" stroke-width="2"{dash}/>'
        f'<text x="{x + 34}" y="{y}">{name}</text>'
    )
