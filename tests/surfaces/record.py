"""Accepts the public surfaces as they are now: `python -m tests.surfaces.record` from the repository's root."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from tests.surfaces.collect import FOLDER, SURFACES

    for name, collected in SURFACES.items():
        path, new = FOLDER / name, collected()
        if not path.is_file() or path.read_text(encoding="utf-8") != new:
            path.write_text(new, encoding="utf-8")
            sys.stdout.write(f"written: {path.name}\n")
