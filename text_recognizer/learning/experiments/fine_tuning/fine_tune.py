"""Fine-tuning: a line recogniser learns to read one's own handwriting, and keeps what it could read before.

Each step sees lines of one's own and lines that the recogniser learned from before (rehearsal: Robins, 1995), and what
is written in the end is a mean of the new and the old weights (Wortsman et al., "Robust fine-tuning of zero-shot
models", CVPR 2022).
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from text_recognizer.alphabet import CHARACTERS, Alphabet
from text_recognizer.atomic_files import whole_folder
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning.datasets.sources import LineSource
from text_recognizer.learning.distributed import say
from text_recognizer.learning.experiments.config import Experiment, make_experiment
from text_recognizer.learning.experiments.fine_tuning.data import (
    OwnLines,
    kept_sources,
    learned_rows,
    measured_sets,
    own_lines,
    rehearsal,
)
from text_recognizer.learning.experiments.fine_tuning.evaluate import Scores, card_scores, is_better, measure_sets
from text_recognizer.learning.experiments.fine_tuning.plan import START, KeepStart, Plan, TimeLimit, plan_for
from text_recognizer.learning.experiments.run import alone, run_dir, train
from text_recognizer.learning.export.export import loaded_run, refuse_other_folders, write_run
from text_recognizer.learning.export.model_card import write_description
from text_recognizer.learning.export.quantize import quantize_bundle
from text_recognizer.learning.tasks.weights import interpolated
from text_recognizer.paths import runs_dir
from text_recognizer.recognition.bundle import SHIPPED, Bundle, BundleError, load_bundle

METRICS = "metrics.json"  # in the bundle's folder, and in the run's where it is finished


@dataclass(frozen=True)
class FineTuned:
    """The bundle that was written, its scores and those of the bundle that it began with, whether one's own lines are
    read with fewer errors now, and what somebody who looks at it should know."""

    bundle: Path
    before: Scores
    after: Scores
    better: bool
    notes: list[str]


def fine_tune(
    bundle: str | Path,
    data: Sequence[str | Path],
    output: Path | None = None,
    name: str = "",
    minutes: float = 0.0,
    resume: bool = False,
    overrides: Sequence[str] = (),
    version: str = "1",
    alpha: float | None = None,
) -> FineTuned:
    """Fine-tune a line bundle on folders of lines, and write the result as a bundle with `metrics.json` beside it.

    data: folders of lines, or of pages with PAGE or ALTO files. output: folder of the new bundle, by default named as
    the run in the working directory. name: of the run, by default made of the bundle's and the folders' names. minutes:
    of training at most, 0 for as many as the number of lines asks for. resume: go on where the run was stopped.
    overrides: fields of the experiment, as the command line gives them. alpha: weight of the new weights, which are
    interpolated with the old ones.

    The scores are of the lines of split val (or set apart for it) and of a part of the old val sets. Raises
    FileNotFoundError and ValueError for data that cannot be used, FileExistsError where a run of that name was stopped
    or the output is something else, BundleError for a bundle that cannot be learned on, KeyboardInterrupt after Ctrl-C.
    """
    start = learnable_bundle(bundle)
    known = Alphabet(start.settings["alphabet"])
    own = own_lines(data, known)
    plan = plan_for(own.train_lines)
    known_lines = rehearsal(start, plan.rehearsal, own.train)
    if alpha is None:
        alpha = plan.alpha if known_lines else plan.alpha_alone
    experiment = _experiment(name or _name(start, data), start, own, known_lines, plan, list(overrides))
    output, folder = Path(output or experiment.name), run_dir(experiment)
    refuse_other_folders(output, start.folder)
    with alone(folder):
        _make_way(folder, resume)
    for note in own.notes:
        say(note)
    say(f"{own.train_lines} lines to learn from, {own.val_lines} to measure with; before:")
    kept = kept_sources(start)
    # Lines with characters that are yet to be learned count before, too: both times the same ones.
    wider = known.extended(CHARACTERS + own.characters)
    before = measure_sets(start.folder, measured_sets(own, kept, wider))
    callbacks = [KeepStart(folder), *([TimeLimit(minutes)] if minutes else [])]
    train(experiment, resume=resume, callbacks=callbacks)
    made = _finish(folder, start, (own, kept, before), (output, version), alpha)
    shutil.copy(made.bundle / METRICS, folder / METRICS)
    return made


def with_alpha(
    bundle: str | Path, data: Sequence[str | Path], output: Path, name: str, version: str, alpha: float
) -> FineTuned:
    """The bundle of a finished run with another alpha (weight of the new weights); the others as of `fine_tune`."""
    start = learnable_bundle(bundle)
    own, folder = own_lines(data, Alphabet(start.settings["alphabet"])), runs_dir() / name
    before = json.loads((folder / METRICS).read_text(encoding="utf-8"))["before"]
    return _finish(folder, start, (own, kept_sources(start), before), (output, version), alpha)


def _finish(
    folder: Path,
    start: Bundle,
    measured: tuple[OwnLines, Sequence[LineSource], Scores],
    target: tuple[Path, str],
    alpha: float,
) -> FineTuned:
    """Write the bundle of a run, measured. measured: own lines, old sets and scores before; target: output, version."""
    (own, kept, before), (output, version) = measured, target
    described, state = loaded_run(folder)
    sets = measured_sets(own, kept, Alphabet(described["alphabet"]))
    with tempfile.TemporaryDirectory() as temporary:
        made = _written(Path(temporary), (output.name, version), start, described, state, alpha)
        after = measure_sets(made, sets, fit=True)
        better = is_better(before, after)
        _describe(made, {"before": before, "after": after, "better": better})
        with whole_folder(output, replace=True) as partial:
            shutil.copytree(made, partial, dirs_exist_ok=True)
    return FineTuned(output, before, after, better, own.notes)


def learnable_bundle(bundle: str | Path) -> Bundle:
    """The bundle to begin with. Raises BundleError where it cannot be learned on."""
    start = load_bundle(bundle, "lines", NORMALIZATION_VERSION)
    if "members" in start.settings:
        raise BundleError(f"{bundle} is an ensemble: fine-tune one of its members")
    if "network" not in start.provenance.get("experiment", {}):
        raise BundleError(f"{bundle} does not say which network it is (provenance.experiment in its bundle.json)")
    return start


def _name(start: Bundle, data: Sequence[str | Path]) -> str:
    names = [start.name, *(Path(folder).resolve().name for folder in data)]
    return re.sub(r"[^\w.-]+", "-", "-".join(names))


def _experiment(
    name: str, start: Bundle, own: OwnLines, known_lines: Sequence[LineSource], plan: Plan, overrides: list[str]
) -> Experiment:
    """The experiment of a plan; known_lines: what is rehearsed."""
    learned = start.provenance["experiment"]
    content: dict[str, Any] = {
        "name": name,
        "task": "lines",
        # The name of a shipped one, for it goes into the card: where this machine keeps it says nothing to others.
        "start_from": start.folder.name if start.folder.parent == SHIPPED else str(start.folder),
        "network": learned["network"],
        "data": {
            "train": [asdict(source) for source in [*own.train * plan.copies, *known_lines]],
            "val": [asdict(source) for source in own.val],
            "augmentation": _AUGMENTATION,
            "columns": 7200,
            "more_characters": own.characters,
        },
        "optimization": {"learning_rate": plan.learning_rate, "warmup": 0.1},
        "trainer": {"epochs": plan.epochs, "tracker": "none", "samples": 0},
        "frozen": {"convolutions": plan.frozen, "statistics": True},
        "shortcut_weight": 0.0,
    }
    return make_experiment(content, overrides)


#: Half of the usual one.
_AUGMENTATION = {"preset": "mild", "probability": 0.7}


def _make_way(folder: Path, resume: bool) -> None:
    """A finished run of this name is forgotten; one that was stopped is not."""
    if resume and not (folder / "last.ckpt").is_file():
        raise FileNotFoundError(f"{folder} holds no checkpoint to resume from")
    if not folder.exists() or resume:
        return
    if (folder / METRICS).is_file() or not (folder / "last.ckpt").is_file():
        shutil.rmtree(folder)
        return
    raise FileExistsError(f"{folder} was stopped: go on with --resume, or begin another one with --name")


def _written(
    folder: Path,
    identity: tuple[str, str],
    start: Bundle,
    experiment: dict[str, Any],
    state: dict[str, Any],
    alpha: float,
) -> Path:
    """Write the bundle of the mean of new and old weights below `folder`, as exact as the one that it began with."""
    old = torch.load(runs_dir() / experiment["name"] / START, map_location="cpu", weights_only=True)
    state["state_dict"] = interpolated(old, state["state_dict"], alpha)
    settings = {key: start.settings[key] for key in ("language", "detector", "calibration") if key in start.settings}
    provenance = {
        "steps": int(state["global_step"]),
        "minutes": round(float(state["callbacks"]["Clock"]["minutes"]), 1),
        "fine_tuned_from": start.identity,
        "learned_before": learned_rows(start),
        "share_of_new_weights": alpha,
    }
    stretch = float(start.settings["geometry"].get("stretch", 1.0))
    made = folder / identity[0]
    made.mkdir()
    write_run(made, identity, experiment, state, settings, provenance, stretch)
    if start.settings.get("precision") != "int8":
        return made
    return quantize_bundle(made, folder / "int8" / identity[0], identity[1], measure=False)


def _describe(folder: Path, metrics: dict[str, Any]) -> None:
    """Write the scores into bundle.json, the card and metrics.json."""
    data = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    data["scores"] = card_scores(metrics["before"], metrics["after"])
    data["provenance"]["better"] = metrics["better"]
    write_description(folder, data)
    (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
