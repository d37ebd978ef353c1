"""The card of a preset: what its cell and its laws do, by their own equations and draws."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.stats import gaussian_kde
from torch import Tensor

from mho.card.numbers import WINDOW, known, numbers
from mho.physics import Cell, GeneratorNoise, OpenLoop, Preset, as_obtained, pulsed
from mho.results.card import Card, Curve, Panel
from mho.results.units import quantity

DEVICES = 2_000
"""Devices that a distribution or a band is drawn from."""
RESPONDING = 1_000
"""Devices that a pulse response is drawn from."""
MOST_READS = 150
"""Reads in one direction of a pulse response; bursts lie between them if there are more pulses."""
BAND = (0.05, 0.95)
"""Quantiles between which a band lies."""
MOST_LEVELS = 16
"""Levels whose distributions are shown."""
YEARS = 10 * 31_557_600.0
"""How far a law of retention is drawn [s]."""
READS = 400
"""Reads in the trace of noise."""


def of_preset(name: str, preset: Preset) -> Card:
    """The card of a preset; nothing is drawn that it does not give."""
    cell = preset.device
    of_cell = "" if cell is None or cell.note in preset.note else cell.note
    note = f"{preset.note} {of_cell}".strip()
    return Card(
        name=name,
        levels=_levels(cell),
        response=_response(cell),
        current=_current(preset),
        retention=_retention(preset),
        noise=_noise(preset),
        numbers=numbers(preset),
        note=note,
    )


def source(*shape: int, seed: int = 0) -> GeneratorNoise:
    """Noise of a card: the same each time."""
    return GeneratorNoise(shape, torch.Generator().manual_seed(seed), torch.float64)


def shown_levels(cell: Cell, most: int) -> Tensor:
    """Levels (n,), n <= most, from the lowest to the highest."""
    return torch.linspace(0, cell.states - 1, min(most, cell.states)).round().double()


def _levels(cell: Cell | None) -> Panel:
    """Distribution of what one attempt on each level leaves, over devices and cycles; of whole
    writes where the numbers are of these."""
    title = "Programmed conductance"
    if cell is None:
        return Panel(title)
    level = shown_levels(cell, MOST_LEVELS)
    noise = source(DEVICES, len(level))
    scheme = as_obtained(cell) if cell.written else OpenLoop(assumes="curve")
    g = scheme.program(cell, level, cell.traits(noise), noise).conductance.expand(noise.shape)
    low, high = cell.window
    log = low > 0 and high > 30 * low and bool((g > 0.1 * low).all())
    curves = [_density(column, cell.nominal(k).item(), high - low, log)
              for k, column in zip(level, g.unbind(1), strict=True)]  # fmt: skip
    how = "one blind burst each, not verified" if cell.remembers else "one pulse each, not verified"
    if cell.written is not None:
        how = f"a write of {cell.written.pulses} pulses each"
    shown = f"{len(level)} of {cell.states} levels" if len(level) < cell.states else "all levels"
    return Panel(
        title, "G [S]", "density, each to its peak", curves, "log" if log else "linear",
        filled=True, remark=f"{shown}, {how}",
    )  # fmt: skip


def _density(g: Tensor, nominal: float, span: float, log: bool) -> Curve:
    """Estimated density over its own range, 1 at the peak; a spike where nothing spreads."""
    x = g.log().numpy() if log else g.numpy()
    if np.ptp(x) < 1e-6 * (1.0 if log else span):
        return Curve(np.array([nominal, nominal]), np.array([0.0, 1.0]))
    at = np.linspace(x.min(), x.max(), 160)
    density = gaussian_kde(x)(at)
    return Curve(np.exp(at) if log else at, density / density.max())


def _response(given: Cell | None) -> Panel:
    """Mean and band of devices that are SET across the window and RESET from where they stand."""
    title = "Pulse response"
    if given is None:
        return Panel(title)
    cell = pulsed(given)
    if cell is None:
        missing = "not given: each attempt is one pulse, whatever the cell held before"
        return Panel(title, missing=missing)
    each = max(1, math.ceil(cell.burst / MOST_READS))
    noise = source(RESPONDING, seed=1)
    traits = cell.traits(noise)
    g = torch.full(noise.shape, cell.window[0], dtype=torch.float64)
    seen, curves = [g], []
    for label, sign, count in zip(("SET", "RESET"), (1, -1), cell.crossing, strict=True):
        burst = torch.full(noise.shape, sign * each, dtype=torch.int32)
        for _ in range(math.ceil(count / each)):
            g = cell.respond(noise.normal(), g, burst, traits)
            seen.append(g)
        first = 0 if not curves else len(curves[0].x) - 1
        part = torch.stack(seen[first:]).numpy()
        least, most = np.quantile(part, BAND, axis=1)
        x = each * np.arange(first, len(seen))
        curves.append(Curve(x, part.mean(1), label, least, most))
    often = "each pulse" if each == 1 else f"every {each} pulses"
    remark = f"mean, and the middle 90 % of devices and cycles; read after {often}"
    return Panel(title, "pulses", "G [S]", curves, remark=remark)


def _current(preset: Preset) -> Panel:
    """The law of conduction at a low, a middle and a high conductance."""
    law, title = preset.conduction, "I-V"
    if law is None:
        return Panel(title)
    top = law.telling_voltage
    low, high = WINDOW if preset.device is None else preset.device.window
    v = torch.linspace(-top, top, 121, dtype=torch.float64)
    curves = []
    for g in (high, (low + high) / 2, low):
        i = law.current(v, torch.tensor(g, dtype=torch.float64))
        curves.append(Curve(v.numpy(), i.numpy(), quantity(g, "S")))
    chosen = "" if preset.device is not None else ", conductances chosen here"
    return Panel(title, "V [V]", "I [A]", curves, remark=f"law: {law.family}{chosen}")


def _retention(preset: Preset) -> Panel:
    """Mean and band over time of a low, a middle and a high conductance."""
    law, title = preset.retention, "Retention"
    if law is None:
        return Panel(title)
    low, high = WINDOW if preset.device is None else preset.device.window
    time = torch.logspace(math.log10(law.t0), math.log10(YEARS), 80, dtype=torch.float64)
    z = source(DEVICES, 1, seed=2).normal()
    curves = []
    for g in (high, (low + high) / 2, low):
        at = law.relaxed(time, torch.full_like(z, g), z).numpy()
        least, most = np.quantile(at, BAND, axis=0)
        curves.append(Curve(time.numpy(), at.mean(0), quantity(g, "S"), least, most))
    remark = "law extrapolated to 10 years; band: 90 % of cells"
    return Panel(title, "time [s]", "G [S]", curves, "log", remark=remark)


def _noise(preset: Preset) -> Panel:
    """One cell read again and again, with those kinds of noise that are given."""
    cell, title = preset.device, "Read noise"
    kinds = [what.removesuffix(" noise") for what in known(preset) if what.endswith("noise")]
    if not kinds or cell is None:
        return Panel(title)
    low, high = cell.window
    middle = (low + high) / 2
    period = 1e-3
    if preset.telegraph is not None:
        period = (preset.telegraph.full + preset.telegraph.empty) / 40
    white = source(READS, seed=3)
    g = middle * (1 + _wander(preset, period, middle)) * (1 - _lost(preset, period))
    g = g + (high - low) * cell.read_variance(g).sqrt() * white.normal()
    time = period * torch.arange(READS, dtype=torch.float64)
    curve = Curve(time.numpy(), g.numpy())
    remark = f"{' + '.join(kinds)}, a cell at mid window, read every {quantity(period, 's')}"
    return Panel(title, "time [s]", "G [S]", [curve], remark=remark)


def _wander(preset: Preset, period: float, g: float) -> Tensor:
    """Relative 1/f noise of the reads (n,) of a cell that was programmed to g [S]."""
    law = preset.flicker
    if law is None:
        return torch.zeros(READS, dtype=torch.float64)
    noise = source(1, seed=4)
    state, out = law.start(noise), []
    programmed = torch.full((1,), g, dtype=torch.float64)
    for _ in range(READS):
        out.append(law.relative(state.expected, programmed))
        law.advance(period, state, noise)
    return torch.cat(out)


def _lost(preset: Preset, period: float) -> Tensor:
    """Part of the conductance lost to a trap of the mean depth at each read (n,)."""
    law = preset.telegraph
    if law is None:
        return torch.zeros(READS, dtype=torch.float64)
    noise = source(1, seed=5)
    full, out = law.start(noise), []
    pace = torch.ones(1, dtype=torch.float64)
    for _ in range(READS):
        out.append(full)
        full = law.after(period, full, pace, noise)
    return 0.5 * law.depth * torch.cat(out)
