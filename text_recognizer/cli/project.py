"""`text-recognizer project`: lines and the model that learns from them, versioned; `data version`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from text_recognizer.cli.errors import explained

app = typer.Typer(
    help="Datasets and the model that learns from them, under git and DVC: `dvc repro` does again what changed.",
    no_args_is_help=True,
)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The new project.")],
    data: Annotated[
        list[Path], typer.Option(metavar="DIR", help="A dataset to begin with (lines.tsv, lines/). Several times.")
    ],
    name: Annotated[str, typer.Option(help="Of the model, by default the folder's.", show_default=False)] = "",
    start: Annotated[
        str, typer.Option("--from", metavar="BUNDLE", help="Recogniser to begin with: a shipped name or a folder.")
    ] = "lines",
    storage: Annotated[
        str,
        typer.Option(
            metavar="PLACE",
            help="Where `dvc push` stores data and models: a folder, or s3://bucket/prefix. By default a folder "
            "beside the project.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Make a project of datasets: a folder with the stages from lines to a model, under git and DVC."""
    with explained("versions"):
        from text_recognizer.learning.project.begin import begin_project

        stored = begin_project(folder, data, name, start, storage)
    typer.echo(f"made {folder}; `dvc push` stores its data and models in {stored}")
    typer.echo(f"next: cd {folder} && dvc repro")


def version(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Datasets: folders with lines.tsv.")],
) -> None:
    """Print the version of datasets, a hash of their manifests, after all their images were checked."""
    with explained():
        from text_recognizer.learning.datasets.own_folder import check_manifest, read_manifest

        for folder in folders:
            manifest = read_manifest(folder)
            check_manifest(manifest)
            typer.echo(f"{manifest.version}  {folder}")


def _stage(name: str, what: str) -> None:
    """A stage of the project in the working directory, as a command that dvc.yaml calls."""

    def run() -> None:
        # As in `train`: a network at a dozen widths needs more prepared kernels than oneDNN keeps.
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "20000")
        with explained():
            from text_recognizer.learning.project import stages

            stage: Callable[[], list[str]] = getattr(stages, name)
            said = stage()
        for line in said:
            typer.echo(line)

    app.command(name, help=f"{what} A stage: `dvc repro` runs it.")(run)


_stage("prepare", "Check the datasets in data/ and write down their versions.")
_stage("train", "Fine-tune on them, or go on where that was interrupted.")
_stage("evaluate", "Measure the model on the lines that it did not learn from.")
_stage("export", "Write the model bundle with its measurements.")
_stage("card", "Write the model card.")
