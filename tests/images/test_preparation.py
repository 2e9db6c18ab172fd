"""Pages made ready before they are read: what each step finds, what it leaves alone, and the way back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.conftest import SAMPLES
from text_recognizer.images import open_image
from text_recognizer.images.deskew import find_slant
from text_recognizer.images.page_outline import find_gutter, find_sheet
from text_recognizer.images.preparation import AUTO_STEPS, STEPS, find_borders, flatten_light, prepare, prepare_steps

GEOMETRY = ("outline", "crop", "deskew", "split")


def rotated(image: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """A page turned counter-clockwise with room for its corners, and the matrix (2, 3) from old to new pixels."""
    height, width = image.shape[:2]
    cosine, sine = abs(np.cos(np.deg2rad(degrees))), abs(np.sin(np.deg2rad(degrees)))
    size = round(width * cosine + height * sine), round(width * sine + height * cosine)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return cv2.warpAffine(image, matrix, size, borderValue=int(np.median(image))), matrix


def on_table(page: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A page as a sheet on a dark, noisy table, seen aslant: RGB, and its corners."""
    height, width = page.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = np.array([[150, 90], [width + 60, 170], [width + 130, height + 60], [90, height + 150]], np.float32)
    size = width + 240, height + 260
    table = np.random.default_rng(1).normal(70, 12, (size[1], size[0], 3)).clip(0, 255).astype(np.uint8)
    matrix = cv2.getPerspectiveTransform(corners, seen)
    sheet = cv2.warpPerspective(np.stack([page] * 3, axis=2), matrix, size, flags=cv2.INTER_AREA)
    inside = cv2.warpPerspective(np.full(page.shape, 255, np.uint8), matrix, size)
    return np.where(inside[:, :, None] > 127, sheet, table), seen


