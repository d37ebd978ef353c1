"""Wires behind the three systems: which points are measured, and what a run says of them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import mho
from builders.resuming import done, unbroken_and_resumed
from mho.experiments import wires
from mho.experiments.run import Run
from mho.experiments.wires.compensation import COMPENSATIONS, PARTS, STRONG, behind_wires, fit
from mho.experiments.wires.config import PRESETS, WiresConfig
from mho.experiments.wires.plan import Point, claimed, points
from mho.experiments.wires.systems import behind, refreshed
from mho.learning.layers.layer import memristive_layers
from mho.report.folder import RunFolder

TINY: dict[str, Any] = {
    "processor": "cpu", "chips": 2, "resistances": (5.0,), "tiles": (24,),
    "claimed": {"resistance": 5.0, "tile": 24}, "refreshes": (1, 5),
    "refresh": {"per_class": 100}, "calibration": 20, "predistortion": {"rounds": 2},
    "bmcnn": {"epochs": 1, "per_class": 20, "sweep_per_class": 2, "test_per_class": 2,
              "calibration": 20, "architecture": {"channels": [3, 4], "hidden": [6]}},
    "siamese": {"epochs": 1, "per_class": 20, "hidden": 12, "calibration": 20},
    "metaplastic": {"epochs": 1, "per_class": 10, "hidden": [12, 8], "batch": 20, "transfer": 20,
                    "refreshed": 50},
}  # fmt: skip


def config(**changes: Any) -> WiresConfig:
    return PRESETS["quick"].merged(TINY | changes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"resistances": []}, r"WiresConfig\.resistances = \(\): expected at least one"),
        ({"resistances": [5.0, 5.0]}, "each once"),
        ({"resistances": [-1.0]}, r"WiresConfig\.resistances"),
        (
            {"claimed": {"resistance": 3.0, "tile": 24}},
            r"WiresConfig\.claimed\.resistance = 3\.0: .*\(5\.0,\)",
        ),
        (
            {"claimed": {"resistance": 5.0, "tile": 32}},
            r"WiresConfig\.claimed\.tile = 32: expected one of \(24,\)",
        ),
        ({"systems": ["siamse"]}, "siamese"),
        ({"refreshes": [1, 1]}, "each value once"),
        ({"siamese": {"epochs": 0}}, r"SiameseConfig\.epochs = 0"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        config(**change)


@pytest.mark.parametrize("system", COMPENSATIONS)
def test_all_compensations_are_compared_on_the_arrays_that_are_claimed(system: Any) -> None:
    whole = WiresConfig()
    at = [p for p in points(whole, system, 128) if p.r == 2.0]
    assert [p.compensation for p in at] == list(COMPENSATIONS[system])
    elsewhere = points(whole, system, 32)
    assert {p.compensation for p in elsewhere} == {"none", STRONG[system]}
    assert sum(p.r == 0 for p in elsewhere) == 1
    assert {part for name in COMPENSATIONS[system] for part in name.split(" + ")} <= set(PARTS)


def test_the_best_compensation_is_chosen_on_held_out_images_of_all_tasks() -> None:
    whole = config()

    def row(
        name: str, task: str, accuracy: float, split: str = "validation", r: float = 5.0
    ) -> Any:
        return Point(24, r, name)._asdict() | {
            "system": "metaplastic", "task": task, "split": split, "accuracy": [accuracy],
        }  # fmt: skip

    rows = [
        row("none", "a", 95.0), row("none", "b", 95.0), row("gain", "a", 90.0),
        row("gain", "b", 60.0), row("batch norm", "a", 80.0), row("batch norm", "b", 75.0),
        row("both ends", "a", 99.0, split="test"), row("both ends", "a", 99.0, r=1.0),
    ]  # fmt: skip
    assert claimed(whole, "metaplastic", rows) == [
        Point(24, 0.0, "none"), Point(24, 5.0, "none"), Point(24, 5.0, "batch norm"),
    ]  # fmt: skip


def chip() -> nn.Module:
    torch.manual_seed(0)
    cell = mho.cells.MultiLevel(g_min=50e-6, g_max=225e-6, levels=16, sigma=(1e-6,))
    hardware = mho.Hardware(device=cell, tile=(64, 64), weight_levels=16, full_scale=3.0)
    return mho.convert(nn.Sequential(nn.Linear(60, 30)), hardware)


@pytest.mark.parametrize("name", COMPENSATIONS["siamese"])
def test_a_compensation_leaves_the_chip_alone_and_helps(name: str) -> None:
    net, x = chip(), torch.rand(200, 60)
    kept = {k: v.clone() for k, v in net.state_dict().items()}
    wanted = net(x)
    lost = behind_wires(net, 10.0, "none", finer=8, rounds=10)
    wired = behind_wires(net, 10.0, name, finer=8, rounds=10)
    fit(wired, name, x)
    assert all(torch.equal(v, kept[k]) for k, v in net.state_dict().items() if "_extra" not in k)
    if name not in ("none", "rewritten"):
        assert (wired(x) - wanted).norm() < 0.95 * (lost(x) - wanted).norm()
    cells = next(iter(memristive_layers(wired).values())).crossbar
    assert cells.hardware.wires.both_ends is ("both ends" in name)


def test_an_unknown_compensation_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'column'"):
        behind_wires(chip(), 1.0, "columns", finer=1, rounds=1)


def test_training_through_wires_resumes_to_the_same_numbers(tmp_path: Path) -> None:
    whole = config(refresh={"every": 7, "per_class": 100})
    one, two = unbroken_and_resumed(
        tmp_path, whole.to_toml(), lambda run: behind(whole, run, "siamese", 24, 5.0)
    )
    assert one == two
    assert {row["split"] for row in one} == {"validation", "test"}


def test_the_error_of_estimates_survives_a_break(tmp_path: Path) -> None:
    whole = config(refresh={"per_class": 200})
    one, two = unbroken_and_resumed(tmp_path, whole.to_toml(), lambda run: refreshed(whole, run, 9))
    assert one == two
    assert one["staleness"] > 0


def test_a_run_says_what_wires_cost(tmp_path: Path) -> None:
    whole = config()
    result = done(tmp_path, whole.to_toml(), lambda run: wires.run(whole, run))
    ids = [c.id for c in result.claims]
    lines = ("bmcnn", "siamese", "metaplastic_mnist", "metaplastic_fashion_mnist")
    for line in lines:
        learns = line != "bmcnn"
        wanted = ["unwired", "wired", "compensated", *(["loop"] if learns else [])]
        assert [i for i in ids if i.startswith(line)] == [f"{line}_{slug}" for slug in wanted]
    bmcnn = next(c for c in result.claims if c.id == "bmcnn_wired")
    assert bmcnn.n == whole.chips
    (staleness,) = (c for c in result.curves if c.id == "refresh_staleness")
    exact, later = staleness.series[0].y
    assert 0 < exact <= later
    run = Run(tmp_path, whole.to_toml(), resume=True, title="wires")
    run.finish(result)
    run.close()
    read = RunFolder.read(tmp_path).result
    assert {f.id for f in read.figures} >= {"bmcnn_resistance", "siamese_map_none", "compensations"}
