"""Character extents: how far each character extends left and right of the frame at which CTC emits it.

CTC has the recogniser speak up anywhere within a character: at the stem of a d, which ends it, and at the stem of
a b, which begins it. Characters that stand free on both sides show where, on average, and that is what tells two
joined ones apart. `tools/make_character_extents.py` measures it for the shipped recogniser and writes
`character_extents.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

#: Columns of a normalised line, 64 rows high, to the left and to the right of where the character was seen.
Extent = tuple[float, float]

FILE = Path(__file__).with_name("character_extents.json")
_TYPICAL: Extent = (9.0, 9.0)
_TYPICAL_CAPITAL: Extent = (11.0, 14.0)


@lru_cache(maxsize=1)
def shipped_extents() -> Mapping[str, Extent]:
    """The extents measured for the shipped recogniser."""
    return {character: (left, right) for character, (left, right) in json.loads(FILE.read_text("utf-8")).items()}


def extent_of(extents: Mapping[str, Extent], character: str) -> Extent:
    """The extent of a character; a typical one where it was not measured."""
    return extents.get(character, _TYPICAL_CAPITAL if character.isupper() else _TYPICAL)
