"""Checkpoints and network files: damaged ones, and whole ones of wrong content."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import nn

import mho
from fuzz.mutations import bytes_changed, value_changed
from mho.cli.conductances import Place, read_array
from mho.experiments import checkpoint
from mho.experiments import run as runs
from mho.experiments.experiment import Lap
from mho.experiments.run import Run
from mho.files.archive import write_archive

STEPS = 6


class Stop(Exception):
    """The run is broken off."""


def trials(random: Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Resume runs, and read arrays of networks."""
    begun, state = _begun(folder / "begun"), _network().state_dict()
    expected = _train(Run(_copied(begun, folder / "run"), "", resume=True, title="x"))
    network = folder / "net.pt"
    torch.save(state, network)
    whole = network.read_bytes()
    while True:
        kind = random.choice(("bytes", "content", "content of before", "net", "net content"))
        if kind.startswith("net"):
            if kind == "net":
                words, content = bytes_changed(random, whole)
                network.write_bytes(content)
            else:
                words, changed = value_changed(random, dict(state))
                with contextlib.suppress(Exception):
                    torch.save(changed, network)
            first = next(iter(k for k in state if k.endswith("crossbar.conductance")))
            layer = first.removesuffix(".crossbar.conductance")
            yield f"{kind}: {words}", partial(read_array, network, Place(layer, 0, 0))
            continue
        run = _copied(begun, folder / "run")
        words = _change(random, run, kind)
        sound = kind == "bytes"
        yield f"{kind}: {words}", lambda run=run, sound=sound: _resume(run, expected, sound)


def _change(random: Random, run: Path, kind: str) -> str:
    path = run / checkpoint.NAME
    if kind == "bytes":
        name = random.choice((checkpoint.NAME, checkpoint.PREVIOUS, checkpoint.METRICS))
        words, content = bytes_changed(random, (run / name).read_bytes())
        (run / name).write_bytes(content)
        return f"{name}: {words}"
    held: Any = torch.load(path, weights_only=True)
    if kind == "content":  # with its digest, as only mho writes it
        words, held["stages"] = value_changed(random, held["stages"])
    else:
        held["outcomes"] = json.loads(held["outcomes"])
        words, held = value_changed(random, held)
    if isinstance(held, dict) and not isinstance(held.get("outcomes"), str):
        with contextlib.suppress(Exception):
            held["outcomes"] = json.dumps(held["outcomes"])
    if kind == "content of before" and isinstance(held, dict):
        held.pop("metrics_digest", None)
        held["format"] = 1
    (run / checkpoint.PREVIOUS).unlink()
    with contextlib.suppress(Exception):  # torch itself refuses some
        (torch.save(held, path) if kind != "content" else write_archive(path, held))
    return words


def _network() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    return mho.convert(model, mho.Hardware(device="hfo2-1t1r", tile=8), chips=2)


def _begun(folder: Path) -> Path:
    """A run that was broken off after some steps, each of which was saved."""
    before, runs.SAVE_EVERY = runs.SAVE_EVERY, 0.0
    try:
        _train(Run(folder, "", resume=False, title="x"), STEPS // 2)
    except Stop:
        return folder
    finally:
        runs.SAVE_EVERY = before
    raise AssertionError("it was to be broken off")


def _train(run: Run, most: int | None = None) -> list[float]:
    with contextlib.closing(run), run.interruptible():
        first = run.once("first", lambda: [1.0, 2.0])
        net, lap = _network(), Lap()
        optimizer = torch.optim.Adam(net.parameters(), 0.01)
        for step in run.steps("train", STEPS, {"net": net, "optimizer": optimizer, "lap": lap}):
            if step == most:
                raise Stop
            optimizer.zero_grad()
            torch.manual_seed(step)
            net(torch.randn(4, 6)).square().mean().backward()
            optimizer.step()
            mho.write(net)
            lap.append("loss", float(step))
            run.log(step=step)
        return [*first, *next(net.parameters()).flatten().tolist()]


def _resume(folder: Path, expected: list[float], sound: bool) -> None:
    found = _train(Run(folder, "", resume=True, title="x"))
    if sound and found != expected:
        raise AssertionError("a damaged file was taken, and changed the result")


def _copied(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(source, target))
