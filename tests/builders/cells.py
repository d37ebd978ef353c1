"""Cells of five levels, as tests take them; what a test is about it adds by `replace`."""

from mho.physics import MultiLevel, PulseResponse

FIVE_LEVELS = MultiLevel(g_min=10e-6, g_max=90e-6, levels=5)
"""Without spread."""
PULSED_CELL = PulseResponse(
    g_min=10e-6, g_max=90e-6, levels=5, pulses=200, nonlinearity=(2.0, 1.0), cycle_spread=1.0
)
"""Remembers what it holds, and is moved by pulses."""
