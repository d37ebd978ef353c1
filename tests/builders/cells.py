"""Cells of five levels, as tests take them; what a test is about it adds by `replace`."""

from mho.physics import LogTime, MultiLevel, Preset, PulseResponse, Sinh

FIVE_LEVELS = MultiLevel(g_min=10e-6, g_max=90e-6, levels=5)
"""Without spread."""
PULSED_CELL = PulseResponse(
    g_min=10e-6, g_max=90e-6, levels=5, pulses=200, nonlinearity=(2.0, 1.0), cycle_spread=1.0
)
"""Remembers what it holds, and is moved by pulses."""
FULL_PRESET = Preset(
    device=PulseResponse(
        g_min=10e-6, g_max=90e-6, pulses=20, nonlinearity=(2.0, 1.0), reset_ratio=2.0,
        cycle_spread=0.4, device_spread=0.1, read_noise=0.01, stuck_on=0.02,
    ),
    conduction=Sinh(v0=0.4),
    retention=LogTime(rate=-5e-7, rate_spread=1e-7),
    note="Made up.",
)  # fmt: skip
"""A cell, a law of conduction and one of retention."""
