"""An instrument at the end of a TCP connection that may break: the client of the protocol."""

from __future__ import annotations

import secrets
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
from mho.instruments.address import Address, server_address
from mho.instruments.lines import Lines
from mho.instruments.protocol import MAX_LINE, PROTOCOL, Garbled, block, fields, numbers, parse
from mho.instruments.token import check_token
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
        host, port: where the server listens; or, without a port, its address as text: HOST:PORT,
            [::1]:6047 or unix:PATH.
        limits: time-outs and repetitions.
        token: secret that the server asks for; see `read_token`.
        plain: write numbers in decimal instead of base64; the server follows.
        told: called with a line for each repetition; None: they are only counted.

    Attributes:
        repeats: requests repeated so far.

    Raises:
        ValueError: the address is none.
    """

    @checked
    def __init__(
        self,
        host: str,
        port: int | None = None,
        limits: Limits | None = None,
        *,
        token: str | None = None,
        plain: bool = False,
        told: Callable[[str], None] | None = None,
    ) -> None:
        self._where = server_address(host, port)
        self.address = str(self._where)
        self.repeats = 0
        self._limits, self._plain, self._told = limits or Limits(), plain, told
        self._token = None if token is None else check_token("token", token)
        self._session = secrets.token_hex(8)
        self._id = self._carried_out = 0
        self._lines: Lines | None = None
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
            if (pulses < 0).any() or (reads < 0).any():
                raise Garbled("counts of 0 or more")
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
            report = Report(*(int(table[name]) for name in Report._fields))
            if min(report) < 0:
                raise Garbled("counts of 0 or more")
            return report

        return self._ask("report", [], counts)

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        if self._lines is not None:
            self._lines.close()
        self._lines = None

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
        if len(request) > MAX_LINE:
            allowed = f"at most {MAX_LINE} bytes in a line; ask for fewer vectors or cells at once"
            raise InstrumentRefused(f"{self.address}: {verb}: {len(request)} bytes: {allowed}")
        trouble: Exception | None = None
        for attempt in range(self._limits.attempts):
            if trouble is not None:
                self.repeats += 1
                if self._told is not None:
                    self._told(f"{self.address}: {_said(trouble)}; repeating {verb!r}")
                pause = self._limits.backoff * 2.0 ** min(attempt - 1, 60)
                time.sleep(min(pause, self._limits.longest))
            try:
                lines = self._lines = self._lines or self._connected()
                lines.send(request)
                answer = parse(lines.receive(MAX_LINE))
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
            if answer.verb == "error":
                kind, *text = answer.words or ["failed"]
                said = f"{self.address}: {verb}: {' '.join(text)}"
                raise InstrumentRefused(said) if kind == "refused" else InstrumentError(said)
            self._carried_out = self._id
            return result  # type: ignore[return-value]
        assert trouble is not None
        n = self._limits.attempts
        tried = f"{n} attempt{'s' * (n > 1)} at {verb!r}"
        raise InstrumentLost(f"{self.address}: {_said(trouble)}; given up after {tried}")

    def _connected(self) -> Lines:
        """A new connection, with the session open on it."""
        lines, words = _asked(self._where, ["open", self._session], self._token, self._limits)
        number = words[0] if words else ""
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            lines.close()
            raise Garbled(f"the number of the last request, not {number[:20]!r}")
        if int(number) < self._carried_out:
            lines.close()
            raise InstrumentError(
                f"{self.address} has forgotten request {self._carried_out}: it was started anew "
                "without its state, or another host has used it, or it was released by an "
                "operator; attach the network again"
            )
        return lines


@checked
def release(
    host: str, port: int | None = None, *, token: str | None = None, limits: Limits | None = None
) -> None:
    """Free a chip from the host that holds it, whatever that is doing.

    The host finds out when it comes back, and stops with an error.

    Args:
        host, port, token: as of `RemoteInstrument`.
        limits: the time-out counts; there is one attempt.

    Raises:
        InstrumentError: the server cannot be reached, or does not free it.
        ValueError: the address or the token is none.
    """
    where = server_address(host, port)
    token = None if token is None else check_token("token", token)
    try:
        lines, _ = _asked(where, ["release"], token, limits or Limits())
    except (OSError, ValueError) as error:
        raise InstrumentLost(f"{where}: {_said(error)}") from error
    lines.close()


def _asked(
    where: Address, first: list[str], token: str | None, limits: Limits
) -> tuple[Lines, list[str]]:
    """A new connection and the words after `ok`, the answer to its first line.

    Raises:
        InstrumentRefused: the server speaks another version, or wants another token.
        OSError, Garbled: it does not answer, or something else.
    """
    lines = Lines(where.connected(limits.timeout))
    try:
        greeting = lines.receive(MAX_LINE)
        if greeting != PROTOCOL:
            if greeting.startswith(f"{PROTOCOL.split()[0]} "):
                raise InstrumentRefused(f"{where} speaks {greeting[:80]!r}, not {PROTOCOL!r}")
            raise Garbled(f"the greeting {PROTOCOL!r}, not {greeting[:40]!r}")
        lines.send(" ".join([*first, *([token] if token else [])]))
        verb, *words = lines.receive(MAX_LINE).split(" ")
        if verb == "ok":
            return lines, words
        if words[:1] == ["token:"]:
            sent = "another one than was given" if token else "none was given"
            raise InstrumentRefused(f"{where} asks for a token: {sent}")
        raise Garbled(f"{'an open session' if first[0] == 'open' else 'ok'} ({' '.join(words)})")
    except BaseException:
        lines.close()
        raise


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
