"""What training a reader of text has in common, whether it reads by CTC or by attention."""

from __future__ import annotations

from typing import Any

import lightning
from torch import nn

from text_recognizer.learning.evaluation.error_rates import error_rates
from text_recognizer.learning.training.optimization import Optimization, optimizer_and_schedule
from text_recognizer.learning.training.ranks import gathered


class TextModule(lightning.LightningModule):
    """The base of modules whose network reads text: order of the data, error rates, optimiser.

    A subclass sets `network`, and in its `validation_step` adds pairs of a reading and the true text to `readings`,
    which has a list for each of `val_names`.
    """

    network: nn.Module

    def __init__(self, optimization: Optimization, val_names: list[str]) -> None:
        super().__init__()
        self.optimization, self.val_names = optimization, val_names
        self.readings: list[list[tuple[str, str]]] = []

    def on_train_epoch_start(self) -> None:
        """Another order of the data every epoch, unless a few batches are to be learned by heart."""
        order = self.trainer.datamodule.order  # type: ignore[attr-defined]
        if order.epoch != self.current_epoch and not getattr(self.trainer, "overfit_batches", 0):
            order.start_at(self.current_epoch)

    def on_validation_epoch_start(self) -> None:
        """Forget the readings of the last validation."""
        self.readings = [[] for _ in self.val_names]

    def on_validation_epoch_end(self) -> None:
        """Log CER and WER of each validation source; a newline counts as a space."""
        for name, readings in zip(self.val_names, self.readings, strict=True):
            if pairs := gathered(readings):
                rates = error_rates([text for text, _ in pairs], [reference for _, reference in pairs])
                self.log(f"{name}/cer", rates.cer, prog_bar=True)
                self.log(f"{name}/wer", rates.wer)

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and cosine."""
        return optimizer_and_schedule(self.network, self.optimization, int(self.trainer.estimated_stepping_batches))
