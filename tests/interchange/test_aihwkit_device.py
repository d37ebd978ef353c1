"""Devices of aihwkit: cells move as its update rules move weights, one pulse after another; what no
cell has a place for is refused, or left out by name."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mho
from mho.errors import InvalidInput
from mho.interchange import from_aihwkit
from mho.interchange.aihwkit_device import DEFAULTS, WITHOUT_PLACE

LOW, HIGH = 1e-6, 5e-5
SHARP: dict[str, Any] = dict.fromkeys(WITHOUT_PLACE, 0.0) | dict.fromkeys(
    ("perfect_bias", "subtract_symmetry_point"), False
)
"""Nothing that a cell has no place for."""

DEVICES: dict[str, dict[str, Any]] = {
    "constant": {"class": "ConstantStepDevice", "dw_min": 0.004},
    "constant, up and down": {"class": "ConstantStepDevice", "dw_min": 0.004, "up_down": 0.3},
    "constant, down and up": {"class": "ConstantStepDevice", "dw_min": 0.004, "up_down": -0.3},
    "linear": {
        "class": "LinearStepDevice", "dw_min": 0.004, "gamma_up": 0.6, "gamma_down": 0.4,
        "w_max": 0.8, "dw_min_std": 2.0,
    },
    "linear, additive noise": {
        "class": "LinearStepDevice", "dw_min": 0.004, "gamma_up": 0.9, "gamma_down": 0.2,
        "mult_noise": False, "dw_min_std": 2.0,
    },
    "linear, reversed": {
        "class": "LinearStepDevice", "dw_min": 0.004, "gamma_up": 0.5, "reverse_up": True,
    },
    "soft bounds": {"class": "SoftBoundsDevice", "dw_min": 0.004, "w_min": -0.5, "w_max": 1.0},
    "soft bounds, reference": {
        "class": "SoftBoundsReferenceDevice", "dw_min": 0.004, "w_min": -0.75, "w_max": 1.25,
        "dw_min_std": 3.0,
    },
    "exponential": {
        "class": "ExpStepDevice", "dw_min": 0.004, "w_max": 1.0, "w_min": -1.0, "a": -0.5,
        "b": -0.5, "gamma_up": 5.0, "gamma_down": 5.0, "A_up": -1.18445, "A_down": -0.081404,
        "up_down": 0.259359,
    },
    "piecewise": {
        "class": "PiecewiseStepDevice", "dw_min": 0.004, "piecewise_up": [1.5, 1.0, 0.4],
        "piecewise_down": [0.5, 1.0, 1.2],
    },
}  # fmt: skip


def moved(fields: dict[str, Any], w: np.ndarray, up: bool) -> tuple[np.ndarray, np.ndarray]:
    """Step of aihwkit's update rule and its deviation, before the bounds are applied."""
    p = DEFAULTS[fields["class"]] | fields
    low, high, kind = p["w_min"], p["w_max"], fields["class"]
    scale = p["dw_min"] * (1 - max(0.0, -p["up_down"] if up else p["up_down"]))
    if kind == "ConstantStepDevice":
        step = np.full_like(w, 1.0)
    elif kind == "PiecewiseStepDevice":
        values = p["piecewise_up" if up else "piecewise_down"]
        step = np.interp(w, np.linspace(low, high, len(values)), values)
    elif kind == "ExpStepDevice":
        z = 2 * w / (high - low) * p["a"] + p["b"]
        a, gamma = (p["A_up"], p["gamma_up"]) if up else (p["A_down"], -p["gamma_down"])
        step = np.maximum(1 - a * np.exp(gamma * z), 0)
    else:
        gamma = p.get("gamma_up" if up else "gamma_down", 1.0)
        reverse = p.get("reverse_up" if up else "reverse_down", False)
        edge = (low - 0.01 if reverse else high) if up else (high + 0.01 if reverse else low)
        step = 1 - gamma * w / edge
    each = step if p.get("mult_noise", True) else 1.0
    return (1 if up else -1) * scale * step, p["dw_min_std"] * scale * np.abs(each)


