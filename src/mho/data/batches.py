"""Mini-batches whose order is a pure function of the seed and the epoch."""

from collections.abc import Iterator

import torch
from torch import Tensor

from mho.arguments import checked
from mho.data.order import WORDS, shuffled
from mho.data.splits import Samples
from mho.errors import invalid


class Batches:
    """One epoch of mini-batches: iterate it any number of times, or ask for any step of it.

    ``len()`` is the number of steps. Made by `batches`.
    """

    def __init__(
        self, x: Tensor, y: Tensor, batch_size: int, order: Tensor | None, drop_last: bool
    ) -> None:
        self._x, self._y, self._order = x, y, order
        self._batch_size = batch_size
        self._steps = len(x) // batch_size if drop_last else -(-len(x) // batch_size)

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return map(self.at, range(self._steps))

    @checked
    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Return mini-batch ``step``, ``x`` ``(b, ...)`` and ``y`` ``(b, ...)``.

        ``b`` is the batch size, or fewer in the last step if that one is kept.

        Raises:
            ValueError: the epoch has no such step.
        """
        _whole("step", step, 0, self._steps - 1)
        here = slice(step * self._batch_size, (step + 1) * self._batch_size)
        if self._order is None:
            return self._x[here], self._y[here]
        chosen = self._order[here]
        return self._x.index_select(0, chosen), self._y.index_select(0, chosen)


@checked
def batches(
    data: Samples | tuple[Tensor, Tensor],
    batch_size: int,
    *,
    seed: int | None,
    epoch: int = 0,
    drop_last: bool = False,
) -> Batches:
    """Return one epoch of mini-batches of ``data``.

    The order depends on ``(seed, epoch)`` and the number of samples alone, so a resumed run asks
    for ``.at(step)`` and gets the very batch that the broken one would have seen. With
    ``seed=None`` the samples come in their own order, as views; otherwise they are copied, on the
    device where they lie.

    Args:
        data: `Samples`, or a pair ``x`` ``(n, ...)``, ``y`` ``(n, ...)`` on one device.
        batch_size: Samples in a mini-batch.
        seed: Seed of the shuffle, or None not to shuffle.
        epoch: Which pass over the data; each has its own shuffle.
        drop_last: Leave out a last mini-batch that is not full.

    Raises:
        ValueError: a number out of range, lengths of ``x`` and ``y`` that differ, no samples, or
            no full mini-batch to give with ``drop_last``.
    """
    x, y = (data.inputs, data.labels) if isinstance(data, Samples) else data
    if len(x) != len(y) or len(x) == 0:
        raise invalid("len(x), len(y)", (len(x), len(y)), "the same number, at least 1")
    _whole("batch_size", batch_size, 1, len(x) if drop_last else None)
    _whole("epoch", epoch, 0, WORDS - 1)
    order = None
    if seed is not None:
        _whole("seed", seed, 0, WORDS - 1)
        order = torch.from_numpy(shuffled(len(x), seed=seed, stream=epoch)).to(x.device)
    return Batches(x, y, batch_size, order, drop_last)


def _whole(field: str, value: int, low: int, high: int | None) -> None:
    if not isinstance(value, int) or value < low or (high is not None and value > high):
        bound = f"from {low} to {high}" if high is not None else f"of {low} or more"
        raise invalid(field, value, f"an integer {bound}")
