"""The server: what it says is what the document says; it ends clean, and nothing else ends it."""

import errno
import re
import socket
import threading
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import mho
from builders.instruments import PATIENT, chip, serving
from mho.instruments import InstrumentServer, RemoteInstrument

DOCUMENT = resources.files("mho.instruments") / "protocol.md"
CELL = mho.cells.PulseResponse(g_min=10e-6, g_max=90e-6, levels=9, pulses=16)


def test_the_transcript_is_what_the_server_says() -> None:
    (block,) = re.findall(r"```\n(S: .*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.split(": ", 1) for line in block.splitlines()]
    assert len(lines) > 15
    with (
        serving(chip(CELL, tile=(2, 3), arrays=2)) as server,
        closing(socket.create_connection(server.address, 5)) as connection,
        connection.makefile("rw", newline="\n") as both,
    ):
        for who, text in lines:
            if who == "C":
                both.write(f"{text}\n")
                both.flush()
            else:
                assert both.readline() == f"{text}\n"


class Scarce:
    """A listening socket whose `accept` fails a few times."""

    def __init__(self, listening: socket.socket, failures: list[int]) -> None:
        self._listening, self._failures = listening, failures

    def accept(self) -> Any:
        if self._failures:
            code = self._failures.pop(0)
            raise OSError(code, "said so")
        return self._listening.accept()

    def close(self) -> None:
        self._listening.close()


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EPERM,
                                  errno.ECONNABORTED, errno.EAGAIN])  # fmt: skip
def test_a_connection_that_cannot_be_taken_ends_nothing(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mho.instruments.server.PAUSE", 0.001)
    told: list[str] = []
    server = InstrumentServer(chip(), told=told.append)
    server._listening = Scarce(server._listening, [code] * 5)  # type: ignore[assignment]
    thread = threading.Thread(target=server.serve)
    with server:
        thread.start()
        with RemoteInstrument(*server.address, PATIENT) as instrument:
            assert instrument.report().changes == 0
            assert instrument.repeats == 0
    thread.join()
    waits = [line for line in told if "have to wait" in line]
    assert len(waits) == (code not in (errno.ECONNABORTED, errno.EAGAIN))


def test_no_more_threads_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    start, failures = threading.Thread.start, [1]

    def scarce(self: threading.Thread) -> None:
        if failures and getattr(self, "_target", None) == server._converse:
            failures.pop()
            raise RuntimeError("can't start new thread")
        start(self)

    with serving(chip()) as server:
        monkeypatch.setattr(threading.Thread, "start", scarce)
        with RemoteInstrument(*server.address, PATIENT) as instrument:
            assert instrument.report().changes == 0
            assert instrument.repeats == 1


def test_closing_ends_all_threads_and_frees_the_port_and_the_file(tmp_path: Path) -> None:
    before = threading.active_count()
    with serving(chip(), state=tmp_path / "chip.pt") as server:
        address = server.address
        hosts = [socket.create_connection(address, 5) for _ in range(3)]
        with RemoteInstrument(*address, PATIENT) as instrument:
            instrument.report()
            server.close()
            server.close()
            assert threading.active_count() <= before + 1
        for host in hosts:
            with host:
                host.recv(100)
    with serving(chip(), state=tmp_path / "chip.pt", port=address.port) as server:
        assert server.address == address


def test_closed_before_it_served() -> None:
    server = InstrumentServer(chip())
    server.close()
    server.serve()
