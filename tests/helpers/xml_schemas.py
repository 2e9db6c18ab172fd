"""The official schemas of ALTO and PAGE, which lie in `schemas/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

etree = pytest.importorskip("lxml.etree", reason="lxml checks the schemas: it comes with the extra dev")
SCHEMAS = Path(__file__).resolve().parents[1] / "schemas"


class Local(etree.Resolver):
    """What a schema imports, from beside it and never from the network."""

    def resolve(self, url, public_id, context):
        return self.resolve_filename(str(SCHEMAS / Path(url).name), context)


@cache
def schema(form: str):
    """The schema of "alto" or "page"."""
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Local())
    name = {"alto": "alto-4-4.xsd", "page": "pagecontent-2019-07-15.xsd"}[form]
    return etree.XMLSchema(etree.parse(SCHEMAS / name, parser))


def assert_valid(form: str, data: bytes) -> None:
    """A file of "alto" or "page" is what its schema says."""
    schema(form).assertValid(etree.fromstring(data))
