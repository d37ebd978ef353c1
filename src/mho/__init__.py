"""mho: learning on memristors, from write-once to lifelong.

hw  = mho.Hardware(device="hfo2-1t1r", dac_bits=8, adc_bits=8)
net = mho.convert(model, hw, chips=32)
acc = mho.evaluate(net, loader)             # (chips,)
mho.tune(net, batch, per="column")          # no cell is written
rep = mho.ledger(net)                       # integers
cost = mho.price(rep, mho.prices.get("hfo2-130nm"))

What most programs need stands here; the rest has a module:

cells       families of cells, programming, laws of time    devices      published devices
rules       update rules, write policies, feedback          tasks        learning task after task
nn          layers, parametrizations                        prices       price lists, costs
circuits    wires, operating points, SPICE decks            instruments  chips on the bench
hardware    arrays, mappings, counters                      dynamics     cells in motion
data        MNIST and its like, tasks                       kernels      compiled loops, `off()`
fit         fits to measured files (import mho.fit)     sweep        many runs (import mho.sweep)
interchange files of other tools (import mho.interchange)

Names of these modules are also found as `mho.NAME`, for short sessions; type checkers know them in
their modules only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mho.public import *  # noqa: F403
    from mho.public import __all__ as __all__

__version__ = "0.1.0"
"""The only place of the version: pyproject.toml reads it, as text, so it stays a literal."""


def __getattr__(name: str) -> Any:
    """A name of `mho.public`, which is imported when the first is asked for: the command is there,
    and can be interrupted, before torch is."""
    if name == "public" or (name.startswith("__") and name != "__all__"):
        raise AttributeError(f"module 'mho' has no attribute {name!r}")
    public = import_module("mho.public")
    return globals()[name] if name in globals() else getattr(public, name)  # a part it has loaded


def __dir__() -> list[str]:
    return sorted({*globals(), *import_module("mho.public").__all__})
