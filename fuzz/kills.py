"""Runs that are killed, stopped or starved of disk at random moments, and then go on."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from mho.files import check_sums

LIMIT = 300.0
"""Longest time of a trial [s]: a process or two that load torch."""

WORK = """
import resource, signal, sys
from pathlib import Path
import torch
from mho.experiments import run as runs
from mho.experiments.experiment import Lap
from mho.results import Result

folder, most = Path(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(1)
runs.SAVE_EVERY = 0.0
signal.signal(signal.SIGTERM, signal.default_int_handler)
if most:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

def train(run, seed):
    torch.manual_seed(seed)
    net, lap = torch.nn.Linear(40, 10), Lap()
    optimizer = torch.optim.Adam(net.parameters(), 0.1)
    for step in run.steps("train", 60, {"net": net, "optimizer": optimizer, "lap": lap}):
        x = torch.randn(4, 40, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()
        lap.append("weight", net.weight[0, 0].item())
        run.log(step=step, weight=net.weight[0, 0].item())
    return lap.rows["weight"]

run = runs.Run(folder, "", resume=True, title="x")
print("begun", flush=True)
try:
    with run.interruptible():
        found = [run.once(f"part {k}", lambda k=k: train(run, k)) for k in range(3)]
    run.finish(Result(experiment="x", seed=0, title="t", summary=repr(found), claims=[]))
finally:
    run.close()
"""


def trials(random: Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Break a run off, more than once, then let it end, and compare it with an unbroken one."""
    whole = folder / "whole"
    began = time.monotonic()
    process = _start(whole)
    process.communicate()
    assert process.returncode == 0
    took = time.monotonic() - began
    for number in itertools.count():
        run = folder / f"run{number}"
        times = random.randint(1, 3)
        breaks = [
            (random.choice((signal.SIGKILL, signal.SIGINT, signal.SIGTERM, 0)),
             random.uniform(0, took), random.randint(100, 12_000))
            for _ in range(times)
        ]  # fmt: skip
        words = ", ".join(
            f"{signal.Signals(how).name} {after:.3f} s after it began" if how else
            f"files of at most {most} bytes" for how, after, most in breaks
        )  # fmt: skip
        yield words, lambda run=run, breaks=breaks: _break(run, breaks, whole)
        shutil.rmtree(run, ignore_errors=True)


def _break(run: Path, breaks: list[tuple[int, float, int]], whole: Path) -> None:
    for how, after, most in breaks:
        process = _start(run, 0 if how else most)
        assert process.stdout is not None
        process.stdout.readline()
        if how:
            time.sleep(after * 0.3)
            process.send_signal(how)
        process.communicate()
    if not (run / "result.json").exists():
        process = _start(run)
        process.communicate()
        assert process.returncode == 0, "it does not go on"
    for name in ("metrics.jsonl", "result.json"):
        kept = [(each / name).read_text() for each in (run, whole)]
        if name.endswith("json"):
            kept = [json.loads(text) | {"wall_s": 0} for text in kept]
        if kept[0] != kept[1]:
            raise AssertionError(f"{name} is not that of an unbroken run")
    check_sums(run, "result.json", "config.toml", "metrics.jsonl")
    if left := [each.name for each in run.glob(".*.tmp")]:
        raise AssertionError(f"left over: {left}")


def _start(run: Path, most: int = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WORK, str(run), str(most)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
