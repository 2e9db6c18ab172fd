"""Precision, recall and F1 of whatever is to be found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Matches:
    """Sums. found: of what was expected, with a prediction each; predicted, expected: in all."""

    found: int = 0
    predicted: int = 0
    expected: int = 0

    @property
    def precision(self) -> float:
        """Share of the predictions that are right."""
        return self.found / max(1, self.predicted)

    @property
    def recall(self) -> float:
        """Share of what was expected that was found."""
        return self.found / max(1, self.expected)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.found / max(1, self.predicted + self.expected)
