"""What tests of several parts build and do."""

from __future__ import annotations

from torch import Tensor

from mho.hardware import Crossbar
from mho.hardware.programming import program_cells


def program_one(crossbar: Crossbar, cells: Tensor, levels: Tensor) -> None:
    """Bring cells (n,) of one crossbar to levels (n,)."""
    program_cells([(crossbar, cells, levels)])
