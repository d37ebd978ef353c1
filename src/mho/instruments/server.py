"""The reference server of the protocol, around any instrument."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import NamedTuple

from mho.arguments import checked
from mho.errors import invalid, shown
from mho.hardware.instrument import Instrument, InstrumentError, InstrumentRefused
from mho.instruments.protocol import (
    MAX_LINE,
    PROTOCOL,
    Garbled,
    Line,
    block,
    is_plain,
    numbers,
    parse,
)
from mho.instruments.state_file import StateFile

IDLE = 600.0
"""Seconds of silence after which a connection is closed; its client may come back."""


class Session(NamedTuple):
    """What is remembered of the host that uses the chip."""

    name: str
    """Chosen by the host."""
    last: int
    """Number of the last request carried out."""
    reply: str
    """What was answered to it."""


class InstrumentServer:
    """Serves one chip to one host at a time, each request once however often it is made.

    Args:
        instrument: the chip.
        host, port: where to listen; port 0: any free one, see `address`.
        state: keeps a simulated chip and the session in a file, before each answer.

    Raises:
        ValueError: the address cannot be listened on, or the file is that of another chip.
    """

    @checked
    def __init__(
        self,
        instrument: Instrument,
        host: str = "127.0.0.1",
        port: int = 0,
        state: StateFile | None = None,
    ) -> None:
        self.instrument, self._state = instrument, state
        self._session = Session("", 0, "")
        kept = state.load() if state is not None else None
        if kept is not None:
            self._session = Session(*kept)
        try:
            self._listening = socket.create_server((host, port))
        except (OSError, OverflowError) as error:
            allowed = f"an address to listen on ({shown(str(error))})"
            raise invalid("host and port", f"{host}:{port}", allowed) from error
        self.address: tuple[str, int] = self._listening.getsockname()[:2]
        self._work, self._gate = threading.Lock(), threading.Lock()
        self._connection: socket.socket | None = None

    def serve(self) -> None:
        """Answer until `close` is called from another thread."""
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Stop listening and drop the connection."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._gate:
            _drop(self._connection)

    def answer(self, host: str, text: str) -> str:
        """The reply to a request of a host; it is carried out unless it has been before."""
        with self._work:
            try:
                request = parse(text)
            except Garbled as error:
                return f"0 error refused expected {error}"
            name, last, reply = self._session
            if name != host:
                return f"{request.id} error refused another host uses the chip"
            if request.id == last:
                return reply
            if request.id < last:
                return f"{request.id} error refused request {last} came before"
            reply = f"{request.id} {self._carried_out(request)}"
            with self._gate:
                if self._session.name != host:
                    return reply  # to nobody: that host was gone, and another took over
                self._session = Session(host, request.id, reply)
            if self._state is not None:
                changed = request.verb in ("program", "pulse")
                self._state.save(self._session, changed=changed)
            return reply

    def _carried_out(self, request: Line) -> str:
        """`ok` and the result, or `error`, its kind and what was wrong."""
        try:
            return " ".join(["ok", *self._result(request)])
        except Garbled as error:
            return f"error refused expected {_one_line(error)}"
        except (ValueError, InstrumentRefused) as error:
            return f"error refused {_one_line(error)}"
        except InstrumentError as error:
            return f"error failed {_one_line(error)}"

    def _result(self, request: Line) -> list[str]:
        _, verb, words = request
        chip, plain = self.instrument.describe(), is_plain(words)
        wanted = {"describe": 0, "program": 2, "pulse": 2, "read": 4, "report": 0}
        if verb not in wanted:
            raise Garbled(f"one of {', '.join(wanted)}, not {verb[:20]!r}")
        if len(words) != wanted[verb]:
            raise Garbled(f"{wanted[verb]} words after {verb}, not {len(words)}")
        if verb == "describe":
            table = chip.to_dict() | {"pulses": int(chip.pulses)}
            return [f"{name}={value!r}" for name, value in table.items()]
        if verb == "report":
            return [f"{k}={v}" for k, v in self.instrument.report()._asdict().items()]
        if verb == "read":
            first, arrays, vectors = (int(numbers(f"i:{w}", "i", ())) for w in words[:3])
            shape = (_at_least_0(vectors), _at_least_0(arrays), chip.rows)
            amps = self.instrument.read(first, numbers(words[3], "f", shape))
            return [block(amps, plain=plain)]
        cells = numbers(words[0], "i", (-1, 3))
        if verb == "pulse":
            self.instrument.pulse(cells, numbers(words[1], "i", (len(cells),)))
            return []
        done = self.instrument.program(cells, numbers(words[1], "f", (len(cells),)))
        conductance, *counts = done
        return [block(conductance, plain=plain), *(block(c.int(), plain=plain) for c in counts)]

    def _converse(self, connection: socket.socket) -> None:
        """One connection, from greeting to end."""
        with suppress(OSError), connection, connection.makefile("rb", 1 << 20) as lines:
            connection.settimeout(IDLE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._send(connection, PROTOCOL)
            host = self._opened(connection, _line(lines.readline(80)) or "")
            if not host:
                return
            try:
                while (text := _line(lines.readline(MAX_LINE))) is not None:
                    self._send(connection, self.answer(host, text))
            finally:
                with self._gate:
                    if self._connection is connection:
                        self._connection = None

    def _opened(self, connection: socket.socket, text: str) -> str:
        """Open a session, or take it up again: its name, "" where it was refused.

        The same host's earlier connection is dropped.
        """
        verb, _, name = text.partition(" ")
        if verb != "open" or not (name.isascii() and name.isalnum()):
            self._send(connection, "error expected 'open' and a session of letters and digits")
            return ""
        with self._gate:
            if name != self._session.name:
                if self._connection is not None:
                    self._send(connection, "error busy: another host uses the chip")
                    return ""
                self._session = Session(name, 0, "")
            _drop(self._connection)
            self._connection = connection
            self._send(connection, f"ok {self._session.last}")
        return name

    def _send(self, connection: socket.socket, text: str) -> None:
        connection.sendall(text.encode("ascii", "replace") + b"\n")


def _line(raw: bytes) -> str | None:
    """A whole line; None where the connection ended, in the middle of one or not."""
    if not raw.endswith(b"\n"):
        return None
    return raw.decode("ascii", "replace").rstrip("\r\n")


def _drop(connection: socket.socket | None) -> None:
    """End a connection that another thread may be reading."""
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _at_least_0(count: int) -> int:
    if count < 0:
        raise Garbled("counts of 0 or more")
    return count


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
