"""What the chips of a network did, and how much of the network that is."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from mho.arguments import checked
from mho.hardware import Ledger
from mho.hardware.ledger import counted
from mho.learning.coverage import share_of


@checked
def ledger(net: nn.Module) -> Ledger:
    """Read the counters of every crossbar in a network.

    `Ledger.share` says how much of the network is counted: of its multiplications, if
    `mho.evaluate` or `mho.calibrate` saw an input, else of its weights.

    Raises:
        ValueError: the network has no memristive layer.
    """
    return replace(counted(net), share=share_of(net))
