"""Training of the line detector: the Lightning module and its data."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from text_recognizer.learning import networks
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.pages import TRACE_VERSION, traced_pages
from text_recognizer.learning.loading.detector_targets import MapExample, PageAugmentation, PageCrops, cached_pages
from text_recognizer.learning.synthesis.lines import SYNTHETIC_VERSION, drawn_from
from text_recognizer.learning.synthesis.pages import SyntheticPages
from text_recognizer.learning.tasks.base import (
    NetworkChoice,
    Optimization,
    Sample,
    Trainer,
    one_thread,
    optimizer_and_schedule,
)
from text_recognizer.paths import cache_dir, data_dir


@dataclass
class DetectorData:
    """What a line detector learns from.

    pages: datasets of real pages. synthetic: number of synthetic pages. without: names of text files that those do not
    show. crops: random views an epoch. size: side of a view in pixels. batch: views a step.
    """

    pages: list[str] = field(default_factory=lambda: ["iam", "copiste", "hooker", "lathrop", "poilus"])
    synthetic: int = 200
    without: list[str] = field(default_factory=list)
    crops: int = 800
    val_crops: int = 80
    size: int = 640
    batch: int = 4
    workers: int = 1
    augmentation: PageAugmentation = field(default_factory=PageAugmentation)


def collate(examples: list[MapExample]) -> dict[str, Tensor]:
    """image (B, 1, H, W), core (B, 1, h, w), reach (B, 2, h, w), weight (B, 1, h, w), all float32."""
    stacked = {name: np.stack([getattr(e, name) for e in examples]) for name in ("image", "core", "reach", "weight")}
    return {name: torch.from_numpy(a if name == "reach" else a[:, None]) for name, a in stacked.items()}


class DetectorDataModule(lightning.LightningDataModule):
    """Loaders over random views of the pages."""

    def __init__(self, data: DetectorData, fixed: bool = False) -> None:
        """fixed: the same views every epoch, to see that the network can learn a few by heart."""
        super().__init__()
        self.data = data
        real = chain.from_iterable(traced_pages(name, "train") for name in data.pages)
        tables = [data_dir() / name / ("forms.json" if name == "iam" else "pages.json") for name in data.pages]
        key = f"{'-'.join(data.pages)}-{fingerprint(TRACE_VERSION, *tables)}"
        parts = [(cached_pages(cache_dir(), f"pages-{key}-train", real), False)]
        if data.synthetic:
            drawn = SyntheticPages(1, data.without).pages(data.synthetic)
            made_of = fingerprint(SYNTHETIC_VERSION, *drawn_from(), *data.without)
            key_drawn = f"pages-synthetic-1-{data.synthetic}-{made_of}"
            parts.append((cached_pages(cache_dir(), key_drawn, drawn), True))
        held_out = chain.from_iterable(traced_pages(name, "val") for name in data.pages)
        val = [(cached_pages(cache_dir(), f"pages-{key}-val", held_out), False)]
        self.train = PageCrops(parts, data.crops, data.size, data.augmentation, seed=1 if fixed else None)
        self.val = PageCrops(val, data.val_crops, data.size, data.augmentation, seed=2)

    def train_dataloader(self) -> DataLoader:
        """New random views every epoch."""
        return self._loader(self.train)

    def val_dataloader(self) -> DataLoader:
        """Views of held-out pages, the same every epoch."""
        return self._loader(self.val)

    def _loader(self, crops: PageCrops) -> DataLoader:
        return DataLoader(
            crops,
            batch_size=self.data.batch,
            collate_fn=collate,
            num_workers=self.data.workers,
            persistent_workers=self.data.workers > 0,
            drop_last=True,
            worker_init_fn=one_thread,
        )


def detector_loss(maps: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Cross-entropy and soft Dice of the core where it is known, and the relative error of the reach in cores."""
    logits, reach = maps[:, :1].float(), maps[:, 1:].float()
    core, weight = batch["core"], batch["weight"]
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, core, weight=weight)
    probability = logits.sigmoid() * weight
    dice = 1 - (2 * (probability * core).sum() + 1) / (probability.sum() + core.sum() + 1)
    inside = core.expand_as(reach) > 0
    target = batch["reach"][inside]
    # Errors count in proportion to the line: 4 pixels are much for small print and little for a headline.
    error = nn.functional.smooth_l1_loss(torch.log1p(reach[inside]), torch.log1p(target), beta=0.1)
    return entropy + 0.5 * dice, error if target.numel() else reach.sum() * 0


class LineDetectorModule(lightning.LightningModule):
    """A network that maps pages to cores and reaches, and its loss."""

    def __init__(self, network: NetworkChoice, optimization: Optimization) -> None:
        super().__init__()
        self.network = networks.build(network.name, **network.fields)
        self.optimization = optimization

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """Sum of both losses."""
        core, reach = detector_loss(self.network(batch["image"]), batch)
        self.log("train/core", core, prog_bar=True)
        self.log("train/reach", reach, prog_bar=True)
        return core + reach

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        """Losses on held-out pages, and the F1 of core pixels."""
        maps = self.network(batch["image"])
        core, reach = detector_loss(maps, batch)
        size = len(batch["image"])
        found = (maps[:, :1] > 0).float() * batch["weight"]
        f1 = 2 * (found * batch["core"]).sum() / (found.sum() + batch["core"].sum()).clamp(min=1)
        for name, value in {"val/core": core, "val/reach": reach, "val/pixel_f1": f1}.items():
            self.log(name, value, prog_bar=True, batch_size=size, sync_dist=True)

    def samples(self, batch: dict[str, Tensor], count: int) -> list[Sample]:
        """The first views of a batch, beside them the cores that are labelled and those that the network finds, with
        the share of the view that they cover."""
        images, core = batch["image"][:count], batch["core"][:count]
        found = self.network(images)[:, :1].float().sigmoid()
        large = [nn.functional.interpolate(maps, size=images.shape[2:]) for maps in (core, found)]
        pictures = (255 * (1 - torch.cat([images, *large], dim=3)[:, 0])).to("cpu", torch.uint8).numpy()
        shares = [[f"{share:.1%} core" for share in maps.mean((1, 2, 3)).tolist()] for maps in (core, found)]
        return list(zip(pictures, *shares, strict=True))

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and cosine."""
        return optimizer_and_schedule(self.network, self.optimization, int(self.trainer.estimated_stepping_batches))


@dataclass
class DetectorExperiment:
    """Training of a line detector."""

    name: str
    task: str = "detector"
    seed: int = 0
    network: NetworkChoice = field(default_factory=lambda: NetworkChoice("fcn"))
    data: DetectorData = field(default_factory=DetectorData)
    optimization: Optimization = field(default_factory=Optimization)
    trainer: Trainer = field(default_factory=Trainer)
