"""The IAM Handwriting Database: text lines (Marti and Bunke, IJDAR 2002).

Terms: research, non-commercial. Two layouts are read: `iam/lines.tsv` with columns line_id, split,
writer, kind, text and images in `iam/lines/<line_id>.webp` (forms in `iam/forms.json` and `iam/forms/`);
and, where that is not there, the one of its owners.

IAM as its owners give it out: lines.txt, xml/, forms, line images, and the lists of a split.

    iam/lines.txt or iam/ascii/lines.txt, forms.txt beside it     text and boxes of lines; writers of forms
    iam/xml/a01-000u.xml                                          the same and more; read where it is there
    iam/lines/a01/a01-000u/a01-000u-00.png                        line images
    iam/forms/*.png, or formsA-D/, formsE-H/, formsI-Z/           whole forms
    train.uttlist, validation.uttlist, test.uttlist               the Aachen split, of forms; anywhere below iam/
    trainset.txt, validationset1.txt, validationset2.txt, testset.txt   "large writer independent", of lines

(Marti and Bunke, IJDAR 2002.) Whether a list names forms or lines, a line belongs to it by either identifier.
"""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.formats.xml import parse_file
from text_recognizer.images import normalize_line
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.exclusions import Exclusions
from text_recognizer.learning.datasets.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.datasets.registry import Description, register
from text_recognizer.lines_tsv import read_table
from text_recognizer.paths import cache_dir, data_dir, require

#: File names of the lists of each split, Aachen's first; the first complete set that lies there counts.
SPLIT_FILES: tuple[dict[str, tuple[str, ...]], ...] = (
    {"train": ("train.uttlist",), "val": ("validation.uttlist",), "test": ("test.uttlist",)},
    {"train": ("trainset.txt",), "val": ("validationset1.txt", "validationset2.txt"), "test": ("testset.txt",)},
)
_BEFORE = frozenset([*",.;:!?)]", "...", "n't"])  # no space before these
_AFTER = frozenset("([£")  # and none after these

IAM = Description(
    "iam",
    "lines",
    "IAM: English, 500 writers",
    licence="research, non-commercial",
    source="its owners, after registration (https://fki.tic.heia-fr.ch/databases/iam-handwriting-database), into iam/",
    splits=("train", "val", "test"),
    files=(("iam/lines.tsv", "iam/lines.txt", "iam/ascii/lines.txt", "iam/xml"),),
)


def iam_rows(split: str) -> list[dict[str, str]]:
    """Rows of `lines.tsv` of one split, with `line`, the number of each in the file.

    Raises FileNotFoundError that says where to get the database, and ValueError for a split that is not there.
    """
    path = require(data_dir() / "iam" / "lines.tsv", "the IAM lines")
    rows = [row | {"line": str(number)} for number, row in read_table(path).records()]
    chosen = [row for row in rows if row["split"] == split]
    if not chosen:
        there = ", ".join(sorted({row["split"] for row in rows}))
        raise ValueError(f"{path} has no lines of split {split!r}; there are: {there}")
    return chosen


@register(IAM)
def iam_lines(split: str) -> LineDataset:
    """The lines of a split, normalised: "train" and "val", and "test" where IAM lies in its owners' layout.

    Lines with crossed-out words, or with characters outside the alphabet, are left out.
    """
    folder = data_dir() / "iam"
    if not (folder / "lines.tsv").exists() and is_original(folder):
        return _original(folder, split)
    rows = iam_rows(split)
    key = f"iam-{split}-{fingerprint(data_dir() / 'iam' / 'lines.tsv')}"
    exclusions, alphabet, samples = Exclusions(f"iam-{split}"), Alphabet(), []
    for row in rows:
        label = LineLabel(row["line_id"], normalize_text(row["text"]), f"iam-{row['writer']}", "iam")
        if not exclusions.unknown(label.text, alphabet, f"{folder / 'lines.tsv'}, line {row['line']}"):
            samples.append((folder / "lines" / f"{label.identifier}.webp", label))
    return cached_lines(cache_dir(), key, _read(samples), len(samples), exclusions)


