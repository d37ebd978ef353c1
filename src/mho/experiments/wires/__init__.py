"""Wires: what resistance of the lines costs each of the three systems, and what wins it back.

Our own experiment, after no single paper: the three systems are those of `mho run bmcnn`, `siamese`
and `metaplastic`, their arrays behind wires as `effective_conductance` solves them. Two of them may
be trained through the wires; all may be compensated when they are mapped or afterwards.

config: settings. compensation: what can be done. plan: which points. systems: training, measuring.
picture: one array under a sample. result: what is made of it all.
"""

from __future__ import annotations

from mho.experiments.cells import check_start
from mho.experiments.metaplastic.training import starts as lifelong_starts
from mho.experiments.run import Run
from mho.experiments.siamese.training import starts as in_place_starts
from mho.experiments.study import Jobs
from mho.experiments.systems import memory
from mho.experiments.wires.config import PRESETS, WiresConfig
from mho.experiments.wires.picture import circuit
from mho.experiments.wires.plan import Refreshed, Row, refreshes
from mho.experiments.wires.result import result
from mho.experiments.wires.systems import (
    TRAINED,
    behind,
    loops,
    refreshed,
    trainings,
    write_once,
)
from mho.results import Circuit, Result, plain, read

__all__ = ["PRESETS", "WiresConfig", "check", "memory", "run", "trainings"]


def check(config: WiresConfig) -> None:
    """Refuse cells on which a system would learn nothing.

    Raises:
        ValueError: as said.
    """
    begun = {"siamese": (in_place_starts(config.siamese), config.siamese.hardware)}
    if "metaplastic" in config.systems:
        begun["metaplastic"] = lifelong_starts(config.metaplastic), config.metaplastic.hardware
    for system, (nets, hardware) in begun.items():
        setting, full_scale = f"{system}.hardware.device", f"{system}.hardware.full_scale"
        check_start(nets, hardware, setting, full_scale)


def run(config: WiresConfig, run: Run) -> Result:
    """Train without wires and through them, put wires behind the arrays; returns the result."""
    check(config)
    rows: list[Row] = []
    if "bmcnn" in config.systems:
        rows += write_once(config, run)
    for system in TRAINED:
        if system not in config.systems:
            continue
        for tile, loop in loops(config):
            through = f", through {loop:g} ohm" if loop else ""
            rows += run.once(
                f"{system}, tile {tile}{through}",
                lambda s=system, t=tile, r=loop: behind(config, run, s, t, r),
            )
    jobs = Jobs[int, Refreshed](run, lambda every: refreshed(config, run, every))
    done = [jobs.done(study, "refresh") for study in refreshes(config)]
    drawn = run.once("circuit", lambda: plain(circuit(config, run)))
    return result(config, rows, done, read(Circuit, drawn, "circuit"))
