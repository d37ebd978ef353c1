"""An LSTM on many chips against the same products in plain torch.

The floor is a loop over time: one `torch.bmm` for the products with all inputs, one a step for
those with the state, and the same gates in torch's functions.
Run: python benchmarks/recurrent.py [--chips 8] [--rounds 5]
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

import mho
from timing import in_turn

SIZES = ((64, 28, 28, 128), (64, 100, 40, 256))
"""Batch, time steps, inputs, hidden units."""

KINDS = {
    "ideal": {"device": mho.devices.get("hfo2-1t1r").replace(read_noise=0.0)},
    "read noise": {"device": mho.devices.get("hfo2-1t1r").replace(read_noise=0.01)},
    "8-bit converters": {
        "device": mho.devices.get("hfo2-1t1r").replace(read_noise=0.0),
        "dac_bits": 8, "adc_bits": 8, "adc_per_tile": False,
    },
    "both": {
        "device": mho.devices.get("hfo2-1t1r").replace(read_noise=0.01),
        "dac_bits": 8, "adc_bits": 8, "adc_per_tile": False,
    },
}  # fmt: skip


def plain(x: Tensor, w: Tensor, u: Tensor, bias: Tensor) -> Tensor:
    """Outputs (chips, time, batch, hidden) of inputs x (time, batch, in).

    Args:
        w: (chips, in, 4 * hidden).
        u: (chips, hidden, 4 * hidden).
        bias: (4 * hidden,).
    """
    chips, hidden = len(u), u.shape[1]
    batch = x.shape[1]
    # (time, batch, in) -> (chips, time * batch, 4 * hidden)
    given = torch.bmm(x.flatten(0, 1).expand(chips, -1, -1), w) + bias
    h = c = x.new_zeros(chips, batch, hidden)
    outputs = []
    for products in given.split(batch, 1):
        i, f, g, o = (products + torch.bmm(h, u) + bias).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs, 1)


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="kinds to run; all if none is named")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'':20}{'size':>18}{'':>10}{'floor [s]':>11}{'ours [s]':>10}{'ratio':>7}")
    for size in SIZES:
        batch, steps, inputs, hidden = size
        torch.manual_seed(0)
        x, lstm = torch.randn(steps, batch, inputs), nn.LSTM(inputs, hidden)
        weights = [
            nn.Parameter(torch.randn(options.chips, n, 4 * hidden) / hidden**0.5)
            for n in (inputs, hidden)
        ]
        bias = nn.Parameter(torch.zeros(4 * hidden))
        for kind in options.only or KINDS:
            net = mho.convert(lstm, mho.Hardware(**KINDS[kind]), options.chips)
            mho.calibrate(net, x)

            @torch.no_grad()
            def floor(x: Tensor = x, w: list[nn.Parameter] = weights, b: Tensor = bias) -> None:
                plain(x, *w, b)

            @torch.no_grad()
            def ours(x: Tensor = x, net: nn.Module = net) -> None:
                net(x)

            def floor_training(
                x: Tensor = x, w: list[nn.Parameter] = weights, b: Tensor = bias
            ) -> None:
                plain(x, *w, b).sum().backward()

            def ours_training(x: Tensor = x, net: nn.Module = net) -> None:
                net(x)[0].sum().backward()

            for what, pair in (
                ("inference", (floor, ours)),
                ("training", (floor_training, ours_training)),
            ):
                net.train(what == "training")
                times = in_turn(*pair, options.rounds)
                row = f"{kind:20}{size!s:>18}{what:>10}"
                print(row + "{:11.3f}{:10.3f}{:7.2f}".format(*times), flush=True)


if __name__ == "__main__":
    main()
