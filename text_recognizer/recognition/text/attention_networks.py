"""The networks that read by attention, step by step: the one of a bundle, or the members of an ensemble.

Members read together: each looks at the image with its own encoder, keeps the keys and values of its own steps and
follows its own attention, but all of them are told the same last character.

The next character is the likeliest by the weighted mean of their logits, which ranks characters as the mean of their
log-probabilities does: for all characters of a step the two differ by the same. So a character must be likely for every
member, and one that lost its way, whose answers are flat, hardly counts. The mean of the probabilities themselves would
follow whichever member is surest, also where it runs ahead of the image.

The tokens of attention networks: characters, newline, and one token that both begins and ends a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.recognition.bundle import Bundle, BundleError, Session, load_bundle
from text_recognizer.recognition.text.ctc import softmax
from text_recognizer.recognition.text.ensemble import alphabet_order

_CHARACTERS_PER_CELL = 4  # at most: a reading with more has lost its way

#: What the members of an ensemble must agree on, beside the characters: all of them see the same image.
_SHARED = {"paragraphs": ("scale", "line_height"), "attention-lines": ("height", "margin", "bucket")}

#: Number 0, which is the blank of CTC, begins and ends a text here: there are no blanks to tell apart.
END = 0


class AttentionNetwork:
    """The two models of one attention bundle.

    order: the network's class for each class of the reading, (K,). Raises BundleError where settings are missing or a
    file is damaged.
    """

    def __init__(self, bundle: Bundle, order: NDArray[np.int64], threads: int | None = None) -> None:
        try:
            settings, decoder = bundle.settings, bundle.settings["decoder"]
            self.cell: tuple[int, int] = tuple(settings["cell"])
            self.longest, self.temperature = int(settings["longest"]), float(settings.get("temperature", 1.0))
            heads = int(decoder["heads"])
            self.past_shape = int(decoder["layers"]), 2, heads, 0, int(decoder["width"]) // heads
            checksum = str(decoder["sha256"])
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{bundle.folder / 'bundle.json'} lacks settings for attention: {error!r}") from error
        self.order = order
        self.encoder = Session(bundle, threads)
        self.decoder = Session(bundle, threads, "decoder.onnx", checksum)

    def look(self, images: NDArray[np.float32], widths: Sequence[int]) -> Reading:
        """Look at images (B, 1, H, W), of which `widths` columns are no padding, before the first character."""
        rows, columns = (-(-size // cell) for size, cell in zip(images.shape[2:], self.cell, strict=True))
        cells = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=2).reshape(-1, 2)
        own = -(-np.array(widths) // self.cell[1])
        inputs = {
            "memory": self._memory(images, own, (rows, columns)),
            "hidden": cells[None, :, 1] >= own[:, None],
            "grid": cells.astype(np.float32),
        }
        return Reading(self, inputs, len(images))

    def _memory(
        self, images: NDArray[np.float32], own: NDArray[np.int64], shape: tuple[int, int]
    ) -> NDArray[np.float32]:
        """Keys and values (B, L, 2, H, M, D / H) of all images, each looked at without its padding.

        What lies beyond its last cell is nothing, as in training, and nothing is not the same as paper.
        """
        whole: list[NDArray[np.float32]] = []
        for image, columns in zip(images, own, strict=True):
            memory = self.encoder.run(image[None, :, :, : columns * self.cell[1]])[0]
            grid = memory.reshape(*memory.shape[:3], shape[0], -1, memory.shape[-1])
            free = shape[1] - grid.shape[4]
            padded = np.pad(grid, ((0, 0), (0, 0), (0, 0), (0, 0), (0, free), (0, 0)))
            whole.append(padded.reshape(*memory.shape[:3], -1, memory.shape[-1]))
        return np.stack(whole)


class Reading:
    """A network in the midst of reading a batch: what it saw, what it wrote so far, and where it is.

    longest: characters at most.
    """

    def __init__(self, network: AttentionNetwork, inputs: dict[str, Any], batch: int) -> None:
        self._network, self._inputs = network, inputs
        self._places = np.full((batch, 2), -2, np.float32)
        self._past = np.zeros((batch, *network.past_shape), np.float32)
        self.longest = min(network.longest, _CHARACTERS_PER_CELL * len(inputs["grid"]))

    def step(self, tokens: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits (B, K) of what follows the last tokens (B,), divided by the temperature, and its places (B, 2), row
        and column in pixels of the image."""
        told = {"tokens": self._network.order[tokens], "places": self._places, "past": self._past}
        logits, self._places, self._past = self._network.decoder.run_all(self._inputs | told)
        scaled = np.asarray(logits[:, self._network.order] / self._network.temperature, np.float32)
        return scaled, self._places * np.array(self._network.cell, np.float32)


