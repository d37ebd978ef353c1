"""Instruments for tests: a small chip, and servers of it that misbehave as they are told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import mho
from mho.instruments import InstrumentServer, Limits, RemoteInstrument, SimulatedInstrument
from mho.instruments.conversation import Conversation
from mho.instruments.state_file import StateFile

CELL = mho.cells.MultiLevel(
    g_min=50e-6, g_max=225e-6, levels=16, sigma=(3e-6,), device_spread=0.02, read_noise=0.01
)
QUICK = Limits(timeout=0.5, attempts=4, backoff=0.01)
"""Limits under which a test of an answer that never comes is soon over."""

PATIENT = QUICK.replace(timeout=300.0)
"""Limits that a busy machine keeps."""


def chip(cell: Any = CELL, *, tile: tuple[int, int] = (16, 12), arrays: int = 8, **other: Any):
    """A simulated chip."""
    return SimulatedInstrument(mho.Hardware(device=cell, tile=tile, **other), arrays, seed=3)


class Faulty(InstrumentServer):
    """Does what `faults` says with one answer after another, then behaves.

    "deaf": the connection ends before the request is carried out; "cut": in the middle of the
    answer; "mute": no answer comes; "noise": a line that is none; "wrong": another answer's number;
    "short": too few numbers; "": nothing.
    """

    def __init__(self, *given: Any, faults: list[str] | None = None, **named: Any) -> None:
        super().__init__(*given, **named)
        self.faults = faults or []
        self.carried_out = 0
        once = self.holder._once

        def counted(request: Any) -> str:
            self.carried_out += 1
            return once(request)

        self.holder._once = counted
        self._conversation = partial(_FaultyConversation, self)  # type: ignore[assignment]


class _FaultyConversation(Conversation):
    def __init__(self, server: Faulty, *given: Any) -> None:
        super().__init__(*given)
        self._server = server

    @property
    def _faults(self) -> list[str]:
        return self._server.faults

    def _answer(self, name: str, text: str) -> str:
        if self._faults and self._faults[0] == "deaf":
            self._faults.pop(0)
            raise ConnectionError
        return super()._answer(name, text)

    def _send(self, text: str) -> None:
        number = text.split(" ")[0]
        due = number.isdigit() and self._faults and self._faults[0] != "deaf"
        fault = self._faults.pop(0) if due else ""
        if fault == "cut":
            self._connection.sendall(text[: len(text) // 2].encode())
            raise ConnectionError
        if fault == "mute":
            return
        odd = {"noise": "\x7f??", "wrong": f"9{text}", "short": f"{number} ok f:1"}
        super()._send(odd.get(fault, text))


@contextmanager
def serving(
    instrument: SimulatedInstrument,
    *,
    faults: list[str] | None = None,
    state: Path | None = None,
    port: int = 0,
    **named: Any,
) -> Iterator[Faulty]:
    """A server in a thread."""
    named = {"port": port, **named}
    kept = None if state is None else StateFile(state, instrument)
    server = Faulty(instrument, state=kept, faults=faults, **named)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()


@contextmanager
def remote(
    faults: list[str] | None = None, *, plain: bool = False, **made: Any
) -> Iterator[tuple[RemoteInstrument, Faulty]]:
    """A client of a server of a new chip."""
    with (
        serving(chip(**made), faults=faults) as server,
        RemoteInstrument(*server.address, PATIENT, plain=plain) as instrument,
    ):
        yield instrument, server
