"""Pen strokes drawn as handwriting, IAM-OnDB made of them, and the paper that they are drawn on."""

import random

import numpy as np
import pytest

from tests.helpers.pen_files import LINES, write_ondb, zigzag
from tests.learning.datasets.test_page_sets import write_page
from text_recognizer.images import LINE_HEIGHT
from text_recognizer.learning.datasets.exclusions import Exclusions
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.loading.line_batches import MixedLines
from text_recognizer.learning.synthesis.iam_ondb import iam_ondb_lines, pen_lines, share_of_height, spaced
from text_recognizer.learning.synthesis.page_margins import STRIP, margin_strips
from text_recognizer.learning.synthesis.pen_strokes import (
    Hand,
    Pen,
    draw_strokes,
    moved,
    pressure,
    smoothed,
    some_pen,
    straightened,
)
from text_recognizer.learning.synthesis.scanned import Look, scanned

PLAIN = Pen("felt", 0.06, darkness=1.0)


def drawn(points, ends, pen=PLAIN, size=80.0, hand=None):
    placed = moved(points, hand or Hand(size=size), random.Random(0))
    return draw_strokes(placed, ends, pen, size)


@pytest.fixture
def ondb(bare_data):
    write_ondb(bare_data / "iam_ondb")
    return bare_data


def test_strokes_are_drawn_at_the_height_and_width_asked_for():
    points, ends = zigzag(6)
    ink = drawn(points, ends)
    rows, columns = np.flatnonzero(ink.max(axis=1) > 100), np.flatnonzero(ink.max(axis=0) > 100)
    assert np.ptp(rows) == pytest.approx(80, abs=8)
    assert np.ptp(columns) == pytest.approx(np.ptp(points[:, 0]) * 80 / 560, rel=0.05)
    assert ink.max() == 255
    thin = drawn(points, ends, Pen("felt", 0.03, darkness=1.0))
    assert (ink > 128).mean() > 1.5 * (thin > 128).mean()


