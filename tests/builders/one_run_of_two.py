"""Small runs, and what two processes find that do them together."""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

import mho
from mho.cli import main
from mho.data.stand_in import stand_ins
from mho.errors import Failed, InvalidInput
from mho.experiments import bmcnn, metaplastic, processes, siamese
from mho.experiments import run as run_module
from mho.experiments.bmcnn.network import train as train_binarized
from mho.experiments.metaplastic.training import Job as Lifelong
from mho.experiments.metaplastic.training import learn
from mho.experiments.run import Run
from mho.experiments.siamese.training import Job as InPlace
from mho.experiments.siamese.training import train
from mho.files import write_text

Work = Callable[[Run], Any]

RARELY = siamese.PRESETS["quick"].replace(
    processor="cpu", per_class=13, hidden=12, batch=49, rate=0.05,
    calibrate_every=4, cnn={"channels": (2, 3), "dense": (9, 8)},
)  # fmt: skip
"""130 images: the last batch is of 32, and a part of it, of 16, smaller than all others."""
FOR_LIFE = metaplastic.PRESETS["quick"].replace(
    processor="cpu", per_class=9, batch=29, transfer=29, hidden=(12, 10), epochs=2, refreshed=60,
    rules={"fisher": 10},
)  # fmt: skip
ONCE = bmcnn.PRESETS["quick"].replace(
    processor="cpu", per_class=13, batch=64, sweep_per_class=5,
    architecture=bmcnn.Architecture(channels=(3, 4), hidden=(9,)),
)  # fmt: skip
"""130 images: the last batch is of two, one for each process."""
SMALL = siamese.PRESETS["quick"].replace(
    processor="cpu", per_class=10, hidden=12, networks=("mlp",), schemes=("float",), studies=(),
    claimed=("float", "falling threshold", "large threshold", "on level change"),
)  # fmt: skip
"""The run of `command`."""
TILES = {"tile": (60, 16), "adc_per_tile": True, "serial_inputs": True, "dac_bits": 4}


def rarely(scheme: str, network: Any = "mlp", **hardware: Any) -> Work:
    """One training in place."""
    job = InPlace(scheme, 2, RARELY.hardware.replace(**hardware), network, tested=True)
    return lambda run: train(RARELY, run, job).outcome


def for_life(scheme: str) -> Work:
    """One training of two tasks in turn, or at once."""
    tasks = mho.data.sequential(FOR_LIFE.tasks)
    return lambda run: learn(run, Lifelong(scheme, tasks, FOR_LIFE, tested=True))


def once(kind: str, **architecture: Any) -> Work:
    """One training offline."""
    config = ONCE.replace(architecture=ONCE.architecture.replace(**architecture))

    def work(run: Run) -> None:
        train_binarized(
            config, config.architecture, run, kind=kind, number=0, epochs=3, name="train"
        )

    return work


RUNS: dict[str, Work] = {
    "falling threshold": rarely("falling threshold"),
    "falling threshold, convolutions": rarely("falling threshold", "cnn"),
    "falling threshold, tiles and bits apart": rarely("falling threshold", **TILES),
    "falling threshold, drift and wires": rarely(
        "falling threshold", wire_resistance=1.0, wire_refresh=2
    ),
    "tiki-taka": rarely("Tiki-Taka"),
    "path importance with gates": for_life("path importance with gates"),
    "EWC": for_life("EWC"),
    "binarized": once("aware"),
    "binarized at random": once("plain", stochastic=True),
}


def opened(folder: Path, name: str, *, resume: bool = False) -> Run:
    """The run folder of a run, on its own or as one process of several."""
    return Run(folder / name, f'name = "{name}"\n', resume=resume, title="test")


def done(folder: Path, name: str, work: Work, *, resume: bool = False) -> Any:
    """What a run comes to."""
    run = opened(folder, name, resume=resume)
    try:
        with run.interruptible(), stand_ins():
            return work(run)
    finally:
        run.close()


def broken_off(folder: Path, name: str, work: Work, at: int, told: bool = True) -> str:
    """Do a run, but for what SIGTERM at a step leaves undone; what ended it."""
    run = opened(folder, name)
    plain = run.steps

    def told_to_stop(*given: Any, **named: Any) -> Iterator[int]:
        for number, step in enumerate(plain(*given, **named)):
            if number == at and told:
                os.kill(os.getpid(), signal.SIGTERM)
            yield step

    run.steps = told_to_stop  # type: ignore[method-assign]
    try:
        with run.interruptible(), stand_ins():
            work(run)
        return "done"
    except BaseException as error:
        return type(error).__name__
    finally:
        run.close()


