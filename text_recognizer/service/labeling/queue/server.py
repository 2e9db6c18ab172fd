"""Serving a labelling queue: one process, whose reader and reservations everybody shares."""

from __future__ import annotations

from text_recognizer.recognition.recognizer import TextRecognizer
from text_recognizer.service.labeling.folder import LabelingFolder
from text_recognizer.service.labeling.queue.app import create_app
from text_recognizer.service.labeling.queue.queue import LabelQueue
from text_recognizer.service.labeling.queue.reading import PageReader
from text_recognizer.service.labeling.queue.source import PageSource
from text_recognizer.service.labeling.selection_lines import read_order
from text_recognizer.service.server import serve
from text_recognizer.service.settings import Settings


def run(
    source: PageSource,
    recognizer: TextRecognizer,
    settings: Settings,
    overlap: float = 0.0,
    again: bool = False,
    annotator: str = "",
) -> None:
    """Serve a queue until SIGTERM or Ctrl-C. For an address that `server.check_address` found free.

    overlap: see `LabelQueue`. again: see `PageReader`. annotator: a name to offer. Raises ValueError for a share of
    lines that is none.
    """
    first = source.folder if isinstance(source, LabelingFolder) else None
    queue = LabelQueue(source, overlap, first=lambda: read_order(first) if first else ())
    app = create_app(queue, PageReader(source, recognizer, again), settings, annotator)
    serve(app, settings)
