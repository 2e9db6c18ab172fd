"""Text to render: sentences from text files, and the things that pages hold besides sentences."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.paths import data_dir, require

_MONTHS = "January February March April May June July August September October November December".split()
_FRENCH_MONTHS = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
_FIRST = (
    "Anna Bernard Claire David Élise François Günther Hélène Inés Jürgen Karen Louis María Noël Olivia Peter "
    "Quentin Renée Søren Thérèse Ursula Víctor William Xavier Yvonne Zoë"
).split()
_LAST = (
    "Abbott Brontë Castañeda Dupré Ekström Fischer García Hughes Iñiguez Jäger Köhler Lefèvre Müller Nuñez "
    "O'Brien Peña Quinn Rodríguez Schäfer Thomson Underwood Vögel Weiß Xander Young Zúñiga"
).split()
_STREETS = "High Street;Park Road;rue de la Paix;rue Saint-Honoré;Königstraße;Calle Mayor;Mill Lane;Hauptstraße".split(
    ";"
)
_PHRASES = (
    "Où êtes-vous né ? À Genève, près du lac.;L'été dernier, nous étions à la forêt.;Ça va très bien, merci beaucoup.;"
    "Le garçon a reçu une lettre de sa sœur aînée.;Noël approche : achetons des pâtes et un gâteau.;"
    "Cet hôtel-là coûte 45 € la nuit, dîner compris.;Il était une fois un œuf naïf…;« Bien sûr », répondit-elle.;"
    "Die Straße führt über die Brücke zum Schloß.;Können Sie mir bitte schöne Grüße ausrichten?;"
    "Zwölf große Äpfel kosten fünf Euro.;Übung macht den Meister, sagt man.;Er heißt Jürgen und wohnt in Köln.;"
    "„Öffnen Sie die Tür“, rief der Mann.;Wir müssen früh aufstehen, weil der Zug um 7 fährt.;"
    "¿Dónde está el niño? ¡Aquí está!;Mañana iré a la montaña con mi compañera.;El señor Ibáñez llegó después de las "
    "ocho.;¡Qué día más bonito! ¿Verdad?;La acción pasó en la estación del pueblo.;También comió pingüino, según él."
).split(";")
_ACCENTS = {
    "a": "àáâäãå",
    "c": "ç",
    "e": "éèêë",
    "i": "íìîï",
    "n": "ñ",
    "o": "óòôöõø",
    "u": "ùúûü",
    "y": "ýÿ",
    "s": "ß",
}


@cache
def _words(paths: tuple[Path, ...]) -> tuple[list[str], ...]:
    return tuple(normalize_text(path.read_text(encoding="utf-8")).split(" ") for path in paths)


class TextSampler:
    """Draws texts for synthetic lines.

    Most are runs of words from the text files; some are dates, amounts, names, addresses, capitals
    and phrases with the accented letters of French, German and Spanish. Every text keeps to the
    alphabet and is normalised. `extra` holds further whole lines (of a training set, say), `without` the names
    of text files that are left alone.
    """

    def __init__(self, alphabet: Alphabet, extra: Sequence[str] = (), without: Sequence[str] = ()) -> None:
        folder = require(data_dir() / "text", "the texts for synthetic lines")
        self.alphabet = alphabet
        self.corpora = _words(tuple(path for path in sorted(folder.glob("*.txt")) if path.name not in without))
        if not any(self.corpora):
            raise FileNotFoundError(f"{folder} holds no text (*.txt) to make synthetic lines of: docs/data.md")
        self.extra = [text for text in extra if len(text) > 3]

    def sample(self, rng: random.Random) -> str:
        """One text of 1 to about 90 characters."""
        while True:
            kinds: list[tuple[Callable[[random.Random], str], float]] = [
                (self._prose, 0.62),
                (self._extra, 0.12 if self.extra else 0.0),
                (_date, 0.04),
                (_amount, 0.06),
                (_address, 0.05),
                (_phrase, 0.06),
                (_signs, 0.05),
            ]
            make = rng.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
            text = normalize_text(_vary(make(rng), rng))
            if text and not self.alphabet.missing(text):
                return text

    def _prose(self, rng: random.Random) -> str:
        words = rng.choice(self.corpora)
        length = min(85, max(4, rng.gauss(42, 18)))
        start = rng.randrange(len(words))
        text = words[start]
        for word in words[start + 1 : start + 30]:
            if len(text) + len(word) >= length:
                break
            text += " " + word
        return text[:95]

    def _extra(self, rng: random.Random) -> str:
        return rng.choice(self.extra)


def _date(rng: random.Random) -> str:
    day, month, year = rng.randint(1, 31), rng.randrange(12), rng.randint(1850, 2030)
    forms = [
        f"{day} {_MONTHS[month]} {year}",
        f"{_MONTHS[month]} {day}, {year}",
        f"{day:02d}/{month + 1:02d}/{year}",
        f"{day}.{month + 1}.{year}",
        f"{year}-{month + 1:02d}-{day:02d}",
        f"le {day} {_FRENCH_MONTHS[month]} {year}",
        f"{rng.randint(0, 23)}:{rng.randint(0, 59):02d}",
    ]
    return rng.choice(forms)


def _amount(rng: random.Random) -> str:
    number = rng.choice([rng.randint(1, 99), rng.randint(100, 9999), rng.randint(10_000, 5_000_000)])
    cents = rng.randint(0, 99)
    forms = [
        f"£{number:,}.{cents:02d}",
        f"${number:,}.{cents:02d}",
        f"€ {number},{cents:02d}",
        f"{number},{cents:02d} €",
        f"{number} x {cents} = {number * cents}",
        f"{cents}%",
        f"No. {number}",
        f"({number}) {cents}",
        f"Total: {number}.{cents:02d}",
        f"+{rng.randint(1, 99)} {rng.randint(100, 999)} {rng.randint(1000, 9999)}",
        f"{number}",
    ]
    return rng.choice(forms)


def _address(rng: random.Random) -> str:
    name = f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"
    street = rng.choice(_STREETS)
    number = rng.randint(1, 299)
    forms = [
        name,
        f"{rng.choice(['Mr.', 'Mrs.', 'Dr.', 'M.', 'Mme', 'Herr', 'Frau', 'Sr.'])} {name}",
        f"{name}, {number} {street}",
        f"{street} {number}, {rng.randint(10000, 99999)}",
        f"{name.split()[0].lower()}.{number}@mail.org",
        f"{name} & {rng.choice(_LAST)}, Ltd.",
    ]
    return rng.choice(forms)


def _phrase(rng: random.Random) -> str:
    text = rng.choice(_PHRASES)
    words = text.split()
    start = rng.randrange(max(1, len(words) - 3))
    return " ".join(words[start : start + rng.randint(3, 12)])


def _signs(rng: random.Random) -> str:
    """Rare signs in no order, a few at a time: the only way they are ever seen."""
    characters = Alphabet().characters
    groups = ("".join(rng.choice(characters) for _ in range(rng.randint(1, 6))) for _ in range(rng.randint(1, 5)))
    return " ".join(groups)


def _vary(text: str, rng: random.Random) -> str:
    """Typographic variants: curly quotes, dashes, capitals, accents where there were none."""
    if rng.random() < 0.25:
        text = text.replace("'", "’").replace('"', rng.choice("“”"))
    if rng.random() < 0.2:
        text = text.replace("--", rng.choice("–—")).replace(" - ", rng.choice([" – ", " — "]))
    if rng.random() < 0.04:
        text = text.upper()
    if rng.random() < 0.08:
        text = "".join(
            rng.choice(_ACCENTS[character]) if character in _ACCENTS and rng.random() < 0.15 else character
            for character in text
        )
    return text
