"""Several CTC networks that read lines together: the average of their aligned posteriors.

CTC networks agree on what is written, seldom on the frame at which they say it, so a plain average of their
posteriors would halve every peak. Each member is first laid onto the first one by dynamic programming, in the
spirit of dynamic time warping (Sakoe and Chiba, 1978), then averaged frame by frame. Networks that read by attention
agree step by step: `attention_networks.py`.

Test-time augmentation (TTA): a line is also read sheared and narrowed a little, and the posteriors are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.recognition.bundle import Bundle, BundleError, Session, load_bundle
from text_recognizer.recognition.text.ctc import softmax
from text_recognizer.recognition.text.line_geometry import LineGeometry

_REACH = 8  # frames by which two members may disagree on a place
_FLOOR = 1e-3  # of the likelihood that two frames say the same: one frame must not decide a path
_STEP_COST = 0.5  # of staying on a frame or skipping one, and of skipping ink altogether, in nats

Posteriors = NDArray[np.float32]

#: Test-time augmentations: shear in columns a row, and relative width. The first is the line as it is; none is wider,
#: as frames that are too many would have to be dropped.
TTA_TRANSFORMS = ((0.0, 1.0), (-0.1, 1.0), (0.0, 0.94))


@dataclass(frozen=True)
class _Member:
    session: Session
    temperature: float
    weight: float
    order: NDArray[np.int64]  # the member's class for each class of the ensemble


class EnsembleSession:
    """Runs the members of an ensemble bundle; takes and gives what a `Session` of one line network does.

    The bundle's settings name its `members`, folders inside of it, and their `weights`. Raises BundleError where a
    member is missing or damaged, or reads another alphabet or another size of image than the first.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        alphabet, geometry = Alphabet(bundle.settings["alphabet"]), LineGeometry(**bundle.settings["geometry"])
        names, weights = bundle.settings["members"], bundle.settings["weights"]
        self._members = []
        for name, weight in zip(names, weights, strict=True):
            found = load_bundle(bundle.folder / name, "lines", NORMALIZATION_VERSION)
            order = class_order(found, alphabet, geometry)
            temperature = float(found.settings.get("temperature", 1.0))
            self._members.append(_Member(Session(found, threads), temperature, float(weight), order))
        self.alone = any(member.session.alone for member in self._members)

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logarithm of the average posteriors, (B, T, K), of images (B, 1, H, W) float32."""
        outputs = [softmax(m.session.run(batch)[..., m.order], m.temperature) for m in self._members]
        first, total = outputs[0], sum(member.weight for member in self._members)
        average = self._members[0].weight * first
        for member, output in zip(self._members[1:], outputs[1:], strict=True):
            average = average + member.weight * laid_onto(first, at_rate(output, first.shape[1]))
        return np.log(np.maximum(average / total, 1e-12)).astype(np.float32)


def class_order(member: Bundle, alphabet: Alphabet, geometry: LineGeometry) -> NDArray[np.int64]:
    """For each class of `alphabet` the member's class. Raises BundleError where the two do not fit together."""
    order, size = alphabet_order(member, alphabet), LineGeometry(**member.settings["geometry"])
    if (size.height, size.margin, size.bucket) != (geometry.height, geometry.margin, geometry.bucket):
        raise BundleError(f"{member.folder} takes images of another size than the first member")
    if size.columns_per_frame < geometry.columns_per_frame:
        raise BundleError(f"{member.folder} has finer frames than the first member: name it first")
    return order


def alphabet_order(member: Bundle, alphabet: Alphabet) -> NDArray[np.int64]:
    """For the blank and each character of `alphabet` the member's class.

    Raises BundleError where the member reads other characters, or is an ensemble itself.
    """
    if "members" in member.settings:
        raise BundleError(f"{member.folder} is an ensemble itself: name its members instead")
    own = Alphabet(member.settings["alphabet"])
    if set(own.characters) != set(alphabet.characters):
        different = "".join(sorted(set(own.characters) ^ set(alphabet.characters)))
        raise BundleError(f"{member.folder} reads another alphabet than the first member; only in one: {different}")
    return np.array([0, *own.encode("".join(alphabet.characters))])


