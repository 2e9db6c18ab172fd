"""What a real server leaves of a reading in its database and at /metrics: features, and no content."""

from __future__ import annotations

import re
import time

import numpy as np

from text_recognizer.service.monitoring.features import NUMBERS
from text_recognizer.service.monitoring.store import FeatureStore


def test_a_reading_leaves_features_in_the_database_and_in_metrics(server, line_png):
    def counted() -> int:
        found = re.search(r"text_recognizer_feature_stroke_width_count (\d+)", server.client.get("/metrics").text)
        return int(found[1]) if found else 0

    before = counted()
    answer = server.predict(line_png, unit="line").json()
    assert answer["stored"] is False
    assert counted() == before + 1
    store = FeatureStore(f"sqlite:///{server.home}/feedback.db")
    end, rows = time.monotonic() + 20, []
    while not rows and time.monotonic() < end:
        rows = [row for row in store.first(100_000) if row.document == answer["id"]]
    (row,) = rows
    store.close()
    assert (row.page, row.features.unit, row.features.models) == (0, "line", answer["page"]["models"])
    assert row.features.width == answer["page"]["width"]
    assert all(np.isfinite(getattr(row.features, name)) for name in set(NUMBERS) - {"skew", "strange_words"})
    kept = str(row.features.values())
    assert not any(word in kept for word in answer["pred"].split() if len(word) > 3)
