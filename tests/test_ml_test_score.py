"""docs/ml-test-score.md cites what exists, adds up, and gives no full point without a test that runs by itself."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "ml-test-score.md").read_text(encoding="utf-8")
SECTIONS = ("Data", "Model", "Infra", "Monitor")
HEADING = re.compile(r"^### (\w+) (\d): (.+) \(([\d.]+)\)$", flags=re.M)
PATH = re.compile(r"^[\w.-]+(/[\w.-]+)+/?$|^[\w-]+\.(?:md|txt|toml|ya?ml)$")


@dataclass(frozen=True)
class Entry:
    """One of the 28 tests of the rubric, as the page scores it."""

    section: str
    number: int
    title: str
    score: float
    text: str


def quoted(text: str) -> list[str]:
    """What stands between backticks, on one line or two."""
    return [" ".join(part.split()) for part in re.findall(r"`([^`]+)`", text)]


def entries() -> list[Entry]:
    found = list(HEADING.finditer(PAGE))
    ends = [match.start() for match in found[1:]] + [len(PAGE)]
    return [
        Entry(match[1], int(match[2]), match[3], float(match[4]), PAGE[match.end() : end].split("\n## ")[0])
        for match, end in zip(found, ends, strict=True)
    ]


def cited_tests(text: str) -> set[str]:
    """What is cited as `tests/a.py::test_b`."""
    return {part for part in quoted(text) if "::" in part}


@pytest.mark.parametrize("cited", sorted(cited_tests(PAGE)))
def test_every_cited_test_exists(cited):
    file, name = cited.split("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_cited_path_exists():
    paths = {part for part in quoted(PAGE) if PATH.match(part)}
    paths |= {f"{part.split()[2].replace('.', '/')}.py" for part in quoted(PAGE) if part.startswith("python -m ")}
    links = {f"docs/{target}" for target in re.findall(r"\]\(([^)#]+)[^)]*\)", PAGE) if "://" not in target}
    assert len(paths) > 10
    assert len(links) > 10
    assert [path for path in sorted(paths | links) if not (ROOT / path).exists()] == []


def test_every_cited_command_exists():
    from typer.main import get_command

    from text_recognizer.cli.main import app

    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M)
    for part in quoted(PAGE):
        if part.startswith("make "):
            assert part.split()[1] in targets
        if part.startswith("text-recognizer "):
            command = get_command(app)
            for word in part.split()[1:]:
                if not hasattr(command, "commands"):
                    break
                assert word in command.commands, part
                command = command.commands[word]


def test_the_28_tests_are_there_with_their_points():
    found = entries()
    assert [(entry.section, entry.number) for entry in found] == [(s, n) for s in SECTIONS for n in range(1, 8)]
    assert {entry.score for entry in found} <= {0, 0.5, 1}
    for entry in found:
        assert entry.score < 1 or cited_tests(entry.text), f"{entry.section} {entry.number}: what runs by itself?"
        assert entry.score == 1 or "Gap:" in entry.text, f"{entry.section} {entry.number}: what is missing?"


def test_the_points_add_up_and_the_score_is_the_least_section():
    sums = {name: sum(entry.score for entry in entries() if entry.section == name) for name in SECTIONS}
    rows = re.findall(r"^\| [\w ]+ \((\w+)\) \| ([\d.]+) \|", PAGE, flags=re.M)
    assert {name: float(points) for name, points in rows} == sums
    assert float(re.search(r"\*\*([\d.]+)\*\* of 7", PAGE)[1]) == min(sums.values())
