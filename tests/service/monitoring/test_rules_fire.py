"""What gets worse by and by fires an alert, what stays as it was does not: the rules, tried by Prometheus' own tool."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml

from tests.service.running import RunningServer
from tests.service.test_deploy import DEPLOY
from text_recognizer.recognition.bundle import SHIPPED

RULES = DEPLOY / "prometheus" / "rules.yml"
DAY = 24 * 60  # minutes
SEVEN_DAYS = f"{7 * DAY // 10}"  # samples, one in ten minutes


def fires(folder: Path, alert: str, series: dict[str, str], minutes: int) -> bool:
    """Whether an alert fires that many minutes after the start. series: samples by name, in promtool's notation."""
    if not shutil.which("promtool"):
        pytest.skip("no promtool on this machine: install Debian's package prometheus")
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    asked = {"eval_time": f"{minutes}m", "alertname": alert, "exp_alerts": []}
    test = {"interval": "10m", "input_series": inputs, "alert_rule_test": [asked]}
    content = {"rule_files": [str(RULES)], "evaluation_interval": "10m", "tests": [test]}
    (folder / "test.yml").write_text(yaml.safe_dump(content))
    done = subprocess.run(["promtool", "test", "rules", folder / "test.yml"], capture_output=True, text=True)
    found = done.stdout + done.stderr
    assert done.returncode == 0 or f"alertname: {alert}" in found, found  # it fired, where none was expected
    return done.returncode != 0


def pages(seconds: float, later: float) -> dict[str, str]:
    """Two pages a minute for eight days, which take so many seconds each, and others on the last day."""
    return {
        "text_recognizer_page_seconds_sum": f"0+{20 * seconds}x{SEVEN_DAYS} "
        f"{20 * seconds * int(SEVEN_DAYS)}+{20 * later}x{DAY // 10}",
        "text_recognizer_page_seconds_count": f"0+20x{SEVEN_DAYS} {20 * int(SEVEN_DAYS)}+20x{DAY // 10}",
    }


@pytest.mark.parametrize(("later", "fired"), [(0.5, False), (0.6, False), (1.0, True)])
def test_reading_that_became_slower_than_last_week_is_told(later, fired, tmp_path):
    assert fires(tmp_path, "TextRecognizerSlowerThanLastWeek", pages(0.5, later), 8 * DAY) is fired


@pytest.mark.parametrize(
    ("megabytes", "fired"),
    [("300+0x288", False), ("300+20x10 500+0x278", False), ("300+1x288", True)],
    ids=["steady", "grown at the start", "a leak"],
)
def test_memory_that_leaks_slowly_is_told(megabytes, fired, tmp_path):
    """Two days; the leak is a megabyte in ten minutes."""
    samples = re.sub(r"\b(\d+)\+(\d+)x", r"\g<1>000000+\g<2>000000x", megabytes)
    series = {'process_resident_memory_bytes{job="text-recognizer"}': samples}
    assert fires(tmp_path, "TextRecognizerMemoryGrows", series, 2 * DAY) is fired


@pytest.mark.parametrize(("days", "fired"), [(10, False), (200, True)])
def test_a_model_that_grew_old_is_told(days, fired, tmp_path):
    """promtool's clock begins in 1970, so an export long ago lies before zero."""
    series = {'text_recognizer_model_exported_timestamp_seconds{part="lines"}': f"{-days * 86400}+0x{DAY // 10}"}
    assert fires(tmp_path, "TextRecognizerModelOld", series, DAY) is fired


@pytest.mark.parametrize(("later", "fired"), [(0.8, False), (0.6, True)])
def test_confidence_that_fell_is_told(later, fired, tmp_path):
    """Twenty pages in ten minutes with a mean confidence of 0.8, then another one for a day."""
    samples = int(SEVEN_DAYS)
    series = {
        "text_recognizer_confidence_sum": f"0+16x{samples} {16 * samples}+{20 * later}x{DAY // 10}",
        "text_recognizer_confidence_count": f"0+20x{samples} {20 * samples}+20x{DAY // 10}",
    }
    assert fires(tmp_path, "TextRecognizerConfidenceFalls", series, 8 * DAY) is fired


def test_a_server_says_how_old_its_models_are(tmp_path):
    with RunningServer(tmp_path, FEEDBACK="false") as server:
        shown = httpx.get(f"{server.url}/metrics", timeout=30).text
    for part in ("lines", "detector"):
        told = re.search(rf'text_recognizer_model_exported_timestamp_seconds{{part="{part}"}} (\S+)', shown)
        bundle = json.loads((SHIPPED / part / "bundle.json").read_text(encoding="utf-8"))
        assert datetime.fromtimestamp(float(told[1]), UTC).date().isoformat() == bundle["provenance"]["exported"]
