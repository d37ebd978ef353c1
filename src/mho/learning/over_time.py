"""Accuracy of a network's chips as time passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from mho.arguments import checked
from mho.errors import invalid
from mho.learning.age import age, seconds_of
from mho.learning.evaluate import evaluate, find_missing_ranges, missing_ranges
from mho.learning.labels import labelled
from mho.learning.layers.layer import memristive_layers
from mho.learning.layers.replace import copied
from mho.learning.samples import Loader


@torch.no_grad()
@checked
def evaluate_over_time(
    net: nn.Module,
    loader: Loader,
    times: Sequence[float | str],
    repair: Callable[[nn.Module], Any] | None = None,
    temperature: float | None = None,
) -> Float64[Tensor, "times chips"]:
    """Accuracy of each chip at some times after now; the network is left as it is.

    For each time a copy of the network is aged by `mho.age`, repaired, and measured by
    `mho.evaluate`: each time is counted from now, and no repair is carried over to the next.

    Args:
        net: a converted classifier.
        loader: labelled batches, as `mho.evaluate` takes them; a loader that can be gone through
            once only is kept in memory.
        times: how long from now, each as `mho.age` takes it: seconds, or "1 day". 0: now.
        repair: called with each aged copy, which it changes, as
            `lambda chips: mho.tune(chips, images, reference=net)` does; a network that it returns
            is measured instead. None: nothing is repaired.
        temperature: of the chips meanwhile [K], as `mho.age` takes it.

    Returns:
        Accuracy (times, chips) in [0, 1].

    Converters that have no range yet are calibrated on the first batch, as of now.

    Raises:
        ValueError: no time, one that cannot be, a network that is not on chips; or as `mho.age`
            and `mho.evaluate`.
    """
    memristive_layers(net)
    if len(times) == 0:
        raise invalid("times", "none", "at least one time, in seconds or as '1 day'")
    seconds = [
        seconds_of(time, "times") if isinstance(time, str) else float(time) for time in times
    ]
    for time in seconds:
        if not 0 <= time < float("inf"):
            raise invalid("times", time, "finite numbers in [0, inf)")
    batches = [*loader] if isinstance(loader, Iterator) else loader
    fresh = net
    if missing_ranges(net):
        fresh = copied(net)
        find_missing_ranges(fresh, [(next(labelled(batches, "loader"))[0],)])
    accuracies = []
    for time in seconds:
        aged = copied(fresh)
        if time > 0:
            age(aged, time, temperature)
        repaired = None if repair is None else repair(aged)
        accuracies.append(evaluate(repaired if isinstance(repaired, nn.Module) else aged, batches))
    return torch.stack(accuracies)
