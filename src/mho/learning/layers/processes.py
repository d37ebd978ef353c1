"""Several processes train one network: torch's `DistributedDataParallel` around layers on arrays.

Each process has a copy of the same chips, and writes what all others write. The wrapper makes
parameters and buffers those of the first process; here the rest of a layer's state follows.
"""

from __future__ import annotations

import json
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mho.errors import invalid
from mho.hardware.same_hardware import sum_of
from mho.hardware.store import Store
from mho.learning.layers.reading import Reading


class Layer(Protocol):
    """What is asked of a layer on arrays; see `ArrayLayer`."""

    weight: Tensor
    store: Store
    reading: Reading
    training: bool

    @property
    def label(self) -> str:
        """What errors call it."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """As torch has it."""
        ...

    def load_state_dict(self, state_dict: dict[str, Tensor], /) -> Any:
        """As torch has it."""
        ...


_ALIKE: WeakKeyDictionary[nn.Module, WeakSet[Layer]] = WeakKeyDictionary()
"""Layers that are the same in all processes, by what wraps them."""

ONE_COPY = (
    "a whole copy of the network in each process, torch.nn.parallel.DistributedDataParallel(net): "
    "arrays cannot be written from a part of their weights, as fully_shard and FSDP leave it"
)
"""What works instead of weights in parts."""


def wrapper() -> DistributedDataParallel | None:
    """The wrapper whose forward pass runs now."""
    return DistributedDataParallel._active_ddp_module


def follow(layer: Layer, ddp: DistributedDataParallel) -> None:
    """Have a layer be that of the first process: all of its state before its first pass in this
    wrapper; later, with buffers, the ranges of converters that follow what saturates in training.

    Raises:
        ValueError: the layer of another process has other hardware or another shape.
    """
    done, group = _ALIKE.setdefault(ddp, WeakSet()), ddp.process_group
    assert group is not None
    several = dist.get_world_size(group) > 1
    if layer not in done:
        # The wrapper has put each parameter where it was, once.
        layer.store.settled(layer.weight)
        if several:
            _take_state(layer, group)
        done.add(layer)
    elif (
        several
        and layer.training
        and any(converter.follows for converter in layer.reading.converters)
        and ddp.will_sync_module_buffers()
    ):
        _take_ranges(layer, group)


def check_whole(owner: str, weight: Tensor, *, replaced: bool) -> None:
    """Refuse a weight that is a part of it in this process, or stands for such parts.

    Args:
        owner: what errors call the layer.
        weight: as the forward pass finds it.
        replaced: whether it is another tensor than the one that the arrays were written from.
    """
    of_many = isinstance(weight, Tensor) and hasattr(weight, "device_mesh")
    if of_many or (replaced and _many()):
        how = "a tensor in its place, of which this process keeps a part (fully_shard, FSDP)"
        raise invalid(f"{owner}.weight", how, ONE_COPY)


def hint() -> str:
    """What else a weight may have been moved by, where there are several processes."""
    if not _many():
        return ""
    return " (DistributedDataParallel touches all weights at its start: read through it, or write)"


def _many() -> bool:
    return dist.is_available() and dist.is_initialized()


@torch.no_grad()
def _take_state(layer: Layer, group: dist.ProcessGroup) -> None:
    """Have the state of the first process, where that of any differs."""
    store, state = layer.store, layer.state_dict()
    # what is in it, and its numbers as one
    outline = {name: (tuple(each.shape), str(each.dtype)) for name, each in state.items()}
    kind = json.dumps(store.hardware.to_dict(), sort_keys=True)
    mine = outline, kind, sum_of([*state.values(), store.target, store.effective])
    every: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(every, mine, group=group)
    for process, theirs in enumerate(every):
        if theirs[:2] != every[0][:2]:
            field = f"hardware, shape or number of chips of {layer.label}, in process {process}"
            allowed = "those of process 0: call mho.convert alike in all processes"
            raise invalid(field, "others than in process 0", allowed)
    if all(theirs[2] == every[0][2] for theirs in every):
        return
    device = layer.weight.device
    state = {name: _of_first(each, group, device) for name, each in state.items()}
    target = _of_first(store.target, group, device)
    if dist.get_rank(group) > 0:
        layer.load_state_dict(state)
        store.target.copy_(target)


def _take_ranges(layer: Layer, group: dist.ProcessGroup) -> None:
    """Have the ranges of the first process."""
    dac, adc = layer.reading.converters
    mine = dac.state(), adc.state()
    ranges = _of_first(torch.cat(mine), group, layer.weight.device)
    if dist.get_rank(group) > 0:
        for converter, each in zip((dac, adc), ranges.split([*map(len, mine)]), strict=True):
            converter.load(each)


def _of_first(mine: Tensor, group: dist.ProcessGroup, device: torch.device) -> Tensor:
    """A copy of the tensor of the first process."""
    copy = mine.detach().to(device, copy=True)
    dist.broadcast(copy, dist.get_global_rank(group, 0), group)
    return copy
