"""Sets of whole pages: which pages are val, what counts as a line of handwriting, and baselines that are missing."""

import json

import cv2
import numpy as np
import pytest

from text_recognizer.learning.datasets.page_sets import PAGE_SETS, VERBATIM, Transcription
from text_recognizer.learning.datasets.pages import baseline_in, page_lines, pages, traced_pages
from text_recognizer.learning.datasets.registry import descriptions


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(tmp_path))
    monkeypatch.setenv("TEXT_RECOGNIZER_CACHE", str(tmp_path / "cache"))
    return tmp_path


def write_set(folder, rows):
    """A page set with an empty page for each row, of which only the name and the split count."""
    (folder / "pages").mkdir(parents=True)
    for name, _ in rows:
        (folder / "pages" / f"{name}.webp").touch()
    table = [{"page": name, "split": split, "lines": []} for name, split in rows]
    (folder / "pages.json").write_text(json.dumps(table), encoding="utf-8")


def names(dataset, split):
    return [page.identifier for page in pages(dataset, split)]


def write_page(folder, lines, split="train", noise=0):
    """One page with a word drawn in each of the boxes 400 pixels wide; lines: what `pages.json` says of each, beside
    outline and baseline. noise: of the paper, in gray levels."""
    image = np.full((100 * len(lines) + 40, 500), 230, np.uint8)
    image += np.random.default_rng(0).integers(0, noise + 1, image.shape, np.uint8)
    rows = []
    for number, line in enumerate(lines):
        top = 20 + 100 * number
        if not line.pop("blank", False):
            cv2.putText(image, "handwriting", (60, top + 55), cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 2, 20, 3)
        box = [[50, top], [450, top], [450, top + 80], [50, top + 80]]
        rows.append({"polygon": box, "baseline": [[50, top + 56], [450, top + 56]]} | line)
    (folder / "pages").mkdir(parents=True)
    cv2.imwrite(str(folder / "pages" / "p.png"), image)
    table = [{"page": "p", "split": split, "size": [500, len(image)], "lines": rows}]
    (folder / "pages.json").write_text(json.dumps(table), encoding="utf-8")


@pytest.mark.parametrize("dataset", ["hooker", "poilus"])
def test_every_tenth_page_is_val_beginning_with_the_fifth(data, dataset):
    rows = [(f"page-{number:02d}", "train") for number in range(27)]
    write_set(data / dataset, rows)
    assert names(dataset, "val") == ["page-04", "page-14", "page-24"]
    assert sorted(names(dataset, "train") + names(dataset, "val")) == [name for name, _ in rows]


def test_pages_of_one_letter_are_on_one_side(data):
    rows = [(f"letter_{letter}_{page:03d}", "train") for letter in range(100) for page in range(3)]
    write_set(data / "lathrop", rows)
    train, val = (set(names("lathrop", split)) for split in ("train", "val"))
    assert train | val == {name for name, _ in rows}
    assert not {name[:-4] for name in train} & {name[:-4] for name in val}
    assert 5 <= len(val) / 3 <= 15


def test_splits_that_a_table_names_are_kept(data):
    write_set(data / "cremma19", [("a", "train"), ("b", "val"), ("c", "train")])
    write_set(data / "hooker", [("a", "val"), ("b", "train")])
    assert names("cremma19", "train") == ["a", "c"]
    assert names("cremma19", "val") == ["b"]
    assert names("hooker", "val") == ["a"]
    # A set without val pages gives none: its dataset has that one split.
    write_set(data / "cremma20", [(f"p{number}", "train") for number in range(20)])
    assert names("cremma20", "val") == []
    assert descriptions()["cremma20"].splits == ("train",)
    assert descriptions()["doniau"].names() == ["doniau-val"]


