"""JSON and forms that ask for nothing sensible are refused with a reason."""

from __future__ import annotations

import base64
import json

import pytest

from tests.service.http.conftest import assert_problem

pytestmark = pytest.mark.usefixtures("well_afterwards")
JSON = {"Content-Type": "application/json"}


BODIES = {
    "empty": (b"", 400),
    "cut short": (b'{"image": "aGk', 400),
    "not UTF-8": (b'{"image": "\xff\xfe"}', 400),
    "a list": (b"[]", 422),
    "a text": (b'"image"', 422),
    "NaN": (b"NaN", 422),
    "deep": (b"[" * 5000 + b"]" * 5000, 400),
    "deep in a field": (b'{"image": ' + b"[" * 200_000, 400),
    "many values": (b'{"image": [' + b"[]," * 500_000 + b"[]]}", 400),
    "a huge number": (b'{"image": ' + b"9" * 100_000 + b"}", 400),
    "a large number": (b'{"image": 1e999}', 422),
    "nothing to read": (b"{}", 422),
    "two things to read": (b'{"image": "aGk=", "image_url": "http://localhost/"}', 422),
    "null": (b'{"image": null}', 422),
    "no base64": (b'{"image": "***"}', 422),
    "an empty image": (b'{"image": ""}', 422),
    "a data URL of text": (b'{"image": "data:text/html;base64,PGI+"}', 422),
    "a data URL of nothing": (b'{"image": "data:"}', 422),
    "a path": (b'{"image": "/etc/passwd"}', 422),
    "a file": (b'{"image": "file:///etc/passwd"}', 422),
    "an unknown field": (b'{"image": "aGk=", "imgae": 1}', 422),
    "an unknown unit": (b'{"image": "aGk=", "unit": "book"}', 422),
    "an unknown format": (b'{"image": "aGk=", "format": "../../etc/passwd"}', 422),
    "a language model by name": (b'{"image": "aGk=", "language_model": "greek"}', 422),
    "half a character": (b'{"image": "\\ud800"}', 422),
    "half a character as a name": (b'{"\\ud800": 1}', 422),
    "wrong types": (b'{"image": {"a": 1}, "unit": [], "store": "perhaps"}', 422),
}


@pytest.mark.parametrize("name", BODIES)
def test_json_that_asks_for_nothing_sensible_is_refused(strict, name):
    body, status = BODIES[name]
    problem = assert_problem(strict.client.post("/v1/predict", content=body, headers=JSON), status)
    assert len(problem["detail"]) <= 1000
    batch = body.replace(b'"image"', b'"images"').replace(b'"aGk="', b'["aGk="]')
    answer = strict.client.post("/v1/batch", content=batch, headers=JSON)
    if answer.status_code == 200:  # the images are opened while it answers
        events = [json.loads(line) for line in answer.text.splitlines()]
        assert [event["event"] for event in events] == ["error", "end"]
    else:
        assert_problem(answer)


@pytest.mark.parametrize(
    "body",
    [
        b'{"format": "json", "pages": [{"lines": [], "width": 1e999, "height": 1}]}',
        b'{"format": "json", "pages": [{"lines": [], "width": NaN, "height": 1}]}',
        b'{"format": "json", "pages": [{"lines": [], "width": 1, "height": 1, "source": '
        + b"[" * 600
        + b"]" * 600
        + b"}]}",
        b'{"format": "json", "pages": [{"lines": [{"text": "a", "polygon": [], "confidence": '
        + b"9" * 400
        + b'}], "width": 1, "height": 1}]}',
        b'{"format": "txt", "pages": [{"lines": [{"text": {}, "polygon": [[1, 2, 3]], "confidence": "x"}]}]}',
        b'{"format": "txt", "pages": []}',
        b"[" * 100_000,
    ],
)
def test_pages_that_are_none_are_not_written(strict, body):
    assert_problem(strict.client.post("/v1/format", content=body, headers=JSON), 400, 422)


def test_unknown_kinds_of_body_are_refused(strict, line_png):
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "", "a" * 5000):
        assert_problem(strict.client.post("/v1/predict", content=line_png, headers={"Content-Type": kind}), 415)
    assert_problem(strict.client.post("/v1/predict"), 415)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"abc"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nfoo\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\ncut"),
        ("multipart/form-data; boundary=" + "x" * 5000, b"--x\r\n"),
        (
            "multipart/form-data; boundary=x; charset=none",
            b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n',
        ),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 50_000),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 60),
    ],
)
def test_damaged_forms_are_refused(strict, kind, body):
    answer = strict.client.post("/v1/predict", content=body, headers={"Content-Type": kind})
    assert_problem(answer, 400, 413, 422)


def test_too_many_documents_are_refused(strict, line_png):
    files = [("files", ("a.png", line_png))] * 6
    assert_problem(strict.client.post("/v1/batch", files=files), 400, 413)
    images = [base64.b64encode(line_png).decode()] * 6
    assert_problem(strict.client.post("/v1/batch", json={"images": images}), 413)
    assert_problem(strict.client.post("/v1/predict", files=files[:2]), 413)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../../etc/passwd", "passwd"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("écriture 手書き 🖋.png", "écriture 手書き 🖋.png"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("x" * 3000, "x" * 200),
        ("%2e%2e%2fa.png", "%2e%2e%2fa.png"),
    ],
)
def test_names_of_files_are_for_showing_only(strict, line_png, name, shown):
    answer = strict.client.post("/v1/batch", files={"files": (name, line_png)}, data={"unit": "line"})
    assert json.loads(answer.text.splitlines()[0])["name"] == shown
    kept = {path.name.partition("-")[0] for path in strict.home.iterdir()}
    assert kept <= {"log", "feedback.db"}, "nothing was written under that name, or at all"
