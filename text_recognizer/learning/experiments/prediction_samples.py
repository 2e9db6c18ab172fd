"""Tables of validation images with their label and what the network makes of them, one after each validation."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback

from text_recognizer.atomic_files import write_file
from text_recognizer.learning.distributed import first
from text_recognizer.learning.experiments.tracking import Tracker
from text_recognizer.learning.report_page import picture_url, render
from text_recognizer.learning.tasks.base import Sample

_PER_BATCH = 2  # batches hold lines of like width: a few of each show more
_COLUMNS = ("set", "label", "prediction")
_TEMPLATE = Path(__file__).with_suffix(".html")
_WIDEST, _HIGHEST = 1280, 1280  # pixels of an image in the table


class SamplePredictions(Callback):
    """Writes `samples/EPOCH.html` and `.csv` into the run's folder after each validation, and to the tracker.

    The samples come from the module's `samples(batch, count)`; a module without it has no table.
    """

    def __init__(self, folder: Path, count: int, tracker: Tracker | None = None) -> None:
        self.folder, self.count, self.tracker = folder / "samples", count, tracker
        self.samples: list[tuple[str, Sample]] = []

    def on_validation_epoch_start(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """Forget the last validation."""
        self.samples = []

    def on_validation_batch_end(
        self,
        trainer: Any,  # noqa: ARG002
        module: Any,
        outputs: Any,  # noqa: ARG002
        batch: Any,
        batch_idx: int,  # noqa: ARG002
        dataloader_idx: int = 0,
    ) -> None:
        """Take a few samples of the batch, until each validation set has its share."""
        names = getattr(module, "val_names", ["val"])
        name, share = names[dataloader_idx], max(1, self.count // len(names))
        wanted = min(_PER_BATCH, share - sum(owner == name for owner, _ in self.samples))
        if first() and wanted > 0 and hasattr(module, "samples"):
            self.samples += [(name, sample) for sample in module.samples(batch, wanted)]

    def on_validation_end(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """Write the table."""
        if not self.samples:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        stem = self.folder / f"{trainer.current_epoch:04d}"
        page, table = stem.with_suffix(".html"), stem.with_suffix(".csv")
        write_file(page, _page(f"After epoch {trainer.current_epoch}", self.samples))
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            writer.writerows((name, label, prediction) for name, (_, label, prediction) in self.samples)
        if self.tracker:
            self.tracker.log_samples(self.samples, [page, table], trainer.global_step)


def _page(title: str, samples: list[tuple[str, Sample]]) -> bytes:
    """The table as HTML that needs no other file."""
    rows = []
    for name, (image, label, prediction) in samples:
        picture, size = picture_url(image, _WIDEST, _HIGHEST)
        rows.append({"set": name, "picture": picture, "size": size, "label": label, "prediction": prediction})
    return render(_TEMPLATE, title=title, rows=rows)
