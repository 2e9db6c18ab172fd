"""No dependency changes unseen: every one is pinned, and whatever can change is asked for weekly."""

from __future__ import annotations

import re
import tomllib

import yaml

from tests.conftest import ROOT

NAME = re.compile(r"^[A-Za-z0-9._-]+")


def plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(name for extra in project["optional-dependencies"].values() for name in extra)]
    rows = [
        row for row in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if row[:1] not in ("#", "")
    ]
    pinned = {plain(NAME.match(row)[0]) for row in rows if "==" in row}
    assert len(rows) == len(pinned) > 100
    assert {plain(NAME.match(row)[0]) for row in asked} <= pinned


def test_whatever_can_change_is_asked_for_weekly():
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    places = {
        (update["package-ecosystem"], folder.strip("/"))
        for update in updates
        for folder in update.get("directories", [update.get("directory")])
        if update["schedule"]["interval"] == "weekly"
    }
    wanted = {("pip", "")}
    if list((ROOT / ".github" / "workflows").glob("*.yml")):
        wanted.add(("github-actions", ""))
    for folder in (ROOT / "deploy").iterdir():
        if (folder / "Dockerfile").is_file():
            wanted.add(("docker", f"deploy/{folder.name}"))
        if (folder / "compose.yaml").is_file():
            wanted.add(("docker-compose", f"deploy/{folder.name}"))
    assert places == wanted
