"""Any family of cells, as a type that a record can hold."""

from mho.physics.multi_level import MultiLevel
from mho.physics.pulse_response import PulseResponse
from mho.physics.pulse_table import PulseTable
from mho.physics.two_state import TwoState

Device = TwoState | MultiLevel | PulseResponse | PulseTable
"""Any cell family."""
