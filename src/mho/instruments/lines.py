"""Lines of text over a connection, the same at both ends."""

from __future__ import annotations

import socket
import time

from mho.instruments.protocol import Garbled


class Lines:
    """Reads and writes the lines of a connection.

    Args:
        connection: a connected socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._waiting = b""

    def send(self, text: str) -> None:
        """Write a line.

        Raises:
            OSError: the connection is gone.
        """
        self._connection.sendall(text.encode("ascii", "replace") + b"\n")

    def receive(self, most: int, within: float | None = None) -> str:
        """The next line, without its end.

        Args:
            most: longest line [bytes].
            within: time for the whole of it [s]; None: the connection's time-out, for each part.

        Raises:
            OSError: the connection is gone, or time is up.
            Garbled: the line is too long; what follows cannot be told from it.
        """
        end = None if within is None else time.monotonic() + within
        parts, size = [self._waiting], len(self._waiting)
        while b"\n" not in parts[-1] and size <= most:
            if end is not None:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                self._connection.settimeout(left)
            part = self._connection.recv(min(1 << 20, most + 1))
            if not part:
                raise ConnectionError("the connection was closed")
            parts.append(part)
            size += len(part)
        line, end_of_line, self._waiting = b"".join(parts).partition(b"\n")
        if not end_of_line or len(line) > most:
            raise Garbled(f"a line of at most {most} bytes")
        return line.decode("ascii", "replace").removesuffix("\r")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
