"""Run an experiment: build data and model, train, checkpoint every few minutes, go on where it stopped."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from text_recognizer.alphabet import Alphabet
from text_recognizer.atomic_files import locked, write_file
from text_recognizer.images import CHARACTER_VERSION, NORMALIZATION_VERSION
from text_recognizer.learning import networks
from text_recognizer.learning.datasets.exclusions import warn_if_few
from text_recognizer.learning.distributed import first, rank
from text_recognizer.learning.experiments.callbacks import StoppedByUserError
from text_recognizer.learning.experiments.config import Experiment
from text_recognizer.learning.experiments.provenance import commit, data_versions, datasets, environment
from text_recognizer.learning.experiments.tracking import Tracker, make_tracker
from text_recognizer.learning.experiments.trainer import WholeCheckpoints, keep_memory, make_trainer, quiet
from text_recognizer.learning.synthesis.characters import CLASSES
from text_recognizer.learning.tasks.attention_lines import AttentionLineExperiment
from text_recognizer.learning.tasks.characters import CharacterExperiment
from text_recognizer.learning.tasks.detector import DetectorExperiment
from text_recognizer.learning.tasks.lines import LineDataModule, LineExperiment, LineRecognizerModule, line_alphabet
from text_recognizer.learning.tasks.paragraphs import (
    ParagraphDataModule,
    ParagraphExperiment,
    begin_with,
    build_attention,
)
from text_recognizer.learning.tasks.weights import adopt_shape, load_or_grow
from text_recognizer.paths import runs_dir
from text_recognizer.recognition.bundle import find_bundle, load_bundle
from text_recognizer.recognition.text.line_geometry import LineGeometry

_CALIBRATION_BATCHES = 30  # some hundred lines: enough for the mean and variance of each channel


def run_dir(experiment: Experiment) -> Path:
    """The folder of checkpoints and logs of an experiment."""
    return runs_dir() / experiment.name


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else trains the run of that folder meanwhile. Raises FileExistsError where somebody does."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder.with_name(f".{folder.name}.lock"), 0))
        except TimeoutError as error:
            raise FileExistsError(
                f"another process trains {folder} now: wait for it, or give this run a --name"
            ) from error
        yield


def build(
    experiment: Experiment, alphabet: Alphabet | None = None
) -> tuple[lightning.LightningModule, lightning.LightningDataModule]:
    """The Lightning module and data module of an experiment. Reads data, where it is not yet cached.

    alphabet: of a line recogniser, by default what the experiment asks for.
    """
    if isinstance(experiment, DetectorExperiment):
        from text_recognizer.learning.tasks.detector import DetectorDataModule, LineDetectorModule

        return LineDetectorModule(experiment.network, experiment.optimization), DetectorDataModule(
            experiment.data, fixed=experiment.trainer.overfit_batches > 0
        )
    if isinstance(experiment, CharacterExperiment):
        from text_recognizer.learning.tasks.characters import CharacterDataModule, CharacterRecognizerModule

        names = [source.name for source in experiment.data.val]
        recognizer = CharacterRecognizerModule(experiment.network, experiment.optimization, names)
        return recognizer, CharacterDataModule(experiment.data, experiment.seed)
    if isinstance(experiment, ParagraphExperiment | AttentionLineExperiment):
        return build_attention(experiment)
    if experiment.start_from:
        adopt_shape(experiment.network, load_bundle(experiment.start_from, "lines", NORMALIZATION_VERSION).folder)
    lines_of = experiment.data
    alphabet = alphabet or line_alphabet(
        lines_of.train, experiment.start_from, lines_of.extend_alphabet, lines_of.more_characters
    )
    module = LineRecognizerModule(
        experiment.network,
        alphabet,
        experiment.optimization,
        [source.title for source in lines_of.val],
        experiment.shortcut_weight,
        experiment.frozen,
    )
    geometry = LineGeometry(columns_per_frame=networks.columns_per_frame(module.network))
    lines = LineDataModule(experiment.data, alphabet, geometry, experiment.seed)
    warn_if_few(len(lines.train), experiment.start_from)
    return module, lines


def train(experiment: Experiment, resume: bool = False, callbacks: Sequence[Callback] = ()) -> Path:
    """Train to the end of the experiment's epochs and return the folder of the run.

    resume: go on from the run's last checkpoint. callbacks: beside the usual ones. Raises FileExistsError where the run
    exists already and `resume` is not set, so that nothing is overwritten by accident, or another process trains it,
    FileNotFoundError where there is nothing to resume or data are missing, ValueError where the checkpoint is of
    another network or the loss is no number any more, OSError where a checkpoint cannot be written, and
    KeyboardInterrupt, with how to go on, after Ctrl-C.
    """
    with alone(run_dir(experiment)) if first() else nullcontext():
        return _train(experiment, resume, callbacks)


def _train(experiment: Experiment, resume: bool, callbacks: Sequence[Callback]) -> Path:
    folder = run_dir(experiment)
    last = folder / "last.ckpt"
    _check(experiment, last, resume)
    prepare(experiment)
    module, data = build(experiment, _as_begun(experiment, folder) if resume else None)
    if resume:
        _go_on(last, experiment, module, data)
    else:
        begin(experiment, module, data)
    if not first():  # after the weights are made: the same ones everywhere, but other random numbers
        lightning.seed_everything(experiment.seed + 1000 * rank(), workers=True, verbose=False)
    tracker = make_tracker(experiment.trainer.tracker, experiment.task, experiment.name, folder)
    if first():
        folder.mkdir(parents=True, exist_ok=True)
        _describe(folder, experiment, module, data, tracker)
    trainer = make_trainer(experiment, folder, tracker, callbacks)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=str(last) if resume else None, weights_only=False)
    except StoppedByUserError as error:
        raise KeyboardInterrupt(
            f"stopped, with a checkpoint in {last}: go on with the same command and --resume"
        ) from error
    except SystemExit as error:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt("stopped at once, without a new checkpoint") from error
    return folder


def _check(experiment: Experiment, last: Path, resume: bool) -> None:
    """What can be known before data are loaded; errors as of `train`."""
    if last.exists() and not resume:
        raise FileExistsError(f"{last.parent} holds a run already: go on with --resume, or give it another --name")
    if resume and not last.exists():
        raise FileNotFoundError(f"{last.parent} holds no checkpoint to resume from")
    attention = isinstance(experiment, ParagraphExperiment | AttentionLineExperiment)
    if attention and experiment.trainer.devices * experiment.trainer.nodes > 1:
        raise ValueError("attention is learned by one process: trainer.devices and trainer.nodes must be 1")
    if attention and getattr(experiment.data, "extend_alphabet", False):
        raise ValueError("the alphabet can be extended in experiments of task lines only")


def prepare(experiment: Experiment) -> None:
    """Make this process ready to train: quiet, its memory kept, its threads and random numbers set."""
    quiet()
    keep_memory()
    if experiment.trainer.threads:
        torch.set_num_threads(experiment.trainer.threads)
    lightning.seed_everything(experiment.seed, workers=True, verbose=False)


def _as_begun(experiment: Experiment, folder: Path) -> Alphabet | None:
    """The alphabet that a run of lines began with; its network gets the shape that it began with, too. The labels that
    the alphabet was made of, or the bundle, may be others by now."""
    described = folder / "experiment.json"
    if not isinstance(experiment, LineExperiment) or not described.is_file():
        return None
    begun = json.loads(described.read_text(encoding="utf-8"))
    if begun["network"]["name"] == experiment.network.name:
        experiment.network.fields = begun["network"]["fields"] | experiment.network.fields
    return Alphabet(begun["alphabet"])


def _go_on(
    last: Path, experiment: Experiment, module: lightning.LightningModule, data: lightning.LightningDataModule
) -> None:
    """Check that a checkpoint fits the network; take up the order of the data and new random numbers where it ends."""
    state = WholeCheckpoints().load_checkpoint(last, weights_only=False)
    try:
        module.load_state_dict(state["state_dict"])
    except RuntimeError as error:
        raise ValueError(f"{last} is of another network than the experiment's: {error}") from error
    lightning.seed_everything(experiment.seed + int(state["global_step"]), workers=True, verbose=False)
    if isinstance(data, LineDataModule | ParagraphDataModule):
        loops = state["loops"]["fit_loop"]
        done = int(loops["epoch_loop.batch_progress"]["current"]["ready"])
        # Batches are shared out among processes, which do not yet know of each other here.
        share = -(-len(data.order) // (experiment.trainer.devices * experiment.trainer.nodes))
        data.order.start_at(int(loops["epoch_progress"]["total"]["processed"]), done % share)


def begin(experiment: Experiment, module: lightning.LightningModule, data: lightning.LightningDataModule) -> None:
    """Begin with the weights that the experiment names, if any."""
    if isinstance(experiment, LineExperiment) and experiment.start_from:
        # What keeps its statistics need not know them: the network computes what the bundle computes either way.
        batches = 0 if experiment.frozen.statistics else _CALIBRATION_BATCHES
        _warm_start(experiment.start_from, module, data, batches)
    elif isinstance(experiment, ParagraphExperiment | AttentionLineExperiment) and experiment.start_from:
        begin_with(experiment.start_from, module, data)


def _warm_start(
    bundle: str, module: lightning.LightningModule, data: lightning.LightningDataModule, batches: int
) -> None:
    """Begin with the weights of a bundle, batch normalisation measured on so many of this run's own batches."""

    def seen() -> Iterator[Tensor]:
        yield from (batch.images for batch in itertools.islice(data.train_dataloader(), batches))

    load_or_grow(module.network, find_bundle(bundle), module.alphabet, seen() if batches else None)  # type: ignore[arg-type]


