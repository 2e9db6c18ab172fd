"""Weights of ONNX models in half precision."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HALF_FROM = 256  # weights with fewer entries stay in single precision


def halved(serialized: bytes) -> bytes:
    """Store large weights as float16 and cast them back when the model is loaded: half the file, the same speed."""
    model = onnx.load_model_from_string(serialized)
    casts = []
    for weight in model.graph.initializer:
        array = numpy_helper.to_array(weight)
        if array.dtype != np.float32 or array.size < HALF_FROM:
            continue
        name, half = weight.name, array.astype(np.float16)
        if not np.isfinite(half).all():
            continue  # too large for half precision: stays as it is
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model.SerializeToString()
