"""Devices of the IBM Analog Hardware Acceleration Kit (aihwkit) as cells, where a family fits.

Source: aihwkit 1.1.0, `simulator/configs/devices.py` for names and defaults, and the update rules
of its C++ part (`rpu_*step_device.cpp`) for what they mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mho.arguments import checked
from mho.errors import InvalidInput, invalid, unknown
from mho.files import parse_json, read_text
from mho.physics import Preset, PulseTable
from mho.quantities import CellSiemens, Siemens

CURVED = 129
"""Conductances at which steps are tabled whose course is curved."""

LEAST = 1e-3
"""Step at the bound of a device whose steps vanish there, as a share of the step at weight 0: the
tables of a cell have no step of 0."""

LEVELS = 9
"""Levels of the cell, as far as there are pulses for them."""

_PULSED: dict[str, Any] = {
    "dw_min": 0.001, "dw_min_dtod": 0.3, "dw_min_dtod_log_normal": False, "dw_min_std": 0.3,
    "up_down": 0.0, "up_down_dtod": 0.01, "w_max": 0.6, "w_min": -0.6, "w_max_dtod": 0.3,
    "w_min_dtod": 0.3, "corrupt_devices_prob": 0.0, "diffusion": 0.0, "lifetime": 0.0,
    "perfect_bias": False,
}  # fmt: skip
_NOISY: dict[str, Any] = {"write_noise_std": 0.0}
_REVERSED: dict[str, Any] = {
    "mult_noise": True, "reverse_up": False, "reverse_down": False, "reverse_offset": 0.01,
}  # fmt: skip
DEFAULTS: dict[str, dict[str, Any]] = {
    "ConstantStepDevice": _PULSED,
    "LinearStepDevice": _PULSED | _NOISY | _REVERSED | {
        "gamma_up": 0.0, "gamma_down": 0.0, "gamma_up_dtod": 0.05, "gamma_down_dtod": 0.05,
    },
    "SoftBoundsDevice": _PULSED | _NOISY | _REVERSED,
    "SoftBoundsReferenceDevice": _PULSED | _NOISY | {
        "mult_noise": False, "slope_up_dtod": 0.0, "slope_down_dtod": 0.0, "reference_mean": 0.0,
        "reference_std": 0.0, "subtract_symmetry_point": False,
    },
    "ExpStepDevice": _PULSED | _NOISY | {
        "A_up": 0.00081, "A_down": 0.36833, "gamma_up": 12.44625, "gamma_down": 12.78785,
        "a": 0.244, "b": 0.2425, "dw_min_std_add": 0.0, "dw_min_std_slope": 0.0,
    },
    "PiecewiseStepDevice": _PULSED | _NOISY | {"piecewise_up": [1], "piecewise_down": [1]},
}  # fmt: skip
"""Fields of each kind of device that say how it moves, with aihwkit's defaults."""

WITHOUT_PLACE = {
    "up_down_dtod": "spread between devices of the ratio of up to down",
    "w_max_dtod": "spread between devices of the upper bound",
    "w_min_dtod": "spread between devices of the lower bound",
    "gamma_up_dtod": "spread between devices of the slope of up steps",
    "gamma_down_dtod": "spread between devices of the slope of down steps",
    "slope_up_dtod": "spread between devices of the slope of up steps",
    "slope_down_dtod": "spread between devices of the slope of down steps",
    "reference_mean": "a reference device",
    "reference_std": "spread of a reference device",
    "subtract_symmetry_point": "a reference device at the symmetry point",
    "write_noise_std": "noise of the weight that is seen, drawn anew at each update",
    "corrupt_devices_prob": "devices that are stuck anywhere",
    "diffusion": "diffusion in each mini-batch",
    "lifetime": "decay in each mini-batch",
    "perfect_bias": "ideal devices for the bias",
}
"""Fields that no cell has a place for, unless they are 0."""


