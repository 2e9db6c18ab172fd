"""JSON: everything a page knows; `Page.from_dict` reads it back."""

from __future__ import annotations

import json

from text_recognizer.page import Page


def to_json(page: Page) -> str:
    """The page as JSON with an indent of two, ended by a newline."""
    return json.dumps(page.to_dict(), ensure_ascii=False, indent=2) + "\n"