def _original(folder: Path, split: str) -> LineDataset:
    lines = split_lines(folder, split)
    exclusions, alphabet, samples = Exclusions(f"iam-{split}"), Alphabet(), []
    for line in lines:
        if line.crossed_out:
            exclusions.add("crossed-out words", line.identifier)
        elif not exclusions.unknown(line.text, alphabet, line.identifier):
            label = LineLabel(line.identifier, line.text, f"iam-{line.writer}", "iam")
            samples.append((line_image(folder, line.identifier), label))
    key = f"iam-original-{split}-{fingerprint([label for _, label in samples], folder.resolve())}"
    return cached_lines(cache_dir(), key, _read(samples), len(samples), exclusions)


def _read(samples: list[tuple[Path, LineLabel]]) -> Iterator[tuple[NDArray[np.uint8], LineLabel]]:
    for path, label in samples:
        with Image.open(path) as image:
            yield normalize_line(np.array(image.convert("L"))), label


@dataclass(frozen=True)
class IamLine:
    """A line of a form.

    segmentation: "ok", or "err" where IAM's word boxes may be wrong; its image and text are sound either way.
    box: x, y, width, height in pixels of the form's image, None where it is not known.
    """

    identifier: str
    form: str
    writer: str
    segmentation: str
    box: tuple[float, float, float, float] | None
    text: str

    @property
    def crossed_out(self) -> bool:
        """Whether IAM's mark of crossed-out words, #, is in the text."""
        return "#" in self.text


def is_original(folder: Path) -> bool:
    """Whether the folder is laid out as IAM's owners do."""
    return (folder / "xml").is_dir() or _lines_txt(folder) is not None


def original_lines(folder: Path) -> list[IamLine]:
    """Every line, by its identifier. Raises FileNotFoundError and ValueError that name the file at fault."""
    if (folder / "xml").is_dir():
        forms = sorted((folder / "xml").glob("*.xml"))
        lines = [line for path in forms for line in _xml_lines(path)]
    else:
        lines = _txt_lines(folder)
    return sorted(lines, key=lambda line: line.identifier)


def split_lines(folder: Path, split: str) -> list[IamLine]:
    """The lines of "train", "val" or "test", by the split lists that lie in the folder.

    Raises FileNotFoundError where no lists are there, and ValueError where a writer is in several splits, for
    then a score says little, or where the split has no lines.
    """
    lists = read_splits(folder)
    parts = {
        name: [line for line in original_lines(folder) if line.identifier in ids or line.form in ids]
        for name, ids in lists.items()
    }
    require_disjoint({name: {line.writer for line in lines} for name, lines in parts.items()})
    if not parts.get(split):
        raise ValueError(f"{folder} has no lines of split {split!r}; there are: {', '.join(lists)}")
    return parts[split]


def read_splits(folder: Path) -> dict[str, set[str]]:
    """The identifiers of each split. Raises FileNotFoundError that says which files are looked for."""
    files = {path.name: path for suffix in ("*.uttlist", "*set*.txt") for path in sorted(folder.rglob(suffix))}
    for names in SPLIT_FILES:
        if all(name in files for group in names.values() for name in group):
            return {
                split: {w for name in group for w in files[name].read_text().split()} for split, group in names.items()
            }
    raise FileNotFoundError(
        f"{folder} has no lists of a split: put train.uttlist, validation.uttlist and test.uttlist there (Aachen), or "
        "trainset.txt, validationset1.txt, validationset2.txt and testset.txt (IAM's own tasks)"
    )


def require_disjoint(writers: dict[str, set[str]]) -> None:
    """Raises ValueError that names every writer who is in more than one split."""
    places: dict[str, list[str]] = defaultdict(list)
    for split, names in writers.items():
        for name in names:
            places[name].append(split)
    twice = [f"{name} ({', '.join(splits)})" for name, splits in sorted(places.items()) if len(splits) > 1]
    if twice:
        raise ValueError(f"the splits share writers, so scores would flatter: {'; '.join(twice)}")


def line_image(folder: Path, identifier: str) -> Path:
    """Where the image of a line lies. Raises FileNotFoundError."""
    form = identifier.rpartition("-")[0]
    path = folder / "lines" / form.partition("-")[0] / form / f"{identifier}.png"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: unpack lines.tgz of IAM into {folder / 'lines'}")
    return path


