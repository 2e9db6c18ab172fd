"""The gate refuses what costs more than it may: time and size beside the model in production."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from text_recognizer.cli.main import app
from text_recognizer.learning.evaluation.suites.suite import load_suite


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"time": 1000, "size": 1000}, []),
        ({"time": 0.001, "size": 1000}, ["times what production takes; at most 0.00 times"]),
        ({"time": 1000, "size": 0.5}, ["MB of weights, 1.00 times those of production; at most 0.50 times"]),
    ],
)
def test_what_costs_too_much_is_refused(limits, said, tmp_path):
    image = "cells-digits.png"
    shutil.copy(load_suite("basic").folder / image, tmp_path)
    asked = {"cost": limits, "invariance": {"images": [image]}}
    content = {"suite_version": 1, "name": "cost", "version": 1, "about": "", "tasks": {"characters": asked}}
    (tmp_path / "suite.yaml").write_text(json.dumps(content), encoding="utf-8")
    done = CliRunner().invoke(app, ["evaluate", "characters", "--suite", str(tmp_path), "--against", "characters"])
    assert done.exit_code == bool(said), done.output
    assert [part for part in said if part in " ".join(done.output.split())] == said, done.output
