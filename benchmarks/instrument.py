"""A training step on a chip behind the instrument protocol, against the simulated layer.

784-128-10 on MNIST, batch 64, momentum 0.9, hysteresis 0.65, program-and-verify on arrays of
128 x 128 cells with 8-bit converters; the same steps on the plain simulated layers, through the
calls of an instrument in process, and over a socket to a server in a process of its own: base64,
decimal, and base64 with the chip kept in a file. Wall-clock time of one thread each, as the
server's process works too; medians over the rounds, whose kinds take turns.
Run: python benchmarks/instrument.py [--steps 20] [--rounds 5]
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from mho.instruments import Instrument, RemoteInstrument, SimulatedInstrument

HARDWARE = mho.Hardware(
    device="hfo2-1t1r", tile=(128, 128), transposed=False, dac_bits=8, adc_bits=8
)
ARRAYS = 15
"""Arrays of 128 x 128 that the network needs."""


class Training:
    """One network, on the instrument or simulated as usual."""

    def __init__(self, images: list[tuple[Tensor, Tensor]], instrument: Instrument | None) -> None:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
        self.net, self.images = mho.convert(model, HARDWARE), images
        if instrument is not None:
            mho.attach(self.net, instrument)
        mho.calibrate(self.net, images[0][0])
        self.write = mho.WriteStep(self.net, threshold=0.65)
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.05, 0.9)
        self.loss = torch.zeros(())

    def seconds(self) -> float:
        """Wall-clock seconds of a step, over all images."""
        begin = time.perf_counter()
        for x, y in self.images:
            self.optimizer.zero_grad()
            self.loss = F.cross_entropy(self.net(x), y)
            self.loss.backward()
            self.optimizer.step()
            self.write()
        return (time.perf_counter() - begin) / len(self.images)


def served(stack: ExitStack, *more: str, plain: bool = False) -> RemoteInstrument:
    """A client of a new server."""
    command = [sys.executable, "-m", "mho", "serve-chip", "--port", "0", "--arrays", str(ARRAYS)]
    server = subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True)
    stack.callback(server.wait)
    stack.callback(server.terminate)
    assert server.stdout is not None
    stack.callback(server.stdout.close)
    said = re.search(r"served on (\S+):(\d+)", server.stdout.readline())
    assert said is not None
    return stack.enter_context(RemoteInstrument(said[1], int(said[2]), plain=plain))


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    samples = mho.data.load("mnist", "train", per_class=-(-64 * options.steps // 10))
    batches = zip(samples.flat.split(64), samples.labels.split(64), strict=True)
    images = list(batches)[: options.steps]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kinds: dict[str, Instrument | None] = {
            "simulated layers": None,
            "instrument in process": SimulatedInstrument(HARDWARE, ARRAYS),
            "over a socket, base64": served(stack),
            "over a socket, decimal": served(stack, plain=True),
            "over a socket, kept in a file": served(stack, "--state", str(folder / "chip.pt")),
        }
        trainings = {name: Training(images, kind) for name, kind in kinds.items()}
        times = {name: [training.seconds()] for name, training in trainings.items()}
        for _ in range(options.rounds):
            for name, training in trainings.items():
                times[name].append(training.seconds())
        losses = {name: training.loss.item() for name, training in trainings.items()}
    floor = times["simulated layers"][1:]
    print(f"{'':32}{'step [ms]':>10}{'ratio':>8}{'last loss':>14}")
    for name, spent in times.items():
        ratio = statistics.median(b / a for a, b in zip(floor, spent[1:], strict=True))
        step = 1e3 * statistics.median(spent[1:])
        print(f"{name:32}{step:10.2f}{ratio:8.2f}{losses[name]:14.9f}")


if __name__ == "__main__":
    main()
