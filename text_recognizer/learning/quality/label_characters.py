"""What is odd about the characters of labels."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.learning.quality.findings import Concern, Finding, count, error, note, warning
from text_recognizer.learning.quality.lines import InspectedLine

_RARE = 3  # a character that training sees less often is hardly learned
_SHOWN = 20  # characters named in a sentence
#: Signs that one stroke of the pen may stand for, by style: those of one style go together.
_FAMILIES = {
    "dashes": ("-", "‐", "‑", "‒", "–", "—", "―", "−"),
    "single quotes": ("'", "‘’‚‛", "′", "`", "´"),
    "double quotes": ('"', "“”„‟", "″", "«»"),
    "dots": ("...", "…"),
}
#: Letters of other scripts that look like Latin ones (a part of Unicode's confusables, UTS 39).
_TWINS = dict(
    zip(
        "АВЕКМНОРСТХаеорсухіјѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧον",
        "ABEKMHOPCTXaeopcyxijsABEZHIKMNOPTYXov",
        strict=True,
    )
)
_TWIN_OF = {"‐": "-", "‑": "-", "‒": "–", "―": "—", "−": "-", "′": "'", "″": '"', "´": "'", "‛": "‘", "‟": "“"}


def character_findings(lines: Sequence[InspectedLine], alphabet: Alphabet) -> list[Finding]:
    """All that can be said of labels without their images."""
    return [
        *_raw(lines),
        *_outside(lines, alphabet),
        *_mixed(lines),
        *_counts(lines, alphabet),
    ]


def _raw(lines: Sequence[InspectedLine]) -> list[Finding]:
    """What is in labels that no label should hold; loading puts some of it right."""
    kinds: list[tuple[Callable[..., Finding], str, str, str, Callable[[str], bool]]] = [
        (
            error, "no-text", "without a label", "Write down what stands there, or remove the row.",
            lambda text: not text.strip(),
        ),
        (
            warning, "control", "with control characters or invisible ones", "Remove them: nobody can write them.",
            lambda text: any(_invisible(character) for character in text),
        ),
        (
            note, "not-nfc", "that are not in Unicode's composed form (NFC)",
            "Nothing must be done: they are composed when they are loaded. Other programs may take them for others.",
            lambda text: unicodedata.normalize("NFC", text) != text,
        ),
        (
            note, "spaces", "with spaces at an end, several in a row, or no-break spaces",
            "Nothing must be done: they become single spaces when they are loaded.",
            lambda text: bool(text.strip()) and " ".join(text.split()) != text,
        ),
    ]  # fmt: skip
    findings = []
    for make, code, what, advice, holds in kinds:
        # Labels of paragraphs and pages have line breaks.
        found = [line for line in lines if holds(" ".join(line.text.split("\n")) if "\n" in line.text else line.text)]
        if found:
            concerns = [Concern(line.identifier, f"{line.where}: {line.text!r}"[:120]) for line in found]
            findings.append(make(code, f"{count(len(found), 'label')} {what}.", advice, concerns))
    return findings


def _invisible(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Co", "Cn") and character not in "\n"


def _outside(lines: Sequence[InspectedLine], alphabet: Alphabet) -> list[Finding]:
    """Characters that the alphabet lacks, those first that are surely meant for another."""
    where: dict[str, list[InspectedLine]] = defaultdict(list)
    for line in lines:
        for character in alphabet.missing(normalize_text(line.text)):
            where[character].append(line)
    twins = {character: _twin(character, alphabet) for character in where}
    findings = []
    for code, what, advice, chosen in (
        (
            "look-alikes",
            "that look like others of the alphabet",
            "Replace them by their twins: to a recogniser they are other characters, and their lines are left out.",
            [character for character in where if twins[character]],
        ),
        (
            "outside-alphabet",
            "outside the alphabet",
            "Training leaves their lines out: correct the labels, or train with --extend-alphabet.",
            [character for character in where if not twins[character]],
        ),
    ):
        if chosen:
            chosen.sort(key=lambda character: -len(where[character]))
            named = ", ".join(
                _named(character, twins[character], len(where[character])) for character in chosen[:_SHOWN]
            )
            concerned = {line.identifier: line for character in chosen for line in where[character]}
            found = f"{count(len(chosen), 'character')} {what}, in {count(len(concerned), 'line')}: {named}."
            concerns = [
                Concern(name, " ".join(c for c in chosen if c in line.text)) for name, line in concerned.items()
            ]
            findings.append(warning(code, found, advice, concerns))
    return findings


def _twin(character: str, alphabet: Alphabet) -> str:
    """What a character outside the alphabet is surely meant for, "" where that is not known."""
    if unicodedata.combining(character):
        return ""
    plain = _TWINS.get(character) or _TWIN_OF.get(character) or unicodedata.normalize("NFKC", character)
    return plain if plain != character and not alphabet.missing(plain) else ""


def _named(character: str, twin: str, lines: int) -> str:
    shown = f"◌{character}" if unicodedata.combining(character) else character
    name = unicodedata.name(character, "without a name").lower()
    return f"{shown} (U+{ord(character):04X}, {name}{f', write {twin}' if twin else ''}; {count(lines, 'line')})"


def _mixed(lines: Sequence[InspectedLine]) -> list[Finding]:
    """Families of signs of which several are in use."""
    findings = []
    for family, styles in _FAMILIES.items():
        totals = {style: sum(_occurrences(line.text, style) for line in lines) for style in styles}
        used = [(style, number) for style, number in totals.items() if number]
        if len(used) > 1:
            text = "".join(line.text for line in lines)
            named = ", ".join(f"{_seen(style, text)} {number:,} times" for style, number in used)
            findings.append(
                note(
                    f"mixed-{family.replace(' ', '-')}",
                    f"Several {family} are in use: {named}.",
                    "Decide on one where they stand for the same stroke of the pen: a recogniser cannot guess which.",
                )
            )
    return findings


def _occurrences(text: str, style: str) -> int:
    return text.count(style) if style == "..." else sum(text.count(sign) for sign in style)


def _seen(style: str, text: str) -> str:
    """The signs of a style that occur."""
    return "".join(dict.fromkeys(sign for sign in style if sign in text)) if style != "..." else style


def _counts(lines: Sequence[InspectedLine], alphabet: Alphabet) -> list[Finding]:
    """Characters that are rare, and those that are only measured and never learned."""
    by_split: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        by_split[line.split].update(normalize_text(line.text))
    total: Counter[str] = sum(by_split.values(), Counter())
    findings = []
    rare = sorted(c for c, number in total.items() if number < _RARE and c in alphabet)
    if rare:
        findings.append(
            note(
                "rare-characters",
                f"{count(len(rare), 'character')} that occur fewer than {_RARE} times: {' '.join(rare)}",
                "They are hardly learned from these lines: mix in other lines (synthetic ones have every character).",
                (Concern(line.identifier, " ".join(c for c in rare if c in line.text)) for line in lines
                 if any(c in line.text for c in rare)),
            )
        )  # fmt: skip
    if "train" in by_split:
        unseen = sorted({c for split in ("val", "test") for c in by_split.get(split, ())} - set(by_split["train"]))
        if unseen:
            findings.append(
                note(
                    "unseen-characters",
                    f"{count(len(unseen), 'character')} of val or test that train lacks: {' '.join(unseen)}",
                    "They are measured without being learned: add lines that have them to train.",
                )
            )
    return findings
