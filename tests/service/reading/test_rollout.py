"""A server that follows what is promoted while it is asked, and compares a candidate with what reads."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.service.running import RunningServer
from text_recognizer.cli.main import app
from text_recognizer.recognition.bundle import SHIPPED
from text_recognizer.recognition.promotion import Decision, register, roll_back
from text_recognizer.service.reading.service import ReadingService
from text_recognizer.service.reading.shadow import in_share

CLIENT = httpx.Client(timeout=30, verify=False)
PROBLEM = "the model that was promoted cannot be loaded: the log says why"
CHANGES_FAILED = 'text_recognizer_model_changes_total{outcome="failed",part="model"'
CANDIDATES = 'text_recognizer_model_changes_total{outcome="done",part="candidate"'
WHY = Decision("a test", {})


def variant(folder: Path, version: str, weights: bytes | None = None) -> Path:
    """The smallest shipped recogniser of lines with another version, and other weights where they are given."""
    shutil.copytree(SHIPPED / "line-windows", folder)
    path = folder / "bundle.json"
    data = json.loads(path.read_text(encoding="utf-8")) | {"version": version}
    if weights is not None:
        (folder / "model.onnx").write_bytes(weights)
        data["sha256"] = hashlib.sha256(weights).hexdigest()
    path.write_text(json.dumps(data), encoding="utf-8")
    return folder


class Asker:
    """Asks a server again and again, from a few threads, until it is told to stop."""

    def __init__(self, url: str, image: bytes) -> None:
        self.url, self.image = url, image
        self.statuses: Counter[int] = Counter()
        self.versions: list[str] = []
        self._stop = threading.Event()

    def ask(self, request: str = "", client: httpx.Client = CLIENT, **fields: str) -> dict:
        headers = {"Content-Type": "image/png"} | ({"X-Request-ID": request} if request else {})
        answer = client.post(
            f"{self.url}/v1/predict", params={"unit": "line"} | fields, content=self.image, headers=headers
        )
        self.statuses[answer.status_code] += 1
        found = answer.json()
        assert found["model"] == found["page"]["models"] | {"detector": found["model"]["detector"]}
        self.versions.append(found["model"]["lines"])
        return found

    def _work(self) -> None:
        with httpx.Client(timeout=30, verify=False) as client:
            while not self._stop.is_set():
                self.ask(client=client)
                self._stop.wait(0.05)

    @contextmanager
    def asking(self, threads: int = 3) -> Iterator[None]:
        with ThreadPoolExecutor(threads) as pool:
            work = [pool.submit(self._work) for _ in range(threads)]
            try:
                yield
            finally:
                self._stop.set()
            for done in work:
                done.result()


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.03)


def health(server: RunningServer) -> dict:
    return CLIENT.get(f"{server.url}/readyz").json()


def metric(server: RunningServer, name: str) -> float:
    rows = CLIENT.get(f"{server.url}/metrics").text.splitlines()
    return sum(float(row.rpartition(" ")[2]) for row in rows if row.startswith(name))


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[RunningServer]:
    """It follows production, and tries out what is in staging; both are empty."""
    home = tmp_path_factory.mktemp("home")
    settings = {"MODEL": "production", "CANDIDATE": "staging", "SHADOW_SHARE": 1, "CANARY_SHARE": 0.3}
    with RunningServer(home, MODEL_SECONDS=0.1, LANGUAGE="none", **settings) as running:
        yield running
    assert "Traceback" not in running.log.read_text(encoding="utf-8")


@pytest.fixture
def registry(server) -> Path:
    return Path(server.environment["TEXT_RECOGNIZER_HOME"]) / "models"


@pytest.fixture
def asker(server) -> Asker:
    image = np.full((90, 260), 255, np.uint8)
    cv2.putText(image, "The fox", (20, 60), cv2.FONT_HERSHEY_SCRIPT_COMPLEX, 1.6, 0, 2, cv2.LINE_AA)
    return Asker(server.url, cv2.imencode(".png", image)[1].tobytes())


def test_promotions_and_rollbacks_change_what_reads_and_fail_no_request(server, registry, asker, tmp_path):
    def wait_for_model(part: str) -> None:
        """Until it is announced, and then until somebody was answered by it."""
        wait_until(lambda: part in health(server)["models"]["lines"])
        wait_until(lambda: part in asker.versions[-1])

    shipped = health(server)["models"]["lines"]
    assert shipped.startswith("lines "), "nothing was promoted yet"
    with asker.asking():
        wait_until(lambda: len(asker.versions) > 0)
        register(variant(tmp_path / "a", "90"), "production", WHY, registry)
        wait_for_model(" 90 ")
        roll_back("production", "lines", registry)
        wait_for_model(shipped)
        # What cannot be loaded, and what was changed after its promotion, changes nothing.
        damages = promote_broken_weights, promote_tampered, promote_too_new, damage_the_pointer, remove_the_pointer
        for number, damage in enumerate(damages, 1):
            damage(tmp_path, registry)
            wait_until(lambda: metric(server, CHANGES_FAILED) == number)  # noqa: B023
            wait_until(lambda: health(server)["problems"] == [PROBLEM])
            assert health(server)["models"]["lines"] == shipped
            assert metric(server, 'text_recognizer_model_failed{part="model"') == 1
        register(variant(tmp_path / "b", "92"), "production", WHY, registry)
        wait_for_model(" 92 ")
    assert health(server)["problems"] == []
    assert metric(server, 'text_recognizer_model_failed{part="model"') == 0
    assert set(asker.statuses) == {200}
    assert {version.split()[1] for version in asker.versions} == {"90", "92", shipped.split()[1]}
    kept = asker.ask("to-be-kept", store="true")
    stored = CLIENT.get(f"{server.url}/v1/readings/{kept['id']}").json()
    assert " 92 " in stored["model"]["lines"]


def promote_broken_weights(folder: Path, registry: Path) -> None:
    register(variant(folder / "broken", "91", b"no network"), "production", WHY, registry)


def promote_tampered(folder: Path, registry: Path) -> None:
    """Made elsewhere, so that the server never sees it whole."""
    found = register(variant(folder / "tampered", "91"), "production", WHY, folder / "elsewhere")
    path = found.path / "bundle.json"
    path.chmod(0o644)
    path.write_text(path.read_text(encoding="utf-8").replace('"91"', '"99"'), encoding="utf-8")
    shutil.copytree(found.path, registry / "bundles" / found.id)
    (folder / "elsewhere" / "production.json").replace(registry / "production.json")


def promote_too_new(folder: Path, registry: Path) -> None:
    """By a program of the future."""
    made = variant(folder / "newer", "91")
    path = made / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"format_version": 99}), encoding="utf-8")
    register(made, "production", WHY, registry)


def damage_the_pointer(_: Path, registry: Path) -> None:
    (registry / "production.json").write_text('{"registry_version": 1, "li', encoding="utf-8")


def remove_the_pointer(_: Path, registry: Path) -> None:
    """As it looks where the registry is on another machine that is away."""
    (registry / "production.json").unlink()


def test_a_candidate_reads_beside_and_for_a_share_and_both_are_reported(server, registry, asker, tmp_path):
    register(variant(tmp_path / "broken", "91", b"no network"), "staging", WHY, registry)
    wait_until(lambda: health(server)["problems"] == [PROBLEM.replace("model", "candidate")])
    assert metric(server, 'text_recognizer_model_failed{part="candidate"') == 1
    asker.ask("while the candidate is broken")
    candidate = register(variant(tmp_path / "c", "93"), "staging", WHY, registry)
    wait_until(lambda: metric(server, CANDIDATES) == 1)
    assert health(server)["problems"] == []
    present = health(server)["models"]["lines"]
    names = [f"request-{number}" for number in range(16)]
    chosen = [asker.ask(name)["model"]["lines"] == candidate.identity for name in names]
    assert chosen == [in_share(name, 0.3, "canary") for name in names]
    beside, instead = chosen.count(False), chosen.count(True)
    assert beside > 0 < instead
    wait_until(lambda: compared(server) == beside)
    assert metric(server, 'text_recognizer_canary_pages_total{model="candidate"') == instead
    # Promoted, it is what reads, and no candidate any more.
    register(candidate.path, "production", WHY, registry)
    wait_until(lambda: health(server)["models"]["lines"] == candidate.identity)
    wait_until(lambda: metric(server, CANDIDATES) == 2)
    asker.ask(names[0])
    assert set(asker.statuses) == {200}
    assert compared(server) == beside
    database = f"sqlite:///{registry.parent}/feedback.db"
    assert [row["pages"] for row in reported(database)["served"] if row["model"] == candidate.identity] == [instead + 1]
    (shadow,) = reported(database)["shadow"]
    assert (shadow["present"], shadow["candidate"]) == (present, candidate.identity)
    assert shadow["pages"] <= beside
    assert shadow["character_error_rate"] == 0, "the same weights read the same lines"


def reported(database: str) -> dict:
    report = CliRunner().invoke(app, ["models", "compare", "--json", "--database", database], catch_exceptions=False)
    assert report.exit_code == 0, report.output
    return json.loads(report.output)


def compared(server: RunningServer) -> float:
    """Lines that the shadow has compared, or dropped."""
    return metric(server, "text_recognizer_shadow_pages_total")


def test_a_server_does_not_start_with_what_was_changed_after_its_promotion(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TEXT_RECOGNIZER_MODEL", "production")
    registry = tmp_path / "home" / "models"
    registry.mkdir(parents=True)
    promote_tampered(tmp_path, registry)
    found = CliRunner().invoke(app, ["serve"])
    assert found.exit_code == 2
    assert "TEXT_RECOGNIZER_MODEL: " in found.output
    assert "was changed after it was registered" in found.output


def test_shares_are_as_large_as_they_say_and_independent():
    names = [f"{number:032x}" for number in range(4000)]
    canary, shadow = ({name for name in names if in_share(name, 0.25, kind)} for kind in ("canary", "shadow"))
    assert len(canary) == pytest.approx(1000, abs=110)
    assert len(canary & shadow) == pytest.approx(250, abs=62)
    assert not any(in_share(name, 0.0, "canary") for name in names)
    assert all(in_share(name, 1.0, "canary") for name in names)


def test_a_document_keeps_its_models_and_a_candidate_that_fails_costs_no_page(tmp_path):
    page = np.full((90, 260), 255, np.uint8)
    service = ReadingService("line-windows", threads=1, language=None, canary_share=1.0)
    before = service._present
    with service.turn("document") as turn:
        service.swap(service.load(str(variant(tmp_path / "a", "94")), "auto"))
        found = service.submit(lambda: page, "line", turn=turn).result()
        assert found.page.models["lines"] == turn.models_of(True)["lines"] == before.models_of()["lines"]
        assert " 94 " in service.models["lines"]
        assert hasattr(before, "recognizer"), "somebody reads with it"
    wait_until(lambda: not hasattr(before, "recognizer"))
    candidate = service.load("line-windows", "auto")
    service.change_candidate(candidate)
    candidate.line_reader.close()
    with service.turn("document", "request") as turn:
        assert turn.candidate
        found = service.submit(lambda: page, "line", turn=turn).result()
    assert " 94 " in found.page.models["lines"]
    assert turn.models_of(True)["lines"] == found.page.models["lines"]
    service.close()
