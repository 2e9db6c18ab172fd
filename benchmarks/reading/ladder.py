"""The ladder: every rung from single characters to paragraphs in one table.

    python -m benchmarks.reading.ladder [--write] [BUNDLE ...]

What each rung learned from, its size, its training and its scores on val stand in its bundle, where
`text-recognizer export` has written them. Milliseconds are measured here, all rungs in one run, through
`TextRecognizer`, on pieces of a sample page: characters 256 at a time, lines 16 at a time, a paragraph or a page
(whose lines are found, not read) by itself.
--write puts the table into docs/ladder.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.documents import write_between
from benchmarks.machine import machine
from text_recognizer import TextRecognizer
from text_recognizer.recognition.bundle import BundleError, find_bundle

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "ladder.md"
MARKS = ("<!-- the table: python -m benchmarks.reading.ladder --write -->", "<!-- end of the table -->")
RUNGS = (
    "characters-mlp",
    "characters",
    "characters-resnet",
    "line-windows",
    "line-cnn",
    "line-cnn-lstm",
    "line-cnn-transformer",
    "lines",
    "paragraphs",
    "detector",
)
UNITS = {
    "characters": "character",
    "lines": "line",
    "attention-lines": "line",
    "paragraphs": "paragraph",
    "detector": "page",
}


def description(bundle: str) -> dict[str, Any]:
    """The content of a bundle's bundle.json. Raises BundleError where there is no such bundle."""
    content: dict[str, Any] = json.loads((find_bundle(bundle) / "bundle.json").read_text(encoding="utf-8"))
    return content


def pieces(unit: str) -> list[np.ndarray]:
    """What a rung is given to read: pieces of the sample letter."""
    page = np.array(Image.open(ROOT / "samples" / "letter.jpg").convert("L"))
    if unit == "page":
        return [page]
    boxes = [np.array(line.polygon) for line in TextRecognizer().read(page).lines]
    lines = [page[int(b[:, 1].min()) : int(b[:, 1].max()), int(b[:, 0].min()) : int(b[:, 0].max())] for b in boxes]
    if unit == "character":
        return [line[:, x : x + 40] for line in lines for x in range(0, line.shape[1] - 40, 20)][:256]
    if unit == "line":
        return (lines * 16)[:16]
    whole = np.concatenate(boxes)
    return [page[int(whole[:, 1].min()) : int(whole[:, 1].max()), int(whole[:, 0].min()) : int(whole[:, 0].max())]]


def milliseconds(bundle: str, task: str) -> float:
    """A reading of one character, line, paragraph or page, the median of three rounds."""
    unit = UNITS[task]
    images = pieces(unit)
    read = reader(bundle, unit)
    read(images[:1])
    times = []
    for _ in range(3):
        start = time.perf_counter()
        read(images)
        times.append(1000 * (time.perf_counter() - start) / len(images))
    return statistics.median(times)


def reader(bundle: str, unit: str) -> Callable[[list[np.ndarray]], Any]:
    """How `TextRecognizer` reads images of a unit with a bundle."""
    if unit == "character":
        return TextRecognizer(characters=bundle).read_characters
    if unit == "line":
        return TextRecognizer(lines=bundle).read_lines
    if unit == "page":
        detector = TextRecognizer(detector=bundle).detector
        return lambda images: [detector.detect(image) for image in images]
    recognizer = TextRecognizer(paragraphs=bundle)
    return lambda images: [recognizer.read_paragraph(image) for image in images]


def row(bundle: str) -> str:
    """A rung's row of the table."""
    found = description(bundle)
    provenance = found["provenance"]
    experiment = provenance["experiment"]
    data = experiment["data"]
    sources = ", ".join(data.get("pages") or dict.fromkeys(source["name"] for source in data["train"]))
    minutes = provenance.get("minutes")
    cells = (
        f"[{found['name']}](../text_recognizer/bundles/{found['name']}/README.md)",
        experiment["network"]["name"],
        sources,
        f"{provenance['parameters'] / 1e6:.2f}",
        f"{provenance['epochs']}",
        "not recorded" if minutes is None else f"{minutes:.0f}",
        score(found["scores"]),
        f"{milliseconds(bundle, found['task']):.1f} a {UNITS[found['task']]}",
    )
    return f"| {' | '.join(cells)} |"


def score(scores: dict[str, dict[str, float]]) -> str:
    """The measures of the first set, which is the one that all rungs of a kind share."""
    for name, measures in scores.items():
        return f"{name}: " + ", ".join(
            f"{measure.replace(' %', '')} {value:.2f} %" for measure, value in measures.items()
        )
    return "not measured"


def table(bundles: list[str]) -> str:
    """The table as Markdown, with the date and the machine."""
    rows = [
        "| bundle | network | data | parameters, millions | epochs | training minutes | val | ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for bundle in bundles:
        try:
            rows.append(row(bundle))
        except BundleError as error:
            print(f"left out: {error}")
    return "\n".join([*rows, "", f"Milliseconds: {machine()}."])


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="*", default=list(RUNGS), help="shipped names or folders")
    parser.add_argument("--write", action="store_true", help="into docs/ladder.md")
    options = parser.parse_args()
    text = table(options.bundles)
    print(text)
    if options.write:
        write_between(DOCUMENT, *MARKS, text)


if __name__ == "__main__":
    main()
