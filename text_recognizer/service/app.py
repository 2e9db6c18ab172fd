"""The server's application: routes, limits, errors, the web page, and what runs from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from text_recognizer.service.annotation import api as queue_api
from text_recognizer.service.http import api, monitoring_api
from text_recognizer.service.http.schemas import REFUSALS
from text_recognizer.service.http.site import add_pages, guard, new_site
from text_recognizer.service.logs import event
from text_recognizer.service.monitoring import metrics
from text_recognizer.service.monitoring.check import check_in_turn
from text_recognizer.service.monitoring.sending import AlertSender
from text_recognizer.service.review.queue import review_of
from text_recognizer.service.settings import Settings
from text_recognizer.service.state import State

_log = logging.getLogger("text_recognizer.service")
_PURGE_SECONDS = 3600.0
_REVIEW_SECONDS = 10.0
_FIRST_CHECK_SECONDS = 60.0  # soon, for servers that never run for long; whether it is time, the database knows


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application (ASGI). Models and the store are opened when it starts, not here."""
    chosen = settings or Settings()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        server = await run_in_threadpool(State.start, chosen)
        app.state.server = server
        alerts = AlertSender.of(chosen)
        if alerts is not None:
            alerts.start()
        app.state.queue = review_of
        event(_log, "ready", models=server.reading.models)
        works = [_purge_now_and_then(server, alerts), _watch_for_drift(server)]
        works += [_follow_promotions(server), _prepare_reviews(server)]
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            if alerts is not None:
                await run_in_threadpool(alerts.close)
            await run_in_threadpool(server.stop)

    app = new_site(
        "Text Recognizer",
        summary="Reads pages of handwriting.",
        license_info={"name": "Apache-2.0"},
        lifespan=lifespan,
    )
    app.include_router(api.router)
    app.include_router(monitoring_api.router)
    app.include_router(queue_api.router, responses=REFUSALS)
    app.include_router(api.health)
    if chosen.web:
        add_pages(app, {"/": "index.html", "/monitor": "monitor.html", "/review": "label.html"})
    guard(app, chosen)
    return app


async def _purge_now_and_then(server: State, alerts: AlertSender | None) -> None:
    """Delete what was kept without consent and is too old; a store that cannot be used now is tried again later."""
    while server.store is not None:
        try:
            deleted = await run_in_threadpool(server.store.purge, server.settings.retention_days)
            if deleted:
                event(_log, "purged", readings=deleted)
            if server.features is not None:
                await run_in_threadpool(server.features.purge, server.settings.monitoring_days)
            if alerts is not None:
                await run_in_threadpool(alerts.purge, server.settings.monitoring_days)
            if server.comparisons is not None:
                await run_in_threadpool(server.comparisons.purge, server.settings.monitoring_days)
        except Exception as error:  # whatever it was, the next hour's attempt must come
            _log.warning("purging failed: %s", error)
        await asyncio.sleep(_PURGE_SECONDS)


async def _follow_promotions(server: State) -> None:
    """Read with what is promoted, soon after it is."""
    while server.watcher.follows:
        await asyncio.sleep(server.settings.model_seconds)
        try:
            await run_in_threadpool(server.watcher.check)
        except Exception as error:  # whatever it was, the next look must come
            _log.warning("the registry of models cannot be looked at: %s", error)


async def _watch_for_drift(server: State) -> None:
    """Compare what was read with the reference; what goes wrong is tried again the next time."""
    wait = min(_FIRST_CHECK_SECONDS, 60 * server.settings.drift_minutes)
    while server.features is not None and wait:
        await asyncio.sleep(wait)
        wait = 60 * server.settings.drift_minutes
        try:
            await run_in_threadpool(check_in_turn, server.features, server.settings)
        except Exception as error:  # whatever it was, the next check must come
            metrics.DRIFT_CHECKS.labels("failed").inc()
            _log.warning("the check for drift failed: %s", error)


async def _prepare_reviews(server: State) -> None:
    """Take kept readings into the review queue, and count what waits in it."""
    while server.reviews is not None:
        more = False
        try:
            more = await run_in_threadpool(server.reviews.prepare)
            found = await run_in_threadpool(server.reviews.progress, None)
            metrics.REVIEW_LINES.set(found.waiting)
        except Exception as error:  # whatever it was, the next attempt must come
            _log.warning("the review queue cannot be prepared: %s", error)
        await asyncio.sleep(0 if more else _REVIEW_SECONDS)
