"""What of the review queue a request may see: the state that the labelling queue's API answers it from."""

from __future__ import annotations

from fastapi import Request

from text_recognizer.service import api
from text_recognizer.service.feedback.rows import MAX_CHARACTERS
from text_recognizer.service.labeling.queue.api import QueueState
from text_recognizer.service.problems import Problem
from text_recognizer.service.review.queue import ReviewQueue
from text_recognizer.service.review.source import ReviewPictures, ReviewSource


def review_of(request: Request) -> QueueState:
    """The queue for whoever asks: on a server with keys the readings of the key, or all where it is a reviewer's.

    Raises `Problem` 401 for a wrong key, 404 where the server keeps no readings.
    """
    server = api.state(request)
    key = api.key_name(request)
    if server.reviews is None:
        raise Problem(404, "this server keeps no readings that could be reviewed")
    owner = None if key is None or key in server.settings.reviewers else key
    source = ReviewSource(server.reviews, api.store(request), owner)
    return QueueState(
        ReviewQueue(source),
        None,
        ReviewPictures(source, server.decoded),
        server.reading.alphabet,
        key or "",
        known=key is not None,
        kind="review",
        longest=MAX_CHARACTERS,
        orders=("doubtful", "page", "skipped"),
    )
