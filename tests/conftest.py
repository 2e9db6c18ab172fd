"""Fixtures: a small data folder in the layout of the real datasets, and the shipped recogniser."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.programs import SHARED

# The tests run in a process a core: threads of PyTorch's in each of them would wait for one another. Before its import.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
DATA = Path(__file__).resolve().parent / "data"
#: Files that take long: begun first, for a process that begins one last would keep the others waiting for it.
LONG = ("test_sweep.py", "test_notebooks.py", "test_ddp.py", "test_tracking.py", "test_training.py", "test_recipes.py")


def pytest_configure(config: pytest.Config) -> None:
    """A folder that pytest's processes share, made by the first of them."""
    if not hasattr(config, "workerinput"):
        folder = os.environ[SHARED] = tempfile.mkdtemp(prefix="text-recognizer-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first; pytest-xdist is told to keep this order."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture(scope="session")
def recognizer():
    """The shipped models."""
    from text_recognizer import TextRecognizer

    return TextRecognizer()


def fonts_and_text(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """A new data folder in `folder` with fonts and text, and a cache of its own, both named in the environment."""
    data = folder / "data"
    data.mkdir()
    for name in ("fonts", "text"):
        (data / name).symlink_to(DATA / name)
    patch.setenv("TEXT_RECOGNIZER_DATA", str(data))
    patch.setenv("TEXT_RECOGNIZER_CACHE", str(folder / "cache"))
    return data


@pytest.fixture
def bare_data(tmp_path, monkeypatch) -> Path:
    """A data folder with fonts and text."""
    return fonts_and_text(tmp_path, monkeypatch)


@pytest.fixture
def tiny_data(bare_data) -> Path:
    """A data folder with fonts, text, "IAM" lines drawn with fonts, and "Copiste" pages drawn with fonts."""
    _write_lines(bare_data / "iam")
    write_pages(bare_data / "copiste")
    return bare_data


@pytest.fixture(scope="module")
def line_cache(tmp_path_factory) -> Iterator[Path]:
    """A data folder with "IAM" lines for all tests of a module, and a cache of their own: its folder."""
    folder = tmp_path_factory.mktemp("training")
    with pytest.MonkeyPatch.context() as patch:
        _write_lines(fonts_and_text(folder, patch) / "iam")
        yield folder / "cache"


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C as in a terminal: a process that a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def letter_page(recognizer):
    """The sample letter as the shipped models read it."""
    return recognizer.read(SAMPLES / "letter.jpg")


def _write_lines(folder: Path) -> None:
    write_drawn_lines(folder, [("val", 3) if number > 6 else ("train", number % 3) for number in range(10)])


def write_drawn_lines(folder: Path, rows: Sequence[tuple[str, int]]) -> None:
    """ "IAM" lines drawn with fonts; rows: of each its split and its writer."""
    from text_recognizer.learning.synthesis.lines import SyntheticLines

    (folder / "lines").mkdir(parents=True)
    generator = SyntheticLines(seed=5)
    with (folder / "lines.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writerow(["line_id", "split", "writer", "kind", "text"])
        for number, (split, writer_id) in enumerate(rows):
            image, label = generator[number]
            Image.fromarray(image).save(folder / "lines" / f"x{number:02d}.webp", method=0)
            writer.writerow([f"x{number:02d}", split, writer_id, "gray", label.text])


def write_pages(folder: Path) -> None:
    """Pages set in fonts, in the layout of Copiste, one of three for val."""
    from text_recognizer.learning.synthesis.pages import SyntheticPages

    (folder / "pages").mkdir(parents=True)
    rows = []
    for number, page in enumerate(SyntheticPages(seed=3).pages(3)):
        Image.fromarray(page.image).save(folder / "pages" / f"p{number}.webp", method=0)
        lines = [
            {
                "text": ">crossed<" if k == 0 else "été",
                "polygon": line.polygon.tolist(),
                "baseline": line.baseline.tolist(),
            }
            for k, line in enumerate(page.lines)
        ]
        size = [page.image.shape[1], page.image.shape[0]]
        rows.append({"page": f"p{number}", "split": "val" if number == 2 else "train", "size": size, "lines": lines})
    (folder / "pages.json").write_text(json.dumps(rows), encoding="utf-8")


@pytest.fixture
def letter() -> np.ndarray:
    """A sample page, gray."""
    return np.array(Image.open(SAMPLES / "letter.jpg").convert("L"))


def sample_text(name: str) -> str:
    """The true text of a sample."""
    return " ".join((SAMPLES / f"{name}.txt").read_text(encoding="utf-8").split())


@pytest.fixture
def sample_line(recognizer, tmp_path):
    """The first line of the sample letter, as a file."""
    page = Image.open(SAMPLES / "letter.jpg").convert("L")
    box = np.array(recognizer.read(page).lines[0].polygon)
    path = tmp_path / "line.png"
    page.crop((*box.min(axis=0).astype(int).tolist(), *box.max(axis=0).astype(int).tolist())).save(path)
    return path
