"""What two processes find that train one network, each on batches of its own."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

import mho
from builders.networks import small_model
from mho.errors import InvalidInput
from mho.hardware.same_hardware import sum_of
from mho.learning.layers.layer import memristive_layers

CELL = mho.cells.MultiLevel(g_min=1e-5, g_max=9e-5, levels=17, sigma=(1e-6,), stuck_off=0.02)
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"device": CELL},
    "converters": {"device": CELL.replace(read_noise=0.01), "dac_bits": 5, "adc_bits": 5},
    "wires": {"device": CELL, "wire_resistance": 3.0, "wire_refresh": 2},
    "over time": {"device": "pcm-gst"},
    "giving up": {"device": CELL, "programming": mho.cells.Verify()},
}
RULES = {
    "plain": [mho.rules.StochasticRounding(seed=3)],
    "converters": [mho.rules.PathImportance(0.1, 0.1)],
}
STEPS = 3


def converted(setting: str, seed: int, chips: int | None = None) -> nn.Module:
    """A network with weights and chips of a seed."""
    model, generator = small_model(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(std=0.1, generator=generator)
    return mho.convert(model, mho.Hardware(**SETTINGS[setting]), chips, generator=generator)


def batch(step: int, process: int) -> Tensor:
    """Inputs of one process in one step."""
    return torch.randn(6, 2, 6, 6, generator=torch.Generator().manual_seed(10 * step + process))


def everything(net: nn.Module) -> int:
    """One number of all that a network holds, in buffers or not."""
    layers = memristive_layers(net).values()
    others = [each for layer in layers for each in (layer.effective, layer.target)]
    return sum_of([*net.state_dict().values(), *others])


def of_all(value: Any) -> list[Any]:
    """What each process has."""
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, value)
    return found


def trained(
    setting: str, alike: bool, chips: int | None = None, group: dist.ProcessGroup | None = None
) -> dict[str, Any]:
    """Whether the networks of both processes are one after each step."""
    rank = dist.get_rank()
    net = converted(setting, 1 if alike else 1 + rank, chips)
    first = copy.deepcopy(net)
    ddp = DistributedDataParallel(net, process_group=group)
    step = mho.WriteStep(net, rules=RULES.get(setting, ()))
    optimizer = torch.optim.SGD(ddp.parameters(), lr=0.5)
    step.attach(optimizer)
    same, written, off = [], 0, 0.0
    for k in range(STEPS):
        optimizer.zero_grad()
        ddp(batch(k, rank)).square().mean().backward()
        if k == 0 and setting == "plain":
            off = gradient_off(first, net)
        optimizer.step()
        written += step().weights
        sums = of_all(everything(net)) if setting != "converters" else of_all(weights(net))
        same.append(len(set(sums)) == 1)
    net.eval()
    ddp.eval()
    with torch.no_grad():
        outputs = of_all(sum_of([ddp(batch(99, 0))]))
    return {"same": same, "written": written, "off": off, "outputs": len(set(outputs)) == 1}


def weights(net: nn.Module) -> int:
    """One number of what is in the arrays: ranges that follow each process's last batch aside."""
    layers = memristive_layers(net).values()
    return sum_of([t for each in layers for t in (each.effective, each.target, *each.buffers())])


def gradient_off(first: nn.Module, net: nn.Module) -> float:
    """How far the gradient is from the mean of those of both batches in one process."""
    if dist.get_rank() > 0:
        return 0.0
    for process in range(2):
        (first(batch(0, process)).square().mean() / 2).backward()
    pairs = zip(first.parameters(), net.parameters(), strict=True)
    return max((a.grad - b.grad).abs().max().item() for a, b in pairs)  # type: ignore[operator]


def of_other_hardware() -> str:
    """How a network is refused that has other cells in the second process."""
    device = CELL.replace(sigma=(1e-6 * (1 + dist.get_rank()),))
    net = mho.convert(nn.Linear(3, 2), mho.Hardware(device=device))
    try:
        DistributedDataParallel(net)(torch.ones(2, 3))
    except InvalidInput as error:
        return str(error)
    return ""


def sharded() -> str:
    """How a network is refused that torch has cut into parts."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    net = converted("plain", 1)
    fully_shard(net, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    said = []
    for call in (lambda: mho.write(net), lambda: mho.WriteStep(net), lambda: net(batch(0, 0))):
        try:
            call()
            said.append("")
        except InvalidInput as error:
            said.append(str(error))
    return "\n".join(said)


def work(rank: int) -> dict[str, Any]:
    """All of it, by one of two processes."""
    alone = [dist.new_group([process]) for process in range(2)][rank]
    found: dict[str, Any] = {"plain, alike": trained("plain", True)}
    found |= {f"{s}, each its own": trained(s, False) for s in SETTINGS}
    found["two chips"] = trained("plain", False, chips=2)
    found["alone"] = trained("converters", True, group=alone)  # type: ignore[arg-type]
    found["other hardware"] = of_other_hardware()
    found["sharded"] = sharded()
    return found