def at_rate(posteriors: Posteriors, frames: int) -> Posteriors:
    """(B, S, K) with every frame repeated so that there are T = `frames` of them, (B, T, K)."""
    return posteriors[:, (np.arange(frames) * posteriors.shape[1]) // frames]


def laid_onto(first: Posteriors, other: Posteriors) -> Posteriors:
    """`other` (B, T, K) with, for each frame of `first` (B, T, K), the frame that says the same; (B, T, K).

    The places never go back, lie within a few frames of each other, and change as little and skip as little ink
    as can be.
    """
    batch, frames, _ = first.shape
    offsets = np.arange(-_REACH, _REACH + 1)
    places = np.clip(np.arange(frames)[:, None] + offsets, 0, frames - 1)  # (T, O)
    said = np.stack([np.einsum("btk,btk->bt", first, other[:, places[:, k]]) for k in range(len(offsets))], axis=2)
    cost = -np.log(np.maximum(said, _FLOOR)).astype(np.float32)  # (B, T, O)
    skipped = _STEP_COST - np.log(np.maximum(other[..., 0], _FLOOR)).astype(
        np.float32
    )  # (B, T): blank frames cost nothing more
    chosen = _cheapest_path(cost, skipped, places)
    return other[np.arange(batch)[:, None], places[np.arange(frames), chosen]]


def _cheapest_path(
    cost: NDArray[np.float32], skipped: NDArray[np.float32], places: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Indices of offsets (B, T) of least cost. An offset stays, grows by one (a frame is skipped) or shrinks by one."""
    batch, frames, count = cost.shape
    total = cost[:, 0].copy()
    came_from = np.zeros((batch, frames, count), np.int8)  # -1, 0 or 1, added to the offset's index
    for t in range(1, frames):
        stay = np.pad(total[:, 1:] + _STEP_COST, ((0, 0), (0, 1)), constant_values=np.inf)
        skip = (
            np.pad(total[:, :-1], ((0, 0), (1, 0)), constant_values=np.inf) + skipped[:, np.maximum(places[t] - 1, 0)]
        )
        moves = np.stack([skip, total, stay])  # from offset - 1, the same, offset + 1
        best = moves.argmin(axis=0)
        came_from[:, t] = best - 1
        total = np.take_along_axis(moves, best[None], axis=0)[0] + cost[:, t]
    chosen = np.zeros((batch, frames), np.int64)
    chosen[:, -1] = total.argmin(axis=1)
    for t in range(frames - 1, 0, -1):
        chosen[:, t - 1] = chosen[:, t] + came_from[np.arange(batch), t, chosen[:, t]]
    return chosen


def open_session(bundle: Bundle, threads: int | None = None) -> Session | EnsembleSession:
    """What runs a line bundle: its network, or its members."""
    return EnsembleSession(bundle, threads) if "members" in bundle.settings else Session(bundle, threads)


def ensemble_settings(members: Sequence[Bundle], names: Sequence[str], weights: Sequence[float]) -> dict[str, object]:
    """The settings of an ensemble's bundle. Raises BundleError where the members do not fit together."""
    first = members[0].settings
    alphabet, geometry = Alphabet(first["alphabet"]), LineGeometry(**first["geometry"])
    for member in members:
        class_order(member, alphabet, geometry)
    return {
        "alphabet": first["alphabet"],
        "geometry": first["geometry"],
        "temperature": 1.0,
        "members": list(names),
        "weights": list(weights),
    } | {name: first[name] for name in ("language", "detector") if name in first}


def tta_view(image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    """A normalised line uint8 (height, W) under one of the `TTA_TRANSFORMS`."""
    shear, width = TTA_TRANSFORMS[index]
    if not index:
        return image
    middle = (image.shape[0] - 1) / 2
    columns = max(1, round(image.shape[1] * width))
    moved = np.array([[columns / image.shape[1], -shear, shear * middle], [0, 1, 0]])
    return cv2.warpAffine(image, moved, (columns, image.shape[0]), flags=cv2.INTER_LINEAR).astype(np.uint8)


def averaged(views: Sequence[NDArray[np.float32]], temperature: float = 1.0) -> NDArray[np.float32]:
    """Logits (T, K) whose probabilities at that temperature are the mean over several augmented views of a line, each
    laid onto the first, which has T frames; the others have as many or fewer."""
    first, *others = (softmax(logits, temperature)[None] for logits in views)
    if not first.shape[1]:
        return views[0]
    laid = [laid_onto(first, at_rate(other, first.shape[1])) for other in others]
    mean = (first + sum(laid)) / len(views)
    return (temperature * np.log(np.maximum(mean[0], 1e-12))).astype(np.float32)