@contextmanager
def as_launched(rank: int, port: int) -> Iterator[None]:
    """The environment that torchrun gives to one of two processes."""
    given = {
        "RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": 2,
        "MASTER_ADDR": "localhost", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test",
        "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    os.environ.update({name: str(value) for name, value in given.items()})
    yield
    for name in given:
        del os.environ[name]


def network(dtype: torch.dtype) -> nn.Module:
    """Arrays with noise, whose converters follow, and batch normalization, in front and behind."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        net = nn.Sequential(
            nn.BatchNorm2d(2), nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3, momentum=None),
            nn.ReLU(), nn.Flatten(), nn.Linear(48, 7), nn.BatchNorm1d(7, affine=False), nn.ReLU(),
            nn.Linear(7, 4),
        )  # fmt: skip
    cell = mho.cells.MultiLevel(g_min=1e-5, g_max=9e-5, levels=17, read_noise=0.05)
    hardware = mho.Hardware(device=cell, dac_bits=7, adc_bits=7, coverage=0.9, range_growth=1.1)
    net = mho.convert(net, hardware, generator=torch.Generator().manual_seed(1)).to(dtype)
    return mho.calibrate(net, 0.5 * inputs(20, dtype)).train()


def inputs(n: int, dtype: torch.dtype) -> torch.Tensor:
    """Images (n, 2, 6, 6)."""
    generator = torch.Generator().manual_seed(n)
    return torch.randn(n, 2, 6, 6, generator=generator, dtype=torch.float64).to(dtype)


def gradients(dtype: torch.dtype) -> dict[str, Any]:
    """Losses, gradients, statistics and counts of some batches, the last smaller than two."""
    net, losses = network(dtype), []
    for n in (10, 7, 2, 1):
        if n == 1:
            net.eval()
        losses.append(processes.backward(net, inputs(n, dtype), torch.arange(n) % 4).item())
    return {
        "losses": losses,
        "gradients": {name: p.grad for name, p in net.named_parameters()},
        "state": net.state_dict(),
        "counts": mho.ledger(net).totals(),
    }


def failed(work: Callable[[], object]) -> str:
    """How work fails."""
    try:
        work()
    except (Failed, InvalidInput, SystemExit) as error:
        return f"{type(error).__name__}: {error}"
    return "done"


def refused() -> None:
    """What process 0 alone does, and refuses."""
    raise InvalidInput("this cannot work")


def apart(run: Run) -> None:
    """A training that is not the same in both processes."""
    net = nn.Linear(3, 2)
    with torch.no_grad():
        net.weight.fill_(float(processes.here().rank))
    for _ in run.steps("apart", 2, {"net": net}):
        pass


def command(folder: Path) -> tuple[dict[str, int], str]:
    """Exit status of the command with wrong settings and with right ones; what it said of the
    wrong ones."""
    config = folder.with_suffix(".toml")
    write_text(config, SMALL.to_toml())
    run = ["run", "siamese", "--out", str(folder), "--config", str(config)]
    said, shown = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(shown), stand_ins():
        try:
            wrong = main([*run, "--set", "hidden=0"])
        except SystemExit as ended:
            wrong = int(ended.code or 0)
        complaint = said.getvalue()
        return {"wrong": wrong, "right": main(run)}, complaint


def work(rank: int, folder: Path, port: int) -> None:
    """All of it, by one of two processes; what was found goes to a file."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    with as_launched(rank, port):
        found["command"], found["said"] = command(folder / "command")
    with as_launched(rank, port), processes.joined():
        found["gradients"] = {str(d): gradients(d) for d in (torch.float32, torch.float64)}
        together, one = folder / "two", folder / "one"
        found["outcomes"] = {name: done(together, name, run) for name, run in RUNS.items()}
        falls, lives = RUNS["falling threshold"], RUNS["path importance with gates"]
        # one of both is told to stop
        found["ended"] = [
            broken_off(together, "stopped", falls, 4, told=rank == 1),
            broken_off(together, "left to one", lives, 9, told=rank == 0),
        ]
        found["went on"] = [
            done(together, "stopped", falls, resume=True),
            done(one, "left to two", lives, resume=True),
        ]
        found["refused"] = failed(lambda: processes.by_first(refused))
        found["begun"] = failed(lambda: opened(together, "falling threshold"))
        run_module.SAVE_EVERY = 0.0
        found["apart"] = failed(lambda: done(together, "apart", apart))
        if rank == 1:
            torch.save(found, folder / "1.pt")
            os._exit(0)  # as a process that is killed
        found["left alone"] = failed(lambda: done(together, "left alone", falls))
        torch.save(found, folder / "0.pt")
