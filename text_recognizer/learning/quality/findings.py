"""What checks find: a finding has a severity, says what was found and what to do, and names the lines concerned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """error: training would fail, or learn what is wrong. warning: probably worth mending. note: good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Concern:
    """A line that a finding is about. why: what is the matter with it. others: the lines it is compared with."""

    identifier: str
    why: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """code: a short name that stays, for programs. found, advice: sentences. concerns: the gravest first."""

    code: str
    severity: Severity
    found: str
    advice: str
    concerns: tuple[Concern, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON holds it."""
        return asdict(self)


def error(code: str, found: str, advice: str, concerns: Iterable[Concern] = ()) -> Finding:
    """A finding of severity error."""
    return Finding(code, Severity.ERROR, found, advice, tuple(concerns))


def warning(code: str, found: str, advice: str, concerns: Iterable[Concern] = ()) -> Finding:
    """A finding of severity warning."""
    return Finding(code, Severity.WARNING, found, advice, tuple(concerns))


def note(code: str, found: str, advice: str, concerns: Iterable[Concern] = ()) -> Finding:
    """A finding of severity note."""
    return Finding(code, Severity.NOTE, found, advice, tuple(concerns))


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes; otherwise in the order given."""
    return sorted(findings, key=lambda finding: list(Severity).index(finding.severity))


def tally(findings: Iterable[Finding]) -> dict[Severity, int]:
    """How many findings there are of each severity."""
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in Severity}


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 line", "1,200 lines"."""
    return f"{number:,} {noun}" + "s" * (number != 1)
