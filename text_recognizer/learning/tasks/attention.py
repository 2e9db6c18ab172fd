"""Training of attention networks with cross entropy: the Lightning module."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning import networks
from text_recognizer.learning.loading.paragraph_batches import IGNORED, AttentionBatch
from text_recognizer.learning.networks.image_to_sequence import ImageToSequence, grid
from text_recognizer.learning.networks.transformer_decoder import start_places
from text_recognizer.learning.tasks.base import NetworkChoice, Optimization, Sample, TextModule
from text_recognizer.recognition.text.attention_networks import Tokens


@dataclass
class Teaching:
    """How a decoder is taught.

    label_smoothing: of the cross entropy. corrupted: share of the tokens before the one to be predicted that are
    replaced by random ones, so that the decoder believes the image rather than itself. wander: by how many cells
    (standard deviation, of rows and columns) the last place it is told is off. guidance: weight of the
    guided-attention loss, at the beginning and at the end. spread: cells (of rows and columns, standard deviation)
    that attention may look around.
    """

    label_smoothing: float = 0.05
    corrupted: float = 0.2
    wander: tuple[float, float] = (0.25, 0.6)
    guidance: tuple[float, float] = (1.0, 0.1)
    spread: tuple[float, float] = (0.5, 0.6)


class AttentionModule(TextModule):
    """An attention network, its losses, and its error rates on the validation sources.

    freeze_encoder: what makes features of images does not learn. text_loss: the cross entropy of the last step, which a
    network that knows its batches by heart brings to 0; guidance never gets there, as attention is never the Gaussian.
    """

    network: ImageToSequence
    text_loss: Tensor

    def __init__(
        self,
        network: NetworkChoice,
        alphabet: Alphabet,
        optimization: Optimization,
        teaching: Teaching,
        val_names: list[str],
        freeze_encoder: bool = False,
    ) -> None:
        super().__init__(optimization, val_names)
        self.alphabet, self.tokens = alphabet, Tokens(alphabet)
        built = networks.build(network.name, classes=len(self.tokens), **network.fields)
        self.network = cast(ImageToSequence, built)
        self.teaching = teaching
        self.freeze_encoder = freeze_encoder
        if freeze_encoder:
            for parameter in self.network.encoder_parameters():
                parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> AttentionModule:
        """As PyTorch's; the batch normalisation of a frozen encoder keeps its statistics."""
        super().train(mode)
        if self.freeze_encoder:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def learn_by_heart(self) -> None:
        """Teach without what helps to generalise and keeps the loss up: smoothed labels, wrong tokens and places."""
        self.teaching = replace(self.teaching, label_smoothing=0.0, corrupted=0.0, wander=(0.0, 0.0))

    def on_train_start(self) -> None:
        """The features of a frozen encoder were computed with all dropout off."""
        self.train()

    def training_step(self, batch: AttentionBatch, _: int) -> Tensor:
        """Cross entropy of the next tokens and of where the guided layer looks, in float32."""
        memory, hidden, shape = self.remember(batch)
        truth = self.network.to_cells(batch.places)  # (B, T, 2)
        tokens, places = self._corrupt(batch, truth)
        logits, attention = self.network.decoder(tokens, places, memory, hidden)
        loss = nn.functional.cross_entropy(
            logits.float().flatten(0, 1),
            batch.targets.flatten(),
            ignore_index=IGNORED,
            label_smoothing=self.teaching.label_smoothing,
        )
        self.text_loss = loss.detach()
        guidance = guidance_loss(attention, truth, grid(*shape, truth.device), self.teaching.spread)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.texts))
        self.log("train/guidance", guidance, prog_bar=True, batch_size=len(batch.texts))
        return loss + self._weight() * guidance

    def remember(self, batch: AttentionBatch) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Keys and values of a batch's cells, which of them are padding (B, M), and rows and columns of cells."""
        sizes, features = batch.sizes, batch.maps
        if not batch.featured:
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_encoder):
                features = self.network.features(batch.maps)
            sizes = -(-sizes // torch.tensor(self.network.stride, device=sizes.device))
        features = features * _inside(self.network.seen(sizes), features.shape[2:])
        shape = features.shape[2], features.shape[3]
        return self.network.memory(features), self.network.hidden(sizes, shape), self.network.cells(shape)

    def _corrupt(self, batch: AttentionBatch, truth: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens and places that the decoder is told: those of the token before, some of them wrong."""
        random = torch.randint_like(batch.tokens, 1, len(self.tokens))
        wrong = torch.rand(batch.tokens.shape, device=truth.device) < self.teaching.corrupted
        wrong[:, 0] = False
        tokens = torch.where(wrong, random, batch.tokens)
        known = truth[:, :-1].nan_to_num(0.0)
        known = known + torch.randn_like(known) * torch.tensor(self.teaching.wander, device=known.device)
        return tokens, torch.cat([start_places(len(truth), truth.device)[:, None], known], dim=1)

    def _weight(self) -> float:
        """The weight of guidance at this step."""
        first, last = self.teaching.guidance
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        return first + (last - first) * min(1.0, self.global_step / steps)

    def validation_step(self, batch: AttentionBatch, _: int, dataloader_idx: int = 0) -> None:
        """Greedy readings of a batch. A network that does not know when to stop is stopped soon after the true end."""
        self.readings[dataloader_idx] += zip(self._texts(batch), batch.texts, strict=True)

    def samples(self, batch: AttentionBatch, count: int) -> list[Sample]:
        """The first images of a batch, dark on light, with what the network reads; none of features."""
        if batch.featured:
            return []
        pictures = (255 * (1 - batch.maps[:count, 0])).to("cpu", torch.uint8).numpy()
        return list(zip(pictures, batch.texts, self._texts(batch), strict=False))

    def _texts(self, batch: AttentionBatch) -> list[str]:
        memory, hidden, shape = self.remember(batch)
        numbers, _, _ = self.network.read(memory, hidden, shape, int(1.2 * batch.tokens.shape[1]) + 20)
        return [self.tokens.decode(row) for row in numbers.tolist()]

    def transfer_batch_to_device(self, batch: AttentionBatch, device: torch.device, _: int) -> AttentionBatch:
        """All tensors to the device."""
        for name in ("maps", "sizes", "tokens", "targets", "places"):
            setattr(batch, name, getattr(batch, name).to(device, non_blocking=True))
        return batch


def guidance_loss(attention: Tensor, places: Tensor, cells: Tensor, spread: tuple[float, float]) -> Tensor:
    """Cross entropy between attention and a Gaussian around the true place, mean over the characters.

    attention: (B, T, M), rows sum to 1. places: (B, T, 2) in cells, NaN where there is none. cells: (M, 2).
    """
    known = places[..., 0].isfinite()
    distance = (places[known][:, None] - cells) / torch.tensor(spread, device=cells.device)  # (N, M, 2)
    target = (-0.5 * distance.square().sum(-1)).softmax(-1)
    return -(target * attention[known].float().clamp_min(1e-9).log()).sum(-1).mean()


def _inside(sizes: Tensor, shape: torch.Size) -> Tensor:
    """(B, 1, h, w) bool: which features belong to their image."""
    rows = torch.arange(shape[0], device=sizes.device)[None, :, None] < sizes[:, :1, None]
    columns = torch.arange(shape[1], device=sizes.device)[None, None] < sizes[:, 1:, None]
    return (rows & columns)[:, None]
