"""`text-recognizer serve` and `api-key`: reading for other people and programs."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from text_recognizer.cli.errors import explained


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; by default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; by default 8000.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; by default 1.")] = None,
    model: Annotated[str | None, typer.Option(help="Line recogniser: a shipped name or a folder.")] = None,
    detector: Annotated[str | None, typer.Option(help="Line detector: a shipped name or a folder.")] = None,
) -> None:
    """Serve the web page and the REST API. More settings come from the environment: see docs/serve.md."""
    options = {"HOST": host, "PORT": port, "WORKERS": workers, "MODEL": model, "DETECTOR": detector}
    # Worker processes read the environment, so that is where options go.
    os.environ.update({f"TEXT_RECOGNIZER_{name}": str(value) for name, value in options.items() if value is not None})
    with explained(extra="serve"):
        from text_recognizer.service.server import check, run
        from text_recognizer.service.settings import Settings, explained_settings

        with explained_settings():
            settings = Settings()
        check(settings)
        if settings.port:
            typer.echo(f"reading for you at http://{settings.host}:{settings.port}  (Ctrl-C ends it)", err=True)
        run(settings)


def api_key(name: Annotated[str, typer.Argument(help="Whose key it is: appears in logs and corrections.")]) -> None:
    """Make an API key: the key for the client, and the entry with its hash for the server."""
    with explained(extra="serve"):
        from text_recognizer.service.keys import new_key

        key, entry = new_key(name)
    typer.echo(f"key, for the client (shown only now):      {key}")
    typer.echo(f"entry, for TEXT_RECOGNIZER_API_KEYS:       {entry}")
