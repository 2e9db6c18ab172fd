"""Between the records that callers see and the rows of the tables, and what a correction must look like."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from text_recognizer.alphabet import normalize_text
from text_recognizer.page import Line, Page, Word
from text_recognizer.service.feedback.records import (
    Correction,
    InvalidCorrection,
    NewCorrection,
    StoredPage,
    StoredReading,
)
from text_recognizer.service.feedback.tables import CorrectionRow, PageRow, ReadingRow

MAX_CHARACTERS = 1000  # of a line
_FORBIDDEN = {"Cc": "a control character", "Cs": "half a character", "Zl": "a line break", "Zp": "a line break"}


def reading_row(reading: StoredReading) -> ReadingRow:
    """The row of a reading, without its pages."""
    return ReadingRow(
        id=reading.id,
        created=reading.created,
        kind=reading.kind,
        model=dict(reading.model),
        milliseconds=reading.milliseconds,
        consent=reading.consent,
        owner=reading.owner,
    )


def page_rows(reading: StoredReading, keys: Sequence[str | None]) -> list[PageRow]:
    """The rows of its pages. keys: of the image of each."""
    return [
        PageRow(
            reading=reading.id,
            number=number,
            width=stored.page.width,
            height=stored.page.height,
            image_key=key,
            page=stored.page.to_dict(),
        )
        for number, (stored, key) in enumerate(zip(reading.pages, keys, strict=True))
    ]


def correction(row: CorrectionRow) -> Correction:
    """The record of a correction."""
    return Correction(row.page, row.line, row.word, row.before, row.after, row.who, row.created)


def summaries() -> Select[Any]:
    """The fields of `ReadingSummary`, of every reading."""
    pages = select(func.count()).where(PageRow.reading == ReadingRow.id).scalar_subquery()
    corrections = select(func.count()).where(CorrectionRow.reading == ReadingRow.id).scalar_subquery()
    return select(
        ReadingRow.id,
        ReadingRow.created,
        ReadingRow.kind,
        ReadingRow.consent,
        ReadingRow.owner,
        pages,
        corrections,
    )


def stored_reading(row: ReadingRow, pages: Iterable[PageRow], corrections: Iterable[CorrectionRow]) -> StoredReading:
    """The record of a reading, with its corrections applied. corrections: oldest first."""
    made = tuple(correction(row) for row in corrections)
    texts = _texts(made)
    return StoredReading(
        id=row.id,
        pages=tuple(
            StoredPage(_corrected(Page.from_dict(page.page), page.number, texts), None, page.image_key)
            for page in pages
        ),
        kind=row.kind,
        model=row.model,
        milliseconds=row.milliseconds,
        consent=row.consent,
        owner=row.owner,
        created=row.created,
        corrections=made,
    )


def correction_rows(
    reading_id: str,
    corrections: Iterable[NewCorrection],
    pages: Iterable[PageRow],
    stored: Iterable[Correction],
    who: str | None,
    now: datetime,
) -> list[CorrectionRow]:
    """The rows of new corrections. stored: those that are there already, oldest first. Raises InvalidCorrection."""
    lines = {page.number: page.page["lines"] for page in pages}
    texts = _texts(stored)
    made = []
    for number, new in enumerate(corrections, start=1):
        try:
            line = _line(lines, new)
            before = texts.get((new.page, new.line), line["text"])
            after = _text(new.text)
            _check_word(new.word, (before, after, line["text"]))
        except InvalidCorrection as error:
            raise InvalidCorrection(f"correction {number}: {error}") from error
        texts[new.page, new.line] = after
        made.append(
            CorrectionRow(
                reading=reading_id,
                page=new.page,
                line=new.line,
                word=new.word,
                before=before,
                after=after,
                who=who,
                created=now,
            )
        )
    return made


def _texts(corrections: Iterable[Correction]) -> dict[tuple[int, int], str]:
    """(page, line) -> its text after the last correction."""
    return {(made.page, made.line): made.after for made in corrections}


def _line(pages: Mapping[int, list[dict[str, Any]]], new: NewCorrection) -> dict[str, Any]:
    if new.page not in pages:
        raise InvalidCorrection(f"there is no page {new.page} (counted from 0, this reading has {len(pages)})")
    lines = pages[new.page]
    if not 0 <= new.line < len(lines):
        raise InvalidCorrection(f"page {new.page} has no line {new.line} (counted from 0, it has {len(lines)})")
    return lines[new.line]


def _text(given: str) -> str:
    if len(given) > MAX_CHARACTERS:
        raise InvalidCorrection(f"the text has {len(given):,} characters, more than {MAX_CHARACTERS:,}")
    for character in given:
        what = "a line break" if character in "\n\r\v\f\x85" else _FORBIDDEN.get(unicodedata.category(character))
        if what:
            raise InvalidCorrection(f"the text contains {what} (U+{ord(character):04X}); a line is one row of text")
    return normalize_text(given)


def _check_word(word: int | None, texts: Iterable[str]) -> None:
    """A word that somebody edited stood in the line before, stands there now, or was read there at first."""
    if word is not None and not 0 <= word < max(len(text.split()) for text in texts):
        raise InvalidCorrection(f"the line has no word {word} (counted from 0)")


def _corrected(page: Page, number: int, texts: Mapping[tuple[int, int], str]) -> Page:
    lines = (_with_text(line, texts.get((number, index), line.text)) for index, line in enumerate(page.lines))
    return replace(page, lines=tuple(lines))


def _with_text(line: Line, text: str) -> Line:
    """The line with another text. Where a word stands only where words were read, its outline stays right."""
    if text == line.text:
        return line
    written = text.split()
    same_number = len(written) == len(line.words)
    words = tuple(_renamed(word, new) for word, new in zip(line.words, written, strict=True)) if same_number else ()
    return replace(line, text=text, words=words)


def _renamed(word: Word, text: str) -> Word:
    return word if word.text == text else replace(word, text=text, character_confidences=())
