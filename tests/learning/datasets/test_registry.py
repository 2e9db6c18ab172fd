"""Datasets register themselves: here, and in packages of other people as docs/how-to/add-a-dataset.md says."""

from importlib import import_module

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.helpers.other_packages import ROOT, install, run
from text_recognizer.learning.datasets import ENTRY_POINTS, MODULES, registry
from text_recognizer.learning.datasets.registry import Description, descriptions, load, names, register


@pytest.fixture
def letters(bare_data):
    """A package with a dataset, and its files: two lines of train and one of val."""
    folder = bare_data.parent / "site"
    install(folder, "add-a-dataset.md", ENTRY_POINTS, "letters")
    for split, text in (("train", "ink"), ("train", "pen"), ("val", "nib")):
        image = Image.new("L", (200, 60), 240)
        ImageDraw.Draw(image).line((10, 50, 60, 10, 90, 50, 180, 15), fill=20, width=4)
        path = bare_data / "letters" / split / f"{text}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    return folder


def test_a_dataset_of_another_package_is_found_loaded_and_trained_with(letters):
    said = run(
        letters,
        f"""
from pathlib import Path
from text_recognizer.learning.datasets.registry import find, load, names
from text_recognizer.learning.datasets.sources import line_dataset
from text_recognizer.learning.experiments.config import load_experiment
assert find("letters-val")[1] == "val"
assert names()[:2] == ["iam-train", "iam-val"]
assert [label.text for label in load("letters-train", "lines").labels] == ["ink", "pen"]
experiment = load_experiment(Path({str(ROOT)!r}) / "experiments" / "lines.yaml", ["--data.val=[{{name: letters-val}}]"])
image, label = line_dataset(experiment.data.val[0])[0]
print(image.shape[0], label)
""",
    )
    assert "64 LineLabel(identifier='nib', text='nib', writer='aunt', source='letters')" in said


def test_the_data_command_lists_and_prepares_it(letters):
    said = run(letters, "from text_recognizer.cli.main import app; app(['data', 'prepare', 'letters'])")
    assert "letters-train: 2 lines" in said
    assert "letters-val: 1 lines" in said
    said = run(letters, "from text_recognizer.cli.main import app; app(['data', 'list'])")
    assert "letters of my aunt" in " ".join(said.split())


def test_a_package_that_is_broken_is_named_and_the_others_are_there(letters):
    (letters / "letters.py").write_text("import nothing_of_this_name")
    said = run(letters, "from text_recognizer.learning.datasets.registry import find; print(find('iam-val')[1])")
    assert "val" in said
    assert "the datasets of letters cannot be loaded: ModuleNotFoundError" in said


def test_every_module_of_the_list_registers_something():
    descriptions()
    registering = {load.__module__ for _, load in registry._REGISTRY.values()}
    assert registering == set(MODULES)
    assert all(import_module(module) for module in MODULES)


def test_listings_keep_their_order_whatever_was_imported_first(letters):
    said = run(
        letters,
        "import text_recognizer.learning.synthesis.lines\n"
        "from text_recognizer.learning.datasets.registry import names; print(*names())",
    )
    assert [name for name in said.split() if not name.startswith("letters-")] == names()
    kinds = [known.kind for known in descriptions().values()]
    assert list(dict.fromkeys(kinds)) == ["lines", "paragraphs", "pages", "characters"]
    assert sorted(kinds, key=list(dict.fromkeys(kinds)).index) == kinds


def test_finding_a_dataset_needs_no_torch(letters):
    code = "import sys; from text_recognizer.learning.datasets.registry import find; find('iam-val'); "
    assert run(letters, code + "print('torch' in sys.modules)").split() == ["False"]


def test_a_loader_is_given_its_split_and_its_options_and_no_others(monkeypatch):
    descriptions()
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))

    @register(Description("drawn", "lines", "", "", "", splits=("train",), options=("seed",)))
    def drawn(split: str, seed: int = 1) -> tuple[str, int]:
        return split, seed

    assert load("drawn-train", "lines", seed=7, count=3, path="x") == ("train", 7)
    assert load("drawn-train", "lines") == ("train", 1)
    with pytest.raises(ValueError, match="two datasets are registered as 'drawn'"):
        register(Description("drawn", "lines", "", "", ""))(np.zeros)
    with pytest.raises(ValueError, match="is of kind 'words'; there are: lines"):
        register(Description("other", "words", "", "", ""))
