"""`text-recognizer data`: list, prepare, show."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from text_recognizer.cli.main import app
from text_recognizer.learning.datasets.registry import DATASETS
from text_recognizer.learning.quality.preview import Sample, contact_sheet


def command(*arguments):
    result = CliRunner().invoke(app, ["data", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_list_names_every_dataset_and_where_to_get_what_is_missing(bare_data):
    code, output, _ = command("list")
    assert code == 0
    for name in DATASETS:
        assert name in output
    assert "fki.tic.heia-fr.ch" in output
    assert "into iam/" in output


def test_prepare_makes_the_cache(tiny_data, tmp_path):
    code, output, _ = command("prepare", "iam")
    assert code == 0
    assert "iam-train: 7 lines" in output
    assert "iam-val: 3 lines" in output
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_show_prints_figures_and_draws_a_sheet(tiny_data, tmp_path):
    code, output, _ = command("show", "copiste-train", "--output", tmp_path / "sheet.png", "--count", 4)
    assert code == 0
    assert "samples" in output
    assert "rarest" in output
    assert "é 2" in " ".join(output.split()) or "é" in output
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 1500
        assert np.array(sheet.convert("L")).min() < 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "nonsense"], "unknown dataset 'nonsense'"),
        (["show", "hooker"], "htr-united"),
        (["prepare", "pages"], "PAGE XML or ALTO"),
        (["prepare", "iam-test"], "no lines of split 'test'"),
        (["prepare", "copiste-pages"], "needs no preparation"),
    ],
)
def test_what_goes_wrong_is_one_line(tiny_data, arguments, message):
    code, _, error = command(*arguments)
    assert code == 2
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_a_sheet_of_each_kind_keeps_to_its_cells(bare_data):
    wide = Sample(np.full((64, 4000), 90, np.uint8), "long " * 80 + "unbroken" * 60, "w", "i")
    low = Sample(np.full((64, 40), 90, np.uint8), "Été, œuf, straße", "w", "i", (np.array([[1, 1], [9, 1], [9, 9]]),))
    for kind in ("lines", "paragraphs", "pages", "characters"):
        sheet = contact_sheet([wide, low, low], kind, "title", "subtitle")
        assert sheet.width < 1800
        assert sheet.height < 1200
        assert (np.array(sheet)[:, -10:] == 255).all()
