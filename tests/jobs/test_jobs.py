"""Documents by the thousand, as a user meets them: the real command, interrupted, killed, and gone on with."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import psutil
import pypdfium2
import pytest
from PIL import Image

from tests.conftest import SAMPLES
from tests.helpers.document_files import blank, blank_pages, pdf
from tests.helpers.programs import forked_program
from text_recognizer import atomic_files
from text_recognizer.atomic_files import WORK, locked_folder
from text_recognizer.images import ImageError
from text_recognizer.jobs import run
from text_recognizer.jobs.documents import PageNumbers
from text_recognizer.jobs.worker import OpenTask, PageTask, Recipe, Worker

PROGRAM = Path(sys.executable).parent / "text-recognizer"
QUICK = ("--unit", "line", "--dpi", "72", "--language", "none")  # no line is looked for, and little is loaded


def read(folder: Path, *arguments: object, **options) -> subprocess.CompletedProcess[str]:
    """The command in a folder."""
    command = [*forked_program(), "read", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, **options)


def started(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    """The command while it runs, in a process of its own."""
    return subprocess.Popen(
        [PROGRAM, "read", *map(str, arguments)],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def rows(folder: Path) -> list[dict]:
    path = folder / "manifest.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def wait_for_rows(folder: Path, count: int) -> None:
    end = time.monotonic() + 120
    while len(rows(folder)) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def written(folder: Path) -> list[str]:
    """The files of an output folder, without the record and what is in work."""
    atomic_files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in atomic_files if path.parts[0] not in (WORK, "manifest.jsonl"))


def assert_each_page_once(folder: Path, counts: dict[str, int]) -> None:
    """Every page was read, has one row, and its outputs are there."""
    found = Counter((row["source"], row["page"]) for row in rows(folder))
    assert found == {(name, page): 1 for name, count in counts.items() for page in range(1, count + 1)}
    for row in rows(folder):
        assert row["status"] == "read"
        for output in row["outputs"]:
            assert (folder / output).is_file()


def test_outputs_mirror_the_inputs_in_all_formats(tmp_path):
    blank(tmp_path / "in" / "a.png")
    blank(tmp_path / "in" / "a.jpg")
    blank_pages(tmp_path / "in" / "deep" / "b.pdf", 3)
    (tmp_path / "in" / "notes.doc").write_text("")
    (tmp_path / "in" / "deep" / "cut.png").write_bytes(b"PNG?")
    formats = ("--format", "json", "--format", "alto")
    result = read(tmp_path, "in", "--output", "out", *formats, "--jobs", 2, *QUICK)
    assert result.returncode == 2
    assert "deep/cut.png is nothing that can be read" in result.stderr
    assert "5 pages read" in result.stderr
    assert "1 failed" in result.stderr
    assert "1 file hidden or of another kind passed over" in result.stderr
    expected = ["a.json", "a.alto.xml", "a.png.json", "a.png.alto.xml", "deep/b.json"]
    expected += [f"deep/b/{number:04}.alto.xml" for number in (1, 2, 3)]
    assert written(tmp_path / "out") == sorted(expected)
    pages = json.loads((tmp_path / "out" / "deep" / "b.json").read_text())
    assert [page["source"] for page in pages] == [f"in/deep/b.pdf#page={number}" for number in (1, 2, 3)]
    failed = [row for row in rows(tmp_path / "out") if row["status"] == "failed"]
    assert [(row["source"], row["page"]) for row in failed] == [("in/deep/cut.png", None)]
    row = next(row for row in rows(tmp_path / "out") if row["page"] == 2)
    assert row["outputs"] == ["deep/b.json", "deep/b/0002.alto.xml"]
    assert (row["pages"], row["lines"], row["confidence"]) == (3, 0, None)
    assert len(row["sha256"]) == 64
    assert "lines" in row["models"]
    assert row["milliseconds"] > 0
    assert [path.name for path in (tmp_path / "out" / WORK / "parts").iterdir()] == []


def test_what_is_done_is_not_done_again_and_what_changed_is(tmp_path):
    inputs, out = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "b.png"):
        blank(inputs / name)
    blank_pages(inputs / "c.tif", 2)
    command = ("in", "--output", "out", *QUICK)
    assert read(tmp_path, *command).returncode == 0
    assert len(rows(out)) == 4
    again = read(tmp_path, *command)
    assert "0 pages read" in again.stderr
    assert "4 had been read before" in again.stderr
    blank(inputs / "a.png", (64, 40))
    (out / "b.txt").unlink()
    blank(inputs / "0.png")
    read(tmp_path, *command)
    assert [row["source"] for row in rows(out)[4:]] == ["in/0.png", "in/a.png", "in/b.png"]
    assert (out / "b.txt").exists()
    for options in (("--format", "json"), ("--dpi", "80"), ("--language", "auto")):
        before = len(rows(out))
        read(tmp_path, "in", "--output", "out", *QUICK, *options)
        assert len(rows(out)) == before + 5
    read(tmp_path, *command, "--again")
    assert_each_page_once(out, {"in/0.png": 1, "in/a.png": 1, "in/b.png": 1, "in/c.tif": 2})


def test_kill_9_in_the_middle_loses_no_page_and_repeats_none(tmp_path):
    blank_pages(tmp_path / "in" / "long.pdf", 80)
    for number in range(20):
        blank(tmp_path / "in" / f"z{number}.png")
    command = ("in", "--output", "out", "--format", "json", "--format", "alto", "--jobs", "2", *QUICK)
    out = tmp_path / "out"
    for least in (5, 60):
        process = started(tmp_path, *command)
        wait_for_rows(out, least)
        children = psutil.Process(process.pid).children()
        process.kill()
        process.wait()
        process.stderr.close()
        assert not psutil.wait_procs(children, timeout=20)[1]  # the processes that read end by themselves
        assert least <= len(rows(out)) < 100
        with (out / "manifest.jsonl").open("ab") as file:
            file.write(b'{"source": "in/long.pdf", "page": 9')  # as if it had been killed while it wrote
    result = read(tmp_path, *command)
    assert result.returncode == 0, result.stderr
    assert_each_page_once(out, {"in/long.pdf": 80} | {f"in/z{number}.png": 1 for number in range(20)})
    pages = json.loads((out / "long.json").read_text())
    assert [page["source"] for page in pages] == [f"in/long.pdf#page={number}" for number in range(1, 81)]
    assert not [path for path in (out / WORK).iterdir() if path.name != "lock" and any(path.iterdir())]


def test_ctrl_c_ends_after_the_pages_in_work_and_says_how_to_go_on(tmp_path):
    blank_pages(tmp_path / "long.pdf", 60)
    command = ("long.pdf", "--output", "out", *QUICK)
    process = started(tmp_path, *command)
    wait_for_rows(tmp_path / "out", 3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    assert len(rows(tmp_path / "out")) < 60
    assert written(tmp_path / "out") == []
    assert read(tmp_path, *command).returncode == 0
    assert_each_page_once(tmp_path / "out", {"long.pdf": 60})


def test_a_worker_that_is_killed_is_replaced(tmp_path):
    blank_pages(tmp_path / "long.pdf", 60)
    process = started(tmp_path, "long.pdf", "--output", "out", *QUICK)
    wait_for_rows(tmp_path / "out", 3)
    [worker] = [child for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    worker.kill()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert_each_page_once(tmp_path / "out", {"long.pdf": 60})


def test_two_jobs_on_one_folder_exclude_each_other(tmp_path):
    blank(tmp_path / "a.png")
    with locked_folder(tmp_path / "out"):
        result = read(tmp_path, "a.png", "--output", "out", *QUICK)
    assert result.returncode == 2
    assert f"process {os.getpid()}) writes into out now" in result.stderr
    assert rows(tmp_path / "out") == []


@pytest.mark.parametrize("output", ["a.png", "a.png/out", "/proc/out"])
def test_a_folder_that_cannot_be_written_is_said_before_models_are_loaded(tmp_path, output):
    blank(tmp_path / "a.png")
    result = read(tmp_path, "a.png", "--output", output, "--model", "nothing")
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert output.split("/out")[0] in result.stderr
    assert "bundle" not in result.stderr


def test_a_wrong_model_is_named_once_and_nothing_is_read(tmp_path):
    blank(tmp_path / "a.png")
    result = read(tmp_path, "a.png", "--output", "out", "--model", "nothing", "--jobs", "2")
    assert result.returncode == 2
    assert "no model bundle at nothing" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert rows(tmp_path / "out") == []


def test_a_broken_page_in_a_good_document_is_recorded_and_the_rest_read(tmp_path):
    pdf(tmp_path / "a.pdf", ["text", "broken", "blank"])
    command = ("a.pdf", "--output", "out", "--format", "json", *QUICK)
    result = read(tmp_path, *command)
    assert result.returncode == 2
    assert "page 2 of a.pdf has" in result.stderr
    assert "1 page held text already" in result.stderr
    found = {row["page"]: (row["status"], row["text"]) for row in rows(tmp_path / "out")}
    assert found == {1: ("read", True), 2: ("failed", False), 3: ("read", False)}
    assert len(json.loads((tmp_path / "out" / "a.json").read_text())) == 2
    result = read(tmp_path, *command)
    assert result.returncode == 2
    assert "1 had failed before" in result.stderr
    assert len(rows(tmp_path / "out")) == 3
    result = read(tmp_path, *command, "--retry-failed")
    assert [row["page"] for row in rows(tmp_path / "out")] == [1, 2, 3, 2]
    assert len(json.loads((tmp_path / "out" / "a.json").read_text())) == 2
    (tmp_path / "out" / "a.json").unlink()
    read(tmp_path, *command)
    assert len(json.loads((tmp_path / "out" / "a.json").read_text())) == 2


def test_pages_are_chosen_and_encrypted_documents_named(tmp_path):
    blank_pages(tmp_path / "a.pdf", 4)
    result = read(tmp_path, "a.pdf", "--output", "out", "--pages", "2,4-9", "--format", "alto", *QUICK)
    assert result.returncode == 0, result.stderr
    assert written(tmp_path / "out") == ["a/0002.alto.xml", "a/0004.alto.xml"]
    result = read(tmp_path, "a.pdf", "--pages", "7", *QUICK)
    assert "a.pdf has 4 pages, none of which --pages 7 names" in result.stderr


def test_stdin_and_archives_are_read(tmp_path):
    data = blank_pages(tmp_path / "a.pdf", 2).read_bytes()
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(tmp_path / "a.pdf", "../x/b.pdf")
        archive.write(blank(tmp_path / "c.png"), "c.png")
    command = [*forked_program(), "read", "-", "in.zip", "--output", "out", "--format", "json", *QUICK]
    result = subprocess.run(command, cwd=tmp_path, input=data, capture_output=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert written(tmp_path / "out") == ["in/c.json", "in/x/b.json", "stdin.json"]
    assert_each_page_once(tmp_path / "out", {"-": 2, "in.zip/../x/b.pdf": 2, "in.zip/c.png": 1})
    assert sorted(path.name for path in (tmp_path / "out" / WORK).iterdir()) == ["lock", "parts"]


def test_several_pages_come_to_the_screen(tmp_path):
    blank_pages(tmp_path / "a.tif", 2)
    blank(tmp_path / "b.png")
    result = read(tmp_path, "a.tif", *QUICK)
    assert result.stdout == "==> a.tif#page=1 <==\n\n==> a.tif#page=2 <==\n\n"
    result = read(tmp_path, "*.[pt]*", "--format", "json", *QUICK)
    assert [page["source"] for page in json.loads(result.stdout)] == ["a.tif#page=1", "a.tif#page=2", "b.png"]
    assert read(tmp_path, "b.png", *QUICK).stdout == ""
    command = [*forked_program(), "read", "a.tif", "--format", "hocr", *QUICK]
    whole = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120).stdout
    assert whole.count(b"ocr_page") >= 2
    assert whole.count(b"<html") == 1
    for options in (("--format", "txt", "--format", "json"), ("--jobs", "2"), ("--again",)):
        result = read(tmp_path, "b.png", *options)
        assert result.returncode == 2
        assert "--output" in result.stderr


def test_outputs_that_look_like_inputs_are_neither_read_nor_replace_them(tmp_path):
    original = blank_pages(tmp_path / "in" / "a.pdf", 1).read_bytes()
    result = read(tmp_path, "in", "--output", "in", "--format", "pdf", *QUICK)
    assert result.returncode == 2
    assert "name another folder" in result.stderr
    assert (tmp_path / "in" / "a.pdf").read_bytes() == original
    for _ in range(2):
        result = read(tmp_path, "in", "--output", "in/out", "--format", "pdf", *QUICK)
        assert result.returncode == 0, result.stderr
    assert written(tmp_path / "in") == ["a.pdf", "out/.text-recognizer/lock", "out/a.pdf", "out/manifest.jsonl"]
    assert len(pypdfium2.PdfDocument(tmp_path / "in" / "out" / "a.pdf")) == 1


def test_a_real_page_reads_as_it_does_alone(tmp_path, recognizer):
    stack = io.BytesIO()
    with Image.open(SAMPLES / "letter.jpg") as image:
        image.save(stack, "TIFF", save_all=True, append_images=[Image.new("L", (90, 90), 255)])
    (tmp_path / "a.tif").write_bytes(stack.getvalue())
    assert read(tmp_path, "a.tif", "--output", "out", "--jobs", "2").returncode == 0
    first, second = (tmp_path / "out" / "a.txt").read_text().split("\f")
    assert first.splitlines() == recognizer.read(SAMPLES / "letter.jpg").text.splitlines()
    assert second == ""


class Fragile(Worker):
    """A worker that dies of the third page, finds the disk full at the fifth, and a bug at the seventh."""

    def _perform(self, task):
        if isinstance(task, PageTask) and task.number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if isinstance(task, PageTask) and task.number == 5 and task.source.name.endswith("full.pdf"):
            raise OSError(errno.ENOSPC, "No space left on device")
        if isinstance(task, PageTask) and task.number == 7:
            raise ZeroDivisionError
        if isinstance(task, OpenTask) and "odd" in task.source.name:
            raise ImageError("odd")
        return super()._perform(task)


def job(folder: Path, *inputs: Path) -> run.Job:
    recipe = Recipe(unit="line", language="none", dpi=72)
    return run.Job(tuple(map(str, inputs)), folder / "out", ("txt",), recipe, PageNumbers())


def test_a_page_that_kills_its_worker_fails_and_the_others_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "worker_of", Fragile)
    tally = run.run_job(job(tmp_path, blank_pages(tmp_path / "a.pdf", 8)))
    assert (tally.read, tally.failed) == (6, 2)
    errors = {row["page"]: row["error"] for row in rows(tmp_path / "out") if row["error"]}
    assert set(errors) == {3, 7}
    assert "a.pdf#page=3: the process that read it died of SIGKILL: perhaps memory was short" in errors[3]
    assert "ZeroDivisionError" in errors[7]
    assert (tmp_path / "out" / "a.txt").read_text() == "\f" * 5


def test_a_full_disk_ends_the_job_without_blaming_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "worker_of", Fragile)
    with pytest.raises(OSError, match="the same command goes on"):
        run.run_job(job(tmp_path, blank_pages(tmp_path / "full.pdf", 8)))
    assert [(row["page"], row["status"]) for row in rows(tmp_path / "out") if row["page"] != 3] == [
        (1, "read"),
        (2, "read"),
        (4, "read"),
    ]
    full = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(atomic_files.shutil, "disk_usage", lambda folder: full)
    with pytest.raises(OSError, match="has 1 MB left, and about 50 MB are needed"):
        run.run_job(job(tmp_path, tmp_path / "full.pdf"))


def test_memory_does_not_grow_with_the_pages(tmp_path):
    blank_pages(tmp_path / "long.pdf", 300, (600, 400))  # a page has 720 kB of pixels
    process = started(tmp_path, "long.pdf", "--output", "out", *QUICK)
    family = [psutil.Process(process.pid)]
    found = []
    for count in (50, 250):
        wait_for_rows(tmp_path / "out", count)
        family = family if len(family) > 1 else family + family[0].children()
        found.append([member.memory_info().rss // 1_000_000 for member in family])
    process.kill()
    process.communicate()
    for early, late in zip(*found, strict=True):
        assert late < early + 50, found  # MB; the 200 pages have 144
