"""Part `roofline` of cost.py: what the networks compute and move, how fast, and what bounds them.

After Williams, Waterman and Patterson, "Roofline: An Insightful Visual Performance Model for Multicore Architectures"
(CACM 2009): no more FLOP/s than the processor has, nor than bandwidth times arithmetic intensity (FLOP a byte).

The time of each node is what ONNX Runtime's profiler says, the mean of several runs; shapes come from there too. With
one thread a run's times are multiplied by the share of the processor that it had, so that what else the machine does
spoils them less. Peak and bandwidth are measured with NumPy (OpenBLAS) in a new process, all threads begin together,
the best of several rounds by processor time: float32 matrix products, and copies that pass through memory or stay in
the cache of a core (level 2, where it has a megabyte). The peak of 8-bit integers is that of ONNX Runtime's product of
matrices. Each part is compared with the peak of what it computes with.

FLOPs, a multiplication and an addition being two, from the graph as it stands in model.onnx:

- Conv, of integers too, to (N, C', H', W') with kernels (C', C, h, w): 2 N C' H' W' C h w
- LSTM over T steps of N lines, I inputs, H units, D directions: 2 D T N 4H (I + H)
- MatMul of (M, K) and (K, L): 2 M K L
- everything else: none counted.

Bytes: inputs, outputs and weights of each node as it is run (fused), once each. The recurrent weights of an
LSTM, 4H x H a direction, are needed anew at each step, as a step must wait for the one before; they come from the cache
if they fit, and count T times.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from text_recognizer.recognition.bundle import find_bundle

WIDTH, PAGE = 960, (1152, 832)  # input columns of a line of 900, and of an A4 page to the detector
THREADS = (1, 2)
CACHED, LARGE = 2**18, 2**25  # bytes of an array that is copied: level 2, and memory
PEAKS = """
import sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
threads, rounds, cached, large = map(int, sys.argv[1:])
pool = ThreadPoolExecutor(threads)
def rate(make, amount):
    together = threading.Barrier(threads)
    def work(number):
        run, rates = make(number), []
        for _ in range(rounds):
            together.wait()
            start = time.thread_time()
            run()
            rates.append(amount / (time.thread_time() - start))
        return rates
    return np.sum(list(pool.map(work, range(threads))), axis=0).max()
def product(number):
    a = np.random.default_rng(number).random((1024, 1024), np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, a, out=out)
