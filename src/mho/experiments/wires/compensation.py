"""What can be done about wires: parts, joined with " + ", and what each does to a trained chip."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

import mho
from mho.errors import unknown
from mho.experiments.experiment import in_parts
from mho.hardware.streams import derived_seed
from mho.learning.layers.layer import memristive_layers

PARTS: dict[str, str] = {
    "none": "nothing",
    "gain": "one read-out gain for each layer, in closed form from the known wires",
    "column": "least squares on calibration images, a gain and offset for each column",
    "batch norm": "batch normalization refreshed on calibration images",
    "both ends": "each row driven from both ends",
    "rewritten": "mapped again to finer levels, verified; separates the effects of 'predistorted'",
    "predistorted": "the same, with levels corrected for the wires",
    "in the loop": "trained through the wires, with the gain of the wires at the start",
}

LOOP = "in the loop"

COMPENSATIONS: dict[str, tuple[str, ...]] = {
    "bmcnn": ("none", "gain", "column", "batch norm", "both ends", "both ends + batch norm"),
    "siamese": (
        "none", "gain", "column", "both ends", "both ends + column", "rewritten", "predistorted",
        "both ends + predistorted + column",
    ),
    "metaplastic": (
        "none", "gain", "batch norm", "both ends", "both ends + batch norm", "rewritten",
        "predistorted", "both ends + predistorted + batch norm",
    ),
}  # fmt: skip
"""Those that are compared for a system; the two that learn in place can train through wires too."""

STRONG = {
    "bmcnn": "both ends + batch norm",
    "siamese": "both ends + column",
    "metaplastic": "both ends + batch norm",
}
"""The one of each system that is measured on arrays of all sizes, beside none."""


def behind_wires(
    net: nn.Module, r: float, compensation: str, *, finer: int, rounds: int
) -> nn.Module:
    """A copy of a chip that was trained without wires, as it is behind wires of r ohm a segment.

    Args:
        net: a network of multi-level cells on one chip.
        r: of a segment [ohm].
        compensation: parts, joined with " + "; this does what is done when wires are laid.
        finer: steps between predistorted levels for one of the network's.
        rounds: of predistortion.
    """
    parts = compensation.split(" + ")
    for part in parts:
        if part not in PARTS:
            raise unknown("compensation", part, PARTS)
    first = next(iter(memristive_layers(net).values()))
    wires = mho.circuits.Wires(row=r, col=r, both_ends="both ends" in parts)
    if {"rewritten", "predistorted"} & set(parts):
        hardware = _finer(first.hardware, finer)
        rounds = rounds if "predistorted" in parts else 0
        hardware = hardware.replace(wire_resistance=wires, predistortion=rounds)
        generator = torch.Generator().manual_seed(derived_seed(first.crossbar.seed, "mapped anew"))
        return mho.convert(_as_programmed(net), hardware, generator=generator)
    wired = copy.deepcopy(net)
    mho.rewire(wired, wires)
    return wired


def fit(net: nn.Module, compensation: str, inputs: Tensor) -> None:
    """Calibrate converters, and do what a compensation does afterwards, on images (n, ...)."""
    parts = compensation.split(" + ")
    mho.calibrate(net, inputs)
    if "gain" in parts:
        mho.correct(net)
    if "column" in parts:
        mho.tune(net, inputs, per="column")
    if "batch norm" in parts:
        mho.refresh_batchnorm(net, in_parts(inputs, 1000))
    mho.calibrate(net, inputs)


def _finer(hardware: mho.Hardware, finer: int) -> mho.Hardware:
    """The same cells with more levels, all of them for weights, verified to a quarter of a step as
    it was before."""
    device = hardware.device
    device = device.replace(levels=finer * (device.states - 1) + 1)
    verified = mho.cells.Verify(tolerance=finer / 4)
    return hardware.replace(
        device=device, weight_levels=None, full_scale=None, programming=verified
    )


def _as_programmed(net: nn.Module) -> nn.Module:
    """The plain network with the weights that the chip's levels stand for."""
    plain = mho.to_digital(net, chip=0)
    with torch.no_grad():
        for name, layer in memristive_layers(net).items():
            weight = plain.get_submodule(name).weight
            assert isinstance(weight, Tensor)
            weight.copy_(layer.target.view_as(weight))
    return plain
