"""The table of settings in docs/serve.md says what the program does. UPDATE_DOCS=1 writes it anew."""

from __future__ import annotations

import os

from tests.conftest import ROOT
from text_recognizer.service.settings import Settings

DOCUMENT = ROOT / "docs" / "serve.md"
START, END = "which also checks it -->\n", "<!-- end of settings -->"
HOME = {"feedback_database": "`feedback.db` in the home folder", "feedback_images": "`images` in the home folder"}


def default(name: str) -> str:
    value = Settings.model_fields[name].default
    if name in HOME:
        return HOME[name]
    if value in (None, []):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def table() -> str:
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{name.upper()}` | {default(name)} | {field.description} |")
    rows.append(
        "| `HOME` | the user's data folder | Where feedback is kept unless told otherwise ([feedback](feedback.md)) |"
    )
    return "\n".join(rows) + "\n"


def test_the_documented_settings_are_the_real_ones():
    text = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = text.partition(START)
    if os.environ.get("UPDATE_DOCS"):
        DOCUMENT.write_text(head + START + "\n" + table() + "\n" + END + rest.partition(END)[2], encoding="utf-8")
        return
    assert rest.partition(END)[0].strip() == table().strip(), "run UPDATE_DOCS=1 pytest on this file"