def form_images(folder: Path) -> dict[str, Path]:
    """The images of whole forms by identifier, from forms/ or formsA-D/ and its neighbours."""
    suffixes = {".png", ".jpg", ".webp", ".tif"}
    return {p.stem: p for part in sorted(folder.glob("forms*/")) for p in part.iterdir() if p.suffix in suffixes}


def natural_text(tokens: Iterable[str], open_quotes: set[str]) -> str:
    """IAM's tokens as one would write them: no space before a comma, none inside of quotation marks.

    The spacing around quotes is a guess: IAM does not say whether one opens or closes. Quotes are counted:
    `open_quotes` holds the marks that are open, is changed here, and is handed from line to line of a form.
    """
    text, glue = "", True
    for token in tokens:
        if token in ('"', "'"):
            closes = token in open_quotes
            text += token if closes or glue else f" {token}"
            (open_quotes.discard if closes else open_quotes.add)(token)
            glue = not closes
            continue
        attached = token in _BEFORE or (token[0] == "'" and token[1:].isalpha() and len(token) <= 3)
        text += token if glue or attached else f" {token}"
        glue = token in _AFTER
    return normalize_text(text)


def _lines_txt(folder: Path) -> Path | None:
    return next((p for p in (folder / "lines.txt", folder / "ascii" / "lines.txt") if p.is_file()), None)


def _txt_lines(folder: Path) -> list[IamLine]:
    """Lines of lines.txt: `a01-000u-00 ok 154 19 408 746 1661 89 A|MOVE|to|stop`."""
    path = _lines_txt(folder)
    if path is None:
        raise FileNotFoundError(f"{folder} has neither xml/ nor lines.txt")
    writers = _writers(path.with_name("forms.txt"))
    lines: list[IamLine] = []
    quotes: set[str] = set()
    for number, row in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fields = row.split(maxsplit=8)
        if not fields or row.startswith("#"):
            continue
        form = fields[0].rpartition("-")[0]
        if len(fields) < 9 or form not in writers:
            why = "9 fields are expected" if len(fields) < 9 else f"forms.txt does not name the writer of {form}"
            raise ValueError(f"{path}, line {number}: {why}")
        quotes = quotes if lines and lines[-1].form == form else set()
        x, y, w, h = map(float, fields[4:8])
        text = natural_text((t for t in fields[8].replace("|", " ").split()), quotes)
        lines.append(IamLine(fields[0], form, writers[form], fields[1], (x, y, w, h), text))
    return lines


def _writers(path: Path) -> dict[str, str]:
    """Form -> writer, from forms.txt: `a01-000u 000 2 prt 7 5 52 36`."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: it says who wrote a form, and splits must not share writers")
    rows = [row.split() for row in path.read_text(encoding="utf-8").splitlines() if row and not row.startswith("#")]
    return {row[0]: row[1] for row in rows if len(row) > 1}


def _xml_lines(path: Path) -> list[IamLine]:
    """The handwritten lines of a form's XML."""
    root = parse_file(path, doctype=True)
    form, writer = root.get("id", path.stem), root.get("writer-id")
    if writer is None:
        raise ValueError(f"{path} does not name its writer (writer-id)")
    quotes: set[str] = set()
    lines = []
    for element in root.iter("line"):
        # The entities in it are escaped twice: the parser undoes the first time.
        text = html.unescape(element.get("text") or " ".join(word.get("text", "") for word in element.iter("word")))
        line = natural_text(text.split(), quotes)
        lines.append(
            IamLine(element.get("id", ""), form, writer, element.get("segmentation", "ok"), _ink_box(element), line)
        )
    return lines


def _ink_box(line: Element) -> tuple[float, float, float, float] | None:
    """The box around the connected components (`cmp`) of a line."""
    boxes = [[float(cmp.get(key, "0")) for key in ("x", "y", "width", "height")] for cmp in line.iter("cmp")]
    if not boxes:
        return None
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, bottom = max(b[0] + b[2] for b in boxes), max(b[1] + b[3] for b in boxes)
    return left, top, right - left, bottom - top
