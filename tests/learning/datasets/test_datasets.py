"""What every registered dataset promises; paragraphs; and what is said of data that are wrong or too few."""

import unicodedata
from itertools import islice

import numpy as np
import pytest

from tests.conftest import fonts_and_text, write_pages
from tests.helpers.iam_trees import write_prepared
from tests.helpers.pen_files import write_ondb
from text_recognizer.alphabet import Alphabet
from text_recognizer.images import LINE_HEIGHT
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.exclusions import FEW_LINES, Exclusions, warn_if_few
from text_recognizer.learning.datasets.iam import iam_lines
from text_recognizer.learning.datasets.lines import LineLabel
from text_recognizer.learning.datasets.pages import TracedPage
from text_recognizer.learning.datasets.paragraphs import PAGE_WIDTH
from text_recognizer.learning.datasets.registry import descriptions, find, load
from text_recognizer.learning.datasets.sources import (
    LineSource,
    ParagraphSource,
    line_dataset,
    lines_within,
    mixed_paragraphs,
    paragraph_dataset,
)
from text_recognizer.learning.quality.preview import Summary, samples
from text_recognizer.learning.synthesis.lines import SyntheticLines
from text_recognizer.learning.synthesis.stacked_paragraphs import stack

OPTIONS = {"seed": 3, "count": 4}
#: Those that the small data can hold; copiste-characters keeps the promise of iam-characters, but takes long.
NAMES = [n for n, known in descriptions().items() if not (known.by_path or known.fetched or n == "copiste-characters")]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The small data folder, IAM with writers and forms, made once: nothing here changes it."""
    folder = tmp_path_factory.mktemp("datasets")
    with pytest.MonkeyPatch.context() as patch:
        made = fonts_and_text(folder, patch)
        write_prepared(made / "iam")
        write_pages(made / "copiste")
        write_ondb(made / "iam_ondb")
        yield made


def parts(name):
    """The splits of a dataset that the small data have."""
    known = descriptions()[name]
    if known.missing():
        pytest.skip(f"the small data lack {name}")
    found = {}
    for split in known.splits or ("",):
        if split == "test":
            continue  # only IAM as its owners lay it out has it: test_iam_original.py
        items = load(f"{name}-{split}" if split else name, known.kind, **OPTIONS)
        found[split] = list(items) if known.kind == "pages" else items
    assert found, name
    return found


def check_item(kind, item):
    """The promises of each kind, as registry.py gives them."""
    if kind == "pages":
        assert isinstance(item, TracedPage)
        assert all(line.polygon.shape[1:] == (2,) and line.baseline.shape[1:] == (2,) for line in item.lines)
        image = item.image
    else:
        image, label = item
        if kind != "characters":
            assert unicodedata.is_normalized("NFC", label.text)
            assert label.text.strip() == label.text != ""
            assert label.writer
            assert not Alphabet().missing(label.text.replace("\n", ""))
        assert image.max() > 100, "ink is bright"
        assert np.quantile(image, 0.2) < 128, "paper is dark, though a single letter may fill most of a line"
    assert image.dtype == np.uint8
    assert image.ndim == 2
    if kind == "lines":
        assert image.shape[0] == LINE_HEIGHT
    if kind == "paragraphs":
        assert image.shape[1] <= PAGE_WIDTH * 1.1
    if kind == "characters":
        assert image.shape == (28, 28)


@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_keeps_its_promises(data, name, monkeypatch, tmp_path):
    known = descriptions()[name]
    found = parts(name)
    writers = []
    for items in found.values():
        for item in islice(items, 4):
            check_item(known.kind, item)
        writers.append({sample.writer for sample in samples(items)} - {""})
        summary = Summary()
        for sample in samples(items):
            summary.add(sample)
        assert dict(summary.rows())["samples"] == f"{len(summary.lengths):,}"
    assert sum(map(len, writers)) == len(set.union(*writers)), "splits share writers"
    if known.options:
        monkeypatch.setenv("TEXT_RECOGNIZER_CACHE", str(tmp_path / "another"))
        again = parts(name)
        for split, items in found.items():
            for one, two in zip(samples(items), samples(again[split]), strict=True):
                assert np.array_equal(one.image, two.image)
                assert one.text == two.text


def test_data_are_known_again_by_their_content(tmp_path):
    first, second = tmp_path / "here" / "text", tmp_path / "there" / "text"
    for folder in (first, second):
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text("one")
    assert fingerprint(1, first) == fingerprint(1, second)
    assert fingerprint(first / "a.txt") == fingerprint(second / "a.txt")
    (second / "a.txt").write_text("two")
    assert fingerprint(1, first) != fingerprint(1, second)
    assert fingerprint(1, first) != fingerprint(2, first)
    assert fingerprint(tmp_path / "nowhere") == fingerprint(tmp_path / "nowhere")


def test_names_find_their_datasets():
    assert find("copiste-val")[0].name == "copiste"
    assert find("synthetic-pages")[0].kind == "pages"
    assert find("stacked-iam-train") == (descriptions()["stacked-iam"], "train")
    for name in ("nothing", "copiste-test", "synthetic-train"):
        with pytest.raises(ValueError, match=rf"unknown dataset '{name}'; there are: iam-train"):
            find(name)
    with pytest.raises(ValueError, match="name one of them: iam-train, iam-val"):
        line_dataset(LineSource("iam"))
    with pytest.raises(ValueError, match="holds paragraphs, here lines are wanted"):
        line_dataset(LineSource("stacked-synthetic"))


def test_a_missing_dataset_says_who_gives_it_out(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r"iam.lines\.tsv is missing.*fki\.tic\.heia-fr\.ch.*TEXT_RECOGNIZER_DATA"
    ):
        line_dataset(LineSource("iam-train"))


def test_real_and_stacked_paragraphs_mix(data):
    sources = [ParagraphSource("iam-paragraphs-train"), ParagraphSource("stacked-iam-train", paragraphs=2, count=5)]
    mixed = mixed_paragraphs(sources)
    assert len(mixed) == len(paragraph_dataset(sources[0])) + 2
    assert [label.text for _, label in mixed] == [label.text for _, label in mixed_paragraphs(sources)]
    assert {label.source for _, label in mixed} == {"iam-paragraphs", "stacked-iam"}
    assert all(image.any() for image, _ in mixed)


def test_stacked_lines_stand_apart_and_in_order(bare_data):
    lines = [(np.full((64, width), 255, np.uint8), LineLabel("a", "hg", "w", "s")) for width in (300, 500, 200)]
    for seed in range(20):
        paragraph = stack(lines, np.random.default_rng(seed))
        inked = (paragraph > 0).any(axis=1).astype(int)
        assert np.count_nonzero(np.diff(inked) == 1) == 3  # three blocks below each other
        widths = [np.ptp(np.flatnonzero(row)) for row in paragraph if row.any()]
        assert max(widths) > 2 * min(widths)


def test_a_label_outside_the_alphabet_is_named_with_file_and_line(bare_data, caplog):
    write_prepared(bare_data / "iam")
    table = bare_data / "iam" / "lines.tsv"
    rows = table.read_text(encoding="utf-8").splitlines()
    rows[2] = rows[2].rpartition("\t")[0] + "\tЖ is no Latin letter"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    before = len(rows) - 1
    assert sum(len(iam_lines(split)) for split in ("train", "val", "test")) == before - 1
    assert "lines.tsv, line 3: 'Ж' (U+0416)" in caplog.text
    assert "--extend-alphabet" in caplog.text
    caplog.clear()
    iam_lines("train")
    assert not caplog.text  # once, when the dataset is prepared


def test_another_alphabet_makes_another_dataset(bare_data, monkeypatch):
    write_prepared(bare_data / "iam")
    texts = [label.text for label in iam_lines("train").labels]
    monkeypatch.setattr("text_recognizer.learning.datasets.exclusions.CHARACTERS", texts[0])
    monkeypatch.setattr("text_recognizer.learning.datasets.iam.Alphabet", lambda: Alphabet(set(texts[0])))
    assert len(iam_lines("train")) < len(texts)


def test_lines_that_a_bundle_cannot_spell_are_named(bare_data, caplog):
    write_prepared(bare_data / "iam")
    known = Alphabet(set(iam_lines("train").labels[0].text))
    lines = lines_within(LineSource("iam-train"), known)
    assert 1 <= len(lines) < len(iam_lines("train"))
    assert not any(known.missing(label.text) for label in lines.labels)
    assert "outside the alphabet" in caplog.text


def test_what_is_left_out_is_counted_and_a_few_are_named():
    exclusions = Exclusions("letters")
    for number in range(5):
        exclusions.add("no text", f"p.xml, line {number}")
    (sentence,) = exclusions.lines()
    assert sentence == "letters: left out 5 lines: no text: p.xml, line 0; p.xml, line 1; p.xml, line 2; and 2 more"


def test_too_few_lines_are_warned_of_unless_a_model_is_fine_tuned(caplog):
    warn_if_few(FEW_LINES)
    warn_if_few(3, start_from="lines")
    assert not caplog.text
    warn_if_few(FEW_LINES - 1)
    assert "49 lines are too few" in caplog.text
    assert "--start_from" in caplog.text


def test_lines_of_one_face_show_no_other_lines(bare_data):
    import random

    generator = SyntheticLines(4)
    for number in range(3):
        _, label = generator.line(number, random.Random(number), generator.handwriting[:1])
        assert label.writer == f"font-{generator.handwriting[0].path.stem}"
