"""The files that a page of docs/how-to shows, written out and imported, so that the page is what is tested."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT

_BLOCK = re.compile(r"```(?:python|yaml)\n# (?P<name>\S+)\n(?P<content>.*?)```", re.DOTALL)


def write_files(page: str, folder: Path) -> None:
    """Write each block of docs/how-to/`page` whose first line names a file."""
    for block in _BLOCK.finditer((ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8")):
        (folder / block["name"]).write_text(block["content"], encoding="utf-8")


@contextmanager
def imported(page: str, module: str, folder: Path, registry: ModuleType) -> Iterator[None]:
    """Write the files of a page to `folder` and import one; what it adds to `registry` is forgotten afterwards."""
    write_files(page, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
        patch.syspath_prepend(folder)
        importlib.import_module(module)
        try:
            yield
        finally:
            del sys.modules[module]
