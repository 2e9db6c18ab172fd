"""From the classes as they were drawn in training to the classes as they occur in text.

A network that learned from balanced classes takes many an s for an S and an o for a 0. Adding to its logits the
logarithm of how often each class occurs over how often it was drawn undoes the balance (Saerens, Latinne and
Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori Probabilities", Neural Computation 2002; the
logit adjustment of Menon et al., ICLR 2021). Wholly undone, rare classes are hardly ever answered.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from text_recognizer.learning.data.characters import CLASSES, CharacterSource, character_dataset

_RAREST = 1e-5  # share of a class that does not occur
_INVENTED = ("fonts", "emnist")  # sources whose classes are as frequent as their makers wanted


def class_shares(labels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    """How often each class (62,) is drawn: by its number to the power of 1 - balance, 0 where it does not occur."""
    counts = np.bincount(labels, minlength=len(CLASSES)).astype(np.float64)
    shares = np.where(counts > 0, np.maximum(counts, 1) ** (1 - balance), 0)
    return shares / shares.sum()


def prior_shift(data: dict[str, Any]) -> NDArray[np.float32]:
    """What to add to the logits (62,) of a network that learned from `data`, a `CharacterData` as a dict.

    Text is what the sources are that were cut out of lines; without any, every class is taken to occur equally often.
    """
    drawn, occurring = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
    for fields in data["train"]:
        source = CharacterSource(**fields)
        dataset = character_dataset(source)
        count = source.characters or len(dataset)
        drawn += count * class_shares(dataset.labels, data["balance"])
        if not source.name.startswith(_INVENTED):
            occurring += count * class_shares(dataset.labels, 0)
    if not occurring.any():
        occurring += 1
    ratio = np.maximum(occurring / occurring.sum(), _RAREST) / np.maximum(drawn / drawn.sum(), _RAREST)
    return (data["prior"] * np.log(ratio)).astype(np.float32)


def shift_logits(network: nn.Module, shift: NDArray[np.float32]) -> None:
    """Make a network answer with the shift (K,) added to its logits: it goes into the biases of the last layer."""
    head = network.head
    with torch.no_grad():
        head.bias += torch.from_numpy(shift)  # type: ignore[union-attr, operator]
