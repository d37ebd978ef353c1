"""How the networks that devices are tried on were trained.

Run: python -m mho.trial.training     # a minute; writes float.npz and binary.npz beside this file

Adam on cross entropy, one cycle of the learning rate; the binary network trains float weights
whose signs, times their mean size, are what it computes with. Nothing is chosen by the held-out
images, on which devices are tried.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize

import mho
from mho.files import write_bytes
from mho.trial.network import DATA, FILES, packed, untrained

EPOCHS = {False: 6, True: 12}
BATCH = 128
RATE = 1e-2
"""Largest learning rate."""


def trained(binary: bool, seed: int = 0) -> nn.Sequential:
    """A network, trained."""
    training = mho.data.load(DATA, "train")
    x, y = training.inputs, training.labels
    torch.manual_seed(seed)
    net = untrained()
    layers = [layer for layer in net if isinstance(layer, nn.Linear)]
    if binary:
        for layer in layers:
            mho.nn.quantize(layer, mho.nn.Levels(2))
    optimizer = torch.optim.Adam(net.parameters())
    steps = EPOCHS[binary] * -(-len(y) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(EPOCHS[binary]):
        for rows in torch.randperm(len(y)).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
    if binary:
        for layer in layers:
            parametrize.remove_parametrizations(layer, "weight")
    return net.eval()


def main() -> None:
    """Train both, write them, say how well they do on the held-out images."""
    torch.set_num_threads(1)
    held_out = mho.data.load(DATA, "validation")
    for binary, file in FILES.items():
        net = trained(binary)
        arrays = {name: packed(value) for name, value in net.state_dict().items()}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        path = Path(__file__).with_name(file)
        write_bytes(path, buffer.getvalue())
        accuracy = mho.evaluate(net, [(held_out.inputs, held_out.labels)]).item()
        print(f"{path.name}: {accuracy:.2%} of {len(held_out)} held-out images")


if __name__ == "__main__":
    main()
