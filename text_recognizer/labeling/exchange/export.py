"""The labels of a folder as PAGE XML or ALTO files, for Transkribus, eScriptorium, kraken and others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from text_recognizer.atomic_files import write_file
from text_recognizer.formats import FORMATS
from text_recognizer.formats.alto import AltoFormat
from text_recognizer.formats.page_xml import PageXmlFormat
from text_recognizer.formats.xml import LineMark
from text_recognizer.images import ImageError
from text_recognizer.labeling.folder import LabelingFolder, QueueLine
from text_recognizer.page import Line, Page

_NAME = re.compile(r"[^\W\d][\w.-]*")  # an NCName of XML
_OURS = re.compile(r"(line|word|text|region|block|page|order|kind|column|processing)(s?$|_)")  # what we write besides


def export_documents(
    source: LabelingFolder, output: Path, form: str, replace: bool = False, unlabeled: bool = False
) -> Iterator[str]:
    """Write a file a page that has labels into a folder, under the names of the pages; says what was done.

    form: "page" or "alto". Lines whose text is settled are written, and those that nobody can read, without text and
    marked as such; what annotators dispute is left out and named. unlabeled: also the lines that nobody has looked at,
    as the model reads them, marked, and the pages that have no others. Raises FileExistsError where a file is there and
    is not to be replaced; then nothing is written. ValueError where there is nothing to write.
    """
    writer = FORMATS[form]
    assert isinstance(writer, PageXmlFormat | AltoFormat)
    chosen = {page: _chosen(source.lines(page), unlabeled) for page in source.pages()}
    files = _files({page: output / f"{page}" for page, lines in chosen.items() if lines})
    if not files:
        raise ValueError(f"nothing is labelled in {source.folder}")
    there = [path for path in files.values() if path.exists()]
    if there and not replace:
        raise FileExistsError(f"{there[0]} is there already: name another folder, or replace such files with --replace")
    count: Counter[str] = Counter()
    for page, path in files.items():
        try:
            height, width = source.pixels(page).shape[:2]
        except ImageError as error:
            yield f"left out: {error}"
            continue
        lines, marks = _written(chosen[page])
        reading = source.reading(page)
        models = reading.models if reading is not None and any(mark.status == "model" for mark in marks) else {}
        write_file(path, writer.write(Page(lines, width, height, PurePosixPath(page).name, models), None, marks))
        count.update(mark.status for mark in marks)
        count["files"] += 1
    yield from _disputed(source)
    more = f", {count['illegible']} illegible" * bool(count["illegible"])
    more += f", {count['model']} as the model reads them" * bool(count["model"])
    yield f"wrote {count['files']} files with {count['']} labelled lines{more} to {output}"


def _disputed(source: LabelingFolder) -> Iterator[str]:
    for labels in source.agreed().disputed:
        said = ", ".join(f"{label.annotator}: {label.text or label.status}" for label in labels)
        yield f"left out, disputed: {labels[0].page} {labels[0].line}  {said}"


def _chosen(lines: Sequence[QueueLine], unlabeled: bool) -> list[QueueLine]:
    """The lines to write. What is disputed is not settled by what the model reads."""
    return [
        line
        for line in lines
        if (line.final is not None and line.final.status != "no-line")
        or (unlabeled and not line.opinions and line.text.strip())
    ]


def _written(chosen: Sequence[QueueLine]) -> tuple[tuple[Line, ...], list[LineMark]]:
    lines, marks = [], []
    for count, line in enumerate(chosen):
        final = line.final
        own = _NAME.fullmatch(line.id) and not _OURS.match(line.id)
        text = line.text if final is None else final.text
        status = "model" if final is None else "illegible" if final.status == "illegible" else ""
        sure = line.confidence if final is None else 1.0
        lines.append(Line(text if status != "illegible" else "", line.polygon, sure, line.baseline))
        marks.append(LineMark(line.id if own else f"line_{count}", status))
    return tuple(lines), marks


def _files(pages: dict[str, Path]) -> dict[str, Path]:
    """The file of each page: its name with the ending .xml in place of its own, and after it where two would be one."""
    names = {page: path.with_name(f"{_stem(path.name)}.xml") for page, path in pages.items()}
    counts = Counter(str(path).casefold() for path in names.values())
    return {
        page: path if counts[str(path).casefold()] == 1 else pages[page].with_name(f"{pages[page].name}.xml")
        for page, path in names.items()
    }


def _stem(name: str) -> str:
    """letter.jpg -> letter, book.pdf#page=2 -> book-2."""
    document, _, number = name.partition("#page=")
    stem = document.rpartition(".")[0] or document
    return f"{stem}-{number}" if number else stem
