"""Recipes: one is run on small data from start to end; of all, every command is one that the program understands."""

import os
import shlex
import stat
import subprocess
from pathlib import Path

import pytest
import typer

from tests.helpers.programs import forked_program
from text_recognizer.cli.main import app
from text_recognizer.learning.experiments.config import load_experiment

ROOT = Path(__file__).resolve().parent.parent
RECIPES = sorted((ROOT / "experiments" / "recipes").glob("*.sh"))
TINY = (
    "--network.fields={channels: [4, 4], hidden: [8]}",
    "--data.train=[{name: fonts, variants: 1}]",
    "--data.workers=0",
    "--trainer.epochs=1",
    "--trainer.tracker=none",
    "--trainer.precision=32-true",
)


def run(
    recipe: Path, program: str, folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a recipe with `program` (lines of shell) as its text-recognizer."""
    script = folder / "bin" / "text-recognizer"
    script.parent.mkdir(exist_ok=True)
    script.write_text(f"#!/bin/sh\n{program}\n")
    script.chmod(script.stat().st_mode | stat.S_IEXEC)
    path = f"{script.parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", str(recipe), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=280,
        env=os.environ | {"PATH": path, "OUTPUT": str(folder / "bundle")} | environment,
    )  # fmt: skip


@pytest.mark.parametrize("size", ["small", "full"])
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_command_of_a_recipe_is_understood(recipe, size, tmp_path):
    log = tmp_path / "commands"
    record = f"printf '%s\\n' \"$@\" >> {log}; echo >> {log}"  # an argument a line, then an empty one
    done = run(recipe, record, tmp_path, str(tmp_path / "letters"), SIZE=size)
    assert done.returncode == 0, done.stderr
    commands = typer.main.get_command(app)
    lines = [block.split("\n") for block in log.read_text().strip().split("\n\n")]
    assert {line[0] for line in lines} >= {"train", "export", "diagnose"}
    for name, *arguments in lines:
        if name == "train":
            load_experiment(ROOT / arguments[0], [part for part in arguments[1:] if part != str(tmp_path / "letters")])
        else:
            commands.commands[name].make_context(name, arguments, resilient_parsing=False).close()


def test_the_recipe_of_characters_makes_a_bundle(tiny_data, tmp_path):
    program = f'exec {shlex.join(forked_program())} "$@"'
    done = run(ROOT / "experiments" / "recipes" / "characters.sh", program, tmp_path, *TINY)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "bundle" / "confusion.png").is_file()
    assert "bias" in done.stdout
