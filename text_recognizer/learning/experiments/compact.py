"""The numbers of a training in few bytes: six for each parameter, where a checkpoint has sixteen.

Weights are kept as float16, their average as a float16 difference from them. What Adam remembers takes a byte each, in
blocks that have a scale of their own (Dettmers et al., "8-bit Optimizers via Block-wise Quantization", ICLR 2022): the
root of the second moment on a logarithmic scale, so that none becomes zero, and the ratio of the first moment to that
root, which is the step that Adam takes. So the error of a step is small beside the largest step of its block.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray]
_BLOCK = 2048  # values with one scale
_STEPS = 127  # of the ratio, to either side
_LEVELS = 255  # of the root; a byte of zero is a root of zero
_LARGEST = float(np.finfo(np.float16).max)


def fits(values: NDArray) -> bool:
    """Whether float16 can hold them."""
    return values.dtype == np.float32 and bool(np.all(np.abs(values) <= _LARGEST))


def pack_weights(weights: NDArray[np.float32], averaged: NDArray[np.float32]) -> Arrays:
    """(N,) each, all within float16."""
    half = weights.astype(np.float16)
    return {"weights": half, "average": (averaged - half.astype(np.float32)).astype(np.float16)}


def unpack_weights(packed: Mapping[str, NDArray]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The weights and their average, (N,) each."""
    weights = packed["weights"].astype(np.float32)
    return weights, weights + packed["average"].astype(np.float32)


def pack_moments(first: NDArray[np.float32], second: NDArray[np.float32]) -> Arrays:
    """Adam's moments, (N,) each, none of `second` negative."""
    root = _blocks(np.sqrt(second))
    moved = root > 0
    logarithm = np.log(root, out=np.full_like(root, np.nan), where=moved)
    low = np.where(moved, logarithm, np.inf).min(axis=1, keepdims=True)
    high = np.where(moved, logarithm, -np.inf).max(axis=1, keepdims=True)
    low, high = (np.where(np.isfinite(end), end, 0).astype(np.float32) for end in (low, high))
    share = (logarithm - low) / np.maximum(high - low, 1e-9)
    root_bytes = np.where(moved, 1 + np.round(np.nan_to_num(share) * (_LEVELS - 1)), 0).astype(np.uint8)
    ratio = np.divide(_blocks(first), root, out=np.zeros_like(root), where=moved)
    scale = np.maximum(np.abs(ratio).max(axis=1, keepdims=True), 1e-12) / _STEPS
    return {
        "root": root_bytes.ravel()[: len(first)],
        "root_range": np.concatenate([low, high], axis=1),
        "ratio": np.round(ratio / scale).astype(np.int8).ravel()[: len(first)],
        "ratio_scale": scale.astype(np.float32),
    }


def unpack_moments(packed: Mapping[str, NDArray]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The first and second moments, (N,) each."""
    codes, (low, high) = _blocks(packed["root"]), np.split(packed["root_range"], 2, axis=1)
    share = (codes.astype(np.float32) - 1) / (_LEVELS - 1)
    root = np.where(codes > 0, np.exp(low + share * (high - low)), 0).astype(np.float32)
    first = _blocks(packed["ratio"]).astype(np.float32) * packed["ratio_scale"] * root
    count = len(packed["root"])
    return first.ravel()[:count], np.square(root).ravel()[:count]


def _blocks(values: NDArray) -> NDArray:
    """(N,) -> (N / block, block), rounded up and filled with zeros."""
    rows = -(-len(values) // _BLOCK)
    padded = np.zeros(rows * _BLOCK, values.dtype)
    padded[: len(values)] = values
    return padded.reshape(rows, _BLOCK)
