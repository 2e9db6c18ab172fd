"""Files that appear whole or not at all, lines that are appended whole or not at all, and locks between processes."""

import os
import subprocess
import sys

import pytest

from text_recognizer import atomic_files
from text_recognizer.atomic_files import LockedError, append, locked, unfinished, whole_file, write_file


def test_a_file_takes_its_place_at_the_end_and_folders_are_made(tmp_path):
    path = tmp_path / "deep" / "er" / "a.bin"
    with whole_file(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_stood_there_stays_where_writing_fails(tmp_path, error):
    path = tmp_path / "a.bin"
    write_file(path, b"old")

    def fail():
        with whole_file(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_a_file_and_its_name_are_on_the_disk(tmp_path, monkeypatch):
    synced = []
    sync = os.fsync
    monkeypatch.setattr(atomic_files.os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino) or sync(handle))
    path = tmp_path / "new" / "a.bin"
    write_file(path, b"data")
    assert path.stat().st_ino in synced
    assert {path.parent.stat().st_ino, tmp_path.stat().st_ino} <= set(synced)  # the names of the file and of its folder


def test_an_unfinished_file_may_lie_elsewhere(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    with whole_file(tmp_path / "a.bin", unfinished(work)) as file:
        file.write(b"x")
        (there,) = work.iterdir()
        assert there.name.startswith(atomic_files.PARTIAL)
    assert not list(work.iterdir())


def test_lines_are_appended_after_a_torn_one_was_cut_off(tmp_path):
    path = tmp_path / "deep" / "log.jsonl"
    append(path, b"one\n")
    for torn in (b"half", b"x" * 200_000):
        with path.open("ab") as file:
            file.write(torn)
        append(path, b"two\nthree\n")
        assert path.read_bytes().endswith(b"\ntwo\nthree\n")
    assert path.read_bytes() == b"one\n" + 2 * b"two\nthree\n"


def test_no_half_of_a_line_stays_where_the_disk_is_full(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    append(path, b"one\n")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        append(path, b"two\n")
    assert path.read_bytes() == b"one\n"


def test_a_lock_names_who_holds_it_and_goes_with_the_process(tmp_path):
    path = tmp_path / ".lock"
    hold = (
        "import sys; from pathlib import Path; from text_recognizer.atomic_files import locked\n"
        "with locked(Path(sys.argv[1]), 0): print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    with pytest.raises(LockedError, match=rf"process {other.pid}\)") as refused, locked(path, 0.1):
        pass
    assert refused.value.holder == str(other.pid)
    other.kill()
    other.wait()
    with locked(path, 1):
        assert path.read_text() == str(os.getpid())
