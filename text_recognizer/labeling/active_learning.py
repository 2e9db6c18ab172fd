"""Which lines are worth labelling next: those in which the model expects errors, and of those not the same ones twice.

What is known of a line is its reading: `Line` with its words, their calibrated confidences and those of their
characters. Images are not looked at again, so that a hundred thousand lines are chosen from within a minute.

The combination of uncertainty and diversity is a submodular function of the chosen lines, built on features (Wei, Liu,
Kirchhoff and Bilmes, "Unsupervised Submodular Subset Selection for Speech Data", ICASSP 2014). The features are the
characters of the readings, pairs of them, and the pages; a line has of each as much as errors are expected in it, and
what is chosen is worth the sum over features of log(1 + how much of it was chosen). So the second line that shows the
same doubtful letters is worth less than the first. Greedy choice comes within 1 - 1/e of the best one (Nemhauser,
Wolsey and Fisher, 1978); gains only shrink, so that few are computed again at each step (Minoux, 1978).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from text_recognizer.page import Line, Word

#: How lines may be chosen; see `choose`.
STRATEGIES = ("random", "longest", "least-confident", "errors", "diverse", "combined")
_SHORTEST = 3  # characters from which a reading says that there is writing at all
_FENCE = 1.5  # times the distance of the quartiles (Tukey, 1977) that a line may be worse than three of four lines
_LEAST = 1e-3  # log-probability that any character is doubted with, so that a word's doubt has somewhere to go


@dataclass(frozen=True)
class Unlabelled:
    """A line to choose: its page and its name there, its reading, the model's confidence in it from 0 to 1, and the
    probability of an error in each character of the reading."""

    page: str
    line: str
    text: str
    confidence: float
    errors: tuple[float, ...]

    @property
    def expected(self) -> float:
        """Errors that are expected in the line."""
        return sum(self.errors)

    @property
    def rate(self) -> float:
        """Errors that are expected in a character."""
        return self.expected / max(1, len(self.text))


@dataclass(frozen=True)
class Budget:
    """How much is chosen. lines, characters: at most, characters as the model reads them; None: any number.

    With a limit of characters, what a line is worth counts by the character, for that is what typing it costs.
    """

    lines: int | None = None
    characters: int | None = None

    def cost(self, line: Unlabelled) -> float:
        """What labelling a line costs."""
        return 1.0 if self.characters is None else float(max(1, len(line.text)))

    def without(self, chosen: Sequence[Unlabelled]) -> Budget:
        """What is left of it."""
        lines = None if self.lines is None else self.lines - len(chosen)
        return Budget(lines, self.characters and self.characters - sum(len(line.text) for line in chosen))


def unlabelled(page: str, name: str, line: Line) -> Unlabelled:
    """What choosing needs to know of a line that was read."""
    if not line.words:
        even = Word(line.text, (), line.confidence)
        return Unlabelled(page, name, line.text, line.confidence, tuple(character_errors(even)))
    errors: list[float] = []
    for word in line.words:
        errors += [0.0] if errors else []  # the space between words
        errors += character_errors(word)
    text = " ".join(word.text for word in line.words)
    return Unlabelled(page, name, text, line.confidence, tuple(errors))


def character_errors(word: Word) -> list[float]:
    """The probability of an error in each character of a word.

    The word's confidence is the calibrated probability that all of it is right; the characters share what is missing
    by how little the network is sure of each: the product of their being right is that of the word.
    """
    if not word.text:
        return []
    known = word.character_confidences
    sure = np.array(known if len(known) == len(word.text) else [1.0] * len(word.text))
    doubt = _LEAST - np.log(np.clip(sure, 1e-6, 1.0))
    right = min(max(word.confidence, 1e-4), 1.0)
    errors: list[float] = (1 - right ** (doubt / doubt.sum())).tolist()
    return errors


def choose(
    lines: Sequence[Unlabelled],
    strategy: str,
    budget: Budget,
    labelled: Sequence[Unlabelled] = (),
    seed: int = 0,
) -> list[int]:
    """Which of the lines to label, the one most worth it first.

    strategy: random; longest; least-confident: by the confidence of the line; errors: by how many are expected in it;
    diverse: what shows other characters, pairs of characters and pages; combined: what shows errors in others.
    labelled: lines that were labelled before, which the last two go on from. seed: of random choice.

    The strategies that ask for errors leave to the end what is most likely no line, or one that nobody can read: see
    `plausible`. Lines of which nothing was read are never chosen.

    Time: n lines of c characters and k chosen ones take O(n c + k m c), where m, the lines that are looked at again for
    each choice, is a few hundred. Raises ValueError for an unknown strategy.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"{strategy!r} is no way to choose lines; there are: {', '.join(STRATEGIES)}")
    read = [number for number, line in enumerate(lines) if line.text]
    if strategy == "random":
        return _within(np.random.default_rng(seed).permutation(np.array(read, np.int64)).tolist(), lines, budget)
    if strategy == "longest":
        return _within(sorted(read, key=lambda number: -len(lines[number].text)), lines, budget)
    if strategy == "diverse":
        return _covering(read, lines, budget, labelled, _diverse_features)
    good = plausible([lines[number] for number in read])
    first = [number for number, fine in zip(read, good, strict=True) if fine]
    last = [number for number, fine in zip(read, good, strict=True) if not fine]
    if strategy == "combined":
        chosen = _covering(first, lines, budget, labelled, _error_features)
    else:
        chosen = _within(sorted(first, key=lambda number: -_worth(lines[number], strategy, budget)), lines, budget)
    if len(chosen) < len(first):
        return chosen
    return chosen + _within(last, lines, budget.without([lines[number] for number in chosen]))


