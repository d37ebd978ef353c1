"""The reference server of the protocol, around any instrument: it listens, and keeps a thread for
each connection."""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from mho.arguments import checked
from mho.errors import invalid
from mho.hardware.instrument import Instrument
from mho.instruments.address import Address, listening_address
from mho.instruments.conversation import Access, Conversation
from mho.instruments.session import Holder, drop
from mho.instruments.state_file import StateFile
from mho.instruments.token import check_token

SPARE = 4
"""File descriptors that connections leave to what is done for the host, such as keeping a file."""

PAUSE = 0.2
"""Wait after a connection could not be taken [s]."""


class InstrumentServer:
    """Serves one chip to one host at a time, each request once however often it is made.

    Args:
        instrument: the chip.
        host, port: where to listen; port 0: any free one, see `address`. Or `unix:PATH` alone.
        state: keeps a simulated chip and the session in a file, before each answer.
        token: secret that hosts must know; None: whoever reaches the port uses the chip.
        access: limits of time and number.
        told: called with a line when somebody comes, takes the chip, leaves, or is turned away.

    Raises:
        ValueError: the address cannot be listened on; the file is that of another chip, in use, or
            cannot be written.
    """

    @checked
    def __init__(
        self,
        instrument: Instrument,
        host: str = "127.0.0.1",
        port: int = 0,
        state: StateFile | None = None,
        *,
        token: str | None = None,
        access: Access | None = None,
        told: Callable[[str], None] | None = None,
    ) -> None:
        where = listening_address(host, port)
        self._token = None if token is None else check_token("token", token)
        self._access, self._told = access or Access(), told
        self.holder = Holder(instrument, state)
        try:
            self._listening = where.listening()
        except (OSError, OverflowError) as error:
            self.holder.close()
            said = getattr(error, "strerror", None) or error
            raise invalid("address", str(where), f"an address to listen on ({said})") from error
        if where.path is None:
            where = Address(*self._listening.getsockname()[:2])
        self.address: Address = where
        self._listening.setblocking(False)
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._threads: dict[socket.socket, threading.Thread] = {}  # oldest first
        self._dropped: set[socket.socket] = set()  # those of them that are about to end
        self._gate = threading.Lock()  # held while these change
        self._serving = threading.Lock()
        self._closing = threading.Event()

    _conversation = Conversation

    @property
    def instrument(self) -> Instrument:
        """The chip."""
        return self.holder.instrument

    def serve(self) -> None:
        """Answer until `close` is called from another thread."""
        with self._serving:
            failing = False
            while not self._closing.is_set():
                self._selector.select()
                try:
                    connection = self._accepted()
                except (BlockingIOError, ConnectionError):
                    continue  # woken up, or gone already
                except OSError as error:  # no file descriptors left, say: those who are in stay
                    if not failing:
                        self._tell(f"new connections have to wait: {error.strerror}")
                    failing = True
                    self._make_room(0)
                    self._closing.wait(PAUSE)
                    continue
                failing = False
                self._begin(connection)

    def close(self) -> None:
        """Stop listening, drop all connections, and wait for the request being carried out."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._wake.send(b"\n")
        with self._serving:
            self._selector.close()
            for each in (self._listening, self._wake, self._woken):
                each.close()
        if self.address.path is not None:
            self.address.path.unlink(missing_ok=True)
        with self._gate:
            threads = dict(self._threads)
        for connection in threads:
            drop(connection)
        for thread in threads.values():
            if thread.ident is not None:  # it has begun
                thread.join()
        self.holder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _accepted(self) -> socket.socket:
        """A new connection, taken only where the system has descriptors left for the work.

        Raises:
            OSError: there is none, or too little is left.
        """
        spare: list[int] = []
        try:
            while len(spare) < SPARE:
                spare.append(os.dup(self._woken.fileno()))
            return self._listening.accept()[0]
        finally:
            for each in spare:
                os.close(each)

    def _begin(self, connection: socket.socket) -> None:
        """Start a conversation in a thread of its own."""
        self._make_room(self._access.connections)
        thread = threading.Thread(target=self._converse, args=(connection,))
        with self._gate:
            self._threads[connection] = thread
        try:
            thread.start()
        except RuntimeError as error:  # no more threads
            self._tell(f"a connection is closed: {error}")
            connection.close()
            self._forget(connection)

    def _make_room(self, most: int) -> None:
        """Close the oldest connection that does not hold the chip, if there are so many."""
        with self._gate:
            here = [each for each in self._threads if each not in self._dropped]
            oldest = next((each for each in here if each is not self.holder.connection), None)
            if oldest is not None and len(here) >= most:
                self._dropped.add(oldest)
                drop(oldest)

    def _converse(self, connection: socket.socket) -> None:
        try:
            self._conversation(connection, self.holder, self._token, self._access, self._tell).run()
        finally:
            self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        with self._gate:
            self._threads.pop(connection, None)
            self._dropped.discard(connection)

    def _tell(self, text: str) -> None:
        if self._told is not None:
            with suppress(OSError, ValueError):  # nobody is there to read it
                self._told(text)