@dataclass(frozen=True)
class Step:
    """What is read next: tokens (B,), their probabilities (B,), their rows and columns (B, 2) in pixels."""

    tokens: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    places: NDArray[np.float32]


class AttentionNetworks:
    """One network or several, each with its weight; `begin` and `step` read a batch with all of them."""

    def __init__(self, networks: Sequence[AttentionNetwork], weights: Sequence[float]) -> None:
        self.networks = list(networks)
        self._shares = np.array(weights, np.float32) / np.float32(sum(weights))

    def begin(self, images: NDArray[np.float32], widths: Sequence[int]) -> list[Reading]:
        """A reading for each network; arguments as of `AttentionNetwork.look`."""
        return [network.look(images, widths) for network in self.networks]

    def step(self, readings: Sequence[Reading], tokens: NDArray[np.int64]) -> Step:
        """What all of them read behind the last tokens (B,).

        It stands at the mean of where they look. Those that took it for something else looked elsewhere, perhaps, so
        a member counts as much there as it expected what was read.
        """
        answers = [reading.step(tokens) for reading in readings]
        logits = np.stack([answer for answer, _ in answers])  # (M, B, K)
        together = softmax(np.tensordot(self._shares, logits, axes=1))
        chosen = together.argmax(axis=1)
        rows = np.arange(len(chosen))
        counts = self._shares[:, None] * np.maximum(softmax(logits)[:, rows, chosen], np.float32(1e-6))
        counts /= counts.sum(axis=0)
        places = (counts[..., None] * np.stack([place for _, place in answers])).sum(axis=0)
        return Step(chosen, together[rows, chosen], places)


def open_networks(bundle: Bundle, threads: int | None = None) -> AttentionNetworks:
    """The network of an attention bundle, or the members that an ensemble's settings name, folders inside of it.

    Raises BundleError where one is missing or damaged, or the members do not fit together.
    """
    try:
        alphabet = Alphabet(bundle.settings["alphabet"])
        names = bundle.settings.get("members", ())
        weights = [float(weight) for weight in bundle.settings["weights"]] if names else [1.0]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{bundle.folder / 'bundle.json'} lacks settings for attention: {error!r}") from error
    if not names:
        return AttentionNetworks([AttentionNetwork(bundle, np.arange(len(Tokens(alphabet))), threads)], weights)
    members = [load_bundle(bundle.folder / name, bundle.task, NORMALIZATION_VERSION) for name in names]
    if len(weights) != len(members):
        raise BundleError(f"{bundle.folder} names {len(members)} members and {len(weights)} weights")
    return AttentionNetworks([AttentionNetwork(m, token_order(m, bundle), threads) for m in members], weights)


def token_order(member: Bundle, first: Bundle) -> NDArray[np.int64]:
    """For each token of `first` that of `member`, (K,). Raises BundleError where the two do not fit together."""
    order = alphabet_order(member, Alphabet(first.settings["alphabet"]))
    for name in _SHARED[first.task]:
        own, wanted = (bundle.settings.get("geometry", bundle.settings).get(name) for bundle in (member, first))
        if own != wanted:
            raise BundleError(f"{member.folder} takes images of another size than the first member ({name})")
    return np.append(order, len(order))  # newline comes last in any alphabet


def attention_ensemble_settings(
    members: Sequence[Bundle], names: Sequence[str], weights: Sequence[float]
) -> dict[str, object]:
    """The settings of an attention ensemble's bundle: what the members share.

    Raises BundleError where the members do not fit together.
    """
    first = members[0]
    for member in members:
        token_order(member, first)
    shared = {
        key: first.settings[key] for key in ("alphabet", "geometry", "scale", "line_height") if key in first.settings
    }
    return shared | {"members": list(names), "weights": list(weights)}


class Tokens:
    """Text and its token numbers: those of the alphabet, and one more for newline.

    >>> Tokens(Alphabet("ab")).encode("b\\na")
    [2, 3, 1]
    """

    def __init__(self, alphabet: Alphabet) -> None:
        self.alphabet = alphabet
        self.newline = len(alphabet)

    def __len__(self) -> int:
        """Number of classes, END and newline included."""
        return len(self.alphabet) + 1

    def encode(self, text: str) -> list[int]:
        """Token numbers, without END. Raises ValueError that names every character outside the alphabet."""
        numbers: list[int] = []
        for place, line in enumerate(text.split("\n")):
            numbers += [self.newline] * (place > 0) + self.alphabet.encode(line)
        return numbers

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of token numbers; END is left out."""
        return "".join("\n" if number == self.newline else self.alphabet.decode([number]) for number in numbers)
