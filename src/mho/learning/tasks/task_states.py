"""What a network keeps for each task beside its arrays: batch normalizations and gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mho.arguments import checked
from mho.errors import invalid, unknown
from mho.kinds import taken
from mho.learning.layers.inputs import check_input
from mho.learning.repair.chip_batchnorm import ChipBatchNorm

State = dict[str, Tensor]


class Gate(nn.Module):
    """Closes some units of a layer for a task: `y = x * open`.

    A closed unit passes neither signal nor gradient, so that all weights into it and out of it
    stay free for other tasks: context-dependent gating (XdG, Masse et al. 2018,
    doi:10.1073/pnas.1803839115). It belongs behind a batch normalization, whose statistics then
    do not depend on it, and before an activation with `f(0) = 0`. All units are open at first.

    Args:
        features: units, or channels of images.

    Attributes:
        open: (features,), 1 for an open unit, 0 for a closed one.
    """

    open: Tensor

    @checked
    def __init__(self, features: int) -> None:
        super().__init__()
        if features < 1:
            raise invalid("Gate.features", features, "at least 1")
        self.features = features
        self.register_buffer("open", torch.ones(features))

    @checked
    def draw(self, share: float, generator: torch.Generator) -> None:
        """Open `round(share * features)` units chosen at random, at least one; close the others.

        Raises:
            ValueError: a share that is not in (0, 1].
        """
        if not 0 < share <= 1:
            raise invalid("share", share, "above 0, at most 1")
        order = torch.randperm(self.features, generator=generator, device=generator.device)
        chosen = order[: max(1, round(share * self.features))]
        self.open.zero_()[chosen.to(self.open.device)] = 1

    def forward(self, x: Tensor) -> Float[Tensor, "n {self.features} *size"]:
        """(n, features) or (n, channels, height, width), same shape out."""
        if not isinstance(x, Tensor) or not x.is_floating_point():
            check_input("Gate", x)
        if x.dim() < 2 or x.shape[1] != self.features:
            raise invalid("Gate input, of shape", tuple(x.shape), f"(n, {self.features}, ...)")
        # (features,) -> (features, 1, ...), so that it broadcasts over (n, features, ...)
        return x * self.open.view(-1, *[1] * (x.dim() - 2))

    def extra_repr(self) -> str:
        """Units, and how many of them are open."""
        return f"{self.features}, open={int(self.open.sum())}"


class TaskStates:
    """States of all batch normalizations and gates of a network, one for each task.

        states = TaskStates(net)
        for task in tasks:
            states.begin(generator, share=0.5)
            ...                                  # train, refresh_batchnorm
            states.keep(task.name)
        with states.using("mnist"):
            mho.evaluate(net, loader)

    Modules are found by name at each use, since `refresh_batchnorm` on several chips puts others
    in their place; a state kept before that is then every chip's.

    Args:
        net: a network, converted or not.

    Raises:
        ValueError: it has neither batch normalization nor gates.
    """

    @checked
    def __init__(self, net: nn.Module) -> None:
        self._net = net
        self._kept: dict[str, State] = {}
        if not self._modules():
            raise invalid("net", net, "a network with batch normalization or gates")

    @property
    def names(self) -> tuple[str, ...]:
        """Tasks kept, in the order in which they were first kept."""
        return tuple(self._kept)

    @property
    def values(self) -> int:
        """Numbers kept for each task [1]: all chips together, counters included."""
        return sum(value.numel() for value in self._present().values())

    @torch.no_grad()
    @checked
    def begin(self, generator: torch.Generator, share: float = 1.0) -> None:
        """Make everything fresh for a new task, in place.

        Batch normalizations get weight 1, bias 0, mean 0, variance 1, counters 0; gates are drawn.

        Args:
            generator: source of the gates.
            share: of the units of each gate that are open, in (0, 1].

        Raises:
            ValueError: a share out of range; then nothing is changed.
        """
        if not 0 < share <= 1:
            raise invalid("share", share, "above 0, at most 1")
        for module in self._modules().values():
            if isinstance(module, Gate):
                module.draw(share, generator)
            else:
                module.reset_parameters()

    @checked
    def keep(self, task: str) -> None:
        """Keep a copy of the present state as that of a task, in place of an earlier one."""
        self._kept[task] = self._present()

    @contextmanager
    @checked
    def using(self, task: str) -> Iterator[None]:
        """The state of a task inside; after that, whatever happened, the one from before.

        What is done to the state inside is lost, if not kept.

        Raises:
            ValueError: nothing was kept for the task, or the network has changed since.
        """
        if task not in self._kept:
            raise unknown("task", task, self._kept)
        present = self._present()
        self._load(self._kept[task], task)
        try:
            yield
        finally:
            self._load(present, "before")

    def state_dict(self) -> dict[str, State]:
        """What is kept: by task, by the name of the entry in the network's own state."""
        return {task: dict(state) for task, state in self._kept.items()}

    @checked
    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Take the tasks kept from a `state_dict`, in place of all kept so far.

        Raises:
            ValueError: an entry that the network does not have, or one that is missing, or of
                another shape; then nothing is changed.
        """
        for task, kept in state.items():
            task = taken("state, task", task, str)
            self._fitted(taken(f"state of task {task!r}", kept, Mapping), task)
        self._kept = {
            task: {entry: value.clone() for entry, value in kept.items()}
            for task, kept in state.items()
        }

    def _modules(self) -> dict[str, _BatchNorm | ChipBatchNorm | Gate]:
        """Modules that have a state for each task, by the prefix of their entries."""
        return {
            f"{name}." if name else "": module
            for name, module in self._net.named_modules()
            if isinstance(module, _BatchNorm | ChipBatchNorm | Gate)
        }

    def _present(self) -> State:
        return {
            prefix + entry: value.detach().clone()
            for prefix, module in self._modules().items()
            for entry, value in module.state_dict().items()
        }

    def _load(self, state: Mapping[str, Tensor], task: str) -> None:
        for module, own in self._fitted(state, task):
            module.load_state_dict(own)

    def _fitted(self, state: Mapping[str, Tensor], task: str) -> list[tuple[nn.Module, State]]:
        """The modules, each with its part of a state in the form that it has by now."""
        for entry, value in state.items():
            if not isinstance(entry, str) or not isinstance(value, Tensor):
                raise invalid(f"state of task {task!r}, {entry}", value, "tensors by name")
        left, pairs, wrong = dict(state), [], []
        for prefix, module in self._modules().items():
            mine = [entry for entry in left if entry.startswith(prefix)]
            own = _spread(module, {e.removeprefix(prefix): left.pop(e) for e in mine})
            shapes = {entry: value.shape for entry, value in module.state_dict().items()}
            wrong += [f"no {prefix}{entry}" for entry in shapes if entry not in own]
            left |= {prefix + entry: own[entry] for entry in own if entry not in shapes}
            wrong += [
                f"{prefix}{entry} of shape {tuple(own[entry].shape)}"
                for entry, shape in shapes.items()
                if entry in own and own[entry].shape != shape
            ]
            pairs.append((module, own))
        wrong += [f"unknown {entry}" for entry in left]
        if wrong:
            found = ", ".join(wrong[:3]) + (", ..." if len(wrong) > 3 else "")
            allowed = "the entries of the network's batch normalizations and gates, same shapes"
            raise invalid(f"state of task {task!r}", found, allowed)
        return pairs


def _spread(module: nn.Module, own: State) -> State:
    """State of a batch normalization from before every chip had its own, as that of all chips."""
    if not isinstance(module, ChipBatchNorm):
        return own
    if {"running_mean", "running_var", "num_batches_tracked"} <= own.keys():
        own["mean"], own["variance"] = own.pop("running_mean"), own.pop("running_var")
        own["items"] = torch.zeros_like(own.pop("num_batches_tracked"))
    for entry in own.keys() & {"mean", "variance"}:
        if own[entry].numel() == module.mean.shape[1]:
            # (channels,) or (1, channels) -> (chips, channels)
            own[entry] = own[entry].expand(module.mean.shape)
    return own
