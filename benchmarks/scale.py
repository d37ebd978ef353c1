"""Time and memory against cells: converting, a forward pass, a write step; and a billion cells.

784-512-512-10 on differential pairs, 1.34 million cells a chip, on more and more chips; and one
square layer on one chip, of more and more cells. Each size in a process of its own, on all threads;
then exponents of cells, bytes a cell, and what a billion cells take: by the fit, or measured.
Run: python benchmarks/scale.py [--devices hfo2-1t1r pcm-gst] [--chips 1 4] [--billion hfo2-1t1r]
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

import mho
from mho.hardware.memory import available

CHIPS = (1, 4, 16, 64)
SIDES = (512, 1024, 2048, 4096)
INPUTS = 100
BILLION = 10**9

Row = dict[str, float]

TIMES = ("convert", "forward", "first write", "next write")
BYTES = ("weights", "else", "peak", "written")


def perceptron() -> nn.Sequential:
    """784-512-512-10 without biases."""
    torch.manual_seed(0)
    sizes = zip((784, 512, 512), (512, 512, 10), strict=True)
    layers = [[nn.Linear(i, o, bias=False), nn.ReLU()] for i, o in sizes]
    return nn.Sequential(*(each for pair in layers for each in pair))


def square(side: int) -> nn.Sequential:
    """One layer."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(side, side, bias=False))


def held() -> int:
    """Bytes of all tensors, each storage once."""
    gc.collect()
    found = {}
    for each in gc.get_objects():
        if isinstance(each, torch.Tensor):
            storage = each.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
    return sum(found.values())


def peak() -> int:
    """Most bytes of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def seconds(work: Callable[[], object]) -> float:
    """Of the clock on the wall."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def measure(model: nn.Sequential, device: str, chips: int, *, writes: bool) -> Row:
    """One row: seconds, and bytes a cell of each chip."""
    hardware = mho.Hardware(device=device)
    warm = nn.Linear(64, 64)  # its kernels are loaded
    small = mho.convert(warm, hardware, 2)
    small(torch.rand(2, 64)).sum().backward()
    next(small.parameters()).data.mul_(-1)
    mho.write(small)
    del warm, small
    before, least = held(), peak()
    made: list[nn.Module] = []
    row = {"convert": seconds(lambda: made.append(mho.convert(model, hardware, chips)))}
    net, most = made.pop(), peak()
    layers = [m for m in net.modules() if isinstance(m, mho.nn.ArrayLayer)]
    cells = chips * sum(math.prod(layer.crossbar.tiling.shape) for layer in layers)
    weights = sum(layer.effective.nbytes for layer in layers)
    own = sum(p.nbytes for p in net.parameters())
    row |= {"cells": cells, "weights": weights / cells, "peak": (most - least) / cells}
    row["else"] = (held() - before - weights - own) / cells
    first = next(m for m in model if isinstance(m, nn.Linear))
    x = torch.rand(INPUTS, first.in_features)
    with torch.no_grad():
        net(x[:1])
        row["forward"] = seconds(lambda: net(x))
    if not writes:
        return row
    for name in ("first write", "next write"):
        with torch.no_grad():
            for layer in layers:
                layer.weight.view(-1)[::100].mul_(-1)
        row[name] = seconds(lambda: mho.write(net))
    row["written"] = (held() - before - weights - own) / cells
    return row


def apart(*given: str) -> Row:
    """`measure` in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--one", *given]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def exponent(rows: list[Row], name: str) -> tuple[float, float]:
    """Exponent of cells, and the value at a billion: a line through the logarithms of the larger
    half, where what is spent on any size is small."""
    some = rows[len(rows) // 2 - 1 :]
    x = [math.log(row["cells"]) for row in some]
    y = [math.log(row[name]) for row in some]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    top = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    slope = top / sum((a - mean_x) ** 2 for a in x)
    return slope, math.exp(mean_y + slope * (math.log(BILLION) - mean_x))


def table(title: str, rows: list[Row]) -> None:
    """Print rows, exponents, and what a billion cells take."""
    print(f"\n{title}")
    heads = "".join(f"{name + ' [s]':>16}" for name in TIMES)
    heads += "".join(f"{name + ' [B]':>13}" for name in BYTES)
    print(f"{'cells':>10}{heads}")
    for row in rows:
        times = "".join(f"{row[name]:16.4f}" for name in TIMES)
        print(f"{row['cells']:10.3g}{times}" + "".join(f"{row[name]:13.2f}" for name in BYTES))
    fits = {name: exponent(rows, name) for name in TIMES}
    print(f"{'exponent':>10}" + "".join(f"{fits[name][0]:16.2f}" for name in TIMES))
    print(f"{'1e9, fit':>10}" + "".join(f"{fits[name][1]:16.1f}" for name in TIMES))
    last, there = rows[-1], available(torch.device("cpu"))
    kept, written = last["weights"] + last["else"], last["weights"] + last["written"]
    print(
        f"a billion cells hold {kept:.1f} GB converted, {written:.1f} GB once written; memory of "
        f"{there / 1e9:.0f} GB is full at {there / kept:.1e} cells, {there / written:.1e} written"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", nargs="*", default=["hfo2-1t1r", "pcm-gst"])
    parser.add_argument("--chips", nargs="+", type=int, default=CHIPS)
    parser.add_argument("--sides", nargs="+", type=int, default=SIDES)
    parser.add_argument("--billion", metavar="DEVICE", help="convert a billion cells, and read")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        kind, device, size, writes = args.one
        model = perceptron() if kind == "chips" else square(int(size))
        chips = int(size) if kind == "chips" else 1
        print(json.dumps(measure(model, device, chips, writes=writes == "writes")))
        return
    print(f"{torch.get_num_threads()} threads of {os.cpu_count()} cores; bytes a cell of a chip:")
    print(
        "weights: as arrays realize them; else: all else that a converted network keeps, without "
        "the shadow weights; peak: more than before, while converting; written: as else, after a "
        "write step"
    )
    for device in args.devices:
        for kind, sizes in (("chips", args.chips), ("sides", args.sides)):
            what = "784-512-512-10 on chips" if kind == "chips" else "one layer on one chip"
            table(f"{device}, {what}", [apart(kind, device, str(n), "writes") for n in sizes])
    if args.billion:
        row = apart("chips", args.billion, str(round(BILLION / 1337344)), "reads")
        print(
            f"\n{args.billion}, {row['cells']:.3g} cells, measured: {row['convert']:.1f} s to "
            f"convert, {row['forward']:.1f} s for {INPUTS} inputs, "
            f"{(row['weights'] + row['else']) * row['cells'] / 1e9:.1f} GB held, "
            f"{row['peak'] * row['cells'] / 1e9:.1f} GB at most"
        )


if __name__ == "__main__":
    main()
