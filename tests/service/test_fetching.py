"""Images by URL: what is fetched, what is refused, and that no trick gets around either."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.service.sites import PICTURE, SECRET, Quiet, Site, certificate, serve

httpx = pytest.importorskip("httpx")

from text_recognizer.service import fetching  # noqa: E402
from text_recognizer.service.fetching import FetchError, UrlPolicy, fetch_image  # noqa: E402

LIMIT = 100_000
PUBLIC = "93.184.216.34"


@pytest.fixture
def server() -> Iterator[Quiet]:
    Site.seen = []
    server = serve()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def site(server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def names(monkeypatch) -> dict[str, list[str]]:
    """Names and what they resolve to; others resolve as they do on this machine."""
    table: dict[str, list[str]] = {}
    system = fetching.resolve
    monkeypatch.setattr(fetching, "resolve", lambda host, port: table.get(host) or system(host, port))
    return table


@pytest.fixture
def internet(monkeypatch, names, server) -> list[tuple[str, int]]:
    """images.example is a public host, played by the local server; the list says who was connected to."""
    names["images.example"] = [PUBLIC]
    connected = []
    connect = socket.create_connection

    def create_connection(address, *arguments, **options):
        connected.append(address)
        return connect(("127.0.0.1", server.server_port), *arguments, **options)

    monkeypatch.setattr(socket, "create_connection", create_connection)
    return connected


def fetch(url: str, policy: UrlPolicy = UrlPolicy.any, seconds: float = 5) -> bytes:
    return fetch_image(url, policy, LIMIT, seconds)


def refusal(url: str, policy: UrlPolicy = UrlPolicy.public, seconds: float = 5) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(url, policy, seconds)
    error = caught.value
    assert not any(part in str(error) for part in ("127.0", "169.254", "10.0", SECRET.decode()))
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    return error


def test_an_image_is_fetched(site):
    assert fetch(f"{site}/picture") == PICTURE
    assert fetch(f"  {site}/picture?size=large#part ") == PICTURE


def test_nothing_is_fetched_where_the_policy_is_off(site):
    assert refusal(f"{site}/picture", UrlPolicy.off).status == 403
    assert Site.seen == []


def test_the_public_internet_is_fetched_under_its_name(internet):
    assert fetch("http://images.example/picture", UrlPolicy.public) == PICTURE
    assert internet == [(PUBLIC, 80)]
    assert Site.seen == [("/picture", "images.example")]


def test_a_last_dot_and_capitals_name_the_same_host(internet):
    assert fetch("HTTP://IMAGES.Example./picture", UrlPolicy.public) == PICTURE
    assert Site.seen == [("/picture", "images.example")]


def test_the_request_says_no_more_than_it_must(site, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    said = dict(eval(fetch(f"{site}/echo")))
    assert set(said) == {"host", "user-agent", "accept", "accept-encoding", "connection"}
    assert said["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "10.0.0.1",
        "172.31.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "169.254.169.254.",
        "224.0.0.1",
        "255.255.255.255",
    ],
)
def test_private_addresses_are_refused_however_they_are_spelt(host, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    assert refusal(f"http://{host}/picture").status == 400


@pytest.mark.parametrize(
    "url",
    [
        "ftp://images.example/a",
        "file:///etc/passwd",
        "gopher://images.example:70/_",
        "data:image/png;base64,AAAA",
        "//images.example/a",
        "images.example/a",
        "http:images.example",
        "http://",
        "http://...",
        "",
        "http://user:secret@images.example/",
        "http://user@images.example/",
        "http://127.0.0.1\\@images.example/",
        "http://images.example:22/",
        "http://images.example:8080/",
        "http://images.example:0/",
        "http://images.example:99999/",
        "http://images.example:x/",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://images.example/\r\nHost: other",
        "http://images.example/" + "a" * 9000,
    ],
)
def test_urls_that_are_wrong_or_odd_are_refused(url, internet):
    assert refusal(url).status == 400
    assert internet == []


def test_a_name_that_resolves_to_a_private_address_is_refused(names, server, site):
    names["innocent.example"] = ["127.0.0.1"]
    assert refusal("http://innocent.example/picture").status == 400
    names["mixed.example"] = [PUBLIC, "10.0.0.5"]
    assert refusal("http://mixed.example/picture").status == 400
    assert Site.seen == []
    assert fetch(f"http://innocent.example:{server.server_port}/picture") == PICTURE  # where any address is allowed


def test_a_name_that_does_not_resolve_is_the_clients_mistake(monkeypatch):
    def fail(*_):
        raise socket.gaierror("unknown")

    monkeypatch.setattr(fetching, "resolve", fail)
    assert refusal("http://nowhere.example/").status == 400


def test_a_name_that_resolves_otherwise_the_second_time_gains_nothing(internet, monkeypatch):
    answers = iter([[PUBLIC], ["127.0.0.1"], ["169.254.169.254"]])
    monkeypatch.setattr(fetching, "resolve", lambda *_: next(answers))
    assert fetch("http://rebinding.example/picture", UrlPolicy.public) == PICTURE
    assert internet == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/picture",
        "http://localhost/picture",
        "//127.0.0.1/picture",
        "http://images.example:6379/",
        "http://user@images.example/",
        "file:///etc/passwd",
        "http://[",
    ],
)
def test_redirects_are_checked_like_the_first_url(target, internet):
    assert refusal(f"http://images.example/to?{target}").status == 400
    assert len(internet) == 1


def test_a_redirect_that_rebinds_is_refused(internet, monkeypatch):
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    monkeypatch.setattr(fetching, "resolve", lambda *_: next(answers))
    assert refusal("http://rebinding.example/to?/picture").status == 400
    assert len(internet) == 1


def test_three_redirects_are_followed_and_no_more(site):
    assert fetch(f"{site}/chain?3") == PICTURE
    assert refusal(f"{site}/chain?4", UrlPolicy.any).status == 502
    Site.seen.clear()
    assert refusal(f"{site}/to?/to?/to", UrlPolicy.any).status == 502
    assert refusal(f"{site}/nowhere", UrlPolicy.any).status == 502


@pytest.mark.parametrize("status", [204, 300, 304, 401, 404, 500, 503])
def test_an_answer_that_is_no_success_is_an_error_of_that_server(site, status):
    assert refusal(f"{site}/status?{status}", UrlPolicy.any).status == 502


@pytest.mark.parametrize(
    ("path", "status"),
    [("huge", 413), ("endless", 413), ("short", 502), ("nonsense", 502), ("bomb", 502), ("empty", 502)],
)
def test_bodies_that_lie_or_are_too_large_are_cut(site, path, status):
    start = time.monotonic()
    assert refusal(f"{site}/{path}", UrlPolicy.any).status == status
    assert time.monotonic() - start < 2


def test_a_body_ends_where_its_length_says(site):
    assert fetch(f"{site}/modest") == PICTURE


@pytest.mark.parametrize("path", ["drip", "dripping_head"])
def test_a_server_that_drips_is_cut_at_the_deadline(site, path):
    start = time.monotonic()
    assert refusal(f"{site}/{path}", UrlPolicy.any, 0.4).status == 504
    assert 0.3 < time.monotonic() - start < 1.5


def test_a_resolver_that_hangs_is_cut_at_the_deadline(monkeypatch):
    monkeypatch.setattr(fetching, "resolve", lambda *_: [time.sleep(3)])
    start = time.monotonic()
    assert refusal("http://slow.example/", seconds=0.2).status == 504
    assert time.monotonic() - start < 1


def test_a_closed_port_is_an_error_of_that_server(site, server):
    server.shutdown()
    server.server_close()
    assert refusal(f"{site}/picture", UrlPolicy.any).status == 502


def test_the_next_address_is_tried_where_the_first_does_not_answer(names, server):
    names["double.example"] = ["127.0.0.3", "127.0.0.1"]  # nobody listens at the first
    assert fetch(f"http://double.example:{server.server_port}/picture") == PICTURE


def test_certificates_are_checked_for_the_name_not_the_address(tmp_path, monkeypatch, names):
    path = certificate(tmp_path, "images.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server = serve(tls=context)
    names |= {"images.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    url = f"https://images.example:{server.server_port}/picture"
    assert refusal(url, UrlPolicy.any).status == 502  # signed by nobody that is known
    monkeypatch.setattr(fetching, "_tls_context", lambda: ssl.create_default_context(cafile=path))
    assert fetch(url) == PICTURE
    assert refusal(url.replace("images", "other"), UrlPolicy.any).status == 502
    server.shutdown()
    server.server_close()