def copy(size, times):
    def make(number):
        a, out = np.ones(size // 4, np.float32), np.zeros(size // 4, np.float32)
        return lambda: [np.copyto(out, a) for _ in range(times)]
    return rate(make, 2 * size * times)
print(rate(product, 2 * 1024**3), copy(large, 2), copy(cached, 500))
"""


_LSTMS = {"LSTM": 4, "DynamicQuantizeLSTM": 1}  # bytes of a weight
_SIZES = {"uint8": 1, "int8": 1, "float16": 2, "int64": 8}  # bytes; of others 4


@dataclass(frozen=True)
class Roof:
    """Peak FLOP/s, bytes a second from memory and from cache, peak of 8-bit integers, of some threads together."""

    peak: float
    memory: float
    cache: float
    integers: float


@dataclass
class Cost:
    """FLOPs, those of them that are of integers, bytes moved, and seconds, of one run."""

    flops: float = 0.0
    integers: float = 0.0
    bytes: float = 0.0
    seconds: float = 0.0

    def add(self, other: Cost) -> None:
        """Count another one too."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def peak(self, limit: Roof) -> float:
        """FLOP/s of a processor that is at its peak in all of it."""
        return self.flops / ((self.flops - self.integers) / limit.peak + self.integers / limit.integers)


def roof(threads: int, rounds: int) -> Roof:
    """What this machine can do; each thread has matrices and arrays of its own."""
    command = [sys.executable, "-c", PEAKS, *map(str, (threads, rounds, CACHED, LARGE))]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return Roof(*map(float, output.split()), integer_peak(threads, rounds))


def integer_peak(threads: int, rounds: int, side: int = 2048) -> float:
    """Operations a second of ONNX Runtime's product of matrices of unsigned and signed bytes, the best of rounds."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    given = helper.make_tensor_value_info("a", TensorProto.UINT8, [side, side])
    made = helper.make_tensor_value_info("c", TensorProto.INT32, [side, side])
    weights = numpy_helper.from_array(np.ones((side, side), np.int8), "b")
    product = helper.make_node("MatMulInteger", ["a", "b"], ["c"])
    graph = helper.make_graph([product], "product", [given], [made], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    matrix, seconds = np.ones((side, side), np.uint8), []
    for _ in range(rounds + 1):
        start = time.process_time()
        session.run(None, {"a": matrix})
        seconds.append((time.process_time() - start) / threads)
    return 2 * side**3 / min(seconds)


def profile(model: Path, shape: tuple[int, ...], threads: int, runs: int) -> list[list[dict]]:
    """The nodes of each run of a model on noise, as ONNX Runtime's profiler describes them, the first run left out."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    noise = (np.random.default_rng(0).random(shape) > 0.85).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        options.enable_profiling, options.profile_file_prefix = True, f"{folder}/nodes"
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        shares = [_share(lambda: session.run(None, {session.get_inputs()[0].name: noise})) for _ in range(1 + runs)]
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    found: list[list[dict]] = [[]]
    kernels = _kernels(model)
    for event in events:
        if event["name"] == "model_run":
            found.append([])
        elif event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            share = shares[len(found) - 1] if threads == 1 else 1.0
            found[-1].append({**event, "dur": event["dur"] * share})
            if event["args"]["op_name"] in ("Conv", "QLinearConv"):
                found[-1][-1]["kernels"] = next(
                    kernels[name] for name in kernels if event["name"].startswith(f"{name}_")
                )
    return found[1:-1]


def _kernels(model: Path) -> dict[str, tuple[int, ...]]:
    """The shapes (C', C, h, w) of the kernels of a model's convolutions, by the names of their nodes."""
    import onnx

    graph = onnx.load(model).graph
    shapes = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    for node in graph.node:  # weights that are expanded when the model is loaded
        if node.op_type in ("Cast", "Mul", "DequantizeLinear") and node.input[0] in shapes:
            shapes[node.output[0]] = shapes[node.input[0]]
    return {node.name: shapes[node.input[1]] for node in graph.node if node.op_type == "Conv"}


def _share(work: Callable[[], object]) -> float:
    """The share of a processor that this process has while it works, at most 1."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return min(1.0, (time.process_time() - used) / (time.perf_counter() - start))


def node_cost(node: dict) -> Cost:
    """FLOPs, bytes and seconds of a node of a profile."""
    given, made = (_bytes(node["args"][name]) for name in ("input_type_shape", "output_type_shape"))
    inputs, outputs = (
        [next(iter(shape.values())) for shape in node["args"][name]]
        for name in ("input_type_shape", "output_type_shape")
    )
    kind, seconds = node["args"]["op_name"], node["dur"] / 1e6
    if "kernels" in node:
        flops = 2 * math.prod(outputs[0]) * math.prod(node["kernels"][1:])
        given += math.prod(node["kernels"]) if kind == "QLinearConv" else 0  # packed beforehand
    elif kind in _LSTMS:  # its weights are packed beforehand, so the profile does not name them
        (steps, lines, width), (directions, units) = inputs[0], (outputs[0][1], outputs[0][3])
        flops = 2 * directions * steps * lines * 4 * units * (width + units)
        given = 4 * math.prod(inputs[0]) + _LSTMS[kind] * directions * 4 * units * (width + steps * units)
        made = 4 * math.prod(outputs[0])
    elif kind in ("MatMul", "FusedMatMul", "Gemm"):
        flops = 2 * math.prod(outputs[0]) * inputs[0][-1]
        given = 4 * (math.prod(inputs[0]) + inputs[0][-1] * outputs[0][-1])
    elif kind in ("Reshape", "Cast", "Shape"):  # views, and weights that are unpacked when the model is loaded
        flops = given = made = 0
    else:
        flops = 0
    return Cost(flops, flops if kind in ("QLinearConv", "DynamicQuantizeLSTM") else 0, given + made, seconds)


def _bytes(tensors: list[dict[str, list[int]]]) -> int:
    """Of tensors, each its type and its shape."""
    return sum(_SIZES.get(kind, 4) * math.prod(shape) for tensor in tensors for kind, shape in tensor.items())


def part_of(node: dict, number: int) -> str:
    """The part of the network that a node is in; number: of LSTMs so far."""
    kind = node["args"]["op_name"]
    if shape := node.get("kernels"):
        return f"convolution {shape[1]} to {shape[0]}" if shape[1] == 1 else f"convolutions to {shape[0]} channels"
    if kind in _LSTMS:
        return f"LSTM {number}"
    return "head" if "head" in node["name"] or kind in ("MatMul", "Gemm") else "the rest"


def by_part(nodes: list[dict]) -> dict[str, Cost]:
    """Costs of the parts of a network in the order in which they first come, `the rest` last."""
    parts: dict[str, Cost] = defaultdict(Cost)
    layers = 0
    for node in nodes:
        layers += node["args"]["op_name"] in _LSTMS
        parts[part_of(node, layers)].add(node_cost(node))
    return {name: parts[name] for name in sorted(parts, key=lambda name: name == "the rest")}


def average(runs: list[list[dict]]) -> list[dict]:
    """The nodes of a network, each with the mean of its times."""
    return [{**nodes[0], "dur": sum(node["dur"] for node in nodes) / len(nodes)} for nodes in zip(*runs, strict=True)]


def whole(model: Path, shape: tuple[int, ...], threads: int, runs: int) -> Cost:
    """All of a network."""
    total = Cost()
    for cost in by_part(average(profile(model, shape, threads, runs))).values():
        total.add(cost)
    return total


def machine_table(roofs: dict[int, Roof]) -> dict[str, Any]:
    """What the machine can do."""
    header = ["threads", "peak GFLOP/s, float32", "8-bit integers", "GB/s from memory", "GB/s from cache"]
    header += ["FLOP/byte where memory stops to bound, float32"]
    rows = [
        [n, r.peak / 1e9, r.integers / 1e9, r.memory / 1e9, r.cache / 1e9, r.peak / r.memory] for n, r in roofs.items()
    ]
    return {"title": "What the machine can do", "header": header, "rows": rows}


def parts_table(model: Path, limit: Roof, runs: int) -> dict[str, Any]:
    """The parts of the line network, which reads each line in a run of one thread: work, time, how near to the roof."""
    parts = by_part(average(profile(model, (1, 1, 64, WIDTH), 1, 8 * runs)))
    total = sum(cost.seconds for cost in parts.values())
    rows: list[list[Any]] = []
    for name, cost in parts.items():
        row = [name, cost.flops / 1e6, cost.bytes / 1e6, None]
        row += [1000 * cost.seconds, 100 * cost.seconds / total, None, None, None, None]
        if cost.flops:
            intensity, speed = cost.flops / cost.bytes, cost.flops / cost.seconds
            where, bandwidth = ("cache", limit.cache) if name.startswith("LSTM") else ("memory", limit.memory)
            peak = cost.peak(limit)
            height = min(peak, intensity * bandwidth)
            row[3], row[9] = intensity, "arithmetic" if height == peak else where
            row[6:9] = [speed / 1e9, 100 * speed / peak, 100 * speed / height]
        rows.append(row)
    header = ["part", "MFLOP a line", "MB a line", "FLOP/byte", "ms a line", "% of the time", "GFLOP/s", "% of peak"]
    header += ["% of the roof", "the roof is"]
    return {
        "title": f"The line network by parts, a line of {WIDTH} columns, one thread",
        "header": header,
        "rows": rows,
    }


def networks_table(roofs: dict[int, Roof], runs: int) -> dict[str, Any]:
    """Both networks as a whole."""
    page = (1, 1, *PAGE)
    rows: list[list[Any]] = []
    for name, shape, threads in [("lines", (1, 1, 64, WIDTH), 1), *(("detector", page, n) for n in THREADS)]:
        cost = whole(find_bundle(name) / "model.onnx", shape, threads, runs)
        speed = cost.flops / cost.seconds
        rows.append([
            name, " x ".join(map(str, shape)), threads, cost.flops / 1e9, cost.integers / 1e9, cost.bytes / 1e6,
            cost.flops / cost.bytes, 1000 * cost.seconds, speed / 1e9, 100 * speed / cost.peak(roofs[threads]),
        ])  # fmt: skip
    header = [
        "network",
        "input",
        "threads",
        "GFLOP",
        "of them of integers",
        "MB",
        "FLOP/byte",
        "ms",
        "GFLOP/s",
        "% of peak",
    ]
    return {"title": "Whole networks", "header": header, "rows": rows}


def measure(quick: bool) -> list[dict[str, Any]]:
    """The tables of this part."""
    runs = 2 if quick else 10
    roofs = {threads: roof(threads, 3 if quick else 20) for threads in THREADS}
    parts = parts_table(find_bundle("lines") / "model.onnx", roofs[1], runs)
    return [machine_table(roofs), parts, networks_table(roofs, runs)]
