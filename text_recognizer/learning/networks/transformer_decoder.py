"""A transformer decoder that reads a grid of image features character by character.

After Vaswani et al., "Attention Is All You Need" (NIPS 2017), normalised before each part (Xiong et al., "On Layer
Normalization in the Transformer Architecture", ICML 2020). Two things are added, as a decoder that must find its
way over a paragraph by itself learns very slowly: one layer's attention says where each character stands, so that it
can be taught (guided attention, Tachibana et al., ICASSP 2018), and each step is told where the last character stood
(after the location-aware attention of Chorowski et al., NIPS 2015).

Shapes: B images, T tokens, S tokens so far, M cells of the image's grid, L layers, H heads, D width, K classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

_REACH = 1.5  # cells around the most attended one that a place is the mean of
_NEVER = -1e9  # added to scores that must not count; infinity would give NaN where nothing counts


@dataclass
class DecoderConfig:
    """classes: of tokens. width, layers, heads, feedforward: of the transformer. guided: the layer whose attention says
    where a character stands. follow: whether each step is told where the last character stood."""

    classes: int
    width: int
    layers: int
    heads: int
    feedforward: int
    dropout: float
    guided: int
    follow: bool

    @classmethod
    def of(cls, network: Any) -> DecoderConfig:
        """The decoder's part of a network's config: its fields of the same names."""
        return cls(**{part.name: getattr(network, part.name) for part in fields(cls)})


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """(...) -> (..., width): sines and cosines of positions, which may lie between whole numbers."""
    steps = torch.arange(width // 2, device=positions.device, dtype=torch.float32)
    angles = positions.unsqueeze(-1) * torch.exp(steps * (-math.log(1e4) / (width // 2)))
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def grid_sinusoids(places: Tensor, width: int) -> Tensor:
    """Rows and columns (..., 2) -> (..., width): half of the channels for each (Singh and Karayev, ICDAR 2021)."""
    return torch.cat([sinusoids(places[..., 0], width // 2), sinusoids(places[..., 1], width // 2)], dim=-1)


def heads_apart(x: Tensor, heads: int) -> Tensor:
    """(B, T, D) -> (B, heads, T, D / heads), in one piece, as it is multiplied many times."""
    batch, _, width = x.shape
    return x.reshape(batch, -1, heads, width // heads).transpose(1, 2).contiguous()


def attend(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """Multi-head attention.

    queries: (B, T, D). keys, values: (B, H, S, D / H) of H heads. bias: added to the scores, broadcast to (B, H, T, S).
    Returns (B, T, D) and the weights (B, H, T, S).
    """
    batch, _, width = queries.shape
    q = heads_apart(queries * keys.shape[3] ** -0.5, keys.shape[1])
    scores = q @ keys.transpose(2, 3)
    weights = (scores if bias is None else scores + bias).softmax(-1)
    return (weights @ values).transpose(1, 2).reshape(batch, -1, width), weights


class DecoderLayer(nn.Module):
    """Attention to the text so far, attention to the image, two linear layers; each normalised first and added."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        width, self.heads = config.width, config.heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.text = nn.Linear(width, 3 * width)
        self.text_out = nn.Linear(width, width)
        self.image = nn.Linear(width, width)
        self.image_out = nn.Linear(width, width)
        self.feedforward = nn.Sequential(
            nn.Linear(width, config.feedforward), nn.GELU(), nn.Linear(config.feedforward, width)
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, past: Tensor | None, memory: Tensor, causal: Tensor | None, hidden: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One layer.

        x: (B, T, D). past: (B, 2, H, S, D / H) keys and values of the tokens before, None for none. memory: (B, 2, H,
        M, D / H) keys and values of the image. causal: (T, S + T) and hidden: (B, 1, 1, M), added to the scores, None
        for nothing. Returns x, keys and values of all tokens (B, 2, H, S + T, D / H), and the attention to the image
        (B, H, T, M).
        """
        queries, keys, values = self.text(self.norms[0](x)).chunk(3, dim=2)
        known = torch.stack([heads_apart(keys, self.heads), heads_apart(values, self.heads)], dim=1)
        if past is not None:
            known = torch.cat([past, known], dim=3)
        x = x + self.dropout(self.text_out(attend(queries, known[:, 0], known[:, 1], causal)[0]))
        seen, weights = attend(self.image(self.norms[1](x)), memory[:, 0], memory[:, 1], hidden)
        x = x + self.dropout(self.image_out(seen))
        return x + self.dropout(self.feedforward(self.norms[2](x))), known, weights


class TransformerDecoder(nn.Module):
    """Tokens and an image's cells to the logits of the next tokens; see the module's docstring."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.classes, config.width)
        nn.init.normal_(self.embedding.weight, std=0.5)
        self.place = nn.Linear(config.width, config.width)
        self.remember = nn.Linear(config.width, 2 * config.layers * config.width)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.classes)
        self.dropout = nn.Dropout(config.dropout)

    def memory(self, cells: Tensor) -> Tensor:
        """(B, M, D) -> (B, L, 2, H, M, D / H): each layer's keys and values of the image, once for all steps."""
        batch, count, width = cells.shape
        heads, layers = self.config.heads, self.config.layers
        keys_values = self.remember(cells).reshape(batch, count, layers, 2, heads, width // heads)
        return keys_values.permute(0, 2, 3, 4, 1, 5).contiguous()

    def forward(self, tokens: Tensor, places: Tensor, memory: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
        """All steps at once, for training.

        tokens: (B, T) int64, the text behind END. places: (B, T, 2) float, row and column in the grid where each of
        them stands. memory: (B, L, 2, H, M, D / H). hidden: (B, M) bool, the cells that are padding.
        Returns logits (B, T, K) of the tokens that follow and the attention (B, T, M) that says where those stand.
        """
        count = tokens.shape[1]
        causal = torch.full((count, count), _NEVER, device=tokens.device).triu(1)
        x = self._embedded(tokens, places, torch.arange(count, device=tokens.device))
        x, _, attention = self._layers(x, None, memory, causal, hidden)
        return self.head(self.norm(x)), attention

    def step(
        self, tokens: Tensor, places: Tensor, past: Tensor, memory: Tensor, hidden: Tensor | None, grid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One step of reading.

        tokens: (B,) int64, the last token. places: (B, 2) where it stands. past: (B, L, 2, H, S, D / H), keys and
        values of the tokens before it, S = 0 at first. memory, hidden: as above. grid: (M, 2) float, row and column of
        each cell. Returns logits (B, K) of the next token, its place (B, 2), and `past` with the last token (S + 1).
        """
        at = torch.ones(1, device=tokens.device) * past.shape[4]
        x = self._embedded(tokens[:, None], places[:, None], at)
        x, past, attention = self._layers(x, past, memory, None, hidden)
        return self.head(self.norm(x))[:, 0], place_of(attention[:, 0], grid), past

    def begin(self, batch: int, device: torch.device | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """The first tokens (B,), places (B, 2) and past (B, L, 2, H, 0, D / H) of a reading."""
        heads = self.config.heads
        past = torch.zeros(batch, self.config.layers, 2, heads, 0, self.config.width // heads, device=device)
        return torch.zeros(batch, dtype=torch.int64, device=device), start_places(batch, device), past

    def _embedded(self, tokens: Tensor, places: Tensor, positions: Tensor) -> Tensor:
        x = self.embedding(tokens) + sinusoids(positions.float(), self.config.width)
        if self.config.follow:
            x = x + self.place(grid_sinusoids(places, self.config.width))
        return self.dropout(x)

    def _layers(
        self, x: Tensor, past: Tensor | None, memory: Tensor, causal: Tensor | None, hidden: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        bias = None if hidden is None else hidden[:, None, None].float() * _NEVER
        known, attention = [], x
        for number, layer in enumerate(self.layers):
            before = None if past is None else past[:, number]
            x, keys_values, weights = layer(x, before, memory[:, number], causal, bias)
            known.append(keys_values)
            if number == self.config.guided:
                attention = weights.mean(1)
        return x, torch.stack(known, dim=1), attention


def start_places(batch: int, device: torch.device | None = None) -> Tensor:
    """(B, 2): where the token stands that begins a text: above and to the left of everything."""
    return torch.full((batch, 2), -2.0, device=device)


def place_of(attention: Tensor, grid: Tensor) -> Tensor:
    """(B, M) and the cells' rows and columns (M, 2) -> (B, 2): the mean place around the most attended cell."""
    best = grid[attention.argmax(dim=1)]
    near = ((grid[None] - best[:, None]).abs().amax(dim=2) <= _REACH).float() * attention
    return (near / near.sum(dim=1, keepdim=True)) @ grid
