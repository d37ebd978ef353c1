"""Decks of `netlist` run by ngspice, where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated

import torch
from jaxtyping import Float64
from torch import Tensor

from mho.arguments import checked
from mho.config import Range
from mho.errors import Failed

PROGRAM = "ngspice"

_CURRENT = re.compile(r"^i\(vout(\d+)(?:_t(\d+))?\) = (\S+)", re.MULTILINE)
_ASKED = re.compile(r"^print i\(vout", re.MULTILINE)
_COMPLAINT = re.compile(r"error|warning|singular|converge|fail|unable|no such", re.IGNORECASE)


class SpiceError(Failed):
    """ngspice is missing or did not find the currents; the message is one line."""


def ngspice() -> str:
    """Path of the program.

    Raises:
        SpiceError: it is not installed.
    """
    found = shutil.which(PROGRAM)
    if found is None:
        raise SpiceError("ngspice is not installed (Debian and Ubuntu: apt-get install ngspice)")
    return found


@checked
def simulate(
    deck: str, limit: Annotated[float, Range(above=0.0, most=1e6)] = 300.0
) -> Float64[Tensor, "*tiles cols"]:
    """Output currents [A] of a deck that `netlist` wrote: (cols,), or (tiles, cols) of several.

    Runs in a folder of its own, without the user's initialization files.

    Args:
        limit: time after which ngspice is stopped [s].

    Raises:
        SpiceError: ngspice is not installed, took too long, or found no operating point.
    """
    program = ngspice()
    with tempfile.TemporaryDirectory(prefix="mho-") as folder:
        (Path(folder) / "deck.cir").write_text(deck, encoding="utf-8")
        try:
            done = subprocess.run(
                [program, "-n", "-b", "deck.cir"],
                cwd=folder,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SpiceError(f"ngspice was stopped after {limit:g} s") from None
    found = {
        (int(tile or 0), int(col)): float(value)
        for col, tile, value in _CURRENT.findall(done.stdout)
    }
    if done.returncode or not found or len(found) != len(_ASKED.findall(deck)):
        raise SpiceError(f"ngspice found no currents: {_complaint(done.stderr + done.stdout)}")
    tiles, cols = (1 + max(key[k] for key in found) for k in (0, 1))
    currents = torch.tensor([found[key] for key in sorted(found)], dtype=torch.float64)
    return currents.view(tiles, cols) if "_t0)" in deck else currents


def _complaint(said: str) -> str:
    """What the program had to say, in one line."""
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if _COMPLAINT.search(line)]
    return "; ".join(dict.fromkeys((telling or lines)[:3])) or "it said nothing"
