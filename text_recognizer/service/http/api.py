"""The REST API: what the server answers, route by route. Everything that it takes and gives is in `schemas`."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from text_recognizer import __version__
from text_recognizer.formats import FORMATS, Format
from text_recognizer.page import Page
from text_recognizer.service.feedback import FeedbackStore, NewCorrection, StoredReading, UnknownReading
from text_recognizer.service.http.problems import Problem
from text_recognizer.service.http.requests import Source, asked
from text_recognizer.service.http.schemas import (
    EVENTS,
    IMAGE,
    READ,
    READY,
    REFUSALS,
    WRITTEN,
    WRITTEN_FORMATS,
    BatchRequest,
    ConsentRequest,
    FeedbackRequest,
    FormatRequest,
    Kept,
    Options,
    Prediction,
    PredictRequest,
    body,
)
from text_recognizer.service.monitoring import metrics
from text_recognizer.service.state import State


def state(request: Request) -> State:
    """What the server holds."""
    return request.app.state.server


def key_name(request: Request) -> str | None:
    """Whose API key came with the request; None where none is needed. Raises `Problem` 401 for a wrong one."""
    keys = state(request).keys
    if not keys:
        return None
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    given = token.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    name = keys.name_of(given) if given else None
    if name is None:
        message = "this API key is not known" if given else "an API key is needed: Authorization: Bearer ..."
        raise Problem(401, message, {"WWW-Authenticate": "Bearer"})
    request.scope["key_name"] = name
    return name


def store(request: Request) -> FeedbackStore:
    """The feedback store. Raises `Problem` 404 where the server keeps nothing."""
    found = state(request).store
    if found is None:
        raise Problem(404, "this server keeps no readings")
    return found


Server = Annotated[State, Depends(state)]
Owner = Annotated[str | None, Depends(key_name)]
Store = Annotated[FeedbackStore, Depends(store)]

router = APIRouter(prefix="/v1", responses=REFUSALS)
health = APIRouter()


@router.post("/predict", openapi_extra=body(PredictRequest, "file"), response_model=Prediction, responses=READ)
async def predict(request: Request, server: Server, owner: Owner) -> Response:
    """Read an image, or a TIFF or PDF of several pages."""
    server.reading.check_room()  # before the body is taken
    sources, options = await asked(request, server.settings, several=False)
    return await _answer(server, sources[0], options, owner, request)


@router.get("/predict", response_model=Prediction, responses=READ)
async def predict_url(
    request: Request,
    server: Server,
    owner: Owner,
    image_url: Annotated[str, Query(max_length=2000)],
    options: Annotated[Options, Query()],
) -> Response:
    """Read the image at an address, where the server's settings allow that."""
    return await _answer(server, Source(url=image_url), options, owner, request)


@router.post(
    "/batch",
    response_class=StreamingResponse,
    openapi_extra=body(BatchRequest, "files"),
    responses=EVENTS,
)
async def batch(request: Request, server: Server, owner: Owner) -> StreamingResponse:
    """Read several documents; the answer grows page by page, in order, as lines of JSON."""
    server.reading.check_room()  # before the body is taken, and while there is still a status to answer with
    sources, options = await asked(request, server.settings, several=True)

    async def lines() -> AsyncIterator[str]:
        async with aclosing(server.documents.stream(sources, options, owner, request.scope["request_id"])) as events:
            async for event in events:
                yield json.dumps(event, ensure_ascii=False) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson", headers={"X-Accel-Buffering": "no"})


@router.get("/models")
async def models(server: Server, _: Owner) -> dict[str, Any]:
    """The models in use, with what was measured of them."""
    described = [
        {"name": b.name, "task": b.task, "version": b.version, "sha256": b.sha256, "scores": b.scores}
        for b in server.reading.bundles
    ]
    return {"models": described}


@router.get("/settings")
async def settings(server: Server) -> dict[str, Any]:
    """What clients may want to know of this server."""
    chosen = server.settings
    return {
        "version": __version__,
        "formats": WRITTEN_FORMATS,
        "max_request_bytes": chosen.max_request_bytes,
        "max_pages": chosen.max_pages,
        "feedback": server.store is not None,
        "monitoring": server.features is not None,
        "retention_days": chosen.retention_days,
        "key_needed": bool(server.keys),
    }


@router.post("/format", response_class=PlainTextResponse, responses=WRITTEN)
async def format(request: FormatRequest, _: Owner) -> Response:
    """Write pages, corrected ones for example, as one file of a format. ALTO and PAGE hold one page a file."""
    return await run_in_threadpool(lambda: _written(request.to_pages(), request.format))


