"""The networks that devices are tried on: two layers for handwritten digits, trained beforehand.

Cells of more than two levels get one of float weights, cells of two one of binary weights. Both
have batch normalization behind each layer and 784, 100 and 10 units.
"""

from __future__ import annotations

import io
from importlib import resources

import numpy as np
import torch
from torch import Tensor, nn

DATA = "mnist"
"""What they tell apart."""
UNITS = (784, 100, 10)
FILES = {False: "float.npz", True: "binary.npz"}
"""Weights, by whether they are binary; `python -m mho.trial.training` makes them."""


def untrained() -> nn.Sequential:
    """The network without its numbers: images (n, 1, 28, 28) to scores (n, 10)."""
    inputs, hidden, classes = UNITS
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(),
        nn.Linear(hidden, classes, bias=False), nn.BatchNorm1d(classes),
    )  # fmt: skip


def network(binary: bool) -> nn.Sequential:
    """The trained network, in eval mode."""
    raw = resources.files("mho.trial").joinpath(FILES[binary]).read_bytes()
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        state = {name: unpacked(arrays[name]) for name in arrays.files}
    with torch.random.fork_rng(devices=[]):  # what it is drawn as is replaced at once
        net = untrained()
    net.load_state_dict(state)
    return net.eval()


def packed(weight: Tensor) -> np.ndarray:
    """A tensor as it is kept: matrices in half precision, the rest as it is."""
    return weight.half().numpy() if weight.ndim == 2 else weight.numpy()


def unpacked(array: np.ndarray) -> Tensor:
    """A kept array as a tensor."""
    tensor = torch.from_numpy(array)
    return tensor.float() if tensor.is_floating_point() else tensor
