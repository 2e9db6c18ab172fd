"""What users notice of a change of the model under them, and of a candidate in the shadow. Linux only.

    python -m benchmarks.service.rollout                 four times 30 s: nothing, promotions, nothing, a shadow
    python -m benchmarks.service.rollout --seconds 10

One user posts the lines of samples/letter.jpg, one after the other, to `text-recognizer serve --model production`. The
models that are promoted have the weights of the shipped one, and other versions: whatever differs is the change itself.
Exits with 1 where a request fails.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from benchmarks.machine import machine
from benchmarks.service.serving import ROOT, Server, serving
from text_recognizer import TextRecognizer
from text_recognizer.recognition.bundle import SHIPPED
from text_recognizer.recognition.promotion import Decision, register

WHY = Decision("a benchmark", {})
PAUSE = 3.0  # seconds from a change that was seen to the next promotion


@dataclass
class User:
    """Who posts lines, and what came back. milliseconds: of every answer; versions: of the models that answered."""

    server: Server
    lines: list[bytes]
    milliseconds: list[float] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    failed: int = 0

    def post(self, seconds: float) -> None:
        """Post one line after the other for some time."""
        end = time.monotonic() + seconds
        headers = {"Content-Type": "image/png"}
        with httpx.Client(base_url=self.server.address, timeout=60) as client:
            for line in itertools.cycle(self.lines):
                start = time.perf_counter()
                answer = client.post("/v1/predict", params={"unit": "line"}, content=line, headers=headers)
                self.milliseconds.append(1000 * (time.perf_counter() - start))
                self.failed += answer.status_code != 200
                if answer.status_code == 200:
                    self.versions.append(answer.json()["model"]["lines"])
                if time.monotonic() > end:
                    return


def lines_of_the_letter() -> list[bytes]:
    """The lines of samples/letter.jpg, as PNG."""
    path = ROOT / "samples" / "letter.jpg"
    page, found = Image.open(path).convert("L"), []
    for line in TextRecognizer().read(path).lines:
        outline = np.array(line.polygon)
        target = BytesIO()
        page.crop((*outline.min(axis=0).astype(int), *outline.max(axis=0).astype(int))).save(target, "PNG")
        found.append(target.getvalue())
    return found


def variant(folder: Path, version: str) -> Path:
    """The shipped recogniser with another version."""
    shutil.copytree(SHIPPED / "lines", folder)
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"version": version}), encoding="utf-8")
    return folder


def promote(server: Server, bundles: list[Path], registry: Path, stop: threading.Event) -> list[float]:
    """Promote the bundles by turns until told to stop: the seconds from each promotion until the server reads so."""
    took = []
    with httpx.Client(base_url=server.address) as client:
        for bundle in itertools.cycle(bundles):
            start = time.monotonic()
            done = register(bundle, "production", WHY, registry)
            while client.get("/readyz").json()["models"]["lines"] != done.identity:
                time.sleep(0.1)
            took.append(time.monotonic() - start)
            if stop.wait(PAUSE):
                break
    return took


def tell(title: str, user: User, server: Server) -> None:
    """One line of the table."""
    p50, p95, worst = np.percentile(user.milliseconds, (50, 95, 100))
    answers = f"{len(user.milliseconds)} answers, {user.failed} failed"
    print(f"{title}: {answers}, ms p50 {p50:.0f}, p95 {p95:.0f}, most {worst:.0f}; {server.megabytes():.0f} MB")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each of the four parts")
    seconds = parser.parse_args().seconds
    print(machine())
    lines, failed = lines_of_the_letter(), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry, bundles = folder / "registry", [variant(folder / version, version) for version in ("90", "91")]
        settings = {"MODEL": "production", "CANDIDATE": "staging", "SHADOW_SHARE": 1, "MODEL_SECONDS": 0.5}
        with serving(REGISTRY=registry, **settings) as server:
            User(server, lines).post(5)  # warm
            for title in ("nothing", "promotions", "nothing again", "shadow"):
                user, stop, took = User(server, lines), threading.Event(), list[float]()
                if title == "shadow":
                    register(variant(folder / "92", "92"), "staging", WHY, registry)
                    time.sleep(5)  # until it is loaded
                if title == "promotions":
                    work = threading.Thread(target=lambda: took.extend(promote(server, bundles, registry, stop)))  # noqa: B023
                    work.start()
                user.post(seconds)
                stop.set()
                if title == "promotions":
                    work.join()
                    print(f"{len(took)} promotions, read with after {np.median(took):.1f} s (median)")
                tell(title, user, server)
                failed += user.failed
            rows = httpx.get(f"{server.address}/metrics").text.splitlines()
            print("\n".join(row for row in rows if row.startswith("text_recognizer_shadow_pages_total")))
    raise SystemExit(failed > 0)


if __name__ == "__main__":
    main()
