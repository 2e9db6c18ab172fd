"""Where the errors of a recogniser come from: what cannot be helped, bias, variance, shift, and a val set worn out.

After A. Ng, "Machine Learning Yearning", chapters 20 to 43, and the lecture "Troubleshooting Deep Neural Networks" of
Full Stack Deep Learning (J. Tobin, 2019): error on the deployment's data = irreducible + bias + variance + shift.

    irreducible    what the labels leave open: an assumption, or the error of the best model known
    bias           error on training data, above that
    variance       error on data of the training's kind that was not trained on, above that on training data
    shift          error on the data that one cares for, above that on data of the training's kind
    worn-out val   error on test, above that on val
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from text_recognizer.alphabet import normalize_text
from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.learning.datasets.sources import LineSource, lines_within
from text_recognizer.learning.evaluation.error_rates import read_dataset
from text_recognizer.learning.synthesis.characters import CLASSES, CharacterSource, character_dataset
from text_recognizer.recognition.bundle import bundle_task
from text_recognizer.recognition.text.character_recognizer import CharacterRecognizer
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

#: What is assumed to be irreducible, in percent: labels of IAM that a second reader disputes; characters cut wrongly
#: out of lines (about one in twenty by eye, docs/ladder.md).
ASSUMED = {"lines": 1.5, "characters": 5.0}

_OTHER_SEED = 1000  # what is made with another seed was not trained on
_RESAMPLES = 200

#: A source as experiments write it: its name and options.
Source = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """Errors and units (characters) of each sample of some sources, (N,) each, and the names of the sources."""

    names: tuple[str, ...]
    errors: NDArray[np.int64]
    units: NDArray[np.int64]

    @property
    def rate(self) -> float:
        """Errors over units, 0 for none."""
        return float(self.errors.sum() / max(1, self.units.sum()))

    @property
    def deviation(self) -> float:
        """Standard deviation of the rate, had other samples been drawn (bootstrap; Efron, 1979)."""
        drawn = np.random.default_rng(0).integers(0, len(self.errors), (_RESAMPLES, len(self.errors)))
        return float((self.errors[drawn].sum(1) / np.maximum(1, self.units[drawn].sum(1))).std())


@dataclass(frozen=True)
class Term:
    """A part of the error, a share; deviation: of its measurement. about: what it was measured on."""

    name: str
    value: float
    deviation: float
    about: str


class Part:
    """Some lines of a dataset, as `read_dataset` takes them."""

    def __init__(self, dataset: LineDataset, chosen: NDArray[np.int64]) -> None:
        self.dataset, self.chosen = dataset, chosen
        self.labels = [dataset.labels[index] for index in chosen]
        self.widths = dataset.widths[chosen]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.chosen[index])]


def held_out(source: Source) -> Source | None:
    """A source of the same kind that was not trained on: what of it was set apart, the val split (its writers are
    others), or what the same generator makes with another seed. None where there is none."""
    name = source["name"]
    if source.get("hold"):
        return source | {"held": True}
    if name in ("synthetic", "synthetic-open", "fonts"):
        return source | {"seed": source.get("seed", 1) + _OTHER_SEED}
    if name in ("folder", "pages"):
        return source | {"split": "val"}
    if name == "emnist-train":
        return source | {"name": "emnist-test"}
    return source | {"name": f"{name.removesuffix('-train')}-val"} if name.endswith("-train") else None


def few(source: Source, samples: int) -> Source:
    """Of lines that are made the first ones: the same as with more, and there sooner."""
    made = source["name"].startswith(("synthetic", "emnist-lines"))
    return source | {"count": min(samples, source.get("count", samples))} if made else source


def diagnose(
    bundle: str, target: Sequence[str] = (), samples: int = 300, irreducible: float | None = None, best: str = "",
    test: bool = False,
) -> list[Term]:  # fmt: skip
    """The parts of the error of a bundle of lines or characters.

    target: sources that one cares for, `copiste-val` or `folder:PATH`, by default those that the experiment validates
    on. samples: lines or characters that each error is measured on. irreducible: share, by default `ASSUMED`. best: a
    bundle whose error is taken for it. test: measure the test split of the target. Raises ValueError where the bundle
    is for another task or does not say what it learned from, and as the datasets do.
    """
    task = bundle_task(bundle)
    if task not in ASSUMED:
        raise ValueError(f"{bundle} is for {task}: only {' and '.join(ASSUMED)} are diagnosed")
    reader = _reader(task, bundle)
    data = reader.bundle.provenance.get("experiment", {}).get("data")
    if not data:
        raise ValueError(f"{bundle} does not say what it learned from")
    weighed = [(few(source, samples), _weight(reader, source)) for source in data["train"]]
    weighed = [(source, weight) for source, weight in weighed if _there(reader, held_out(source))]
    trained, weights = [source for source, _ in weighed], [weight for _, weight in weighed]
    if not trained:
        raise ValueError("none of its training sources has a split that was not trained on")
    kind = [held_out(source) or {} for source in trained]
    aim = [few(source, samples) for source in ([_source(name) for name in target] or data["val"])]
    known = measured(reader, trained, samples, weights)
    unseen = measured(reader, kind, samples, weights)
    wanted = measured(reader, aim, samples)
    floor, about = _floor(task, irreducible, best, kind, samples, weights)
    terms = [
        Term("irreducible", floor, 0.0, about),
        _term("bias", known, None, floor),
        _term("variance", unseen, known),
        _term("shift", wanted, unseen),
    ]
    tests = [source | {"name": source["name"].removesuffix("-val") + "-test"} for source in aim] if test else []
    tests = [source for source in tests if _there(reader, source)]
    return [*terms, _term("worn-out val", measured(reader, tests, samples), wanted)] if tests else terms


def measured(reader: Any, sources: Sequence[Source], samples: int, weights: Sequence[float] = ()) -> Measured:
    """The errors on samples of sources, of each as many as its weight says; without weights of all equally many."""
    shares = np.asarray(weights or [1.0] * len(sources))
    rng = np.random.default_rng(0)
    found = []
    for source, share in zip(sources, shares / shares.sum(), strict=True):
        dataset = _dataset(reader, source)
        count = min(len(dataset), max(1, round(samples * share)))
        chosen = np.sort(rng.permutation(len(dataset))[:count])
        found.append(
            _characters(reader, dataset, chosen) if _task(reader) == "characters" else _lines(reader, dataset, chosen)
        )
    errors, units = (np.concatenate(column) for column in zip(*found, strict=True))
    return Measured(tuple(source["name"] for source in sources), errors, units)


def _lines(reader: Any, dataset: Any, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    part = Part(dataset, chosen)
    pairs = zip(read_dataset(reader, part), (normalize_text(label.text) for label in part.labels), strict=True)  # type: ignore[arg-type]
    rows = np.array([(Levenshtein.distance(text, truth), len(truth)) for text, truth in pairs], np.int64)
    return rows[:, 0], rows[:, 1]


def _characters(reader: Any, dataset: Any, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if reader.classes != CLASSES:
        raise ValueError(f"{reader.bundle.folder} knows other classes than {CLASSES}")
    answers = reader.logits(np.asarray(dataset.pixels[chosen])).argmax(axis=1)
    return (answers != dataset.labels[chosen]).astype(np.int64), np.ones(len(chosen), np.int64)


def _floor(
    task: str, irreducible: float | None, best: str, kind: list[Source], samples: int, weights: list[float]
) -> tuple[float, str]:
    if best:
        return measured(_reader(task, best), kind, samples, weights).rate, f"the error of {best}"
    if irreducible is not None:
        return irreducible, "as you say"
    return ASSUMED[task] / 100, "an assumption: --irreducible sets another"


def _term(name: str, more: Measured, less: Measured | None, floor: float = 0.0) -> Term:
    """What one error has above another one; of independent samples, so their variances add up."""
    deviation = float(np.hypot(more.deviation, less.deviation if less else 0.0))
    about = f"{100 * more.rate:.2f} % on {len(more.errors)} of {', '.join(more.names)}"
    return Term(name, more.rate - (less.rate if less else floor), deviation, about)


def _task(reader: Any) -> str:
    return "characters" if isinstance(reader, CharacterRecognizer) else "lines"


def _reader(task: str, bundle: str) -> Any:
    return CharacterRecognizer(bundle) if task == "characters" else LineTextRecognizer(bundle)


def _dataset(reader: Any, source: Source) -> Any:
    if _task(reader) == "characters":
        return character_dataset(CharacterSource(**source))
    return lines_within(LineSource(**source), reader.alphabet)


def _weight(reader: Any, source: Source) -> float:
    """How much of an epoch is drawn from a source, 0 where it is not there."""
    drawn = source.get(_task(reader), 0)
    if not drawn and source["name"].startswith("synthetic"):
        drawn = source.get("count", 0)
    return float(drawn or (len(_dataset(reader, source)) if _there(reader, source) else 0))


def _there(reader: Any, source: Source | None) -> bool:
    """Whether a source can be loaded here."""
    try:
        return source is not None and len(_dataset(reader, source)) > 0
    except (ValueError, OSError, ModuleNotFoundError):
        return False


def _source(name: str) -> Source:
    """ "copiste-val" or "folder:PATH" as a source."""
    name, _, path = name.partition(":")
    return {"name": name, "path": path, "split": "val"} if path else {"name": name}
