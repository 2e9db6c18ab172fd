"""The datasets of whole pages, as data: what each is, how it writes what is no plain text, which pages are val.

A new set of the layout of `pages.py`, which registers them, is one more entry here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from text_recognizer.alphabet import normalize_text

#: Which pages are for validation: those that `pages.json` names; a tenth of the letters, drawn by their names; or every
#: tenth page of `pages.json`, beginning with the fifth.
Rule = Literal["named", "letters", "tenth"]


@dataclass(frozen=True)
class Transcription:
    """How a set writes what is no plain text.

    marks: regular expression of what stands for crossed-out, unread or inserted words: a line that has it is left out.
    replaced: characters, and what they are in plain text.
    """

    marks: str = "[<>]"
    replaced: Mapping[str, str] = field(default_factory=dict)

    def plain(self, text: str) -> str | None:
        """The plain text, normalised; None where a mark says that the image shows something else."""
        text = normalize_text(text)
        if self.marks and re.search(self.marks, text):
            return None
        for sign, plain in self.replaced.items():
            text = text.replace(sign, plain)
        return normalize_text(text)


#: Any text is plain: files of one's own, of whose conventions nothing is known.
VERBATIM = Transcription(marks="")


@dataclass(frozen=True)
class PageSet:
    """A dataset of pages. about, licence, source: for people. splits: in order. held_out: which pages are val."""

    about: str
    licence: str
    source: str
    splits: tuple[str, ...] = ("train", "val")
    transcription: Transcription = field(default_factory=Transcription)
    held_out: Rule = "named"


_CC_BY = "CC BY 4.0"
_GITHUB = "https://github.com/"
_CATALOGUE = "its page in the catalogue https://htr-united.github.io"
_RAISED = {"^": ""}  # stands before superscript letters: "1^er"
# Words crossed out (><, >word<), and in double brackets words that the transcriber was not sure of.
_CREMMA = Transcription(r"[<>]|\[\[", _RAISED | {"¬": "-"})

PAGE_SETS: dict[str, PageSet] = {
    "copiste": PageSet("Copiste d'un jour: modern French, 267 volunteers", _CC_BY, _CATALOGUE),
    "hooker": PageSet(
        "letters of J. D. Hooker, English, 1850 to 1911", "CC BY-SA 4.0", _CATALOGUE,
        transcription=Transcription(r"[<>]|\[\?"), held_out="tenth",
    ),
    "lathrop": PageSet(
        "memorials for J. L. Stanford, English, 1905", _CC_BY, _CATALOGUE,
        transcription=Transcription(replaced=_RAISED), held_out="letters",
    ),
    "poilus": PageSet(
        "wills of French soldiers, 1914 to 1918", _CC_BY, f"{_GITHUB}HTR-United/CREMMA-AN-TestamentsDePoilus",
        # Some abbreviations are followed by what they stand for, which is not on the page: "S^t Saint Germain".
        transcription=Transcription(r"[<>]|\^\w+ (Saint|compagnie|premier)\b", _RAISED), held_out="tenth",
    ),
    "cremma19": PageSet(
        "French letters, drafts and court papers, 1800 to 1899", _CC_BY, f"{_GITHUB}HTR-United/CREMMA-MSS-19",
        transcription=_CREMMA,
    ),
    "cremma20": PageSet(
        "a French letter and drafts of speeches, 1921 and 1981", _CC_BY, f"{_GITHUB}HTR-United/CREMMA-MSS-20",
        ("train",), _CREMMA,
    ),
    "cremma18": PageSet(
        "French manuscripts, 1700 to 1799", _CC_BY, f"{_GITHUB}HTR-United/CREMMA-MSS-18",
        # Beside the usual marks, # and ‸ where a note is to be inserted, XXX for what could not be read.
        transcription=Transcription(r"[<>#‸]|\[\[|XXX", _CREMMA.replaced),
    ),
    "peraire": PageSet(
        "travel notebooks of L. Péraire, French, one hand, 20th century", _CC_BY,
        f"{_GITHUB}alix-tz/peraire-ground-truth",
        # A crossed-out word, a sign of insertion.
        transcription=Transcription("[<>#⋎]", _RAISED),
    ),
    "doniau": PageSet(
        "war diary of C. Doniau, French, one hand, 1914", _CC_BY, f"{_GITHUB}alix-tz/dataset-celestine-doniau-danest",
        ("val",), Transcription(r"[<>⟦⟧]|\[\?", _RAISED),
    ),
    "lectaurep": PageSet(
        "registers of Paris notaries, 1830 to 1939", _CC_BY, f"{_GITHUB}HTR-United/lectaurep-repertoires",
        transcription=Transcription("[<>]|XXX", _RAISED),
    ),
    "decennales": PageSet(
        "tables of births, Lyon, names and dates, 1902 to 1913", _CC_BY,
        f"{_GITHUB}Lucie-Louis/Tables_decennales_HTR",
    ),
    "timeus": PageSet(
        "minutes of the Paris labour court, photographed, 1858", _CC_BY, f"{_GITHUB}HTR-United/timeuscorpus"
    ),
    "htromance": PageSet(
        "French manuscripts in old script, 1600 to 1799", _CC_BY,
        f"{_GITHUB}HTRomance-Project/modern-roman-languages",
        # ⎀ is a sign of insertion, [?] an unread letter.
        transcription=Transcription(r"[<>⎀]|\[\?", _RAISED | {"¬": "-", "⁊": "et"}),
    ),
    "gw_en": PageSet(
        "letter book of G. Washington, English, two hands, 1755",
        "images public domain, transcription for research",
        "the Washington database of the University of Fribourg, images of the Library of Congress",
    ),
}  # fmt: skip


def page_set(name: str) -> PageSet:
    """The page set of a name; one that is not registered has no conventions but the usual ones."""
    return PAGE_SETS.get(name) or PageSet(name, "", "")
