"""Cells in motion: models with a state under voltages that change with time."""

from mho.physics.dynamics import *  # noqa: F403
from mho.physics.dynamics import __all__ as __all__
