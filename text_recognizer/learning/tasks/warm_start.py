"""Start a training from a bundle's weights: what reading uses becomes, again, what learning goes on from.

A bundle holds the network as ONNX, with batch normalisation folded into the convolutions. Here the weights
go back into a fresh network of the same shape, and batch normalisation is undone: its statistics are measured
on real batches, its scale and shift chosen so that the network computes what the bundle computes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from text_recognizer.alphabet import Alphabet


def bundle_alphabet(folder: Path) -> Alphabet:
    """The alphabet of the line recogniser in a folder."""
    return Alphabet(json.loads((folder / "bundle.json").read_text(encoding="utf-8"))["settings"]["alphabet"])


def load_bundle_weights(network: nn.Module, folder: Path, alphabet: Alphabet | None = None) -> None:
    """Copy the weights of the bundle in `folder` into `network`, convolutions and LSTMs in the order of the graph.

    alphabet: of the network, by default the bundle's; characters that the bundle does not know begin as the mean of
    those that it knows.

    Batch normalisation is left computing the identity and the folded shift: follow with `calibrate`. Layers
    that the bundle does not hold (the shortcut head is for training only) stay as they are. Raises ValueError
    where a layer has another shape than the bundle's.
    """
    model = onnx.load(folder / "model.onnx")
    weights = _stored_weights(model)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    if len(nodes) != len(convolutions):
        raise ValueError(f"{folder} has {len(nodes)} convolutions, the network {len(convolutions)}")
    with torch.no_grad():
        _load_convolutions(network, nodes, weights)
        _load_recurrent(network, [n for n in model.graph.node if n.op_type in _LSTMS], weights)
        if isinstance(getattr(network, "head", None), nn.Linear):
            product = next(n for n in reversed(model.graph.node) if n.op_type == "MatMul")
            for parameter, rows in (("weight", weights[product.input[1]].T), ("bias", weights["head.bias"])):
                rows = rows if alphabet is None else _in_order(rows, bundle_alphabet(folder), alphabet)
                _copy(getattr(network.head, parameter), rows)


def _in_order(rows: NDArray[np.float32], known: Alphabet, wanted: Alphabet) -> NDArray[np.float32]:
    """Rows (F K, ...) of a head, the characters of `known` for each of F frames, in the order of `wanted`."""
    if wanted == known:
        return rows
    frames = rows.reshape(-1, len(known), *rows.shape[1:])
    mean = frames[:, 1:].mean(axis=1)
    numbers = [known.encode(character)[0] if character in known else None for character in wanted.characters]
    ordered = [frames[:, 0], *(mean if number is None else frames[:, number] for number in numbers)]
    return np.stack(ordered, axis=1).reshape(-1, *rows.shape[1:])


def load_bundle_cnn(cnn: nn.Module, folder: Path) -> None:
    """Copy the first convolutions of the bundle in `folder` into `cnn`, which then computes what they compute.

    Raises ValueError where they have other shapes.
    """
    model = onnx.load(folder / "model.onnx")
    weights = _stored_weights(model)
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    with torch.no_grad():
        _load_convolutions(cnn, nodes, weights)


def _load_convolutions(
    network: nn.Module, nodes: list[onnx.NodeProto], weights: dict[str, NDArray[np.float32]]
) -> None:
    """Convolutions in the order of the graph, the shifts of folded batch normalisation with them."""
    modules = list(network.modules())
    norms = {id(a): b for a, b in pairwise(modules) if isinstance(b, nn.BatchNorm2d)}
    convolutions = [m for m in modules if isinstance(m, nn.Conv2d)]
    if len(nodes) < len(convolutions):
        raise ValueError(f"the bundle has {len(nodes)} convolutions, the network {len(convolutions)}")
    for node, convolution in zip(nodes, convolutions, strict=False):
        _copy(convolution.weight, weights[node.input[1]])
        shift = weights[node.input[2]] if len(node.input) > 2 else None
        _set_shift(convolution, norms.get(id(convolution)), shift)


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


def _stored_weights(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """What the graph computes from stored numbers alone: its weights, by name, halves and bytes as single precision."""
    values = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in _EXPANDED and all(name in values for name in node.input):
            axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
            values[node.output[0]] = _EXPANDED[node.op_type](axis, *(values[name] for name in node.input))
    return {name: array.astype(np.float32) for name, array in values.items()}


def _dequantized(axis: int, numbers: NDArray, scale: NDArray, zero: NDArray | None = None) -> NDArray[np.float32]:
    """DequantizeLinear; scale and zero are of the whole or of each slice along the axis."""
    across = [-1 if k == axis else 1 for k in range(numbers.ndim)]
    shape = across if scale.size > 1 else [1] * numbers.ndim
    shifted = numbers.astype(np.float32) - (0 if zero is None else zero.astype(np.float32).reshape(shape))
    return shifted * scale.reshape(shape)


_LSTMS = ("LSTM", "DynamicQuantizeLSTM")

_EXPANDED: dict[str, Callable[..., NDArray]] = {
    "Cast": lambda _, numbers: numbers.astype(np.float32),
    "Identity": lambda _, numbers: numbers,  # a weight that is the same as another one
    "Mul": lambda _, numbers, scale: numbers * scale,
    "DequantizeLinear": _dequantized,
}


def _copy(parameter: Tensor, array: NDArray[np.float32]) -> None:
    if tuple(parameter.shape) != array.shape:
        raise ValueError(f"a layer of the network has shape {tuple(parameter.shape)}, the bundle's {array.shape}")
    parameter.copy_(torch.from_numpy(np.array(array)))


def _set_shift(convolution: nn.Conv2d, norm: nn.Module | None, shift: NDArray[np.float32] | None) -> None:
    if isinstance(norm, nn.BatchNorm2d):
        nn.init.zeros_(norm.running_mean)  # type: ignore[arg-type]
        nn.init.constant_(norm.running_var, 1 - norm.eps)  # type: ignore[arg-type]
        nn.init.ones_(norm.weight)
        _copy(norm.bias, np.zeros(norm.num_features, np.float32) if shift is None else shift)
    elif convolution.bias is not None and shift is not None:
        _copy(convolution.bias, shift)


def _load_recurrent(network: nn.Module, nodes: list[onnx.NodeProto], weights: dict[str, NDArray[np.float32]]) -> None:
    """The LSTM layers: ONNX orders the gates input, output, forget, cell; PyTorch input, forget, cell, output."""
    lstms = [m for m in network.modules() if isinstance(m, nn.LSTM)]
    if sum(m.num_layers for m in lstms) != len(nodes):
        raise ValueError(f"the bundle has {len(nodes)} LSTM layers, the network another number")
    remaining = iter(nodes)
    for lstm in lstms:
        for layer in range(lstm.num_layers):
            kernel, recurrent, bias = _recurrent_weights(next(remaining), weights)
            for direction, suffix in enumerate(["", "_reverse"][: 1 + lstm.bidirectional]):
                _copy(getattr(lstm, f"weight_ih_l{layer}{suffix}"), _gates(kernel[direction]))
                _copy(getattr(lstm, f"weight_hh_l{layer}{suffix}"), _gates(recurrent[direction]))
                both = np.split(bias[direction], 2)
                _copy(getattr(lstm, f"bias_ih_l{layer}{suffix}"), _gates(both[0]))
                _copy(getattr(lstm, f"bias_hh_l{layer}{suffix}"), _gates(both[1]))


def _recurrent_weights(node: onnx.NodeProto, weights: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Kernel (D, 4H, I), recurrent kernel (D, 4H, H) and bias (D, 8H) of a layer of D directions.

    In integers the kernels are stored the other way round, with a scale and a zero point for each of their 4H columns
    or for each direction.
    """
    kernel, recurrent, bias = (weights[name] for name in node.input[1:4])
    if node.op_type == "LSTM":
        return [kernel, recurrent, bias]
    numbers = [weights[name].reshape(len(bias), 1, -1) for name in node.input[8:12]]
    whole = [(kernel - numbers[1]) * numbers[0], (recurrent - numbers[3]) * numbers[2]]
    return [*(np.ascontiguousarray(array.transpose(0, 2, 1)) for array in whole), bias]


def _gates(array: NDArray[np.float32]) -> NDArray[np.float32]:
    i, o, f, c = np.split(array, 4)
    return np.concatenate([i, f, c, o])