def test_strokes_do_not_join_and_a_dot_is_a_dot():
    points = np.array([[0, 0], [100, 0], [400, 0], [500, 0], [250, -560.0]])
    ends = np.array([False, True, False, True, True])
    ink = drawn(points, ends)
    assert ink[:, ink.shape[1] // 2 - 5 : ink.shape[1] // 2 + 5][:20].max() > 200, "the dot"
    assert ink[-25:, ink.shape[1] // 2 - 5 : ink.shape[1] // 2 + 5].max() == 0, "nothing between the two strokes"


def test_a_slow_pen_leaves_a_wider_and_darker_trace():
    slow = np.stack([np.linspace(0, 400, 41), np.zeros(41)], axis=1)
    fast = np.stack([np.linspace(600, 1600, 11), np.full(11, -500.0)], axis=1)
    points, ends = np.concatenate([slow, fast]), np.r_[np.zeros(40, bool), True, np.zeros(10, bool), True]
    pressed = pressure(points, ends)
    assert pressed[5:35].min() > pressed[44:50].max()
    ink = drawn(points, ends, Pen("ballpoint", 0.06, speed=0.6, darkness=0.8))
    middle = ink.shape[1] // 8, ink.shape[1] * 3 // 4
    assert (ink[-20:, middle[0]] > 40).sum() > (ink[:20, middle[1]] > 40).sum()
    assert int(ink[-20:, middle[0]].max()) > int(ink[:20, middle[1]].max())


def test_a_nib_makes_strokes_across_it_wider():
    along = np.stack([np.linspace(0, 500, 21), np.linspace(0, -500, 21)], axis=1)
    across = along * (1, -1) + (700, -500)
    points, ends = np.concatenate([along, across]), np.r_[np.zeros(20, bool), True, np.zeros(20, bool), True]
    ink = drawn(points, ends, Pen("fountain", 0.05, nib=1.2, angle=np.pi / 4, darkness=1.0)) > 128
    left, right = ink[:, : ink.shape[1] // 2].sum(), ink[:, ink.shape[1] // 2 :].sum()
    assert max(left, right) > 1.5 * min(left, right)


def test_slant_and_stretch():
    points, _ = zigzag(6)
    plain = moved(points, Hand(), random.Random(0))
    assert np.ptp(moved(points, Hand(stretch=1.5), random.Random(0))[:, 0]) == pytest.approx(1.5 * np.ptp(plain[:, 0]))
    slanted = moved(points, Hand(slant=0.4), random.Random(0))
    assert np.argmin(slanted[:, 1]) == np.argmin(plain[:, 1])
    assert slanted[np.argmin(slanted[:, 1]), 0] - slanted[0, 0] > plain[np.argmin(plain[:, 1]), 0] - plain[0, 0] + 5


def test_a_line_that_climbs_is_straightened():
    level, _ = zigzag(20)
    climbing, _ = zigzag(20, slope=-0.15)
    assert np.abs(np.diff(straightened(climbing) - level, axis=0)[:, 1]).max() < 30
    few, _ = zigzag(2, slope=-0.15)
    assert (straightened(few) == few).all(), "two letters say nothing of a line"


def test_curves_run_through_the_points_of_each_stroke():
    points, ends = zigzag(3)
    curve, last = smoothed(points, ends)
    assert last.sum() == ends.sum() == 3
    assert len(curve) == 3 * (3 * 8 + 1)
    assert (curve[last] == points[ends]).all()
    assert all((curve == point).all(axis=1).any() for point in points)


def test_pens_are_of_all_kinds():
    pens = [some_pen(random.Random(seed)) for seed in range(200)]
    assert {pen.kind for pen in pens} == {"ballpoint", "felt", "fountain", "pencil"}
    assert all(0.02 < pen.width < 0.1 and 0.3 < pen.darkness <= 1 for pen in pens)


def test_a_picture_has_dark_ink_on_light_paper_and_is_the_same_again():
    ink = np.zeros((60, 300), np.uint8)
    ink[20:40, 50:250] = 255
    strips = np.full((2, *STRIP), 190, np.uint8)
    for seed in range(40):
        pictures = [
            scanned(ink, random.Random(seed), np.random.default_rng(seed), Look(negative=0), strips) for _ in range(2)
        ]
        assert (pictures[0] == pictures[1]).all()
        assert pictures[0].shape == ink.shape
        assert np.median(pictures[0][ink == 0]) > np.median(pictures[0][ink > 0]) + 60
    negative = scanned(ink, random.Random(1), np.random.default_rng(1), Look(negative=1))
    assert np.median(negative[ink == 0]) < np.median(negative[ink > 0])


def test_wide_lines_are_written_on_strips_too():
    ink = np.zeros((120, 7000), np.uint8)
    strips = np.random.default_rng(0).integers(150, 220, (3, *STRIP)).astype(np.uint8)
    assert scanned(ink, random.Random(0), np.random.default_rng(0), Look(real=1.0), strips).shape == ink.shape


def test_margins_hold_no_writing(bare_data):
    assert margin_strips().shape == (0, *STRIP)
    lines = [{"text": "a"}, {"text": "b"}] + [{"text": "", "blank": True, "polygon": [], "baseline": []}] * 3
    write_page(bare_data / "copiste", [dict(line) for line in lines], noise=4)
    strips = margin_strips()
    assert len(strips)
    assert strips.min() > 200, "the page is light, its ink is black"


def test_lines_are_drawn_with_their_texts(ondb, caplog):
    dataset = iam_ondb_lines("train", seed=3)
    assert [label.text for label in dataset.labels] == ["only a fly", "Mr. Foot's line", "and so on"]
    assert [label.writer for label in dataset.labels] == ["iam-ondb-7", "iam-ondb-7", "iam-ondb-f02"]
    assert "crossed-out words: f02-01" in caplog.text
    for image, label in dataset:
        assert image.shape[0] == LINE_HEIGHT
        assert image.shape[1] > 12 * len(label.text)
        assert image.max() == 255


def test_another_seed_is_another_picture_but_val_stays_the_same(ondb):
    one, two = (iam_ondb_lines("train", seed) for seed in (1, 2))
    assert any(a.shape != b.shape or (a != b).any() for (a, _), (b, _) in zip(one, two, strict=True))
    one, two = (iam_ondb_lines("val", seed, renderings) for seed, renderings in ((1, 1), (2, 3)))
    assert len(one) == 2
    assert all((a == b).all() for (a, _), (b, _) in zip(one, two, strict=True))


def test_several_renderings_of_a_line_differ(ondb):
    dataset = line_dataset(LineSource("iam-ondb-train", renderings=2))
    assert len(dataset) == 6
    assert len({label.identifier for label in dataset.labels}) == 6
    assert dataset.labels[0].text == dataset.labels[3].text
    assert dataset[0][0].shape != dataset[3][0].shape or (dataset[0][0] != dataset[3][0]).any()
    with pytest.raises(ValueError, match="renderings of iam-ondb"):
        line_dataset(LineSource("iam-ondb-train", renderings=-1))


def test_lines_that_are_drawn_anew_keep_to_their_widths(ondb):
    dataset = line_dataset(LineSource("iam-ondb-train", renderings=0))
    assert len(dataset) == 3
    np.random.seed(0)
    first, second = ([dataset[number][0] for number in range(3)] for _ in range(2))
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(first, second, strict=True))
    np.random.seed(0)
    assert (dataset[0][0] == first[0]).all()
    assert all(image.shape[1] <= width for image, width in zip(first, dataset.widths, strict=True))
    part = dataset.only([2])
    assert [label.text for label in part.labels] == ["and so on"]
    assert len(MixedLines([dataset, part])) == 4
    image, label, columns = MixedLines([dataset, part])[3, 640]
    assert (label.text, columns) == ("and so on", 640)
    assert image.shape[1] <= part.widths[0]


def test_strokes_that_do_not_belong_to_the_table_are_refused(ondb):
    table = ondb / "iam_ondb" / "lines.tsv"
    table.write_text("\n".join(table.read_text(encoding="utf-8").splitlines()[:-1]) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=f"has {len(LINES) - 1} lines, strokes.npz {len(LINES)}"):
        pen_lines("train", Exclusions("x"))


@pytest.mark.parametrize(
    ("text", "mended"),
    [("Mr. Foot 's line", "Mr. Foot's line"), ('faith ," He', 'faith," He'), ("a 'set' of", "a 'set' of")],
)
def test_spaces_that_tokens_left_are_taken_out(text, mended):
    assert spaced(text) == mended


@pytest.mark.parametrize(("text", "share"), [("fly", 1), ("on", 0.5), ("the", 0.75), ("any", 0.75), ("Mr, I", 1)])
def test_a_text_without_tall_letters_takes_up_less_room(text, share):
    assert share_of_height(text) == share
