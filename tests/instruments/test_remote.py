"""Over the socket: the same numbers as in process, whatever befalls the connection."""

import socket
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

import mho
from builders.instruments import CELL, QUICK, chip, remote, serving
from mho.instruments import (
    Instrument,
    InstrumentError,
    InstrumentLost,
    InstrumentRefused,
    RemoteInstrument,
)
from mho.instruments.state_file import StateFile

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
        with pytest.raises(InstrumentRefused, match=r"program: cell = \(9, 0, 0\): allowed"):
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


def test_strangers_are_told_what_is_expected() -> None:
    with serving(chip()) as server:
        for sent, said in (
            (b"GET / HTTP/1.1\n", b"error expected 'open'"),
            (b"open me\nreport\n", b"0 error refused expected a line of an id"),
            (b"open me\n1 measure\n", b"1 error refused expected one of describe"),
            (b"open me\n2 read 0 1\n", b"2 error refused expected 4 words after read"),
            (b"open me\n3 read 0 1 1 f:1,2\n", b"3 error refused expected a block of 1 x 1 x 16"),
            (b"open me\n4 read 0 -1 1 f:\n", b"4 error refused expected counts of 0 or more"),
        ):
            with closing(socket.create_connection(server.address, 5)) as connection:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                with connection.makefile("rb") as lines:
                    assert said in lines.read()


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


def test_a_state_of_another_chip_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "chip.pt"
    StateFile(state, chip()).save(("me", 1, "1 ok"), changed=True)
    with pytest.raises(ValueError, match="one made with the same settings"):
        StateFile(state, chip(CELL.replace(levels=9))).load()


def test_a_damaged_state_is_refused_in_a_line_that_says_how(tmp_path: Path) -> None:
    state = tmp_path / "chip.pt"
    StateFile(state, chip()).save(("me", 1, "1 ok"), changed=True)
    whole = state.read_bytes()

    def said(path: Path) -> str:
        with pytest.raises(ValueError, match="state = ") as refusal:
            StateFile(state, chip()).load()
        start, end = f"state = {str(path)!r}: allowed is the state of this chip (", ")"
        text = str(refusal.value)
        assert text.startswith(start)
        assert text.endswith(end)
        return text.removeprefix(start).removesuffix(end)

    for held, why in (
        (b"", "it is empty"),
        (b"no file of ours", "it was not written by torch.save"),
        (whole[: len(whole) // 2], "its end is missing"),
    ):
        state.write_bytes(held)
        assert said(state) == why
    for value, why in (
        ([1], "its layout is not version 1"),
        ({"format": 1, "serial": 1}, "parts of it are missing or of another kind"),
        ({"chip": chip()}, "it is damaged, or holds more than tensors and plain values"),
    ):
        torch.save(value, state)
        assert said(state) == why
    state.write_bytes(whole)
    reads = tmp_path / "chip.pt.reads"
    reads.write_text('{"serial": 1, "vec')
    assert said(reads) == "it is damaged"


def test_reads_of_an_older_file_do_not_count(tmp_path: Path) -> None:
    """The server may die between the file of the cells and that of the reads."""
    state = tmp_path / "chip.pt"
    instrument = chip()
    store = StateFile(state, instrument)
    store.save(("me", 1, "1 ok"), changed=True)
    instrument.read(0, torch.zeros(5, 1, 16))
    store.save(("me", 2, "2 ok"), changed=False)
    old = (tmp_path / "chip.pt.reads").read_bytes()
    again = chip()
    assert StateFile(state, again).load() == ("me", 2, "2 ok")
    assert again.vectors == 5
    store.save(("me", 3, "3 ok"), changed=True)
    (tmp_path / "chip.pt.reads").write_bytes(old)
    assert StateFile(state, again).load() == ("me", 3, "3 ok")
    assert again.vectors == 5
