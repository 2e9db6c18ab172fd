"""Improving: which corrected lines are learned from, which are not, and what is known of them afterwards."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from tests.helpers.corrected_lines import add_reading, drawn_lines, new_store
from text_recognizer.cli.improve import FeedbackCorrections
from text_recognizer.cli.main import app
from text_recognizer.learning.datasets.own_folder import check_manifest, read_manifest
from text_recognizer.learning.evaluation.suites.suite import load_suite
from text_recognizer.learning.retraining.corrections import sides_of
from text_recognizer.learning.retraining.dataset import make_dataset, read_dataset
from text_recognizer.learning.retraining.state import place_of


@dataclass(frozen=True)
class Corrected:
    identifier: str
    reading: str
    page: int
    writer: str
    corrected: datetime = datetime(2026, 11, 22, tzinfo=UTC)
    untaught: str = ""


def corrected(writer: str, reading: str, lines: int, a_page: int = 20) -> list[Corrected]:
    return [
        Corrected(f"{reading}-{number // a_page:02d}-{number % a_page:03d}", reading, number // a_page, writer)
        for number in range(lines)
    ]


def share(sides: dict[str, str]) -> float:
    return sum(side == "val" for side in sides.values()) / len(sides)


SHAPES = {
    "one reading of one page": corrected("ada", "r", 20),
    "one reading of many pages": corrected("ada", "r", 300),
    "readings of one writer": [line for k in range(30) for line in corrected("ada", f"r{k}", 7)],
    "two writers": [line for k in range(30) for line in corrected(f"w{k % 2}", f"r{k}", 7)],
    "many writers": [line for k in range(40) for line in corrected(f"w{k % 20}", f"r{k}", 5)],
    "nobody known": [line for k in range(40) for line in corrected(f"r{k}", f"r{k}", 5)],
}


@pytest.mark.parametrize("lines", SHAPES.values(), ids=SHAPES)
def test_a_tenth_to_a_fifth_is_set_apart(lines):
    sides = sides_of(lines, {})
    assert sides.keys() == {line.identifier for line in lines}
    assert 0.1 <= share(sides) <= 0.2
    assert sides_of(lines[::-1], {}) == sides  # whatever the order


def test_of_many_writers_whole_writers_are_set_apart_and_of_one_whole_readings():
    for name, key in (("many writers", "writer"), ("readings of one writer", "reading")):
        sides = sides_of(SHAPES[name], {})
        learned, measured = (
            {getattr(line, key) for line in SHAPES[name] if sides[line.identifier] == side} for side in ("train", "val")
        )
        assert not learned & measured, name


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 12), st.integers(0, 40), st.integers(1, 30)), min_size=1, max_size=6),
        min_size=2,
        max_size=6,
    )
)
def test_a_line_never_changes_sides(rounds):
    lines: dict[str, Corrected] = {}
    known: dict[str, str] = {}
    for batch in rounds:
        for writer, reading, count in batch:
            lines |= {line.identifier: line for line in corrected(f"w{writer}", f"{writer}r{reading}", count)}
        sides = sides_of(list(lines.values()), known)
        assert sides.keys() == lines.keys()
        assert all(sides[name] == side for name, side in known.items())
        known = sides
        if len(lines) >= 10:
            assert 0.1 <= share(known) <= 0.2


@pytest.fixture
def suite(tmp_path):
    """A suite that measures on the val lines of the tiny IAM."""
    return load_suite(write_suite(tmp_path / "suite"))


def write_suite(folder, sets=("iam-val",), limit=1000.0):
    folder.mkdir()
    image = "cells-digits.png"
    shutil.copy(load_suite("basic").folder / image, folder)
    asked = {
        "functionality": [{"name": "digits", "image": image, "text": "0123456789", "limit": limit}],
        "accuracy": {"sets": dict.fromkeys(sets, "English")},
    }
    content = {"suite_version": 1, "name": "own", "version": 1, "about": "", "tasks": {"lines": asked}}
    (folder / "suite.yaml").write_text(json.dumps(content), encoding="utf-8")
    return str(folder)


def recut(image: np.ndarray) -> np.ndarray:
    """The same writing as another detector cuts it out, from another scan."""
    small = cv2.resize(image, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    return np.pad(small, ((6, 3), (14, 8)), constant_values=int(np.median(image)))


def iam_line(data, name):
    rows = (data / "iam" / "lines.tsv").read_text(encoding="utf-8").splitlines()
    text = next(row.split("\t")[4] for row in rows if row.startswith(name))
    return np.array(Image.open(data / "iam" / "lines" / f"{name}.webp").convert("L")), text


def test_lines_of_evaluation_sets_duplicates_of_val_and_errors_are_left_out(tiny_data, suite, tmp_path):
    store = new_store(tmp_path)
    lines = drawn_lines(20)
    add_reading(store, "good", lines)
    same, text = iam_line(tiny_data, "x08")
    other = iam_line(tiny_data, "x09")
    add_reading(store, "tested", [(same, text), (recut(other[0]), other[1])])
    corrections = FeedbackCorrections(store)
    sides = sides_of(corrections.lines(), {})
    held = [number for number in range(20) if sides[f"good-{number:02d}-000"] == "val"]
    add_reading(store, "doubles", [lines[held[0]], (recut(lines[held[1]][0]), lines[held[1]][1])])
    add_reading(store, "blank", [(np.full((60, 500), 255, np.uint8), "there is nothing")])
    known = sides | dict.fromkeys(["doubles-00-000", "doubles-01-000"], "train")

    place = place_of(tmp_path / "improve", 1)
    said: list[str] = []
    make_dataset(place, corrections, known, [suite], "lines", said.append)
    made = read_dataset(place)
    check_manifest(read_manifest(place.data))
    reasons = {finding["code"]: set(finding["lines"]) for finding in made.findings}
    assert reasons["in-a-suite"] == {"tested-00-000", "tested-01-000"}
    assert reasons["in-own-val"] == {"doubles-00-000", "doubles-01-000"}
    assert {"blank-00-000"} in reasons.values()
    rows = {row["line_id"]: row for row in read_manifest(place.data).rows}
    assert not rows.keys() & set().union(*reasons.values())
    assert {name for name, row in rows.items() if row["split"] == "val"} == {f"good-{n:02d}-000" for n in held}
    assert made.train + made.val == len(rows)
    seen = {f"{reading}-{rest}" for side in made.lines.values() for reading, found in side.items() for rest in found}
    assert seen == {line.identifier for line in corrections.lines()}
    assert not place.exported.exists()  # no second copy stays


def invoke(*arguments):
    return CliRunner().invoke(app, ["improve", *map(str, arguments)])


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("DATA", "CACHE", "HOME"):
        monkeypatch.setenv(f"TEXT_RECOGNIZER_{name}", str(tmp_path / name.lower()))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def contents(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_too_few_lines_and_a_dry_run_change_nothing(bare_data, home, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(bare_data))
    store = new_store(home)
    add_reading(store, "mine", drawn_lines(12))
    add_reading(store, "secret", drawn_lines(3, seed=5), consent=False)
    store.close()
    before = contents(home / "images")
    few = invoke()
    assert few.exit_code == 0, few.output
    assert "12 new corrected lines, 50 are asked for: 38 are missing" in few.output
    dry = invoke("--dry-run", "--at-least", 5)
    assert dry.exit_code == 0, dry.output
    assert "12 corrected lines, 12 of them new; 10 to learn from, 2 for val" in dry.output
    assert "suite accuracy is left out" in dry.output  # its data are not here
    assert not list((home / "improve").rglob("*.json*"))
    assert not (home / "models").exists()
    assert contents(home / "images") == before
    status = json.loads(invoke("status", "--json").output)
    assert status == {"improvements": [], "new_lines": 12, "carriers": [], "stopped": None}


def test_where_nothing_is_left_nothing_is_begun(bare_data, home, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(bare_data))
    none = invoke("--at-least", 0)
    assert (none.exit_code, "there are no corrected lines" in none.output) == (0, True), none.output
    store = new_store(home)
    add_reading(store, "blank", [(np.full((40, 300), 255, np.uint8), f"line {number}") for number in range(12)])
    store.close()
    blank = invoke("--at-least", 1)
    assert (blank.exit_code, "all 12 corrected lines were left out" in blank.output) == (0, True), blank.output
    assert json.loads(invoke("status", "--json").output)["stopped"] is None
    assert not list((home / "improve").rglob("*.png"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--suite", "accuracy"], "the suite needs data that are not here"),
        (["--suite", "nonsense"], "no suite at nonsense"),
        (["--from", "detector"], "not for 'lines'"),
        (["--from", "nowhere"], "no model bundle at nowhere"),
        (["--registry", "file"], "file"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_made(home, monkeypatch, arguments, said):
    monkeypatch.chdir(home)
    (home / "file").write_text("no folder")
    store = new_store(home)
    add_reading(store, "mine", [(np.full((40, 300), 200, np.uint8), "text")] * 12)
    store.close()
    done = invoke("--at-least", 1, *arguments)
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list((home / "improve").rglob("*.json*"))
