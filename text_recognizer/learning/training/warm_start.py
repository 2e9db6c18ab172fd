"""Start a training from a bundle's weights: what reading uses becomes, again, what learning goes on from.

A bundle holds the network as ONNX, with batch normalisation folded into the convolutions. Here the weights
go back into a fresh network of the same shape, and batch normalisation is undone: its statistics are measured
on real batches, its scale and shift chosen so that the network computes what the bundle computes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn


def load_bundle_weights(network: nn.Module, folder: Path) -> None:
    """Copy the weights of the bundle in `folder` into `network`, convolutions and LSTMs in the order of the graph.

    Batch normalisation is left computing the identity and the folded shift: follow with `calibrate`. Layers
    that the bundle does not hold (the shortcut head is for training only) stay as they are. Raises ValueError
    where a layer has another shape than the bundle's.
    """
    model = onnx.load(folder / "model.onnx")
    weights = {_plain(w.name): numpy_helper.to_array(w).astype(np.float32) for w in model.graph.initializer}
    modules = list(network.modules())
    convolutions = [m for m in modules if isinstance(m, nn.Conv2d)]
    norms = {id(a): b for a, b in pairwise(modules) if isinstance(b, nn.BatchNorm2d)}
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    if len(nodes) != len(convolutions):
        raise ValueError(f"{folder} has {len(nodes)} convolutions, the network {len(convolutions)}")
    with torch.no_grad():
        for node, convolution in zip(nodes, convolutions, strict=True):
            _copy(convolution.weight, weights[node.input[1]])
            shift = weights[node.input[2]] if len(node.input) > 2 else None
            _set_shift(convolution, norms.get(id(convolution)), shift)
        _load_recurrent(network, [n for n in model.graph.node if n.op_type == "LSTM"], weights)
        if isinstance(getattr(network, "head", None), nn.Linear):
            product = next(n for n in reversed(model.graph.node) if n.op_type == "MatMul")
            _copy(network.head.weight, weights[product.input[1]].T)  # type: ignore[union-attr, arg-type]
            _copy(network.head.bias, weights["head.bias"])  # type: ignore[union-attr, arg-type]


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


def _plain(name: str) -> str:
    """Weights stored in half precision carry it in their name; the graph knows them without."""
    return name.removesuffix("_half")


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
            _, kernel, recurrent, bias = next(remaining).input[:4]
            for direction, suffix in enumerate(["", "_reverse"][: 1 + lstm.bidirectional]):
                _copy(getattr(lstm, f"weight_ih_l{layer}{suffix}"), _gates(weights[kernel][direction]))
                _copy(getattr(lstm, f"weight_hh_l{layer}{suffix}"), _gates(weights[recurrent][direction]))
                both = np.split(weights[bias][direction], 2)
                _copy(getattr(lstm, f"bias_ih_l{layer}{suffix}"), _gates(both[0]))
                _copy(getattr(lstm, f"bias_hh_l{layer}{suffix}"), _gates(both[1]))


def _gates(array: NDArray[np.float32]) -> NDArray[np.float32]:
    i, o, f, c = np.split(array, 4)
    return np.concatenate([i, f, c, o])
