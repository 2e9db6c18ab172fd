"""Whether choosing lines to label beats taking them by chance.

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.labeling.active_learning [--write]

The bundle `open` has not seen IAM. Lines are chosen from writers of IAM train as `label next` chooses them, by what
`open` reads; it learns from them with their true text (`active_learner.Learner`, a stand-in for fine-tuning the whole
network), and is measured on other pages of the same writers, and on writers that are not in the pool. Three kinds of
pool: a thousand lines of many writers, drawn anew in each repetition; the lines of one writer, who is then the
repetition; 150 lines of many writers, drawn anew, among 350 of hands that `open` knows (Copiste), or among 250, when
others of them are learned from beside what was chosen, as many as that is. All strategies of a repetition choose from
the same lines.

Runs are kept in the cache as they end, and go on where they stopped. --write puts the tables into
docs/active-learning.md.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.documents import write_between
from benchmarks.labeling.active_learner import Learner, Seen
from benchmarks.labeling.active_lines import PoolLine, pool_lines
from benchmarks.labeling.active_tables import (
    BUDGETS,
    MEAN,
    POOL,
    REPETITIONS,
    TABLES,
    Run,
    candidates,
    cer,
    doubts,
    table,
)
from benchmarks.machine import machine
from text_recognizer.labeling.active_learning import STRATEGIES, Budget, choose
from text_recognizer.paths import cache_dir

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "active-learning.md"
MARKS = ("<!-- the tables: python -m benchmarks.labeling.active_learning --write -->", "<!-- end of the tables -->")
RUNS = "runs.jsonl"
NEW = 150  # lines of new hands in a mixed pool
REHEARSAL = 100  # lines that `open` knows and that are kept out of a pool, to be learned from beside it
ONE = tuple(f"iam-{number}" for number in (*range(150, 156), "000"))
MEASURED = 200  # lines of each set that is measured, at most


def planned() -> Iterator[Run]:
    """All runs, in an order in which what is there at any time compares all strategies. "none": nothing was learned."""
    for pool, unit in TABLES.values():
        for repetition in range(REPETITIONS[pool, unit]):
            yield Run(pool, repetition, unit, 0, "none")
            for budget in BUDGETS[pool, unit]:
                yield from (Run(pool, repetition, unit, budget, strategy) for strategy in STRATEGIES)


class Ground:
    """The lines, and what measuring needs, computed when it is first asked for."""

    def __init__(self) -> None:
        self.lines = pool_lines()
        self.learner = Learner(self.lines)
        self._seen: dict[str, Seen] = {}

    def pool(self, run: Run) -> list[PoolLine]:
        """The lines to choose from."""
        lines = [line for line in self.lines if line.part == "pool"]
        if run.pool == "one":
            return [line for line in lines if line.writer == ONE[run.repetition]]
        drawn = random.Random(run.repetition)
        if run.pool in ("mixed", "rehearsed"):
            known = [line for line in self.lines if line.part == "known"]
            return drawn.sample(lines, NEW) + known[: -REHEARSAL if run.pool == "rehearsed" else None]
        return drawn.sample(lines, POOL)

    def rehearsal(self, run: Run, count: int) -> list[PoolLine]:
        """As many lines that `open` learned from, none of the pool, for pools that are learned from with them."""
        if run.pool != "rehearsed":
            return []
        return random.Random(run.repetition).sample([x for x in self.lines if x.part == "known"][-REHEARSAL:], count)

    def measured(self, part: str, writer: str = "") -> Seen:
        """The lines to measure on."""
        key = f"{part} {writer}"
        if key not in self._seen:
            lines = [line for line in self.lines if line.part == part and writer in ("", line.writer)]
            drawn = random.Random(0).sample(lines, min(MEASURED, len(lines)))
            self._seen[key] = self.learner.see(drawn)
        return self._seen[key]


def chosen(run: Run, pool: Sequence[PoolLine]) -> list[PoolLine]:
    """The lines that a strategy takes; what they cost is counted in the characters of their true texts."""
    if run.unit == "lines":
        numbers = choose(candidates(pool), run.strategy, Budget(run.budget), seed=run.repetition)
        return [pool[number] for number in numbers]
    budget = Budget(characters=2 * MEAN * run.budget)  # more than enough: readings may be shorter than texts
    taken, left = [], MEAN * run.budget
    for number in choose(candidates(pool), run.strategy, budget, seed=run.repetition):
        if len(pool[number].text) <= left:
            taken.append(pool[number])
            left -= len(pool[number].text)
        if left < MEAN // 2:
            break
    return taken


def result(run: Run, ground: Ground) -> Run:
    """The run with its outcome."""
    learner = ground.learner
    taken = [] if run.strategy == "none" else chosen(run, ground.pool(run))
    learned = learner.learn(learner.see(taken + ground.rehearsal(run, len(taken))), run.repetition)
    writer = ONE[run.repetition] if run.pool == "one" else ""
    same = learner.errors(learned, ground.measured("same", writer))
    other = {"many": "unseen", "mixed": "known-val", "rehearsed": "known-val"}.get(run.pool)
    unseen = learner.errors(learned, ground.measured(other)) if other else (0, 0)
    characters = sum(len(line.text) for line in taken)
    return Run(*run.key, len(taken), characters, same, unseen)  # type: ignore[arg-type]


def stored(path: Path) -> dict[tuple[object, ...], Run]:
    """The runs that ended before."""
    rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    runs = [Run(**(row | {"same": tuple(row["same"]), "unseen": tuple(row["unseen"])})) for row in rows]
    return {run.key: run for run in runs}


def all_runs(path: Path) -> list[Run]:
    """The planned runs with their outcomes; those that are missing are made."""
    known, plan = stored(path), list(planned())
    missing = [run for run in plan if run.key not in known]
    ground = Ground() if missing else None
    for number, run in enumerate(missing, 1):
        assert ground is not None
        start = time.perf_counter()
        found = known[run.key] = result(run, ground)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(found)) + "\n")
        took = time.perf_counter() - start
        print(
            f"{number} of {len(missing)}: {run.key} {cer(found.same):.2f} {cer(found.unseen):.2f} {took:.0f} s",
            flush=True,
        )
    return [known[run.key] for run in plan]


def main() -> None:
    """Run what is missing, and print the tables or write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into docs/active-learning.md")
    parser.add_argument("--as-far", action="store_true", help="make no runs: the tables of those that have ended")
    options = parser.parse_args()
    torch.set_num_threads(1)
    path = cache_dir() / "active-learning" / RUNS
    runs = list(stored(path).values()) if options.as_far else all_runs(path)
    parts = {head: table(runs, pool, unit) for head, (pool, unit) in TABLES.items()}
    parts["Doubt and false lines"] = doubts(pool_lines())
    text = "\n\n".join(f"### {head}\n\n{body}" for head, body in parts.items()) + f"\n\n{machine()}."
    print(text)
    if options.write:
        write_between(DOCUMENT, *MARKS, f"\n{text}\n")


if __name__ == "__main__":
    main()
