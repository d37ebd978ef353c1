"""A user's own rule and network, checked before a run starts."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mho.errors import invalid
from mho.files.code import call_code, load_code, said
from mho.learning.rules.rule import UpdateRule
from mho.learning.twins import kinds, twin_of

NEEDED = ("init", "apply", "consolidate")


def own_rule(reference: str) -> UpdateRule:
    """A rule of a user's file, made without arguments.

    Raises:
        ValueError: it cannot be made, or is no update rule.
    """
    rule = call_code("rule", reference)
    missing = [name for name in NEEDED if not callable(getattr(rule, name, None))]
    missing += [] if isinstance(getattr(rule, "stored", None), tuple) else ["stored"]
    if missing:
        allowed = f"an update rule; {type(rule).__name__} lacks {', '.join(missing)}"
        raise invalid(
            "rule", reference, f"{allowed}, see docs/extending.md in the source distribution"
        )
    return rule


def own_network(reference: str, shape: Sequence[int], classes: int) -> nn.Module:
    """A network of a user's file: made without arguments, or with the shape of a sample and the
    number of classes if it needs arguments; one pass on two samples is done.

    Raises:
        ValueError: it cannot be made, is no network, or does not turn samples (n, ...) into
            (n, classes).
    """
    made = load_code("network", reference)
    arguments = (torch.Size(shape), classes) if _needs_arguments(made) else ()
    net = call_code("network", reference, *arguments)
    if not isinstance(net, nn.Module):
        raise invalid("network", reference, f"one that gives a torch network, not {net!r:.60}")
    if not any(twin_of(each) for each in net.modules()):
        raise invalid("network", reference, f"one with a layer that can be on arrays: {kinds()}")
    wanted, samples = (2, classes), torch.zeros(2, *shape)
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            found = tuple(net(samples).shape)
    except Exception as error:
        allowed = f"one that takes samples {tuple(samples.shape)} ({said(error)})"
        raise invalid("network", reference, allowed) from error
    net.train(training)
    if found != wanted:
        allowed = f"one that gives {wanted} for samples {tuple(samples.shape)}, not {found}"
        raise invalid("network", reference, allowed)
    return net


def _needs_arguments(made: Any) -> bool:
    try:
        inspect.signature(made).bind()
    except TypeError:
        return True
    except ValueError:  # written in C
        return False
    return False
