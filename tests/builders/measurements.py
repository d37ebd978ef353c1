"""Measured files of simulated devices, and the parameters that a fit should find in them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from builders.noise import noise
from mho.physics import (
    Conduction,
    LogTime,
    MultiLevel,
    PowerLaw,
    PulseResponse,
    PulseTable,
    Resistance,
    Spread,
    TwoState,
)

Measured = tuple[str, dict[str, float]]


def csv(head: str, *columns: Sequence[object]) -> str:
    """Columns as comma-separated text."""
    rows = (",".join(f"{x:.8g}" if isinstance(x, float) else str(x) for x in row)
            for row in zip(*columns, strict=True))  # fmt: skip
    return "\n".join((head, *rows)) + "\n"


def pulse_trains(
    cell: PulseResponse | PulseTable,
    seed: int,
    *,
    devices: int = 1,
    cycles: int = 4,
    over: float = 1.25,
    start: float | None = None,
) -> Measured:
    """SET and RESET trains that go `over` times across the window, read after each pulse."""
    source = noise(seed, devices)
    traits = cell.traits(source)
    low, high = cell.window
    g = torch.full((devices,), start or low, dtype=torch.float64)
    window = high - low
    rows: list[tuple[object, ...]] = []
    sets, resets = cell.crossing
    trains = (("SET", 1, sets * over), ("RESET", -1, resets * over))
    for cycle in range(cycles):
        for name, sign, count in trains:
            for k in range(0 if sign > 0 else 1, int(count) + 1):
                if k:
                    one = torch.tensor(sign, dtype=torch.int32)
                    g = cell.respond(source.normal(), g, one, traits)
                read = g + cell.read_noise * window * source.normal()
                rows += [(d, cycle, k, name, 1e6 * read[d].item()) for d in range(devices)]
    head = "device,cycle,pulse,polarity,G (uS)"
    if isinstance(cell, PulseTable):
        steps = {f"{way}_step[{i}]": step
                 for way, table in (("set", cell.set_step), ("reset", cell.reset_step))
                 for i, step in enumerate(table)}  # fmt: skip
        spreads = {"set_spread": cell.set_spread[0], "reset_spread": cell.reset_spread[0]}
        return csv(head, *zip(*rows, strict=True)), steps | spreads
    truth = {
        "g_min": cell.g_min, "g_max": cell.g_max, "pulses": float(cell.pulses),
        "nonlinearity SET": cell.nonlinearity[0], "nonlinearity RESET": cell.nonlinearity[1],
        "reset_ratio": cell.reset_ratio, "cycle_spread": cell.cycle_spread,
        "device_spread": cell.device_spread, "read_noise": cell.read_noise,
    }  # fmt: skip
    return csv(head, *zip(*rows, strict=True)), truth


def program_and_read(cell: MultiLevel, seed: int, *, devices: int, repeats: int) -> Measured:
    """Each level programmed once a repeat, open loop."""
    source = noise(seed, devices, cell.levels, repeats)
    traits = {name: value[:, :1, :1] for name, value in cell.traits(source).items()}
    level = torch.arange(cell.levels)[None, :, None]
    g = cell.draw(source.normal(), level, traits, corrected=False)
    device = torch.arange(devices)[:, None, None]
    columns = (x.expand(g.shape).flatten().tolist() for x in (device, cell.nominal(level), g))
    coefficients = {f"sigma[{k}]": c for k, c in enumerate(cell.sigma)}
    ends = {
        f"sigma({name})": cell.spread(torch.tensor(g, dtype=torch.float64)).item()
        for name, g in zip(("g_min", "g_max"), cell.window, strict=True)
    }
    truth = coefficients | ends | {"device_spread": cell.device_spread}
    return csv("device,target [S],read [S]", *columns), truth


def two_states(cell: TwoState, seed: int, *, devices: int, cycles: int) -> Measured:
    """Both states read once a cycle on each device."""
    traits = cell.traits(noise(seed, devices, 1))
    source = noise(seed + 1_000_000, devices, cycles)
    rows = []
    for name, level in (("HRS", 0), ("LRS", 1)):
        g = cell.draw(source.normal(), torch.tensor(level), traits, corrected=False)
        r = 1e-3 / g.expand(devices, cycles)
        rows += [(d, c, name, r[d, c].item()) for d in range(devices) for c in range(cycles)]
    truth = {}
    for name, state in (("r_on", cell.r_on), ("r_off", cell.r_off)):
        truth |= {f"{name}.mean": state.mean, f"{name}.device.cov": state.device.cov,
                  f"{name}.cycle.cov": state.cycle.cov}  # fmt: skip
    return csv("device,cycle,state,R [kOhm]", *zip(*rows, strict=True)), truth


def sweeps(
    law: Conduction, seed: int, *, conductances: Sequence[float], points: int, relative: float
) -> Measured:
    """Sweeps from 0.02 to 1.2 V; errors in proportion to the current."""
    v = torch.linspace(0.02, 1.2, points, dtype=torch.float64)
    source = noise(seed, points)
    rows: list[tuple[object, ...]] = []
    for k, g in enumerate(conductances):
        i = law.current(v, torch.tensor(g, dtype=torch.float64))
        i = i * (1 + relative * source.normal())
        rows += [(k, a, 1e6 * b) for a, b in zip(v.tolist(), i.tolist(), strict=True)]
    own = {f"g of sweep {k + 1}": g for k, g in enumerate(conductances)}
    names = ("v0", "beta", "overdrive")
    law_own = {name: getattr(law, name) for name in names if hasattr(law, name)}
    return csv("sweep,V [V],I [uA]", *zip(*rows, strict=True)), own | law_own


def loop(v_set: float, v_reset: float, step: float = 0.05) -> tuple[list[float], list[float]]:
    """0 to 1 V, to -1 V, to 0 of a cell of 10 and 200 kohm that begins off."""
    up = np.arange(step, 1 + step / 2, step)
    v = np.concatenate([up, up[-2::-1], -up, -up[-2::-1]])
    on, i = False, []
    for x in v:
        on = (on or x >= v_set) and x > v_reset
        i.append(x / (1e4 if on else 2e5))
    return v.tolist(), i


def traces(law: PowerLaw | LogTime, seed: int, *, devices: int) -> Measured:
    """Fifteen reads over five decades of time, with an error of 1 % or 0.3 uS."""
    time = torch.logspace(0, 5, 15, dtype=torch.float64)
    start = torch.linspace(2e-5, 1e-4, devices, dtype=torch.float64)[:, None]
    g = law.at(time, start, law.rates(noise(seed, devices, 1).normal(), start))
    error = noise(seed + 1_000_000, *g.shape).normal()
    g = g * (1 + 0.01 * error) if isinstance(law, PowerLaw) else g + 3e-7 * error
    rows = [(d, t, 1e6 * x) for d in range(devices) for t, x in _pairs(time, g[d])]
    if isinstance(law, PowerLaw):
        truth = {"nu": law.nu, "nu_spread": law.nu_spread}
    else:
        truth = {"rate": law.rate, "rate_spread": law.rate_spread}
    return csv("cell,time [s],G [uS]", *zip(*rows, strict=True)), truth


def bakes(
    law: PowerLaw | LogTime,
    seed: int,
    *,
    design: str = "own",
    devices: int = 10,
    celsius: Sequence[float] = (125.0, 150.0, 175.0),
    hours: Sequence[float] = (1.0, 10.0, 100.0, 1000.0),
) -> Measured:
    """Cells at several temperatures, with an error of 0.3 % or 0.1 uS.

    Args:
        design: own: other cells at each temperature, read before the bake too; once: the same,
            and once after it, one of `hours` each; shared: the same cells at each, without a read
            before, programmed within 1 %; common: other cells at each, all programmed alike.
    """
    n = devices * len(celsius)
    own = law.rates(noise(seed, devices if design == "shared" else n, 1).normal(), torch.ones(1))
    rates = own.repeat(len(celsius), 1) if design == "shared" else own
    start = 5e-5 * torch.ones(n, 1, dtype=torch.float64)
    if design != "common":
        start = torch.linspace(5e-5, 1e-4, devices, dtype=torch.float64)[:, None]
        start = start.repeat(len(celsius), 1)
    if design in ("shared", "common"):
        start = start * (1 + 0.01 * noise(seed + 2_000_000, n, 1).normal())
    rows: list[tuple[object, ...]] = []
    error = noise(seed + 1_000_000, n, 1 + len(hours)).normal()
    for k in range(n):
        each = celsius[k // devices]
        faster = law.acceleration(273.15 + each)
        at = list(hours) if design != "once" else [hours[k % len(hours)]]
        for j, hour in enumerate([0.0, *at] if design in ("own", "once") else at):
            time = torch.tensor(3600 * hour * faster, dtype=torch.float64)
            g = law.at(time, start[k], rates[k])
            g = (
                g * (1 + 0.003 * error[k, j])
                if isinstance(law, PowerLaw)
                else g + 1e-7 * error[k, j]
            )
            rows.append((k % devices if design == "shared" else k, each, hour, 1e6 * g.item()))
    truth = {"activation": law.activation or 0.0, "t0": law.t0}
    if isinstance(law, PowerLaw):
        truth |= {"nu": float(law.nu), "nu_spread": float(law.nu_spread)}  # type: ignore[arg-type]
    else:
        truth |= {"rate": float(law.rate), "rate_spread": float(law.rate_spread)}  # type: ignore[arg-type]
    return csv("cell,T [degC],time [h],G [uS]", *zip(*rows, strict=True)), truth


def _pairs(a: Tensor, b: Tensor) -> list[tuple[float, float]]:
    return list(zip(a.tolist(), b.tolist(), strict=True))


PULSED = PulseResponse(
    g_min=10e-6, g_max=90e-6, levels=5, pulses=20, nonlinearity=(2.0, 1.0), reset_ratio=1.5,
    cycle_spread=0.4,
)  # fmt: skip
TABLE = PulseTable(
    g=(10e-6, 50e-6, 90e-6), set_step=(2e-6, 9e-6, 2e-6), reset_step=(2e-6, 8e-6, 3e-6),
    set_spread=(0.8e-6,), reset_spread=(0.5e-6,), levels=5,
)  # fmt: skip
LEVELS = MultiLevel(
    g_min=50e-6, g_max=225e-6, levels=9, sigma=(4.78e-6, -0.0091), device_spread=0.02
)
STATES = TwoState(
    r_on=Resistance(mean=7e3, device=Spread(cov=0.1), cycle=Spread(cov=0.05)),
    r_off=Resistance(mean=150e3, device=Spread(cov=0.4), cycle=Spread(cov=0.2)),
)
NOISY = PULSED.replace(pulses=40, read_noise=0.01)
SWEEP = {"conductances": (2e-5, 2e-4), "points": 30, "relative": 0.01}


def changed(text: str, line: int, old: str, new: str) -> str:
    """The text with one line (from 1) changed by a pattern."""
    lines = text.splitlines()
    lines[line - 1], times = re.subn(old, new, lines[line - 1])
    assert times == 1
    return "\n".join(lines)
