"""`text-recognizer label next`: which lines to label, of those that nobody has labelled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from text_recognizer.cli.errors import complain, explained

if TYPE_CHECKING:
    from text_recognizer.service.labeling.selection import Budget, Unlabelled


T = TypeVar("T")


class Strategy(StrEnum):
    """The strategies of `service.labeling.selection`."""

    random = "random"
    longest = "longest"
    least_confident = "least-confident"
    errors = "errors"
    diverse = "diverse"
    combined = "combined"


class Unit(StrEnum):
    """What the images of a folder hold."""

    auto = "auto"
    page = "page"
    line = "line"


def next_lines(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Pages (see `label serve`), or images of lines.")],
    count: Annotated[int | None, typer.Option(min=1, help="Lines to choose; 50 by default.")] = None,
    characters: Annotated[
        int | None, typer.Option(min=1, help="Characters to choose: what typing costs; instead of --count, or both.")
    ] = None,
    strategy: Annotated[Strategy, typer.Option(help="How to choose; see docs/active-learning.md.")] = Strategy.random,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of line images: write the choice here instead of to stdout.")
    ] = None,
    unit: Annotated[Unit, typer.Option(help="What the images hold; auto: pages where they were labelled.")] = Unit.auto,
    model: Annotated[
        str, typer.Option(help="Recogniser of lines for what was not read yet: a shipped name or a folder.")
    ] = "lines",
    again: Annotated[bool, typer.Option("--again", help="Read pages again that another model has read.")] = False,
    seed: Annotated[int, typer.Option(help="Of --strategy random: another number gives other lines.")] = 0,
) -> None:
    """Choose which lines to label next; `label serve` shows them first."""
    with explained("serve"):
        from text_recognizer.service.labeling.selection import Budget
        from text_recognizer.service.labeling.selection_lines import is_labeling_folder

        budget = Budget(50 if count is None and characters is None else count, characters)
        pages = unit is Unit.page or (unit is Unit.auto and is_labeling_folder(folder))
        if pages and output is not None:
            raise ValueError("the choice of lines on pages is put where `label serve` finds it: leave out --output")
        if pages:
            _from_pages(folder, budget, strategy.value, model, again, seed)
        else:
            _from_images(folder, budget, strategy.value, output, model, seed)


def _from_pages(folder: Path, budget: Budget, strategy: str, model: str, again: bool, seed: int) -> None:
    """Choose lines on pages, and write the order for the queue."""
    from text_recognizer import TextRecognizer
    from text_recognizer.service.labeling.folder import LabelingFolder
    from text_recognizer.service.labeling.selection import choose
    from text_recognizer.service.labeling.selection_lines import lines_of_pages, pages_to_read, read_pages, write_order

    labeling = LabelingFolder(folder)
    left = pages_to_read(labeling)
    if left or again:
        recognizer = TextRecognizer(model)
        if again:
            detector = {"detector": recognizer.detector.bundle.identity}
            left = pages_to_read(labeling, detector | recognizer.line_models())
        read_pages(labeling, _shown(left, "reading pages", len(left)), recognizer, complain)
    waiting, labelled = lines_of_pages(labeling)
    if not waiting:
        raise ValueError(f"nothing is left to label in {folder}: {len(labelled)} lines have their text")
    chosen = [waiting[number] for number in choose(waiting, strategy, budget, labelled, seed)]
    path = write_order(labeling, strategy, chosen)
    typer.echo(f"{_summary(chosen, len(waiting), strategy)}\nwrote {path}: `label serve` shows them first")


def _from_images(folder: Path, budget: Budget, strategy: str, output: Path | None, model: str, seed: int) -> None:
    """Choose line images, and print or write their names."""
    from text_recognizer import TextRecognizer
    from text_recognizer.folders import write_file
    from text_recognizer.service.labeling.selection import choose
    from text_recognizer.service.labeling.selection_lines import as_json, images_of, line_images, lines_of_images

    paths = line_images(folder)
    reading = lines_of_images(folder, paths, TextRecognizer(model), complain)
    waiting = list(_shown(reading, "reading lines", len(paths)))
    chosen = [waiting[number] for number in choose(waiting, strategy, budget, seed=seed)]
    data = as_json(images_of(strategy, chosen))
    if output is None:
        typer.echo(data.decode(), nl=False)
    else:
        write_file(output, data)
        typer.echo(f"wrote {output}")
    typer.echo(_summary(chosen, len(waiting), strategy), err=True)


def _shown(values: Iterable[T], what: str, count: int) -> Iterable[T]:
    """The values, with a bar on stderr that says how many have passed."""
    from rich.console import Console
    from rich.progress import track

    return track(values, what, count, console=Console(stderr=True), transient=True)


def _summary(chosen: Sequence[Unlabelled], count: int, strategy: str) -> str:
    characters = sum(len(line.text) for line in chosen)
    return f"{strategy}: {len(chosen)} of {count} lines, {characters} characters as the model reads them"
