"""What others rely on is as it was agreed: commands, REST API, YAML and bundle keys, variables, metrics, handler."""

from __future__ import annotations

import difflib

import pytest

from tests.surfaces.collect import FOLDER, SURFACES


@pytest.mark.parametrize("name", SURFACES)
def test_the_surface_is_the_one_that_was_agreed(name):
    agreed = (FOLDER / name).read_text(encoding="utf-8")
    found = SURFACES[name]()
    difference = list(
        difflib.unified_diff(agreed.splitlines(), found.splitlines(), "agreed", "found", lineterm="", n=1)
    )
    assert not difference, (
        f"the public surface {name} changed:\n"
        + "\n".join(difference[:60])
        + "\nWhere that is meant, keep what was there as an alias, and accept it by `python -m tests.surfaces.record`."
    )


def test_every_agreed_surface_is_collected():
    assert {path.name for path in FOLDER.iterdir() if path.suffix in (".txt", ".json")} == set(SURFACES)
