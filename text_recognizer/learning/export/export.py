"""From a training run to a model bundle: ONNX with float16 weights, checked against PyTorch."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from text_recognizer.alphabet import WESTERN_CHARACTERS, Alphabet
from text_recognizer.atomic_files import whole_folder
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning import tasks
from text_recognizer.learning.export.evaluate import check_measured, measure_bundle
from text_recognizer.learning.export.model_card import write_description
from text_recognizer.learning.export.onnx import check_float16, check_parity, to_half, to_onnx, write_decoder
from text_recognizer.learning.networks.image_to_sequence import ImageToSequence
from text_recognizer.paths import runs_dir
from text_recognizer.recognition.bundle import FORMAT_VERSION, file_hash


def export_run(
    run: Path,
    output: Path,
    version: str,
    measure: bool = True,
    others: Sequence[Path] = (),
    language: str = "language",
    stretch: float = 1.0,
    detector: str = "detector",
    alpha: float = 1.0,
) -> Path:
    """Write the bundle of a run's last checkpoint (averaged weights) to `output`, measured on val where asked.

    run: the folder of a run, or its name. others: runs that began with the same weights; the mean of all is written
    (Wortsman et al., "Model soups", ICML 2022), in which one that is named twice counts twice. language: the language
    model that lines are to be read with, a shipped name or a folder. stretch: by which lines are made wider for
    reading. detector: what finds the lines of pages for them. alpha: weight of what was learned, where it is
    interpolated with the bundle that the run began with (WiSE-FT). The bundle appears whole or not at all. Raises
    FileNotFoundError for an unknown run, BundleError for an unknown language model or detector, and ValueError where
    the ONNX model does not agree with the network or runs have other networks.
    """
    refuse_other_folders(output)
    experiment, state = loaded_run(run)
    task = tasks.find(experiment["task"])
    steps, minutes = int(state["global_step"]), [_minutes(state)]
    weights = [state["state_dict"]]
    for number, other in enumerate(others):
        described, further = loaded_run(other)
        if described["network"] != experiment["network"] or described.get("alphabet") != experiment.get("alphabet"):
            raise ValueError(f"{other} and {run} have other networks or alphabets: there is no mean of their weights")
        weights.append(further["state_dict"])
        if other not in (run, *others[:number]):  # one that is named twice counts twice in the mean, and learned once
            steps, minutes = steps + int(further["global_step"]), [*minutes, _minutes(further)]
    state["state_dict"] = mean_weights(weights)
    provenance: dict[str, Any] = {
        "steps": steps,
        "minutes": None if None in minutes else round(sum(minutes), 1),  # type: ignore[arg-type]
    }
    if alpha != 1:
        state["state_dict"] = task.interpolated_with_start(experiment, state["state_dict"], alpha)
        provenance["share_of_new_weights"] = alpha
    if others:
        provenance["mean_of"] = [Path(name).name for name in (run, *others)]
    partners = task.partners(language, detector)
    if measure:
        check_measured(task.name)
    with whole_folder(output, replace=True) as partial:
        write_run(partial, (output.name, version), experiment, state, partners, provenance, stretch)
        if measure:
            measure_bundle(partial, task.name)
    return output


def write_run(
    folder: Path,
    identity: tuple[str, str],
    experiment: dict[str, Any],
    state: dict[str, Any],
    more_settings: dict[str, Any],
    more_provenance: dict[str, Any],
    stretch: float = 1.0,
) -> None:
    """Write the bundle of a run's experiment and checkpoint, as `loaded_run` gives them, into `folder`, not measured.

    identity: name and version. Raises ValueError where the ONNX model does not agree with the network.
    """
    described = dict(experiment)
    alphabet = Alphabet(described.pop("alphabet", WESTERN_CHARACTERS))  # old runs did not record it
    normalization = described.pop("normalization", NORMALIZATION_VERSION)
    commit = described.pop("commit", None)
    task = tasks.find(described["task"])
    weights = {key.removeprefix("network."): value for key, value in state["state_dict"].items()}
    network = task.network(described, weights, alphabet).eval()
    settings = task.stretched(task.settings(network, described, alphabet), stretch)
    provenance = {
        "experiment": described,
        "epochs": int(state["loops"]["fit_loop"]["epoch_progress"]["total"]["processed"]),
        "parameters": sum(p.numel() for p in network.parameters()),
        "exported": datetime.date.today().isoformat(),
        "commit": commit,
    }
    name, version = identity
    identified = {"name": name, "task": task.name, "version": version, "normalization": normalization}
    write_bundle(folder, network, identified, settings | more_settings, provenance | more_provenance)


def loaded_run(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The experiment of a run, by its folder or name, and its last checkpoint."""
    folder = run if (run / "experiment.json").is_file() else runs_dir() / run
    checkpoint, config = folder / "last.ckpt", folder / "experiment.json"
    if not checkpoint.is_file() or not config.is_file():
        raise FileNotFoundError(f"{run} is no training run with a checkpoint, nor is {folder}")
    experiment = json.loads(config.read_text(encoding="utf-8"))
    return experiment, torch.load(checkpoint, map_location="cpu", weights_only=False)


def mean_weights(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of the weights of networks of one shape; counters are the first one's."""
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if first.is_floating_point() else first
        for name, first in states[0].items()
    }


def _minutes(state: dict[str, Any]) -> float | None:
    """Minutes that a run took, as its clock counted them; None for a run without one."""
    counted = state.get("callbacks", {}).get("Clock", {}).get("minutes")
    return None if counted is None else round(float(counted), 1)


def refuse_other_folders(output: Path, *sources: Path) -> None:
    """Exporting replaces a bundle, but nothing else, and none that it is made of. Raises FileExistsError."""
    if any(output.resolve() == source.resolve() for source in sources):
        raise FileExistsError(f"{output} is what the new bundle would be made of: name another folder")
    if output.exists() and not (output / "bundle.json").is_file() and (output.is_file() or any(output.iterdir())):
        raise FileExistsError(f"{output} holds something that is no model bundle: name another folder")


def write_bundle(
    folder: Path, network: nn.Module, identity: dict[str, Any], settings: dict[str, Any], provenance: dict[str, Any]
) -> None:
    """Write model.onnx, of an attention network decoder.onnx, bundle.json and README.md.

    Raises ValueError where ONNX and network disagree.

    identity: name, task, version and normalization of the bundle.
    """
    model = to_onnx(network)
    check_parity(network, model)
    half = to_half(model)
    check_float16(network, half)
    (folder / "model.onnx").write_bytes(half)
    if isinstance(network, ImageToSequence):
        settings = settings | {"decoder": write_decoder(folder, network, model)}
    data = {
        "format_version": FORMAT_VERSION,
        **identity,
        "sha256": file_hash(folder / "model.onnx"),
        "settings": settings,
        "scores": {},
        "provenance": provenance,
    }
    write_description(folder, data)