def _describe(
    folder: Path,
    experiment: Experiment,
    module: lightning.LightningModule,
    data: lightning.LightningDataModule,
    tracker: Tracker | None,
) -> None:
    """Write down what the run learns and from what, with the alphabet and the normalisation of this moment."""
    characters = isinstance(experiment, CharacterExperiment)
    alphabet = getattr(module, "alphabet", None) or Alphabet()
    versions = data_versions(data)
    described = asdict(experiment) | {
        "alphabet": CLASSES if characters else "".join(alphabet.characters),
        "normalization": CHARACTER_VERSION if characters else NORMALIZATION_VERSION,
        "data_versions": versions,
        "datasets": datasets(data),
        "commit": commit(),
    }
    _write(folder / "experiment.json", described)
    _write(folder / "environment.json", environment())
    if tracker:
        facts = {
            "task": experiment.task,
            "network": experiment.network.name,
            "parameters": sum(parameter.numel() for parameter in module.parameters()),
            "data": ", ".join(f"{name} {version}" for name, version in versions.items()),
            "commit": described["commit"],
        }
        tracker.record(described, facts, [folder / "experiment.json", folder / "environment.json"], folder)


def _write(path: Path, content: dict[str, Any]) -> None:
    write_file(path, json.dumps(content, indent=2, ensure_ascii=False).encode())
