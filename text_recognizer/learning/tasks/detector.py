"""The line detector: its Lightning module, its data, and the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning import networks
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.pages import SPLIT_VERSION, TRACE_VERSION, traced_pages
from text_recognizer.learning.evaluation.measures import PIXEL_F1, Measure
from text_recognizer.learning.evaluation.report import PAGE_SETS, detector_scores
from text_recognizer.learning.loading.detector_targets import MapExample, PageAugmentation, PageCrops, cached_pages
from text_recognizer.learning.synthesis.lines import SYNTHETIC_VERSION, drawn_from
from text_recognizer.learning.synthesis.pages import SyntheticPages
from text_recognizer.learning.tasks.base import (
    DataModule,
    NetworkChoice,
    Optimization,
    Sample,
    Trainer,
    UsedSource,
    one_thread,
    optimizer_and_schedule,
)
from text_recognizer.learning.tasks.task import Batches, Described, EvaluationOptions, Task, register
from text_recognizer.paths import cache_dir, data_dir
from text_recognizer.recognition.bundle import Bundle
from text_recognizer.recognition.layout.detector_input import detector_input

_QUANTIZATION_PAGES, _PAGE_SIDE = 3, 1024  # pages of each source, and the longest side in pixels that they get


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
    """image (B, 1, H, W), core (B, 1, h, w), extents (B, 2, h, w), weight (B, 1, h, w), all float32."""
    stacked = {name: np.stack([getattr(e, name) for e in examples]) for name in ("image", "core", "extents", "weight")}
    return {name: torch.from_numpy(a if name == "extents" else a[:, None]) for name, a in stacked.items()}


class DetectorDataModule(DataModule):
    """Loaders over random views of the pages."""

    def __init__(self, data: DetectorData, fixed: bool = False) -> None:
        """fixed: the same views every epoch, to see that the network can learn a few by heart."""
        super().__init__()
        self.data = data
        real = chain.from_iterable(traced_pages(name, "train") for name in data.pages)
        tables = [data_dir() / name / ("forms.json" if name == "iam" else "pages.json") for name in data.pages]
        key = f"{'-'.join(data.pages)}-{fingerprint(TRACE_VERSION, SPLIT_VERSION, *tables)}"
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

    def sources(self) -> list[UsedSource]:
        """The pages of a split, real and synthetic, as one."""
        parts = {split: {id(part): part for part, *_ in crops.items} for split, crops in self._splits().items()}
        return [UsedSource("pages", f"pages-{split}", list(pages.values())) for split, pages in parts.items()]

    def _splits(self) -> dict[str, PageCrops]:
        return {"train": self.train, "val": self.val}

    def without_augmentation(self) -> None:
        """Nothing to do: to be learned by heart, its views are `fixed`."""

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
    """Cross-entropy and soft Dice of the core where it is known, and the relative error of the others in cores."""
    logits, extents = maps[:, :1].float(), maps[:, 1:].float()
    core, weight = batch["core"], batch["weight"]
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, core, weight=weight)
    probability = logits.sigmoid() * weight
    dice = 1 - (2 * (probability * core).sum() + 1) / (probability.sum() + core.sum() + 1)
    inside = core.expand_as(extents) > 0
    target = batch["extents"][inside]
    # Errors count in proportion to the line: 4 pixels are much for small print and little for a headline.
    error = nn.functional.smooth_l1_loss(torch.log1p(extents[inside]), torch.log1p(target), beta=0.1)
    return entropy + 0.5 * dice, error if target.numel() else extents.sum() * 0


class LineDetectorModule(lightning.LightningModule):
    """A network that maps pages to core, ascender and descender maps, and its loss."""

    def __init__(self, network: NetworkChoice, optimization: Optimization) -> None:
        super().__init__()
        self.network = networks.build(network.name, **network.fields)
        self.optimization = optimization

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """Sum of both losses."""
        core, extents = detector_loss(self.network(batch["image"]), batch)
        self.log("train/core", core, prog_bar=True)
        self.log("train/reach", extents, prog_bar=True)
        return core + extents

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        """Losses on held-out pages, and the F1 of core pixels."""
        maps = self.network(batch["image"])
        core, extents = detector_loss(maps, batch)
        size = len(batch["image"])
        found = (maps[:, :1] > 0).float() * batch["weight"]
        f1 = 2 * (found * batch["core"]).sum() / (found.sum() + batch["core"].sum()).clamp(min=1)
        for name, value in {"val/core": core, "val/reach": extents, "val/pixel_f1": f1}.items():
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


@register("detector")
class DetectorTask(Task[DetectorExperiment]):
    """Finds the lines of a page."""

    experiment = DetectorExperiment
    measures = (PIXEL_F1,)
    losses = (Measure("core", "min"), Measure("reach", "min"))
    overfit_loss = 0.3
    shuffled_by_lightning = True  # its views are drawn at random
    evaluation_sets = PAGE_SETS
    quantizable = True

    def build(
        self,
        experiment: DetectorExperiment,
        alphabet: Alphabet | None = None,  # noqa: ARG002
    ) -> tuple[LineDetectorModule, DetectorDataModule]:
        """Module and data; the same views every epoch where batches are to be learned by heart."""
        data = DetectorDataModule(experiment.data, fixed=experiment.trainer.overfit_batches > 0)
        return LineDetectorModule(experiment.network, experiment.optimization), data

    def validation_sets(self, experiment: DetectorExperiment) -> list[str]:  # noqa: ARG002
        """One: the held-out pages of all sources together."""
        return ["val"]

    def classes(self, alphabet: Alphabet) -> None:  # noqa: ARG002
        """None: it answers with maps."""
        return

    def settings(self, network: nn.Module, experiment: Described, alphabet: Alphabet) -> dict[str, Any]:  # noqa: ARG002
        """The threshold of the core."""
        return {"threshold": 0.5}

    def quantization_batches(self, bundle: Bundle) -> Batches:
        """Some pages of each source that it learned from."""
        for name in bundle.provenance["experiment"]["data"]["pages"]:
            for _, page in zip(range(_QUANTIZATION_PAGES), traced_pages(name, "train"), strict=False):
                yield detector_input(page.image, min(1.0, _PAGE_SIDE / max(page.image.shape)))

    def measured(self, bundle: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """Precision, recall and F1 of lines."""
        return detector_scores(bundle), {}

    def print_scores(self, bundle: str, options: EvaluationOptions) -> None:  # noqa: ARG002
        """Raise ValueError: a detector is measured on pages, together with what reads them."""
        raise ValueError(f"{bundle} finds lines: measure it with `{self.evaluate_command(bundle)}`")

    def purpose(self, network: str) -> str:  # noqa: ARG002
        """What it finds."""
        return (
            "Finds the handwritten and printed lines of a page: a fully convolutional network that marks the core of "
            "each line and how far it reaches above and below its baseline."
        )

    def limits(self, sources: Sequence[str]) -> str:  # noqa: ARG002
        """Lines askew, and drawings."""
        return (
            "It learned from pages turned by up to 12 degrees: lines more askew, in circles or between other lines may "
            "be missed. Drawings with letter-like strokes may be taken for lines."
        )

    def evaluate_command(self, bundle: str) -> str:
        """The command that measures whole pages."""
        return f"text-recognizer evaluate --pages --detector {bundle}"
