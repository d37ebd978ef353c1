"""Calls as documents and docstrings describe them: they run, and type checkers take them."""

from pathlib import Path

from torch import nn

import mho

CELL = mho.cells.MultiLevel(g_min=10e-6, g_max=90e-6, levels=9, sigma=[0.0, 0.01])


def devices() -> list[mho.cells.Cell]:
    """Cells, presets and names as devices; what is held is a cell."""
    made = [
        mho.Hardware(device=CELL),
        mho.Hardware(device="pcm-gst", tile=64),
        mho.Hardware(device=mho.devices.preset("pcm-gst"), tile=[64, 32]),
        mho.Hardware(device=CELL, tile=(64, 32), wire_resistance=2.0),
        mho.Hardware(device=CELL).replace(device="cmo-hfox"),
    ]
    return [hardware.device for hardware in made]


def tiles() -> tuple[int, int]:
    return mho.Hardware(device=CELL, tile=64).tile


def cells() -> list[tuple[float, ...]]:
    """Lists of numbers, and one number for a pair."""
    pulses = mho.cells.PulseResponse(
        g_min=1e-6,
        g_max=9e-6,
        pulses=64,
        nonlinearity=2.0,
        window_spread=[0.1, 0.2],
        closing=0.1,
        endurance=1e6,
    )
    table = mho.cells.PulseTable(g=[1e-6, 5e-6, 9e-6], set_step=[1e-7] * 3, reset_step=[1e-7] * 3)
    samples = mho.dynamics.Samples(times=[0.0, 1e-6], volts=[0.0, 1.0])
    return [pulses.nonlinearity, pulses.closing, table.g, samples.times]


def by_conductance() -> list[mho.cells.MultiLevel]:
    """Numbers, lists of numbers and functions of the conductance."""
    law = mho.cells.TableOfG(g=[1e-6, 9e-6], values=[1e-7, 2e-7])
    share = mho.cells.PolynomialOfG(coefficients=[0.01, 0.02], unit=9e-6)
    cells = [
        mho.cells.MultiLevel(g_min=1e-6, g_max=9e-6, sigma=sigma, read_noise=noise)
        for sigma in ([1e-7, 0.01], law)
        for noise in (0.01, share)
    ]
    mho.Hardware(device=cells[0], retention=mho.cells.LogTime(rate=0.0, rate_spread=law))
    return cells


def files(folder: str) -> None:
    """Texts as paths."""
    net = mho.convert(nn.Linear(3, 2), mho.Hardware(device="hfo2-1t1r"))
    mho.save_conductances(net, f"{folder}/cells.npz")
    mho.load_conductances(net, f"{folder}/cells.npz")
    mho.load_conductances(net, Path(folder) / "cells.npz")
    mho.load_conductances(net, mho.conductances(net))
    preset = mho.Preset(device=CELL)
    Path(folder, "cell.toml").write_text(preset.to_toml(), encoding="utf-8")
    assert mho.Preset.read(f"{folder}/cell.toml") == preset
    Path(folder, "token").write_text("0" * 32, encoding="utf-8")
    mho.instruments.read_token(f"{folder}/token")
