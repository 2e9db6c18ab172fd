"""What the log says, and what it never does."""

from __future__ import annotations

import base64
import json
import logging

import pytest

from tests.conftest import SAMPLES
from text_recognizer.service import logs


def test_the_log_holds_nothing_of_what_was_read_or_asked(server, line_png):
    start = len(server.log())
    answer = server.predict(line_png, unit="line", store="true").json()
    assert answer["stored"]
    text = answer["pred"]
    letter = (SAMPLES / "letter.jpg").read_bytes()
    secret = "secret-of-a-client"
    server.client.get("/v1/predict", params={"image_url": f"http://{secret}.example/{secret}.png"})
    server.client.get(f"/v1/models?{secret}=1")
    server.client.get(f"/{secret}/../{secret}")
    server.client.post("/v1/predict", files={"file": (f"{secret}.png", letter[:5000])})
    server.client.post("/v1/predict", json={"image": "*", secret: secret})
    server.client.post("/v1/feedback", json={"id": answer["id"], "corrections": [{"line": 0, "text": secret}]})
    server.client.get("/healthz", headers={"X-API-Key": secret, "Authorization": f"Bearer {secret}"})
    server.client.get("/v1/settings", headers={"X-Request-ID": "the-last-one"})
    server.wait_for_log("the-last-one")
    news = server.log()[start:]
    assert news.count('"route": "/v1/predict"') == 4
    words = [word for word in text.split() if len(word) > 3]
    assert words
    for hidden in (secret, *words, base64.b64encode(line_png)[:40].decode(), "example", "127.0.0.1"):
        assert hidden not in news
    for line in news.splitlines():
        event = json.loads(line)
        assert event["level"] == "info"
        assert set(event) <= {
            *("time", "level", "logger", "message", "method", "route", "status", "milliseconds", "request", "key")
        }


def test_errors_are_logged_by_their_place_and_without_what_they_hold():
    secret = "".join(["a", "secret"])  # so that no line of the source holds it

    def failing() -> None:
        try:
            raise KeyError(secret)
        except KeyError as error:
            raise ValueError(secret) from error

    for formatter in (logs._Json(), logs._Text()):
        try:
            failing()
        except ValueError as error:
            raised = (type(error), error, error.__traceback__)
        record = logging.LogRecord("n", logging.ERROR, "p", 1, "unexpected error", (), raised)
        line = formatter.format(record)
        for part in ("ValueError", "KeyError", "failing", "unexpected error"):
            assert part in line
        assert secret not in line


@pytest.mark.parametrize("identifier", ["1234567890abcdef", "A-b_c.d-12345678", "0" * 64])
def test_the_identifier_of_a_request_is_given_back(server, identifier):
    answer = server.client.get("/v1/settings", headers={"X-Request-ID": identifier})
    assert answer.headers["X-Request-ID"] == identifier
    server.wait_for_log(f'"request": "{identifier}"')


@pytest.mark.parametrize("identifier", ["", "short", "0" * 65, "a b c d e f", 'quote"quote"', "ü" * 10, "{jndi:ldap}"])
def test_an_identifier_that_could_do_harm_is_replaced(server, identifier):
    answer = server.client.get("/v1/settings", headers={"X-Request-ID": identifier.encode("latin-1")})
    assert answer.headers["X-Request-ID"] != identifier
    assert len(answer.headers["X-Request-ID"]) == 32
