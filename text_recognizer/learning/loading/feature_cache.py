"""What a frozen CNN makes of pieces, computed once and stored: training then costs the decoder only."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from text_recognizer.atomic_files import whole_folder
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.loading.paragraph_batches import Piece, PieceSource
from text_recognizer.learning.networks.image_to_sequence import ImageToSequence
from text_recognizer.paths import cache_dir

#: Changes with how pieces are made; stored ones are made again.
FROZEN_VERSION = 1


class StoredPieces(PieceSource):
    """Features of pieces in memory-mapped storage, in several variants.

    On disk: `values.f16`, one map (C, h, w) float16 after the other; `index.json` with texts, writers and shapes;
    `places.npy`. Piece i of variant v is number v n + i.
    """

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.texts, self.writers = index["texts"], index["writers"]
        self.counts = [text.count("\n") + 1 for text in self.texts]
        self.stride = tuple(index["stride"])
        self.shapes = np.array(index["shapes"], np.int64)
        self.dataset = self.texts
        self._ends = np.cumsum(self.shapes.prod(axis=1))
        self._places = np.split(np.load(folder / "places.npy"), np.cumsum(index["lengths"])[:-1])
        self._values = np.memmap(folder / "values.f16", np.float16, "r")

    def piece(self, index: int, rng: np.random.Generator) -> Piece:
        """Piece `index` in a random variant."""
        number = index + len(self.texts) * int(rng.integers(len(self.shapes) // len(self.texts)))
        shape, end = self.shapes[number], self._ends[number]
        values = np.asarray(self._values[end - shape.prod() : end]).reshape(shape)
        return Piece(values, self.stride, self.texts[index], self._places[number])


def frozen_pieces(
    network: ImageToSequence, plain: PieceSource, augmented: PieceSource, name: str, variants: int, *marks: object
) -> StoredPieces:
    """The features of a source's pieces, stored where they are not yet: the first variant plain, the others augmented.

    name: of the source. marks: what else the features depend on, the weights of the CNN above all.
    """
    # Folders of one's own are corrected under the same name, with as many lines as before.
    own = [getattr(plain.dataset, "key", "")] if name == "pages-paragraphs" else []
    key = fingerprint(FROZEN_VERSION, variants, plain.counts, plain.writers, *marks, *own)
    folder = cache_dir() / f"features-{name}-{key}"
    if not (folder / "index.json").exists():
        with whole_folder(folder) as partial:
            _write(partial, network.eval(), plain, augmented, name, variants)
    return StoredPieces(folder)


def _write(
    folder: Path, network: ImageToSequence, plain: PieceSource, augmented: PieceSource, name: str, variants: int
) -> None:
    texts, shapes, lengths, places = [], [], [], []
    numbers = [(variant, index) for variant in range(variants) for index in range(len(plain.writers))]
    with (folder / "values.f16").open("wb") as file:
        for variant, index in track(numbers, description=f"features of {name}"):
            rng = np.random.default_rng([variant, index])
            np.random.seed(variant * 1_000_003 + index)  # the augmentation draws its seed from here
            piece = (augmented if variant else plain).piece(index, rng)
            values = features(network, piece.values)
            values.tofile(file)
            shapes.append(values.shape)
            places.append(piece.places)
            lengths.append(len(piece.places))
            if not variant:
                texts.append(piece.text)
    np.save(folder / "places.npy", np.concatenate(places))
    described = {"texts": texts, "writers": list(plain.writers), "shapes": shapes, "lengths": lengths}
    content = json.dumps(described | {"stride": network.stride}, ensure_ascii=False)
    (folder / "index.json").write_text(content, encoding="utf-8")


@torch.no_grad()
def features(network: ImageToSequence, ink: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Ink (1, H, W) uint8 -> (C, h, w) float16."""
    device = next(network.parameters()).device
    image = torch.from_numpy(ink[None].astype(np.float32) / 255).to(device)
    return network.features(image)[0].cpu().numpy().astype(np.float16)


def paper_features(network: ImageToSequence) -> NDArray[np.float16]:
    """(C,): what the CNN makes of empty paper far from any edge."""
    blank = features(network.eval(), np.zeros((1, 512, 512), np.uint8))
    return blank[:, blank.shape[1] // 2, blank.shape[2] // 2]


def weights_hash(network: ImageToSequence) -> str:
    """Says whether two networks have the same weights outside of neck and decoder, to the last bit."""
    digest = hashlib.sha256()
    for key, value in network.state_dict().items():
        if not key.startswith(("decoder.", "neck.", "norm.")):
            digest.update(key.encode() + _bytes(value))
    return digest.hexdigest()


def _bytes(value: Tensor) -> bytes:
    return value.detach().cpu().numpy().tobytes()
