"""A quick way to learn from some of the lines of `active_lines.py`."""

from __future__ import annotations

import copy
import io
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich.progress import track
from torch import Tensor, nn

from benchmarks.labeling.active_lines import BUNDLE, PoolLine, network
from text_recognizer.atomic_files import write_file
from text_recognizer.learning.evaluation.error_rates import error_rates
from text_recognizer.paths import cache_dir
from text_recognizer.recognition.text.ctc import greedy
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

EPOCHS, RATE = 6, 3e-3
_BATCH = 8


@dataclass(frozen=True)
class Seen:
    """Lines as the LSTMs see them: float16 (S, 2 hidden) each, their frames and their text."""

    inputs: list[Tensor]
    frames: list[int]
    texts: list[str]

    def only(self, numbers: Sequence[int]) -> Seen:
        """Some of them."""
        return Seen(*([values[n] for n in numbers] for values in (self.inputs, self.frames, self.texts)))


def seen_lines(lines: Sequence[PoolLine]) -> dict[str, Tensor]:
    """What the bundle's LSTMs make of lines, float16 (S, 2 hidden) by identifier, kept in the cache."""
    path = cache_dir() / "active-learning" / "seen.pt"
    seen: dict[str, Tensor] = torch.load(path, weights_only=True) if path.exists() else {}
    missing = [line for line in lines if line.identifier not in seen]
    if missing:
        lstm = network().lstm
        with torch.no_grad():
            for line in track(missing, description="what the LSTMs make of it"):
                seen[line.identifier] = lstm(torch.from_numpy(line.features).float()[None])[0][0].half()
        buffer = io.BytesIO()
        torch.save(seen, buffer)
        write_file(path, buffer.getvalue())
    return seen


class Learner:
    """The bundle's network, of which the head learns, and a residual adapter before it (Houlsby et al., ICML 2019).

    That is a stand-in for fine-tuning the whole of it, in seconds instead of minutes: the same loss, fewer weights.
    """

    def __init__(self, lines: Sequence[PoolLine]) -> None:
        self.alphabet = LineTextRecognizer(BUNDLE, threads=1).alphabet
        self._lines = seen_lines(lines)
        self._head = network().head

    def see(self, lines: Sequence[PoolLine]) -> Seen:
        """Lines as they are learned from and measured on."""
        inputs = [self._lines[line.identifier] for line in lines]
        return Seen(inputs, [line.frames for line in lines], [line.text for line in lines])

    def learn(self, lines: Seen, seed: int) -> nn.Module:
        """What comes of the bundle's head with some lines."""
        torch.manual_seed(seed)
        adapted, batches = Adapted(self._head), _batches(lines)
        steps = EPOCHS * len(batches)
        optimizer = torch.optim.AdamW(adapted.parameters(), RATE, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=max(1, steps))
        for _ in range(EPOCHS):
            for number in torch.randperm(len(batches)).tolist():
                loss = self._loss(adapted, lines.only(batches[number]))
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(adapted.parameters(), 2.0)
                optimizer.step()
                schedule.step()
        return adapted.eval()

    def errors(self, adapted: nn.Module, lines: Seen) -> tuple[int, int]:
        """Character edits of greedy readings, and the characters of the true texts."""
        texts = [""] * len(lines.texts)
        with torch.no_grad():
            for numbers in _batches(lines, 32):
                part = lines.only(numbers)
                logits = self._logits(adapted, part).numpy()
                for number, rows, frames in zip(numbers, logits, part.frames, strict=True):
                    read = greedy(rows[:frames])
                    texts[number] = self.alphabet.decode([character.number for character in read]).strip()
        rates = error_rates(texts, lines.texts)
        return rates.character_edits, rates.characters

    def _logits(self, adapted: nn.Module, lines: Seen) -> Tensor:
        """(B, T, K) of a batch."""
        steps: Tensor = adapted(nn.utils.rnn.pad_sequence([x.float() for x in lines.inputs], batch_first=True))
        return steps.reshape(len(lines.inputs), -1, len(self.alphabet))

    def _loss(self, adapted: nn.Module, lines: Seen) -> Tensor:
        targets = [torch.tensor(self.alphabet.encode(text)) for text in lines.texts]
        lengths = torch.tensor([len(target) for target in targets])
        rows = self._logits(adapted, lines).log_softmax(-1).transpose(0, 1)
        frames = torch.tensor(lines.frames)
        return nn.functional.ctc_loss(rows, torch.cat(targets), frames, lengths, zero_infinity=True)


class Adapted(nn.Module):
    """A head behind an adapter that begins as nothing. (B, S, C) -> (B, S, F K)."""

    def __init__(self, head: nn.Linear, width: int = 96) -> None:
        super().__init__()
        self.head = copy.deepcopy(head)
        self.inner = nn.Conv1d(head.in_features, width, 3, padding=1)
        self.outer = nn.Conv1d(width, head.in_features, 1)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)  # type: ignore[arg-type]
        self.dropout = nn.Dropout(0.2)

    def forward(self, steps: Tensor) -> Tensor:
        """See the class."""
        steps = self.dropout(steps)
        change = self.outer(torch.relu(self.inner(steps.transpose(1, 2)))).transpose(1, 2)
        return self.head(steps + change)


def _batches(lines: Seen, size: int = _BATCH) -> list[list[int]]:
    """Lines of similar width together."""
    order = sorted(range(len(lines.inputs)), key=lambda k: len(lines.inputs[k]))
    return [order[start : start + size] for start in range(0, len(order), size)]
