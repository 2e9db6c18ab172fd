"""Models that compute with 8-bit integers: smaller files, and faster where the processor multiplies bytes (VNNI).

Convolutions that a ReLU follows are quantised statically, their weights for each output channel (Jacob et al.,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018). LSTMs and
linear layers are quantised dynamically: the scale of what they take is found as it comes, for all lines of a run
together. So that a line reads the same beside any other, the bundle then says that each line wants a run of its own,
which costs nothing: the bytes of the weights are fetched fast enough for a single line. Other weights are stored as
bytes and computed with in single precision: those of the answers, which no byte holds beside their biases, and
depthwise convolutions, whose channels differ too much for one scale.
"""

from __future__ import annotations

import datetime
import json
import logging
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from text_recognizer.atomic_files import whole_folder
from text_recognizer.learning import tasks
from text_recognizer.learning.evaluation.calibration import RELIABILITY
from text_recognizer.learning.export.evaluate import check_measured, measure_bundle
from text_recognizer.learning.export.export import refuse_other_folders
from text_recognizer.learning.export.model_card import write_description
from text_recognizer.learning.export.onnx import HALF_FROM
from text_recognizer.learning.tasks.task import Batches
from text_recognizer.recognition.bundle import BundleError, bundle_task, file_hash, load_bundle

_OPERATORS = ["Conv", "Add", "Relu"]


def quantize_bundle(source: str | Path, output: Path, version: str = "1", measure: bool = True) -> Path:
    """Write a bundle of lines or of a detector in 8-bit integers to `output`, measured on val where asked.

    source: a bundle in float16, a shipped name or a folder; the data it learned from say how large its numbers
    get. The bundle appears whole or not at all. Raises BundleError for a bundle of another task, of several networks,
    or that computes with integers already, and FileNotFoundError where the data are missing.
    """
    task = bundle_task(source)
    quantizable = [name for name in tasks.names() if tasks.find(name).quantizable]
    if task not in quantizable:
        raise BundleError(f"{source} is for {task}: only bundles of {' and '.join(quantizable)} are quantised")
    bundle = load_bundle(source, task, tasks.find(task).normalization)
    if "members" in bundle.settings:
        raise BundleError(f"{source} is an ensemble: quantise its members, then put them together")
    if bundle.settings.get("precision") == "int8":
        raise BundleError(f"{source} computes with 8-bit integers already")
    refuse_other_folders(output, bundle.folder)
    if measure:
        check_measured(task)
    with whole_folder(output, replace=True) as partial:
        model = quantized(bundle.folder / "model.onnx", tasks.find(task).quantization_batches(bundle))
        (partial / "model.onnx").write_bytes(model)
        data = json.loads((bundle.folder / "bundle.json").read_text(encoding="utf-8"))
        data |= {"name": output.name, "version": version, "sha256": file_hash(partial / "model.onnx"), "scores": {}}
        if measure:  # it is fitted anew; else the one of the same weights in floating point still holds
            data["settings"].pop("calibration", None)
        data["settings"] |= {"precision": "int8"} | ({"batch": 1} if _depends_on_the_run(model) else {})
        data["provenance"] |= {"quantized_from": bundle.identity, "exported": datetime.date.today().isoformat()}
        if not measure and "calibration" in data["settings"] and (bundle.folder / RELIABILITY).is_file():
            shutil.copy(bundle.folder / RELIABILITY, partial)
        write_description(partial, data)
        if measure:
            measure_bundle(partial, task)
    return output


