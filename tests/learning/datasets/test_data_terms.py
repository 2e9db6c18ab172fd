"""Bundles named open learned from nothing whose terms forbid a use, by what they say of themselves; cards repeat it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from text_recognizer.learning.datasets.page_sets import PAGE_SETS
from text_recognizer.learning.export.model_card import RELIABILITY, model_card
from text_recognizer.recognition.bundle import SHIPPED

#: CC BY 4.0, public domain, OFL 1.1 and Apache 2.0, and three texts CC BY-SA (docs/data.md); IAM, IAM-OnDB and the
#: Brown corpus are none of these.
OPEN = {
    *(name for name, known in PAGE_SETS.items() if known.licence == "CC BY 4.0"),
    *(f"{name}-train" for name, known in PAGE_SETS.items() if known.licence == "CC BY 4.0"),
    "synthetic-open", "synthetic-signs", "synthetic-languages", "sherlock_holmes", "inaugural", "state_union",
}  # fmt: skip


def sources(bundle: str) -> set[str]:
    """Everything that a bundle names as what it learned from."""
    provenance: dict[str, Any] = json.loads((SHIPPED / bundle / "bundle.json").read_text(encoding="utf-8"))[
        "provenance"
    ]
    data = provenance.get("experiment", {}).get("data", {})
    return (
        {source["name"] for source in data.get("train", [])}
        | set(data.get("pages", []))
        | set(provenance.get("characters", {}))
    )


@pytest.mark.parametrize("bundle", ["open", "open-detector", "open-language"])
def test_open_bundles_learned_from_open_data_only(bundle):
    assert sources(bundle)
    assert sources(bundle) <= OPEN


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in SHIPPED.glob("*/bundle.json")), ids=lambda path: path.name
)
def test_a_card_says_what_its_bundle_says(folder):
    data = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    assert (folder / "README.md").read_text(encoding="utf-8") == model_card(data, (folder / RELIABILITY).is_file())


def test_what_is_not_open_is_seen():
    assert "iam-train" in sources("lines") - OPEN
