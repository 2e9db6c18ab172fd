"""What every kind of experiment chooses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class NetworkChoice:
    """A registered network and the fields of its config that differ from the defaults."""

    name: str = "crnn"
    fields: dict[str, Any] = field(default_factory=dict)
