"""One connection: who is let in, who is turned away, how long the server waits, what it says."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from builders.instruments import PATIENT, QUICK, chip, remote, serving
from mho.instruments import (
    Access,
    InstrumentError,
    InstrumentLost,
    InstrumentRefused,
    RemoteInstrument,
    release,
)


@contextmanager
def spoken_to(server: Any) -> Iterator[Any]:
    """A connection as a file, after the greeting."""
    with (
        socket.create_connection(server.address, 20) as connection,
        connection.makefile("rw", newline="\n") as both,
    ):
        assert both.readline() == "mho-chip 1\n"
        yield both


def said(both: Any, text: str) -> str:
    both.write(f"{text}\n")
    both.flush()
    return both.readline().rstrip("\n")


# ------------------------------------------------------------------ the token


def test_those_who_know_the_token_are_let_in() -> None:
    with serving(chip(), token="open-sesame") as server, spoken_to(server) as both:
        assert said(both, "open 5f3a open-sesame") == "ok 0"
        assert said(both, "1 report").startswith("1 ok")
        release(*server.address, token="open-sesame")
        with RemoteInstrument(*server.address, PATIENT, token="open-sesame") as instrument:
            assert instrument.report().changes == 0


@pytest.mark.parametrize(
    "first",
    ["open 5f3a", "open 5f3a wrong", "open 5f3a open-sesam", "open 5f3a open-sesame2", "release",
     "release wrong", "open 5f3a OPEN-SESAME", "open 5f3a "],
)  # fmt: skip
def test_all_others_are_turned_away_and_change_nothing(first: str) -> None:
    told: list[str] = []
    with (
        serving(chip(), token="open-sesame", told=told.append) as server,
        RemoteInstrument(*server.address, PATIENT, token="open-sesame") as instrument,
    ):
        instrument.describe()
        with spoken_to(server) as both:
            assert said(both, first).startswith("error token: ")
            assert both.readline() == ""
        assert instrument.report().changes == 0
        assert instrument.repeats == 0
    assert sum("turned away" in line for line in told) == 1
    assert "sesam" not in " ".join(told)


def test_a_client_without_the_token_is_told_at_once() -> None:
    with serving(chip(), token="open-sesame") as server:
        for token, why in ((None, "none was given"), ("wrong", "another one than was given")):
            with (
                RemoteInstrument(*server.address, PATIENT, token=token) as instrument,
                pytest.raises(InstrumentRefused, match=f"asks for a token: {why}"),
            ):
                instrument.describe()
            assert instrument.repeats == 0
            with pytest.raises(InstrumentRefused, match=f"asks for a token: {why}"):
                release(*server.address, token=token)


def test_a_token_that_nobody_asked_for_does_no_harm() -> None:
    with (
        serving(chip()) as server,
        RemoteInstrument(*server.address, PATIENT, token="open-sesame") as instrument,
    ):
        assert instrument.report().changes == 0


def test_a_token_is_one_word() -> None:
    for token in ("", "two words", "x" * 257, "schlüssel"):
        with pytest.raises(ValueError, match="token = "):
            RemoteInstrument("a", 1, token=token)
        with pytest.raises(ValueError, match="token = "), serving(chip(), token=token):
            pass


# ------------------------------------------------------------------ release


def test_a_stuck_host_is_released_and_finds_out() -> None:
    told: list[str] = []
    with (
        serving(chip(), told=told.append) as server,
        RemoteInstrument(*server.address, QUICK.replace(backoff=0.05)) as stuck,
        RemoteInstrument(*server.address, PATIENT) as other,
    ):
        stuck.describe()
        release(*server.address)
        assert other.report().changes == 0
        with pytest.raises(InstrumentLost, match="busy"):
            stuck.report()
        other.close()
        with pytest.raises(InstrumentError, match="released by an operator"):
            stuck.report()
        release(*server.address)
    assert sum("released the chip from session" in line for line in told) == 2


def test_nobody_to_be_released_and_nobody_to_ask() -> None:
    with serving(chip()) as server:
        address = server.address
        release(*address)
        with spoken_to(server) as both:
            assert said(both, "release") == "ok"
            assert both.readline() == ""
    with pytest.raises(InstrumentLost, match=f"127.0.0.1:{address.port}: "):
        release(*address)


def test_release_keeps_that_in_the_file(tmp_path: Path) -> None:
    state = tmp_path / "chip.pt"
    with serving(chip(), state=state) as server:
        port = server.address.port
        stuck = RemoteInstrument(*server.address, QUICK)
        stuck.report()
        release(*server.address)
    with (
        stuck,
        serving(chip(), state=state, port=port),
        pytest.raises(InstrumentError, match="released by an operator"),
    ):
        stuck.report()


# ------------------------------------------------------------------ time and number


def test_a_connection_that_says_nothing_is_closed_soon_and_one_that_has_a_session_is_not() -> None:
    access = Access(opening=0.2, idle=60.0)
    with serving(chip(), access=access) as server, spoken_to(server) as host:
        assert said(host, "open 5f3a") == "ok 0"
        for sent in ("", "op", "x"):
            with spoken_to(server) as both:
                both.write(sent)
                both.flush()
                assert both.read() == ""
        assert said(host, "1 report").startswith("1 ok")


def test_a_session_that_is_silent_is_closed() -> None:
    told: list[str] = []
    with (
        serving(chip(), access=Access(idle=0.2), told=told.append) as server,
        spoken_to(server) as both,
    ):
        assert said(both, "open 5f3a") == "ok 0"
        assert both.readline() == ""
    assert any("was silent for too long" in line for line in told)


def test_many_connections_make_room_for_new_ones_and_never_for_the_host() -> None:
    with (
        serving(chip(), access=Access(connections=3)) as server,
        spoken_to(server) as host,
    ):
        assert said(host, "open 5f3a") == "ok 0"
        silent = [socket.create_connection(server.address, 20) for _ in range(12)]
        for connection in silent[:-3]:
            with connection, connection.makefile("r") as lines:
                lines.read()  # to its end: it was closed
        assert said(host, "1 report").startswith("1 ok")
        assert len(server._threads) <= 4
        for connection in silent[-3:]:
            connection.close()
        with (
            RemoteInstrument(*server.address, QUICK) as other,
            pytest.raises(InstrumentLost, match="busy"),
        ):
            other.report()


# ------------------------------------------------------------------ strangers


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"GET / HTTP/1.1\n", b"error expected 'open'"),
        (b"\n", b"error expected 'open'"),
        (b"open\n", b"error expected 'open'"),
        (b"open \n", b"error expected 'open'"),
        (b"open a b c\n", b"error expected 'open'"),
        (b"open \xff\n", b"error expected 'open'"),
        (b"open " + b"x" * 129 + b"\n", b"error expected 'open'"),
        (b"release a b\n", b"error expected 'open'"),
        (b"x" * 394, b"0 error refused expected a line of at most"),
        (b"\0" * 9 + b"\n", b"error expected 'open'"),
        (b"open me\nreport\n", b"0 error refused expected a line of an id"),
        (b"open me\n\n", b"0 error refused expected a line of an id"),
        (b"open me\n1 measure\n", b"1 error refused expected one of describe"),
        (b"open me\n2 read 0 1\n", b"2 error refused expected 4 words after read"),
        (b"open me\n3 read 0 1 1 f:1,2\n", b"3 error refused expected a block of 1 x 1 x 16"),
        (b"open me\n4 read 0 -1 1 f:\n", b"4 error refused expected counts of 0 or more"),
        (
            b"open me\n5 " + b"read " * 300 + b"\n",
            b"0 error refused expected a line of at most 256",
        ),
        (b"open me\n" + b"9" * 30 + b" report\n", b"0 error refused expected a line of an id"),
        (b"open me\n1 report\n2 rep", b"1 ok changes=0"),
        (b"open me\r\n1 report\r\n", b"1 ok changes=0"),
    ],
)
def test_strangers_are_told_what_is_expected(sent: bytes, answer: bytes) -> None:
    with serving(chip()) as server, socket.create_connection(server.address, 20) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as lines:
            assert answer in lines.read()


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.instruments.conversation.MAX_LINE", 1 << 12)
    with serving(chip()) as server, spoken_to(server) as both:
        assert said(both, "open me") == "ok 0"
        assert said(both, "1 read 0 1 1 f:" + "0," * 3000).startswith("0 error refused expected")
        with spoken_to(server) as again:
            assert said(again, "open you") == "ok 0"


# ------------------------------------------------------------------ the log


def test_who_came_and_who_left_is_told() -> None:
    told: list[str] = []
    with serving(chip(), told=told.append) as server:
        with spoken_to(server) as both:
            said(both, "open 5f3a")
            said(both, "1 report")
        deadline = time.monotonic() + 600.0
        while server.holder.connection is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        with spoken_to(server) as both:
            said(both, "open 5f3a")
            with spoken_to(server) as other:
                assert said(other, "open 77") == "error busy: another host uses the chip"
    assert len(told) == 5
    for line, what in zip(
        told,
        ["session 5f3a has taken the chip", "session 5f3a has left", "session 5f3a goes on",
         "turned away: another host uses the chip", "session 5f3a has left"],
        strict=True,
    ):  # fmt: skip
        assert line.startswith("127.0.0.1:")
        assert line.endswith(what)


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    def told(_line: str) -> None:
        raise BrokenPipeError

    with (
        serving(chip(), told=told) as server,
        RemoteInstrument(*server.address, PATIENT) as instrument,
    ):
        assert instrument.report().changes == 0
    with remote() as (instrument, _):
        assert instrument.report().changes == 0
