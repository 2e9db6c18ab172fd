"""Packages of other people: a module from a how-to and an entry point, as an installer leaves them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def install(folder: Path, how_to: str, group: str, name: str) -> None:
    """Put the module that `docs/how-to/<how_to>` shows, and its entry point in `group`, into a folder."""
    text = (ROOT / "docs" / "how-to" / how_to).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert f'[project.entry-points."{group}"]\n{name} = "{name}"' in text
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / f"{name}.py").write_text(blocks[0], encoding="utf-8")
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {name}\n")


def run(folder: Path, code: str) -> str:
    """What a new Python prints that has the folder's packages; its errors fail the test."""
    paths = os.pathsep.join([str(folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
