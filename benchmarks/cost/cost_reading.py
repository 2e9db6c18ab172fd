"""Part `reading` of cost.py: lines and pages a second, by batch, width, threads and processes.

The network runs as reading runs it (`LineTextRecognizer.logits`), decoding is the search with the language model or the
likeliest character of each frame (`LineTextRecognizer.decode`), one thread in both cases. Medians of rounds in which
all settings take turns, so that a machine that slows down for a while slows all of them. Processes begin together and
read for a fixed time.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.cost.cost_lines import Gray, lines, page
from text_recognizer import TextRecognizer
from text_recognizer.recognition.bundle import available_cores
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

WIDTH, BATCH = 900, 16
BATCHES, WIDTHS, THREADS = (1, 2, 4, 8, 16, 32), (300, 600, 900, 1200, 1800), (1, 2, 4)
LAYOUTS = ((1, 1), (1, 2), (2, 1))  # processes, threads of each
PATIENCE = 180.0  # seconds after which no further round begins
COLUMNS = ["network: lines/s", "ms a line", "decoding: ms a line, greedy", "with language model"]
COLUMNS += ["network and decoding: lines/s, greedy", "with language model"]


@dataclass
class Setting:
    """Lines of a width, read in batches by a recogniser of some threads; milliseconds a line of each round."""

    batch: int
    width: int
    reader: LineTextRecognizer
    network: list[float] = field(default_factory=list)
    greedy: list[float] = field(default_factory=list)
    language: list[float] = field(default_factory=list)

    def round(self, number: int, count: int, silent: LineTextRecognizer, speaking: LineTextRecognizer) -> None:
        """Read new lines once; whole batches, `count` lines or a little more."""
        count = -(-count // self.batch) * self.batch
        images = lines(count, self.width, number)
        start = time.perf_counter()
        logits = self.reader.logits(images, self.batch)
        seen = time.perf_counter()
        silent.decode(logits)
        greedy = time.perf_counter()
        speaking.decode(logits)
        done = time.perf_counter()
        if number:  # the first round warms up
            self.network.append(1000 * (seen - start) / count)
            self.greedy.append(1000 * (greedy - seen) / count)
            self.language.append(1000 * (done - greedy) / count)

    def row(self) -> list[float]:
        """The figures of COLUMNS."""
        network, greedy, language = map(statistics.median, (self.network, self.greedy, self.language))
        return [1000 / network, network, greedy, language, 1000 / (network + greedy), 1000 / (network + language)]


def by_setting(quick: bool) -> list[dict[str, Any]]:
    """Tables of lines: by batch, by width, by threads."""
    default = available_cores()
    batches, widths = (BATCHES[::3], WIDTHS[::2]) if quick else (BATCHES, WIDTHS)
    readers = {threads: LineTextRecognizer(threads=threads) for threads in sorted({*THREADS, default})}
    silent, speaking = readers[default], LineTextRecognizer(language="language")
    groups: dict[str, dict[int, Setting]] = {
        "batch": {batch: Setting(batch, WIDTH, silent) for batch in batches},
        "width, columns": {width: Setting(BATCH, width, silent) for width in widths},
        "threads": {threads: Setting(BATCH, WIDTH, readers[threads]) for threads in THREADS},
    }
    settings = [setting for group in groups.values() for setting in group.values()]
    start = time.perf_counter()
    for number in range(3 if quick else 8):
        if number < 3 or time.perf_counter() - start < PATIENCE:
            for setting in settings:
                setting.round(number, 8 if quick else 32, silent, speaking)
    titles = (
        f"Lines of {WIDTH} columns, {default} threads, by batch",
        f"Batches of {BATCH}, {default} threads, by width",
        f"Batches of {BATCH} lines of {WIDTH} columns, by threads of the network",
    )
    return [
        {"title": title, "header": [name, *COLUMNS], "rows": [[key, *group[key].row()] for key in group]}
        for title, (name, group) in zip(titles, groups.items(), strict=True)
    ]


def rate(unit: str, language: str, processes: int, threads: int, seconds: float) -> float:
    """Lines or pages a second of several processes together, each of some threads."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes), context.Queue()
    arguments = (unit, language, threads, seconds, barrier, results)
    children = [context.Process(target=_read, args=(number, *arguments), daemon=True) for number in range(processes)]
    for child in children:
        child.start()
    rates = [results.get(timeout=300) for _ in children]
    for child in children:
        child.join()
    return sum(rates)


def _read(number: int, unit: str, language: str, threads: int, seconds: float, barrier: Any, results: Any) -> None:
    """What a process does: get ready, wait for the others, read for some seconds, say how much a second."""
    import cv2

    cv2.setNumThreads(threads)
    recognizer, letter = TextRecognizer(threads=threads, language=language), page()
    reader = recognizer.line_reader
    assert isinstance(reader, LineTextRecognizer)

    def work(turn: int) -> int:
        if unit == "page":
            recognizer.read(_shifted(letter, turn))
            return 1
        reader.decode(reader.logits(lines(BATCH, WIDTH, 1000 * number + turn), BATCH))
        return BATCH

    work(0)
    barrier.wait()
    start, turn, done = time.perf_counter(), 0, 0
    while time.perf_counter() - start < seconds:
        turn += 1
        done += work(turn)
    results.put(done / (time.perf_counter() - start))


def _shifted(letter: Gray, turn: int) -> Gray:
    """The page without a few of its first rows and columns: another one, as long to read."""
    return letter[turn % 7 :, turn % 11 :]


def by_processes(quick: bool) -> dict[str, Any]:
    """A table of lines and of whole pages in one and in two processes."""
    columns = [(unit, language) for unit in ("line", "page") for language in ("none", "language")]
    rounds: list[list[list[float]]] = []  # round, layout, column
    start = time.perf_counter()
    while len(rounds) < (1 if quick else 3) and (not rounds or time.perf_counter() - start < PATIENCE):
        rounds.append([[rate(*column, *layout, 2.0 if quick else 5.0) for column in columns] for layout in LAYOUTS])
    medians = np.median(rounds, axis=0).tolist()
    header = ["processes", "threads of each", "lines/s, greedy", "with language model", "pages/s, greedy"]
    title = f"Lines of {WIDTH} columns in batches of {BATCH}, and pages (samples/letter.jpg), all processes together"
    return {
        "title": title,
        "header": [*header, "with language model"],
        "rows": [[*layout, *values] for layout, values in zip(LAYOUTS, medians, strict=True)],
    }


def measure(quick: bool) -> list[dict[str, Any]]:
    """The tables of this part."""
    return [*by_setting(quick), by_processes(quick)]
