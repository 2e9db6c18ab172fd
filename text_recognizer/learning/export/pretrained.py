"""A line recogniser that others have trained, PP-OCRv6 small, as a bundle that a training can start from.

The weights come from a package that is installed beside this one; nothing is downloaded. Its graph holds the layers of
`lcnet-svtr` in their order, with the trunk's batch normalisation folded in; here the neck's is folded too, the three
input channels, which always show the same, become one, and the head keeps the characters of our alphabet only.
"""

from __future__ import annotations

import datetime
import importlib.util
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from text_recognizer.alphabet import CHARACTERS, Alphabet
from text_recognizer.atomic_files import whole_folder
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning import networks
from text_recognizer.learning.export.export import refuse_other_folders, write_bundle
from text_recognizer.learning.networks.lcnet_svtr import LCNetSVTR, LCNetSVTRConfig
from text_recognizer.learning.tasks.warm_start import rows_in_order
from text_recognizer.recognition.bundle import file_hash
from text_recognizer.recognition.text.line_geometry import LineGeometry

NAMES = ("pp-ocrv6",)
_PACKAGE, _FILE = "rapidocr", "models/PP-OCRv6_rec_small.onnx"
_SHA256 = "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"
_INSTALL = 'pip install "text-recognizer[pretrained]"'

#: What a card says of weights that began here.
ORIGIN = {
    "name": "PP-OCRv6 small (text recognition)",
    "license": "Apache-2.0",
    "copyright": "Baidu and/or the applicable PaddleOCR rights holders",
    "source": "https://github.com/PaddlePaddle/PaddleOCR",
    "package": "rapidocr 3.10, which converted the weights to ONNX",
    "file": _FILE,
    "sha256": _SHA256,
    "changes": "the neck's batch normalisation folded, the three input channels summed, the head cut to the alphabet, "
    "the average pooling over columns left out",
}

Array = NDArray[np.float32]


def import_pretrained(name: str, output: Path, more_characters: str = "") -> Path:
    """Write the bundle of a pre-trained line recogniser to `output`, where `start_from` finds it.

    name: one of `NAMES`. more_characters: to be kept beside the usual ones. The bundle appears whole or not at all.
    Raises ValueError for an unknown name or a file that is not the known one, FileNotFoundError where the package is
    not installed, and FileExistsError where `output` holds something else than a bundle.
    """
    if name not in NAMES:
        raise ValueError(f"unknown pre-trained model {name!r}; there are: {', '.join(NAMES)}")
    refuse_other_folders(output)
    network, known = pp_ocrv6(weights_file())
    alphabet = Alphabet(dict.fromkeys(CHARACTERS + more_characters))
    network = with_alphabet(network, known, alphabet)
    geometry = LineGeometry(columns_per_frame=networks.columns_per_frame(network))
    identity = {"name": output.name, "task": "lines", "version": "1", "normalization": NORMALIZATION_VERSION}
    settings = {
        "alphabet": "".join(alphabet.characters),
        "geometry": asdict(geometry),
        "temperature": 1.0,
        "language": "language",
        "detector": "detector",
    }
    with whole_folder(output, replace=True) as partial:
        write_bundle(partial, network, identity, settings, _provenance(name, network))
    return output


def _provenance(name: str, network: nn.Module) -> dict[str, Any]:
    return {
        "experiment": {
            "task": "lines",
            "name": name,
            "network": {"name": "lcnet-svtr", "fields": {"hidden": 0}},
            "data": {"train": []},
        },
        "pretrained": ORIGIN,
        "epochs": 0,
        "steps": 0,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "exported": datetime.date.today().isoformat(),
    }


