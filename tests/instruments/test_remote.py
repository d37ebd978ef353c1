"""Over the socket: the same numbers as in process, whatever befalls the connection."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import torch

import mho
from builders.instruments import QUICK, chip, remote, serving
from mho.instruments import (
    Instrument,
    InstrumentError,
    InstrumentLost,
    InstrumentRefused,
    RemoteInstrument,
)

PULSED = mho.cells.PulseResponse(
    g_min=10e-6, g_max=90e-6, levels=9, pulses=64, cycle_spread=0.3, read_noise=0.01
)
WHERE = torch.tensor([[0, 0, 0], [1, 2, 5], [7, 15, 11]], dtype=torch.int32)


def story(instrument: Instrument) -> list[Any]:
    """A little of everything; a chip of the same seed tells the same."""
    about = instrument.describe()
    levels = torch.linspace(about.low, about.high, about.levels)
    generator = torch.Generator().manual_seed(1)
    volts = torch.rand(3, 2, about.rows, generator=generator) * about.volts
    told: list[Any] = [about, *instrument.program(WHERE, levels[[8, 3, 0]])]
    told.append(instrument.read(0, volts))
    instrument.pulse(WHERE[:2], torch.tensor([5, -3], dtype=torch.int32))
    told += [*instrument.program(WHERE[1:], levels[[1, 8]]), instrument.read(6, volts)]
    return [*told, instrument.report()]


def same(one: list[Any], other: list[Any]) -> bool:
    return all(
        a.equal(b) if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("plain", [False, True])
def test_the_socket_changes_no_number(plain: bool) -> None:
    with remote(cell=PULSED, plain=plain) as (instrument, _):
        assert same(story(instrument), story(chip(PULSED)))
        assert instrument.repeats == 0


@pytest.mark.parametrize("after", range(6))
@pytest.mark.parametrize("fault", ["deaf", "cut", "noise", "wrong", "short"])
def test_a_request_is_carried_out_once(fault: str, after: int) -> None:
    with remote([*[""] * after, fault], cell=PULSED) as (instrument, server):
        assert same(story(instrument), story(chip(PULSED)))
        # The answer to a pulse has no numbers that could be too few.
        assert instrument.repeats == (fault != "short" or after != 3)
        assert server.carried_out == 7
        assert not server.faults


def test_an_answer_that_does_not_come_in_time_is_asked_for_again() -> None:
    said: list[str] = []
    with serving(chip(PULSED), faults=["", "mute", "", "mute"]) as server:
        with RemoteInstrument(*server.address, QUICK, told=said.append) as instrument:
            assert same(story(instrument), story(chip(PULSED)))
        assert server.carried_out == 7
    assert len(said) == 2
    assert "no answer in time; repeating 'program'" in said[0]


def test_limits_end_the_repetitions_and_the_next_request_goes_on() -> None:
    with remote(["noise"] * QUICK.attempts) as (instrument, _):
        with pytest.raises(InstrumentLost, match=r"given up after 4 attempts at 'report'"):
            instrument.report()
        assert instrument.report().changes == 0


def test_nobody_there() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    with (
        RemoteInstrument("127.0.0.1", port, QUICK) as instrument,
        pytest.raises(InstrumentLost, match=f"127.0.0.1:{port}: .*given up after 4 attempts"),
    ):
        instrument.describe()


def test_what_the_chip_refuses_is_not_repeated() -> None:
    with remote() as (instrument, server):
        with pytest.raises(InstrumentRefused, match=r"program: cell = \(9, 0, 0\): expected"):
            instrument.program(WHERE[:1] + 9 * torch.tensor([1, 0, 0]).int(), torch.tensor([5e-5]))
        with pytest.raises(InstrumentRefused, match="land afresh"):
            instrument.pulse(WHERE, torch.ones(3, dtype=torch.int32))
        assert instrument.report().changes == 0
        assert instrument.repeats == 0
        assert server.carried_out == 3


def test_an_instrument_that_fails_says_so() -> None:
    broken = chip()
    broken.report = lambda: (_ for _ in ()).throw(InstrumentError("no vacuum"))  # type: ignore[method-assign]
    with (
        serving(broken) as server,
        RemoteInstrument(*server.address, QUICK) as instrument,
        pytest.raises(InstrumentError, match="report: no vacuum"),
    ):
        instrument.report()


def test_one_host_at_a_time() -> None:
    with remote() as (first, server), RemoteInstrument(*server.address, QUICK) as second:
        first.describe()
        with pytest.raises(InstrumentLost, match=r"busy: another host uses the chip"):
            second.report()
        first.close()
        assert second.report().changes == 0
        second.close()
        with pytest.raises(InstrumentError, match=r"has forgotten request 1.*another host"):
            first.report()


def test_another_version_is_not_spoken_to() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def greet() -> None:
            with closing(listening.accept()[0]) as connection:
                connection.sendall(b"mho-chip 2\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with (
            RemoteInstrument(*listening.getsockname(), QUICK) as instrument,
            pytest.raises(InstrumentRefused, match="speaks 'mho-chip 2'"),
        ):
            instrument.describe()
        thread.join()


# ------------------------------------------------------------------ restarts


def test_a_server_started_again_goes_on_from_its_file(tmp_path: Path) -> None:
    state = tmp_path / "chip.pt"
    unbroken = chip(PULSED)
    with serving(chip(PULSED), state=state) as server:
        port = server.address[1]
        instrument = RemoteInstrument(*server.address, QUICK)
        assert same(story(instrument), story(unbroken))
    with instrument, serving(chip(PULSED), state=state, port=port):
        assert same(story(instrument), story(unbroken))


def test_what_a_server_did_before_it_died_is_not_done_twice(tmp_path: Path) -> None:
    """Its answers get lost, it is started again, and asked again under the same number."""
    state, limits = tmp_path / "chip.pt", QUICK.replace(attempts=40)
    faults = [*[""] * 4, *["cut"] * 4]
    with serving(chip(PULSED), state=state, faults=faults) as server:
        port = server.address[1]
        instrument, told = RemoteInstrument(*server.address, limits), []
        host = threading.Thread(target=lambda: told.extend(story(instrument)))
        host.start()
        while server.faults:
            time.sleep(0.005)
    with instrument, serving(chip(PULSED), state=state, port=port) as again:
        host.join()
        assert server.carried_out + again.carried_out == 7
    assert same(told, story(chip(PULSED)))


def test_a_server_started_anew_is_found_out() -> None:
    with serving(chip()) as server:
        port = server.address[1]
        instrument = RemoteInstrument(*server.address, QUICK)
        instrument.report()
    with (
        instrument,
        serving(chip(), port=port),
        pytest.raises(InstrumentError, match="has forgotten request 1"),
    ):
        instrument.report()


# ------------------------------------------------------------------ servers that answer nonsense

DESCRIBED = "arrays=8 rows=16 cols=12 low=1e-05 high=9e-05 levels=9 volts=0.2"


@pytest.mark.parametrize(
    ("answers", "call"),
    [
        ("ok", lambda i: i.report()),
        ("ok error", lambda i: i.report()),
        ("ok -1", lambda i: i.report()),
        ("ok ٣", lambda i: i.report()),
        ("nonsense", lambda i: i.report()),
        ("ok 0\n1 ok changes=-1 vectors=0 set_pulses=0 reset_pulses=0 verify_reads=0",
         lambda i: i.report()),
        ("ok 0\n1 ok changes=1", lambda i: i.report()),
        ("ok 0\n1 ok changes", lambda i: i.report()),
        ("ok 0\n1 ok f:-1e-5 i:1 i:1 i:0", lambda i: i.program(WHERE[:1], torch.ones(1))),
        ("ok 0\n1 ok f:inf i:1 i:1 i:0", lambda i: i.program(WHERE[:1], torch.ones(1))),
        ("ok 0\n1 ok f:1e-5 i:-1 i:1 i:0", lambda i: i.program(WHERE[:1], torch.ones(1))),
        ("ok 0\n1 ok f:1e-5 i:1 i:-1 i:0", lambda i: i.program(WHERE[:1], torch.ones(1))),
        ("ok 0\n1 ok f:1e-5 i:1 i:1", lambda i: i.program(WHERE[:1], torch.ones(1))),
        (f"ok 9\n1 ok {DESCRIBED}\n2 ok f:nan", lambda i: i.read(0, torch.zeros(1, 1, 16))),
        (f"ok 9\n1 ok {DESCRIBED}\n2 ok", lambda i: i.read(0, torch.zeros(1, 1, 16))),
        (f"ok 0\n1 ok {DESCRIBED.replace('rows=16', 'rows=-1')}", lambda i: i.describe()),
        (f"ok 0\n1 ok {DESCRIBED.replace('low=1e-05', 'low=nan')}", lambda i: i.describe()),
        ("ok 0\n1 ok rows=16", lambda i: i.describe()),
        ("ok 0\n1 ok " + "x=1 " * 300, lambda i: i.describe()),
    ],
)  # fmt: skip
def test_nonsense_is_no_answer_and_leaves_no_connection_open(
    answers: str, call: Callable[[RemoteInstrument], object]
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def answer() -> None:
            for _ in range(2):
                with closing(listening.accept()[0]) as connection, suppress(ConnectionError):
                    connection.sendall(f"mho-chip 1\n{answers}\n".encode("utf-8", "replace"))
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1 << 16):
                        pass

        thread = threading.Thread(target=answer)
        thread.start()
        limits = QUICK.replace(timeout=20.0, attempts=2)
        with (
            RemoteInstrument(*listening.getsockname(), limits) as instrument,
            pytest.raises(InstrumentLost, match="given up after 2 attempts"),
        ):
            call(instrument)
        thread.join(600.0)
        assert not thread.is_alive()


def test_a_request_that_is_longer_than_a_line_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.instruments.remote.MAX_LINE", 1000)
    with remote() as (instrument, server):
        assert instrument.report().changes == 0
        with pytest.raises(InstrumentRefused, match="at most 1000 bytes in a line"):
            instrument.read(0, torch.zeros(10, 8, 16))
        assert instrument.report().changes == 0
        assert instrument.repeats == 0
        assert server.carried_out == 3


@pytest.mark.parametrize("field", ["timeout", "backoff", "longest"])
def test_limits_are_times_that_a_computer_can_wait(field: str) -> None:
    for value in (-1.0, 1e300, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"Limits.{field}"):
            QUICK.replace(**{field: value})
