"""Pictures of datasets for somebody who looks: in a notebook, one line."""

from __future__ import annotations

from itertools import islice
from typing import Any

from PIL import Image

from text_recognizer.learning.data.contact_sheet import contact_sheet
from text_recognizer.learning.data.registry import find, load
from text_recognizer.learning.data.summary import samples


def sheet(name: str, count: int = 12, **options: Any) -> Image.Image:
    """The first samples of a dataset with their labels. name: with its split, `iam-val`; options: as its source takes
    them (`count` of a source that is made is enough for the sheet). Errors as of `registry.load`."""
    description, split = find(name)
    items = load(name, description.kind, split, **({"count": count} | options))
    subtitle = f"{description.about}  ·  {description.licence}"
    return contact_sheet(list(islice(samples(items), count)), description.kind, name, subtitle)
