"""A network from outside of the package, that of docs/how-to/add-a-network.md, is trained, exported and reads."""

import json

import pytest
from typer.testing import CliRunner

from tests.helpers.how_to import imported
from tests.helpers.tiny_training import LINES, TINY
from text_recognizer.cli.main import app
from text_recognizer.learning import networks


@pytest.fixture
def page(tmp_path, line_cache):
    """A folder with the file of the page, its network registered."""
    with imported("add-a-network.md", "stripes", tmp_path, networks):
        yield tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_it_trains_exports_and_reads(page, line_cache):
    own = ["--name=stripes", "--network.name=stripes", "--network.fields={channels: 6}", "--tracker=none"]
    trained = run("train", LINES, *TINY, *own)
    assert trained.exit_code == 0, trained.stderr
    exported = run("export", "stripes", "--output", page / "bundle", "--no-measure")
    assert exported.exit_code == 0, exported.stderr
    bundle = json.loads((page / "bundle" / "bundle.json").read_text())
    assert bundle["provenance"]["experiment"]["network"] == {"name": "stripes", "fields": {"channels": 6}}
    assert "the network stripes trained with CTC" in (page / "bundle" / "README.md").read_text()
    line = next((line_cache.parent / "data" / "iam" / "lines").glob("*.webp"))
    read = run("read", "--unit", "line", "--model", page / "bundle", line)
    assert read.exit_code == 0, read.stderr


def test_its_fields_are_checked(page):
    wrong = run("train", LINES, "--network.name=stripes", "--network.fields={chanels: 3}")
    assert wrong.exit_code == 2
    assert "network.fields.channels" in wrong.stderr
