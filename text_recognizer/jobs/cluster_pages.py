"""What the machines of a cluster do: count the pages of documents, read pages, write them to the store."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from text_recognizer.formats import FORMATS
from text_recognizer.images import ImageError, open_document
from text_recognizer.jobs.manifest import Row
from text_recognizer.jobs.names import page_name
from text_recognizer.jobs.opening import MAX_PAGES, Opener
from text_recognizer.jobs.page_numbers import PageNumbers
from text_recognizer.jobs.recipe import Reader, Recipe
from text_recognizer.jobs.sources import Source
from text_recognizer.jobs.store import Store, read_document
from text_recognizer.jobs.worker import read_page

_OF_ONE_PAGE = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def pages_of(document: dict[str, Any], numbers: str, recipe: Recipe) -> list[dict[str, Any]]:
    """The pages of a document that are still to be read; one row with an error where it cannot be opened.

    document: source, stem, error, and done: the pages that were read before, with commas between them. Only documents
    that may have several pages are opened for it.
    """
    common = {"source": document["source"], "stem": document["stem"]}
    error, count = document["error"], 1
    if not error and not document["source"].lower().endswith(_OF_ONE_PAGE):
        try:
            data = read_document(document["source"])
            with open_document(data, recipe.max_pixels, MAX_PAGES, recipe.dpi, document["source"]) as opened:
                count = len(opened)
        except (ImageError, OSError) as trouble:
            error = str(trouble)
    if error:
        return [{**common, "page": 0, "pages": 0, "error": error}]
    done = {int(number) for number in document["done"].split(",") if number}
    todo = [number for number in PageNumbers(numbers).of(count) if number not in done]
    return [{**common, "page": number, "pages": count, "error": ""} for number in todo]


class PageReader:
    """Reads pages and writes them to a store; the last document stays open, for its pages mostly come together."""

    def __init__(self, recipe: Recipe, formats: Sequence[str], output: str) -> None:
        self._reader = Reader(recipe)
        self._formats = [FORMATS[name] for name in formats]
        self._store = Store(output)
        self._settings = recipe.settings() | {"formats": sorted(formats)}
        self._opener = StoreOpener(recipe.max_pixels, recipe.dpi)

    def __call__(self, task: dict[str, Any]) -> dict[str, str]:
        """Read the page of a row of `pages_of`. The answer has a row of the manifest, as JSON."""
        begin = time.perf_counter()
        row = self._failed(task, task["error"]) if task["error"] else self._read(task)
        spent = round(1000 * (time.perf_counter() - begin), 1)
        return {"row": json.dumps(asdict(row) | {"milliseconds": spent, "worker": os.getpid()}, ensure_ascii=False)}

    def _read(self, task: dict[str, Any]) -> Row:
        number = int(task["page"])
        try:
            document = self._opener.open(Source(task["source"], task["source"], (task["source"],)))
            page, picture = read_page(self._reader, document, number, [form.name for form in self._formats])
            outputs = []
            for form in self._formats:
                several = task["pages"] > 1
                outputs.append(f"{task['stem']}{f'/{page_name(number)}' if several else ''}{form.suffix}")
                self._store.write(outputs[-1], form.write(page, picture))
        except (ImageError, OSError) as error:
            return self._failed(task, str(error))
        except Exception as error:  # of a page that nobody foresaw: the others are still read
            return self._failed(task, f"{type(error).__name__}: {error}")
        return Row(
            source=task["source"],
            page=number,
            pages=int(task["pages"]),
            sha256=document.sha256,
            status="read",
            confidence=round(page.confidence, 4) if page.lines else None,
            lines=len(page.lines),
            text=document.document.has_text(number - 1),
            outputs=tuple(outputs),
            stem=task["stem"],
            models=self._reader.models,
            settings=self._settings,
        )

    def _failed(self, task: dict[str, Any], error: str) -> Row:
        return Row(
            source=task["source"],
            page=int(task["page"]) or None,
            pages=int(task["pages"]) or None,
            sha256=None,
            status="failed",
            error=error,
            stem=task["stem"],
            models=self._reader.models,
            settings=self._settings,
        )


class StoreOpener(Opener):
    """Opens documents of any store."""

    def _fetch(self, source: Source) -> bytes:
        return read_document(source.path)
