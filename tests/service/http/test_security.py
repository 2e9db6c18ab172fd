"""Who may ask what, from where, and what leaks: nothing."""

from __future__ import annotations

import socket

import httpx
import pytest

from tests.service.http.conftest import Server, assert_problem, running
from tests.service.running import run_coroutine
from text_recognizer.service.app import create_app
from text_recognizer.service.http import api
from text_recognizer.service.keys import new_key
from text_recognizer.service.settings import Settings

ADA, ADAS_ENTRY = new_key("ada")
BOB, BOBS_ENTRY = new_key("bob@example.org")


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    """A server that wants a key: one in the environment, one in a file."""
    home = tmp_path_factory.mktemp("keyed")
    (home / "keys").write_text(f"# who may read\n\n{BOBS_ENTRY}\n", encoding="utf-8")
    settings = {"API_KEYS": ADAS_ENTRY, "API_KEYS_FILE": home / "keys", "ALLOWED_HOSTS": "Reader.Example,127.0.0.1"}
    with running(home, **settings) as found:
        yield found


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("tr_wrong"),
        bearer(ADA + "x"),
        bearer(ADA[:-1]),
        bearer(ADAS_ENTRY.partition(":")[2]),
        {"Authorization": f"Basic {ADA}"},
        {"Authorization": "Bearer"},
        {"Authorization": ADA},
        {"X-API-Key": ""},
        {"X-API-Key": "\u00ff\u00fe".encode("latin-1")},
    ],
)
def test_who_has_no_key_may_not_ask(keyed, line_png, headers):
    for method, path in [
        ("POST", "/v1/predict"),
        ("GET", "/v1/predict?image_url=http://localhost/"),
        ("POST", "/v1/batch"),
        ("GET", "/v1/models"),
        ("GET", "/v1/readings/abc"),
        ("DELETE", "/v1/readings/abc"),
        ("GET", "/v1/readings/abc/pages/0/image"),
    ]:
        answer = keyed.client.request(method, path, headers={"Content-Type": "image/png"} | headers)
        assert_problem(answer, 401)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    pages = {"pages": [{"lines": [], "width": 1, "height": 1}], "format": "txt"}
    assert_problem(keyed.client.post("/v1/format", json=pages, headers=headers), 401)
    feedback = {"id": "abc", "corrections": [{"line": 0, "text": "a"}]}
    assert_problem(keyed.client.post("/v1/feedback", json=feedback, headers=headers), 401)


def test_who_has_no_key_is_refused_before_the_image_is_taken(keyed):
    head = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: 9999\r\n\r\n"
    with keyed.connect() as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("headers", [bearer(ADA), bearer(BOB), {"X-API-Key": ADA}, {"authorization": f"bearer {ADA}"}])
def test_who_has_a_key_may_ask(keyed, headers):
    assert keyed.client.get("/v1/models", headers=headers).status_code == 200


def test_whether_it_lives_and_what_it_wants_is_told_to_everyone(keyed):
    for path in ("/healthz", "/readyz", "/metrics", "/v1/settings", "/"):
        assert keyed.client.get(path).status_code == 200
    assert keyed.client.get("/v1/settings").json()["key_needed"] is True


def test_readings_of_one_key_are_nobody_elses(keyed, line_png):
    send = {"params": {"unit": "line", "store": "true"}, "content": line_png}
    headers = {"Content-Type": "image/png"} | bearer(ADA)
    id = keyed.client.post("/v1/predict", headers=headers, **send).json()["id"]
    path = f"/v1/readings/{id}"
    feedback = {"id": id, "corrections": [{"line": 0, "text": "mine now"}], "who": "ada"}
    missing = keyed.client.get("/v1/readings/" + "0" * 32, headers=bearer(BOB)).json()
    for method, where, body in [
        ("GET", path, None),
        ("GET", f"{path}/pages/0/image", None),
        ("PATCH", path, {"consent": True}),
        ("DELETE", path, None),
        ("POST", "/v1/feedback", feedback),
    ]:
        problem = assert_problem(keyed.client.request(method, where, json=body, headers=bearer(BOB)), 404)
        assert problem["detail"].replace(id, "0" * 32) == missing["detail"], "as if it did not exist"
    found = keyed.client.get(path, headers=bearer(ADA)).json()
    assert [found["consent"], found["corrections"]] == [False, 0]
    assert keyed.client.delete(path, headers=bearer(ADA)).status_code == 204


