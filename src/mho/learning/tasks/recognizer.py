"""Telling from an input alone which task it belongs to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from mho.arguments import checked
from mho.errors import invalid
from mho.kinds import taken


class TaskRecognizer:
    """A normal distribution of every input value for each task; all tasks equally likely.

    `log p(x | task) = -1/2 sum_i ((x_i - mean_i)^2 / v_i + log(2 pi v_i))` with `v_i = variance_i +
    floor * s`, s being the mean variance over all values and tasks: without it a pixel that was
    always dark would decide alone. Mean and variance are pooled batch by batch (Chan et al. 1983,
    doi:10.1080/00031305.1983.10483115) in float64; no input is kept.

    Args:
        features: values of an input.
        floor: added to each variance, as a share of s.

    Raises:
        ValueError: no features, or a floor that is not positive and finite.
    """

    @checked
    def __init__(self, features: int, floor: float = 0.01) -> None:
        if features < 1:
            raise invalid("TaskRecognizer.features", features, "at least 1")
        if not 0 < floor < math.inf:
            raise invalid("TaskRecognizer.floor", floor, "a positive number")
        self.features, self.floor = features, floor
        self._names: list[str] = []
        self._items = torch.zeros(0, dtype=torch.int64)
        self._mean = torch.zeros(0, features, dtype=torch.float64)
        self._variance = torch.zeros(0, features, dtype=torch.float64)

    @property
    def names(self) -> tuple[str, ...]:
        """Tasks observed, in the order in which they first were."""
        return tuple(self._names)

    @property
    def values(self) -> int:
        """Numbers kept for each task [1]: mean and variance of each value, and a count."""
        return 2 * self.features + 1

    @torch.no_grad()
    @checked
    def observe(self, task: str, x: Float[Tensor, "n ..."]) -> None:
        """Pool inputs of a task, (n, features) or (n, ...) of as many values, with those before.

        Raises:
            ValueError: no input, another number of values, or one that is not finite.
        """
        rows = self._rows(x)
        if len(rows) == 0 or not rows.isfinite().all():
            found = "nan or inf" if len(rows) else "no input"
            raise invalid(f"inputs of task {task!r}", found, "at least one, finite")
        if task not in self._names:
            self._names.append(task)
            new = torch.zeros(1, self.features, dtype=torch.float64)
            self._items = torch.cat([self._items, self._items.new_zeros(1)])
            # (tasks, features) -> (tasks + 1, features)
            self._mean, self._variance = (torch.cat([t, new]) for t in (self._mean, self._variance))
        k = self._names.index(task)
        # (n, features) -> (features,)
        variance, mean = torch.var_mean(rows, 0, correction=0)
        variance, beyond = variance.cpu(), mean.cpu() - self._mean[k]
        self._items[k] += len(rows)
        share = len(rows) / int(self._items[k])
        self._mean[k] += share * beyond
        spread = variance - self._variance[k] + (1 - share) * beyond.square()
        self._variance[k] += share * spread

    @torch.no_grad()
    @checked
    def recognize(self, x: Float[Tensor, "n ..."]) -> Int64[Tensor, " n"]:
        """The most likely task of each input, as an index into `names`; on the inputs' device.

        Raises:
            ValueError: no task was observed, all inputs observed were the same, or x has another
                number of values.
        """
        rows = self._rows(x)
        if not rows.isfinite().all():
            raise invalid("x", "nan or inf", "finite numbers only")
        if not self._names:
            raise invalid("tasks observed", 0, "at least one")
        variance = self._variance + self.floor * self._variance.mean()
        if not variance.any():
            raise invalid("inputs observed", "all the same", "inputs that differ")
        centre = self._mean.mean(0)  # (features,)
        apart, precision = self._mean - centre, variance.reciprocal()
        # (tasks, features) -> (tasks,)
        constant = (apart.square() * precision + variance.log()).sum(1)
        linear, square, constant, centre = (
            t.to(rows.device) for t in (apart * precision, precision, constant, centre)
        )
        rows = rows - centre
        # (n, features) @ (features, tasks) -> (n, tasks)
        distance = rows.square() @ square.T - 2 * rows @ linear.T + constant
        return distance.argmin(1)

    def state_dict(self) -> dict[str, Any]:
        """Names, and what was pooled: items (tasks,), mean and variance (tasks, features)."""
        return {"names": list(self._names), **{k: t.clone() for k, t in self._pooled().items()}}

    @checked
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the tasks of a `state_dict`, in place of all observed so far.

        Raises:
            ValueError: an entry is missing, unknown or of another shape.
        """
        mine = self._pooled()
        if state.keys() != {"names", *mine}:
            raise invalid("TaskRecognizer state", [*state], f"entries names, {', '.join(mine)}")
        names = taken("names", state["names"], Sequence[str])
        for name, tensor in mine.items():
            shape, given = (len(names), *tensor.shape[1:]), state[name]
            if not isinstance(given, Tensor) or given.shape != shape:
                raise invalid(f"state, {name}", given, f"a tensor {shape}")
        self._names = list(state["names"])
        self._items, self._mean, self._variance = (
            state[name].to(tensor, copy=True) for name, tensor in mine.items()
        )

    def _pooled(self) -> dict[str, Tensor]:
        return {"items": self._items, "mean": self._mean, "variance": self._variance}

    def _rows(self, x: Tensor) -> Float64[Tensor, "n {self.features}"]:
        if x.dim() < 2:
            raise invalid("x, of shape", tuple(x.shape), f"(n, {self.features}), or (n, ...)")
        rows = x.flatten(1).double()  # (n, ...) -> (n, values)
        if rows.shape[1] != self.features:
            raise invalid("x, values of an input", rows.shape[1], f"{self.features}")
        return rows
