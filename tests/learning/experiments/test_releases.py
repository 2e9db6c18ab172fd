"""The recipes of the shipped bundles are what the bundles say that they were made with."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from text_recognizer.learning.experiments.config import load_experiment

ROOT = Path(__file__).resolve().parents[3]
RELEASES = ROOT / "experiments" / "releases"
#: What a machine or its user chooses; it does not change what is learned.
MACHINE = {"precision", "threads", "validate_every", "checkpoint_minutes", "tracker", "samples", "workers"}


def trained() -> dict[str, dict[str, Any]]:
    """The recorded experiment of each shipped bundle that was trained."""
    found = {}
    for path in sorted((ROOT / "text_recognizer" / "bundles").glob("*/bundle.json")):
        provenance = json.loads(path.read_text(encoding="utf-8"))["provenance"]
        if "experiment" in provenance:
            found[path.parent.name] = provenance["experiment"]
    return found


def differences(recorded: Any, now: Any, key: str = "") -> list[str]:
    """The fields that both have, with other values; fields that came later are in one of them only."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        shared = sorted((recorded.keys() & now.keys()) - MACHINE)
        return [text for name in shared for text in differences(recorded[name], now[name], f"{key}.{name}")]
    if isinstance(recorded, list) and isinstance(now, list) and len(recorded) == len(now):
        pairs = enumerate(zip(recorded, now, strict=True))
        return [text for index, pair in pairs for text in differences(*pair, f"{key}[{index}]")]
    return [] if recorded == now else [f"{key}: {recorded!r} in the bundle, {now!r} in the recipe"]


@pytest.mark.parametrize(("bundle", "recorded"), trained().items(), ids=trained())
def test_a_shipped_bundle_has_its_recipe(bundle, recorded):
    recipe = load_experiment(RELEASES / f"{recorded['name']}.yaml")
    assert differences(recorded, json.loads(json.dumps(asdict(recipe)))) == []


def test_another_value_is_a_difference():
    recorded = {"name": "a", "data": {"train": [{"lines": 3, "old": 1}]}, "trainer": {"threads": 1}}
    now = {"name": "a", "data": {"train": [{"lines": 4, "new": 1}]}, "trainer": {"threads": 2}}
    assert differences(recorded, now) == [".data.train[0].lines: 3 in the bundle, 4 in the recipe"]
    assert differences({"train": [1]}, {"train": [1, 2]})
