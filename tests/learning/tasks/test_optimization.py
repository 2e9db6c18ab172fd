"""The learning rate over a training."""

import pytest
import torch

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
