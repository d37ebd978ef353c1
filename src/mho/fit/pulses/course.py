"""The course of a written cell over all pulses of a file, from the first read of each chain."""

from __future__ import annotations

import numpy as np
import torch

from mho.fit.free_run import BAND, Course
from mho.fit.pulses.trains import Trains
from mho.physics import GeneratorNoise, PulsedCell, of_conductance

RUNS = 100
"""Simulated cells a chain."""


def course(cell: PulsedCell, chains: Trains, factors: np.ndarray) -> Course:
    """Reads of cells that start where each chain was read first, whatever was read later.

    Args:
        factors: (devices,) step factor of each device.
    """
    count, length = chains.g.shape
    low, high = cell.window
    noise = GeneratorNoise((RUNS, count), torch.Generator().manual_seed(0), torch.float64)
    factor = torch.from_numpy(factors[chains.device])
    traits = {"step_factor": factor} if not np.allclose(factors, 1.0) else {}
    first = np.isfinite(chains.g).argmax(axis=1)
    start = torch.from_numpy(chains.g[np.arange(count), first])
    pulses = torch.from_numpy(np.where(chains.up, chains.pulses, -chains.pulses).astype(np.int32))
    g = start.expand(RUNS, count)
    mean, lower, upper = (np.full((count, length), np.nan) for _ in range(3))
    tails = torch.tensor([(1 - BAND) / 2, (1 + BAND) / 2], dtype=torch.float64)
    for k in range(1, length):
        later = torch.from_numpy(k > first)
        n = pulses[:, k].where(later, torch.zeros_like(pulses[:, k]))
        moved = g.where(n == 0, cell.respond(noise.normal(), g, n, traits))
        g = moved.where(later, g)
        read = g + of_conductance.at(cell.read_noise, g) * (high - low) * noise.normal()
        mean[:, k] = g.mean(0).numpy()
        lower[:, k], upper[:, k] = torch.quantile(read, tails, dim=0).numpy()
    unread = (chains.row < 0) | (np.arange(length) <= first[:, None])
    for part in (mean, lower, upper):
        part[unread] = np.nan
    return Course(mean, lower, upper)
