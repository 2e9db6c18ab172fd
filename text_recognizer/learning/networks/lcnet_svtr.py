"""LCNet-SVTR: the trunk and neck of PP-OCRv6 small, finer frames, a bidirectional LSTM, CTC.

Depthwise convolutions with squeeze-and-excitation (Cui et al., "PP-LCNet: A Lightweight CPU Convolutional Neural
Network", arXiv:2109.15099) and global attention over a single row of features (Du et al., "SVTR: Scene Text Recognition
with a Single Visual Model", IJCAI 2022, and "SVTRv2", ICCV 2025), as PaddleOCR puts them together in PP-OCRv6
(documentation of PaddleOCR 3; Cui et al., "PaddleOCR 3.0 Technical Report", arXiv:2507.05595). Two things are ours: no
pooling over columns, which doubles the frames that CTC (Graves et al., ICML 2006) has for dense writing, and an LSTM
whose scores are added to those of the head.

The network has the layers of PP-OCRv6 small with its batch normalisation folded in, so that its weights can be loaded.
It has no masks: padding is paper, and a line is padded by its own width alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from text_recognizer.learning.networks import register


@dataclass
class LCNetSVTRConfig:
    """Shape of an LCNet-SVTR; the defaults are those of PP-OCRv6 small.

    classes: characters and the blank. channels, blocks: of the three stages of the trunk, each with twice the channels
    of the one before. neck: channels of the features that attention works on. layers, heads: of attention. hidden: of
    the LSTM; 0 leaves it out.
    """

    classes: int = 2
    channels: list[int] = field(default_factory=lambda: [96, 192, 384])
    blocks: list[int] = field(default_factory=lambda: [3, 6, 2])
    neck: int = 120
    layers: int = 2
    heads: int = 8
    hidden: int = 192

    def __post_init__(self) -> None:
        if any(wide != 2 * narrow for narrow, wide in zip(self.channels, self.channels[1:], strict=False)):
            raise ValueError(f"each stage has twice the channels of the one before, unlike {self.channels}")
        if len(self.channels) != len(self.blocks):
            raise ValueError(f"blocks {self.blocks} are of other stages than channels {self.channels}")
        if self.neck % self.heads:
            raise ValueError(f"a neck of {self.neck} channels cannot be split into {self.heads} heads")


class Pointwise(nn.Linear):
    """1x1 convolution (B, C, H, W) -> (B, D, H, W), computed as a matrix product over channels-last memory.

    On one CPU thread that is more than twice as fast as `nn.Conv2d`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, H, W)."""
        return functional.linear(x.permute(0, 2, 3, 1), self.weight, self.bias).permute(0, 3, 1, 2)


class SqueezeExcitation(nn.Module):
    """Scales each channel by what all channels are in the mean (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // 4)
        self.excite = nn.Linear(channels // 4, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        scale = functional.hardsigmoid(self.excite(functional.relu(self.squeeze(x.mean((2, 3))))))
        return x * scale[:, :, None, None]


class Block(nn.Module):
    """Depthwise 3x3 convolution, perhaps squeeze-and-excitation, then a residual pair of 1x1 convolutions."""

    def __init__(self, channels: int, excited: bool) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels)
        self.excitation = SqueezeExcitation(channels) if excited else nn.Identity()
        self.widen = Pointwise(channels, 2 * channels)
        self.narrow = Pointwise(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        x = self.excitation(self.depthwise(x))
        return x + self.narrow(functional.gelu(self.widen(x)))


class Downsample(nn.Module):
    """Between stages: half the rows, twice the channels, (B, C, H, W) -> (B, 2 C, H / 2, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, (2, 1), 1, groups=channels)
        self.widen = Pointwise(channels, 2 * channels)
        self.mix = Pointwise(2 * channels, 2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 2 C, H / 2, W), rows rounded up."""
        return self.mix(functional.gelu(self.widen(self.depthwise(x))))


class Stem(nn.Module):
    """Two strided convolutions with a branch between them, (B, 1, H, W) -> (B, C, H / 4, W / 4), rounded up."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.first = nn.Conv2d(1, half, 3, 2, 1)
        self.branch_in = nn.Conv2d(half, quarter, 2)
        self.branch_out = nn.Conv2d(quarter, half, 2)
        self.merge = nn.Conv2d(2 * half, half, 3, 2, 1)
        self.widen = Pointwise(half, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) -> (B, C, H / 4, W / 4)."""
        below = (0, 1, 0, 1)  # 2x2 kernels keep the size with a column on the right and a row below
        x = functional.relu(self.first(x))
        branch = functional.relu(self.branch_in(functional.pad(x, below)))
        branch = functional.relu(self.branch_out(functional.pad(branch, below)))
        pooled = functional.max_pool2d(functional.pad(x, below), 2, 1)
        x = functional.relu(self.merge(torch.cat([pooled, branch], 1)))
        return functional.relu(self.widen(x))


class AttentionLayer(nn.Module):
    """Self-attention and a perceptron, each behind a layer normalisation and with a residual connection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width, 1e-5)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width, 1e-5)
        self.widen = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        x = x + self.project(self._attend(self.attention_norm(x)))
        return x + self.narrow(functional.silu(self.widen(self.mlp_norm(x))))

    def _attend(self, x: Tensor) -> Tensor:
        parts = self.query_key_value(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (3, B, heads, T, C)
        return functional.scaled_dot_product_attention(*parts.unbind(0)).transpose(1, 2).flatten(2)


class Neck(nn.Module):
    """Features of a line made to know of each other: (B, T, C) -> (B, T, D)."""

    def __init__(self, channels: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.skip = nn.Linear(channels, width)
        self.project = nn.Linear(channels, width)
        self.local = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.attention = nn.Sequential(*(AttentionLayer(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width, 1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, D)."""
        z = functional.silu(self.project(x))
        z = z + functional.silu(self.local(z.transpose(1, 2)).transpose(1, 2))
        return functional.silu(self.skip(x)) + self.norm(self.attention(z))


def trunk(channels: list[int], blocks: list[int]) -> nn.Sequential:
    """The stages after the stem: (B, C, H, W) -> (B, 4 C, H / 4, W) for three; every second block is excited, except
    the last of a stage."""
    layers: list[nn.Module] = []
    for stage, (width, count) in enumerate(zip(channels, blocks, strict=True)):
        if stage:
            layers.append(Downsample(width // 2))
        layers.extend(Block(width, excited=k % 2 == 0 and k < count - 1) for k in range(count))
    return nn.Sequential(*layers)


@register("lcnet-svtr", LCNetSVTRConfig)
class LCNetSVTR(nn.Module):
    """A line image to CTC logits; see the module's docstring."""

    columns_per_frame = 16 / 3  # a quarter of the columns, of an image scaled by three quarters
    new_layers = ("lstm", "out")

    def __init__(self, config: LCNetSVTRConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("scale", _three_of_four(), persistent=False)
        self.stem = Stem(config.channels[0])
        self.trunk = trunk(config.channels, config.blocks)
        self.neck = Neck(config.channels[-1], config.neck, config.layers, config.heads)
        self.head = nn.Linear(config.neck, config.classes)
        if config.hidden:
            self.lstm = nn.LSTM(config.channels[-1] + config.neck, config.hidden, batch_first=True, bidirectional=True)
            self.out = nn.Linear(2 * config.hidden, config.classes)
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)
        _keep_variance(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits.

        images: (B, 1, 64, W) float in [0, 1], ink 1 and paper 0, W a multiple of 16.
        Returns (B, T, K): T = 3 W / 16 frames, K classes, unnormalised.
        """
        return self.forward_with_shortcut(images)[0]

    def forward_with_shortcut(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and those of the head without the LSTM, (B, T, K) each, for training."""
        features = self.features(images)
        context = self.neck(features)
        scores = self.head(context)
        if not self.config.hidden:
            return scores, scores
        sequence, _ = self.lstm(torch.cat([features, context], 2))  # (B, T, 2 hidden)
        return scores + self.out(sequence), scores

    def features(self, images: Tensor) -> Tensor:
        """(B, 1, 64, W) in [0, 1] -> (B, 3 W / 16, C): the mean of the trunk's rows."""
        x = 1 - 2 * self.shrunk(images)
        x = self.trunk(self.stem(x.contiguous(memory_format=torch.channels_last)))
        return x.mean(2).transpose(1, 2)

    def shrunk(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) -> (B, 1, 3 H / 4, 3 W / 4), each pixel the mean of the area that it covers."""
        narrow = (images.unflatten(3, (-1, 4)) @ self.scale).flatten(3)
        return (self.scale.T @ narrow.unflatten(2, (-1, 4))).flatten(2, 3)


def _keep_variance(network: nn.Module) -> None:
    """Initialise convolutions so that no signal fades without batch normalisation (He et al., ICCV 2015)."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | Pointwise):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)


def _three_of_four() -> Tensor:
    """(4, 3): the shares that four pixels have in three of the same area."""
    return torch.tensor([[3, 0, 0], [1, 2, 0], [0, 2, 1], [0, 0, 3]]) / 4
