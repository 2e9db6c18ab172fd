"""Processes that perform tasks, one at a time each; one that dies is replaced, and its task is said to be lost."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

_STARTS = 3  # in a row that may fail: then it is not chance
_END = 10.0  # seconds for processes to end by themselves


@dataclass(frozen=True)
class Lost:
    """The process that performed a task died. code: how, as `Process.exitcode` has it."""

    code: int | None

    def __str__(self) -> str:
        if self.code is None or self.code >= 0:
            return f"the process that read it ended (exit code {self.code})"
        name = signal.Signals(-self.code).name if -self.code in set(signal.Signals) else f"signal {-self.code}"
        return f"the process that read it died of {name}" + (": perhaps memory was short" if name == "SIGKILL" else "")


class Member:
    """A process of the pool. task: what it performs now. last: what it performed before."""

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self.process, self.connection = process, connection
        self.ready = False
        self.task: Any = None
        self.last: Any = None


class Pool:
    """`size` processes, started with `make(argument)`, which gives a function that performs a task.

    make, its argument, tasks and answers go through pickle. The function's `models`, if it has any, are `models` here
    once the first process is ready. Use as a context. Memory does not grow with the number of tasks.
    """

    def __init__(self, size: int, make: Callable[[Any], Callable[[Any], Any]], argument: Any) -> None:
        self._context = multiprocessing.get_context("spawn")  # threads of ONNX Runtime do not survive a fork
        self._make, self._argument = make, argument
        self._failed_starts = 0
        self.models: dict[str, str] | None = None
        self._members: list[Member] = []
        for _ in range(size):
            self._start()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members:
            member.connection.close()  # an idle process ends by that
        for member in self._members:
            if member.task is not None or not member.ready:
                member.process.terminate()
        for member in self._members:
            member.process.join(_END)
            if member.process.is_alive():
                member.process.kill()
                member.process.join()

    def idle(self) -> list[Member]:
        """The processes that wait for a task."""
        return [member for member in self._members if member.ready and member.task is None]

    @property
    def is_busy(self) -> bool:
        """Whether a task is being performed."""
        return any(member.task is not None for member in self._members)

    def give(self, member: Member, task: Any) -> None:
        """Have an idle process perform a task."""
        member.task = task
        with suppress(OSError):  # it died meanwhile; `answers` will see that
            member.connection.send(task)

    def answers(self, timeout: float) -> Iterator[tuple[Any, Any]]:
        """Tasks that have ended with their answers, or `Lost`; waits for the first of them.

        Raises ValueError where processes cannot be started.
        """
        by_connection = {member.connection: member for member in self._members}
        for connection in wait(list(by_connection), timeout):
            member = by_connection[connection]  # type: ignore[index]
            try:
                message = member.connection.recv()
            except (EOFError, OSError):
                yield from self._buried(member)
                continue
            if not member.ready:
                self._welcome(member, message)
                continue
            member.last, member.task = member.task, None
            yield member.last, message

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._make, self._argument), daemon=True)
        with _without_interrupts():
            process.start()
        theirs.close()
        self._members.append(Member(process, ours))

    def _welcome(self, member: Member, message: Any) -> None:
        if isinstance(message, str):
            raise ValueError(message)
        member.ready, self._failed_starts = True, 0
        self.models = self.models or message

    def _buried(self, member: Member) -> Iterator[tuple[Any, Lost]]:
        member.connection.close()
        member.process.join(_END)
        self._members.remove(member)
        lost = Lost(member.process.exitcode)
        if not member.ready:
            self._failed_starts += 1
            if self._failed_starts >= _STARTS:
                raise ValueError(f"processes that read cannot be started: {lost}")
        self._start()
        if member.task is not None:
            yield member.task, lost


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes that are started meanwhile leave Ctrl-C to this one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(connection: Connection, make: Callable[[Any], Callable[[Any], Any]], argument: Any) -> None:
    """The life of a process: it ends when the other side does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        perform = make(argument)
    except (ValueError, OSError, ImportError) as error:
        connection.send(str(error))
        return
    try:
        connection.send(dict(getattr(perform, "models", {})))
        while True:
            connection.send(perform(connection.recv()))
    except (EOFError, OSError):
        return
