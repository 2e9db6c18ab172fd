"""Several processes that train together: who this one is, and what all of them found."""

from __future__ import annotations

from typing import Any

import torch.distributed as distributed
from lightning.pytorch.utilities import rank_zero_only


def gathered(items: list[Any]) -> list[Any]:
    """The items of all processes one after the other, the same in each; of this process where it is alone."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return items
    parts: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(parts, items)
    return [item for part in parts for item in part]


def rank() -> int:
    """The number of this process."""
    return int(getattr(rank_zero_only, "rank", None) or 0)


def first() -> bool:
    """Whether this process is the one that writes files and speaks."""
    return rank() == 0


@rank_zero_only
def say(message: str) -> None:
    """Print a line, once a run."""
    print(message, flush=True)
