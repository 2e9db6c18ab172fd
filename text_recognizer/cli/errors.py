"""How commands fail: one line on stderr and exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

BAD_INPUT = 2


def complain(message: object) -> None:
    """Print one line on stderr."""
    typer.echo("text-recognizer: " + " ".join(str(message).split()), err=True)


@contextmanager
def explained(extra: str = "train") -> Iterator[None]:
    """Turn errors that a user can mend into one line and exit code 2. extra: what to install for the command."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("text_recognizer"):
            raise
        complain(
            f'this command needs {error.name!r}: install what it needs with pip install "text-recognizer[{extra}]"'
        )
        raise typer.Exit(BAD_INPUT) from error
    except (ValueError, OSError) as error:
        complain(error)
        raise typer.Exit(BAD_INPUT) from error
    except KeyboardInterrupt as error:
        complain(str(error) or "interrupted")
        raise typer.Exit(130) from error
