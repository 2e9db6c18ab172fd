"""What attention networks share: a CNN's features as a grid of cells, and a transformer decoder that reads them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from text_recognizer.learning.networks.transformer_decoder import DecoderConfig, TransformerDecoder, grid_sinusoids


class ImageToSequence(nn.Module):
    """An image to text, character by character; a subclass says what its features are.

    channels: of the features. merge: rows and columns of features that become one cell: the maximum over the rows, as
    CRNN takes it over a column, and a convolution with that stride over the columns. stride: rows and columns of the
    image that a feature stands for.
    """

    def __init__(self, channels: int, merge: tuple[int, int], stride: tuple[int, int], config: DecoderConfig) -> None:
        super().__init__()
        rows, columns = merge
        if rows % 2 == 0 or columns > 3:
            raise ValueError(f"an odd number of rows and at most 3 columns can be merged, not {rows} and {columns}")
        self.merge, self.stride = merge, stride
        self.cell = stride[0] * rows, stride[1] * columns  # rows and columns of the image that a cell stands for
        self.pool = nn.MaxPool2d((rows, 1), padding=(rows // 2, 0))
        self.neck = nn.Conv2d(channels, config.width, 3, (1, columns), padding=1)
        self.norm = nn.LayerNorm(config.width)
        self.decoder = TransformerDecoder(config)

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        """The parameters of what makes features of images."""
        own = ("neck.", "norm.", "decoder.")
        return (parameter for name, parameter in self.named_parameters() if not name.startswith(own))

    def features(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) in [0, 1] -> (B, C, h, w), not negative, h and w the strides' share, rounded up."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """What the decoder needs of images.

        images: (B, 1, H, W) float in [0, 1], ink 1 and paper 0. Returns (B, L, 2, H, M, D / H), keys and values
        of each layer's attention to the M cells, row by row: `grid` says where they lie.
        """
        return self.memory(self.features(images))

    def memory(self, features: Tensor) -> Tensor:
        """(B, C, h, w), zero where they are padding -> (B, L, 2, H, M, D / H)."""
        cells = nn.functional.gelu(self.neck(self.pool(features)))
        rows, columns = cells.shape[2:]
        cells = self.norm(cells.flatten(2).transpose(1, 2))
        return self.decoder.memory(cells + grid_sinusoids(grid(rows, columns, cells.device), cells.shape[2]))

    def cells(self, features: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of cells of a map of features."""
        return -(-features[0] // self.merge[0]), -(-features[1] // self.merge[1])

    def seen(self, sizes: Tensor) -> Tensor:
        """Rows and columns of features that cells are made of, (B, 2) of (B, 2).

        The maximum over rows drops the last row where the rows divide evenly. In a batch of higher images that row
        would come back, in a cell of its own beside the last one, so it is to be cleared there.
        """
        rows = self.merge[0]
        covered = -(-sizes[:, 0] // rows) * rows - rows // 2
        return torch.stack([torch.minimum(sizes[:, 0], covered), sizes[:, 1]], dim=1)

    def hidden(self, sizes: Tensor, features: tuple[int, int]) -> Tensor:
        """The cells that are padding (B, M), bool.

        sizes: (B, 2) int64, rows and columns of features of each image. features: of the batch.
        """
        rows, columns = self.cells(features)
        places = grid(rows, columns, sizes.device) * torch.tensor(self.merge, device=sizes.device)
        return (places[None] >= sizes[:, None]).any(dim=2)

    def to_cells(self, points: Tensor) -> Tensor:
        """Rows and columns of the image (..., 2) as rows and columns in the grid."""
        return points / torch.tensor(self.cell, device=points.device, dtype=points.dtype)

    @torch.no_grad()
    def read(
        self, memory: Tensor, hidden: Tensor | None, shape: tuple[int, int], longest: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Greedy reading, each step with the keys and values of the steps before.

        memory: (B, L, 2, H, M, D / H). hidden: (B, M). shape: rows and columns of cells. longest: tokens at most.
        Returns tokens (B, N) int64 with zeros behind each text, their probabilities (B, N), their places (B, N, 2).
        """
        tokens, places, past = self.decoder.begin(len(memory), memory.device)
        cells = grid(*shape, memory.device)
        done = torch.zeros_like(tokens, dtype=torch.bool)
        read, sure, where = [], [], []
        for _ in range(longest):
            logits, places, past = self.decoder.step(tokens, places, past, memory, hidden, cells)
            probability, tokens = logits.float().softmax(-1).max(-1)
            tokens = tokens.masked_fill(done, 0)
            done = done | (tokens == 0)
            read.append(tokens)
            sure.append(probability)
            where.append(places)
            if bool(done.all()):
                break
        return torch.stack(read, 1), torch.stack(sure, 1), torch.stack(where, 1)


def grid(rows: int, columns: int, device: torch.device | None = None) -> Tensor:
    """(rows x columns, 2) float: the row and the column of each cell, row by row."""
    row = torch.arange(rows, device=device, dtype=torch.float32)[:, None].expand(rows, columns)
    column = torch.arange(columns, device=device, dtype=torch.float32)[None].expand(rows, columns)
    return torch.stack([row, column], dim=2).reshape(-1, 2)
