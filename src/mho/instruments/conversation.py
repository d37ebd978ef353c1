"""One connection to a served chip, from greeting to end: who is let in, and what they ask."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

from mho.config import Config, Range
from mho.instruments.address import keep_alive, peer
from mho.instruments.lines import Lines
from mho.instruments.protocol import MAX_LINE, PROTOCOL, Garbled, one_line
from mho.instruments.session import Busy, Holder
from mho.instruments.token import LONGEST, same_token

MAX_NAME = 128
"""Longest name of a session."""

_FIRST = len("release ") + MAX_NAME + 1 + LONGEST
"""Longest first line of a connection [bytes]."""


class Access(Config):
    """How long a server waits for hosts, and for how many."""

    idle: Annotated[float, Range(least=1e-3, most=86_400.0)] = 600.0
    """Silence after which a connection is closed; its host may come back [s]."""
    opening: Annotated[float, Range(least=1e-3, most=86_400.0)] = 10.0
    """Time for the first line of a connection [s]."""
    connections: Annotated[int, Range(least=2, most=10_000)] = 16
    """Connections at once; with one more, the oldest that does not hold the chip is closed [1]."""


class Conversation:
    """One connection.

    Args:
        connection: a connected socket, closed at the end.
        holder: who holds the chip.
        token: secret that hosts must know; None: there is none.
        access: limits of time.
        tell: called with a line when somebody comes, leaves, or is turned away.
    """

    def __init__(
        self,
        connection: socket.socket,
        holder: Holder,
        token: str | None,
        access: Access,
        tell: Callable[[str], None],
    ) -> None:
        self._connection, self._lines = connection, Lines(connection)
        self._holder, self._token, self._access = holder, token, access
        self._tell, self._who = tell, "?"

    def run(self) -> None:
        """From greeting to end."""
        name = ""
        try:
            self._who = peer(self._connection)
            keep_alive(self._connection)
            self._connection.settimeout(self._access.opening)
            self._lines.send(PROTOCOL)
            name = self._opened(self._lines.receive(_FIRST, self._access.opening))
            while name:
                self._connection.settimeout(self._access.idle)
                self._send(self._answer(name, self._lines.receive(MAX_LINE)))
        except Garbled as error:
            with suppress(OSError):
                self._lines.send(f"0 error refused expected {error}")
        except TimeoutError:
            self._tell(f"{self._who} was silent for too long")
        except OSError:
            pass
        finally:
            self._holder.leave(self._connection)
            self._connection.close()
            if name:
                self._tell(f"{self._who} session {name} has left")

    def _opened(self, first: str) -> str:
        """The session that the first line opens or takes up again; "" where it does not."""
        verb, *words = first.split(" ")
        name = words.pop(0) if verb == "open" and words else ""
        if verb not in ("open", "release") or len(words) > 1 or (verb == "open") != _is_name(name):
            self._send("error expected 'open' and a session of letters and digits")
        elif self._token is not None and not same_token(self._token, "".join(words)):
            self._tell(f"{self._who} turned away: {'wrong' if words else 'no'} token")
            self._send("error token: the chip is for those who know its token")
        else:
            try:
                return self._take(name) if name else self._release()
            except (Busy, OSError) as error:
                self._tell(f"{self._who} turned away: {one_line(error)}")
                self._send(f"error busy: {one_line(error)}")
        return ""

    def _take(self, name: str) -> str:
        last = self._holder.open(name, self._connection)
        self._tell(f"{self._who} session {name} {'goes on' if last else 'has taken the chip'}")
        self._send(f"ok {last}")
        return name

    def _release(self) -> str:
        name = self._holder.release()
        self._tell(f"{self._who} released the chip from {f'session {name}' if name else 'nobody'}")
        self._send("ok")
        return ""

    def _answer(self, name: str, text: str) -> str:
        return self._holder.answer(name, text)

    def _send(self, text: str) -> None:
        self._lines.send(text)


def _is_name(text: str) -> bool:
    """Whether it can be a session's."""
    return text.isascii() and text.isalnum() and len(text) <= MAX_NAME
