"""Chips on the bench: a simulated one, one at the end of a connection, and its server.

The protocol is `protocol.md` beside this file, which `mho serve-chip --protocol` prints;
`mho.attach` puts a network on an instrument.
"""

from mho.hardware.instrument import (
    Chip,
    Instrument,
    InstrumentError,
    InstrumentLost,
    InstrumentRefused,
    Outcome,
    Report,
)
from mho.instruments.conversation import Access
from mho.instruments.remote import Limits, RemoteInstrument, release
from mho.instruments.server import InstrumentServer
from mho.instruments.simulated import SimulatedInstrument
from mho.instruments.token import read_token

__all__ = [
    "Access",
    "Chip",
    "Instrument",
    "InstrumentError",
    "InstrumentLost",
    "InstrumentRefused",
    "InstrumentServer",
    "Limits",
    "Outcome",
    "RemoteInstrument",
    "Report",
    "SimulatedInstrument",
    "read_token",
    "release",
]
