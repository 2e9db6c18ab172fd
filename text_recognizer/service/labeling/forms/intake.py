"""Taking in photographs of forms: which sheets are used, which lines are new, and a word about everything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from text_recognizer.service.labeling.forms.boxes import State
from text_recognizer.service.labeling.forms.collection import Collection, NewLine, Terms
from text_recognizer.service.labeling.forms.contact import LINES, contact_sheet
from text_recognizer.service.labeling.forms.form import Form
from text_recognizer.service.labeling.forms.scan import Consent, Problem, ScannedSheet, best_of, scan_file

_UNTICKED = "its lines are left out unless --consent says that the writer agrees"
_CONSENT = {
    Consent.NO: "the writer ticked that the lines may not be used: they are left out",
    Consent.OPEN: f"no box for consent is ticked: {_UNTICKED}",
    Consent.BOTH: f"both boxes for consent are ticked: {_UNTICKED}",
}


@dataclass
class Intake:
    """What became of some pictures. problems: what is missing now. notes: what need not worry. known: lines that
    were there already.
    """

    lines: list[NewLine] = field(default_factory=list)
    sheets: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    known: int = 0

    def splits(self) -> Counter[str]:
        """How many new lines each split has."""
        return Counter(line.row["split"] for line in self.lines)


def take_in(
    paths: Iterable[Path],
    forms: dict[str, Form],
    collection: Collection,
    terms: Terms,
    agreed: bool = False,
    said: Callable[[str], None] = lambda _: None,
) -> Intake:
    """Scan pictures and add their lines to a collection.

    agreed: the writer agrees, whatever is not ticked; a "no" that is ticked stands all the same. said: is called with
    the name of every picture when its turn comes. Of several pictures of a page the best is taken.
    """
    intake = Intake()
    scanned = []
    for path in paths:
        said(str(path))
        for result in scan_file(path, forms):
            if isinstance(result, Problem):
                intake.problems.append(result.what)
            else:
                scanned.append(result)
    usable = [sheet for sheet in _unseen(scanned, collection, intake) if _agreed(sheet, agreed, intake)]
    chosen, aside = best_of(usable)
    intake.notes += [f"{worse.name}: left aside, {better.photo.name} shows it better" for worse, better in aside]
    for sheet in chosen:
        _describe(sheet, intake)
    how = [(sheet, replace(terms, consent="ticked" if sheet.consent is Consent.YES else "given")) for sheet in chosen]
    intake.lines, intake.known = collection.add(how)
    return intake


def write_contact_sheets(folder: Path, lines: Sequence[tuple[str, NewLine]]) -> list[Path]:
    """Contact sheets of lines with a label each, numbered on from those in the folder. Returns their paths."""
    written = []
    number = 1
    for first in range(0, len(lines), LINES):
        while (folder / f"contact-{number:03d}.png").exists():
            number += 1
        path = folder / f"contact-{number:03d}.png"
        contact_sheet([(label, line.image) for label, line in lines[first : first + LINES]]).save(path, "PNG")
        written.append(path)
    return written


def _unseen(sheets: Iterable[ScannedSheet], collection: Collection, intake: Intake) -> Iterable[ScannedSheet]:
    """The sheets whose picture has not given lines before."""
    seen = {(row["photo_sha256"], row["form"], row["page"]) for row in collection.rows}
    for sheet in sheets:
        key = sheet.photo.digest, sheet.form.identifier, str(sheet.page.number)
        if key in seen:
            intake.notes.append(f"{sheet.name}: this very picture was scanned before")
        else:
            seen.add(key)
            yield sheet


def _agreed(sheet: ScannedSheet, agreed: bool, intake: Intake) -> bool:
    if sheet.consent is Consent.YES or (agreed and sheet.consent is not Consent.NO):
        return True
    intake.problems.append(f"{sheet.name}: {_CONSENT[sheet.consent]}")
    return False


def _describe(sheet: ScannedSheet, intake: Intake) -> None:
    empty = sheet.numbers(State.EMPTY)
    blank = f", empty: {_listed(empty)}" if empty else ""
    intake.sheets.append(f"{sheet.name}: {len(sheet.numbers(State.FILLED))} lines{blank}")
    for state, why in ((State.OUTSIDE, "outside of the picture"), (State.HIDDEN, "hidden, or folded away")):
        if lost := sheet.numbers(state):
            intake.problems.append(f"{sheet.name}: not read, because {why}: {_listed(lost)}")


def _listed(numbers: Sequence[int]) -> str:
    return f"{'box' if len(numbers) == 1 else 'boxes'} {', '.join(map(str, numbers))}"
