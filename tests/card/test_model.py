"""Cards of dynamic models: driven so that they switch, whatever the model."""

import numpy as np
import pytest
import torch

from mho import card, dynamics
from mho.card.model import PULSES


def test_the_card_of_a_model_has_a_pinched_loop_and_switches() -> None:
    name = "stanford-pku"
    shown = card.of_model(name, dynamics.get(name))
    loop = shown.current.curves[0]
    assert (loop.x * loop.y >= 0).all()
    assert abs(np.trapezoid(loop.y, loop.x)) > 0
    sets, resets = shown.response.curves
    assert sets.y[-1] > 1.3 * sets.y[0]
    assert resets.y[-1] < 0.8 * resets.y[0]
    assert dict(shown.numbers)["DOI"] == dynamics.get(name).doi


@pytest.mark.parametrize("name", dynamics.MODELS)
def test_all_models_switch(name: str) -> None:
    shown = card.of_model(name, dynamics.get(name))
    numbers = dict(shown.numbers)
    assert numbers["model"] == dynamics.get(name).family
    assert numbers["endurance"] == "not given"
    sets, resets = shown.response.curves
    assert len(sets.x) == len(resets.x) == PULSES + 1
    assert resets.x[0] == PULSES
    assert resets.y[0] == pytest.approx(sets.y[-1])
    assert sets.y[-1] > sets.y[0]
    if name != "tio2-joglekar":  # at an end its window lets nothing move away again
        assert resets.y[-1] < resets.y[0]
    loop = shown.current.curves[0]
    assert np.isfinite(loop.y).all()
    box = np.ptp(loop.x) * np.ptp(loop.y)
    lobes = (np.trapezoid(loop.y[part], loop.x[part]) for part in (slice(0, 101), slice(100, 201)))
    assert sum(map(abs, lobes)) > 0.005 * box, "no loop"
    assert shown.levels.missing
    assert shown.retention.missing


@pytest.mark.parametrize("name", dynamics.MODELS)
def test_a_model_has_a_number_for_each_place(name: str) -> None:
    model = dynamics.get(name)
    names = []
    for entry in model.datasheet():
        names.append(entry.name)
        assert entry.text.count("{}") == len(entry.values)
    assert names[:2] == ["window", "read at"]
    assert names[-2:] == ["noise of cycles", "spread of devices"]
    off, on = model.ends({})
    rate = model.rate(torch.tensor(0.5 * (off + on)), torch.tensor(model.set_voltage), {})
    assert rate.sign().item() == (1 if on > off else -1)
