"""Prefix beam search: the likeliest text by a CTC network and a character language model together.

Hannun et al., "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs" (2014),
with the language model asked at every character (Graves and Jaitly, ICML 2014). All lines of a batch are searched at
once, and only frames in which something stands: B lines, W prefixes of each, C characters that a frame may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from text_recognizer.recognition.text.language_model import CharacterLanguageModel

_ROOT = np.uint64(0xD1B54A32D192ED03)
_DEAD = np.uint64(0)  # the identity of a place in the beam that no prefix has
_NO_PARENT = np.uint64(2)
_MIX, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)
_UNKNOWN = -1


@dataclass(frozen=True)
class Beam:
    """How wide the search is. width: texts that are kept at most. frame: probability of a character, of any, for which
    a frame is looked at. character: probability of a character there that is looked at. choices: characters of one
    frame that are looked at, at most. text: share of the likeliest text's probability that a text must have."""

    width: int = 24
    frame: float = 5e-3
    character: float = 5e-4
    choices: int = 8
    text: float = 1e-4


class Candidate(NamedTuple):
    """A text that a line may have: the numbers of its characters, and its share of the probability of all texts that
    the search kept."""

    numbers: list[int]
    share: float


@dataclass
class _Frames:
    """The frames of lines in which something may stand, S of them at most.

    numbers, probabilities: (B, S, C) of the characters. blank: (B, S) probability of the blank. apart: (B, S) whether
    frames of nothing but blanks lie before. counts: (B,) how many frames each line has.
    """

    numbers: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    blank: NDArray[np.float32]
    apart: NDArray[np.bool_]
    counts: NDArray[np.int64]


@dataclass
class _Prefixes:
    """Beginnings of the texts of B lines, W of each, every array (B, W).

    blank, ended: probability of all paths that end with a blank, and of those that end with the last character; the
    language model's part is in both, and the likeliest prefix has 1 in all. number: of the last character, 0 where
    there is none. state: of the language model, once somebody asked. origin: its state one character before. identity,
    parent: hashes of the prefix, and of it without its last character. node: where it stands in the tree of prefixes.
    word: the word in its making, of the word list.
    """

    blank: NDArray[np.float32]
    ended: NDArray[np.float32]
    number: NDArray[np.int64]
    state: NDArray[np.int64]
    origin: NDArray[np.int64]
    identity: NDArray[np.uint64]
    parent: NDArray[np.uint64]
    node: NDArray[np.int64]
    word: NDArray[np.uint64]

    def first(self, count: int) -> _Prefixes:
        """Those of the first lines; changes to it are changes to them."""
        return _Prefixes(*(array[:count] for array in vars(self).values()))


