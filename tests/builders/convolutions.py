"""Convolutions of every kind with options drawn by a seed."""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

KINDS: dict[str, Callable[..., nn.Module]] = {
    "Conv1d": nn.Conv1d,
    "Conv2d": nn.Conv2d,
    "Conv3d": nn.Conv3d,
    "ConvTranspose1d": nn.ConvTranspose1d,
    "ConvTranspose2d": nn.ConvTranspose2d,
    "ConvTranspose3d": nn.ConvTranspose3d,
}


def sampled(kind: str, seed: int) -> tuple[nn.Module, tuple[int, ...]]:
    """A layer, its weights drawn too, and the shape of a batch for it."""
    draw = random.Random(f"{kind} {seed}")
    dims = int(kind[-2])
    groups = draw.choice([1, 2, 3])
    depthwise = draw.random() < 0.3
    each = 1 if depthwise else draw.choice([1, 2])
    channels, out = groups * each, groups * draw.choice([1, 2, 3])
    options: dict[str, Any] = {
        "kernel_size": _each(draw, dims, [1, 2, 3]),
        "stride": _each(draw, dims, [1, 2]),
        "dilation": _each(draw, dims, [1, 1, 2]),
        "groups": groups,
        "bias": draw.random() < 0.7,
    }
    if kind.startswith("ConvTranspose"):
        options["padding"] = _each(draw, dims, [0, 1])
        most = zip(options["stride"], options["dilation"], strict=True)
        options["output_padding"] = tuple(draw.randint(0, max(each) - 1) for each in most)
    else:
        options["padding_mode"] = draw.choice(
            ["zeros", "zeros", "reflect", "replicate", "circular"]
        )
        options["padding"] = draw.choice(["valid", "same", *(_each(draw, dims, [0, 1, 2]),) * 3])
        if options["padding"] == "same":
            options["stride"] = 1
    least = [5, 5, 4][dims - 1]
    size = tuple(draw.randint(least, least + 2) for _ in range(dims))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layer = KINDS[kind](channels, out, **options)
    return layer, (draw.choice([1, 2, 3]), channels, *size)


def _each(draw: random.Random, dims: int, values: list[int]) -> tuple[int, ...]:
    return tuple(draw.choice(values) for _ in range(dims))
