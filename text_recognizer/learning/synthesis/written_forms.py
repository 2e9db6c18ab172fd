"""What pages hold besides sentences: dates, amounts, addresses, equations, lists, signs - where recognisers are weak.

`written_patterns.py` is the table of what is drawn and how often; `text-recognizer data texts` prints examples.
`_CHOICES` and `_FIELDS` say what stands for each name in a pattern; it is drawn anew each time that the name is met.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.learning.synthesis.calendars import CALENDARS, ordinal
from text_recognizer.learning.synthesis.languages import SHARES, Sentences
from text_recognizer.learning.synthesis.written_patterns import KINDS, Form

_LONGEST = 90  # characters of a text


#: Kinds that stand within sentences.
_INNER = ("dates", "times", "amounts", "numbers", "measures", "abbreviations")

_CHOICES: Mapping[str, Sequence[str]] = {
    "letter": "abcdefghijklmnopqrstuvwxyz",
    "cap": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "x": "abcdefknpqrstvxyz",
    "fraction": "½¼¾",
    "operator": "+-×÷/*·±–",
    "relation": "=≈≠≤≥<>=",
    "north": "NSEWO",
    "before": ("£", "$", "€", "¥", "₹", "₺", "US$ ", "€ ", "£ ", "$ ", "₹ ", "₺ ", "¥ ", "CHF ", "Rs. ", "EUR "),
    "after": (" €", "€", ",- €", " £", " $", " ¥", " ₹", " ₺", "₺", " zł", " Kč", " fr.", " F", "f", " kr", " kr.",
              " DM", " Ft", " L.", ".-", " EUR", " PLN", " CHF"),
    "total": "Total TOTAL Summe Somme Razem Celkem Toplam Totaal Summa Suma Totale".split(),
    "domain": "com org net fr de co.uk pl cz es it eu com.tr se dk nl pt edu".split(),
    "bullet": ("•", "•", "-", "–", "*", "→", "✓", "·", "+", "—", ">", "»"),
    "roman": "I II III IV V VI VII VIII IX X XI XII XIV XVI XVIII XIX XX".split(),
    "title": (
        "Mr Mrs Mr. Dr Dr. Prof. M. Mme Mlle Me Hr. Fr. Herr Frau Sr. Sra. Sig. Dña. Ds. p. pan inż. Bay St. Ste Rev."
    ).split(),
    "short": (
        "etc. e.g. i.e. cf. p.ex. c.-à-d. z.B. usw. d.h. np. tzn. ul. vs. c/o a/c P.S. N.B. R.S.V.P. d° id. ibid. "
        "t.ex. bl.a. vb. örn. atd. čp. Nr. n° № N° § ad. q.v. s.v.p. m.a.w. p.p. o.s.v. † ✓ tj. př. p.a."
    ).split(),
    "unit": (
        "mm cm m km µm g kg mg µg l ml cl µl m² cm² m³ cm³ °C °F ° km/h m/s kW kWh V A Hz lb lbs oz ft in. yd ha % ‰ t "
        "dB €/m² $/kg ¢/kg"
    ).split(),
}  # fmt: skip

_BRACKETS = ("()", "()", "()", "[]", "[]", "{}", "<>", "||", "//")
_QUOTES = ("„“", "„”", "“”", "“”", "«»", "»«", "‚‘", "‘’", "‹›", "›‹", '""', "''", "””", "‚’")


class _Draw:
    """The values of the names in patterns."""

    def __init__(self, rng: random.Random, sentences: Sentences) -> None:
        self.rng, self.sentences = rng, sentences

    def __getitem__(self, name: str) -> Any:
        return self.rng.choice(_CHOICES[name]) if name in _CHOICES else _FIELDS[name](self)

    def text(self, form: Form) -> str:
        """A text of a form."""
        return self.rng.choice(form.patterns).format_map(self)

    def words(self, most: int) -> str:
        """The first words of a sentence, one to so many."""
        return " ".join(self.sentences.sample(self.rng).split()[: self.rng.randint(1, most)])

    def word(self) -> str:
        """A single word."""
        return self.sentences.word(self.rng)


def _between(low: int, high: int, digits: int = 0) -> Callable[[_Draw], str]:
    """Whole numbers, both ends included, with leading zeros up to so many digits."""
    return lambda draw: f"{draw.rng.randint(low, high):0{digits}d}"


def _amount(draw: _Draw) -> int:
    low, high = draw.rng.choice(((0, 99), (100, 9999), (10_000, 5_000_000)))
    return draw.rng.randint(low, high)


def _grouped(draw: _Draw) -> str:
    return f"{_amount(draw):,}".replace(",", draw.rng.choice((".", " ", "'", "", ",")))


def _money(draw: _Draw) -> str:
    """An amount with cents, as the English or as others write it."""
    cents = draw.rng.randint(0, 99)
    if draw.rng.random() < 0.4:
        return f"{_amount(draw):,}.{cents:02d}"
    return f"{_amount(draw):,}".replace(",", draw.rng.choice((".", " ", "'", ""))) + f",{cents:02d}"


def _date(draw: _Draw) -> str:
    """A date in words."""
    language = draw.rng.choices(list(SHARES), list(SHARES.values()))[0]
    calendar, day = CALENDARS[language], draw.rng.randint(1, 31)
    month = draw.rng.choice(calendar.months)
    return str(draw.rng.choice(calendar.patterns)).format(
        d=day, th=ordinal(day), m=month, a=month[: draw.rng.randint(3, 4)], w=draw.rng.choice(calendar.days),
        y=draw.rng.randint(1700, 2035),
    )  # fmt: skip


def _span(draw: _Draw) -> str:
    first = draw.rng.randint(1700, 2030)
    return f"{first}–{first + draw.rng.randint(1, 90)}"


def _ordinal(draw: _Draw) -> str:
    number = draw.rng.randint(1, 130)
    return f"{number}{ordinal(number)}"


def _sum(draw: _Draw) -> str:
    one, two = draw.rng.randint(1, 999), draw.rng.randint(1, 99)
    return draw.rng.choice((f"{one} + {two} = {one + two}", f"{one + two} - {two} = {one}", f"{one}+{two}={one + two}"))


def _product(draw: _Draw) -> str:
    one, two = draw.rng.randint(1, 99), draw.rng.randint(2, 30)
    times, over = draw.rng.choice("××*x·"), draw.rng.choice("÷:/")
    return draw.rng.choice((f"{one} {times} {two} = {one * two}", f"{one * two} {over} {two} = {one}"))


def _name(draw: _Draw) -> str:
    """A word in small letters without accents, as in addresses."""
    plain = unicodedata.normalize("NFD", draw.word()).encode("ascii", "ignore").decode().lower()
    letters = "".join(character for character in plain if character.isalpha())
    return letters if len(letters) > 1 else "office"


def _capitals(draw: _Draw) -> str:
    text = draw.words(5)
    return (text.replace("ß", "ẞ") if draw.rng.random() < 0.5 else text).upper()


def _enclosed(pairs: Sequence[str]) -> Callable[[_Draw], str]:
    """A few words between the two signs of a pair."""

    def draw_enclosed(draw: _Draw) -> str:
        pair = draw.rng.choice(pairs)
        opening, closing = pair[0], pair[1]
        space = " " if opening == "«" and draw.rng.random() < 0.5 else ""
        return f"{opening}{space}{draw.words(5)}{space}{closing}"

    return draw_enclosed


def _character(draw: _Draw) -> str:
    return draw.rng.choice(draw.sentences.alphabet.characters).strip() or "a"


def _scattered(draw: _Draw) -> str:
    """Characters in no order, a few at a time: so that each one is seen beside any other."""
    groups = ("".join(_character(draw) for _ in range(draw.rng.randint(1, 5))) for _ in range(draw.rng.randint(1, 5)))
    return " ".join(groups)


_FIELDS: Mapping[str, Callable[[_Draw], str]] = {
    "digit": _between(0, 9), "n": _between(1, 99), "nn": _between(0, 99, 2), "n3": _between(0, 999, 3),
    "n4": _between(0, 9999, 4), "day": _between(1, 31), "dd": _between(1, 31, 2), "month": _between(1, 12),
    "mm": _between(1, 12, 2), "year": _between(1700, 2035), "hour": _between(0, 23), "half": _between(1, 12),
    "min": _between(0, 59, 2), "count": lambda draw: str(_amount(draw)), "grouped": _grouped, "money": _money,
    "date": _date, "span": _span, "th": _ordinal, "sum": _sum, "product": _product, "name": _name,
    "name_of_day": lambda draw: draw.rng.choice(CALENDARS[draw.rng.choice(list(CALENDARS))].days),
    "word": _Draw.word, "Word": lambda draw: draw.word().capitalize(), "few": lambda draw: draw.words(2),
    "some": lambda draw: draw.words(5), "words": lambda draw: draw.words(4), "CAPITALS": _capitals,
    "Title": lambda draw: draw.words(5).title(), "bracketed": _enclosed(_BRACKETS), "quoted": _enclosed(_QUOTES),
    "character": _character, "scattered": _scattered,
    "inner": lambda draw: draw.text(KINDS[draw.rng.choice(_INNER)]),
}  # fmt: skip


class WrittenForms:
    """Draws texts of all kinds; the same for the same state of the generator.

    alphabet: texts with other characters are not drawn. Raises FileNotFoundError where there is no text to take words
    from.
    """

    def __init__(self, alphabet: Alphabet) -> None:
        self.alphabet, self.sentences = alphabet, Sentences(alphabet)

    def sample(self, rng: random.Random) -> str:
        """One text of 1 to about 90 characters."""
        return self.of_kind(rng.choices(list(KINDS), [form.weight for form in KINDS.values()])[0], rng)

    def of_kind(self, kind: str, rng: random.Random) -> str:
        """One text of a kind of `KINDS`."""
        draw = _Draw(rng, self.sentences)
        while True:
            text = normalize_text(draw.text(KINDS[kind]))
            if text and len(text) <= _LONGEST and not self.alphabet.missing(text):
                return text
