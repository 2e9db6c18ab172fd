"""The AWS Lambda handler with events as API Gateway, function URLs and direct callers send them."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import types

import pytest
from PIL import Image

from tests.conftest import SAMPLES
from text_recognizer.page import Line, Page
from text_recognizer.service import aws_lambda, lambda_events
from text_recognizer.service.fetching import FetchError, UrlPolicy
from text_recognizer.service.payloads import decode_data_url, decode_image_text, predict_result

LINE = (100, 360, 1180, 460)  # the third line of the letter, in pixels
CONTEXT = types.SimpleNamespace(aws_request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef")


@pytest.fixture(scope="module")
def image() -> bytes:
    """One line of handwriting as a PNG file: quicker to read than a page."""
    file = io.BytesIO()
    Image.open(SAMPLES / "letter.jpg").crop(LINE).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def text(image) -> str:
    return base64.b64encode(image).decode()


def v2(body: str | None = None, method: str = "POST", kind: str = "application/json", query=None, encoded=False):
    """An event of an HTTP API or a function URL, payload 2.0."""
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {"content-type": kind, "host": "abc.lambda-url.eu-central-1.on.aws", "user-agent": "curl/8.5.0"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": "abc.lambda-url.eu-central-1.on.aws",
            "http": {"method": method, "path": "/", "protocol": "HTTP/1.1", "sourceIp": "198.51.100.7"},
            "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599",
            "stage": "$default",
        },
        "isBase64Encoded": encoded,
    }
    return event | ({"body": body} if body is not None else {}) | ({"queryStringParameters": query} if query else {})


def v1(body: str | None = None, method: str = "POST", kind: str = "application/json", query=None, encoded=False):
    """An event of a REST API, payload 1.0."""
    return {
        "resource": "/predict",
        "path": "/predict",
        "httpMethod": method,
        "headers": {"Content-Type": kind, "Host": "abc.execute-api.eu-central-1.amazonaws.com"},
        "multiValueHeaders": {"Content-Type": [kind]},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"resourceId": "abc", "httpMethod": method, "stage": "prod", "requestId": "c6af9ac6"},
        "body": body,
        "isBase64Encoded": encoded,
    }


def call(event):
    """The answer to an event, which must survive JSON as Lambda sends it."""
    return json.loads(json.dumps(aws_lambda.handler(event, CONTEXT)))


def body_of(answer, status: int = 200):
    """The JSON in an HTTP response."""
    assert answer["statusCode"] == status, answer
    assert answer["headers"]["Content-Type"] == ("application/json" if status == 200 else "application/problem+json")
    return json.loads(answer["body"])


def check_read(result) -> None:
    assert "remember the affair" in result["pred"]
    assert 0.5 < result["conf"] <= 1
    assert Page.from_dict(result["page"]).text == result["pred"]
    assert result["model"].startswith("lines ")
    assert result["milliseconds"] > 0


def check_problem(found, status: int) -> None:
    assert set(found) == {"type", "title", "status", "detail"}
    assert found["status"] == status
    assert found["detail"]


def test_a_direct_invocation_gets_the_result_itself(text):
    check_read(call({"image": text}))
    check_read(call({"image": f"data:image/png;base64,{text}", "unit": "line"}))


@pytest.mark.parametrize("make", [v1, v2])
def test_http_events_get_http_responses(make, text):
    check_read(body_of(call(make(json.dumps({"image": text, "unit": "line"})))))
    encoded = base64.b64encode(json.dumps({"image": text, "unit": "line"}).encode()).decode()
    check_read(body_of(call(make(encoded, encoded=True))))
    check_read(body_of(call(make(text, kind="image/png", encoded=True, query={"unit": "line"}))))


@pytest.mark.parametrize("kind", ["application/octet-stream", "application/x-www-form-urlencoded", "", "image/x-odd"])
def test_an_image_is_known_under_any_content_type(kind, text):
    check_read(body_of(call(v2(text, kind=kind, encoded=True, query={"unit": "line"}))))


def test_bodies_may_be_plain_base64(text):
    check_read(body_of(call(v2(text, kind="text/plain", query={"unit": "line"}))))
    check_read(body_of(call(v2(json.dumps(text), query={"unit": "line"}))))
    check_read(body_of(call(v1(text, kind="image/png", query={"unit": "line"}))))
    check_read(call(json.dumps({"image": text, "unit": "line"})))
    check_read(call({"body": json.dumps({"image": text, "unit": "line"})}))
    check_read(call(text))


def test_plain_text_can_be_asked_for(text):
    answer = call(v2(json.dumps({"image": text, "unit": "line"}), query={"format": "txt"}))
    assert answer["headers"]["Content-Type"] == "text/plain; charset=utf-8"
    assert "remember the affair" in answer["body"]
    assert call({"image": text, "unit": "line", "format": "txt"}) == answer["body"]


def test_a_blank_page_has_no_text_and_full_confidence():
    file = io.BytesIO()
    Image.new("L", (400, 300), 255).save(file, "PNG")
    result = call({"image": base64.b64encode(file.getvalue()).decode()})
    assert (result["pred"], result["conf"], result["page"]["lines"]) == ("", 1.0, [])


def test_confidence_is_weighted_by_length():
    page = Page((Line("a" * 9, (), 1.0), Line("b", (), 0.5)), 10, 10)
    assert predict_result(page)["conf"] == 0.95


def test_images_are_fetched_where_that_is_allowed(image, monkeypatch):
    asked = []
    monkeypatch.setattr(aws_lambda, "fetch_image", lambda url, *_: asked.append(url) or image)
    url = "https://images.example/line.png"
    check_read(body_of(call(v2(method="GET", query={"image_url": url, "unit": "line"}))))
    check_read(body_of(call(v1(method="GET", query={"image_url": url, "unit": "line"}))))
    check_read(call({"image_url": url, "unit": "line"}))
    assert asked == [url] * 3


def test_image_url_is_off_unless_the_environment_says_otherwise(text):
    assert aws_lambda.POLICY is UrlPolicy.off
    check_problem(body_of(call(v2(method="GET", query={"image_url": "http://images.example/"})), 403), 403)
    check_read(call({"image_url": f"data:image/png;base64,{text}", "unit": "line"}))  # nothing is fetched


def test_failures_of_fetching_keep_their_status(monkeypatch):
    def fail(*_):
        raise FetchError(504, "the image did not arrive within 10 seconds")

    monkeypatch.setattr(aws_lambda, "fetch_image", fail)
    check_problem(call({"image_url": "http://images.example/"})["error"], 504)

    def lack(*_):
        raise ModuleNotFoundError("No module named 'httpx'")

    monkeypatch.setattr(aws_lambda, "fetch_image", lack)
    check_problem(call({"image_url": "http://images.example/"})["error"], 501)


NOT_AN_IMAGE = base64.b64encode(b"no image at all").decode()


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (v2(), 400),
        (v2(""), 400),
        (v2("{"), 400),
        (v2("[]"), 400),
        (v2("[" * 100_000), 400),
        (v2("{}"), 400),
        (v2("not base64!"), 400),
        (v2("%%%", encoded=True), 400),
        (v2('{"image": 3}'), 400),
        (v2('{"image": ""}'), 400),
        (v2('{"image": ["AAAA"]}'), 400),
        (v2('{"image": "AAAA", "image_url": "http://images.example/"}'), 400),
        (v2('{"image": "data:text/html;base64,AAAA"}'), 400),
        (v2('{"image": "AAAA", "unit": "book"}'), 400),
        (v2('{"image": "AAAA", "unit": ["page"]}'), 400),
        (v2('{"image": "AAAA", "format": "xml"}'), 400),
        (v2(json.dumps({"image": NOT_AN_IMAGE})), 422),
        (v2(NOT_AN_IMAGE, kind="image/png", encoded=True), 422),
        (v2("--b", kind="multipart/form-data; boundary=b"), 415),
        (v2(method="DELETE"), 405),
        (v2(method="GET"), 400),
        (v1(method="GET"), 400),
        (v1(None), 400),
        (v1("{"), 400),
        (v1(method="PUT"), 405),
    ],
)
def test_malformed_requests_get_problem_details(event, status):
    check_problem(body_of(call(event), status), status)


@pytest.mark.parametrize(
    "event",
    [None, 3, [], {}, "", {"image": None}, {"image": "ä"}, {"body": 3}, {"body": ""}, {"headers": 1, "body": "A"}],
)
def test_malformed_invocations_get_an_error(event):
    check_problem(call(event)["error"], 400)


def test_odd_events_are_no_reason_to_fail():
    for event in ({"requestContext": 1, "httpMethod": 2}, {"httpMethod": "POST"}, {"requestContext": {"http": []}}):
        check_problem(json.loads(json.dumps(call(event).get("error") or body_of(call(event), 400))), 400)


def test_a_bug_shows_nothing_of_its_inside(text, monkeypatch, capsys):
    def fail(*_):
        raise KeyError("a secret")

    monkeypatch.setattr(aws_lambda, "read_unit", fail)
    answer = call(v2(json.dumps({"image": text})))
    check_problem(body_of(answer, 500), 500)
    logged = capsys.readouterr().out
    assert "KeyError at test_lambda.py:" in logged
    assert "secret" not in logged + answer["body"]


def test_a_request_logs_one_line_without_its_content(text, capsys):
    result = call({"image": text, "unit": "line"})
    (line,) = capsys.readouterr().out.splitlines()
    note = json.loads(line)
    assert note["request_id"] == CONTEXT.aws_request_id
    assert (note["status"], note["unit"], note["lines"]) == (200, "line", 1)
    assert not any(word in line for word in result["pred"].split() if len(word) > 4)


def test_images_as_text_are_tolerated_in_many_forms():
    data = bytes(range(250, 256)) + b"picture"
    plain = base64.b64encode(data).decode()
    forms = [plain, plain.rstrip("="), base64.urlsafe_b64encode(data).decode(), f" {plain[:5]}\r\n{plain[5:]} "]
    urls = ["data:image/png;base64,", "DATA:image/jpeg;charset=x;BASE64,", "data:;base64,", " data:image/png;base64, "]
    assert all(decode_image_text(form) == data for form in forms)
    assert all(decode_image_text(url + plain) == decode_data_url(url + plain) == data for url in urls)
    assert decode_data_url("data:image/png;base64," + plain.replace("/", "%2F").replace("+", "%2B")) == data


@pytest.mark.parametrize("text", ["", "=", "A", "AA*A", "é", "data:", "data:image/png,AAAA", "data:text/x;base64,AAAA"])
def test_images_as_text_that_are_wrong(text):
    with pytest.raises(ValueError, match=r"image|data URL"):
        decode_image_text(text)


def test_the_function_loads_neither_the_web_nor_the_database():
    code = "import sys, text_recognizer.service.aws_lambda; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"fastapi", "sqlalchemy", "prometheus_client", "httpx", "torch", "pypdfium2", "rich"} & set(loaded)


def test_the_events_of_this_file_are_what_they_seem():
    assert lambda_events.is_http(v1())
    assert lambda_events.is_http(v2())
    assert not lambda_events.is_http({"image": ""})
