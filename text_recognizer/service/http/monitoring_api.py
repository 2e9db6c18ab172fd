"""GET /v1/monitor: what the page /monitor shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool

from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.http.api import Owner, Server
from text_recognizer.service.http.problems import Problem
from text_recognizer.service.http.schemas import REFUSALS
from text_recognizer.service.monitoring.dashboard import overview

router = APIRouter(prefix="/v1", responses=REFUSALS)


@router.get("/monitor")
async def monitor(
    server: Server,
    owner: Owner,
    hours: Annotated[float, Query(gt=0, le=24 * 366)] = 24.0,
    end: Annotated[datetime | None, Query(description="Of the window; now, where it is not given")] = None,
) -> dict[str, Any]:
    """What was read in a window beside what is usual, with alerts, traffic and expected errors; no content."""
    if server.features is None:
        raise Problem(404, "this server records no features of readings: see TEXT_RECOGNIZER_MONITORING")
    now = utc_now()
    until = now if end is None else end.replace(tzinfo=end.tzinfo or UTC)
    if abs(until.year - now.year) > 100:
        raise Problem(422, "the end of the window is more than a hundred years away")
    return await run_in_threadpool(overview, server.features, server.settings, hours, until, owner)
