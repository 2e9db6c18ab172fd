"""A run in one small file, to go on with it on another machine.

The file is a NumPy archive of plain arrays and one JSON text; nothing in it is executed when it is read. It holds what
`--resume` needs: weights and their average, what the optimiser remembers (`compact.py`), the schedule, epoch and step,
from which the order of the data follows, and the experiment with its alphabet. Logs and samples stay where they are.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from text_recognizer.atomic_files import write_file
from text_recognizer.learning.experiments.compact import (
    fits,
    pack_moments,
    pack_weights,
    unpack_moments,
    unpack_weights,
)
from text_recognizer.learning.experiments.trainer import WholeCheckpoints

_FORMAT = 1
_OF_THIS_MACHINE = "ModelCheckpoint"  # the callbacks with this name remember folders
_MOMENTS = ("exp_avg", "exp_avg_sq")


def export_state(run: Path, file: Path) -> None:
    """Write the last checkpoint of a run to `file`. Raises FileNotFoundError where the run has none."""
    if not (run / "last.ckpt").is_file() or not (run / "experiment.json").is_file():
        raise FileNotFoundError(f"{run} is no training run with a checkpoint: there is nothing to move yet")
    experiment = json.loads((run / "experiment.json").read_text(encoding="utf-8"))
    checkpoint = torch.load(run / "last.ckpt", map_location="cpu", weights_only=False)
    weights, averaged = checkpoint.pop("current_model_state"), checkpoint.pop("state_dict")
    optimizer = checkpoint["optimizer_states"][0]
    moments = [[state.pop(name) for name in _MOMENTS] for state in optimizer["state"].values()]
    checkpoint["callbacks"] = {
        name: state for name, state in checkpoint["callbacks"].items() if not name.startswith(_OF_THIS_MACHINE)
    }
    as_float16 = [
        name for name, value in weights.items() if all(fits(state[name].numpy()) for state in (weights, averaged))
    ]
    others = [name for name in weights if name not in as_float16]
    content = {
        "format": _FORMAT,
        "experiment": experiment,
        "weights": [[name, list(weights[name].shape)] for name in as_float16],
        "other_weights": _plain([{name: state[name] for name in others} for state in (weights, averaged)]),
        "moments": [list(first.shape) for first, _ in moments],
        "checkpoint": _plain(checkpoint),
    }
    arrays = pack_weights(*(_joined(state[name] for name in as_float16) for state in (weights, averaged)))
    arrays |= pack_moments(*(_joined(pair[k] for pair in moments) for k in range(2)))
    arrays["content"] = np.frombuffer(json.dumps(content, ensure_ascii=False).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_file(file, buffer.getvalue())


def import_state(file: Path, run: Path) -> None:
    """Make the folder of a run out of a file that `export_state` wrote, so that the run can be resumed.

    Raises FileExistsError where the folder holds a run already, FileNotFoundError where there is no such file, and
    ValueError where it is none of these files.
    """
    if (run / "last.ckpt").exists():
        raise FileExistsError(f"{run} holds a run already: give the imported one another --name")
    content, arrays = _read(file)
    try:
        checkpoint = _restored(content["checkpoint"])
        names, shapes = [list(column) for column in zip(*content["weights"], strict=True)]
        others = _restored(content["other_weights"])
        states = [
            dict(zip(names, _split(joined, shapes), strict=True)) | other
            for joined, other in zip(unpack_weights(arrays), others, strict=True)
        ]
        moments = [_split(joined, content["moments"]) for joined in unpack_moments(arrays)]
        optimizer = checkpoint["optimizer_states"][0]["state"]
        for state, *pair in zip(optimizer.values(), *moments, strict=True):
            state |= dict(zip(_MOMENTS, pair, strict=True))
        checkpoint |= {"current_model_state": states[0], "state_dict": states[1]}
        described = json.dumps(content["experiment"], indent=2, ensure_ascii=False)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{file} is damaged: {error!r}") from error
    write_file(run / "experiment.json", described.encode())
    WholeCheckpoints().save_checkpoint(checkpoint, run / "last.ckpt")


def _read(file: Path) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """The content and the arrays of a file."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        content = json.loads(arrays.pop("content").tobytes())
        version = content["format"]
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, EOFError) as error:
        raise ValueError(f"{file} is no state of a training that --export-state wrote: {error}") from error
    if version != _FORMAT:
        raise ValueError(f"{file} has format {version}, this program knows {_FORMAT}: update the older one of the two")
    return content, arrays


def _joined(tensors: Iterable[Tensor]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(0, np.float32), *(tensor.float().numpy().ravel() for tensor in tensors)])


def _split(joined: NDArray[np.float32], shapes: list[list[int]]) -> list[Tensor]:
    """Tensors of these shapes out of what `_joined` joined."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    if len(joined) != (ends[-1] if len(ends) else 0):
        raise ValueError(f"{len(joined)} numbers for tensors of {ends[-1:]}")
    parts = np.split(joined, ends[:-1])
    return [torch.from_numpy(part.reshape(shape).copy()) for part, shape in zip(parts, shapes, strict=True)]


def _plain(value: Any) -> Any:
    """What JSON can hold, with marks where it is something else: small tensors, tuples, mappings without names."""
    if isinstance(value, Tensor):
        return {"~tensor": [str(value.dtype).removeprefix("torch."), value.tolist()]}
    if isinstance(value, tuple):
        return {"~tuple": [_plain(part) for part in value]}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, dict):
        return {"~pairs": [[_plain(name), _plain(part)] for name, part in value.items()]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"the checkpoint holds something that cannot be moved: {type(value).__name__}")


def _restored(value: Any) -> Any:
    """What `_plain` was given."""
    if isinstance(value, list):
        return [_restored(part) for part in value]
    if not isinstance(value, dict):
        return value
    match list(value.items()):
        case [("~tensor", [str(kind), numbers])]:
            return torch.tensor(numbers, dtype=_dtype(kind))
        case [("~tuple", parts)]:
            return tuple(_restored(part) for part in parts)
        case [("~pairs", pairs)]:
            return {_restored(name): _restored(part) for name, part in pairs}
    return {name: _restored(part) for name, part in value.items()}


def _dtype(name: str) -> torch.dtype:
    kind = getattr(torch, name)
    if not isinstance(kind, torch.dtype):
        raise ValueError(f"{name} is no type of numbers")
    return kind