@checked
def from_aihwkit(
    device: Mapping[str, Any] | Path | str | object,
    g_min: Siemens,
    g_max: CellSiemens,
    *,
    leave_out: Sequence[str] = (),
) -> Preset:
    """The cell of a pulsed device of aihwkit: a `PulseTable` whose window is the range of its
    weights, `g = g_min + (w - w_min) / (w_max - w_min) (g_max - g_min)`.

    Steps and their noise are the device's own at each weight: exactly for constant, linear and
    piecewise steps and soft bounds; tabled at 129 weights for exponential steps. Steps that vanish
    at a bound end there at a thousandth of the step at weight 0. A burst of pulses follows the
    course `dw/dn = step(w)`, where aihwkit takes step after step: they differ by half a step.
    `dw_min_dtod` is kept as mean and deviation of a lognormal factor of all steps of a device.
    What counts on explicit calls alone (reset, drift) is not looked at.

    Args:
        device: a device of aihwkit; an `rpu_config` that has one; a dict of the device's fields
            with its kind as "class", such as `{"class": "LinearStepDevice", "dw_min": 0.005}`; or
            the path of a .json file of such a dict. What is not given has aihwkit's default.
        g_min: conductance of the lowest weight [S].
        g_max: conductance of the highest [S].
        leave_out: fields other than 0 that no cell has a place for, and that may be left out.

    Returns:
        A preset; its note names what was left out.

    Raises:
        ValueError: the device is of a kind that no cell stands for, a field has no place in a cell
            and is not to be left out, or its steps are none (of other sign, below 0).
    """
    if g_min >= g_max:
        raise invalid("g_min", g_min, f"below g_max = {g_max:g} S")
    kind, fields = _fields(device)
    without = {name: fields.get(name) for name in WITHOUT_PLACE if fields.get(name)}
    for name in leave_out:
        if name not in WITHOUT_PLACE:
            raise unknown("field of leave_out", name, WITHOUT_PLACE)
    left = [name for name in without if name not in leave_out]
    if left:
        what = f"device.{left[0]}, {WITHOUT_PLACE[left[0]]},"
        allowed = f"0, as no cell has a place for it, or leave_out={left}"
        raise invalid(what, without[left[0]], allowed)
    w, up, down = STEPS[kind](fields)
    scale = (g_max - g_min) / (w[-1] - w[0])
    log_normal = fields["dw_min_dtod_log_normal"]
    spread, mean = float(fields["dw_min_dtod"]), 1.0
    if log_normal:
        mean, spread = math.exp(spread**2 / 2), math.sqrt(math.expm1(spread**2))
    noise = abs(float(fields["dw_min_std"]))
    multiplies = fields.get("mult_noise", True)
    tables: dict[str, Any] = {}
    for way, steps, bias in (("set", up, _bias(fields, 1)), ("reset", down, _bias(fields, -1))):
        size = float(fields["dw_min"]) * bias
        if not size > 0:
            raise invalid("device.dw_min, up_down", (fields["dw_min"], fields["up_down"]), "a step")
        if (steps < 0).any():
            at = w[np.flatnonzero(steps < 0)[0]]
            which = f"device: {'up' if way == 'set' else 'down'} step at weight {at:.3g}"
            raise invalid(which, float(f"{size * steps.min():.3g}"), "above 0 between the bounds")
        steps = np.maximum(steps, LEAST)
        each = steps if multiplies else np.ones_like(steps)
        tables[f"{way}_step"] = tuple((steps * size * mean * scale).tolist())
        tables[f"{way}_spread"] = tuple((each * size * noise * mean * scale).tolist())
    g = g_min + (w - w[0]) * scale
    g[-1] = g_max
    try:
        cell = PulseTable(g=tuple(g.tolist()), levels=2, device_spread=spread, **tables)
        cell = cell.replace(levels=max(2, min(LEVELS, int(cell.crossing[0]) + 1)))
    except InvalidInput as error:
        raise invalid("device", kind, f"one whose numbers a cell can have ({error})") from error
    note = f"{kind} of aihwkit with weights {w[0]:g} to {w[-1]:g}."
    if without:
        note += f" Left out: {', '.join(f'{k} = {v:g}' for k, v in without.items())}."
    return Preset(device=cell, note=note)


