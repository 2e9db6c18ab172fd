"""The weights in a bundle's ONNX graph, by the layer of the network that they belong to.

The exporter names each node after the module that made it, and quantisation keeps these names: "/cnn/cnn.2/first/Conv"
belongs to the layer `cnn.2.first`. Weights come back in single precision, in the shapes in which PyTorch holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Array = NDArray[np.float32]
LSTMS = ("LSTM", "DynamicQuantizeLSTM")
_PRODUCTS = ("Conv", "MatMul", "Gemm", "LayerNormalization", "MatMulInteger")


class StoredLayers:
    """The layers of a bundle whose weights it holds. within: of this part of the network only, named from there on."""

    def __init__(self, folder: Path, within: str = "") -> None:
        model = onnx.load(folder / "model.onnx")
        self._weights = _stored_weights(model)
        self._nodes: dict[str, list[onnx.NodeProto]] = {}
        start = f"{within}." if within else ""
        for node in model.graph.node:
            name = _layer_of(node.name)
            if name.startswith(start):
                self._nodes.setdefault(name.removeprefix(start), []).append(node)

    def names(self) -> set[str]:
        """The names of all layers; constant factors of the network itself are of none."""
        return {name for name, nodes in self._nodes.items() if name and any(map(self._is_weighted, nodes))}

    def weight_and_bias(self, name: str) -> tuple[Array, Array | None]:
        """Of a convolution, a linear layer or a layer normalisation."""
        nodes = self._nodes[name]
        node = next(node for node in nodes if self._is_weighted(node))
        weight = self._weights[node.input[1]]
        if node.op_type == "MatMulInteger":
            weight = (weight - self._weights[node.input[3]]) * self._weights[_scale_of(node)]
        if node.op_type.startswith("MatMul") or (node.op_type == "Gemm" and not _attribute(node, "transB")):
            weight = weight.T
        # A product has no bias of its own: the same layer adds it afterwards.
        after = [name for other in nodes if other.op_type == "Add" for name in other.input]
        own = list(node.input[2:]) if node.op_type in ("Conv", "Gemm", "LayerNormalization") else []
        return weight, next((self._weights[name] for name in own + after if name in self._weights), None)

    def recurrent(self, name: str) -> list[tuple[Array, Array, Array]]:
        """Of each layer of an LSTM with D directions: kernel (D, 4H, I), recurrent kernel (D, 4H, H), bias (D, 8H).

        The gates are in the order of ONNX: input, output, forget, cell.
        """
        return [self._recurrent(node) for node in self._nodes[name] if node.op_type in LSTMS]

    def _recurrent(self, node: onnx.NodeProto) -> tuple[Array, Array, Array]:
        kernel, recurrent, bias = (self._weights[name] for name in node.input[1:4])
        if node.op_type == "LSTM":
            return kernel, recurrent, bias
        # In integers the kernels are stored the other way round, with a scale and a zero point for each of their 4H
        # columns or for each direction.
        numbers = [self._weights[name].reshape(len(bias), 1, -1) for name in node.input[8:12]]
        whole = [(kernel - numbers[1]) * numbers[0], (recurrent - numbers[3]) * numbers[2]]
        kernel, recurrent = (np.ascontiguousarray(array.transpose(0, 2, 1)) for array in whole)
        return kernel, recurrent, bias

    def _is_weighted(self, node: onnx.NodeProto) -> bool:
        return node.op_type in (*LSTMS, *_PRODUCTS) and node.input[1] in self._weights


def _layer_of(node: str) -> str:
    """The layer that a node belongs to: "/cnn/cnn.2/first/first.0/Conv" -> "cnn.2.first.0".

    A layer in a sequence repeats the name of the sequence; ONNX Runtime adds to the end what it fused.
    """
    path: list[str] = []
    for part in node.split("/")[1:-1]:
        if part in _PRODUCTS:
            break
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    return ".".join(path)


def _scale_of(node: onnx.NodeProto) -> str:
    """The name of the scale of a product's weights in integers."""
    return f"{node.input[1].removesuffix('_quantized')}_scale"


def _attribute(node: onnx.NodeProto, name: str, default: int = 0) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)


def _stored_weights(model: onnx.ModelProto) -> dict[str, Array]:
    """What the graph computes from stored numbers alone: its weights, by name, float16 and bytes as float32."""
    values = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in _EXPANDED and all(name in values for name in node.input):
            axis = _attribute(node, "axis", default=1)
            values[node.output[0]] = _EXPANDED[node.op_type](axis, *(values[name] for name in node.input))
    return {name: array.astype(np.float32) for name, array in values.items()}


def _dequantized(axis: int, numbers: NDArray, scale: NDArray, zero: NDArray | None = None) -> Array:
    """DequantizeLinear; scale and zero are of the whole or of each slice along the axis."""
    across = [-1 if k == axis else 1 for k in range(numbers.ndim)]
    shape = across if scale.size > 1 else [1] * numbers.ndim
    shifted = numbers.astype(np.float32) - (0 if zero is None else zero.astype(np.float32).reshape(shape))
    return shifted * scale.reshape(shape)


_EXPANDED: dict[str, Callable[..., NDArray]] = {
    "Cast": lambda _, numbers: numbers.astype(np.float32),
    "Identity": lambda _, numbers: numbers,  # a weight that is the same as another one
    "Mul": lambda _, numbers, scale: numbers * scale,
    "DequantizeLinear": _dequantized,
}
