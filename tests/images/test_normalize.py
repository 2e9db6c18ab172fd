"""One normalisation makes scans, photographs, ruled and coloured paper look alike."""

import cv2
import numpy as np
import pytest

from text_recognizer.images import normalize_line, normalize_line_with_box


@pytest.fixture
def ink() -> np.ndarray:
    """Something with strokes, 70 x 600, 1 where there is ink."""
    canvas = np.zeros((70, 600), np.uint8)
    cv2.putText(canvas, "Handwriting 123", (20, 48), cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 1.6, 255, 2, cv2.LINE_AA)
    return canvas.astype(np.float32) / 255


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two normalised lines after bringing them to one width."""
    width = max(a.shape[1], b.shape[1])
    a, b = (cv2.resize(image, (width, 64)).astype(float).ravel() for image in (a, b))
    return float(np.corrcoef(a, b)[0, 1])


def on(ink: np.ndarray, paper, stroke: float = 30.0) -> np.ndarray:
    return np.clip(paper * (1 - ink) + stroke * ink, 0, 255).astype(np.uint8)


def test_shape_and_polarity(ink):
    line = normalize_line(on(ink, 255.0))
    assert line.dtype == np.uint8
    assert line.shape[0] == 64
    assert np.median(line) == 0
    assert line.max() > 240


def test_light_paper_noise_and_ink_do_not_matter(ink):
    clean = normalize_line(on(ink, 255.0))
    shade = np.linspace(90, 240, ink.shape[1], dtype=np.float32)[None] * np.linspace(1, 0.8, ink.shape[0])[:, None]
    noise = np.random.default_rng(0).normal(0, 4, ink.shape)
    variants = {
        "shadow": on(ink, shade, 30) + 0,
        "pencil": on(ink, 230.0, 170.0),
        "noise": np.clip(on(ink, 220.0, 60.0) + noise, 0, 255).astype(np.uint8),
        "light on dark": 255 - on(ink, 255.0),
        "chalk in the shade": 255 - on(ink, shade, 30),
        "blue on yellow paper": np.stack([on(ink, 250.0, 40), on(ink, 240.0, 50), on(ink, 170.0, 160)], axis=2),
        "transparent": np.dstack([np.zeros((*ink.shape, 3), np.uint8), (ink * 255).astype(np.uint8)]),
    }
    for name, image in variants.items():
        assert likeness(clean, normalize_line(image)) > 0.85, name


def test_ruled_paper_disappears_and_letters_stay(ink):
    ruled = np.full(ink.shape, 250.0)
    ruled[49:51] = 150
    ruled[4:5] = 170
    assert likeness(normalize_line(on(ink, 250.0)), normalize_line(on(ink, ruled))) > 0.8


def test_margins_and_scale_do_not_matter(ink):
    clean = normalize_line(on(ink, 255.0))
    wide = np.pad(on(ink, 255.0), ((60, 90), (200, 10)), constant_values=255)
    assert likeness(clean, normalize_line(wide)) > 0.95
    large = cv2.resize(on(ink, 255.0), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    assert likeness(clean, normalize_line(large)) > 0.9


def test_aspect_ratio_is_kept(ink):
    line = normalize_line(on(ink, 255.0))
    rows, columns = (np.flatnonzero(ink.max(axis=axis) > 0.5) for axis in (1, 0))
    expected = np.ptp(columns) / np.ptp(rows)
    found = np.ptp(np.flatnonzero(line.max(axis=0) > 60)) / np.ptp(np.flatnonzero(line.max(axis=1) > 60))
    assert found == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (2, 50), (40, 300), (500, 3), (10, 3000), (40, 300, 3)])
def test_blank_crops_are_blank(shape, value):
    line = normalize_line(np.full(shape, value, np.uint8))
    assert line.shape == (64, 64)
    assert not line.any()


def test_points_lead_back_to_the_crop(ink):
    image = np.pad(on(ink, 255.0), ((100, 60), (37, 80)), constant_values=255)
    line = normalize_line_with_box(image)
    columns = np.flatnonzero(line.image.max(axis=0) > 128)
    rows = np.flatnonzero(line.image.max(axis=1) > 128)
    corners = line.to_crop(np.array([[columns[0], rows[0]], [columns[-1] + 1, rows[-1] + 1]]))
    dark_rows, dark_columns = np.nonzero(image < 128)
    expected = [[dark_columns.min(), dark_rows.min()], [dark_columns.max() + 1, dark_rows.max() + 1]]
    assert np.abs(corners - expected).max() < 4


def test_other_depths_are_refused():
    with pytest.raises(TypeError, match="uint8"):
        normalize_line(np.zeros((40, 40), np.float32))
