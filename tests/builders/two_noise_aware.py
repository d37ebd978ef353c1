"""What two processes find that train one noise-aware network, each on batches of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

import mho
from builders.networks import small_model
from mho.learning.noise_aware.trained_converter import TrainedConverter
from mho.learning.noise_aware.weights import ChipWeight

CELL = mho.cells.MultiLevel(g_min=1e-5, g_max=9e-5, levels=9, sigma=(2e-6,), read_noise=0.01)
HARDWARE = mho.Hardware(device=CELL, dac_bits=6, adc_bits=6)
STEPS = 4


class Recurrent(nn.Module):
    """An LSTM over the rows of an image, which draws each weight once a pass."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x.flatten(1, 2))[0])


class Attending(nn.Module):
    """Attention over the rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.attend, self.head = nn.MultiheadAttention(6, 2, batch_first=True), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1, 2)
        return self.head(self.attend(x, x, x, need_weights=False)[0])


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "convolution and linear": small_model, "recurrent": Recurrent, "attention": Attending,
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "learnt": {"ranges": "learnt"},
    "following": {"ranges": "following"},
    "by column": {"full_scale_per": "column", "adc_range": "column"},
}


def batch(step: int, process: int) -> Tensor:
    """Inputs of one process in one step; the second one's are larger."""
    generator = torch.Generator().manual_seed(10 * step + process)
    return (1 + 2 * process) * torch.randn(6, 2, 6, 6, generator=generator)


def of_all(value: Any) -> list[Any]:
    """What each process has."""
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, value)
    return found


def alike(tensors: list[Tensor]) -> bool:
    """Whether all processes have the same numbers."""
    mine = torch.cat([t.detach().double().flatten() for t in tensors])
    return all(torch.equal(mine, theirs) for theirs in of_all(mine))


def trained(make: Any, setting: dict[str, Any]) -> dict[str, Any]:
    """Whether the networks of both processes are one after each step."""
    rank = dist.get_rank()
    torch.manual_seed(rank)  # weights, and the seed of what is drawn, are each process's own
    hardware = HARDWARE.replace(**{k: v for k, v in setting.items() if k != "ranges"})
    net = mho.noise_aware(make(), hardware, ranges=setting.get("ranges", "learnt"))
    held: list[Tensor] = []
    for module in net.modules():
        if isinstance(module, ChipWeight):
            module.register_forward_hook(lambda _m, _x, made: held.append(made.detach()))
    ddp = DistributedDataParallel(net)
    optimizer = torch.optim.Adam(ddp.parameters(), 1e-2)
    arrays, states, finite = [], [], []
    for k in range(STEPS):
        held.clear()
        optimizer.zero_grad()
        ddp(batch(k, rank)).square().mean().backward()
        optimizer.step()
        arrays.append(alike(held))
        states.append(alike([*net.state_dict().values()]))
        finite.append(all(bool(t.isfinite().all()) for t in net.state_dict().values()))
    dacs = [m for m in net.modules() if isinstance(m, TrainedConverter)]
    largest = max(of_all(batch(0, rank).abs().max().item()))
    return {
        "arrays": arrays, "states": states, "finite": finite,
        "first range": dacs[0].found.item() / largest,
    }  # fmt: skip


def work(_rank: int) -> dict[str, Any]:
    """All of it, by one of two processes."""
    return {
        f"{name}, {how}": trained(make, setting)
        for name, make in NETWORKS.items()
        for how, setting in SETTINGS.items()
    }
