"""Readings that are kept, corrected, given for training, and deleted, over HTTP."""

from __future__ import annotations

import io
import signal

import pytest
from PIL import Image

from tests.service.http.conftest import assert_problem
from tests.service.http.files import stack


@pytest.fixture
def kept(server, line_png) -> dict:
    answer = server.predict(line_png, unit="line", store="true").json()
    assert answer["stored"] is True
    return answer


def _correct(server, id: str, text: str, **more: object):
    corrections = [{"line": 0, "text": text}]
    return server.client.post("/v1/feedback", json={"id": id, "corrections": corrections, **more})


def test_nothing_is_kept_unless_asked_for(server, line_png):
    answer = server.predict(line_png, unit="line").json()
    assert answer["stored"] is False
    assert_problem(server.client.get(f"/v1/readings/{answer['id']}"), 404)
    assert_problem(_correct(server, answer["id"], "a"), 404)


def test_a_correction_changes_the_kept_reading(server, kept):
    answer = _correct(server, kept["id"], "Baker Street, 4 March 1891 – été", who="Ada")
    assert answer.json() == {"kept": 1}
    found = server.client.get(f"/v1/readings/{kept['id']}").json()
    assert found["pages"][0]["page"]["text"] == "Baker Street, 4 March 1891 – été"
    assert [found["corrections"], found["consent"], found["model"]] == [1, False, kept["model"]]


def test_the_image_is_kept_as_it_was_read(server, kept, line_png):
    answer = server.client.get(f"/v1/readings/{kept['id']}/pages/0/image")
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == Image.open(io.BytesIO(line_png)).size
    assert_problem(server.client.get(f"/v1/readings/{kept['id']}/pages/1/image"), 404)


def test_consent_is_given_and_taken_back(server, kept):
    path = f"/v1/readings/{kept['id']}"
    assert _correct(server, kept["id"], "a", consent=True).status_code == 200
    assert server.client.get(path).json()["consent"] is True
    assert server.client.patch(path, json={"consent": False}).status_code == 204
    assert server.client.get(path).json()["consent"] is False


def test_a_deleted_reading_is_gone(server, kept):
    path = f"/v1/readings/{kept['id']}"
    answer = server.client.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    for gone in (server.client.get(path), server.client.get(f"{path}/pages/0/image"), server.client.delete(path)):
        assert_problem(gone, 404)
    assert_problem(server.client.patch(path, json={"consent": True}), 404)
    assert_problem(_correct(server, kept["id"], "a"), 404)


def test_pages_of_a_document_are_kept_together(server, letter_page):
    answer = server.predict(stack([letter_page, letter_page.rotate(180)], "PDF", resolution=150), store="true").json()
    found = server.client.get(f"/v1/readings/{answer['id']}").json()
    assert [page["page"]["text"] for page in found["pages"]] == [page["pred"] for page in answer["pages"]]
    assert all(page["image"] for page in found["pages"])
    with_batch = server.client.post(
        "/v1/batch", files={"files": stack([letter_page], "TIFF")}, data={"store": "true", "consent": "true"}
    )
    done = [line for line in with_batch.iter_lines() if '"event": "done"' in line]
    assert '"stored": true' in done[0]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": "KEPT"},
        {"id": "KEPT", "corrections": []},
        {"id": "KEPT", "corrections": [{"line": 99, "text": "a"}]},
        {"id": "KEPT", "corrections": [{"line": -1, "text": "a"}]},
        {"id": "KEPT", "corrections": [{"line": 0, "page": 1, "text": "a"}]},
        {"id": "KEPT", "corrections": [{"line": 0, "text": "a" * 1001}]},
        {"id": "KEPT", "corrections": [{"line": 0, "text": "two\nlines"}]},
        {"id": "KEPT", "corrections": [{"line": 0, "text": "nothing\0"}]},
        {"id": "KEPT", "corrections": [{"line": 0, "text": "a", "word": 99}]},
        {"id": "KEPT", "corrections": [{"line": 0, "text": "a"}, {"line": 99, "text": "a"}]},
        {"id": "KEPT", "corrections": [{"line": 0, "text": "a"}], "who": "a\nb"},
        {"id": "KEPT", "corrections": [{"line": 0, "text": "a", "colour": "red"}]},
        {"id": "KEPT", "corrections": [{"line": 0.5, "text": "a"}]},
        {"id": "KEPT", "corrections": [{"line": 10**30, "text": "a"}]},
    ],
)
def test_corrections_are_kept_all_or_none(server, kept, body):
    if body.get("id"):
        body["id"] = kept["id"]
    assert_problem(server.client.post("/v1/feedback", json=body), 422)
    assert server.client.get(f"/v1/readings/{kept['id']}").json()["corrections"] == 0


def test_an_acknowledged_correction_survives_a_crash(start, line_png, tmp_path):
    first = start()
    id = first.predict(line_png, unit="line", store="true").json()["id"]
    assert _correct(first, id, "as a person wrote it", consent=True).json() == {"kept": 1}
    first.process.send_signal(signal.SIGKILL)
    assert first.process.wait(10) == -signal.SIGKILL

    second = start()
    found = second.client.get(f"/v1/readings/{id}").json()
    assert found["pages"][0]["page"]["text"] == "as a person wrote it"
    assert [found["corrections"], found["consent"]] == [1, True]
    assert second.client.get(f"/v1/readings/{id}/pages/0/image").status_code == 200


def test_a_server_that_keeps_nothing_says_so(open_server, line_png):
    assert open_server.client.get("/v1/settings").json()["feedback"] is False
    answer = open_server.predict(line_png, unit="line", store="true").json()
    assert answer["stored"] is False
    assert_problem(_correct(open_server, answer["id"], "a"), 404)
    assert_problem(open_server.client.get(f"/v1/readings/{answer['id']}"), 404)
    assert not [path for path in open_server.home.iterdir() if path.name != "log"]


def test_reading_goes_on_while_nothing_can_be_kept(start, line_png, tmp_path):
    (tmp_path / "file").write_text("where a folder should be")
    server = start(ready=False, FEEDBACK_DATABASE=f"sqlite:///{tmp_path}/file/feedback.db")
    answer = server.predict(line_png, unit="line", store="true").json()
    assert answer["pred"]
    assert answer["stored"] is False
    problems = [
        server.client.get("/readyz"),
        _correct(server, answer["id"], "a"),
        server.client.get(f"/v1/readings/{answer['id']}"),
        server.client.delete(f"/v1/readings/{answer['id']}"),
    ]
    for found in problems:
        detail = assert_problem(found, 503)["detail"]
        assert str(tmp_path) not in detail, "where it lies is nobody's business"
        assert found.headers["Retry-After"]
    batch = server.client.post("/v1/batch", files={"files": line_png}, data={"unit": "line", "store": "true"})
    assert '"stored": false' in batch.text
    assert "cannot be used" in server.log()
    assert "Traceback" not in server.log()
    assert answer["pred"].split()[0] not in server.log()
