"""Who holds the chip: requests are carried out once, and what cannot be kept has not happened."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

import mho
from builders.instruments import chip
from mho.instruments.session import Busy, Holder
from mho.instruments.state_file import StateFile

PULSED = mho.cells.PulseResponse(
    g_min=10e-6, g_max=90e-6, levels=9, pulses=64, cycle_spread=0.3, read_noise=0.01
)
CHANGING = {
    "pulse": "pulse i:1,0,1,0,0,0 i:7,3",
    "program": "program i:0,0,0,1,2,1 f:9e-05,5e-05",
    "read": "read 0 1 1 f:0.2,0.1,0.1,0.1",
    "report": "report",
}


@pytest.fixture
def connection() -> Any:
    here, there = socket.socketpair()
    with here, there:
        yield there


def everything(holder: Holder) -> dict[str, Any]:
    instrument = holder.instrument
    state = instrument.state_dict()  # type: ignore[attr-defined]
    cells = {name: value.tolist() for name, value in state["cells"].items()}
    return {**state, "cells": cells, "report": instrument.report()}


def served(path: Path | None = None) -> Holder:
    instrument = chip(PULSED, tile=(4, 3), arrays=2)
    return Holder(instrument, None if path is None else StateFile(path, instrument))


@pytest.mark.parametrize("verb", CHANGING)
@pytest.mark.parametrize("before", [0, 1, 3])
def test_what_cannot_be_kept_has_not_happened(
    verb: str, before: int, tmp_path: Path, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails in keeping it: the answer is an error, the chip is where it was, and the same
    request, made again once there is room, is carried out once."""
    holder, untroubled = served(tmp_path / "a.pt"), served(tmp_path / "b.pt")
    for each in (holder, untroubled):
        each.open("me", connection)
        for number in range(1, before + 1):
            each.answer("me", f"{number} {list(CHANGING.values())[number % 3]}")
    state, request = everything(holder), f"{before + 1} {CHANGING[verb]}"
    kept = {file.name: file.read_bytes() for file in tmp_path.glob("a.pt*")}
    for error in (OSError(28, "No space left on device"), RuntimeError("torch"), MemoryError()):
        with monkeypatch.context() as patch:
            for name in ("write_archive", "write_json"):
                patch.setattr(f"mho.instruments.state_file.{name}", _raising(error))
            for _ in range(2):
                answer = holder.answer("me", request)
                assert answer.startswith(f"{before + 1} error failed nothing was done")
                assert everything(holder) == state
    assert {file.name: file.read_bytes() for file in tmp_path.glob("a.pt*")} == kept
    for _ in range(2):
        assert holder.answer("me", request) == untroubled.answer("me", request)
    assert everything(holder) == everything(untroubled)
    holder.close()
    again = served(tmp_path / "a.pt")
    assert everything(again) == everything(untroubled)
    assert again.open("me", connection) == before + 1
    assert again.answer("me", request) == untroubled.answer("me", request)


def _raising(error: Exception) -> Any:
    def fail(*_given: object, **_named: object) -> None:
        raise error

    return fail


def test_a_reply_is_remembered_after_it_is_kept(tmp_path: Path, connection: Any) -> None:
    holder = served(tmp_path / "chip.pt")
    holder.open("me", connection)
    state = holder._state
    assert state is not None
    seen, save = [], state.save

    def watched(session: Any, *, changed: bool) -> None:
        seen.append((session.last, holder._session.last))
        save(session, changed=changed)

    state.save = watched  # type: ignore[method-assign]
    for number, verb in enumerate(CHANGING, 1):
        holder.answer("me", f"{number} {CHANGING[verb]}")
    assert seen == [(1, 0), (2, 1), (3, 2), (4, 3)]


@pytest.mark.parametrize("text", ["0 report", "0 pulse i:0,0,0 i:1"])
def test_requests_have_numbers_from_1(text: str, connection: Any) -> None:
    holder = served()
    holder.open("me", connection)
    for _ in range(2):
        assert holder.answer("me", text) == "0 error refused expected an id of 1 or more"
    assert holder.instrument.report().changes == 0


def test_a_request_of_nobody_or_of_another_is_refused(connection: Any) -> None:
    holder = served()
    holder.open("me", connection)
    for name in ("", "you"):
        assert holder.answer(name, "1 report").startswith("1 error refused another host")


def test_a_host_that_is_gone_makes_room_and_one_that_is_there_does_not(connection: Any) -> None:
    holder = served()
    assert holder.open("me", connection) == 0
    assert holder.answer("me", "4 report").startswith("4 ok")
    other = object()
    with pytest.raises(Busy, match="another host"):
        holder.open("you", other)  # type: ignore[arg-type]
    holder.leave(other)  # type: ignore[arg-type]  # it never had it
    assert holder.connection is connection
    assert holder.open("me", connection) == 4
    holder.leave(connection)
    assert holder.open("you", connection) == 0
    assert holder.open("you", connection) == 0
    holder.leave(connection)
    assert holder.open("me", connection) == 0  # forgotten


def test_released_is_forgotten_and_stays_so(tmp_path: Path, connection: Any) -> None:
    holder = served(tmp_path / "chip.pt")
    holder.open("me", connection)
    holder.answer("me", f"1 {CHANGING['pulse']}")
    assert holder.release() == "me"
    assert holder.connection is None
    assert holder.answer("me", f"2 {CHANGING['pulse']}").startswith("2 error refused")
    holder.close()
    again = served(tmp_path / "chip.pt")
    assert again.session == ""
    assert again.release() == ""
    assert again.open("me", connection) == 0
    assert again.instrument.report().changes == 1


def test_what_takes_long_holds_up_neither_another_host_nor_a_release(
    connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mho.instruments.session.PATIENCE", 0.01)
    holder = served()
    holder.open("me", connection)
    holder.answer("me", "1 report")
    began, go_on, answers = threading.Event(), threading.Event(), []
    report = holder.instrument.report

    def slow() -> Any:
        began.set()
        assert go_on.wait(600.0)
        return report()

    holder.instrument.report = slow  # type: ignore[method-assign]
    thread = threading.Thread(target=lambda: answers.append(holder.answer("me", "2 report")))
    thread.start()
    assert began.wait(600.0)
    with pytest.raises(Busy, match="another host"):
        holder.open("you", connection)
    with pytest.raises(Busy, match="still being carried out"):
        holder.release()
    assert holder.open("me", connection) == 1  # may ask again, and is answered once it is done
    holder.leave(connection)
    with pytest.raises(Busy, match="still being carried out"):
        holder.open("you", connection)
    assert holder.connection is None
    go_on.set()
    thread.join()
    assert holder.open("you", connection) == 0
    assert answers[0].startswith("2 ok")