def walked(fields: dict[str, Any], start: float, pulses: int, up: bool) -> np.ndarray:
    p = DEFAULTS[fields["class"]] | fields
    rng, w = np.random.default_rng(3), np.full(20_000, start)
    for _ in range(pulses):
        step, deviation = moved(fields, w, up)
        w = (w + step + deviation * rng.standard_normal(len(w))).clip(p["w_min"], p["w_max"])
    return w


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("which", DEVICES)
def test_cells_move_as_weights_do(which: str, up: bool) -> None:
    fields = sharp(DEVICES[which])
    cell = from_aihwkit(fields, LOW, HIGH).cell
    p = DEFAULTS[fields["class"]] | fields
    siemens = (HIGH - LOW) / (p["w_max"] - p["w_min"])
    start = 0.6 * (p["w_min"] if up else p["w_max"])
    assert cell.window == (LOW, HIGH)
    for pulses in (1, 60):
        w = walked(fields, start, pulses, up)
        z = torch.randn(20_000, generator=torch.Generator().manual_seed(2))
        counts = torch.full((20_000,), pulses if up else -pulses, dtype=torch.int32)
        begin = torch.full((20_000,), LOW + (start - p["w_min"]) * siemens)
        g = cell.respond(z, begin, counts, {}).double().numpy()  # type: ignore[attr-defined]
        ends = LOW + (w - p["w_min"]) * siemens
        assert g.mean() - begin[0].item() == pytest.approx(
            ends.mean() - begin[0].item(), rel=0.03, abs=0.1 * ends.std()
        )
        assert g.std() == pytest.approx(ends.std(), rel=0.05)


def sharp(fields: dict[str, Any]) -> dict[str, Any]:
    """The device without what no cell has a place for, and without spread between devices."""
    names = DEFAULTS[fields["class"]]
    return {k: v for k, v in SHARP.items() if k in names} | {"dw_min_dtod": 0.0} | fields


def test_spread_between_devices_is_that_of_steps() -> None:
    fields = sharp(DEVICES["constant"])
    normal = from_aihwkit(fields | {"dw_min_dtod": 0.3}, LOW, HIGH).cell
    assert normal.device_spread == 0.3  # type: ignore[attr-defined]
    given = fields | {"dw_min_dtod": 0.3, "dw_min_dtod_log_normal": True}
    cell = from_aihwkit(given, LOW, HIGH).cell
    assert isinstance(cell, mho.cells.PulseTable)
    drawn = np.exp(0.3 * np.random.default_rng(1).standard_normal(1_000_000))
    step = 0.004 * (HIGH - LOW) / 1.2
    assert cell.set_step[0] / step == pytest.approx(drawn.mean(), rel=2e-3)
    assert cell.device_spread == pytest.approx(drawn.std() / drawn.mean(), rel=5e-3)


@dataclass
class PulsedDevice:
    """As aihwkit's devices are: fields of a dataclass, the kind the name of a base."""

    bindings_class: str = "none"
    construction_seed: int = 0
    dw_min: float = 0.001
    w_max: float = 0.6
    w_min: float = -0.6
    w_max_dtod: float = 0.3
    w_min_dtod: float = 0.3
    up_down_dtod: float = 0.01


@dataclass
class ConstantStepDevice(PulsedDevice):
    """A kind."""


@dataclass
class MyPresetDevice(ConstantStepDevice):
    """A preset of that kind."""

    dw_min: float = 0.002


@dataclass
class SingleRPUConfig:
    """As aihwkit's configuration of a tile holds its device."""

    device: Any = field(default_factory=MyPresetDevice)


LEFT = ["up_down_dtod", "w_max_dtod", "w_min_dtod"]