def weights_file() -> Path:
    """The file of the weights. Raises FileNotFoundError where it is not installed, ValueError where it is another."""
    package = importlib.util.find_spec(_PACKAGE)  # which is not imported: it would want packages that nobody uses here
    folders = package.submodule_search_locations if package else None
    path = next((path for folder in folders or [] if (path := Path(folder) / _FILE).is_file()), None)
    if path is None:
        raise FileNotFoundError(f"the weights of PP-OCRv6 are in a package that is not installed: {_INSTALL}")
    if (found := file_hash(path)) != _SHA256:
        raise ValueError(f"{path} holds other weights (SHA-256 {found}) than those known here: {_INSTALL}")
    return path


def pp_ocrv6(path: Path) -> tuple[LCNetSVTR, Alphabet]:
    """PP-OCRv6 small with its own classes and without an LSTM, and the characters of the classes.

    Where it averages its features over pairs of columns, the network does not.
    """
    model = onnx.load(path)
    characters = next(entry.value for entry in model.metadata_props if entry.key == "character").split("\n")
    alphabet = Alphabet([*characters, " "])
    network = LCNetSVTR(LCNetSVTRConfig(classes=len(alphabet), hidden=0))
    norms = [layer for layer in network.modules() if isinstance(layer, nn.LayerNorm)]
    others = [layer for layer in network.modules() if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        for layers, stored in ((others, _products(model)), (norms, _normalizations(model))):
            for layer, (weight, bias) in zip(layers, stored, strict=True):
                _put(layer.weight, weight)
                _put(layer.bias, bias)  # type: ignore[arg-type]
    return network.eval(), alphabet


def with_alphabet(network: LCNetSVTR, known: Alphabet, wanted: Alphabet) -> LCNetSVTR:
    """The network with a head for the alphabet `wanted`; characters not in `known` begin as the mean of those in it."""
    state = network.state_dict()
    for name in ("head.weight", "head.bias"):
        state[name] = torch.from_numpy(rows_in_order(state[name].numpy(), known, wanted))
    smaller = LCNetSVTR(replace(network.config, classes=len(wanted)))
    smaller.load_state_dict(state)
    return smaller.eval()


def _put(parameter: torch.Tensor, array: Array) -> None:
    """Into a parameter; a kernel of one row or one pixel may have fewer dimensions there."""
    squeezed = [size for size in array.shape if size > 1]
    if squeezed != [size for size in parameter.shape if size > 1]:
        raise ValueError(f"the pre-trained network has a layer {array.shape} where {tuple(parameter.shape)} is wanted")
    parameter.copy_(torch.tensor(array.reshape(parameter.shape)))


def _products(model: onnx.ModelProto) -> Iterator[tuple[Array, Array]]:
    """Weight and bias of the convolutions and linear layers in the order of the graph, as PyTorch stores them."""
    values = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    readers = {name: node for node in model.graph.node for name in node.input}
    for node in model.graph.node:
        if node.op_type not in ("Conv", "MatMul") or node.input[1] not in values:
            continue
        weight = values[node.input[1]]
        if node.op_type == "MatMul":
            weight = weight.T
        elif node.input[0] == model.graph.input[0].name:
            weight = weight.sum(axis=1, keepdims=True)  # the three channels are the same picture
        after = readers[node.output[0]]
        if after.op_type == "BatchNormalization":
            scale, shift, mean, variance = (values[name] for name in after.input[1:])
            epsilon = next(attribute.f for attribute in after.attribute if attribute.name == "epsilon")
            factor = scale / np.sqrt(variance + epsilon)
            yield weight * factor[:, None, None, None], shift - mean * factor
        else:
            yield weight, values[after.input[1]].ravel()


def _normalizations(model: onnx.ModelProto) -> Iterator[tuple[Array, Array]]:
    """Scale and shift of the layer normalisations, which are the only ones that multiply by a stored vector."""
    values = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    readers = {name: node for node in model.graph.node for name in node.input}
    for node in model.graph.node:
        if node.op_type == "Mul" and values.get(node.input[1], np.zeros(1)).size > 1:
            yield values[node.input[1]], values[readers[node.output[0]].input[1]]
