"""Choosing lines to label: what is expected of a line, which lines are taken, and where the choice is put."""

from __future__ import annotations

import json
import math
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner

from tests.conftest import DATA, SAMPLES
from text_recognizer.cli.main import app
from text_recognizer.labeling.active_learning import (
    STRATEGIES,
    Budget,
    Unlabelled,
    character_errors,
    choose,
    plausible,
    unlabelled,
)
from text_recognizer.labeling.candidates import lines_of_pages, pages_to_read, read_order
from text_recognizer.labeling.folder import LabelingFolder
from text_recognizer.labeling.labels import Label, now
from text_recognizer.labeling.queue import LabelQueue
from text_recognizer.page import Line, Word


def run(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    result = CliRunner().invoke(app, ["label", "next", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def some_lines(count: int, seed: int = 1) -> list[Unlabelled]:
    """Lines of random words, doubted at random, ten a page."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        words = tuple(
            Word(text, (), rng.random(), tuple(rng.random() for _ in text))
            for text in ("".join(rng.choices("abcdefgh", k=rng.randint(1, 7))) for _ in range(rng.randint(1, 6)))
        )
        line = Line(" ".join(word.text for word in words), (), rng.random(), (), words)
        found.append(unlabelled(f"page{number // 10}", f"l{number:04d}", line))
    return found


def test_characters_share_the_doubt_in_their_word_by_their_own():
    errors = character_errors(Word("cat", (), 0.4, (0.99, 0.5, 0.99)))
    assert math.prod(1 - error for error in errors) == pytest.approx(0.4)
    assert errors[1] > 5 * errors[0] > 0
    sure = character_errors(Word("cat", (), 0.4, (1.0, 1.0, 1.0)))  # a language model's word: the network has no doubt
    assert math.prod(1 - error for error in sure) == pytest.approx(0.4)
    assert sure == pytest.approx([sure[0]] * 3)
    assert character_errors(Word("cat", (), 0.4)) == pytest.approx(sure)
    line = unlabelled("p", "l", Line("a cat", (), 0.5, (), (Word("a", (), 1.0), Word("cat", (), 0.4))))
    assert len(line.errors) == len(line.text) == 5
    assert line.expected == pytest.approx(sum(sure))
    assert unlabelled("p", "l", Line("a cat", (), 0.5)).expected > 0  # a line that people have moved has no words


def worth(lines: list[Unlabelled]) -> float:
    """What a choice is worth by the definition of "combined"."""
    amounts: dict[str, float] = {}
    for line in lines:
        pairs = [(a + b, (x + y) / 2) for (a, x), (b, y) in pairwise(zip(line.text, line.errors, strict=True))]
        for name, amount in [*zip(line.text, line.errors, strict=True), *pairs, (f"page {line.page}", line.expected)]:
            amounts[name] = amounts.get(name, 0.0) + amount
    return sum(math.log1p(amount) for amount in amounts.values())


@pytest.mark.parametrize("budget", [Budget(lines=6), Budget(characters=120)])
def test_combined_takes_the_line_that_adds_most_at_each_step(budget):
    lines, before = some_lines(40), some_lines(3, seed=2)
    good = plausible(lines)
    chosen = choose(lines, "combined", budget, labelled=before)
    taken = list(before)
    for number in chosen:
        spent = sum(len(line.text) for line in taken[len(before) :])
        gains = {
            k: (worth([*taken, line]) - worth(taken)) / budget.cost(line)
            for k, line in enumerate(lines)
            if good[k] and line not in taken and spent + len(line.text) <= (budget.characters or math.inf)
        }
        assert gains[number] == pytest.approx(max(gains.values()))
        taken.append(lines[number])
    assert len(chosen) == 6 if budget.lines else sum(len(lines[n].text) for n in chosen) > 110


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_keeps_to_the_budget_and_takes_no_line_twice_or_without_text(strategy):
    lines = [*some_lines(60), Unlabelled("p", "blank", "", 0.0, ())]
    few, many = choose(lines, strategy, Budget(10), seed=3), choose(lines, strategy, Budget(20), seed=3)
    assert len(set(many)) == len(many) == 20
    assert many[:10] == few
    assert sum(len(lines[n].text) for n in choose(lines, strategy, Budget(characters=200))) in range(180, 201)
    every = choose(lines, strategy, Budget(1000), seed=3)
    assert sorted(every) == list(range(60))
    assert choose([], strategy, Budget(5)) == []


def test_what_each_strategy_prefers():
    def line(name: str, text: str, error: float, page: str = "p") -> Unlabelled:
        return Unlabelled(page, name, text, 1 - error, (error,) * len(text))

    lines = [
        line("a", "same old", 0.5),
        line("b", "same old", 0.5),
        line("c", "quick fix", 0.4),
        line("d", "x" * 30, 0),
    ]
    assert choose(lines, "longest", Budget(1)) == [3]
    assert set(choose(lines, "least-confident", Budget(2))) == {0, 1}
    assert set(choose(lines, "errors", Budget(characters=16))) == {0, 1}
    assert choose(lines, "combined", Budget(2)) == [0, 2]
    assert choose(lines, "combined", Budget(2), labelled=[lines[0]])[0] == 2
    assert 3 not in choose(lines, "combined", Budget(3))
    assert set(choose(lines[:3], "diverse", Budget(2))) == {0, 2} or set(choose(lines[:3], "diverse", Budget(2))) == {
        1,
        2,
    }
    with pytest.raises(ValueError, match="there are: random"):
        choose(lines, "best", Budget(1))


def test_what_is_hardly_a_line_comes_last():
    lines = [
        Unlabelled("p", f"l{n}", f"a line of text {n}", 0.9, (0.05 + n / 1000,) * (15 + len(str(n)))) for n in range(30)
    ]
    lines += [Unlabelled("p", "rule", "ii", 0.1, (0.1, 0.1)), Unlabelled("p", "blot", "x.:y.,z", 0.1, (0.6,) * 7)]
    assert [line.line for line, good in zip(lines, plausible(lines), strict=True) if not good] == ["rule", "blot"]
    for strategy in ("least-confident", "errors", "combined"):
        for budget in (Budget(30), Budget(characters=400)):
            assert not {30, 31} & set(choose(lines, strategy, budget))
        assert set(choose(lines, strategy, Budget(32))[-2:]) == {30, 31}
    assert plausible([]) == []


def test_pages_are_read_and_the_order_goes_on_from_what_was_labelled(tmp_path):
    letter = Image.open(SAMPLES / "letter.jpg")
    letter.crop((0, 0, letter.width, letter.height // 2)).save(tmp_path / "letter.jpg")
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    code, output, errors = run(tmp_path, "--unit", "page", "--count", 5)
    assert code == 0, errors
    assert "torn.png" in errors
    assert "random: 5 of" in output
    (tmp_path / "torn.png").unlink()
    order = json.loads((tmp_path / "labeling" / "order.json").read_text(encoding="utf-8"))
    assert order["strategy"] == "random"
    assert [list(row) for row in read_order(tmp_path)] == order["lines"]
    folder = LabelingFolder(tmp_path)
    assert pages_to_read(folder) == []
    assert pages_to_read(folder, folder.reading("letter.jpg").models) == []
    assert pages_to_read(folder, {"lines": "another"}) == ["letter.jpg"]
    lines = {line.id: line for line in folder.lines("letter.jpg")}
    queue = LabelQueue(folder, first=lambda: read_order(tmp_path))
    shown: list[tuple[str, str]] = []
    while len(shown) < len(lines):
        task = queue.next("Ben", passed=shown)
        shown.append((task.page, task.line.id))
    assert shown[:5] == read_order(tmp_path)
    doubt = [lines[name].confidence for _, name in shown[5:]]
    assert doubt == sorted(doubt)
    assert len(order["lines"]) == 5
    assert {page for page, _ in order["lines"]} == {"letter.jpg"}
    assert {name for _, name in order["lines"]} < set(lines)
    first, second = (name for _, name in order["lines"][:2])
    folder.add(
        Label("letter.jpg", name, "Ada", now(), status, text, lines[name].polygon)
        for name, status, text in ((first, "labeled", "Dear"), (second, "no-line", ""))
    )
    waiting, labelled = lines_of_pages(LabelingFolder(tmp_path))
    assert [line.line for line in labelled] == [first]
    assert {line.line for line in waiting} == set(lines) - {first, second}
    assert all(line.expected > 0 for line in waiting)
    code, _, _ = run(tmp_path, "--characters", 100, "--strategy", "combined")
    again = json.loads((tmp_path / "labeling" / "order.json").read_text(encoding="utf-8"))["lines"]
    assert code == 0
    assert again
    assert not {first, second} & {name for _, name in again}
    folder.add(Label("letter.jpg", name, "Ada", now(), "illegible", "", line.polygon) for name, line in lines.items())
    code, _, errors = run(tmp_path)
    assert (code, "nothing is left to label" in errors) == (2, True)
    (tmp_path / "labeling" / "order.json").write_text('{"lines": [["letter')
    assert read_order(tmp_path) == []


def test_line_images_are_named_in_the_order_of_the_choice(tmp_path):
    folder, font = tmp_path / "lines", ImageFont.truetype(str(next((DATA / "fonts").glob("*.ttf"))), 40)
    (folder / "a").mkdir(parents=True)
    for number, text in enumerate(("A short", "A longer line", "The longest line of them all")):
        image = Image.new("L", (60 + round(font.getlength(text)), 90), 255)
        ImageDraw.Draw(image).text((30, 20), text, 0, font)
        image.save(folder / "a" / f"{number}.png")
    (folder / "torn.png").write_bytes(b"\x89PNG")
    code, output, errors = run(folder, "--count", 2, "--strategy", "longest")
    assert code == 0, errors
    assert "torn.png" in errors
    found = json.loads(output)
    assert [line["image"] for line in found["lines"]] == ["a/2.png", "a/1.png"]
    assert found["lines"][0]["read"]
    code, output, errors = run(folder, "--count", 2, "--output", tmp_path / "choice.json")
    assert (code, output) == (0, f"wrote {tmp_path / 'choice.json'}\n")
    assert len(json.loads((tmp_path / "choice.json").read_text(encoding="utf-8"))["lines"]) == 2


def test_bad_input_is_explained(tmp_path):
    Image.fromarray(np.full((300, 200), 255, np.uint8)).save(tmp_path / "page.png")
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder, message in ((tmp_path / "none", "no folder"), (empty, "no images"), (tmp_path, "--unit page")):
        code, _, errors = run(folder)
        assert (code, message in errors) == (2, True), errors
    code, _, errors = run(tmp_path, "--unit", "page", "--output", Path("x.json"))
    assert (code, "leave out --output" in errors) == (2, True)
