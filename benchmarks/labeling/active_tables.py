"""The tables of `active_learning.py`."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.labeling.active_lines import PoolLine
from text_recognizer.labeling.active_learning import STRATEGIES, Budget, Unlabelled, choose, unlabelled
from text_recognizer.learning.evaluation.error_rates import error_rates

POOL = 1000  # lines of many writers
MEAN = 42  # characters of a line of IAM: a budget of 50 lines is one of 2,100 characters
#: Kinds of pool and units of the budget, by the headings of their tables.
TABLES = {
    "A thousand lines of many writers, budget in characters": ("many", "characters"),
    "The lines of one writer, budget in characters": ("one", "characters"),
    "New hands among known ones, budget in characters": ("mixed", "characters"),
    "New hands among known ones, with rehearsal, budget in characters": ("rehearsed", "characters"),
    "A thousand lines of many writers, budget in lines": ("many", "lines"),
}
#: Lines that are learned from.
BUDGETS = {
    ("many", "characters"): (50, 100, 200),
    ("one", "characters"): (20, 50),
    ("mixed", "characters"): (50, 100),
    ("rehearsed", "characters"): (50,),
    ("many", "lines"): (100,),
}
REPETITIONS = {
    ("many", "characters"): 3,
    ("one", "characters"): 7,
    ("mixed", "characters"): 6,
    ("rehearsed", "characters"): 4,
    ("many", "lines"): 3,
}
#: What is measured for each kind of pool: two parts of the lines, and what they are called.
SETS = {
    "many": {"same": "same writers", "unseen": "unseen writers"},
    "one": {"same": "same writer"},
    "mixed": {"same": "the new hands", "unseen": "known hands"},
    "rehearsed": {"same": "the new hands", "unseen": "known hands"},
}


@dataclass(frozen=True)
class Run:
    """One training: what was chosen, and what it led to, in character edits of so many characters."""

    pool: str  # "many", "one", "mixed", "rehearsed"
    repetition: int
    unit: str  # "characters", "lines"
    budget: int  # in lines; in characters 42 times as many
    strategy: str
    lines: int = 0
    characters: int = 0
    same: tuple[int, int] = (0, 0)
    unseen: tuple[int, int] = (0, 0)

    @property
    def key(self) -> tuple[object, ...]:
        """What the run is, without its outcome."""
        return self.pool, self.repetition, self.unit, self.budget, self.strategy


def candidates(lines: Sequence[PoolLine]) -> list[Unlabelled]:
    """Lines as `label next` has them."""
    return [unlabelled(line.page, line.identifier, line.reading) for line in lines]


def cer(edits: tuple[int, int]) -> float:
    """Character error rate in percent."""
    return 100 * edits[0] / max(1, edits[1])


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation."""
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}" if len(values) > 1 else f"{values[0]:.2f}"


def against(values: Sequence[float], chance: Sequence[float]) -> str:
    """Mean difference from random choice in the same repetitions, with its standard error."""
    differences = [a - b for a, b in zip(values, chance, strict=True)]
    if len(differences) < 2:
        return f"{differences[0]:+.2f}"
    return f"{statistics.mean(differences):+.2f} ± {statistics.stdev(differences) / len(differences) ** 0.5:.2f}"


def table(runs: Sequence[Run], pool: str, unit: str) -> str:
    """CER of one kind of pool and budget, over the repetitions of which all runs are there."""
    budgets = BUDGETS[pool, unit]
    own = {run.key: run for run in runs if (run.pool, run.unit) == (pool, unit)}
    wanted = [("none", 0), *((strategy, budget) for strategy in STRATEGIES for budget in budgets)]
    seen = sorted({run.repetition for run in own.values()})
    whole = [r for r in seen if all((pool, r, unit, b, s) in own for s, b in wanted)]
    if not whole:
        return "No repetition has ended."
    sets = SETS[pool]

    def own_run(repetition: int, budget: int, strategy: str, part: str) -> tuple[int, int]:
        edits: tuple[int, int] = getattr(own[pool, repetition, unit, budget, strategy], part)
        return edits

    def rates(strategy: str, budget: int, part: str) -> list[float]:
        return [cer(own_run(r, budget, strategy, part)) for r in whole]

    def mean(strategy: str, part: str) -> list[float]:
        return [statistics.mean(cer(own_run(r, budget, strategy, part)) for budget in budgets) for r in whole]

    def row(strategy: str) -> list[str]:
        cells = []
        for part in sets:
            cells += [spread(rates(strategy, budget, part)) for budget in budgets]
            cells.append("" if strategy == "random" else against(mean(strategy, part), mean("random", part)))
        count = statistics.mean(own[pool, r, unit, budgets[-1], strategy].lines for r in whole)
        return [strategy, f"{count:.0f}", *cells]

    amounts = [f"{MEAN * b:,} characters" if unit == "characters" else f"{b} lines" for b in budgets]
    head = ["strategy", f"lines in {amounts[-1]}"]
    for part in sets:
        head += [f"{sets[part]}, {amount}" for amount in amounts] + ["against random"]
    before = "; ".join(f"{sets[part]} {spread(rates('none', 0, part))}" for part in sets)
    rows = [head, ["---"] * len(head), *(row(strategy) for strategy in STRATEGIES)]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return f"{len(whole)} repetitions; before: {before}.\n\n{text}"


def doubts(lines: Sequence[PoolLine]) -> str:
    """How well expected errors tell which lines are read with errors, and how many false lines each strategy takes."""
    real = [line for line in lines if line.part in ("pool", "same", "unseen")]
    readings = candidates(real)
    edits = [
        error_rates([one.text], [line.text]).character_edits / len(line.text)
        for one, line in zip(readings, real, strict=True)
    ]
    ranks = {
        "expected errors a character": rank_correlation([one.rate for one in readings], edits),
        "the line's confidence": rank_correlation([1 - one.confidence for one in readings], edits),
    }
    said = ", ".join(f"{name} {value:.2f}" for name, value in ranks.items())
    rng = random.Random(0)
    mixed = rng.sample([line for line in lines if line.part == "pool"], POOL)
    mixed += rng.sample([line for line in lines if line.part == "false"], POOL // 20)
    taken = {strategy: choose(candidates(mixed), strategy, Budget(characters=100 * MEAN)) for strategy in STRATEGIES}
    rows = [
        f"| {strategy} | {sum(mixed[number].part == 'false' for number in numbers)} of {len(numbers)} |"
        for strategy, numbers in taken.items()
    ]
    return f"Rank correlation (Spearman) with the true error rate of {len(real):,} lines: {said}.\n\n" + "\n".join(
        ["| strategy | false lines |", "|---|---|", *rows]
    )


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's, without a correction for ties."""
    ranks = [np.argsort(np.argsort(values, kind="stable")) for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])
