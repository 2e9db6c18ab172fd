"""How a fine-tuning goes, by the number of lines; the numbers were chosen by measurement (docs/fine-tuning.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: All of them: what letters look like is known, who writes them how is learned by what stands above the CNN.
ALL_CONVOLUTIONS = 1000


@dataclass(frozen=True)
class Plan:
    """copies: how often each own line is taken in an epoch. rehearsal: lines of the old data in an epoch. epochs:
    passes over both. learning_rate: at its peak. frozen: convolutions, from the first, that stay as they are.
    share: of the new weights in the mean of new and old ones; share_alone: where there is nothing to rehearse."""

    copies: int
    rehearsal: int
    epochs: int
    learning_rate: float = 1e-3
    frozen: int = ALL_CONVOLUTIONS
    share: float = 0.75
    share_alone: float = 0.5


_STEPS = 15  # for one line; they grow with the root of the lines
_LINES_A_STEP = 7  # about: of 900 columns
_MORE_STEPS = 12  # of an epoch: the last batch of each width is filled up
_EPOCH = 100  # own lines in an epoch, at least
_REHEARSAL = 0.25  # of all lines


def plan_for(lines: int) -> Plan:
    """The plan for so many own lines: some 105 steps for 50 lines, 335 for 500, 1,060 for 5,000."""
    copies = max(1, math.ceil(_EPOCH / lines))
    rehearsal = round(lines * copies * _REHEARSAL / (1 - _REHEARSAL))
    steps = (lines * copies + rehearsal) / _LINES_A_STEP + _MORE_STEPS
    return Plan(copies, rehearsal, epochs=max(1, round(_STEPS * math.sqrt(lines) / steps)))
