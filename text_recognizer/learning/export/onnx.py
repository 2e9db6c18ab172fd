"""A network as an ONNX model, compared with the network that it was made of.

Large weights of ONNX models are stored as float16.

Attention networks as ONNX: `model.onnx`, the image to keys and values, and `decoder.onnx`, one step of reading.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from text_recognizer.learning.networks.image_to_sequence import ImageToSequence, grid
from text_recognizer.recognition.bundle import file_hash
from text_recognizer.recognition.text.ctc import softmax

_PARITY = 1e-3  # largest difference that counts as the same
_ROUNDING = 1e-3  # what float16 may change in the mean

HALF_FROM = 256  # weights with fewer entries stay in single precision

_DECODER_PARITY = 2e-3  # largest difference of probabilities or places (in cells) that counts as the same
_STEPS = 12  # of the comparison
_INPUTS = ["tokens", "places", "past", "memory", "hidden", "grid"]
_OUTPUTS = ["logits", "next_places", "next_past"]


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

    Of probabilities for logits, of core probabilities and of the logarithm of extents for maps. Raises
    ValueError where it is not small, or no number.
    """
    worst = max(float(found.max()) for found in _differences(network, model))
    if not worst <= _PARITY:  # so that NaN fails too
        raise ValueError(f"the ONNX model differs from the network by {worst:.4f}")
    return worst


def check_float16(network: nn.Module, model: bytes) -> float:
    """The same for a model with float16 weights, whose mean differences are to be small; the largest of these.

    Where a network wavers between two answers, as it does on noise, a single probability may move a good deal. What
    the rounding costs in reading is in the scores, which are those of the rounded model.
    """
    worst = max(float(found.mean()) for found in _differences(network, model))
    if not worst <= _ROUNDING:
        raise ValueError(f"float16 weights change the network's answers by {worst:.4f} in the mean")
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


def to_half(serialized: bytes) -> bytes:
    """Store large weights as float16 and cast them back when the model is loaded: half the file, the same speed."""
    model = onnx.load_model_from_string(serialized)
    casts = []
    for weight in model.graph.initializer:
        array = numpy_helper.to_array(weight)
        if array.dtype != np.float32 or array.size < HALF_FROM:
            continue
        name, half = weight.name, array.astype(np.float16)
        if not np.isfinite(half).all():
            continue  # too large for float16: stays as it is
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model.SerializeToString()


class DecoderStep(nn.Module):
    """One step of a network's decoder as a module of its own, for the exporter."""

    def __init__(self, network: ImageToSequence) -> None:
        super().__init__()
        self.decoder = network.decoder

    def forward(
        self, tokens: Tensor, places: Tensor, past: Tensor, memory: Tensor, hidden: Tensor, cells: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `TransformerDecoder.step`."""
        return self.decoder.step(tokens, places, past, memory, hidden, cells)


def decoder_to_onnx(network: ImageToSequence) -> bytes:
    """One step as ONNX; the batch, the text so far and the cells are free."""
    memory = _memory(network, 2, network.cell[0], 4 * network.cell[1])
    tokens, places, past = network.decoder.begin(2)
    past = torch.rand(*past.shape[:4], 3, past.shape[5])
    hidden = torch.zeros(2, memory.shape[4], dtype=torch.bool)
    free = {
        "tokens": {0: "batch"},
        "places": {0: "batch"},
        "past": {0: "batch", 4: "before"},
        "memory": {0: "batch", 4: "cells"},
        "hidden": {0: "batch", 1: "cells"},
        "grid": {0: "cells"},
        "logits": {0: "batch"},
        "next_places": {0: "batch"},
        "next_past": {0: "batch", 4: "after"},
    }
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            DecoderStep(network).eval(),
            (tokens, places, past, memory, hidden, torch.rand(memory.shape[4], 2)),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            input_names=_INPUTS,
            output_names=_OUTPUTS,
            dynamic_axes=free,
            opset_version=17,
        )
    return buffer.getvalue()


@torch.no_grad()
def check_steps(network: ImageToSequence, encoder: bytes, decoder: bytes) -> float:
    """Compare reading by ONNX with all steps at once by the network, at three sizes; the largest difference.

    Of probabilities and of places, in cells. Raises ValueError where it is not small, or no number.
    """
    sessions = [onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]) for model in (encoder, decoder)]
    worst = 0.0
    for batch, width in ((1, 2), (3, 7), (2, 20)):
        size = getattr(network, "height", network.cell[0] * batch), network.cell[1] * width
        images = torch.rand(batch, 1, *size, generator=torch.Generator().manual_seed(width))
        difference = _compare(network, images, *sessions)
        if not difference <= _DECODER_PARITY:  # so that NaN fails too
            raise ValueError(f"the ONNX decoder differs from the network by {difference:.4f} at width {width} cells")
        worst = max(worst, difference)
    return worst


def _compare(
    network: ImageToSequence,
    images: Tensor,
    encoder: onnxruntime.InferenceSession,
    decoder: onnxruntime.InferenceSession,
) -> float:
    """The largest difference over some steps with random tokens, the last cells of all images but the first hidden."""
    shape = network.cells((-(-images.shape[2] // network.stride[0]), -(-images.shape[3] // network.stride[1])))
    cells, count = grid(*shape), shape[0] * shape[1]
    hidden = torch.zeros(len(images), count, dtype=torch.bool)
    hidden[1:, count // 2 + 1 :] = True
    tokens = torch.randint(0, network.decoder.config.classes, (len(images), _STEPS))
    tokens[:, 0] = 0
    inputs: dict[str, Any] = {"memory": encoder.run(None, {"image": images.numpy()})[0]}
    inputs |= {"hidden": hidden.numpy(), "grid": cells.numpy()}
    _, places, past = (part.numpy() for part in network.decoder.begin(len(images)))
    told, answers = [], []
    for step in range(_STEPS):
        told.append(places)
        own = inputs | {"tokens": tokens[:, step].numpy(), "places": places, "past": past}
        logits, places, past = decoder.run(None, {name: own[name] for name in _INPUTS if name in _names(decoder)})
        answers.append(logits)
    expected, _ = network.decoder(tokens, torch.from_numpy(np.stack(told, 1)), network(images), hidden)
    found = torch.from_numpy(np.stack(answers, 1))
    return float((found.softmax(-1) - expected.softmax(-1)).abs().max())


def _names(session: onnxruntime.InferenceSession) -> set[str]:
    return {given.name for given in session.get_inputs()}


def _memory(network: ImageToSequence, batch: int, height: int, width: int) -> Tensor:
    with torch.no_grad():
        return cast(Tensor, network(torch.rand(batch, 1, getattr(network, "height", height), width)))


def write_decoder(folder: Path, network: ImageToSequence, encoder: bytes) -> dict[str, Any]:
    """Write decoder.onnx beside the bundle's model.onnx, checked; what the bundle's settings say of it."""
    model = decoder_to_onnx(network)
    check_steps(network, encoder, model)
    (folder / "decoder.onnx").write_bytes(to_half(model))
    config = network.decoder.config
    return {
        "sha256": file_hash(folder / "decoder.onnx"),
        "layers": config.layers,
        "heads": config.heads,
        "width": config.width,
    }
