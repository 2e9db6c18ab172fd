"""Several processes share the batches out and learn what one process learns that adds the same gradients up."""

import csv
import os
import subprocess
import sys

import pytest
import torch
import torch.distributed as distributed

from tests.helpers.tiny_training import ROOT, tiny
from text_recognizer.learning import networks
from text_recognizer.learning.experiments.run import build
from text_recognizer.learning.synthesis.characters import CharacterDataset
from text_recognizer.learning.tasks.characters import BalancedOrder


def outcome(folder):
    """The checkpoint and the last scores of a run."""
    logs = list((folder / "logs").rglob("metrics.csv"))
    assert len(logs) == 1  # the first process writes alone
    assert len(list((folder / "samples").glob("*.html"))) == 2
    rows = [row for row in csv.DictReader(logs[0].open()) if row["iam-val/cer"]]
    return torch.load(folder / "last.ckpt", weights_only=False), rows[-1]


def _evenly_shared():
    """So many lines that two processes get as many batches each; widths are those of the machine's typefaces."""
    choices = (f"--data.train=[{{name: iam-train, lines: {count}}}]" for count in range(7, 2, -1))
    return next(choice for choice in choices if len(build(tiny(choice))[1].order) % 2 == 0)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_with_twice_the_batches(line_cache, monkeypatch):
    lines = _evenly_shared()
    command = [sys.executable, str(ROOT / "tests" / "helpers" / "ddp_run.py"), "--name=two", "--devices=2", lines]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)
    assert result.returncode == 0, result.stderr
    monkeypatch.setattr(networks, "_REGISTRY", dict(networks._REGISTRY))  # its network is for here only
    from tests.helpers.ddp_run import trained

    one, scores_of_one = outcome(trained("--name=one", "--accumulate=2", lines))
    two, scores_of_two = outcome(line_cache / "runs" / "two")
    _, data = build(tiny(lines))
    assert one["global_step"] == two["global_step"] == len(data.order)  # two epochs of half as many steps
    for name, weights in one["state_dict"].items():
        assert torch.allclose(weights, two["state_dict"][name], atol=1e-5), name
    for name in ("iam-val/cer", "iam-val/wer"):
        assert float(scores_of_one[name]) == pytest.approx(float(scores_of_two[name]))


@pytest.fixture
def pretended(monkeypatch):
    """Makes this process one of several, as far as samplers can see."""

    def pretend(rank, world):
        monkeypatch.setattr(distributed, "is_initialized", lambda: True)
        monkeypatch.setattr(distributed, "get_rank", lambda: rank)
        monkeypatch.setattr(distributed, "get_world_size", lambda: world)

    return pretend


@pytest.mark.parametrize("world", [2, 3, 4])
def test_each_process_takes_other_batches_and_as_many(line_cache, pretended, world):
    _, data = build(tiny())
    whole, val = list(data.order), list(data.val_dataloader()[0].batch_sampler)
    shares, val_shares = [], []
    for rank in range(world):
        pretended(rank, world)
        shares.append(list(data.order))
        assert len(data.order) == len(shares[0]) == -(-len(whole) // world)
        val_shares += list(data.val_dataloader()[0].batch_sampler)
        data.order.start_at(0, 1)
        assert list(data.order) == shares[-1][1:]  # what is left after an interruption
        data.order.start_at(0)
    taken = [batch for share in shares for batch in share]
    assert all(batch in taken for batch in whole)
    assert sorted(map(str, val_shares)) == sorted(map(str, val))  # each line of val is read once


def test_characters_are_shared_out(pretended):
    class Part(CharacterDataset):
        def __init__(self):
            self.text = "aab0"
            self.labels = torch.tensor([36, 36, 37, 0]).numpy()

    order = BalancedOrder([Part()], [11], 0.5)
    whole = list(order)
    shares = []
    for rank in range(3):
        pretended(rank, 3)
        shares.append(list(order))
        assert len(shares[-1]) == len(order)
    assert sorted(index for share in shares for index in share) == sorted(whole)
