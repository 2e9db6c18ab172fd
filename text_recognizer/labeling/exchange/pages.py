"""Which page of a folder another program means: by the name that it has for the page's picture.

Files travel: the name may be a path of another machine, of Windows too, or an address; Label Studio puts eight digits
before the name of an uploaded file and takes spaces and signs out of it; and a scan may have become a JPEG. So names
are compared from their end, part by part, first as they are, then without regard to such changes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import parse_qs, unquote, urlsplit

_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")  # how Label Studio begins the name of an uploaded file
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}(?=$|#page=[0-9]+$)")

_Parts = tuple[str, ...]


def _exact(part: str) -> str:
    return part


def _plain(part: str) -> str:
    """Without what Label Studio changes in the name of an uploaded file; large and small letters alike."""
    return re.sub(r"[^-\w.#=]", "", _UPLOADED.sub("", part).replace(" ", "_")).casefold()


def _stem(part: str) -> str:
    return _ENDING.sub("", _plain(part))


_WAYS: tuple[Callable[[str], str], ...] = (_exact, _plain, _stem)


class PageFinder:
    """Finds pages by the names of their pictures. pages: the names of all pages, as `LabelingFolder.pages` has them."""

    def __init__(self, pages: Sequence[str]) -> None:
        self._known = set(pages)
        self._by_name: dict[Callable[[str], str], dict[str, list[str]]] = {}
        for way in _WAYS:
            found = self._by_name[way] = defaultdict(list)
            for page in pages:
                found[way(page.rpartition("/")[2])].append(page)

    def find(self, names: Iterable[str]) -> str:
        """The page that the first name means that means one. names: paths or addresses of its picture.

        Raises ValueError where none means any, or all mean several.
        """
        given = [name for name in names if name]
        several: list[str] = []
        for name in given:
            if name in self._known:
                return name
        for way in _WAYS:
            for parts in (parts for name in given for parts in _readings(name)):
                found = self._longest(parts, way)
                if len(found) == 1:
                    return found[0]
                several = several or found
        if several:
            raise ValueError(f"its image {given[0]!r} may be any of {', '.join(sorted(several)[:5])}")
        if not given:
            raise ValueError("it names no image")
        raise ValueError(f"there is no image {_last(given[0])!r} in the folder, nor one with another ending")

    def _longest(self, parts: _Parts, way: Callable[[str], str]) -> list[str]:
        """The pages whose paths end as the name does, with the most parts in common."""
        candidates = self._by_name[way].get(way(parts[-1]), [])
        common = {page: _common(parts, tuple(page.split("/")), way) for page in candidates}
        return [page for page in candidates if common[page] == max(common.values())]


def _readings(name: str) -> list[_Parts]:
    """The parts of a name: as of a path, then as of an address, whose signs may be written as %20."""
    found = [_split(name), _split(unquote(name))]
    address = urlsplit(name) if re.match(r"(?i)https?://|/", name) else None
    if address is not None:
        # Label Studio: /data/local-files/?d=folder/name.jpg
        found += [_split(value) for value in parse_qs(address.query).get("d", [])]
        page = f"#{address.fragment}" if address.fragment else ""
        found.append(_split(unquote(address.path) + page))
    return list(dict.fromkeys(parts for parts in found if parts))


def _split(path: str) -> _Parts:
    return tuple(part for part in path.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def _common(one: _Parts, other: _Parts, way: Callable[[str], str]) -> int:
    count = 0
    for first, second in zip(reversed(one), reversed(other), strict=False):
        if way(first) != way(second):
            break
        count += 1
    return count


def _last(name: str) -> str:
    readings = _readings(name)
    return readings[-1][-1] if readings else name
