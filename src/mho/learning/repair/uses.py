"""Which layers on arrays a pass uses, and how often; what each use reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import NamedTuple

from torch import Tensor, nn

from mho.learning.batches import Batch, are_alike, joined, length, run, split, taking
from mho.learning.layers.chip_pass import refuse_alone
from mho.learning.layers.chips import Reads, at_once
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.learning.layers.recurrent import MemristiveRNNBase


class _Reached(BaseException):
    """The forward pass need not go on."""


Uses = dict[ArrayLayer, int]
"""How often a pass uses each layer, in the order of their last use."""


class Pass(NamedTuple):
    """Inputs of one pass, and what it uses."""

    batch: Batch
    uses: Uses


def plans(net: nn.Module, parts: list[Batch]) -> Iterator[list[Pass]]:
    """Passes over batches, in two ways: with as many inputs at once as is fast, taking it that all
    use the layers as a single one does; and, for who found that they do not, with the batches as
    they were given, whatever their first dimension is. The second alone where that may be time."""
    if are_alike(parts) and not _has_time_first(net):
        batch = joined(parts)
        one = uses_of(net, split(batch, 1)[0])
        if _as_two_do(net, one, batch):
            first = next(iter(one), None)
            many = 1 if first is None else at_once(first.chips, first.weight.device)
            yield [Pass(x, one) for x in split(batch, many)]
    yield [Pass(x, uses_of(net, x)) for x in parts]


def _has_time_first(net: nn.Module) -> bool:
    """Whether there is a layer to which the first dimension is time, other than those on arrays
    whose steps are counted."""
    others = (m for m in net.modules() if not isinstance(m, MemristiveRNNBase))
    return any(getattr(module, "batch_first", True) is False for module in others)


def _as_two_do(net: nn.Module, one: Uses, batch: Batch) -> bool:
    """Whether two inputs use each layer as often as one does; where the first dimension is time,
    two steps do not. These reads do not count."""
    if length(batch) < 2:
        return True
    reads = Reads(net)
    two = uses_of(net, split(batch, 2)[0])
    reads.undo()
    return one == two


def uses_of(net: nn.Module, x: Batch) -> Uses:
    """What a pass uses.

    Raises:
        ValueError: it is run chip by chip.
    """
    used: Uses = {}

    def count(layer: ArrayLayer, _inputs: Tensor, _output: Tensor) -> None:
        refuse_alone("tune.net")
        used[layer] = used.pop(layer, 0) + 1

    with ExitStack() as watched:
        for layer in memristive_layers(net).values():
            watched.enter_context(layer.observed(count))
        with taking(x, "tune.inputs"):
            run(net, x)
    return used


def in_order(passes: list[Pass]) -> list[ArrayLayer]:
    """All layers that are used, those of which the last use is the earliest first."""
    after: dict[ArrayLayer, int] = {}
    for _, uses in passes:
        for place, layer in enumerate(reversed(uses)):
            after[layer] = max(place, after.get(layer, 0))
    return sorted(after, key=lambda layer: after[layer], reverse=True)


def note(
    net: nn.Module, passes: list[Pass], layer: ArrayLayer, then: Callable[[Tensor, Tensor], None]
) -> ArrayLayer | None:
    """Run passes to the last use of a layer, and hand over its inputs and outputs at each use; with
    the layer that is last of all, to their ends.

    Returns:
        A layer that is used more or less often than the passes say; None: there is none.
    """
    counts: Uses = {}
    last: ArrayLayer | None = None
    times = 0

    def reached(one: ArrayLayer, inputs: Tensor, output: Tensor) -> None:
        refuse_alone("tune.net")
        counts[one] = counts.get(one, 0) + 1
        if one is layer:
            then(inputs, output)
            if counts[one] == times and one is not last:
                raise _Reached

    for x, uses in passes:
        if layer not in uses:
            continue
        counts.clear()
        times, last = uses[layer], next(reversed(uses))
        with suppress(_Reached), ExitStack() as watched, taking(x, "tune.inputs"):
            for one in memristive_layers(net).values():
                watched.enter_context(one.observed(reached))
            run(net, x)
        until = [*uses][: [*uses].index(layer) + 1]
        for one in {*until, *(counts.keys() - uses)}:
            if counts.get(one, 0) != uses.get(one, 0):
                return one
    return None
