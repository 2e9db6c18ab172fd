"""The labelling queue: who gets which line next, and what becomes of those that annotators dispute."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.labelled_pages import blank_pages, label, queue_of
from text_recognizer.labeling.labels import Label
from text_recognizer.labeling.queue import LabelQueue


@pytest.fixture
def folder(tmp_path) -> Path:
    return blank_pages(tmp_path)


def said(task, who="Ada", text="x", status="labeled", **more) -> Label:
    return label(task.line.id, text, who, task.page, status, polygon=task.line.polygon, **more)


def test_doubtful_lines_come_first_and_nobody_gets_the_line_of_another(folder):
    clock = [0.0]
    queue = queue_of(folder, seconds=100, clock=lambda: clock[0])
    assert queue.next("Ada").line.text == "low"
    assert queue.next("Ada").line.text == "low"  # after a reload it is still hers
    assert queue.next("Ben").line.text == "middle"
    assert queue.next("Cleo", order="page").line.text == "high"
    assert queue.next("Dan") is None
    assert queue.others("Dan")
    clock[0] = 101
    assert queue.next("Dan").line.text == "low"
    queue.source.add([said(queue.task("Dan", "a.png", "l0002"), "Dan")])
    assert queue.next("Ada", passed=[("p2.png", "l0001")]).line.text == "high"
    assert queue.next("Ada", page="p2.png").line.text == "middle"
    assert queue.next("Ada", page="none.png") is None
    with pytest.raises(ValueError, match="no order"):
        queue.next("Ada", order="best")


def test_a_line_that_is_passed_on_is_for_somebody_else(folder):
    queue = queue_of(folder)
    task = queue.next("Ada")
    queue.source.add([said(task, text="", status="skipped")])
    assert queue.next("Ada").line.text == "middle"
    assert queue.next("Ben").line.text == "low"
    queue.release("Ben", task.page, task.line.id)
    assert queue.next("Ada", order="skipped").line.text == "low"
    assert (queue.progress().waiting, queue.progress().done) == (3, 0)


def test_lines_for_two_people_come_to_both_and_disputed_ones_again(folder):
    queue = queue_of(folder, overlap=1.0)
    first, second = queue.next("Ada"), queue.next("Ben")
    assert first.line.id == second.line.id
    assert queue.next("Cleo").line.text == "middle"  # two have it in hand
    queue.source.add([said(first, text="abcd"), said(second, "Ben", "abce")])
    queue.release("Ben", second.page, second.line.id)
    progress = queue.progress()
    assert (progress.disputed, progress.done, progress.waiting, dict(progress.by)) == (1, 0, 2, {"Ada": 1, "Ben": 1})
    found = queue.agreement()
    pair = found.pairs[0]
    assert (pair.lines, pair.exact, pair.edits, pair.cer) == (1, 0, 1, 0.25)
    assert [one.text for one in found.disputed[0]] == ["abcd", "abce"]
    assert queue.next("Ada", order="disputed").adjudicate
    assert queue.next("Ben", order="disputed") is None  # Ada has it
    queue.source.add([said(first, text="abce", origin="adjudication")])
    assert queue.next("Ada", order="disputed") is None
    assert queue.progress().done == 1
    assert queue.agreement().pairs[0].exact == 0  # what was said in sight of the other's text proves nothing
    assert queue.agreement().disputed == []
    some = LabelQueue(queue.source, overlap=0.3)
    assert 200 < sum(some.wanted("a.png", f"l{n:04d}") == 2 for n in range(1000)) < 400
    with pytest.raises(ValueError, match="from 0 to 1"):
        LabelQueue(queue.source, overlap=2)


def test_the_rest_of_the_queue_is_what_is_disputed(folder):
    queue = queue_of(folder)
    for who in ("Ada", "Ben", "Cleo"):
        task = queue.next(who)
        queue.source.add([said(task, "Ada"), said(task, "Ben", "y")])
        queue.release(who, task.page, task.line.id)
    assert [queue.next("Dan").adjudicate, queue.next("Eve").adjudicate] == [True, True]
