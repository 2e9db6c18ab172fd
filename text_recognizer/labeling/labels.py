"""What people said about the lines of pages, in a file that is only ever appended to.

The file holds one JSON object a line (JSON Lines, UTF-8). Several processes may append at once: each takes a lock,
writes all that it has in one go and puts it on the disk before it goes on. A last line that a crash has torn is passed
over, and cut off at the next append.
"""

from __future__ import annotations

import json
import math
import os
import threading
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from text_recognizer.alphabet import normalize_text
from text_recognizer.atomic_files import append, locked
from text_recognizer.page import Polygon

#: labeled: the text is what is written; illegible: a line that nobody can read; no-line: the model found a line where
#: none is; skipped: the annotator passes it on to somebody else.
STATUSES = ("labeled", "illegible", "no-line", "skipped")
#: Where a label comes from; adjudication: from the queue, given in sight of all others of the line, and so above them.
ORIGINS = ("queue", "adjudication", "label-studio", "page", "alto")
_WAIT = 30.0  # seconds for another process that appends
_LONGEST = 2000  # characters of a text or a name: more is a mistake in pasting
_UNPRINTED = ("Cc", "Cs", "Zl", "Zp")  # Unicode categories: control characters, halves of pairs, line breaks


@dataclass(frozen=True)
class Label:
    """What an annotator said about a line.

    page, line: names, see `folder.LabelingFolder`. time: ISO 8601, UTC, with milliseconds. status: of `STATUSES`.
    text: in the normal form of `alphabet.normalize_text`, which it is brought into. polygon, baseline: of the line, in
    pixels of the page, as they stood when it was labelled. origin: of `ORIGINS`. seconds: that the annotator took.

    Raises ValueError that says what is wrong with a field.
    """

    page: str
    line: str
    annotator: str
    time: str
    status: str
    text: str
    polygon: Polygon
    baseline: Polygon = ()
    origin: str = "queue"
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("page", "line", "annotator"):
            _check_name(name, getattr(self, name))
        if self.status not in STATUSES:
            raise ValueError(f"{self.status!r} is no status of a label; there are: {', '.join(STATUSES)}")
        if self.origin not in ORIGINS:
            raise ValueError(f"{self.origin!r} is no origin of a label; there are: {', '.join(ORIGINS)}")
        object.__setattr__(self, "text", label_text(self.text))
        if self.status == "labeled" and not self.text:
            raise ValueError("a labelled line has a text: say that it is illegible, or that there is no line")
        object.__setattr__(self, "polygon", _checked_points("polygon", self.polygon, 3))
        object.__setattr__(self, "baseline", _checked_points("baseline", self.baseline, 2))
        _check_time(self.time)
        if self.seconds is not None and not 0 <= self.seconds < math.inf:
            raise ValueError(f"a label takes 0 seconds or more, not {self.seconds}")

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Label:
        """The label that `to_dict` described. Raises ValueError where a field is missing, unknown or wrong."""
        try:
            return cls(**data)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"not a label: {error}") from error


def label_text(text: str) -> str:
    """A text in the normal form. Raises ValueError where it holds tabs, line breaks or other control characters."""
    if not isinstance(text, str):
        raise ValueError(f"a text is a string, not {text!r}")
    odd = next((character for character in text if unicodedata.category(character) in _UNPRINTED), None)
    if odd is not None:
        names = {"\t": "a tab", "\n": "a line break", "\r": "a line break", "\u2028": "a line break"}
        name = names.get(odd, f"the control character U+{ord(odd):04X}")
        raise ValueError(f"the text holds {name}: a label is the text of one line")
    if len(text) > _LONGEST:
        raise ValueError(f"the text has {len(text)} characters: a label is the text of one line")
    return normalize_text(text)


def now() -> str:
    """The time as labels have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class LabelFile:
    """Labels in a file, which need not be there yet. Its methods may be called from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._labels: list[Label] = []
        self._stamp = (0, 0)  # the file (inode) that was read, and how many bytes of it
        self._lock = threading.Lock()

    def read(self) -> list[Label]:
        """All labels in the order in which they were appended.

        Only what is new is read. Raises ValueError that names a line that is no label, OSError.
        """
        with self._lock:
            try:
                file = self.path.open("rb")
            except FileNotFoundError:
                self._labels, self._stamp = [], (0, 0)
                return []
            with file:
                self._read_on(file)
            return list(self._labels)

    def add(self, labels: Iterable[Label]) -> None:
        """Append labels; they are on the disk when this returns.

        Raises OSError where they cannot be written, TimeoutError, which is one, where another process keeps the file to
        itself; then none of them is.
        """
        data = b"".join(_encoded(label) for label in labels)
        if not data:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = self.path.with_name(f".{self.path.name}.lock")  # not the labels themselves: others are to read them
        with locked(lock, _WAIT):
            append(self.path, data)

    def _read_on(self, file: BinaryIO) -> None:
        """Read what was appended since the last time; everything, where the file is another one."""
        status = os.fstat(file.fileno())
        inode, read = self._stamp
        if status.st_ino != inode or status.st_size < read:
            self._labels, read = [], 0
        file.seek(read)
        data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        new = [self._label(row, len(self._labels) + n) for n, row in enumerate(whole.splitlines(), 1)]
        self._labels += new
        self._stamp = (status.st_ino, read + len(whole))

    def _label(self, row: bytes, number: int) -> Label:
        try:
            return Label.from_dict(json.loads(row))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{self.path}, line {number}: {error}: mend that line, or take it out") from error


def _encoded(label: Label) -> bytes:
    return (json.dumps(label.to_dict(), ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _check_name(field: str, name: Any) -> None:
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"a label names its {field}")
    if len(name) > _LONGEST or any(unicodedata.category(character) in _UNPRINTED for character in name):
        raise ValueError(f"{name[:80]!r} is no name of the {field} of a label")


def _check_time(time: Any) -> None:
    try:
        aware = datetime.fromisoformat(time).tzinfo is not None
    except (TypeError, ValueError):
        aware = False
    if not aware:
        raise ValueError(f"{time!r} is no time of a label: ISO 8601 with its offset from UTC is")


def _checked_points(field: str, points: Any, least: int) -> Polygon:
    try:
        checked = tuple((round(float(x), 2), round(float(y), 2)) for x, y in points)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the {field} of a label is a list of points x, y") from error
    if checked and (len(checked) < least or not all(math.isfinite(value) for point in checked for value in point)):
        raise ValueError(f"the {field} of a label has {least} points or more, all of them finite")
    if not checked and field == "polygon":
        raise ValueError("a label has the polygon of its line")
    return checked
