"""Streams of events that run ahead of whoever takes them, and end cleanly when nobody does any more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from itertools import islice
from typing import Any

import anyio

Event = dict[str, Any]
_EVENTS_AHEAD = 4  # so that a slow client holds up the reading instead of filling the memory


async def in_order(streams: Iterable[AsyncGenerator[Event]], ahead: int) -> AsyncGenerator[tuple[int, Event]]:
    """The events of some streams, one stream after the other, while the next ones run ahead by a few events.

    Raises what a stream raises. Its end, or `aclose`, ends them all.
    """
    running: deque[tuple[asyncio.Queue[Event | None], asyncio.Task[None]]] = deque()

    async def pump(stream: AsyncGenerator[Event], queue: asyncio.Queue[Event | None]) -> None:
        try:
            async with aclosing(stream):
                async for event in stream:
                    await queue.put(event)
        except Exception:
            await queue.put(None)  # whoever waits for an event must not wait for ever
            raise
        await queue.put(None)

    remaining, index = iter(streams), 0
    try:
        while True:
            for stream in islice(remaining, ahead - len(running)):
                queue: asyncio.Queue[Event | None] = asyncio.Queue(_EVENTS_AHEAD)
                running.append((queue, asyncio.create_task(pump(stream, queue))))
            if not running:
                return
            while (event := await running[0][0].get()) is not None:
                yield index, event
            await running[0][1]
            running.popleft()
            index += 1
    finally:
        await end_tasks(task for _, task in running)


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """End tasks, and wait until they have cleaned up.

    Shielded: when a client goes away, its request is cancelled again and again until it is over, and each time
    would break off what the tasks are cleaning up.
    """
    ended = list(tasks)
    for task in ended:
        task.cancel()
    with anyio.CancelScope(shield=True):
        await asyncio.gather(*ended, return_exceptions=True)
