"""What a training needs at the least is told, and refused where there is less."""

from typing import Any

import pytest
import torch
from torch import nn

import mho
from mho import experiments
from mho.experiments.memory import available, check_memory, needed

GREY = (1, 28, 28)
CELLS = mho.Hardware(device=mho.devices.get("hfo2-1t1r"))


def dense(units: int) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, units), nn.ReLU(), nn.Linear(units, 10))


def test_memory_grows_with_cells_chips_and_images() -> None:
    least = needed(lambda: dense(64), CELLS, 1, 1, GREY)
    assert needed(lambda: dense(128), CELLS, 1, 1, GREY) == pytest.approx(2 * least, rel=0.1)
    cells = 2 * (784 + 10) * 64
    assert least == pytest.approx(12 * cells + 16 * cells / 2, rel=0.1)
    more = needed(lambda: dense(64), CELLS, 10, 1, GREY) - least
    assert more == pytest.approx(9 * (12 * cells + 4 * cells / 2), rel=0.1)
    assert needed(lambda: dense(64), CELLS, 1, 100, GREY) - least == 99 * 8 * (784 + 64 + 64 + 10)
    digital = needed(lambda: dense(64), lambda _name, _layer: None, 1, 1, GREY)
    assert digital == pytest.approx(12 * cells / 2, rel=0.1)


def test_it_is_less_than_what_a_network_takes_indeed() -> None:
    net = mho.convert(dense(64), CELLS, 10)
    thrice = [*net.parameters()] * 3  # with gradients and momentum
    kept = sum(t.numel() * t.element_size() for t in (*thrice, *net.buffers()))
    assert 0.5 * kept < needed(lambda: dense(64), CELLS, 10, 1, GREY) < 1.1 * kept


def test_what_does_not_fit_is_refused_with_both_numbers() -> None:
    cpu = torch.device("cpu")
    check_memory({"a": 1000, "b": 10}, cpu)
    there = available(cpu)
    assert 1 << 28 < there < 1 << 50
    with pytest.raises(ValueError, match=r"memory of b = '1e\+06 GB or more': expected at most "):
        check_memory({"a": 1000, "b": 10**15}, cpu)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("siamese", {"hidden": 65536, "hardware": {"copies": 64}}),
        ("metaplastic", {"hidden": (65536, 65536)}),
        ("bmcnn", {"chips": 10_000, "architecture": {"channels": (4096, 4096)}}),
        ("wires", {"systems": ("metaplastic",), "metaplastic": {"hidden": (65536, 65536)}}),
        ("sensitivity", {"systems": ("bmcnn",), "chips": 10_000,
                         "bmcnn": {"architecture": {"channels": (4096, 4096)}}}),
    ],
)  # fmt: skip
def test_runs_that_do_not_fit_are_refused(
    name: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mho.experiments.memory.available", lambda _device: 1 << 36)
    experiment = experiments.get(name)
    config = experiment.preset("quick").merged({"processor": "cpu"} | changes)
    with pytest.raises(ValueError, match=r"memory of the .* GB or more': expected at most 68\.7"):
        experiment.check(config)


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_presets_fit_on_a_small_machine(name: str) -> None:
    experiment = experiments.get(name)
    for preset in experiment.presets:
        most = 8e9 if preset == "paper" else 2e9
        assert max(experiment.memory(experiment.preset(preset)).values()) < most
