"""Cells, how they are programmed, what time and use do to them, and what a preset says of them all.

Published ones are in `mho.devices`; cells in motion under a voltage in `mho.dynamics`.
"""

from mho.physics import (
    Cell,
    Disturb,
    Flicker,
    GeneratorNoise,
    LandingCell,
    LogTime,
    MultiLevel,
    OpenLoop,
    PowerLaw,
    Preset,
    Programmed,
    Programming,
    PulsedCell,
    PulseResponse,
    PulseTable,
    Resistance,
    Retention,
    Spread,
    Telegraph,
    TwoState,
    Verify,
)

__all__ = [
    "Cell",
    "Disturb",
    "Flicker",
    "GeneratorNoise",
    "LandingCell",
    "LogTime",
    "MultiLevel",
    "OpenLoop",
    "PowerLaw",
    "Preset",
    "Programmed",
    "Programming",
    "PulseResponse",
    "PulseTable",
    "PulsedCell",
    "Resistance",
    "Retention",
    "Spread",
    "Telegraph",
    "TwoState",
    "Verify",
]
