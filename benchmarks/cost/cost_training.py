"""Part `training` of cost.py: a training step of the line network, by batch, width and threads.

The shipped network's shape, fresh weights, float32, noise for images. A step is what Lightning does for a batch:
`LineRecognizerModule.training_step` (both CTC losses), gradients, clipping, AdamW, the learning rate. Loading and
augmenting lines is not in it, nor the average of the weights.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import statistics
import sys
import time
import warnings
from typing import Any

BATCHES, WIDTHS, THREADS = (4, 8, 16, 32), (448, 896, 1344), (1, 2)
PATIENCE = 10.0  # seconds after which no further step of a size is made
COLUMNS_A_CHARACTER = 18  # of normalised handwriting, about


class Steps:
    """Training steps of the shipped line network on batches of noise."""

    def __init__(self) -> None:
        from text_recognizer.alphabet import Alphabet
        from text_recognizer.learning.tasks.base import NetworkChoice, Optimization, optimizer_and_schedule
        from text_recognizer.learning.tasks.lines import LineRecognizerModule
        from text_recognizer.recognition.bundle import find_bundle

        shipped = json.loads((find_bundle("lines") / "bundle.json").read_text(encoding="utf-8"))
        alphabet = Alphabet(shipped["settings"]["alphabet"])
        network = NetworkChoice(**shipped["provenance"]["experiment"]["network"])
        self.optimization = Optimization()
        self.module = LineRecognizerModule(network, alphabet, self.optimization, []).train()
        made = optimizer_and_schedule(self.module.network, self.optimization, 10_000)
        self.optimizer, self.schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
        self.classes = len(alphabet)

    def batch(self, count: int, width: int) -> Any:
        """Noise (count, 1, 64, width), and a text of usual length for each line."""
        import torch

        from text_recognizer.learning.loading.line_batches import LineBatch
        from text_recognizer.learning.networks import columns_per_frame

        length = width // COLUMNS_A_CHARACTER
        frames = torch.full((count,), width // columns_per_frame(self.module.network))
        targets = torch.randint(1, self.classes, (count * length,))
        images = (torch.rand(count, 1, 64, width) > 0.85).float()
        return LineBatch(images, frames, targets, torch.full((count,), length), [None] * count)  # type: ignore[list-item]

    def seconds(self, count: int, width: int, runs: int) -> float:
        """Median time of a step, after one to warm up; of fewer than `runs` steps where they take long."""
        import torch

        batch, times = self.batch(count, width), []
        while len(times) < 2 or (len(times) <= runs and sum(times) < PATIENCE):
            start = time.perf_counter()
            self.module.training_step(batch, 0).backward()
            torch.nn.utils.clip_grad_norm_(self.module.network.parameters(), self.optimization.gradient_clip)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.schedule.step()
            times.append(time.perf_counter() - start)
        return statistics.median(times[1:])


def measure(quick: bool) -> list[dict[str, Any]]:
    """The table of this part."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("lightning") is None:
        return [{"title": "Left out: PyTorch and Lightning are not installed", "header": ["-"], "rows": []}]
    import torch

    warnings.filterwarnings("ignore", "You are trying to `self.log")  # there is no trainer
    batches, widths, threads = (BATCHES[:2], WIDTHS[:2], THREADS[:1]) if quick else (BATCHES, WIDTHS, THREADS)
    steps, before = Steps(), torch.get_num_threads()
    rows: list[list[Any]] = []
    try:
        for number, batch in itertools.product(threads, batches):
            torch.set_num_threads(number)
            times = [steps.seconds(batch, width, 1 if quick else 5) for width in widths]
            rows.append([number, batch, *(1000 * spent for spent in times), *(batch / spent for spent in times)])
            print(f"threads {number}, batch {batch}: {', '.join(f'{spent:.2f} s' for spent in times)}", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped in training", file=sys.stderr)
    torch.set_num_threads(before)
    header = ["threads", "lines a batch"]
    header += [f"ms a step, {width} columns" for width in widths] + [f"lines/s, {width} columns" for width in widths]
    return [{"title": "A training step of the line network, float32", "header": header, "rows": rows}]