@pytest.mark.parametrize(
    ("dataset", "text", "plain"),
    [
        ("copiste", "Émile Sari>e<, né", None),
        ("copiste", "la formule [C4H3S]2 #205", "la formule [C4H3S]2 #205"),
        ("cremma19", "4^e Conseil de la 1^re Division", "4e Conseil de la 1re Division"),
        ("cremma19", "[[modestes]] attendre", None),
        ("cremma18", "plus secoüer ce joug im¬", "plus secoüer ce joug im-"),
        ("cremma18", "dehors XXXX", None),
        ("cremma18", "# elle commence", None),
        ("peraire", "effectuer du travail de # (DOKER)", None),
        ("peraire", "internationale ⋎ RECENTE", None),
        ("peraire", "[ESTHETIQUE = qui à rapport au", "[ESTHETIQUE = qui à rapport au"),
        ("doniau", "ne remonte pas, ⟦elle descend⟧, l'affection", None),
        ("doniau", "passer au 1^er [???]", None),
        ("lectaurep", "à Nice, Bd XXX Borou", None),
        ("lectaurep", "dem^t 22|50", "demt 22|50"),
        ("htromance", "subvention XXX^lt ⁊ subject", "subvention XXXlt et subject"),
        ("htromance", "sciences. ⎀ Hasaël", None),
        ("poilus", "A S^t Saint germain en Laye", None),
        ("poilus", "S^t Ouen le 24  Août", "St Ouen le 24 Août"),
        ("lathrop", "March 21^st 1905", "March 21st 1905"),
        ("hooker", "chef de table[?]", None),
        ("timeus", "Par ces motifs = Le Bureau", "Par ces motifs = Le Bureau"),
    ],
)
def test_each_set_has_its_own_conventions(dataset, text, plain):
    assert PAGE_SETS[dataset].transcription.plain(text) == plain


def test_files_of_ones_own_are_taken_verbatim():
    assert VERBATIM.plain("a <b> ^ c  #") == "a <b> ^ c #"
    assert Transcription(marks="x").plain("x") is None


def test_what_is_no_line_of_handwriting_is_left_out_and_counted(data, caplog):
    lines = [
        {"text": "kept^er"},
        {"text": "printed", "kind": "printed"},
        {"text": ">crossed< out"},
        {"text": " "},
        {"text": "blank", "blank": True},
        {"text": "Ж"},
        {"text": "far too much text for such a short line " * 5},
        {"text": "nowhere", "polygon": [], "baseline": []},
    ]
    write_page(data / "lectaurep", lines)
    dataset = page_lines("lectaurep", "train")
    assert [label.text for label in dataset.labels] == ["kepter"]
    for reason in ("printed", "crossed-out", "no text", "no ink", "U+0416", "more text than", "no outline"):
        assert reason in caplog.text
    assert caplog.text.count("left out 1 line") == len(lines) - 1
    (page,) = traced_pages("lectaurep", "train")  # the line detector learns them all, but for the one without a place
    assert [line.text for line in page.lines][:3] == ["kepter", "printed", None]
    assert len(page.lines) == len(lines) - 1


def test_a_line_without_baseline_is_cut_along_its_outline(data):
    write_page(
        data / "gw_en", [{"text": "one"}, {"text": "two", "baseline": []}, {"text": "three", "baseline": [[9, 9]]}]
    )
    dataset = page_lines("gw_en", "train")
    assert len(dataset) == 3
    with_baseline, without, point = (dataset[number][0] for number in range(3))
    assert without.shape[1] == pytest.approx(with_baseline.shape[1], rel=0.03)
    assert without.mean() == pytest.approx(with_baseline.mean(), rel=0.05)
    assert (without == point).all()


def test_the_baseline_of_an_outline_follows_its_slope():
    level = baseline_in(np.array([[0, 0], [300, 0], [300, 50], [0, 50]], float))
    assert level == pytest.approx(np.array([[0, 36], [300, 36]]), abs=1)
    # A slanting line with one word that has no descenders.
    slanting = np.array([[0, 0], [200, 20], [200, 70], [160, 66], [160, 50], [120, 46], [120, 62], [0, 50]], float)
    ((left, start), (right, end)) = baseline_in(slanting)
    assert (left, right) == (0, 200)
    assert (end - start) / 200 == pytest.approx(0.1, abs=0.02)
    assert baseline_in(np.array([[5.0, 1], [5, 9], [5, 4]])).shape == (2, 2)
