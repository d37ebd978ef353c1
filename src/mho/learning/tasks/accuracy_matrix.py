"""How well every task is solved after each task learnt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from jaxtyping import Float64
from torch import Tensor

from mho.arguments import checked
from mho.errors import invalid
from mho.kinds import NAN

Accuracy = Annotated[float, NAN]


class AccuracyMatrix:
    """Accuracies `R[t, j]` of task j after learning task t [%], and what is read off them.

    nan stands for what was not measured; a figure that needs it is refused, none is made from
    fewer tasks. Transfer as in Lopez-Paz & Ranzato 2017 (arXiv 1706.08840), forgetting as in
    Chaudhry et al. 2018 (arXiv 1801.10112); T tasks, in percentage points.

    Args:
        rows: (tasks, tasks), row t after learning task t.
        before: (tasks,), before any learning.

    Raises:
        ValueError: not square, no task, `before` of another length, or not from 0 to 100.
    """

    @checked
    def __init__(
        self, rows: Sequence[Sequence[Accuracy]], before: Sequence[Accuracy] | None = None
    ) -> None:
        tasks = len(rows)
        if tasks == 0 or any(len(row) != tasks for row in rows):
            raise invalid("lengths of rows", [len(row) for row in rows], "one square matrix")
        if before is not None and len(before) != tasks:
            raise invalid("length of before", len(before), f"{tasks}, as there are tasks")
        self.rows: Float64[Tensor, "tasks tasks"] = torch.tensor(rows, dtype=torch.float64)
        """Accuracies after each task [%]."""
        unknown = [float("nan")] * tasks
        self.before: Float64[Tensor, " tasks"] = torch.tensor(
            unknown if before is None else before, dtype=torch.float64
        )
        """Accuracies before any learning [%]."""
        for value in (*self.rows.flatten().tolist(), *self.before.tolist()):
            if value < 0 or value > 100:
                raise invalid("accuracy", value, "0 to 100 %, or nan for not measured")

    @property
    def average(self) -> float:
        """Mean accuracy of all tasks at the end [%]: `mean_j R[T-1, j]`."""
        return _mean("average", self.rows[-1])

    @property
    def backward_transfer(self) -> float:
        """What later learning did to earlier tasks: `mean_{j<T-1} (R[T-1, j] - R[j, j])`."""
        return _mean("backward_transfer", (self.rows[-1] - self.rows.diagonal())[:-1])

    @property
    def forward_transfer(self) -> float:
        """What earlier learning did for tasks to come: `mean_{j>0} (R[j-1, j] - before[j])`."""
        return _mean("forward_transfer", self.rows.diagonal(1) - self.before[1:], first=1)

    @property
    def forgetting(self) -> float:
        """Loss since the best: `mean_{j<T-1} (max_{t<T-1} R[t, j] - R[T-1, j])`.

        The best is that of the accuracies measured.
        """
        # (tasks - 1, tasks - 1) and (tasks - 1,)
        earlier, last = self.rows[:-1, :-1], self.rows[-1, :-1]
        known = earlier.where(~earlier.isnan(), -torch.inf)
        best = torch.cat([known, torch.full_like(last, -torch.inf).unsqueeze(0)]).amax(0)
        return _mean("forgetting", (best - last).where(best.isfinite(), torch.nan))


def _mean(figure: str, values: Tensor, first: int = 0) -> float:
    """Mean over tasks, of which `first` is the first."""
    if len(values) == 0:
        raise invalid("tasks", 1, f"at least 2 for {figure}")
    if values.isnan().any():
        which = (values.isnan().nonzero().flatten() + first).tolist()
        raise invalid(
            f"accuracies for {figure}", "nan", f"measured ones; missing for tasks {which}"
        )
    return values.mean().item()