def test_all_forms_of_a_device_give_one_cell(tmp_path: Path) -> None:
    table = {"class": "ConstantStepDevice", "dw_min": 0.002}
    path = tmp_path / "device.json"
    path.write_text(json.dumps(table))
    forms: list[Any] = [MyPresetDevice(), SingleRPUConfig(), table, {"device": table}, path]
    forms += [str(path)]
    found = [from_aihwkit(form, LOW, HIGH, leave_out=LEFT) for form in forms]
    assert all(each == found[0] for each in found)
    assert "Left out: up_down_dtod = 0.01, w_max_dtod = 0.3, w_min_dtod = 0.3." in found[0].note
    assert mho.Preset.from_toml(found[0].to_toml()) == found[0]


@pytest.mark.parametrize("name", [n for n in WITHOUT_PLACE if n not in ("perfect_bias",)])
def test_what_has_no_place_is_refused_or_left_out_by_name(name: str) -> None:
    kind = next(kind for kind in DEFAULTS if name in DEFAULTS[kind])
    fields = sharp({"class": kind}) | {name: True if name.startswith("subtract") else 0.5}
    if name in ("reference_mean", "reference_std", "subtract_symmetry_point"):
        fields |= {"dw_min": 0.01}
    with pytest.raises(InvalidInput, match=rf"device\.{name}, .* leave_out=\['{name}'\]"):
        from_aihwkit(fields, LOW, HIGH)
    assert name in from_aihwkit(fields, LOW, HIGH, leave_out=[name]).note


CONSTANT = sharp({"class": "ConstantStepDevice"})


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ({"class": "PowStepDevice"}, "unknown device of aihwkit that a cell stands for 'PowStepDe"),
        ({"dw_min": 0.1}, "unknown device of aihwkit that a cell stands for None: expected one of"),
        (CONSTANT | {"dwmin": 0.1}, "unknown field of ConstantStepDevice 'dwmin': did you mean"),
        (CONSTANT | {"dw_min": "small"}, "device.dw_min = 'small': expected a finite number"),
        (CONSTANT | {"dw_min": float("nan")}, "device.dw_min = nan: expected a finite number"),
        (CONSTANT | {"dw_min": 0.0}, r"device\.dw_min, up_down = \(0\.0, 0\.0\): expected a"),
        (CONSTANT | {"up_down": 1.0}, r"device\.dw_min, up_down = \(0\.001, 1\.0\): expected a"),
        (CONSTANT | {"w_min": 0.1}, r"device\.w_min, w_max = \(0\.1, 0\.6\): expected bounds"),
        (CONSTANT | {"dw_min": 3.0}, "whose numbers a cell can have"),
        (sharp({"class": "LinearStepDevice", "gamma_up": 1.5}), "device: up step at weight 0.6"),
        (sharp({"class": "LinearStepDevice", "mult_noise": 1}), "device.mult_noise = 1: expected"),
        (sharp({"class": "ExpStepDevice", "dw_min_std_add": 1.0}), "device.dw_min_std_add = 1.0"),
        (sharp({"class": "PiecewiseStepDevice", "piecewise_up": [1, 2]}), "piecewise_down = 1: ex"),
        (sharp({"class": "PiecewiseStepDevice", "piecewise_up": []}), "piecewise_up = "),
        (object(), "device = an object: expected a device of aihwkit, or a dict"),
        (PulsedDevice(), "unknown device of aihwkit that a cell stands for 'PulsedDevice'"),
        ("nowhere.json", "device = 'nowhere.json': expected a .json file"),
    ],
)  # fmt: skip
def test_what_is_no_such_device_is_refused(device: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refusal:
        from_aihwkit(device, LOW, HIGH)
    assert "\n" not in str(refusal.value)


def test_the_window_and_names_to_leave_out_are_checked() -> None:
    with pytest.raises(InvalidInput, match="g_min = 5e-05: expected below g_max = 1e-06 S"):
        from_aihwkit(CONSTANT, HIGH, LOW)
    with pytest.raises(InvalidInput, match="unknown field of leave_out 'w_max': did you mean 'w_m"):
        from_aihwkit(CONSTANT, LOW, HIGH, leave_out=["w_max"])
    assert dataclasses.asdict(MyPresetDevice())["dw_min"] == 0.002  # as it was
