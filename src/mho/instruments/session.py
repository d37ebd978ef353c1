"""Who holds the chip, and what was last carried out for them."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import NamedTuple

from mho.hardware.instrument import Instrument
from mho.instruments.protocol import Garbled, Line, one_line, parse
from mho.instruments.requests import CHANGING, carried_out
from mho.instruments.state_file import StateFile

PATIENCE = 5.0
"""Wait for a request under way before a session is opened or released [s]."""


class Session(NamedTuple):
    """What is remembered of the host that uses the chip."""

    name: str
    """Chosen by the host; "" if there is none."""
    last: int
    """Number of the last request carried out."""
    reply: str
    """What was answered to it."""


NOBODY = Session("", 0, "")


class Busy(Exception):
    """The chip is not free; the message says why."""


class Holder:
    """One session at a time holds the chip, on one connection; each of its requests is carried out
    once, however often it is made.

    With a state file, what a request did and what is answered to it are kept before either counts:
    if they cannot be kept, the chip is put back to where it was and the answer is an error.

    Args:
        instrument: the chip.
        state: keeps a simulated chip and the session in a file; None: nothing is kept.

    Raises:
        ValueError: the file is in use, cannot be written, or is that of another chip.
    """

    def __init__(self, instrument: Instrument, state: StateFile | None) -> None:
        self.instrument, self._state = instrument, state
        self.connection: socket.socket | None = None
        """That of the session; None while it has none."""
        self._session = NOBODY if state is None else Session(*(state.start() or NOBODY))
        self._work = threading.Lock()  # held while a request is carried out
        self._gate = threading.Lock()  # held while `connection` changes

    @property
    def session(self) -> str:
        """Name of the session; "" if there is none."""
        return self._session.name

    def open(self, name: str, connection: socket.socket) -> int:
        """Let a session have the chip on this connection; an earlier one of its own is dropped.

        Returns:
            The number of the last request carried out in it, 0 if it is new.

        Raises:
            Busy: another session has it, or a request of another is still being carried out.
        """
        with self._gate:
            if name != self._session.name and self.connection is not None:
                raise Busy("another host uses the chip")
            drop(self.connection)
            self.connection = connection
            if name == self._session.name:
                return self._session.last
        try:
            self._change(Session(name, 0, ""), connection)
        except Busy:
            self.leave(connection)
            raise
        return 0

    def leave(self, connection: socket.socket) -> None:
        """A connection has ended; another session may come."""
        with self._gate:
            if self.connection is connection:
                self.connection = None

    def release(self) -> str:
        """Take the chip from its session and forget that; its host finds out when it comes back.

        Returns:
            The name of the session, "" if there was none.

        Raises:
            Busy: its connection is dropped, but a request is still being carried out.
            OSError: this could not be kept.
        """
        name = self._session.name
        with self._gate:
            drop(self.connection)  # at once, whatever is being carried out
        self._change(NOBODY, None)
        return name

    def answer(self, name: str, text: str) -> str:
        """The reply to a request of a session; it is carried out unless it has been before."""
        with self._work:
            try:
                request = parse(text)
            except Garbled as error:
                return f"0 error refused expected {error}"
            if name != self._session.name:
                return f"{request.id} error refused another host uses the chip"
            if request.id < 1:
                return f"{request.id} error refused expected an id of 1 or more"
            if request.id == self._session.last:
                return self._session.reply
            if request.id < self._session.last:
                return f"{request.id} error refused request {self._session.last} came before"
            return self._once(request)

    def close(self) -> None:
        """Let another server have the state file."""
        if self._state is not None:
            self._state.stop()

    def _once(self, request: Line) -> str:
        """Carry out a request that has not come before."""
        if self._state is None:
            reply = f"{request.id} {carried_out(self.instrument, request)}"
            self._session = self._session._replace(last=request.id, reply=reply)
            return reply
        changed = request.verb in CHANGING
        put_back = self._state.snapshot(changed=changed)
        reply = f"{request.id} {carried_out(self.instrument, request)}"
        session = self._session._replace(last=request.id, reply=reply)
        try:
            self._state.save(session, changed=changed)
        except Exception as error:
            put_back()
            why = f"what it did could not be kept ({one_line(error)})"
            return f"{request.id} error failed nothing was done, as {why}"
        self._session = session
        return reply

    def _change(self, session: Session, connection: socket.socket | None) -> None:
        """Change the session, between two requests; it is to have this connection by then.

        Raises:
            Busy: a request takes too long, or the session before has come back.
            OSError: that there is none could not be kept.
        """
        if not self._work.acquire(timeout=PATIENCE):
            raise Busy("a request is still being carried out")
        try:
            if connection is None and self._state is not None:
                self._state.save(session, changed=False)
            with self._gate:
                if connection is None:
                    drop(self.connection)
                    self.connection = None
                elif self.connection is not connection:
                    raise Busy("another host uses the chip")
                self._session = session
        finally:
            self._work.release()


def drop(connection: socket.socket | None) -> None:
    """End a connection that another thread may be reading."""
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
