"""What this machine does best, and a quiet program."""

from __future__ import annotations

import ctypes
import logging
import warnings

import torch


def precision(name: str) -> str:
    """Lightning's name of a precision; "auto" is the fastest sound one here: a CPU that imitates bfloat16 takes
    twice as long."""
    if name != "auto":
        return name
    fast = torch.cuda.is_available() or any(
        getattr(torch.cpu, name, bool)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return "bf16-mixed" if fast else "32-true"


def keep_memory() -> None:
    """Let glibc keep freed memory: a training step frees and takes gigabytes, a quarter of its time in page faults."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
        libc.mallopt(-3, 2**31 - 1)  # M_MMAP_THRESHOLD
    except (OSError, AttributeError):
        pass  # another C library: slower, not wrong


def quiet() -> None:
    """Drop advice that does not fit this program, keep errors."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    patterns = (
        ".*does not have many workers.*",
        ".*LeafSpec.*",
        ".*mid-epoch.*",
        ".*ended before the epoch ended.*",
        ".*Checkpoint directory.*",
        ".*sync_dist=True.*",
        ".*no `val_dataloader`.*",
        ".*smaller than the logging interval.*",
        ".*overridden `transfer_batch_to_device`.*",
        ".*in eval mode at the start of training.*",  # what is frozen
    )
    for pattern in patterns:
        warnings.filterwarnings("ignore", pattern)
