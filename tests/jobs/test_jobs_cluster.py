"""A job on a Ray cluster of this machine: streamed, gone on with, and every page once though an actor is killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.helpers.document_files import blank, blank_pages
from text_recognizer.jobs.cluster import Before
from text_recognizer.jobs.cluster_worker import Store, documents, pages_of
from text_recognizer.jobs.worker import Recipe

ray = pytest.importorskip("ray", reason="Ray is not installed: the extra ray")
PROGRAM = Path(sys.executable).parent / "text-recognizer"
QUICK = ("--unit", "line", "--dpi", "72", "--language", "none", "--format", "json", "--ray", "local", "--jobs", "2")


def rows(folder: Path) -> list[dict]:
    files = sorted((folder / "manifest").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def actors(program: subprocess.Popen) -> list[psutil.Process]:
    """Processes that read for a program."""
    found = psutil.Process(program.pid).children(recursive=True)
    return [process for process in found if "MapWorker" in " ".join(process.cmdline()[:1])]


def killed_once(program: subprocess.Popen, output: Path, end: float) -> int:
    """Kill an actor as soon as some pages are there; its process number."""
    while time.monotonic() < end:
        if len(list(output.rglob("*.json"))) > 10 and (found := actors(program)):
            found[0].kill()
            return found[0].pid
        assert program.poll() is None, program.communicate()[1]
        time.sleep(0.02)
    raise AssertionError("no page was read in time")


@pytest.mark.slow
def test_every_page_comes_once_though_an_actor_is_killed(tmp_path):
    """Also: what cannot be read is named, and the manifest says what is left to do."""
    blank_pages(tmp_path / "in" / "long.pdf", 120)
    blank(tmp_path / "in" / "sub" / "one.png")
    (tmp_path / "in" / "bad.pdf").write_bytes(b"%PDF-1.4 nonsense")
    output = tmp_path / "out"
    command = [PROGRAM, "read", str(tmp_path / "in"), "--output", str(output), *QUICK]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        killed = killed_once(program, output, time.monotonic() + 240)
        errors = program.communicate(timeout=240)[1]
    assert program.returncode == 2, errors
    assert "bad.pdf" in errors
    found = rows(output)
    read = Counter((Path(row["source"]).name, row["page"]) for row in found if row["status"] == "read")
    assert read == Counter([("long.pdf", number) for number in range(1, 121)] + [("one.png", 1)])
    assert all((output / name).stat().st_size for row in found for name in row["outputs"])
    assert len({row["worker"] for row in found}) >= 2, f"another one took over from {killed}"
    before = Before(Store(str(output)), found[0]["models"], found[0]["settings"])
    assert before.count == 121
    assert before.pages[str(tmp_path / "in" / "long.pdf")] == set(range(1, 121))
    assert Before(Store(str(output)), found[0]["models"], {"dpi": 300}).count == 0


def test_pages_that_were_read_before_are_left_out(tmp_path):
    source = str(blank_pages(tmp_path / "a.pdf", 5))
    document = {"source": source, "stem": "a", "error": "", "done": "1,4"}
    rows_left = pages_of(document, "1-4", Recipe("line", language="none"))
    assert [(row["page"], row["pages"]) for row in rows_left] == [(2, 5), (3, 5)]


def test_stores_list_folders_globs_and_files(tmp_path):
    for name in ("b/2.png", "b/10.png", "a.PDF", "notes.txt", ".hidden.png"):
        blank(tmp_path / name) if name.endswith(".png") else (tmp_path / name).write_bytes(b"x")
    found = [source.parts for source in documents([str(tmp_path), str(tmp_path / "a.PDF")])]
    assert found == [("a.PDF",), ("b", "2.png"), ("b", "10.png")]
    assert [source.parts[-1] for source in documents([f"{tmp_path}/b/*.png"])] == ["2.png", "10.png"]
    (missing,) = documents([str(tmp_path / "nothing")])
    assert "does not exist" in missing.error


def test_a_store_in_memory_is_read_and_written():
    store = Store("memory://outputs")
    store.write("deep/a.txt", b"one")
    store.write("deep/a.txt", b"two")
    assert list(store.read_all("deep")) == [b"two"]
    assert list(store.read_all("nothing")) == []
    assert [source.name for source in documents(["memory://outputs/deep/a.txt"])] == ["memory:///outputs/deep/a.txt"]


def test_a_cluster_needs_a_place_to_write_to(tmp_path):
    blank(tmp_path / "a.png")
    found = subprocess.run([PROGRAM, "read", tmp_path / "a.png", *QUICK], capture_output=True, text=True, timeout=120)
    assert found.returncode == 2
    assert "--output" in found.stderr