def quantized(path: Path, images: Batches) -> bytes:
    """An ONNX model that computes with 8-bit integers. images: (1, 1, H, W) float32 that it may meet."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    # It advises, as often as it is called, to do what `_write_plain` does.
    logging.getLogger().addFilter(lambda record: "pre-processing before quantization" not in record.getMessage())
    with tempfile.TemporaryDirectory() as folder:
        plain, whole = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
        name = _write_plain(path, plain)
        quantize_static(
            plain,
            whole,
            _reader(images, name),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_OPERATORS,
            nodes_to_exclude=_in_floating_point(plain),
            per_channel=True,
            # Without VNNI, sums of two products of whole bytes would not fit: weights get seven bits.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # What a branch of the graph takes keeps its ReLU; elsewhere it is left out when the model is loaded.
            extra_options={"QDQKeepRemovableActivations": True},
        )
        return packed(with_dynamic_layers(whole.read_bytes()))


def with_dynamic_layers(serialized: bytes) -> bytes:
    """An ONNX model whose LSTMs and linear layers compute with 8-bit integers; the same where it has none."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load_model_from_string(serialized)
    small = {weight.name for weight in model.graph.initializer if math.prod(weight.dims) < HALF_FROM}
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    left = {node.name for node in products if small & set(node.input)} | _last_products(model)
    if all(node.name in left for node in model.graph.node if node.op_type in ("LSTM", "MatMul")):
        return serialized
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        logging.getLogger().addFilter(lambda record: "already quantized" not in record.getMessage())  # others are
        quantize_dynamic(
            model,
            path,
            ["LSTM", "MatMul"],
            per_channel=True,
            reduce_range=True,  # seven bits, as above
            weight_type=QuantType.QInt8,
            nodes_to_exclude=sorted(left),
        )
        return path.read_bytes()


def _last_products(model: onnx.ModelProto) -> set[str]:
    """The names of the products that give the answers: nothing but sums follows them."""
    answers, found = {output.name for output in model.graph.output}, set()
    for node in reversed(model.graph.node):
        if not answers & set(node.output):
            continue
        if node.op_type == "MatMul":
            found.add(node.name)
        elif node.op_type in ("Add", "Reshape", "Transpose"):
            answers |= set(node.input)
    return found


def _depends_on_the_run(serialized: bytes) -> bool:
    """Whether scales are found for all images of a run together."""
    nodes = onnx.load_model_from_string(serialized).graph.node
    return any(node.op_type.startswith("DynamicQuantize") for node in nodes)


def _write_plain(path: Path, plain: Path) -> str:
    """Write the model with its weights in single precision, as the quantisation wants it; the name of its input."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(plain)
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.get_inputs()[0].name


def _in_floating_point(path: Path) -> list[str]:
    """What is not quantised statically: all but convolutions and sums of residual blocks that a ReLU follows, and ReLU.

    What no ReLU follows says what the network found. Weights of a class that never occurs are next to nothing beside
    its bias: no byte holds both.
    """
    graph = onnx.load(path).graph
    stored = {weight.name for weight in graph.initializer}
    nodes = [
        node
        for node in graph.node
        if node.op_type in ("Conv", "Relu") or (node.op_type == "Add" and not stored & set(node.input))
    ]
    followed: set[str] = set()
    for node in reversed(nodes):
        if node.op_type == "Relu" or node.output[0] in followed:
            followed |= set(node.input)
    integers: set[str] = set()
    for node in nodes:
        if node.input[0] in integers if node.op_type == "Relu" else node.output[0] in followed:
            integers.add(node.output[0])
    return [node.name for node in graph.node if node.op_type in _OPERATORS and node.output[0] not in integers]


def _reader(images: Batches, name: str) -> Any:
    """What the quantisation asks for inputs."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            image = next(images, None)
            return None if image is None else {name: image}

    return Reader()


def packed(serialized: bytes) -> bytes:
    """Store large weights as bytes, with a scale for each row, and expand them when the model is loaded."""
    model = onnx.load_model_from_string(serialized)
    expanded, scales = [], []
    for weight in model.graph.initializer:
        array = numpy_helper.to_array(weight)
        if array.dtype != np.float32 or array.size < HALF_FROM or array.ndim < 2:
            continue
        name, scale = weight.name, np.maximum(np.abs(array).max(axis=-1, keepdims=True), 1e-12) / 127
        weight.CopyFrom(numpy_helper.from_array(np.round(array / scale).astype(np.int8), f"{name}_bytes"))
        scales.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"))
        expanded.append(helper.make_node("Cast", [f"{name}_bytes"], [f"{name}_whole"], to=TensorProto.FLOAT))
        expanded.append(helper.make_node("Mul", [f"{name}_whole", f"{name}_scale"], [name]))
    nodes = expanded + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(scales)
    return model.SerializeToString()