@pytest.mark.parametrize("content", ["", "# nobody\n"])
def test_a_file_without_keys_does_not_open_the_server_to_everyone(tmp_path, content):
    (tmp_path / "keys").write_text(content, encoding="utf-8")
    server = Server(tmp_path, API_KEYS_FILE=tmp_path / "keys")
    try:
        assert server.process.wait(30) == 2
        assert "TEXT_RECOGNIZER_API_KEYS_FILE" in server.log()
    finally:
        server.stop()


# Headers and origins


def _assert_secure(answer) -> None:
    headers = answer.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "server" not in headers
    assert "x-powered-by" not in headers
    assert headers["X-Request-ID"]


def test_every_answer_has_the_security_headers(server, line_png):
    client = server.client
    answers = [client.get(path) for path in ("/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/none")]
    answers += [client.get(path) for path in ("/v1/none", "/v1/models", "/v1/settings", "/v1/readings/none")]
    answers += [client.get("/healthz", headers={"Host": "evil.example"})]
    answers += [client.post("/v1/predict"), client.delete("/v1/predict"), server.predict(line_png, unit="line")]
    answers += [client.post("/v1/format", content=b"{"), client.options("/v1/predict"), client.post("/")]
    assert {answer.status_code for answer in answers} >= {200, 404, 405, 415, 421, 422}
    for answer in answers:
        _assert_secure(answer)
        if answer.url.path.startswith("/v1/"):
            assert answer.headers["Cache-Control"] == "no-store"
        if answer.status_code >= 400:
            assert_problem(answer)


def test_an_error_of_ours_is_a_problem_that_says_nothing_of_it(monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    async def ask() -> list[httpx.Response]:
        app = create_app(Settings(feedback=False, allowed_hosts=["*"]))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
        ):
            return [await client.get(path) for path in ("/metrics", "/healthz")]

    monkeypatch.setattr(api.metrics, "exposition", fail)
    failed, other = run_coroutine(ask())
    _assert_secure(failed)
    assert_problem(failed, 500)
    assert "secret" not in failed.text
    assert other.status_code == 200


def test_other_sites_may_not_call_unless_they_are_named(server, open_server, line_png):
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in server.client.options("/v1/predict", headers=asked).headers
    answer = server.client.get("/v1/models", headers={"Origin": "https://app.example"})
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"

    allowed = open_server.client.options("/v1/predict", headers=asked)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-credentials" not in allowed.headers
    called = open_server.client.post("/v1/predict", headers=asked | {"Sec-Fetch-Site": "cross-site"})
    assert_problem(called, 415)
    assert called.headers["access-control-allow-origin"] == "https://app.example"
    other = open_server.client.options("/v1/predict", headers=asked | {"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://app.example.evil.example", None])
def test_pages_of_other_sites_cannot_have_images_read(server, open_server, line_png, origin):
    headers = {"Sec-Fetch-Site": "cross-site", "Content-Type": "image/png"} | ({"Origin": origin} if origin else {})
    for found in (server, open_server):
        assert_problem(found.client.post("/v1/predict", content=line_png, headers=headers), 403)
        assert_problem(found.client.post("/v1/batch", files={"files": line_png}, headers=headers), 403)
        # An <img> of another site asks with GET.
        query = {"image_url": "http://127.0.0.1:9/", "store": "true"}
        problem = assert_problem(found.client.get("/v1/predict", params=query, headers=headers), 403)
        assert "CORS_ORIGINS" in problem["detail"]
    same = headers | {"Sec-Fetch-Site": "same-origin"}
    assert server.client.post("/v1/predict?unit=line", content=line_png, headers=same).status_code == 200
    assert server.client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200, "a link to the page"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "", "127.0.0.2"]
)
def test_a_name_that_somebody_points_here_is_not_answered_to(server, host):
    """DNS rebinding: a page of evil.example has its name resolve to 127.0.0.1."""
    for path in ("/", "/v1/models", "/healthz"):
        assert_problem(server.client.get(path, headers={"Host": host}), 421)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:8000"])
def test_names_of_this_machine_are_answered_to(server, host):
    assert server.client.get("/healthz", headers={"Host": host}).status_code == 200


def test_names_that_are_allowed_are_answered_to(keyed):
    assert keyed.client.get("/healthz", headers={"Host": "reader.example"}).status_code == 200
    assert_problem(keyed.client.get("/healthz", headers={"Host": "localhost"}), 421)


def test_only_this_machine_is_listened_to(server):
    """All of 127.0.0.0/8 leads here; a server on every interface would answer at each of its addresses."""
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", server.port), timeout=5):  # noqa: PT011
        pass
