from functools import partial

import numpy as np
import pytest
import torch

import mho
from mho.lab.answer import Answer, _samples, answer
from mho.lab.question import Question
from mho.trial.chips import repaired, written
from mho.trial.network import network


def asked(name: str = "pcm-gst", **settings: object) -> Question:
    return Question(name=name, device=mho.devices.preset(name), chips=2, **settings)


@pytest.fixture(scope="module")
def fresh() -> Answer:
    return answer(asked())


def test_accuracies_costs_and_cells_of_all_chips(fresh: Answer) -> None:
    assert 0.97 < fresh.in_float < 1
    for accuracy in fresh.accuracy.values():
        assert accuracy.shape == (2,)
        assert (np.abs(accuracy - fresh.in_float) < 0.05).all()
    names = [name for name, _ in fresh.costs]
    assert {"pulses to write a cell", "energy of an input", "can be written"} <= set(names)
    first, second = fresh.cells.values()
    assert first.shape[:2] == (2, 14)
    assert second.shape[:2] == (2, 1)
    assert first.nansum(dim=(1, 2, 3)).gt(0).all()


def test_a_question_is_answered_once(fresh: Answer) -> None:
    assert answer(asked()) is fresh


def test_fewer_bits_wires_and_time_are_seen(fresh: Answer) -> None:
    mean = fresh.accuracy["as written"].mean()
    for worse in ({"adc_bits": 3}, {"age": "a month"}, {"weight_levels": 2}):
        assert answer(asked(**worse)).accuracy["as written"].mean() < mean - 0.02, worse
    month = answer(asked(age="a month"))
    for now, then in zip(fresh.cells.values(), month.cells.values(), strict=True):
        assert torch.nanmean(then) < 0.9 * torch.nanmean(now)


def test_energy_follows_the_bits(fresh: Answer) -> None:
    fewer = answer(asked(adc_bits=3))
    assert dict(fewer.costs)["energy of an input"] != dict(fresh.costs)["energy of an input"]
    assert dict(fewer.costs)["cells"] == dict(fresh.costs)["cells"]


def test_the_price_list_is_that_of_the_question(fresh: Answer) -> None:
    other = answer(asked(prices="neurosim-rram"))
    assert dict(other.costs)["prices"] == "neurosim-rram"
    assert dict(other.costs)["energy of an input"] != dict(fresh.costs)["energy of an input"]
    for name, accuracy in fresh.accuracy.items():
        assert (other.accuracy[name] == accuracy).all()


def test_binary_weights_on_two_state_cells() -> None:
    found = answer(asked("two-state-10k-100k", network="binary weights"))
    assert found.accuracy["after repair"].min() > 0.9


def test_chips_are_aged_and_repaired_as_a_trial_does_it() -> None:
    question = asked(age="a day")
    loader, images = _samples()
    chips = written(network(binary=False), question.hardware, 2, 0, images)
    repair = partial(repaired, images=images)
    found = answer(question).accuracy
    for what, done in (("as written", None), ("after repair", repair)):
        expected = mho.evaluate_over_time(chips, loader, [question.seconds], done)[0]
        np.testing.assert_allclose(found[what], expected, atol=2e-3)
