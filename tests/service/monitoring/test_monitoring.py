"""Features of readings, tests of two samples, drift, alerts, references."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats

from tests.conftest import SAMPLES, sample_text
from text_recognizer import Line, Page
from text_recognizer.images import open_image
from text_recognizer.recognition.bundle import SHIPPED
from text_recognizer.service.monitoring import statistics
from text_recognizer.service.monitoring.alerts import CLEAR_CHECKS, AlertState, due
from text_recognizer.service.monitoring.drift import TOGETHER, DriftReport, Limits, compare
from text_recognizer.service.monitoring.features import (
    NAMES,
    NUMBERS,
    ReadingFeatures,
    RecordedReading,
    reading_features,
)
from text_recognizer.service.monitoring.recorder import measured
from text_recognizer.service.monitoring.reference import Reference, find_reference, load_reference
from text_recognizer.service.monitoring.statistics import separation
from text_recognizer.service.reading.reference_readings import read_features, reference_of_pages

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
MODELS = {"lines": "tiny 1 (abc)"}


def made(rng: np.random.Generator, count: int, **changes: float) -> list[ReadingFeatures]:
    """Readings with made-up features, related to each other; changes: what is added to some."""
    base = rng.normal(size=count)
    columns = {name: base + rng.normal(size=count) + changes.get(name, 0.0) for name in NUMBERS}
    return [
        ReadingFeatures(
            NOW - DAY * (k + 0.5) / count, MODELS, polarity="dark on light", tones="gray",
            **{name: float(column[k]) for name, column in columns.items()},
        )
        for k in range(count)
    ]  # fmt: skip


def recorded(features: list[ReadingFeatures], document: str = "") -> list[RecordedReading]:
    return [RecordedReading(document or f"d{k}", k, f) for k, f in enumerate(features)]


def checked(reference: Reference, features: list[ReadingFeatures], **limits: float) -> DriftReport:
    return compare(reference, recorded(features), NOW - DAY, NOW, Limits(**limits), NOW)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def usual(rng) -> Reference:
    return reference_of_pages(made(rng, 200), "made up")


def test_p_values_are_those_of_scipy(rng):
    for first, second, shift in ((30, 50, 0.0), (57, 60, 0.5), (150, 150, 0.4), (300, 1000, 0.1)):
        a, b = rng.normal(size=first), rng.normal(shift, 1, second)
        exact = stats.ks_2samp(a, b, method="exact")
        distance = statistics.ks_distance(a, b)
        assert distance == pytest.approx(exact.statistic, abs=1e-12)
        assert statistics.ks_p_value(distance, first, second) == pytest.approx(exact.pvalue, rel=0.3, abs=0.01)
        area = statistics.area_under_curve(a, b)
        rank_sum = stats.mannwhitneyu(b, a, alternative="greater", method="asymptotic", use_continuity=False)
        assert area == pytest.approx(rank_sum.statistic / first / second)
        assert statistics.rank_sum_p_value(area, first, second) == pytest.approx(rank_sum.pvalue, rel=1e-6)
    for table in ((0, 300, 3, 50), (30, 300, 8, 50), (200, 300, 10, 50)):
        exact = stats.fisher_exact([[table[0], table[1] - table[0]], [table[2], table[3] - table[2]]]).pvalue
        assert statistics.fisher_p_value(*table) == pytest.approx(exact)
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_small_distances_have_p_values_from_0_to_1():
    found = [statistics.ks_p_value(d, 50, 80) for d in np.linspace(0, 1, 200)]
    assert found[0] == 1
    assert found[-1] < 1e-20
    assert (np.diff(found) <= 1e-12).all()


def test_alike_readings_of_one_block_count_as_fewer(rng):
    blocks = np.repeat(np.arange(24), 8)
    alike = rng.normal(size=24)[blocks] + 0.3 * rng.normal(size=192)
    assert statistics.effective_size(alike, blocks.tolist()) < 40
    assert statistics.effective_size(rng.normal(size=192), blocks.tolist()) > 120
    assert statistics.effective_size(alike, list(range(192))) == 192
    assert statistics.effective_size(np.zeros(192), blocks.tolist()) == 192


def test_the_classifier_sees_what_no_feature_alone_shows(rng):
    """Two features of which one follows the other, and one goes against it, in the same ranges."""

    def correlated(count, sign):
        base = rng.normal(size=count)
        return np.column_stack([base + sign * 0.2 * rng.normal(size=count), sign * base, rng.normal(size=count)])

    same = [separation(rng.normal(size=(150, 4)), rng.normal(size=(80, 4)), range(150), range(80)) for _ in range(40)]
    assert sum(found.p_value < 0.05 for found in same) <= 6
    moved = rng.normal(0.4, 1, (80, 8))
    moved[rng.random(moved.shape) < 0.1] = np.nan
    told = separation(rng.normal(size=(150, 8)), moved, range(150), range(80))
    assert told.area > 0.65
    assert told.p_value < 1e-3
    assert separation(np.zeros((6, 2)), np.ones((60, 2)), range(6), range(60)) is None


def test_a_page_leaves_features_and_no_content(recognizer):
    found = read_features(recognizer, SAMPLES / "letter.jpg")
    values = found.values()
    assert set(values) == set(NUMBERS) | set(NAMES)
    assert all(values[name] is not None for name in values)
    assert values["polarity"] == "dark on light"
    assert values["tones"] == "gray"
    assert (values["width"], values["height"]) == (1240, 1278)
    assert 1 < values["stroke_width"] < 10
    assert 0 <= values["strange_words"] < 0.3
    assert sum(values[name] for name in ("lower", "upper", "accented", "digits", "signs")) == pytest.approx(1, abs=1e-3)
    text = json.dumps(values)
    assert not any(word in text for word in sample_text("letter").split() if len(word) > 5)
    assert ReadingFeatures.from_values(values, found.created, found.models, "page", 1).values() == values

    image = open_image(SAMPLES / "letter.jpg")
    outline = ((40.0, 100.0), (1200.0, 100.0), (1200.0, 160.0), (40.0, 160.0))
    page = Page((Line("a b", outline, 0.5),), 1240, 1278)
    again = [reading_features(image, page, NOW).values() for _ in range(2)]
    assert again[0] == again[1]
    inverted = reading_features(255 - image, page, NOW)
    assert inverted.polarity == "light on dark"
    assert inverted.contrast == pytest.approx(again[0]["contrast"], rel=0.1)
    assert inverted.brightness == pytest.approx(1 - again[0]["brightness"], abs=0.01)


@pytest.mark.parametrize("shape", [(1, 1), (2, 500), (300, 200), (300, 200, 3)])
def test_pages_without_writing_leave_features(shape):
    image = np.full(shape, 255, np.uint8)
    found = measured(image, Page((), shape[1], shape[0]), "page", 5.0)
    assert found is not None
    assert found.lines == 0
    assert np.isnan(found.stroke_width)
    assert np.isnan(found.confidence)
    assert json.loads(json.dumps(found.values(), allow_nan=False))["stroke_width"] is None


def test_the_same_kind_of_readings_is_no_drift_and_another_is(usual, rng):
    calm = checked(usual, made(rng, 120))
    assert calm.drift is False
    assert calm.drifted == ()
    moved = checked(usual, made(rng, 120, ink=2.5, lines=-2.5))
    assert moved.drift
    assert set(moved.drifted) == {"ink", "lines"}
    assert DriftReport.from_dict(json.loads(json.dumps(moved.to_dict()))) == moved
    names = checked(usual, [dataclasses.replace(f, polarity="light on dark") for f in made(rng, 60)])
    assert names.drifted == ("polarity",)


def test_little_is_no_drift_though_it_is_significant(rng):
    """With thousands of readings, a trifle is sure to be there, and is nothing to be woken for."""
    usual = reference_of_pages(made(rng, 300), "made up")
    report = checked(usual, made(rng, 4000, ink=0.45))
    ink = next(f for f in report.features if f.name == "ink")
    assert ink.p_value < 0.05
    assert ink.index < 0.2
    assert report.drift is False


def test_three_readings_are_no_verdict(usual, rng):
    report = checked(usual, made(rng, 3, ink=100))
    assert report.drift is None
    assert report.messages == ("not enough readings: 3, and 50 are needed",)


def test_what_cannot_be_compared_is_left_out_and_named(usual, rng):
    document = recorded(made(rng, 30, ink=50), "one")
    ahead = recorded([dataclasses.replace(f, created=NOW + DAY) for f in made(rng, 2)], "ahead")
    older = recorded([dataclasses.replace(f, version=0) for f in made(rng, 3)], "older")
    crops = recorded([dataclasses.replace(f, unit="line") for f in made(rng, 4)], "crops")
    rows = recorded(made(rng, 60)) + document + ahead + older + crops
    report = compare(usual, rows, NOW - DAY, NOW, now=NOW)
    assert report.readings == 61
    assert report.drift is False
    assert report.left_out == {
        "further pages of a document": 29,
        "times in the future (has a clock jumped?)": 2,
        "features of version 0, not 1": 3,
        "readings of a line, not of a page": 4,
    }


def test_confidences_of_other_models_are_not_compared(usual, rng):
    other = [dataclasses.replace(f, models={"lines": "tiny 2 (def)"}) for f in made(rng, 80, confidence=9)]
    report = checked(usual, other)
    assert report.drift is False
    assert not {"confidence", "uncertainty", "milliseconds"} & {f.name for f in report.features}
    assert "80 readings are by other models than the reference (tiny 1 (abc))" in report.messages[0]
    with pytest.raises(ValueError, match="features of version 2, which cannot be compared with version 1"):
        checked(dataclasses.replace(usual, version=2), other)


def test_features_that_are_missing_are_not_tested(usual, rng):
    blank = [dataclasses.replace(f, slant=np.nan, skew=np.inf, tones="") for f in made(rng, 60)]
    report = checked(usual, blank[:55] + made(rng, 5))
    assert report.drift is False
    assert {m.split()[0] for m in report.messages} == {"slant", "skew", "tones"}


def test_readings_are_alike_to_the_reference_that_was_made_of_them(rng, tmp_path):
    """Some features have few values: rounded otherwise than the reference, every one of them would be news."""
    few = rng.integers(0, 5, 200) / 244
    readings = [dataclasses.replace(f, unevenness=float(k)) for f, k in zip(made(rng, 200), few, strict=True)]
    stored = [ReadingFeatures.from_values(f.values(), f.created, f.models, f.unit, f.version) for f in readings]
    reference_of_pages(stored, "made up").save(tmp_path / "reference.json")
    report = checked(load_reference(tmp_path / "reference.json"), stored)
    assert report.drift is False
    assert {f.distance for f in report.features} == {0.0}


def test_readings_without_any_number_are_compared_by_what_there_is(usual, rng):
    blank = [ReadingFeatures(f.created, MODELS, polarity=f.polarity, tones=f.tones) for f in made(rng, 60)]
    report = checked(usual, blank)
    assert report.drift is False
    assert {f.name for f in report.features} == {"polarity", "tones"}
    assert any(message.startswith("ink is not compared") for message in report.messages)


def test_alerts_come_once_and_again_after_a_while_and_at_the_end():
    def report(drift, *names):
        shown = [dataclasses.replace(blank, name=name, drifted=True) for name in names]
        return DriftReport(NOW - DAY, NOW, 60, drift, tuple(shown))

    from text_recognizer.service.monitoring.drift import FeatureDrift

    blank = FeatureDrift("", 1.0, 2.0, 0.5, 1e-6, 1.0, 60, False)
    state, kinds = AlertState(), []
    hours = [
        (0, report(True, "ink")), (1, report(True, "ink", "lines")), (2, report(None)), (3, report(False)),
        (4, report(True, "ink")), (25, report(True, "ink")), (26, report(True, "width")),
        *[(27 + k, report(False)) for k in range(CLEAR_CHECKS)], (40, report(True, "width")),
        *[(41 + k, report(False)) for k in range(CLEAR_CHECKS)], (80, report(True, "width")),
    ]  # fmt: skip
    for hour, found in hours:
        state, alert = due(
            AlertState.from_dict(json.loads(json.dumps(state.to_dict()))), found, NOW + timedelta(hours=hour)
        )
        if alert:
            kinds.append((hour, alert.kind, alert.features))
            assert alert.text
    assert kinds == [
        (0, "began", ("ink",)), (25, "goes on", ("ink",)), (26, "changed", ("width",)), (29, "ended", ("width",)),
        (80, "began", ("width",)),
    ]  # fmt: skip
    _, alert = due(state, report(True, "width"), NOW)  # the clock was put back
    assert alert is not None
    together = DriftReport(NOW - DAY, NOW, 60, True, area=0.8, p_value=1e-9, together=True)
    _, alert = due(AlertState(), together, NOW)
    assert alert.features == (TOGETHER,)


def test_references_are_small_whole_and_of_the_shipped_models(usual, tmp_path, monkeypatch):
    for name in ("lines", "open"):
        path = SHIPPED / name / "reference.json"
        assert path.stat().st_size < 100_000
        found = load_reference(path)
        bundle = json.loads((SHIPPED / name / "bundle.json").read_text(encoding="utf-8"))
        assert found.models["lines"] == f"{bundle['name']} {bundle['version']} ({bundle['sha256'][:8]})"
        assert len(found.sample) == found.readings == 57
    monkeypatch.setenv("TEXT_RECOGNIZER_HOME", str(tmp_path))
    assert find_reference("auto", "open") == SHIPPED / "open" / "reference.json"
    usual.save(tmp_path / "reference.json")
    assert find_reference("auto", "open") == tmp_path / "reference.json"
    again = load_reference(tmp_path / "reference.json")
    assert again.sample.numbers["ink"] == pytest.approx(usual.sample.numbers["ink"], rel=1e-3)
    assert (again.models, again.readings, again.source) == (MODELS, 200, "made up")
    with pytest.raises(FileNotFoundError, match="text-recognizer monitor reference"):
        load_reference(tmp_path / "none.json")
    (tmp_path / "reference.json").write_text('{"format_version": 1}')
    with pytest.raises(ValueError, match=r"reference\.json cannot be used"):
        load_reference(tmp_path / "reference.json")
    with pytest.raises(ValueError, match="needs 50 readings by the same models, not 20"):
        reference_of_pages(made(np.random.default_rng(0), 20), "too few")
