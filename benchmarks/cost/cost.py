"""How cost grows: with batch, width, threads, processes, size of page, number of pages.

    python -m benchmarks.cost.cost [--only PART ...] [--quick] [--pages N] [--output FILE.json] [--from FILE.json]
        [--write FILE.md] [--plots FOLDER]

Parts: reading (lines and pages a second), memory (of one page, by its size), sustained (memory and speed over many
pages), training (a step, by batch and width), roofline (arithmetic, memory traffic and time of each part of the
networks). Prints Markdown. --output keeps what was measured; parts that the file has already are replaced, others are
left as they are. --from prints such a file, and draws its pictures, without measuring. Ctrl-C in `sustained` and
`training` ends that part with what it has; in another part it ends the run, and what was measured before stays. Linux
only; on a busy machine the numbers say little. --plots needs Matplotlib.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.documents import write_between
from benchmarks.machine import machine

# A part is measured by `measure` of its module: tables, each {"title", "header", "rows"}, of plain numbers and texts.
PARTS = {
    "reading": "cost_reading",
    "memory": "cost_memory",
    "sustained": "cost_sustained",
    "training": "cost_training",
    "roofline": "roofline",
}
Table = dict[str, Any]


def cell(value: object) -> str:
    """Numbers to three digits, those of a thousand and more without decimals."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def markdown(table: Table) -> str:
    """A table with its title."""
    rows = [table["header"], ["---"] * len(table["header"]), *table["rows"]]
    lines = [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    return "\n".join([f"**{table['title']}**", "", *lines]) + "\n"


def text(part: dict[str, Any]) -> str:
    """A part as Markdown: where and when it was measured, then its tables."""
    rough = "; a quick run, rough numbers" if part["quick"] else ""
    return "\n".join([f"{part['machine']}{rough}.\n", *(markdown(table) for table in part["tables"])])


def write(parts: dict[str, Any], path: Path) -> None:
    """Put parts into a document that has their marks, each `<!-- cost: NAME -->` and `<!-- end of cost: NAME -->`."""
    for name, part in parts.items():
        first, last = f"<!-- cost: {name} -->", f"<!-- end of cost: {name} -->"
        if first in path.read_text(encoding="utf-8"):
            write_between(path, first, last, f"\n{text(part)}")


def measured(names: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Measure and print parts one after the other, and keep each as soon as it is there."""
    parts: dict[str, Any] = {}
    for name in names:
        print(f"{name} ...", file=sys.stderr)
        settings = {"pages": options.pages} if name == "sustained" else {}
        try:
            tables = importlib.import_module(f"benchmarks.cost.{PARTS[name]}").measure(options.quick, **settings)
        except KeyboardInterrupt:
            print(f"stopped in {name}", file=sys.stderr)
            break
        parts[name] = {"machine": machine(), "quick": options.quick, "tables": tables}
        print(f"### {name}\n\n{text(parts[name])}", flush=True)
        if options.output:
            keep(options.output, parts)
    return parts


def keep(path: Path, parts: dict[str, Any]) -> None:
    """Write parts into a file beside those that it has."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(json.dumps(kept | parts, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measure, print, keep and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="few settings, few repetitions: does it run at all?")
    parser.add_argument("--pages", type=int, default=0, help="of the part `sustained`; 2,000 by default")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="keep what was measured")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE.json", help="print this, measure nothing")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="put the tables between their marks there")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw cost-*.png of what is printed")
    options = parser.parse_args()
    if options.source:
        kept = json.loads(options.source.read_text(encoding="utf-8"))
        parts = {name: kept[name] for name in PARTS if name in kept and name in options.only}
        for name, part in parts.items():
            print(f"### {name}\n\n{text(part)}")
    else:
        parts = measured(options.only, options)
        if options.output:
            parts = json.loads(options.output.read_text(encoding="utf-8"))
    if options.write:
        write(parts, options.write)
    if options.plots:
        from benchmarks.cost.cost_plots import draw

        draw({name: part["tables"] for name, part in parts.items()}, options.plots)


if __name__ == "__main__":
    main()
