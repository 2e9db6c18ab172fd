"""Start a training from a bundle's weights: what reading uses becomes, again, what learning goes on from.

A bundle holds the network as ONNX, with batch normalisation folded into the convolutions. Here the weights
go back into a fresh network of the same shape, and batch normalisation is undone: its statistics are measured
on real batches, its scale and shift chosen so that the network computes what the bundle computes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning import networks
from text_recognizer.learning.tasks.stored_layers import StoredLayers

_LAYERS = nn.Conv1d | nn.Conv2d | nn.Linear | nn.LayerNorm | nn.LSTM
_CLASS_LAYERS = ("head", "out")  # a row of weights for each class


def bundle_alphabet(folder: Path) -> Alphabet:
    """The alphabet of the line recogniser in a folder."""
    return Alphabet(json.loads((folder / "bundle.json").read_text(encoding="utf-8"))["settings"]["alphabet"])


def bundle_origin(folder: Path) -> dict[str, str]:
    """Whose weights the bundle in `folder` began with, if it was not with random ones; a card has to say it."""
    provenance = json.loads((folder / "bundle.json").read_text(encoding="utf-8")).get("provenance", {})
    origin: dict[str, str] = provenance.get("pretrained") or provenance.get("experiment", {}).get("pretrained", {})
    return origin


def load_bundle_weights(network: nn.Module, folder: Path, alphabet: Alphabet | None = None) -> None:
    """Copy the weights of the bundle in `folder` into the layers of `network` with the same names.

    alphabet: of the network, by default the bundle's; characters that the bundle does not know begin as the mean of
    those that it knows.

    Batch normalisation is left computing the identity and the folded shift: follow with `calibrate`. Layers that may
    begin without (`networks.new_layers`: the shortcut head, for instance, is for training only) stay as they are where
    the bundle does not hold them. Raises ValueError where another layer is in one of the two only, or of another shape.
    """
    orders = None if alphabet is None else (bundle_alphabet(folder), alphabet)
    _load(network, StoredLayers(folder), folder, orders)


def load_bundle_cnn(cnn: nn.Module, folder: Path) -> None:
    """Copy the part `cnn` of the bundle in `folder` into `cnn`, which then computes what that computes.

    Raises ValueError where it has other layers.
    """
    _load(cnn, StoredLayers(folder, "cnn"), folder)


def _load(
    network: nn.Module, stored: StoredLayers, folder: Path, orders: tuple[Alphabet, Alphabet] | None = None
) -> None:
    """Copy all layers. orders: the alphabets of the bundle and of the network, where they may differ."""
    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, _LAYERS)}
    held, new = stored.names(), networks.new_layers(network)
    needed = {name for name in layers if name.partition(".")[0] not in new}
    if alone := sorted((needed - held) | (held - layers.keys())):
        whose = "the network" if alone[0] in layers else "the bundle"
        raise ValueError(f"{folder} is of a network of another shape: only {whose} has a layer {alone[0]}")
    norms = {id(a): b for a, b in pairwise(network.modules()) if isinstance(b, nn.BatchNorm2d)}
    with torch.no_grad():
        for name in held:
            layer = layers[name]
            if isinstance(layer, nn.LSTM):
                _load_recurrent(layer, stored.recurrent(name), name)
                continue
            weight, bias = stored.weight_and_bias(name)
            if orders and name in _CLASS_LAYERS:
                weight, bias = rows_in_order(weight, *orders), None if bias is None else rows_in_order(bias, *orders)
            _copy(layer.weight, weight, name)
            _set_shift(layer, norms.get(id(layer)), bias, name)


def rows_in_order(rows: NDArray[np.float32], known: Alphabet, wanted: Alphabet) -> NDArray[np.float32]:
    """Rows (F K, ...) of a head, the characters of `known` for each of F frames, in the order of `wanted`."""
    if wanted == known:
        return rows
    frames = rows.reshape(-1, len(known), *rows.shape[1:])
    mean = frames[:, 1:].mean(axis=1)
    numbers = [known.encode(character)[0] if character in known else None for character in wanted.characters]
    ordered = [frames[:, 0], *(mean if number is None else frames[:, number] for number in numbers)]
    return np.stack(ordered, axis=1).reshape(-1, *rows.shape[1:])


def calibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give batch normalisation the statistics of `batches`, (B, 1, H, W) each, without changing what is computed."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    sums: dict[int, Tensor] = {id(m): torch.zeros(3, m.num_features, dtype=torch.float64) for m in norms}

    def measure(module: nn.Module, inputs: Any) -> None:
        x = inputs[0].double()
        sums[id(module)] += torch.stack(
            [x.sum((0, 2, 3)), (x * x).sum((0, 2, 3)), torch.full((x.shape[1],), float(x[:, 0].numel()))]
        )

    hooks = [m.register_forward_pre_hook(measure) for m in norms]
    network.eval()
    with torch.no_grad():
        for images in batches:
            network(images)
        for hook in hooks:
            hook.remove()
        for norm in norms:
            total, squares, count = sums[id(norm)]
            mean = total / count
            variance = (squares / count - mean * mean).clamp_min(1e-4)
            norm.running_mean.copy_(mean)  # type: ignore[union-attr]
            norm.running_var.copy_(variance)  # type: ignore[union-attr]
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.add_(mean)
    network.train()


def _copy(parameter: Tensor, array: NDArray[np.float32], name: str) -> None:
    if tuple(parameter.shape) != array.shape:
        raise ValueError(
            f"layer {name} of the network has shape {tuple(parameter.shape)}, the one of the bundle {array.shape}"
        )
    parameter.copy_(torch.from_numpy(np.array(array)))


def _set_shift(layer: nn.Module, norm: nn.Module | None, shift: NDArray[np.float32] | None, name: str) -> None:
    """The bias of a layer, or of the batch normalisation behind it, which is left computing the identity."""
    if isinstance(norm, nn.BatchNorm2d):
        nn.init.zeros_(norm.running_mean)  # type: ignore[arg-type]
        nn.init.constant_(norm.running_var, 1 - norm.eps)  # type: ignore[arg-type]
        nn.init.ones_(norm.weight)
        _copy(norm.bias, np.zeros(norm.num_features, np.float32) if shift is None else shift, name)
    elif layer.bias is not None and shift is not None:
        _copy(layer.bias, shift, name)  # type: ignore[arg-type]


def _load_recurrent(lstm: nn.LSTM, layers: Sequence[tuple[NDArray[np.float32], ...]], name: str) -> None:
    """The layers of an LSTM, as `StoredLayers.recurrent` gives them."""
    if lstm.num_layers != len(layers):
        raise ValueError(f"{name} has {lstm.num_layers} layers, the one of the bundle {len(layers)}")
    for number, (kernel, recurrent, bias) in enumerate(layers):
        for direction, suffix in enumerate(["", "_reverse"][: 1 + lstm.bidirectional]):
            inner, outer = np.split(bias[direction], 2)
            for part, array in (
                ("weight_ih", kernel[direction]),
                ("weight_hh", recurrent[direction]),
                ("bias_ih", inner),
                ("bias_hh", outer),
            ):
                _copy(getattr(lstm, f"{part}_l{number}{suffix}"), _gates(array), name)


def _gates(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """From ONNX's order of gates (input, output, forget, cell) to PyTorch's (input, forget, cell, output)."""
    i, o, f, c = np.split(array, 4)
    return np.concatenate([i, f, c, o])
