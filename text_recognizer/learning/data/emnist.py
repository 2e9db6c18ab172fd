"""EMNIST: 814,255 single handwritten characters in 62 classes (Cohen et al., 2017), public domain.

`emnist-byclass.mat` holds a struct `dataset` with `train` and `test` (images (N, 784), one column of the picture
after the other; labels (N, 1); writers (N, 1)) and `mapping` (62, 2): class and ASCII code. What it holds is kept as
JSON beside it, so that it need not be opened to be known.
"""

from __future__ import annotations

import io
import json
import os
import tomllib
import zipfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer.learning.data.downloads import download
from text_recognizer.learning.data.locations import data_dir, require

SIZE = 28


@dataclass(frozen=True)
class EmnistPart:
    """images: uint8 (N, 28, 28), ink 255. text: N characters, one an image. writers: N names."""

    images: NDArray[np.uint8]
    text: str
    writers: list[str]

    def choose(self, indices: NDArray[np.int64]) -> EmnistPart:
        """The images of some indices."""
        text = "".join(self.text[index] for index in indices)
        return EmnistPart(self.images[indices], text, [self.writers[index] for index in indices])


def emnist(split: str, seed: int = 0) -> EmnistPart:
    """Split "train" or "test" of EMNIST byclass, classes balanced; downloaded (562 MB) where it is not there yet."""
    return balanced(parse(emnist_file(), split), seed)


def emnist_file() -> Path:
    """`emnist/emnist-byclass.mat` in the data folder, fetched and unpacked where it is missing."""
    folder = data_dir() / "emnist"
    source = tomllib.loads(Path(__file__).with_name("emnist.toml").read_text(encoding="utf-8"))
    path = folder / Path(source["member"]).name
    if not path.exists():
        archive = download(source["url"], folder / source["filename"], source.get("sha256"))
        unpack(archive, source["member"], path)
    return path


def unpack(archive: Path, member: str, path: Path) -> None:
    """One file of a zip archive, whole or not at all. Raises ValueError where the archive does not hold it."""
    partial = path.with_name(f"{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as packed, packed.open(member) as source, partial.open("wb") as file:
            while chunk := source.read(1 << 20):
                file.write(chunk)
    except (KeyError, zipfile.BadZipFile) as error:
        partial.unlink(missing_ok=True)
        raise ValueError(f"{archive} is not the EMNIST archive: {error}") from error
    partial.replace(path)


def parse(path: Path, split: str) -> EmnistPart:
    """One split of a file as EMNIST gives it out. Raises ValueError where it is laid out otherwise."""
    from scipy.io import loadmat

    try:
        dataset = loadmat(path, squeeze_me=True, struct_as_record=False)["dataset"]
        part = getattr(dataset, split)
        # MATLAB writes columns first: every picture lies on its side.
        images = np.asarray(part.images, np.uint8).reshape(-1, SIZE, SIZE).swapaxes(1, 2)
        codes = {int(number): chr(int(code)) for number, code in np.atleast_2d(dataset.mapping)}
        text = "".join(codes[int(number)] for number in np.atleast_1d(part.labels))
        writers = [f"emnist-{int(writer)}" for writer in np.atleast_1d(part.writers)]
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not laid out like emnist-byclass.mat: {error!r}") from error
    if not len(images) == len(text) == len(writers):
        raise ValueError(f"{path} has {len(images)} images, {len(text)} labels and {len(writers)} writers")
    return EmnistPart(np.ascontiguousarray(images), text, writers)


def essentials(path: Path) -> dict[str, Any]:
    """What a file as EMNIST gives it out holds: characters in the order of their classes, shape, counts.

    Kept in `<name>-essentials.json` beside the file.
    """
    kept = path.with_name(f"{path.stem}-essentials.json")
    if not kept.exists():
        parts = {split: parse(path, split) for split in ("train", "test")}
        found = {
            "characters": sorted(set("".join(part.text for part in parts.values()))),
            "input_shape": [SIZE, SIZE],
            "images": {split: len(part.images) for split, part in parts.items()},
            "writers": {split: len(set(part.writers)) for split, part in parts.items()},
        }
        partial = kept.with_name(f"{kept.name}.{os.getpid()}")
        partial.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        partial.replace(kept)
    content: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return content


def balanced(part: EmnistPart, seed: int = 0) -> EmnistPart:
    """At most the mean number of images of a class from each class, chosen at random, in random order."""
    rng = np.random.default_rng(seed)
    labels = np.array(list(part.text))
    classes, counts = np.unique(labels, return_counts=True)
    most = int(counts.mean()) if len(counts) else 0
    chosen = [rng.permutation(np.flatnonzero(labels == name))[:most] for name in classes]
    return part.choose(rng.permutation(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64))


def emnist_digits() -> EmnistPart:
    """The 10,000 digits of `emnist/emnist_digits_test.parquet` (columns `image.bytes`: PNG, `label`: 0 to 9).

    Raises FileNotFoundError where they are missing and ModuleNotFoundError where pyarrow, which reads them, is.
    """
    path = require(data_dir() / "emnist" / "emnist_digits_test.parquet", "the EMNIST digits")
    parquet = import_module("pyarrow.parquet")

    table = parquet.read_table(path).to_pydict()
    pictures = []
    for picture in table["image"]:
        with Image.open(io.BytesIO(picture["bytes"])) as image:
            pictures.append(np.array(image.convert("L")))
    text = "".join(str(label) for label in table["label"])
    return EmnistPart(np.stack(pictures), text, ["emnist"] * len(text))
