"""What the queue's page is shown: a line with what stands around it, pages, progress and agreement."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer.images.document import encoded_page
from text_recognizer.labeling.agreement import Agreement, Pair
from text_recognizer.labeling.folder import QueueLine
from text_recognizer.labeling.labels import Label
from text_recognizer.labeling.outlines import cut_out
from text_recognizer.labeling.queue import Progress, Task
from text_recognizer.labeling.queue_source import PageSource, QueueSource
from text_recognizer.page import Polygon
from text_recognizer.service.annotation.background_reading import PageReader

_KEPT = 4  # pages as JPEG, for those who look at them


class PagePictures:
    """Pages and lines of a source as image files for a browser, see `queue_source.Pictures`."""

    def __init__(self, source: PageSource) -> None:
        self._source = source
        self._pages: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def page(self, page: str) -> bytes:
        """A page as JPEG. Raises ImageError, UnknownPage."""
        pixels = self._source.pixels(page)
        with self._lock:
            kept = self._pages.get(page)
            if kept is not None and kept[0] == id(pixels):
                return kept[1]
        encoded = encoded_page(pixels)
        with self._lock:
            self._pages[page] = (id(pixels), encoded)
            self._pages.move_to_end(page)
            while len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
        return encoded

    def line(self, page: str, polygon: Polygon, baseline: Polygon) -> bytes:
        """What an outline encloses, straightened, as PNG. Raises ImageError, UnknownPage, ValueError."""
        return png(cut_out(self._source.pixels(page), polygon, baseline))


def task_view(source: QueueSource, task: Task, annotator: str) -> dict[str, Any]:
    """A line as the page shows it, with the lines of its page.

    What others said of it is shown only to whoever is to adjudicate: a second opinion must be one's own.
    """
    line = task.line
    own = line.labels.get(annotator)
    shown = own.text if own is not None and own.status == "labeled" else line.text
    return page_view(source, task.page, annotator, line.id) | {
        "line": line.id,
        "text": shown,
        "model": {"text": line.text, "confidence": round(line.confidence, 4)},
        "polygon": line.polygon,
        "baseline": line.baseline,
        "own": None if own is None else {"status": own.status, "text": own.text, "time": own.time},
        "why": list(task.why),
        "adjudicate": task.adjudicate,
        "others": [said(label) for label in line.opinions] if task.adjudicate else [],
    }


def page_view(source: QueueSource, page: str, annotator: str = "", line: str = "") -> dict[str, Any]:
    """A page with its lines. line: the one that is shown to an annotator."""
    height, width = source.size(page)
    lines = [_neighbour(other, annotator, other.id == line) for other in source.lines(page)]
    return {"page": page, "name": source.name(page), "width": width, "height": height, "lines": lines}


def _neighbour(line: QueueLine, annotator: str, current: bool) -> dict[str, Any]:
    final = line.final
    own = line.labels.get(annotator)
    text = own.text if own is not None and own.status == "labeled" else line.text
    if not current and final is not None:  # of the line itself nobody's text is shown
        text = final.text
    state = "disputed" if line.opinions and final is None else final.status if final else "open"
    return {"id": line.id, "polygon": line.polygon, "text": text, "state": state}


def said(label: Label) -> dict[str, Any]:
    """What an annotator said."""
    return {"annotator": label.annotator, "status": label.status, "text": label.text, "time": label.time}


def progress_view(progress: Progress, annotator: str) -> dict[str, Any]:
    """How far everybody has come."""
    return {
        "lines": progress.lines,
        "done": progress.done,
        "waiting": progress.waiting,
        "second": progress.second,
        "disputed": progress.disputed,
        "own": progress.by.get(annotator, 0),
        "by": [{"annotator": who, "lines": count} for who, count in progress.by.most_common()],
    }


def reading_view(reader: PageReader | None) -> dict[str, Any]:
    """How far the model has come with the pages, and what it could not read; nothing is left where there is none."""
    states = [reader.state(page) for page in reader.source.pages()] if reader else []
    return {
        "pages": len(states),
        "read": sum(state.state == "read" for state in states),
        "failed": [state.error for state in states if state.state == "failed"],
    }


def agreement_view(found: Agreement) -> dict[str, Any]:
    """How far annotators agree, and the lines that they dispute."""
    return {
        "pairs": [pair_view(pair) for pair in found.pairs],
        "disputed": [
            {"page": labels[0].page, "line": labels[0].line, "said": [said(label) for label in labels]}
            for labels in found.disputed
        ],
    }


def pair_view(pair: Pair) -> dict[str, Any]:
    """How far two annotators agree."""
    return {
        "annotators": [pair.first, pair.second],
        "lines": pair.lines,
        "exact": pair.exact,
        "exact_share": round(pair.exact_share, 4),
        "cer": round(pair.cer, 4),
        "verdicts": pair.verdicts,
    }


def png(image: NDArray[np.uint8]) -> bytes:
    """An image as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
