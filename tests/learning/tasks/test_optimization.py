"""The learning rate over a training."""

import pytest
import torch

from text_recognizer.learning import networks
from text_recognizer.learning.tasks.base import Optimization, optimizer_and_schedule

STEPS = 1000


def rates(**fields):
    prepared = optimizer_and_schedule(torch.nn.Linear(2, 2), Optimization(learning_rate=1.0, **fields), STEPS)
    optimizer, schedule = prepared["optimizer"], prepared["lr_scheduler"]["scheduler"]
    found = []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_the_rate_stays_at_its_peak_until_the_last_part_in_which_it_falls():
    found = rates(warmup=0.1, decay=0.25)
    assert found[0] < found[50] < found[99] == 1.0
    assert set(found[100:775]) == {1.0}  # the last quarter of the 900 steps behind the warm-up is left
    assert found[780:] == sorted(found[780:], reverse=True)
    assert found[-1] < 0.001


def test_by_itself_the_rate_falls_from_the_warm_up_on():
    found = rates(warmup=0.1)
    assert found[100:] == sorted(found[100:], reverse=True)
    assert found[550] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("decay", [0.0, 1.5])
def test_a_share_that_is_none_is_refused(decay):
    with pytest.raises(ValueError, match=r"optimization\.decay"):
        Optimization(decay=decay)


def small_network(name="lcnet-svtr"):
    return networks.build(name, classes=3, channels=[8, 16], blocks=[1, 1], neck=8, heads=2, hidden=4)


def rates_by_layer(network, **fields):
    """The learning rate, and whether it decays, of each parameter, at the peak of the schedule."""
    optimization = Optimization(learning_rate=0.01, warmup=0.1, **fields)
    prepared = optimizer_and_schedule(network, optimization, STEPS)
    for _ in range(150):
        prepared["optimizer"].step()
        prepared["lr_scheduler"]["scheduler"].step()
    groups = prepared["optimizer"].param_groups
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    found = {id(p): (group["lr"], group["weight_decay"] > 0) for group in groups for p in group["params"]}
    return {name: found[id(parameter)] for name, parameter in network.named_parameters()}


def test_pretrained_layers_learn_more_slowly_than_new_ones():
    found = rates_by_layer(small_network(), decay=0.5, pretrained_factor=0.25)
    for name, (rate, decays) in found.items():
        new = name.startswith(("lstm.", "out."))
        assert rate == pytest.approx(0.01 if new else 0.0025), name
        assert decays == (not name.endswith("bias") and "norm" not in name and "bias_" not in name), name


def test_by_itself_all_layers_learn_alike_in_two_groups():
    network = small_network()
    prepared = optimizer_and_schedule(network, Optimization(), STEPS)
    assert [group["weight_decay"] for group in prepared["optimizer"].param_groups] == [0.01, 0.0]
    assert len({rate for rate, _ in rates_by_layer(network, decay=0.5).values()}) == 1


def test_a_factor_that_stops_learning_is_refused():
    with pytest.raises(ValueError, match=r"optimization\.pretrained_factor"):
        Optimization(pretrained_factor=0.0)
