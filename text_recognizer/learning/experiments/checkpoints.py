"""Checkpoints that are whole or not there: whatever happens while one is written, the one before it stays usable.

One that was saved at the end of an epoch begins the next one with none of its batches done, however many there are by
then: Lightning goes on counting where the old epoch stopped, so that an epoch of more or fewer batches would end early
and not be validated.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO


class WholeCheckpoints(TorchCheckpointIO):
    """Writes beside the old checkpoint, waits until the disk has it, and only then takes the old one's place."""

    def load_checkpoint(self, path: Any, *args: Any, **options: Any) -> dict[str, Any]:
        """Load a checkpoint of a training, to go on from; one of an epoch that has ended has no batches of the next one
        behind it."""
        checkpoint: dict[str, Any] = super().load_checkpoint(path, *args, **options)
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        if progress["is_last_batch"]:
            progress["current"] = dict.fromkeys(progress["current"], 0)
        return checkpoint

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:  # noqa: ARG002
        """Save a checkpoint. Raises OSError that says what is still there, where the disk is full for instance."""
        path = Path(path)
        partial = path.with_name(f".{path.name}.partial")  # the same name each time: what a kill left is overwritten
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError where writing fails
            partial.unlink(missing_ok=True)
            kept = (
                "the one before it is whole: make room and go on with --resume"
                if path.exists()
                else "there is none yet"
            )
            raise OSError(f"the checkpoint {path} could not be written: {error}; {kept}") from error