class _Tree:
    """All prefixes that were ever kept, as nodes that name the node before and a character."""

    def __init__(self) -> None:
        self.parents, self.numbers = [0], [0]

    def grow(self, parents: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The new nodes."""
        count = len(self.parents)
        self.parents += parents.tolist()
        self.numbers += numbers.tolist()
        return np.arange(count, len(self.parents))

    def candidates(self, nodes: NDArray[np.int64], scores: NDArray[np.float32]) -> list[Candidate]:
        """The texts that end at nodes (W,) with scores (W,), the likeliest first; those with no score are none."""
        best = [at for at in np.argsort(-scores, kind="stable").tolist() if scores[at] > 0] or [0]
        total = float(scores.sum()) or 1.0
        return [Candidate(self._text(int(nodes[at])), float(scores[at]) / total) for at in best]

    def _text(self, node: int) -> list[int]:
        """The characters from the root to a node."""
        text = []
        while node:
            text.append(self.numbers[node])
            node = self.parents[node]
        return text[::-1]


def beam_search(
    lines: Sequence[NDArray[np.float32]],
    model: CharacterLanguageModel,
    before: Sequence[str],
    beam: Beam = Beam(),
) -> list[list[Candidate]]:
    """The texts that each line may have, the likeliest first; at least one.

    lines: of each the probabilities (T, K) float32 of the network, rows sum to 1, number 0 the blank, the others those
    of the model's classes. before: what stands before each line, " " where that is not known.
    """
    frames = _frames(lines, beam)
    order = np.argsort(-frames.counts, kind="stable")  # the lines that are done are the last ones
    frames = _Frames(*(array[order] for array in vars(frames).values()))
    with model:
        prefixes, tree = _roots(beam.width, [before[index] for index in order.tolist()], model), _Tree()
        for step in range(frames.numbers.shape[1]):
            going = int((frames.counts > step).sum())
            _advance(prefixes.first(going), frames, step, model, tree, beam)
        # A line ends where a word does.
        _know(prefixes, prefixes.identity != _DEAD, model)
        states = np.maximum(prefixes.state, 0)  # some places are empty
        ending = np.full_like(prefixes.number, model.space)
        whole = prefixes.blank + prefixes.ended
        if model.space:
            whole = whole * model.factors(states, ending) * model.words.factors(prefixes.word, ending)
    found = dict(zip(order.tolist(), map(tree.candidates, prefixes.node, whole), strict=True))
    return [found[index] for index in range(len(lines))]


def _frames(lines: Sequence[NDArray[np.float32]], beam: Beam) -> _Frames:
    """The frames of the lines that hold anything but a blank."""
    held = [np.flatnonzero((line[:, 1:] > beam.frame).any(axis=1)) for line in lines]
    counts = np.array([len(frames) for frames in held], np.int64)
    longest, classes = int(counts.max(initial=0)), lines[0].shape[1] if len(lines) else 1
    choices = max(1, min(beam.choices, classes - 1))
    shape = len(lines), longest
    numbers, probabilities = np.zeros((*shape, choices), np.int64), np.zeros((*shape, choices), np.float32)
    blank, apart = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
    for line, frames, count, own in zip(lines, held, counts, range(len(lines)), strict=True):
        rows = line[frames, 1:]
        best = np.argpartition(-rows, choices - 1, axis=1)[:, :choices]
        found = np.take_along_axis(rows, best, 1)
        numbers[own, :count] = best + 1
        probabilities[own, :count] = np.where(found > beam.character, found, 0)
        blank[own, :count] = line[frames, 0]
        apart[own, :count] = np.diff(frames, prepend=-1) > 1
    return _Frames(numbers, probabilities, blank, apart, counts)


def _roots(width: int, before: Sequence[str], model: CharacterLanguageModel) -> _Prefixes:
    """The empty text of each line, alone in its beam; before: what stands before each."""
    shape = len(before), width
    kinds = np.float32, np.float32, np.int64, np.int64, np.int64, np.uint64, np.uint64, np.int64, np.uint64
    prefixes = _Prefixes(*(np.zeros(shape, kind) for kind in kinds))
    prefixes.blank[:, 0], prefixes.identity[:, 0] = 1.0, _ROOT
    prefixes.state[:, 0] = [model.state(text) for text in before]
    prefixes.word[:, 0] = [model.words.begin(text) for text in before]
    prefixes.parent[:] = _NO_PARENT
    return prefixes


def _advance(
    prefixes: _Prefixes, frames: _Frames, step: int, model: CharacterLanguageModel, tree: _Tree, beam: Beam
) -> None:
    """Prefixes after one more frame of their lines, in place."""
    count = len(prefixes.blank)
    numbers, probabilities = frames.numbers[:count, None, step], frames.probabilities[:count, None, step]  # (B, 1, C)
    total = prefixes.blank + prefixes.ended
    # Behind a blank, a character that comes again is a second one; otherwise it is the same.
    apart = frames.apart[:count, step, None]
    blank, ended = np.where(apart, total, prefixes.blank), np.where(apart, 0, prefixes.ended)
    same = prefixes.number[:, :, None] == numbers  # (B, W, C)
    stays = ended * np.where(same, probabilities, 0).sum(axis=2)
    longer = np.where(same, blank[:, :, None], total[:, :, None]) * probabilities
    asked: NDArray[np.bool_] = np.greater_equal(longer, beam.text)
    _know(prefixes, asked.sum(axis=2) > 0, model)
    line, prefix, choice = asked.nonzero()
    factors = np.zeros_like(longer)
    number = numbers[line, 0, choice]
    factors[line, prefix, choice] = model.factors(prefixes.state[line, prefix], number)
    factors[line, prefix, choice] *= model.words.factors(prefixes.word[line, prefix], number)
    longer *= factors
    # Where the longer prefix is in the beam already, its probability goes there.
    kin = prefixes.parent[:, :, None] == prefixes.identity[:, None, :]  # (B, W, W): child, parent
    meets = kin.transpose(0, 2, 1).astype(np.float32) @ same.astype(np.float32) > 0
    stays += np.where(same, kin.astype(np.float32) @ longer, 0).sum(axis=2)
    longer[meets] = 0
    _keep(prefixes, total * frames.blank[:count, step, None], stays, longer, numbers, model, tree, beam)


def _know(prefixes: _Prefixes, asked: NDArray[np.bool_], model: CharacterLanguageModel) -> None:
    """Find out the states of those prefixes (B, W) that are asked for: many are dropped before they are."""
    new = asked & (prefixes.state == _UNKNOWN)
    prefixes.state[new] = model.after(prefixes.origin[new], prefixes.number[new])


def _keep(
    prefixes: _Prefixes,
    blank: NDArray[np.float32],
    stays: NDArray[np.float32],
    longer: NDArray[np.float32],
    numbers: NDArray[np.int64],
    model: CharacterLanguageModel,
    tree: _Tree,
    beam: Beam,
) -> None:
    """Put the likeliest prefixes into the beam, of those that stay (B, W) and those that are longer (B, W, C)."""
    count, width, choices = longer.shape
    scores = np.concatenate([blank + stays, longer.reshape(count, -1)], axis=1)
    chosen = scores.argpartition(-width, axis=1)[:, -width:]
    lines = np.arange(count)[:, None]
    score = scores[lines, chosen]
    best = np.maximum(score.max(axis=1, keepdims=True), np.float32(1e-30))
    alive = (score >= beam.text * best) & (score > 0)
    new = alive & (chosen >= width)
    before = np.where(chosen < width, chosen, (chosen - width) // choices)  # the prefix that stays, or grows
    at = before + width * lines
    identity, node, state = prefixes.identity.take(at), prefixes.node.take(at), prefixes.state.take(at)
    number = np.where(new, numbers[lines, 0, (chosen - width) % choices], prefixes.number.take(at))
    prefixes.blank[:] = np.where(alive > new, blank.take(at) / best, 0)
    prefixes.ended[:] = np.where(alive, np.where(new, score, stays.take(at)) / best, 0)
    parent = np.where(new, identity, prefixes.parent.take(at))
    prefixes.parent[:] = np.where(alive, parent, _NO_PARENT)
    prefixes.origin[:] = np.where(new, state, prefixes.origin.take(at))
    prefixes.state[:] = np.where(new, _UNKNOWN, state)
    grown = (identity ^ number.view(np.uint64)) * _MIX
    prefixes.identity[:] = np.where(alive, np.where(new, grown ^ (grown >> _SHIFT), identity), _DEAD)
    prefixes.number[:] = number
    word = prefixes.word.take(at)
    word[new] = model.words.after(word[new], number[new])
    prefixes.word[:] = word
    node[new] = tree.grow(node[new], number[new])
    prefixes.node[:] = node
