"""How far a job is, on stderr: a bar where people watch, a line now and then where a file does."""

from __future__ import annotations

import sys
import time

from text_recognizer.jobs.tally import Tally, duration

_EVERY = 15.0  # seconds between lines


class Progress:
    """Shows a tally. Use as a context."""

    def __init__(self, tally: Tally) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        self.tally = tally
        console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        columns = BarColumn(), TextColumn("{task.description}", markup=False)
        self._bar = Bar(*columns, console=console, transient=True) if console.is_terminal else None
        self._task = self._bar.add_task("loading the models", total=None) if self._bar is not None else None
        self._said = time.monotonic()

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def note(self, message: str) -> None:
        """A line of its own that stays."""
        text = "text-recognizer: " + " ".join(message.split())
        if self._bar is not None:
            self._bar.console.print(text)
        else:
            sys.stderr.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
            sys.stderr.flush()

    def update(self) -> None:
        """Show how far it is now."""
        if self._bar is not None and self._task is not None:
            done, total = self.tally.done, self.tally.total
            self._bar.update(self._task, completed=done, total=total, description=self._text())
        elif time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            self.note(self._text())

    def _text(self) -> str:
        tally = self.tally
        text = f"{tally.done:,} of {tally.total:,} pages, {tally.rate:.2f} a second"
        if tally.left is not None:
            text += f", {duration(tally.left)} left"
        return text + (f", {tally.failed} failed" if tally.failed else "")
