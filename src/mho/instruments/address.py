"""Where a chip is served: HOST:PORT, [::1]:6047, or unix:PATH."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mho.errors import invalid

_UNIX = "unix:"

_FAMILY = getattr(socket, "AF_UNIX", None)
"""Of Unix sockets; None where the system has none."""

_LONGEST = 103
"""Longest path that a Unix socket has on every system [bytes]."""


class Address(NamedTuple):
    """An address of the network, or a Unix socket."""

    host: str
    """Name or number of a machine; or `unix:` and the path of a socket."""
    port: int = 0
    """Port; 0 for a socket, and to listen on any free port."""

    def __str__(self) -> str:
        if self.path is not None:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def path(self) -> Path | None:
        """Of the Unix socket; None where it is an address of the network."""
        return Path(self.host.removeprefix(_UNIX)) if self.host.startswith(_UNIX) else None

    @property
    def loopback(self) -> bool:
        """Whether it is reached from this machine alone."""
        if self.path is not None:
            return True
        with suppress(ValueError):
            return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        return self.host == "localhost"

    def connected(self, timeout: float) -> socket.socket:
        """A new connection to it; `timeout` [s] holds for what follows too.

        Raises:
            OSError: nobody answers there.
        """
        if self.path is None:
            connection = socket.create_connection((self.host, self.port), timeout)
            keep_alive(connection)
            return connection
        connection = _unix_socket()
        try:
            connection.settimeout(timeout)
            connection.connect(str(self.path))
        except BaseException:
            connection.close()
            raise
        return connection

    def listening(self) -> socket.socket:
        """A socket that listens there; one of a path is its owner's alone (mode 0600).

        Raises:
            OSError: it cannot, or another server listens there.
        """
        if self.path is not None:
            return _listening_at(self.path)
        found = socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        # A name such as localhost has several: the IPv4 address is taken if there is one.
        family, *_, where = min(found, key=lambda each: each[0] != socket.AF_INET)
        return socket.create_server(where[:2] if family == socket.AF_INET else where, family=family)


def listening_address(host: str, port: int | None = None) -> Address:
    """An address; without a port, `host` is its text: HOST:PORT, [::1]:6047, or unix:PATH.

    Raises:
        ValueError: it is none.
    """
    field, text = "address", host
    if host.startswith(_UNIX):
        path = os.fsencode(host.removeprefix(_UNIX))
        if port or b"\0" in path or not 0 < len(path) <= _LONGEST:
            allowed = f"unix: and a path of at most {_LONGEST} bytes, and no port"
            raise invalid(field, text, allowed)
        return Address(host)
    if port is None:
        host, colon, number = host.rpartition(":")
        digits = number.isascii() and number.isdigit() and len(number) < 6
        if not host or not colon or not digits or (":" in host and not _bracketed(host)):
            raise invalid(field, text, "HOST:PORT, [ADDRESS]:PORT for IPv6, or unix:PATH")
        port = int(number)
    if _bracketed(host):
        host = host[1:-1]
    if not _is_host(host):
        allowed = "the name or number of a machine; 0.0.0.0 or :: to listen to all of a network"
        raise invalid("host", host, allowed)
    if not 0 <= port < 65536:
        raise invalid("port", port, "0 to 65535")
    return Address(host, port)


def server_address(host: str, port: int | None = None) -> Address:
    """The same of a server that is to be connected to.

    Raises:
        ValueError: it is none, or has no port.
    """
    where = listening_address(host, port)
    if where.path is None and where.port == 0:
        raise invalid("port", 0, "1 to 65535")
    return where


def keep_alive(connection: socket.socket) -> None:
    """Send small messages at once, and find out within two minutes that the other end is gone."""
    if connection.family == _FAMILY:
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 6)):
        if hasattr(socket, name):  # not on every system
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def peer(connection: socket.socket) -> str:
    """Who is at the other end: an address; of a Unix socket the process and its user, if known."""
    if connection.family != _FAMILY:
        return str(Address(*connection.getpeername()[:2]))
    if not hasattr(socket, "SO_PEERCRED"):
        return "unix"
    form = "3i"
    said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(form))
    process, user, _ = struct.unpack(form, said)
    return f"unix (process {process}, user {user})"


def _bracketed(host: str) -> bool:
    return host.startswith("[") and host.endswith("]")


def _is_host(host: str) -> bool:
    """Whether a name could be that of a machine."""
    if not host or any(c.isspace() or c in "[]/\0" for c in host):
        return False
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


def _listening_at(path: Path) -> socket.socket:
    """A Unix socket that listens; what a server that died left there is replaced."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(None, "there is a file of another kind", str(path))
        if _answers(path):
            raise FileExistsError(None, "another server listens there", str(path))
        path.unlink()
    listening = _unix_socket()
    try:
        listening.bind(str(path))
        os.chmod(path, 0o600)  # before it listens: nobody is let in until then
        listening.listen()
    except BaseException:
        listening.close()
        raise
    return listening


def _answers(path: Path) -> bool:
    """Whether a server listens at a Unix socket."""
    with _unix_socket() as trial:
        trial.settimeout(1.0)
        try:
            trial.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:  # busy, or not ours to ask
            return True
    return True


def _unix_socket() -> socket.socket:
    if _FAMILY is None:
        raise OSError("this system has no Unix sockets")
    return socket.socket(_FAMILY)