def spread(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two pages of the same size with the shadow of a gutter between them."""
    both = np.hstack([left, right]).astype(np.float32)
    distance = np.abs(np.arange(both.shape[1]) - left.shape[1])
    return (both * (1 - 0.35 * np.exp(-distance / 40))).astype(np.uint8)


@pytest.fixture(scope="module")
def page() -> np.ndarray:
    """A scan of a whole page, gray."""
    return cv2.cvtColor(open_image(SAMPLES / "copiste-1.jpg"), cv2.COLOR_RGB2GRAY)


@pytest.mark.parametrize("name", ["letter.jpg", "copiste-1.jpg", "copiste-2.jpg"])
def test_plain_pages_are_left_as_they_are(name):
    image = open_image(SAMPLES / name)
    (prepared,) = prepare(image)
    assert prepared.image is image
    assert prepared.steps == ()
    assert np.array_equal(prepared.to_original, np.eye(3))
    assert find_sheet(image) is None
    assert find_gutter(image) is None
    assert find_borders(image) is None


def test_the_outline_of_a_sheet_on_a_table_is_found(page):
    picture, corners = on_table(page)
    found = find_sheet(picture)
    assert found is not None
    assert np.hypot(*(found - corners).T).max() < 15
    (prepared,) = prepare(picture, ["outline"])
    assert prepared.steps == ("outline",)
    height, width = prepared.image.shape[:2]
    back = prepared.original(np.array([[0.0, 0], [width, 0], [width, height], [0, height]]))
    assert np.abs(back - found).max() < 6
    assert np.median(prepared.image[: height // 50]) > 200, "no table is left"


def test_the_sample_photograph_is_freed_of_its_table():
    image = open_image(SAMPLES / "notes-photograph.jpg")
    (prepared,) = prepare(image)
    assert prepared.steps == ("outline",)
    assert prepared.image.shape[0] < 0.95 * image.shape[0]


@pytest.mark.parametrize("step", ["outline", "crop", "deskew", "split"])
def test_marked_pixels_return_to_their_places(page, step):
    mark = np.array([700.0, 900.0])
    picture = {
        "outline": lambda p: on_table(p)[0],
        "crop": lambda p: cv2.copyMakeBorder(p, 60, 40, 80, 0, cv2.BORDER_CONSTANT, value=15),
        "deskew": lambda p: rotated(p, 6)[0],
        "split": lambda p: spread(p, p),
    }[step](page)
    picture = np.stack([picture] * 3, axis=2) if picture.ndim == 2 else picture.copy()
    cv2.circle(picture, mark.astype(int).tolist(), 6, (255, 0, 0), cv2.FILLED)
    prepared = prepare(picture, [step])[0]
    assert step in prepared.steps
    red = prepared.image[:, :, 0].astype(int) - prepared.image[:, :, 1] > 120
    rows, columns = np.nonzero(red)
    place = prepared.original(np.array([[columns.mean(), rows.mean()]]))[0]
    assert np.hypot(*(place - mark)) < 1.5


@pytest.mark.parametrize("degrees", [-11.0, -4.2, 0.0, 1.7, 8.5])
def test_slant_is_estimated_within_three_tenths(page, degrees):
    slant = find_slant(rotated(page, degrees)[0])
    assert slant.turns == 0
    assert slant.degrees - find_slant(page).degrees == pytest.approx(degrees, abs=0.3)


@pytest.mark.parametrize("turns", [1, 3])
def test_pages_that_lie_on_their_side_are_set_upright(page, turns):
    lying = np.ascontiguousarray(np.rot90(page, turns))
    assert find_slant(lying).turns == 4 - turns
    (prepared,) = prepare(lying, ["deskew"])
    assert prepared.image.shape == pytest.approx(page.shape, abs=2)
    small, expected = (cv2.resize(image, (140, 180), interpolation=cv2.INTER_AREA) for image in (prepared.image, page))
    assert np.abs(small.astype(int) - expected).mean() < 3


def test_spreads_are_split_with_the_left_page_first(page):
    other = cv2.GaussianBlur(page, (0, 0), 1.5) // 2 + 60
    left, right = prepare(spread(page, other), ["split"])
    assert left.steps == right.steps == ("split",)
    assert abs(left.image.shape[1] - page.shape[1]) < 30
    assert np.median(left.image) > np.median(right.image)
    assert left.original(np.array([[3.0, 4.0]]))[0] == pytest.approx([3, 4])
    assert right.original(np.array([[0.0, 4.0]]))[0] == pytest.approx([left.image.shape[1], 4], abs=2)


def test_folded_letters_are_no_spreads(page):
    lines = cv2.resize(page[400:1400], None, fx=1.4, fy=0.8)  # one wide page whose lines cross the fold
    shadow = 1 - 0.3 * np.exp(-np.abs(np.arange(lines.shape[1]) - lines.shape[1] // 2) / 15)
    assert find_gutter((lines * shadow).astype(np.uint8)) is None


def test_black_borders_are_cropped(page):
    bordered = cv2.copyMakeBorder(page, 90, 30, 40, 120, cv2.BORDER_CONSTANT, value=20)
    (prepared,) = prepare(bordered, ["crop"])
    assert prepared.steps == ("crop",)
    assert prepared.image.min(axis=1)[:3].min() > 100, "no dark seam is left"
    assert prepared.to_original[:2, 2] == pytest.approx([40, 90], abs=12)


def test_uneven_light_is_flattened(page):
    light = np.linspace(0.4, 1.0, page.shape[1])
    flat = flatten_light((page * light).astype(np.uint8))
    assert flat is not None
    quarters = np.array_split(flat, 4, axis=1)
    assert np.ptp([np.median(quarter) for quarter in quarters]) < 12
    assert flatten_light(page) is None
    assert flatten_light(255 - page) is None, "light writing on a dark ground"


@pytest.mark.parametrize(
    "shape", [(1, 1), (4, 4), (20, 3000), (3000, 20), (40, 50), (500, 500), (300, 900, 3), (2, 40_000)]
)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_pictures_without_writing_are_left_as_they_are(shape, level):
    image = np.full(shape, level, np.uint8)
    (prepared,) = prepare(image, STEPS)
    assert prepared.steps == ()
    assert np.array_equal(prepared.image, image)


def test_noise_and_drawings_make_nothing_fail():
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, (400, 700, 3), dtype=np.uint8)
    drawing = np.full((600, 800), 250, np.uint8)
    for radius in range(20, 250, 40):
        cv2.circle(drawing, (400, 300), radius, 30, 3)
    for image in (noise, drawing):
        for part in prepare(image, STEPS):
            assert part.image.dtype == np.uint8
    assert find_slant(drawing).turns == 0


def test_names_of_steps():
    assert prepare_steps("none") == ()
    assert prepare_steps("auto") == AUTO_STEPS
    assert prepare_steps("light") == ("light",)
    assert prepare_steps(["split", "crop"]) == ("crop", "split")
    with pytest.raises(ValueError, match=r"'straighten' is no step.*outline, crop, deskew, split, light"):
        prepare_steps(["crop", "straighten"])


def test_a_turned_page_is_read_and_its_outlines_lie_on_the_ink(recognizer, letter):
    plain = recognizer.read(letter, use_language=False, prepare="none")
    picture, matrix = rotated(letter, 9)
    page = recognizer.read(picture, use_language=False)
    assert (page.width, page.height) == (picture.shape[1], picture.shape[0])
    assert len(page.lines) == len(plain.lines)
    for line, expected in zip(page.lines, plain.lines, strict=True):
        mask = np.zeros(picture.shape, np.uint8)
        cv2.fillPoly(mask, [np.array(line.polygon, np.int32)], 1)
        moved = np.array(expected.polygon) @ matrix[:, :2].T + matrix[:, 2]
        truth = cv2.fillPoly(np.zeros_like(mask), [np.round(moved).astype(np.int32)], 1)
        assert np.count_nonzero(mask & truth) > 0.7 * np.count_nonzero(mask | truth)
        for word in line.words:
            inside = cv2.fillPoly(np.zeros_like(mask), [np.array(word.polygon, np.int32)], 1) > 0
            assert picture[inside].min() < 140, f"no ink in {word.text!r}"


def test_pages_of_a_spread_are_read_one_after_the_other(recognizer, letter):
    other = letter[: letter.shape[0]]
    page = recognizer.read(spread(letter, other), use_language=False)
    middles = [np.mean(line.polygon, axis=0)[0] for line in page.lines]
    sides = [middle > letter.shape[1] for middle in middles]
    assert sides == sorted(sides)
    assert 0.4 < np.mean(sides) < 0.6


def test_unknown_steps_are_refused_by_read(recognizer, letter):
    with pytest.raises(ValueError, match="outline, crop, deskew, split, light"):
        recognizer.read(letter, prepare="straighten")
