"""A network as an ONNX model, compared with the network that it was made of."""

from __future__ import annotations

import io
import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from text_recognizer.recognition.decoding import softmax

_PARITY = 1e-3  # largest difference that counts as the same
_ROUNDING = 1e-3  # what half precision may change in the mean


def to_onnx(network: nn.Module) -> bytes:
    """The network as ONNX, batch, height and width free (of networks with a fixed input size only the batch).

    The classic exporter is used: it writes bidirectional LSTMs as one operator each.
    """
    buffer = io.BytesIO()
    size = _input_size(network)
    free = {0: "batch"} if size else {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.rand(2, 1, *(size or (64, 128))),),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            input_names=["image"],
            output_names=["output"],
            dynamic_axes={"image": free, "output": {0: "batch"}},
            opset_version=17,
        )
    return buffer.getvalue()


def _input_size(network: nn.Module) -> tuple[int, int] | None:
    """Height and width of the images of a network that takes one size only."""
    return getattr(network, "input_size", None)


def check_parity(network: nn.Module, model: bytes) -> float:
    """Compare the ONNX model with the network at several batches and widths; the largest difference.

    Of probabilities for logits, of core probabilities and of the logarithm of reaches for maps. Raises
    ValueError where it is not small, or no number.
    """
    worst = max(float(found.max()) for found in _differences(network, model))
    if not worst <= _PARITY:  # so that NaN fails too
        raise ValueError(f"the ONNX model differs from the network by {worst:.4f}")
    return worst


def check_halves(network: nn.Module, model: bytes) -> float:
    """The same for a model in half precision, whose mean differences are to be small; the largest of these.

    Where a network wavers between two answers, as it does on noise, a single probability may move a good deal. What
    the rounding costs in reading is in the scores, which are those of the rounded model.
    """
    worst = max(float(found.mean()) for found in _differences(network, model))
    if not worst <= _ROUNDING:
        raise ValueError(f"half precision changes the network's answers by {worst:.4f} in the mean")
    return worst


def _differences(network: nn.Module, model: bytes) -> list[NDArray[np.floating]]:
    """What the ONNX model answers differently from the network, at several batches and widths."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    differences = []
    for batch, width in ((1, 64), (2, 192), (5, 640), (1, 2048)):
        size = _input_size(network) or (64, width)
        images = torch.rand(batch, 1, *size, generator=torch.Generator().manual_seed(width))
        with torch.inference_mode():
            expected = _comparable(network(images).numpy())
        found = _comparable(session.run(None, {name: images.numpy()})[0])
        if expected.shape != found.shape:
            raise ValueError(f"ONNX gives shape {found.shape} where the network gives {expected.shape}")
        differences.append(np.abs(expected - found))
    return differences


def _comparable(outputs: NDArray[np.float32]) -> NDArray[np.floating]:
    """Outputs on a scale on which a difference means the same everywhere."""
    if outputs.ndim in (2, 3):
        return softmax(outputs)
    if outputs.ndim == 6:  # keys and values
        return outputs
    core = 1 / (1 + np.exp(-outputs[:, :1]))
    return np.concatenate([core, np.log1p(outputs[:, 1:])], axis=1)
