"""Training steps in a second task, every write counted, against the same network in plain torch.

784-512-512-10 with batch normalization and Adam, batch 100, on the chips of `mho run metaplastic`,
under each of its rules once a first task is consolidated; processor time of one thread.
Run: python benchmarks/lifelong.py [--steps 100] [--rounds 5]
"""

from __future__ import annotations

import argparse

import torch

import mho
from mho.experiments.metaplastic import MetaplasticConfig
from mho.experiments.metaplastic.network import network, perfect
from mho.experiments.metaplastic.schemes import SCHEMES, Setting
from timing import in_turn
from write_path import epoch

RULES = (
    "no protection",
    "path importance with gates",
    "interval rule",
    "EWC",
    "SI",
    "Bayesian steps",
)
"""Schemes, one for each rule."""
TASKS = mho.data.sequential(["mnist"])
"""What the network learns."""


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    config = MetaplasticConfig()
    samples = mho.data.load("mnist", "train", per_class=config.batch * options.steps // 10)
    pairs = zip(samples.inputs.split(config.batch), samples.labels.split(config.batch), strict=True)
    images = list(pairs)

    torch.manual_seed(0)
    plain = network(config, "mlp", SCHEMES["no protection"], TASKS)
    adam = torch.optim.Adam(plain.parameters(), config.rate, fused=True)
    head = f"{'floor [s]':>10}{'ours [s]':>10}{'ratio':>7}{'writes a step':>15}"
    print(f"{f'{options.steps} steps':42}{head}")
    rows = [(name, config.hardware) for name in RULES]
    rows.append(("path importance with gates", perfect(config.hardware)))
    for name, hardware in rows:
        scheme = SCHEMES[name]
        net = mho.convert(network(config, "mlp", scheme, TASKS), hardware)
        mho.calibrate(net, images[0][0])
        write = mho.WriteStep(net, rules=scheme.rules(Setting(config.rules, config.batch, 0)))
        optimizer = torch.optim.Adam(net.parameters(), config.rate, fused=True)
        write.attach(optimizer)
        epoch(net, optimizer, write, images)
        if scheme.fisher:
            mho.rules.measure_fisher(net, write, *(t[:10] for t in images[0]))
        write.consolidate()
        counts: list[int] = []
        floor, ours, ratio = in_turn(
            lambda: epoch(plain, adam, None, images),
            lambda n=net, o=optimizer, w=write, c=counts: c.append(epoch(n, o, w, images)),
            options.rounds,
        )
        row = name if hardware == config.hardware else f"{name}, no imperfection"
        print(f"{row:42}{floor:10.3f}{ours:10.3f}{ratio:7.2f}{counts[-1] / len(images):15.1f}",
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
