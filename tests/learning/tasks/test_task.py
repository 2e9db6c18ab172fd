"""What all tasks have in common: experiments stay what they were, epochs go on where they stopped."""

import copy

import numpy as np
import pytest
import torch

from tests.helpers.tiny_training import ROOT, tiny
from text_recognizer.learning import tasks
from text_recognizer.learning.experiments.config import load_experiment, make_experiment
from text_recognizer.learning.experiments.run import build
from text_recognizer.learning.loading.augmentation import LineAugmentation
from text_recognizer.learning.loading.process_generator import ProcessGenerator
from text_recognizer.recognition.bundle import SHIPPED, bundle_task

CHARACTERS = {
    "name": "few",
    "task": "characters",
    "network": {"name": "mlp", "fields": {"hidden": [8]}},
    "data": {
        "train": [{"name": "fonts", "variants": 1, "characters": 50}, {"name": "emnist-digits", "optional": True}],
        "val": [],
        "batch": 8,
        "workers": 0,
    },
}


def test_every_shipped_bundle_is_of_a_task_or_a_language_model():
    for bundle in SHIPPED.glob("*/bundle.json"):
        task = bundle_task(bundle.parent)
        assert task == "language-model" or tasks.find(task).name == task


def test_every_experiment_of_the_folder_is_the_dataclass_of_its_task():
    for path in [*(ROOT / "experiments").glob("*.yaml"), *(ROOT / "experiments" / "releases").glob("*.yaml")]:
        experiment = load_experiment(path)
        assert type(experiment) is tasks.find(experiment.task).experiment


@pytest.mark.parametrize(
    "experiment",
    [
        make_experiment(copy.deepcopy(CHARACTERS)),
        tiny("--start_from=lines", "--network.fields={}"),
        load_experiment(ROOT / "experiments" / "paragraphs.yaml", ["--start_from=lines"]),
    ],
    ids=lambda experiment: experiment.task,
)
def test_an_experiment_stays_what_it_was_while_it_is_resolved(bare_data, experiment):
    before = copy.deepcopy(experiment)
    resolved = tasks.find(experiment.task).resolved(experiment)
    assert experiment == before
    assert resolved != before
    assert tasks.find(experiment.task).resolved(resolved) == resolved


def test_characters_go_on_where_an_epoch_stopped(bare_data):
    _, data = build(make_experiment(copy.deepcopy(CHARACTERS)))
    data.start_at(3, 0)
    whole = list(data.order)
    data.start_at(3, 2)
    assert list(data.order) == whole[16:]
    data.begin_epoch(3)  # it is in the midst of it
    assert list(data.order) == whole[16:]
    data.begin_epoch(4)
    assert len(list(data.order)) == len(whole) == 50


def test_more_processes_have_fewer_batches_behind_them(line_cache):
    _, data = build(tiny("--data.columns=600"))
    whole, share = len(data.order), -(-len(data.order) // 2)
    assert whole > 2
    data.start_at(0, share, processes=2)
    assert data.order.done == 0  # an epoch of each process that has ended
    data.start_at(0, 1, processes=2)
    assert data.order.done == 1


def test_augmentation_follows_from_its_generator():
    image = np.random.default_rng(0).integers(0, 255, (64, 200)).astype(np.uint8)
    augmentation = LineAugmentation(probability=1)
    variants = [augmentation(image, 300, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(variants[0], variants[1])
    assert variants[0].shape != variants[2].shape or not np.array_equal(variants[0], variants[2])


def test_a_process_draws_on_until_it_is_seeded_anew():
    generator = ProcessGenerator()
    torch.manual_seed(5)
    first, second = generator().random(), generator().random()
    torch.manual_seed(6)
    other = generator().random()
    torch.manual_seed(5)
    assert generator().random() == first
    assert len({first, second, other}) == 3
