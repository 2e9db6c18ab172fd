"""The Lambda function in AWS's own runtime client, which talks to a small Lambda Runtime API of ours."""

from __future__ import annotations

import base64
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.conftest import ROOT, SAMPLES
from tests.service.test_lambda import NOT_AN_IMAGE, v2

VERSION = "/2018-06-01/runtime"
SECONDS = 20  # for one answer; two cores may be busy with other things


class RuntimeApi(ThreadingHTTPServer):
    """Lambda's side of the Runtime API: hands out events one after another, collects answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RuntimeHandler)
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.answers: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.count = 0

    def handle_error(self, *_):
        pass  # the function ends while it asks for the next event

    def invoke(self, event: Any) -> Any:
        """Hand out an event and wait for what comes back."""
        self.count += 1
        self.events.put((f"request-{self.count}", event))
        path, answer = self.answers.get(timeout=SECONDS)
        assert path == f"{VERSION}/invocation/request-{self.count}/response", (path, answer)
        return answer


class RuntimeHandler(BaseHTTPRequestHandler):
    """The calls of https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        assert self.path == f"{VERSION}/invocation/next"
        name, event = self.server.events.get()
        body = json.dumps(event).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Lambda-Runtime-Aws-Request-Id", name)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(1000 * (time.time() + SECONDS))))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:f")
        self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.answers.put((self.path, json.loads(data)))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def function(log=subprocess.DEVNULL, **environment: str) -> Iterator[tuple[RuntimeApi, subprocess.Popen]]:
    """The function in a process of its own, and the Runtime API that it asks for events."""
    for module in ("awslambdaric", "runtime_client"):
        pytest.importorskip(module, reason="AWS's runtime client for Python cannot be imported")
    api = RuntimeApi()
    threading.Thread(target=api.serve_forever, args=(0.01,), daemon=True).start()
    settings = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}", "PYTHONPATH": str(ROOT)}
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TEXT_RECOGNIZER_")}
    command = [sys.executable, "-m", "awslambdaric", "text_recognizer.service.aws_lambda.handler"]
    process = subprocess.Popen(command, env=clean | settings | environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield api, process
    finally:
        process.kill()
        process.wait()
        api.shutdown()
        api.server_close()


@pytest.fixture(scope="module")
def letter_text() -> str:
    return base64.b64encode((SAMPLES / "letter.jpg").read_bytes()).decode()


def test_the_runtime_client_gets_readings_and_errors_in_turn(letter_text, tmp_path):
    with (tmp_path / "log").open("wb") as log, function(log) as (api, process):
        assert api.invoke({"image": NOT_AN_IMAGE})["error"]["status"] == 422
        assert "My dear Watson" in api.invoke({"image": letter_text})["pred"]
        response = api.invoke(v2(json.dumps({"image": NOT_AN_IMAGE})))
        assert (response["statusCode"], json.loads(response["body"])["status"]) == (422, 422)
        response = api.invoke(v2(letter_text, kind="image/jpeg", query={"format": "txt"}, encoded=True))
        assert (response["statusCode"], "My dear Watson" in response["body"]) == (200, True)
        assert process.poll() is None
    written = (tmp_path / "log").read_text()
    notes = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    assert [(note["request_id"], note["status"]) for note in notes] == [
        ("request-1", 422),
        ("request-2", 200),
        ("request-3", 422),
        ("request-4", 200),
    ]
    assert "Watson" not in written


def test_a_wrong_setting_is_an_error_of_the_start():
    with function(TEXT_RECOGNIZER_MODEL="no-such-bundle") as (api, process):
        path, answer = api.answers.get(timeout=SECONDS)
        assert path == f"{VERSION}/init/error"
        assert "no model bundle at no-such-bundle" in answer["errorMessage"]
        assert process.wait(SECONDS) != 0


def test_a_signed_url_of_an_object_store_is_fetched():
    pytest.importorskip("httpx")
    server = pytest.importorskip("moto.server", reason="moto is not installed").ThreadedMotoServer("127.0.0.1", 0)
    boto3 = pytest.importorskip("boto3")
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = _signed(boto3, f"http://{host}:{port}")
        with function(TEXT_RECOGNIZER_IMAGE_URL="any") as (api, _):
            assert "My dear Watson" in api.invoke({"image_url": url})["pred"]
            missing = api.invoke({"image_url": url.replace("letter.jpg", "missing.jpg")})["error"]
            assert (missing["status"], "404" in missing["detail"]) == (502, True)
        with function(TEXT_RECOGNIZER_IMAGE_URL="public") as (api, _):
            assert api.invoke({"image_url": url})["error"]["status"] == 400
    finally:
        server.stop()


def _signed(boto3: Any, endpoint: str) -> str:
    """The letter in a bucket, as a URL that everybody may read for a minute."""
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=endpoint, **keys)
    client.create_bucket(Bucket="scans")
    client.put_object(Bucket="scans", Key="letter.jpg", Body=(SAMPLES / "letter.jpg").read_bytes())
    return client.generate_presigned_url("get_object", {"Bucket": "scans", "Key": "letter.jpg"}, ExpiresIn=60)
