"""The lines that `active_learning.py` chooses from.

The bundle `open` has not seen IAM. Lines come with their true text, with what `open` reads, as `label next` would have
them, and with what its convolutions see, which is computed once, as it stays as it is.
"""

from __future__ import annotations

import pickle
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from text_recognizer.atomic_files import write_file
from text_recognizer.learning import networks
from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.networks.crnn import CRNN
from text_recognizer.learning.tasks.warm_start import load_bundle_weights
from text_recognizer.page import Line, Word
from text_recognizer.paths import cache_dir
from text_recognizer.recognition.text.line_recognizer import DecodedLine, LineTextRecognizer

BUNDLE = "open"
MANY = 30  # lines that a writer of the pool has at least
MOST = 150  # lines that are taken of one writer
UNSEEN = 250  # lines of writers that are not in the pool
FALSE = 120  # images that hold no line anybody can read
KNOWN, KNOWN_VAL = 350, 150  # lines of Copiste, which open learned from, and of its val set
HELD = 4  # of a writer's pages every fourth is kept for measuring
_BATCH = 8


@dataclass(frozen=True)
class PoolLine:
    """A line: where it is from, its true text ("" where it is no line), what `open` reads, and what its convolutions
    see, float16 (S, C), of which so many frames are the line's own."""

    identifier: str
    writer: str
    page: str
    part: str  # "pool", "same" writers, "unseen" writers, "false", "known", "known-val"
    text: str
    reading: Line
    features: NDArray[np.float16]
    frames: int


def pool_lines() -> list[PoolLine]:
    """All lines, computed once and kept in the cache."""
    return _kept("lines", _of_iam) + _kept("known", _of_copiste)


def _kept(name: str, compute: Callable[[], list[PoolLine]]) -> list[PoolLine]:
    path = cache_dir() / "active-learning" / f"{name}.pickle"
    if not path.exists():
        write_file(path, pickle.dumps(compute()))
    lines: list[PoolLine] = pickle.loads(path.read_bytes())  # our own file
    return lines


def network() -> CRNN:
    """The network of the bundle, in single precision, not learning."""
    reader = LineTextRecognizer(BUNDLE, threads=1)
    fields = reader.bundle.provenance["experiment"]["network"]["fields"]
    built = networks.build("crnn", classes=len(reader.alphabet), **fields)
    assert isinstance(built, CRNN)
    load_bundle_weights(built, reader.bundle.folder)
    return built.eval()


def _of_iam() -> list[PoolLine]:
    """Lines of writers whom `open` does not know, and images that hold no line."""
    lines = line_dataset(LineSource("iam-train"))
    wanted = _parts(lines)
    who = [
        (label.identifier, label.writer, _page(label.identifier), part, label.text)
        for label, part in ((lines.labels[number], part) for number, part in wanted.items())
    ]
    who += [(f"false-{k}", "", f"false-{k % 10}", "false", "") for k in range(FALSE)]
    return _computed(who, [lines[number][0] for number in wanted] + _false_lines(lines, sorted(wanted)))


def _of_copiste() -> list[PoolLine]:
    """Lines that `open` learned from ("known"), and lines of its val set ("known-val")."""
    who, images = [], []
    for name, part, count in (("copiste-train", "known", KNOWN), ("copiste-val", "known-val", KNOWN_VAL)):
        lines = line_dataset(LineSource(name))
        for number in random.Random(2).sample(range(len(lines)), count):
            image, label = lines[number]
            who.append((f"{part}-{number}", label.writer, f"{part} {label.writer}", part, label.text))
            images.append(image)
    return _computed(who, images)


def _computed(who: Sequence[tuple[str, str, str, str, str]], images: Sequence[NDArray[np.uint8]]) -> list[PoolLine]:
    """Lines with what `open` makes of their images. who: identifier, writer, page, part and text of each."""
    reader, crnn = LineTextRecognizer(BUNDLE, threads=1, language="auto"), network()
    found: dict[int, PoolLine] = {}
    order = sorted(range(len(images)), key=lambda k: images[k].shape[1])
    starts = range(0, len(order), _BATCH)
    for start in track(starts, description="what open sees"):
        chosen = order[start : start + _BATCH]
        batch = torch.from_numpy(reader.geometry.batch([images[k] for k in chosen]))
        with torch.no_grad():
            features = crnn.features(batch)
            logits = crnn._decode(features).numpy()
        frames = [reader.geometry.frames(images[k].shape[1]) for k in chosen]
        decoded = reader.decode([rows[:count] for rows, count in zip(logits, frames, strict=True)])
        for k, seen, count, line in zip(chosen, features, frames, decoded, strict=True):
            steps = -(-count // crnn.config.frames_per_step)
            kept = seen[:, :steps].T.half().numpy().copy()
            found[k] = PoolLine(*who[k], _line(reader, line), kept, count)
    return [found[k] for k in range(len(images))]


def _page(identifier: str) -> str:
    return "-".join(identifier.split("-")[:2])


def _parts(lines: LineDataset) -> dict[int, str]:
    """The part of each line that is used, by its number."""
    by_writer: dict[str, list[int]] = defaultdict(list)
    for number, label in enumerate(lines.labels):
        by_writer[label.writer].append(number)
    parts: dict[int, str] = {}
    others = []
    for writer, numbers in sorted(by_writer.items()):
        if len(numbers) < MANY:
            others.append(writer)
            continue
        pages = sorted({_page(lines.labels[number].identifier) for number in numbers})
        held = set(pages[HELD - 1 :: HELD] or pages[-1:])
        for number in numbers[:MOST]:
            parts[number] = "same" if _page(lines.labels[number].identifier) in held else "pool"
    random.Random(1).shuffle(others)
    unseen = [number for writer in others for number in by_writer[writer]][:UNSEEN]
    return parts | dict.fromkeys(unseen, "unseen")


def _false_lines(lines: LineDataset, numbers: Sequence[int]) -> list[NDArray[np.uint8]]:
    """What a detector finds where no line is, or where nobody can read it: halves of two lines, a line upside down,
    blots, and rules with specks."""
    rng = np.random.default_rng(3)
    found = []
    for k in range(FALSE):
        first, second = (lines[int(number)][0] for number in rng.choice(numbers, 2, replace=False))
        width = min(first.shape[1], second.shape[1])
        if k % 4 == 0:
            image = np.concatenate([first[32:, :width], second[:32, :width]])
        elif k % 4 == 1:
            image = first[::-1].copy()
        else:
            noise = rng.random((64, width)) < (0.002 if k % 4 == 2 else 0.0005)
            image = _blots(noise, 9 if k % 4 == 2 else 3)
            if k % 4 == 3:
                image[40:43] = 255
        found.append(image)
    return found


def _blots(noise: NDArray[np.bool_], size: int) -> NDArray[np.uint8]:
    import cv2

    return cv2.dilate(noise.astype(np.uint8) * 255, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))


def _line(reader: LineTextRecognizer, decoded: DecodedLine) -> Line:
    """A reading as `TextRecognizer` gives it; nothing here asks where its words stand."""
    sure = reader.confidences(decoded)
    words = tuple(
        Word(text, (), confidence, tuple(character.probability for character in word))
        for text, word, confidence in zip(reader.word_texts(decoded), decoded.words, sure, strict=True)
    )
    weights = [len(word.text) for word in words]
    confidence = float(np.average(sure, weights=weights)) if words else 0.0
    return Line(" ".join(word.text for word in words), (), confidence, (), words)
