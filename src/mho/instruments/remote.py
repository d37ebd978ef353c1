"""An instrument at the end of a TCP connection that may break: the client of the protocol."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from typing import Annotated, Self, TypeVar

from jaxtyping import Float32, Int32
from torch import Tensor

from mho.arguments import checked
from mho.config import Config, Range
from mho.hardware.instrument import (
    Chip,
    InstrumentError,
    InstrumentLost,
    InstrumentRefused,
    Outcome,
    Report,
    check_each,
    empty_outcome,
)
from mho.instruments.protocol import MAX_LINE, PROTOCOL, Garbled, block, fields, numbers, parse
from mho.quantities import Wait

T = TypeVar("T")


class Limits(Config):
    """How long and how often an instrument is asked before it counts as lost."""

    timeout: Annotated[float, Range(least=1e-3, most=86_400.0)] = 10.0
    """Wait for a connection, and for each part of an answer [s]."""
    attempts: Annotated[int, Range(least=1, most=1_000_000)] = 8
    """Times that a request is made [1]."""
    backoff: Wait = 0.2
    """Pause before the second attempt [s]; it doubles with each further one."""
    longest: Wait = 10.0
    """Longest pause [s]."""


class RemoteInstrument:
    """The client of an instrument server; it connects when it is first asked something.

    A request whose answer does not come, or cannot be read, is repeated on a new connection under
    its old number, and the server answers what it has done already without doing it again.

    Args:
        host, port: where the server listens.
        limits: time-outs and repetitions.
        plain: write numbers in decimal instead of base64; the server follows.
        told: called with a line for each repetition; None: they are only counted.

    Attributes:
        repeats: requests repeated so far.
    """

    @checked
    def __init__(
        self,
        host: str,
        port: int,
        limits: Limits | None = None,
        *,
        plain: bool = False,
        told: Callable[[str], None] | None = None,
    ) -> None:
        self.address = f"{host}:{port}"
        self.repeats = 0
        self._where, self._limits, self._plain = (host, port), limits or Limits(), plain
        self._told = told
        self._session = secrets.token_hex(8)
        self._id = self._acknowledged = 0
        self._socket: socket.socket | None = None
        self._waiting = b""
        self._chip: Chip | None = None

    def describe(self) -> Chip:
        """What the chip is; asked once.

        Raises:
            InstrumentLost, InstrumentRefused, InstrumentError: as all calls do; see `Instrument`.
        """
        if self._chip is None:
            self._chip = self._ask("describe", [], _chip)
        return self._chip

    @checked
    def program(self, cells: Int32[Tensor, "n 3"], targets: Float32[Tensor, " m"]) -> Outcome:
        """Bring cells to target conductances [S]."""
        check_each("targets", targets, cells)
        n = len(cells)
        if n == 0:
            return empty_outcome()

        def outcome(words: list[str]) -> Outcome:
            conductance, pulses, reads, refused = (
                numbers(word, kind, (n,)) for word, kind in zip(words, "fiii", strict=True)
            )
            if conductance.isinf().any() or (conductance < 0).any():
                raise Garbled("conductances of 0 S or more, or nan")
            return Outcome(conductance, pulses, reads, refused != 0)

        return self._ask("program", [self._block(cells), self._block(targets)], outcome)

    @checked
    def pulse(self, cells: Int32[Tensor, "n 3"], counts: Int32[Tensor, " m"]) -> None:
        """Apply SET pulses to cells, or RESET pulses where a count is negative."""
        check_each("counts", counts, cells)
        if len(cells):
            self._ask("pulse", [self._block(cells), self._block(counts)], lambda _words: None)

    @checked
    def read(
        self, first: int, volts: Float32[Tensor, "n arrays rows"]
    ) -> Float32[Tensor, "n arrays cols"]:
        """Currents [A] of all columns, vector after vector."""
        n, arrays, _ = volts.shape
        shape = (n, arrays, self.describe().cols)

        def amps(words: list[str]) -> Tensor:
            (word,) = words
            currents = numbers(word, "f", shape)
            if not currents.isfinite().all():
                raise Garbled("finite currents")
            return currents

        return self._ask("read", [str(first), str(arrays), str(n), self._block(volts)], amps)

    def report(self) -> Report:
        """Counts."""

        def counts(words: list[str]) -> Report:
            table = fields(words)
            return Report(*(int(table[name]) for name in Report._fields))

        return self._ask("report", [], counts)

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._waiting = None, b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _block(self, values: Tensor) -> str:
        return block(values, plain=self._plain)

    def _ask(self, verb: str, words: list[str], read: Callable[[list[str]], T]) -> T:
        """Make a request until it is answered; `read` takes the words of the answer."""
        self._id += 1
        request = " ".join([str(self._id), verb, *words])
        trouble: Exception | None = None
        for attempt in range(self._limits.attempts):
            if trouble is not None:
                self.repeats += 1
                if self._told is not None:
                    self._told(f"{self.address}: {_said(trouble)}; repeating {verb!r}")
                pause = self._limits.backoff * 2.0 ** min(attempt - 1, 60)
                time.sleep(min(pause, self._limits.longest))
            try:
                self._connect()
                self._send(request)
                answer = parse(self._receive())
                if answer.id != self._id or answer.verb not in ("ok", "error"):
                    raise Garbled(f"an answer to request {self._id}")
                result = read(answer.words) if answer.verb == "ok" else None
            except (OSError, ValueError, LookupError) as error:
                self.close()
                trouble = error
                continue
            except BaseException:
                self.close()
                raise
            self._acknowledged = self._id
            if answer.verb == "error":
                kind, *text = answer.words or ["failed"]
                said = f"{self.address}: {verb}: {' '.join(text)}"
                raise InstrumentRefused(said) if kind == "refused" else InstrumentError(said)
            return result  # type: ignore[return-value]
        assert trouble is not None
        n = self._limits.attempts
        tried = f"{n} attempt{'s' * (n > 1)} at {verb!r}"
        raise InstrumentLost(f"{self.address}: {_said(trouble)}; given up after {tried}")

    def _connect(self) -> None:
        """Open the connection, and the session on it, if there is none."""
        if self._socket is not None:
            return
        self._socket = socket.create_connection(self._where, self._limits.timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        greeting = self._receive()
        if greeting != PROTOCOL:
            if greeting.startswith(f"{PROTOCOL.split()[0]} "):
                raise InstrumentRefused(f"{self.address} speaks {greeting!r}, not {PROTOCOL!r}")
            raise Garbled(f"the greeting {PROTOCOL!r}, not {greeting[:40]!r}")
        self._send(f"open {self._session}")
        verb, *words = self._receive().split(" ")
        if verb != "ok":
            raise Garbled(f"an open session ({' '.join(words)})")
        if int(words[0]) < self._acknowledged:
            raise InstrumentError(
                f"{self.address} has forgotten request {self._acknowledged}: it was started anew "
                "without its state, or another host has used it; attach the network again"
            )

    def _send(self, text: str) -> None:
        assert self._socket is not None
        self._socket.sendall(text.encode("ascii") + b"\n")

    def _receive(self) -> str:
        """The next line."""
        assert self._socket is not None
        parts = [self._waiting]
        size = len(self._waiting)
        while b"\n" not in parts[-1]:
            parts.append(self._socket.recv(1 << 20))
            size += len(parts[-1])
            if not parts[-1]:
                raise ConnectionError("the connection was closed")
            if size > MAX_LINE:
                raise Garbled(f"a line of at most {MAX_LINE} bytes")
        line, _, self._waiting = b"".join(parts).partition(b"\n")
        return line.decode("ascii").removesuffix("\r")


def _chip(words: list[str]) -> Chip:
    """A chip of `name=value` words; what this version does not know is left out."""
    given = fields(words)
    kinds = {"low": float, "high": float, "volts": float, "pulses": lambda text: text == "1"}
    known = {k: kinds.get(k, int)(v) for k, v in given.items() if k in Chip.__dataclass_fields__}
    return Chip.from_dict(known)


def _said(error: Exception) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, Garbled):
        return f"expected {error}"
    return str(error) or type(error).__name__
