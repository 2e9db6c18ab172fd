"""Several documents at once, answered as they are read."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import time

from PIL import Image

from tests.service.http.files import stack
from tests.service.running import run_coroutine
from text_recognizer.service.feedback import FeedbackStore
from text_recognizer.service.http.documents import DocumentReader
from text_recognizer.service.http.requests import Source
from text_recognizer.service.http.schemas import Options
from text_recognizer.service.reading.service import ReadingService
from text_recognizer.service.settings import Settings


def _events(server, **request) -> list[dict]:
    with server.client.stream("POST", "/v1/batch", **request) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        return [json.loads(line) | {"at": time.monotonic()} for line in answer.iter_lines()]


def test_a_batch_answers_page_by_page_in_order(server, letter_page, line_png):
    tiff = stack([letter_page, letter_page], "TIFF")
    files = [("files", ("a.png", line_png)), ("files", ("../b.tif", tiff)), ("files", ("c.png", line_png))]
    events = _events(server, files=files)
    kinds = [(event["event"], event.get("index"), event.get("number")) for event in events]
    assert kinds == [
        ("document", 0, None),
        ("page", 0, 0),
        ("done", 0, None),
        ("document", 1, None),
        ("page", 1, 0),
        ("page", 1, 1),
        ("done", 1, None),
        ("document", 2, None),
        ("page", 2, 0),
        ("done", 2, None),
        ("end", None, None),
    ]
    assert [event["name"] for event in events if event["event"] == "document"] == ["a.png", "b.tif", "c.png"]
    assert events[-1]["pages"] == 4
    assert events[-1]["errors"] == 0
    assert len({event["id"] for event in events[:-1]}) == 3


def test_a_batch_streams(server, letter_page):
    pages = stack([letter_page.resize((1880, 540))] * 8, "TIFF")
    events = _events(server, json={"images": [base64.b64encode(pages).decode()]})
    at = [event["at"] for event in events if event["event"] == "page"]
    assert len(at) == 8
    assert events[0]["event"] == "document"
    assert at[-1] - at[0] > 0.25 * (at[-1] - events[0]["at"]), "pages arrive as they are read, not all at the end"


def test_an_error_in_a_batch_does_not_end_it(server, line_png, letter_page):
    cut = stack([letter_page, letter_page], "TIFF", compression="raw")
    middle = bytearray(cut)
    second = Image.open(io.BytesIO(cut))
    second.seek(1)
    del middle[second.tag_v2[273][0] + 100 :]  # its directory comes before its pixels
    images = [line_png, b"GIF89a nothing", bytes(middle), line_png]
    events = _events(server, json={"images": [base64.b64encode(image).decode() for image in images], "unit": "line"})
    failed = [event for event in events if event["event"] == "error"]
    assert [event["index"] for event in failed] == [1, 2]
    assert [event["problem"]["status"] for event in failed] == [422, 422]
    assert [e["index"] for e in events if e["event"] == "page" and e["index"] != 2] == [0, 3]
    assert events[-1]["event"] == "end"
    assert events[-1]["errors"] == 2


def test_a_reading_that_the_database_refuses_does_not_stop_a_batch(line_png):
    """Whatever goes wrong in keeping: the stream goes on to its end."""

    class Refusing(FeedbackStore):
        def __init__(self) -> None:
            pass

        def save_reading(self, reading: object) -> None:
            raise ValueError("the feedback database refuses a value")

    async def read() -> list[dict]:
        reader = DocumentReader(Settings(), service, Refusing())
        options = Options(unit="line", store=True)
        return [event async for event in reader.stream([Source(data=line_png)] * 2, options, None)]

    service = ReadingService(threads=1)
    try:
        events = run_coroutine(asyncio.wait_for(read(), 120))
    finally:
        service.close()
    assert [event["event"] for event in events] == ["document", "page", "done"] * 2 + ["end"]
    assert [event["stored"] for event in events if event["event"] == "done"] == [False, False]
