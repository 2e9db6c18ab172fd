"""Line datasets by name, as experiments call them."""

from __future__ import annotations

from dataclasses import dataclass

from text_recognizer.learning.data.folder import folder_lines
from text_recognizer.learning.data.iam import iam_lines
from text_recognizer.learning.data.lines import LineDataset
from text_recognizer.learning.data.pages import page_lines
from text_recognizer.learning.data.synthetic import synthetic_lines

PAGE_SETS = ("copiste", "hooker", "lathrop", "poilus")


@dataclass
class LineSource:
    """name: "iam-train", "copiste-val", "synthetic", "folder", ... lines: drawn per epoch, 0 for all.
    count, seed, printed_share: of a synthetic source. path, split: of a folder of exported lines."""

    name: str
    lines: int = 0
    count: int = 12000
    seed: int = 1
    printed_share: float = 0.25
    path: str = ""
    split: str = "train"


def line_dataset(source: LineSource) -> LineDataset:
    """The dataset a source names. Raises ValueError for an unknown name and FileNotFoundError for missing data."""
    if source.name == "synthetic":
        accented = tuple(sorted({label.text for label in page_lines("copiste", "train").labels}))
        return synthetic_lines(source.seed, source.count, source.printed_share, accented)
    if source.name == "folder":
        return folder_lines(source.path, source.split)
    name, _, split = source.name.rpartition("-")
    if name == "iam" and split in ("train", "val"):
        return iam_lines(split)
    if name in PAGE_SETS and split in ("train", "val"):
        return page_lines(name, split)
    trained = [f"{page_set}-train" for page_set in PAGE_SETS]
    known = ["iam-train", "iam-val", "synthetic", "folder", *trained, "copiste-val"]
    raise ValueError(f"unknown line source {source.name!r}; there are: {', '.join(known)}")
