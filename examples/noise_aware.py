"""Noise-aware training against plain training: a small CNN on Fashion-MNIST, on chips that age.

Both networks start from the same weights and see the same batches for as many epochs. Each is put
on 8 chips of phase change memory and of RRAM and measured fresh, after a day and after a month of
drift, as it is and with its read-out tuned on training images without labels.

What was chosen was chosen on the 5,000 validation images, which are held out of the training set;
--test measures on 500 test images of each class instead, once.

Run: python examples/noise_aware.py [--test] [--out results/noise-aware]
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho

DEVICES = ("pcm-gst", "rram-neurram-1s")
TIMES = (0.0, "1 day", "1 month")
CHIPS = 8


def network() -> nn.Sequential:
    """Two convolutions and two linear layers, 28 x 28 pixels to 10 classes."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, 2, 2), nn.ReLU(), nn.Conv2d(8, 16, 5, 2, 2), nn.ReLU(),
        nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def train(net: nn.Module, images: Tensor, labels: Tensor, epochs: int, seed: int) -> float:
    """Train a network in place, as any network; processor seconds that it took."""
    begin = time.process_time()
    optimizer = torch.optim.Adam(net.parameters())
    total = epochs * len(mho.data.batches((images, labels), 100, seed=seed))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=total)
    net.train()
    for epoch in range(epochs):
        for x, y in mho.data.batches((images, labels), 100, seed=seed, epoch=epoch):
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
            schedule.step()
    net.eval()
    return time.process_time() - begin


def main() -> None:
    """Train, measure, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test", action="store_true", help="measure on the test set")
    parser.add_argument("--per-class", type=int, default=2000, help="training images of a class")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for accuracy.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    begin, seed = time.process_time(), options.seed
    data = mho.data.load("fashion-mnist", "train", per_class=options.per_class)
    measured_on = "test" if options.test else "validation"
    held_out = mho.data.load("fashion-mnist", measured_on, per_class=500)
    loader = list(zip(held_out.inputs.split(50), held_out.labels.split(50), strict=True))
    unlabelled = data.inputs[:500]

    torch.manual_seed(seed)
    plain = network()
    start = copy.deepcopy(plain)
    seconds = {"plain": train(plain, data.inputs, data.labels, options.epochs, seed)}
    accuracy = mho.evaluate(plain, loader).item()
    found: list[dict[str, object]] = []
    print(f"plain network in float: {accuracy:.2%} of the {measured_on} images")
    print(f"\n{'chips':18}{'training':14}{'read-out':10}{'fresh':>16}{'a day':>16}{'a month':>16}")
    for device in DEVICES:
        hardware = mho.Hardware(device=device, dac_bits=8, adc_bits=8)
        generator = torch.Generator().manual_seed(seed)
        aware = mho.noise_aware(start, hardware, generator=generator)
        took = train(aware, data.inputs, data.labels, options.epochs, seed)
        seconds[f"noise-aware, {device}"] = took
        for name, net in (("plain", plain), ("noise-aware", aware)):
            generator = torch.Generator().manual_seed(seed + 1)
            chips = mho.convert(net, hardware, CHIPS, generator=generator)
            mho.calibrate(chips, unlabelled)
            for read_out in ("as it is", "tuned"):
                repair = None if read_out == "as it is" else lambda aged: mho.tune(aged, unlabelled)
                each = mho.evaluate_over_time(chips, loader, TIMES, repair)
                spread = "".join(f"{a.mean():9.2%} ± {a.std():.2%}" for a in each)
                print(f"{device:18}{name:14}{read_out:10}{spread}", flush=True)
                found.append({
                    "device": device, "training": name, "read-out": read_out,
                    "accuracy": [[round(a, 4) for a in chip.tolist()] for chip in each],
                })  # fmt: skip
    result = {
        "command": shlex.join(["python", *sys.argv]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "mho": mho.__version__, "python": platform.python_version(), "torch": torch.__version__
        },
        "threads": 1,
        "seeds": {"weights, batches and noise": seed, "chips": seed + 1},
        "images": {"training": len(data), measured_on: len(held_out)},
        "epochs": options.epochs,
        "times": ["fresh", *TIMES[1:]],
        "processor seconds of training": {k: round(v, 1) for k, v in seconds.items()},
        "processor seconds in all": round(time.process_time() - begin, 1),
        "float accuracy of the plain network": accuracy,
        "found, accuracy (times, chips)": found,
    }  # fmt: skip
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "accuracy.json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"\n{result['processor seconds in all']} s of one core")


if __name__ == "__main__":
    main()
