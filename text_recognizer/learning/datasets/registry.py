"""Every dataset by name: what it is, whose it is, where it lies, and the function that loads it.

A new dataset is one more `Description` here; `text-recognizer data` and the sources of experiments find it, and
the tests of datasets hold it to the promises of its kind:

    lines        a `LineDataset`: (image uint8 (64, W), ink 255; LineLabel)
    paragraphs   a `ParagraphDataset`: (image uint8 (H, W), ink 255; ParagraphLabel)
    pages        an iterator of `TracedPage`: image gray uint8 (H, W), ink dark, outlines and baselines of lines
    characters   a `CharacterDataset`: (image uint8 (28, 28), ink 255; number of its class)

What is known of a dataset before it is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from text_recognizer.alphabet import WESTERN_CHARACTERS, Alphabet, normalize_text
from text_recognizer.learning.datasets.iam import iam_lines
from text_recognizer.learning.datasets.iam_paragraphs import iam_paragraphs
from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.learning.datasets.own_folder import folder_lines
from text_recognizer.learning.datasets.page_sets import PAGE_SETS
from text_recognizer.learning.datasets.page_xml import xml_page_lines
from text_recognizer.learning.datasets.page_xml_regions import xml_page_paragraphs
from text_recognizer.learning.datasets.pages import TracedPage, is_legible, page_lines, pages, traced_pages
from text_recognizer.learning.datasets.paragraphs import ParagraphDataset
from text_recognizer.learning.synthesis.form_lines import form_lines
from text_recognizer.learning.synthesis.iam_ondb import iam_ondb_lines
from text_recognizer.learning.synthesis.lines import synthetic_lines
from text_recognizer.learning.synthesis.pages import SyntheticPages
from text_recognizer.learning.synthesis.stacked_paragraphs import stacked_paragraphs, synthetic_paragraphs
from text_recognizer.paths import data_dir

Kind = Literal["lines", "paragraphs", "pages", "characters"]


def find(name: str) -> tuple[Description, str]:
    """The dataset that "copiste-val", "synthetic" or "folder" names, and the split in the name ("" for none).

    Raises ValueError that lists what there is.
    """
    if name in DATASETS:
        return DATASETS[name], ""
    base, _, split = name.rpartition("-")
    if base in DATASETS and split in DATASETS[base].splits:
        return DATASETS[base], split
    known = ", ".join(known for description in DATASETS.values() for known in description.names())
    raise ValueError(f"unknown dataset {name!r}; there are: {known}")


def load(name: str, kind: Kind, split: str = "", **options: Any) -> Any:
    """The dataset of a name, of the kind that is wanted; split: where the name has none, for a dataset by path.

    options: may hold more than the dataset takes. Raises ValueError for an unknown name, another kind or a
    missing split, and FileNotFoundError where files are missing, with who gives them out and where they belong.
    """
    description, named = find(name)
    if description.kind != kind:
        raise ValueError(f"{name} holds {description.kind}, here {kind} are wanted")
    if description.splits and not named and not description.by_path:
        raise ValueError(f"{name} has splits, name one of them: {', '.join(description.names())}")
    if not description.fetched and (absence := description.absence(name)):
        raise FileNotFoundError(absence)
    chosen = {option: options[option] for option in description.options if option in options}
    return description.load(named or (split if description.by_path else ""), **chosen)


def _synthetic(without: tuple[str, ...] = ()) -> Callable[..., LineDataset]:
    """A loader of lines set in fonts; without: names of text files that they do not show."""

    def load_lines(_: str, seed: int = 1, count: int = 12000, printed_share: float = 0.25) -> LineDataset:
        return synthetic_lines(seed, count, printed_share, accented_texts(), without)

    return load_lines


def accented_texts() -> tuple[str, ...]:
    """French of volunteers, for its accents: the legible lines of Copiste, sorted; none where it is not there."""
    if DATASETS["copiste"].missing():
        return ()
    western = Alphabet(WESTERN_CHARACTERS)  # as in all the text of these lines: a seed stays the same pictures
    texts = {normalize_text(line["text"]) for page in pages("copiste", "train") for line in page.lines}
    return tuple(sorted(text for text in texts if is_legible(text) and not western.missing(text)))


def _of_characters(version: int) -> Callable[..., LineDataset]:
    """A loader of lines put together from characters."""

    def load_lines(split: str, seed: int = 1, count: int = 10000) -> LineDataset:
        # That file takes characters, which may be cut out of lines, so it stands on this one.
        from text_recognizer.learning.synthesis.character_lines import emnist_lines

        return emnist_lines(split, version, seed, count)

    return load_lines


def _stacked(name: str) -> Callable[..., ParagraphDataset]:
    """A loader of paragraphs stacked from the lines of another dataset, split by split."""

    def stack(split: str, seed: int = 1, count: int = 1000) -> ParagraphDataset:
        return stacked_paragraphs(load(f"{name}-{split}", "lines"), f"{name}-{split}", seed, count)

    return stack


def _stacked_synthetic(_: str, seed: int = 1, count: int = 1000) -> ParagraphDataset:
    return synthetic_paragraphs(seed, count)


def _recombined(name: str) -> Callable[..., LineDataset]:
    """A loader of lines of the words of another dataset."""

    def load_lines(split: str, seed: int = 1, count: int = 10000) -> LineDataset:
        # That file finds the words with the shipped recogniser, which most datasets do without.
        from text_recognizer.learning.synthesis.recombined_lines import recombined_lines

        texts = [path.read_text(encoding="utf-8") for path in sorted((data_dir() / "text").glob("*.txt"))]
        return recombined_lines(load(f"{name}-{split}", "lines"), f"{name}-{split}", seed, count, texts)

    return load_lines


def _pages(name: str) -> Callable[..., Iterator[TracedPage]]:
    return lambda split: traced_pages(name, split)


def _made_pages(_: str, seed: int = 1, count: int = 100) -> Iterator[TracedPage]:
    return SyntheticPages(seed).pages(count)


_IAM = (
    "research, non-commercial",
    "its owners, after registration (https://fki.tic.heia-fr.ch/databases/iam-handwriting-database), into iam/",
)
_ONDB = (
    "research, non-commercial",
    "its owners, after registration (https://fki.tic.heia-fr.ch/databases/iam-on-line-handwriting-database), converted "
    "to lines.tsv and strokes.npz (docs/data.md), into iam_ondb/",
)
_IAM_LINES = ("iam/lines.tsv", "iam/lines.txt", "iam/ascii/lines.txt", "iam/xml")
_IAM_FORMS = ("iam/forms.json", "iam/forms", "iam/formsA-D")
_IAM_SPLITS = ("train", "val", "test")
_MADE = ("by font and text", "wherever you like: handwriting fonts (*.ttf) into fonts/, texts (*.txt) into text/")
_FORMS = (
    "by font, text and paper: CC BY, some texts CC BY-SA",
    f"{_MADE[1]}, texts of languages into text/<language>/",
)
_MADE_OF = (("fonts",), ("text",))
_NON_COMMERCIAL = ("brown.txt",)  # of the texts

_COPISTE = (PAGE_SETS["copiste"].licence, f"{PAGE_SETS['copiste'].source}, into copiste/", PAGE_SETS["copiste"].splits)


def _of_pages(name: str, source: str, kind: Kind, load_split: Callable[..., Any]) -> Description:
    """A dataset made of a page set; name: of the dataset, source: of the page set."""
    known = PAGE_SETS[source]
    return Description(
        name,
        kind,
        known.about,
        known.licence,
        f"{known.source}, into {source}/",
        known.splits,
        load_split,
        files=((f"{source}/pages.json",),),
    )


def _lines() -> list[Description]:
    cut = [_of_pages(name, name, "lines", lambda split, name=name: page_lines(name, split)) for name in PAGE_SETS]
    options = ("seed", "count", "printed_share")
    splits = ("train", "val", "test")
    return [
        Description("iam", "lines", "IAM: English, 500 writers", *_IAM, _IAM_SPLITS, iam_lines, files=(_IAM_LINES,)),
        Description(
            "iam-ondb", "lines", "IAM-OnDB: English, 180 writers, pen strokes drawn on paper", *_ONDB, ("train", "val"),
            iam_ondb_lines, ("seed", "renderings"), (("iam_ondb/lines.tsv",), ("iam_ondb/strokes.npz",)),
        ),
        *cut,
        Description(
            "recombined-iam", "lines", "words of IAM, writer by writer, in another order", *_IAM, _IAM_SPLITS,
            _recombined("iam"), ("seed", "count"), (_IAM_LINES,),
        ),
        Description(
            "recombined-copiste", "lines", "the same with words of Copiste", *_COPISTE, _recombined("copiste"),
            ("seed", "count"), (("copiste/pages.json",),),
        ),
        Description("synthetic", "lines", "lines set in fonts", *_MADE, (), _synthetic(), options, _MADE_OF),
        Description(
            "synthetic-open", "lines", f"the same without {', '.join(_NON_COMMERCIAL)}", *_MADE, (),
            _synthetic(_NON_COMMERCIAL), options, _MADE_OF,
        ),
        Description(
            "synthetic-signs", "lines", "dates, amounts, equations, lists, rare signs, set in fonts", *_FORMS, (),
            lambda _, **chosen: form_lines("synthetic-signs", **chosen), options, _MADE_OF,
        ),
        Description(
            "synthetic-languages", "lines", "sentences of twelve languages, set in fonts", *_FORMS, (),
            lambda _, **chosen: form_lines("synthetic-languages", **chosen), options, _MADE_OF,
        ),
        Description(
            "emnist-lines", "lines", "sentences of EMNIST's characters, or of IAM's and fonts'", *_MADE,
            ("train", "val"), _of_characters(1), ("seed", "count"), _MADE_OF,
        ),
        Description(
            "emnist-lines-2", "lines", "the same, more like writing", *_MADE, ("train", "val"), _of_characters(2),
            ("seed", "count"), _MADE_OF,
        ),
        Description(
            "folder", "lines", "corrected lines, from `feedback export`", "your own", "`path` names it", splits,
            lambda split, path="": folder_lines(path, split), ("path",),
        ),
        Description(
            "pages", "lines", "images with PAGE XML or ALTO files", "your own", "`path` names it", splits,
            lambda split, path="": xml_page_lines(path, split), ("path",),
        ),
    ]  # fmt: skip


def _paragraphs() -> list[Description]:
    options = ("seed", "count")
    about = "lines of one hand set below each other:"
    return [
        Description(
            "iam-paragraphs", "paragraphs", "IAM: the handwriting of forms", *_IAM, _IAM_SPLITS, iam_paragraphs,
            files=(_IAM_FORMS, _IAM_LINES),
        ),
        Description(
            "stacked-iam", "paragraphs", f"{about} IAM", *_IAM, _IAM_SPLITS, _stacked("iam"), options, (_IAM_LINES,)
        ),
        Description(
            "stacked-copiste", "paragraphs", f"{about} Copiste", *_COPISTE, _stacked("copiste"), options,
            (("copiste/pages.json",),),
        ),
        Description(
            "stacked-synthetic", "paragraphs", f"{about} fonts", *_MADE, (), _stacked_synthetic, options, _MADE_OF
        ),
        Description(
            "pages-paragraphs", "paragraphs", "text regions of PAGE XML or ALTO", "your own", "`path` names it",
            ("train", "val", "test"), lambda split, path="": xml_page_paragraphs(path, split), ("path",),
        ),
    ]  # fmt: skip


def _whole_pages() -> list[Description]:
    real = [_of_pages(f"{name}-pages", name, "pages", _pages(name)) for name in PAGE_SETS]
    forms = (("iam/forms.json",),)
    return [
        Description("iam-forms", "pages", "IAM: whole forms", *_IAM, ("train", "val"), _pages("iam"), files=forms),
        *real,
        Description(
            "synthetic-pages", "pages", "pages set in fonts", *_MADE, (), _made_pages, ("seed", "count"), _MADE_OF
        ),
    ]  # fmt: skip


def _characters_of(source: str) -> Callable[..., Any]:
    """A loader of single characters; source: the name in `characters.py`, {} where the split belongs."""

    def load_characters(split: str, **options: Any) -> Any:
        # That file cuts characters out of line sources, so it stands on this one.
        from text_recognizer.learning.synthesis.characters import CharacterSource, character_dataset

        return character_dataset(CharacterSource(source.format(split), **options))

    return load_characters


def _characters() -> list[Description]:
    cut, nist = "characters cut out of lines:", "https://www.nist.gov/itl/products-and-services/emnist-dataset"
    free, emnist = "public domain", "EMNIST: 62 classes, balanced"
    digits = (("emnist/emnist_digits_test.parquet",),)
    return [
        Description(
            "iam-characters", "characters", f"{cut} IAM", *_IAM, _IAM_SPLITS, _characters_of("iam-{}"),
            files=(_IAM_LINES,),
        ),
        Description(
            "copiste-characters", "characters", f"{cut} Copiste", *_COPISTE,
            _characters_of("copiste-{}"), files=(("copiste/pages.json",),),
        ),
        Description(
            "font-characters", "characters", "characters set in fonts", *_MADE, (), _characters_of("fonts"), ("seed",),
            (("fonts",),),
        ),
        Description(
            "emnist-digits", "characters", "EMNIST: digits of its test split", free, nist, (),
            _characters_of("emnist-digits"), files=digits,
        ),
        Description(
            "emnist", "characters", emnist, free, f"{nist}: `data prepare emnist` does it", ("train", "test"),
            _characters_of("emnist-{}"), ("seed",), (("emnist/emnist-byclass.mat",),), fetched=True,
        ),
    ]  # fmt: skip


@dataclass(frozen=True)
class Description:
    """A dataset.

    about, licence, source: for people; source: who gives it out. splits: in order, none for one that is made
    here. load: called with the split ("" without splits) and the `options` by name. options: those of path,
    seed, count, printed_share and renderings that it takes. files: what must lie in the data folder: of every group
    one. fetched: its files are downloaded when it is loaded, where they are missing.
    """

    name: str
    kind: Kind
    about: str
    licence: str
    source: str
    splits: tuple[str, ...]
    load: Callable[..., Any]
    options: tuple[str, ...] = ()
    files: tuple[tuple[str, ...], ...] = ()
    fetched: bool = False

    @property
    def by_path(self) -> bool:
        """Whether a path names it, and not the data folder."""
        return "path" in self.options

    def missing(self) -> list[Path]:
        """Where its files were looked for and are not; empty where everything is there."""
        return [
            data_dir() / group[0] for group in self.files if not any((data_dir() / name).exists() for name in group)
        ]

    def absence(self, name: str) -> str:
        """What to tell somebody who asked for `name`: which files are missing, and who gives them out; "" where all are
        there."""
        if not (missing := self.missing()):
            return ""
        return (
            f"{name} is not there: {' and '.join(map(str, missing))} is missing. Get it from {self.source}; "
            "TEXT_RECOGNIZER_DATA names the folder of all datasets (docs/data.md)"
        )

    def names(self) -> list[str]:
        """What experiments call it: the name and each split, or the name alone."""
        return [f"{self.name}-{split}" for split in self.splits] if self.splits and not self.by_path else [self.name]


#: Every dataset by name.
DATASETS: dict[str, Description] = {
    description.name: description for description in (*_lines(), *_paragraphs(), *_whole_pages(), *_characters())
}