def _fields(device: Any) -> tuple[str, dict[str, Any]]:
    """Kind and fields of what was given."""
    if isinstance(device, Path | str):
        path = Path(device)
        device = parse_json(read_text(path, "device", wanted="a .json file"), str(path))
    inner = device.get("device") if isinstance(device, Mapping) else getattr(device, "device", None)
    device = device if inner is None else inner
    if is_dataclass(device) and not isinstance(device, type):
        names = [each.__name__ for each in type(device).__mro__]
        kind = next((name for name in names if name in DEFAULTS), names[0])
        given = {k: v for k, v in asdict(device).items() if v is not None}
    elif isinstance(device, Mapping):
        given = dict(device)
        kind = given.pop("class", None)
        if kind in DEFAULTS and (odd := [n for n in given if n not in DEFAULTS[kind]]):
            raise unknown(f"field of {kind}", odd[0], DEFAULTS[kind])
    else:
        raise invalid("device", device, "a device of aihwkit, or a dict of one with its 'class'")
    if kind not in DEFAULTS:
        raise unknown("device of aihwkit that a cell stands for", kind, DEFAULTS)
    fields = DEFAULTS[kind] | {name: v for name, v in given.items() if name in DEFAULTS[kind]}
    for name, value in fields.items():
        _check(f"device.{name}", value, DEFAULTS[kind][name])
    if not fields["w_min"] < fields["w_max"] or fields["w_min"] > 0 or fields["w_max"] < 0:
        allowed = "bounds with 0 between them"
        raise invalid("device.w_min, w_max", (fields["w_min"], fields["w_max"]), allowed)
    return kind, fields


def _check(field: str, value: Any, default: Any) -> None:
    """Refuse a value of another kind than the default's."""
    if isinstance(default, list):
        if not isinstance(value, list | tuple) or not value:
            raise invalid(field, value, "a list of numbers")
        for each in value:
            _check(field, each, 1.0)
    elif isinstance(default, bool):
        if not isinstance(value, bool):
            raise invalid(field, value, "True or False")
    elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise invalid(field, value, "a finite number")


def _bias(fields: Mapping[str, Any], direction: int) -> float:
    """Step in a direction over `dw_min`: the code of aihwkit shortens the one that is not
    favoured."""
    return 1.0 - max(0.0, -direction * float(fields["up_down"]))


Steps = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Weights, rising, and steps up and down there, in units of those at weight 0."""


def _constant(fields: Mapping[str, Any]) -> Steps:
    w = np.array([fields["w_min"], fields["w_max"]], float)
    return w, np.ones(2), np.ones(2)


def _linear(fields: Mapping[str, Any]) -> Steps:
    w, slopes = np.array([fields["w_min"], fields["w_max"]], float), []
    far = {"up": (w[1], w[0] - fields.get("reverse_offset", 0.0)),
           "down": (w[0], w[1] + fields.get("reverse_offset", 0.0))}  # fmt: skip
    for way, (bound, other) in far.items():
        reference = other if fields.get(f"reverse_{way}", False) else bound
        gamma = abs(float(fields.get(f"gamma_{way}", 1.0)))
        slopes.append(-gamma / reference if reference else 0.0)
    up, down = (np.where(np.abs(1 + s * w) < 1e-12, 0.0, 1 + s * w) for s in slopes)
    return w, up, down


def _exponential(fields: Mapping[str, Any]) -> Steps:
    for name in ("dw_min_std_add", "dw_min_std_slope"):
        if fields[name]:
            raise invalid(
                f"device.{name}", fields[name], "0: noise of exponential steps belongs to the steps"
            )
    w = np.linspace(fields["w_min"], fields["w_max"], CURVED)
    z = 2 * fields["a"] * w / (w[-1] - w[0]) + fields["b"]
    with np.errstate(over="ignore"):
        up = 1 - fields["A_up"] * np.exp(fields["gamma_up"] * z)
        down = 1 - fields["A_down"] * np.exp(-fields["gamma_down"] * z)
    return w, np.maximum(up, 0.0), np.maximum(down, 0.0)


def _piecewise(fields: Mapping[str, Any]) -> Steps:
    up, down = (np.array(fields[f"piecewise_{way}"], float) for way in ("up", "down"))
    if len(up) != len(down):
        raise invalid("device.piecewise_down", len(down), f"{len(up)} values, as piecewise_up")
    if len(up) == 1:
        up, down = up.repeat(2), down.repeat(2)
    return np.linspace(fields["w_min"], fields["w_max"], len(up)), up, down


STEPS: dict[str, Callable[[Mapping[str, Any]], Steps]] = {
    "ConstantStepDevice": _constant,
    "LinearStepDevice": _linear,
    "SoftBoundsDevice": _linear,
    "SoftBoundsReferenceDevice": _linear,
    "ExpStepDevice": _exponential,
    "PiecewiseStepDevice": _piecewise,
}
"""Steps over the weight by kind of device."""
