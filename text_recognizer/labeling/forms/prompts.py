"""Prompts: short texts to copy by hand, chosen so that few of them show every character and the usual pairs.

A prompt fits a line of handwriting, 25 to 55 characters. Those of `prompts_<language>.txt` were written for this
purpose; other text is cut into prompts at its sentences.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from text_recognizer.alphabet import Alphabet, normalize_text

SHORTEST, LONGEST = 25, 55  # characters of a prompt
LANGUAGES = ("en", "fr")

_POOL = 3000  # prompts of a long text that are considered, an even draw
_CHARACTER = 0.01  # what a character not shown yet is worth, in shares of all pairs: about ten common pairs
_TASTE = 0.25  # how much chance has a say, so that another seed gives another form
_SENTENCE = re.compile(r"(?<=[.!?…])[\"”’»)]*\s+")


@dataclass(frozen=True)
class CutText:
    """A text as prompts. unknown: characters that forms cannot show -> how many prompts were left out for them."""

    prompts: tuple[str, ...]
    unknown: dict[str, int] = field(default_factory=dict)


def shipped_prompts(language: str) -> tuple[str, ...]:
    """The prompts of a language. Raises ValueError where none are shipped for it."""
    if language not in LANGUAGES:
        raise ValueError(f"no prompts are shipped for {language!r} (there are: {', '.join(LANGUAGES)}): give a text")
    path = Path(__file__).with_name(f"prompts_{language}.txt")
    return tuple(path.read_text(encoding="utf-8").splitlines())


def cut_text(text: str) -> CutText:
    """Text as prompts of 25 to 55 characters, each once, in the order of the text.

    A blank line ends a paragraph. Short sentences are joined with the next one, long ones are cut between words into
    parts of about the same length; what is left over and too short is dropped, and so are prompts with a character
    that is outside of the alphabet or cannot be printed.
    """
    prompts: dict[str, None] = {}
    unknown: Counter[str] = Counter()
    for paragraph in re.split(r"\n\s*\n", text):
        for prompt in _cut_paragraph(normalize_text(paragraph)):
            missing = unprintable(prompt)
            unknown.update(missing)
            if not missing:
                prompts[prompt] = None
    return CutText(tuple(prompts), dict(unknown))


def unprintable(text: str) -> str:
    """The characters of a text that a form cannot show, each once: outside of the alphabet, or of Windows-1252."""
    known = Alphabet()
    return "".join(dict.fromkeys(c for c in text if c not in known or not c.encode("cp1252", "ignore")))


def choose(prompts: Sequence[str], count: int, seed: int) -> list[str]:
    """`count` different prompts that show as many characters and frequent pairs of them as they can.

    Greedy set cover: the next prompt is the one that shows most, for its length, of what has not been shown;
    characters count alike, pairs by their frequency in all prompts. When everything has been shown it begins anew.
    The same seed gives the same prompts in the same order. Raises ValueError where there are not enough prompts.
    """
    if len(prompts) < count:
        raise ValueError(f"{count} prompts are needed, there are {len(prompts)}: take fewer pages or a longer text")
    rng = random.Random(seed)
    pool = rng.sample(list(prompts), max(count, _POOL)) if len(prompts) > max(count, _POOL) else list(prompts)
    worth = _worths(pool)
    left = {prompt: (_units(prompt), 1 + _TASTE * rng.uniform(-1, 1)) for prompt in pool}
    chosen: list[str] = []
    unshown = set(worth)
    while len(chosen) < count:
        gains = {
            prompt: taste * sum(worth[unit] for unit in units & unshown) / len(prompt)
            for prompt, (units, taste) in left.items()
        }
        best = max(gains, key=lambda prompt: gains[prompt])
        if not gains[best] and len(unshown) < len(worth):
            unshown = set(worth)
            continue
        unshown -= left.pop(best)[0]
        chosen.append(best)
    return chosen


def coverage(prompts: Iterable[str]) -> tuple[set[str], set[str]]:
    """The characters and the pairs of characters that prompts show, spaces aside."""
    units = set().union(*(_units(prompt) for prompt in prompts))
    return {unit for unit in units if len(unit) == 1}, {unit for unit in units if len(unit) == 2}


def _units(prompt: str) -> frozenset[str]:
    """What a prompt shows: its characters, and the pairs within its words."""
    words = prompt.split(" ")
    pairs = (word[at : at + 2] for word in words for at in range(len(word) - 1))
    return frozenset((*"".join(words), *pairs))


def _worths(prompts: Sequence[str]) -> dict[str, float]:
    """What it is worth to show a character or a pair."""
    counts = Counter(unit for prompt in prompts for unit in _units(prompt))
    pairs = sum(count for unit, count in counts.items() if len(unit) == 2)
    # Sorted, for sums of the same numbers in another order differ in their last digit.
    return {unit: _CHARACTER if len(unit) == 1 else counts[unit] / pairs for unit in sorted(counts)}


def _cut_paragraph(text: str) -> list[str]:
    parts: list[str] = []
    waiting = ""
    for sentence in _sentences(text):
        joined = f"{waiting} {sentence}".strip()
        if len(joined) < SHORTEST:
            waiting = joined
            continue
        parts += _cut_sentence(joined if len(joined) <= LONGEST or not _fits(sentence) else sentence)
        waiting = ""
    return parts


def _sentences(text: str) -> list[str]:
    ends = [match.end() for match in _SENTENCE.finditer(text)]
    return [text[begin:end].strip() for begin, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def _cut_sentence(sentence: str) -> list[str]:
    """A sentence in as few parts as fit a line, cut where the parts come out most alike."""
    words = sentence.split(" ")
    parts: list[str] = []
    while words:
        rest = len(" ".join(words))
        target = rest / -(-rest // LONGEST)
        taken = 1
        while taken < len(words) and len(" ".join(words[: taken + 1])) <= min(LONGEST, target + 3):
            taken += 1
        parts.append(" ".join(words[:taken]))
        words = words[taken:]
    return [part for part in parts if _fits(part)]


def _fits(text: str) -> bool:
    return SHORTEST <= len(text) <= LONGEST
