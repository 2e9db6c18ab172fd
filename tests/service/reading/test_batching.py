"""Pages and lines of several users on one network: nobody waits for ever, nobody pays for another's mistake."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from text_recognizer.service.reading.batching import BatchingLineReader
from text_recognizer.service.reading.service import Busy, ReadingService

MARK = 77  # a pixel that makes our network fail


class Fragile(BatchingLineReader):
    """A reader whose network fails on marked lines, and which tells how many lines each run had."""

    def __init__(self, **options: object) -> None:
        self.runs: list[int] = []
        # Of those in floating point, which read several lines in one run.
        super().__init__("line-cnn", threads=1, **options)  # type: ignore[arg-type]

    def batch_logits(self, images):
        self.runs.append(len(images))
        if any((image == MARK).any() for image in images):
            raise MemoryError("a marked line")
        return super().batch_logits(images)


@pytest.fixture
def reader() -> Iterator[Fragile]:
    found = Fragile(seconds=0.3)
    yield found
    found.close()


def _line(value: int = 0, width: int = 100) -> np.ndarray:
    image = np.zeros((64, width), np.uint8)
    image[20:40, 10 : width - 10 : 7] = value or 255
    return image


def test_a_line_that_fails_fails_alone(reader):
    lines = [_line(), _line(MARK), _line(), _line(200)]
    with reader.page_on_its_way(), ThreadPoolExecutor(4) as pool:  # another page is awaited, so these share a batch
        futures = [pool.submit(reader.logits, [line]) for line in lines]
        results = [future.exception() or future.result() for future in futures]
    assert reader.runs[0] == 4
    assert isinstance(results[1], MemoryError)
    alone = reader.logits([lines[3]])
    np.testing.assert_allclose(results[3][0], alone[0], atol=1e-3)
    assert all(isinstance(results[k], list) for k in (0, 2, 3))


def test_lines_do_not_wait_for_pages_that_never_come(reader):
    with pytest.raises(ZeroDivisionError), reader.page_on_its_way():
        raise ZeroDivisionError
    assert reader._coming == 0
    start = time.monotonic()
    reader.logits([_line()])
    assert time.monotonic() - start < 0.25, "nothing else is on its way"


def test_the_deadline_ends_the_wait_for_a_full_bucket(reader):
    with reader.page_on_its_way(), ThreadPoolExecutor(1) as pool:
        start = time.monotonic()
        pool.submit(reader.logits, [_line()]).result(10)
        assert time.monotonic() - start >= 0.25


def test_lines_that_are_read_each_by_itself_wait_for_nobody():
    reader = BatchingLineReader("lines", threads=2, seconds=60)
    with reader.page_on_its_way(), ThreadPoolExecutor(1) as pool:
        assert len(pool.submit(reader.logits, [_line(), _line(width=300)]).result(30)) == 2
    reader.close()


def test_what_waits_is_read_before_the_end():
    reader = Fragile(seconds=60)
    with reader.page_on_its_way(), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reader.logits, [_line()])
        end = time.monotonic() + 30
        while not reader._waiting:
            assert time.monotonic() < end, "it was not to be read before the end"
            time.sleep(0.01)
        reader.close()
        assert len(waiting.result(10)) == 1
    with pytest.raises(RuntimeError, match="closed"):
        reader.logits([_line()])


@pytest.fixture(scope="module")
def service() -> Iterator[ReadingService]:
    found = ReadingService(queue_pages=3, readers=1, threads=1)
    yield found
    found.close()


def test_the_queue_counts_what_is_in_hand_whatever_becomes_of_it(service):
    go = threading.Event()

    def slow() -> np.ndarray:
        go.wait(10)
        raise OSError("damaged")

    futures = [service.submit(slow) for _ in range(3)]
    with pytest.raises(Busy) as busy:
        service.submit(slow)
    assert busy.value.retry_after >= 1
    assert service.in_hand == 3
    assert futures[2].cancel(), "it had not begun"
    assert service.in_hand == 2
    go.set()
    for future in futures[:2]:
        assert isinstance(future.exception(10), OSError)
    end = time.monotonic() + 5
    while service.in_hand:
        assert time.monotonic() < end
        time.sleep(0.01)
    service.check_room()


def test_pages_that_fail_at_once_do_not_lock_the_queue(service):
    """A future may be done before `submit` has even looked at it."""
    for _ in range(50):
        future = service.submit(lambda: 1 / 0)
        assert isinstance(future.exception(10), ZeroDivisionError)
        end = time.monotonic() + 5
        while service.in_hand:
            assert time.monotonic() < end


def test_after_the_end_nothing_is_taken(letter):
    found = ReadingService(queue_pages=2, readers=1, threads=1)
    future = found.submit(lambda: letter[:300])
    found.close()
    assert future.result(0).page.lines
    with pytest.raises(RuntimeError, match="closed"):
        found.submit(lambda: letter)