@router.post("/feedback", response_model=Kept)
async def feedback(body: FeedbackRequest, store: Store, owner: Owner) -> Kept:
    """Keep corrections of a kept reading. Once this is answered, they are safe on disk."""
    await run_in_threadpool(_owned, store, body.id, owner)
    if body.consent is not None:  # first, since it may be said twice: a client repeats what was not answered
        await run_in_threadpool(store.set_consent, body.id, body.consent)
    corrections = [NewCorrection(c.page, c.line, c.text, c.word) for c in body.corrections]
    kept = await run_in_threadpool(store.add_corrections, body.id, corrections, owner or body.who)
    metrics.CORRECTIONS.inc(kept)
    return Kept(kept=kept)


@router.get("/readings/{id}")
async def reading(id: str, store: Store, owner: Owner) -> dict[str, Any]:
    """A kept reading, with its corrections."""
    found = await run_in_threadpool(_owned, store, id, owner)
    return {
        "id": found.id,
        "created": found.created.isoformat(),
        "consent": found.consent,
        "model": dict(found.model),
        "pages": [{"page": page.page.to_dict(), "image": page.image_key is not None} for page in found.pages],
        "corrections": len(found.corrections),
    }


@router.get("/readings/{id}/pages/{number}/image", response_class=Response, responses=IMAGE)
async def image(id: str, number: int, store: Store, owner: Owner) -> Response:
    """The image of a page of a kept reading."""
    await run_in_threadpool(_owned, store, id, owner)
    found = await run_in_threadpool(store.image, id, number) if 0 <= number < 2**31 else None
    if found is None:
        raise Problem(404, "this page has no image here")
    return Response(found, media_type="image/jpeg")


@router.patch("/readings/{id}", status_code=204)
async def change_consent(id: str, body: ConsentRequest, store: Store, owner: Owner) -> None:
    """Say whether a kept reading may be used for training."""
    await run_in_threadpool(_owned, store, id, owner)
    await run_in_threadpool(store.set_consent, id, body.consent)


@router.delete("/readings/{id}", status_code=204)
async def delete(id: str, store: Store, owner: Owner) -> None:
    """Delete a kept reading, its image and its corrections."""
    await run_in_threadpool(_owned, store, id, owner)
    await run_in_threadpool(store.delete_reading, id)


@health.get("/healthz")
async def alive() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "alive"}


@health.get("/readyz", responses=READY)
async def ready(server: Server) -> dict[str, Any]:
    """Whether requests can be served now, by which models, and what does not stop that but should be known."""
    if server.store is not None:
        await run_in_threadpool(server.store.ping)
    return {"status": "ready", "models": server.reading.models, "problems": server.watcher.problems}


@health.get("/metrics", response_class=PlainTextResponse)
async def prometheus() -> Response:
    """Metrics for Prometheus."""
    content, kind = await run_in_threadpool(metrics.exposition)
    return Response(content, media_type=kind)


async def _answer(server: State, source: Source, options: Options, owner: str | None, request: Request) -> Response:
    found = await server.documents.read(source, options, owner, request.scope["request_id"])
    return await run_in_threadpool(_answered, found, options.format)


def _answered(found: dict[str, Any], format: str) -> Response:
    if format == "json":
        return JSONResponse(found)
    pages = [Page.from_dict(part["page"]) for part in found.get("pages") or [found]]
    answer = _written(pages, format)
    answer.headers["X-Reading-ID"] = found["id"]
    return answer


def _written(pages: list[Page], format: str) -> Response:
    """The pages as one file. Raises `Problem` 422 for several pages in a format that holds one."""
    form = FORMATS[format]
    if len(pages) == 1:
        return Response(form.write(pages[0]), media_type=form.media_type)
    if not form.several:
        raise Problem(422, f"a file of the format {format} holds one page, not {len(pages)}: ask for each")
    target = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        form.join((_part(Path(folder), form, page) for page in pages), target)
    return Response(target.getvalue(), media_type=form.media_type)


def _part(folder: Path, form: Format, page: Page) -> Path:
    """A file of one page, for joining; the next one takes its place."""
    part = folder / "page"
    part.write_bytes(form.write(page))
    return part


def _owned(store: FeedbackStore, id: str, owner: str | None) -> StoredReading:
    """The reading, where it belongs to the key that asks. Raises UnknownReading, as for none at all."""
    found = store.reading(id)
    if owner is not None and found.owner != owner:
        raise UnknownReading(id)
    return found
