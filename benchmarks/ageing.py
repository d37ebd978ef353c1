"""Time passing on chips, law by law, against the least that any law could cost.

The floor is one pass over as many cells that draws a normal number for each and multiplies it in.
784-512-512-10 on differential pairs, one thread. Run: python benchmarks/ageing.py [--chips N]
"""

from __future__ import annotations

import argparse
from functools import partial
from itertools import pairwise

import torch
from torch import nn

import mho
from mho.learning.layers.layer import memristive_layers
from timing import in_turn

LAWS: dict[str, dict[str, object]] = {
    "power law": {"retention": mho.cells.PowerLaw(nu=0.05, nu_spread=0.01)},
    "log time": {"retention": mho.cells.LogTime(rate=-1e-7, rate_spread=1e-7)},
    "1/f noise, 14 time constants": {"flicker": mho.cells.Flicker(amplitude=0.01)},
    "telegraph noise": {"telegraph": mho.cells.Telegraph(depth=0.1, full=1.0, empty=1.0)},
    "read disturb": {"disturb": mho.cells.Disturb(read=1e-8)},
    "nothing": {},
}


def multiplied(cells: list[torch.Tensor], generator: torch.Generator) -> None:
    """The floor: a normal factor for each cell."""
    for g in cells:
        g.mul_(torch.empty_like(g).normal_(1.0, 1e-3, generator=generator))


def main() -> None:
    """Print one line a law."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise((784, 512, 512, 10))))
    for name, laws in LAWS.items():
        hardware = mho.Hardware(device=mho.devices.get("hfo2-1t1r"), **laws)  # type: ignore[arg-type]
        net = mho.convert(model, hardware, given.chips)
        layers = memristive_layers(net).values()
        cells = [torch.ones_like(layer.crossbar.conductance) for layer in layers]
        floor = partial(multiplied, cells, torch.Generator())
        base, ours, ratio = in_turn(floor, partial(mho.age, net, 60.0), given.rounds)
        print(f"{name:30} {1e3 * ours:7.1f} ms, floor {1e3 * base:5.1f} ms, ratio {ratio:5.2f}")


if __name__ == "__main__":
    main()
