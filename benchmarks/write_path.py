"""One epoch of in-situ training, every write counted, against plain torch SGD.

Three tables on MNIST, processor time of one thread: 784-512-512-10 without biases, batch 32, exact
reads; then a perceptron and a convolutional network on the imperfect chips of `mho run siamese`,
batch 64, momentum 0.9, on the same chips with exact converters and no read noise, and, without
momentum, on a published device that is programmed and verified; last, epochs of that experiment
itself, which also moves its images, follows a schedule and calibrates. `--rows` shows those alone
with a word in their name.
Run: python benchmarks/write_path.py [--images 20000] [--rounds 5] [--rows WORD]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from inference import network
from mho.experiments.siamese import SiameseConfig
from mho.experiments.siamese.config import Network
from mho.experiments.siamese.training import Descent, Job, begun
from timing import in_turn


def perceptron() -> nn.Sequential:
    """784-128-10."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def convolutional() -> nn.Sequential:
    """LeNet-5 with ReLU and maxima: 6@5x5, 16@5x5, 400-120-84-10."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


Batches = list[tuple[Tensor, Tensor]]


def epoch(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    write: mho.WriteStep | None,
    images: Batches,
) -> int:
    """Train once over batches of images; returns how many weights were written."""
    net.train()
    written = 0
    for x, y in images:
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
        if write is not None:
            written += write().weights
    return written


class Work(NamedTuple):
    """What a table trains on, and how often."""

    images: Batches
    momentum: float
    rounds: int
    rows: str = ""
    """Word of the rows to be shown."""

    def train(self, net: nn.Module, write: mho.WriteStep | None) -> int:
        """One epoch of a fresh network; returns how many weights were written."""
        optimizer = torch.optim.SGD(net.parameters(), 0.05, self.momentum)
        return epoch(net, optimizer, write, self.images)


def report(
    name: str,
    make: Callable[[], nn.Module],
    hardware: mho.Hardware,
    threshold: float,
    work: Work,
) -> None:
    """Print one row: seconds of an epoch, their ratio, weights written a step."""
    if work.rows not in name:
        return
    nets = iter([mho.convert(make(), hardware) for _ in range(work.rounds + 1)])
    counts: list[int] = []

    def ours(nets: Iterator[nn.Module] = nets) -> None:
        net = next(nets)
        mho.calibrate(net, work.images[0][0])
        counts.append(work.train(net, mho.WriteStep(net, threshold=threshold)))

    floor, mine, ratio = in_turn(lambda: work.train(make(), None), ours, work.rounds)
    row(name, floor, mine, ratio, counts[-1] / len(work.images))


def experiment(network: Network, images: int, rounds: int) -> None:
    """Print one row: epochs of the experiment with a falling threshold, against its float one."""
    config = SiameseConfig(per_class=images // 10, processor="cpu")
    job = Job("float", rounds + 1, config.hardware, network)
    floor, ours = begun(config, job), begun(config, job._replace(scheme="falling threshold"))

    def epochs(of: Descent) -> Callable[[], None]:
        steps = iter(range(of.steps))

        def one() -> None:
            for _ in range(of.feed.epoch_steps):
                of.step(next(steps))

        return one

    seconds, mine, ratio = in_turn(epochs(floor), epochs(ours), rounds)
    written = ours.history.take("written") / ours.steps
    row(f"{network}, falling threshold", seconds, mine, ratio, written)


def row(name: str, floor: float, ours: float, ratio: float, writes: float) -> None:
    """Print seconds of an epoch, their ratio, and weights written a step."""
    print(f"{name:42}{floor:10.3f}{ours:10.3f}{ratio:7.2f}{writes:15.1f}", flush=True)


def main() -> None:
    """Print three tables of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", default="")
    options = parser.parse_args()
    torch.set_num_threads(1)
    samples = mho.data.load("mnist", "train", per_class=options.images // 10)
    small, large = (
        list(zip(samples.flat.split(n), samples.labels.split(n), strict=True)) for n in (32, 64)
    )
    device = mho.devices.get("hfo2-1t1r").replace(written=None)  # of one attempt
    kinds = {
        "level change, verified": (0.5, mho.cells.Verify()),
        "level change, open loop": (0.5, mho.cells.OpenLoop()),
        "hysteresis 0.65, open loop": (0.65, mho.cells.OpenLoop()),
        "sparse (3 steps), verified": (3.0, mho.cells.Verify()),
    }
    head = f"{'floor [s]':>10}{'ours [s]':>10}{'ratio':>7}{'writes a step':>15}"
    print(f"{'784-512-512-10, exact reads':42}{head}")
    work = Work(small, 0.0, options.rounds, options.rows)
    for kind, (threshold, programming) in kinds.items():
        hardware = mho.Hardware(device=device, programming=programming, full_scale=8.0)
        report(kind, network, hardware, threshold, work)

    imperfect = SiameseConfig().hardware
    quiet = imperfect.device.replace(read_noise=0.0)
    exact = imperfect.replace(dac_bits=None, adc_bits=None, device=quiet)
    print(f"\n{'imperfect chips':42}{head}")
    work = Work(large, 0.9, options.rounds, options.rows)
    for name, make in {"784-128-10": perceptron, "LeNet": convolutional}.items():
        for threshold in (0.5, 0.65, 1.5):
            report(f"{name}, threshold {threshold:g}", make, imperfect, threshold, work)
        report(f"{name}, threshold 0.65, exact reads", make, exact, 0.65, work)
    verified = mho.Hardware(device=device, programming=mho.cells.Verify())
    report("784-128-10, 0.5, verified", perceptron, verified, 0.5, work._replace(momentum=0.0))
    converted = verified.replace(dac_bits=8, adc_bits=8)
    report("784-128-10, 0.5, verified, 8 bits", perceptron, converted, 0.5,
           work._replace(momentum=0.0))  # fmt: skip
    relaxing = imperfect.over_time(mho.devices.preset("cmo-hfox"))
    report("784-128-10, 1.5, cells that relax", perceptron, relaxing, 1.5, work)
    for every in (50, 10):
        wired = imperfect.replace(wire_resistance=2.0, wire_refresh=every)
        report(f"784-128-10, 1.5, wires every {every} steps", perceptron, wired, 1.5, work)

    print(f"\n{'mho run siamese':42}{head}")
    networks: tuple[Network, ...] = ("mlp", "cnn")
    for network_of in networks:
        if options.rows in f"{network_of}, falling threshold":
            experiment(network_of, options.images, options.rounds)


if __name__ == "__main__":
    main()
