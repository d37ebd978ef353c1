"""Write rarely: its schemes, its studies, and what is read off a training."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import mho
from builders.resuming import done, unbroken_and_resumed
from mho.experiments.siamese import SiameseConfig, figures, studies
from mho.experiments.siamese.measures import epochs_to_first_death, gone, spent
from mho.experiments.siamese.schemes import SCHEMES, Distances, Setting, Writes
from mho.experiments.siamese.training import Descent, Job, network, train, training_feed
from mho.learning.layers.layer import memristive_layers

TINY: dict[str, Any] = {
    "per_class": 40, "hidden": 12, "cnn": {"channels": (2, 3), "dense": (9, 8)},
    "processor": "cpu", "batch": 50,
}  # fmt: skip


def config(**changes: Any) -> SiameseConfig:
    return SiameseConfig().replace(**(TINY | changes))


def trained(folder: Path, config: SiameseConfig, job: Job) -> Any:
    return done(folder, config.to_toml(), lambda run: train(config, run, job).outcome)


# ------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schemes": ("faling threshold",)}, "did you mean 'falling threshold'"),
        ({"schemes": ("float", "float")}, "each name once"),
        ({"claimed": ("float", "falling threshold")}, "among others"),
        ({"networks": ("cnn",)}, r"\('mlp',\) or"),
        ({"batch": 500}, "at most the training images"),
        ({"writes": {"large_threshold": (3.0, 0.4)}}, r"\[0.5, 10000\]"),
        ({"writes": {"gathered": 0.5}}, r"\(0.5, 10000\]"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_a_study_changes_what_it_names_and_nothing_else() -> None:
    whole = config()
    (study,) = studies.imperfections(whole)
    for name, (job, x, what) in study.points.items():
        value = name.removeprefix(f"{what}, ")
        assert x == pytest.approx(100 * float(value))
        device, standard = job.hardware.device, whole.hardware.device
        assert isinstance(device, mho.cells.MultiLevel)
        share = {
            "write spread": device.sigma[0] / (device.g_max - device.g_min),
            "device spread": device.device_spread,
            "read noise": device.read_noise,
            "stuck cells": device.stuck_on + device.stuck_off,
        }
        assert share[what] == pytest.approx(float(value))
        fields = {"sigma", "device_spread", "read_noise", "stuck_on", "stuck_off"}
        changed = {f for f in fields if getattr(device, f) != getattr(standard, f)}
        assert len(changed - {"stuck_on", "stuck_off"}) + bool(changed & {"stuck_on"}) <= 1
    (study,) = studies.levels(whole)
    points = study.points.values()
    assert [point.job.hardware.levels for point in points] == list(studies.LEVELS)
    assert [point.x for point in points] == list(studies.LEVELS)


# ------------------------------------------------------------------ schemes


def on_arrays(name: str, config: SiameseConfig, hardware: mho.Hardware | None = None) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = network(config, name)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(1)
    return mho.convert(model, hardware or config.hardware, generator=generator)


def test_small_layers_have_a_threshold_of_their_own() -> None:
    whole = SiameseConfig()
    setting = Setting(whole.writes, on_arrays("cnn", whole), 16, True, 10, 0)
    sizes = {n: x.weight.numel() for n, x in memristive_layers(setting.net).items()}
    assert list(sizes.values()) == [150, 2400, 48_000, 10_080, 840]
    assert list(setting.by_size((3.0, 0.8)).values()) == [0.8, 0.8, 3.0, 3.0, 0.8]
    assert setting.weights == 61_470


def test_thresholds_fall_with_the_learning_rate() -> None:
    whole, writes = SiameseConfig(), Writes(
        falling_threshold=Distances(first=(2.0, 1.0), last=(1.0, 0.5)),
        cnn_falling_threshold=Distances(first=(3.0, 3.0), last=(1.0, 1.0)),
    )  # fmt: skip
    setting = Setting(writes, on_arrays("mlp", whole), 16, False, 10, 0)
    found = [list(setting.falling_threshold(rate).values()) for rate in (1.0, 0.5, 0.0)]
    assert found == [[2.0, 1.0], [1.5, 0.75], [1.0, 0.5]]
    cnn = Setting(writes, on_arrays("cnn", whole), 16, True, 10, 0)
    assert set(cnn.falling_threshold(0.5).values()) == {2.0}


def test_a_training_ends_at_the_last_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    falls = Distances(first=(2.0, 1.0), last=(0.75, 0.5))
    whole = config(writes=Writes(falling_threshold=falls))
    feed = training_feed(whole, SCHEMES["falling threshold"], 3, torch.device("cpu"))
    net = on_arrays("mlp", whole)
    descent = Descent(whole, Job("falling threshold", 1, whole.hardware), net, feed, 3)
    assert descent.write is not None
    seen = []
    for step in range(descent.steps):
        descent.step(step)
        seen.append(next(iter(descent.write.threshold.values())))
    assert seen[-1] == pytest.approx(0.75)
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] < seen[0] < 2.0


def test_distances_stay_the_same_on_chips_of_other_levels() -> None:
    whole = config()
    (study,) = studies.levels(whole)
    for n, point in study.points.items():
        net = on_arrays("mlp", whole, point.job.hardware)
        large = next(iter(Setting(whole.writes, net, 16, False, 10, 0).by_size((3.0, 3.0)).items()))
        step = memristive_layers(net)[large[0]].step
        expected = 3.0 * memristive_layers(on_arrays("mlp", whole))[large[0]].step
        assert large[1] * step == pytest.approx(max(expected, step / 2)), n


@pytest.mark.parametrize("name", [name for name in SCHEMES if name != "float"])
def test_a_scheme_resumes_to_the_same_numbers(name: str, tmp_path: Path) -> None:
    """Broken off in the second epoch, with state of rules, policies and feedback to bring back."""
    falls = Distances(first=(0.6, 0.6), last=(0.5, 0.8))
    whole = config(writes=Writes(falling_threshold=falls, large_threshold=(0.7, 0.7)))
    job = Job(name, 2, whole.hardware)
    unbroken, resumed = unbroken_and_resumed(
        tmp_path, whole.to_toml(), lambda run: train(whole, run, job).outcome
    )
    assert resumed == unbroken
    base = unbroken["weights"] * unbroken["steps_per_epoch"] * 2
    assert gone(unbroken) == pytest.approx(100 * (1 - sum(unbroken["history"]["written"]) / base))


def test_the_closed_loop_looks_at_everything(tmp_path: Path) -> None:
    whole = config()
    loop = trained(tmp_path / "loop", whole, Job("closed loop", 1, whole.hardware))
    change = trained(tmp_path / "change", whole, Job("on level change", 1, whole.hardware))
    assert gone(loop) == 0
    assert loop["steps_per_epoch"] == 8
    first = spent(loop, "reads") - spent(loop, "pulses")  # each addressed cell is read first
    assert 0.95 < first / (8 * 2 * loop["weights"]) <= 1
    assert spent(loop, "pulses") > 2 * spent(change, "pulses") > 0
    assert spent(change, "reads") == 0
    life = epochs_to_first_death(change)
    assert life == pytest.approx((1e6 - 1) / (change["history"]["max_pulses"][-1] - 1))
    for_ever = {"start": {"endurance_used": 0.0}, "history": {"endurance_used": [0.0]}}
    assert epochs_to_first_death(change | for_ever) is None
    assert epochs_to_first_death(change | {"start": {}}) is None  # by an earlier version
    dead = {"start": {"endurance_used": 1.1}, "history": {"endurance_used": [2.0]}}
    assert epochs_to_first_death(change | dead) == 0.0  # from the first programming
    assert spent(loop, "rows") < spent(loop, "serial")


def test_wear_counts_every_cell_once() -> None:
    outcomes = {
        "float": [{}],
        "falling threshold": [{"max_writes": 5, "writes": [[1, 70], [2, 20], [5, 10]]}] * 2,
        "on level change": [{"max_writes": 130, "writes": [[1, 99], [130, 1]]}] * 2,
    }
    figure = figures.wear(outcomes)
    assert [sum(group.counts) for group in figure.groups] == [200, 200]
    edges = figure.groups[0].edges
    assert edges[0] == -0.5
    assert edges[-1] > 130
    assert all((b - a) % 1 == 0 for a, b in pairwise(edges))
