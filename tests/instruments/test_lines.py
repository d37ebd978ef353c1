"""Lines of a connection: whole ones, of a bounded length, in time."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from mho.instruments.lines import Lines
from mho.instruments.protocol import Garbled


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Lines]]:
    here, there = socket.socketpair()
    with here, there:
        there.settimeout(600.0)
        yield here, Lines(there)


def test_lines_come_one_by_one_however_they_are_cut(pair: tuple[socket.socket, Lines]) -> None:
    here, lines = pair
    here.sendall(b"one\r\ntwo\n\nthr")
    assert [lines.receive(10) for _ in range(3)] == ["one", "two", ""]
    here.sendall(b"ee\n")
    assert lines.receive(10) == "three"
    here.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionError):
        lines.receive(10)


def test_half_a_line_is_none(pair: tuple[socket.socket, Lines]) -> None:
    here, lines = pair
    here.sendall(b"1 rep")
    here.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionError):
        lines.receive(10)


@pytest.mark.parametrize("sent", [b"x" * 11 + b"\n", b"x" * 11, b"x" * 5000])
def test_a_line_that_is_too_long_is_not_read_to_its_end(
    sent: bytes, pair: tuple[socket.socket, Lines]
) -> None:
    here, lines = pair
    here.sendall(sent)
    with pytest.raises(Garbled, match="at most 10 bytes"):
        lines.receive(10)


def test_the_longest_line(pair: tuple[socket.socket, Lines]) -> None:
    here, lines = pair
    here.sendall(b"x" * 10 + b"\n")
    assert lines.receive(10) == "x" * 10


def test_what_is_no_ascii_is_a_question(pair: tuple[socket.socket, Lines]) -> None:
    here, lines = pair
    here.sendall("ä\n".encode())
    assert lines.receive(10) == "\ufffd\ufffd"
    lines.send("ä")
    assert here.recv(10) == b"?\n"


def test_a_line_that_comes_byte_by_byte_is_no_reason_to_wait_for_ever(
    pair: tuple[socket.socket, Lines],
) -> None:
    here, lines = pair
    done = threading.Event()

    def drip() -> None:
        while not done.wait(0.02):
            here.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        lines.receive(1000, within=0.2)
    assert time.monotonic() - begin < 5.0
    done.set()
    thread.join()