def plausible(lines: Sequence[Unlabelled]) -> list[bool]:
    """Whether each line is one that somebody can read: not of a letter or two, and not read far worse than the others.

    A detector's false lines (a rule, a blot, the halves of two lines) are what the model is least sure of.
    """
    if not lines:
        return []
    rates = np.array([line.rate for line in lines])
    low, high = np.percentile(rates, (25, 75)).tolist()
    fence = high + _FENCE * (high - low)
    return [len(line.text) >= _SHORTEST and line.rate <= fence for line in lines]


def _worth(line: Unlabelled, strategy: str, budget: Budget) -> float:
    return 1 - line.confidence if strategy == "least-confident" else line.expected / budget.cost(line)


def _within(order: Sequence[int], lines: Sequence[Unlabelled], budget: Budget) -> list[int]:
    """The first lines of an order that the budget allows; one that is too long for what is left is passed over."""
    chosen: list[int] = []
    left = np.inf if budget.characters is None else budget.characters
    for number in order:
        if budget.lines is not None and len(chosen) == budget.lines:
            break
        if len(lines[number].text) <= left:
            chosen.append(number)
            left -= len(lines[number].text)
    return chosen


def _error_features(line: Unlabelled) -> list[tuple[str, float]]:
    """Characters, pairs of characters and the page, with the errors that are expected in each."""
    text, errors = line.text, line.errors
    pairs = [(a + b, (x + y) / 2) for (a, x), (b, y) in pairwise(zip(text, errors, strict=True))]
    return [*zip(text, errors, strict=True), *pairs, (f"page {line.page}", line.expected)]


def _diverse_features(line: Unlabelled) -> list[tuple[str, float]]:
    """Characters and pairs of characters, one of each, and the page."""
    pairs = [a + b for a, b in pairwise(line.text)]
    return [(name, 1.0) for name in (*line.text, *pairs)] + [(f"page {line.page}", float(len(line.text)))]


def _covering(
    possible: Sequence[int],
    lines: Sequence[Unlabelled],
    budget: Budget,
    labelled: Sequence[Unlabelled],
    features: Callable[[Unlabelled], list[tuple[str, float]]],
) -> list[int]:
    """The possible lines by what each adds, for what it costs, to what was chosen before it."""
    names: dict[str, int] = {}
    before = [_counted(features(line), names) for line in labelled]
    counted = {number: _counted(features(lines[number]), names) for number in possible}
    covered = np.zeros(len(names))
    for feature, amount in before:
        covered[feature] += amount

    def gain(number: int) -> float:
        feature, amount = counted[number]
        return float(np.log1p(amount / (1 + covered[feature])).sum()) / budget.cost(lines[number])

    # Gains only shrink: a line whose gain, computed anew, still leads needs no comparison with the others.
    heap = [(-gain(number), number) for number in possible]
    heapq.heapify(heap)
    chosen: list[int] = []
    left = np.inf if budget.characters is None else float(budget.characters)
    while heap and (budget.lines is None or len(chosen) < budget.lines):
        _, number = heapq.heappop(heap)
        if len(lines[number].text) > left:
            continue
        found = (-gain(number), number)
        if heap and found > heap[0]:
            heapq.heappush(heap, found)
            continue
        feature, amount = counted[number]
        covered[feature] += amount
        left -= len(lines[number].text)
        chosen.append(number)
    return chosen


def _counted(features: list[tuple[str, float]], names: dict[str, int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The numbers of the features that a line has, each once, and how much it has of them."""
    amounts: dict[int, float] = {}
    for name, amount in features:
        number = names.setdefault(name, len(names))
        amounts[number] = amounts.get(number, 0.0) + amount
    return np.fromiter(amounts, np.int64, len(amounts)), np.fromiter(amounts.values(), np.float64, len(amounts))
