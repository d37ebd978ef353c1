"""Requests: what they may hold is looked at before it is read, and nothing they hold is a crash."""

import pytest
import torch

import mho
from builders.instruments import chip
from mho.instruments import protocol
from mho.instruments.protocol import MAX_LINE, parse
from mho.instruments.requests import carried_out

PULSED = mho.cells.PulseResponse(g_min=10e-6, g_max=90e-6, levels=9, pulses=16)
LARGE = 2**31 - 1


def said(text: str, **made: int) -> str:
    return carried_out(chip(PULSED, tile=(16, 12), arrays=8), parse(f"1 {text}"))


@pytest.mark.parametrize("rows", [1, 2, 15, 16, 32, 48, 128, 256])
@pytest.mark.parametrize("arrays", [0, 1, 2**16, 2**28, 2**30, LARGE])
@pytest.mark.parametrize("vectors", [0, 1, 2**30, 2**28, 2**20, LARGE])
def test_a_read_of_any_size_is_refused_or_answered(rows: int, arrays: int, vectors: int) -> None:
    """Products of sizes that are 0 modulo 2^64 among them."""
    instrument = chip(PULSED, tile=(rows, 3), arrays=2)
    for block in ("f:", "F:", "f:" + ",".join(["0"] * rows)):
        answer = carried_out(instrument, parse(f"1 read 0 {arrays} {vectors} {block}"))
        good = arrays == vectors == 1 and len(block) > 2
        assert answer.startswith("ok f:" if good else "error refused")


@pytest.mark.parametrize(
    "text",
    [
        "program i:" + ",".join(["0"] * 3 * 65537) + " f:1e-5",
        "program I:" + "AAAA" * 65540 * 4 + " f:1e-5",
        "pulse i:" + "," * (3 * 65536 + 2) + " i:1",
        "pulse i:0,0,0 i:" + ",".join(["1"] * 100_000),
        "read 0 1 1 f:" + ",".join(["0"] * 100_000),
        "read 0 8 1024 f:0",
        "read 0 9 1 f:" + ",".join(["0"] * 144),
    ],
)
def test_the_limit_is_looked_at_before_the_numbers(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(body: str, kind: str) -> None:
        raise AssertionError(f"{len(body)} characters were read")

    whole = protocol._read_decimal

    def at_most_a_few(body: str, kind: str):
        return whole(body, kind) if len(body) < 20 else read(body, kind)

    monkeypatch.setattr(protocol, "_read_decimal", at_most_a_few)
    monkeypatch.setattr(protocol.base64, "b64decode", read)
    assert said(text).startswith("error refused")


def test_an_answer_is_no_longer_than_a_line() -> None:
    wide = chip(PULSED, tile=(1, 2**13), arrays=1)
    volts = ",".join(["0"] * 1024)
    answer = carried_out(wide, parse(f"1 read 0 1 1024 f:{volts}"))
    assert (
        answer
        == f"error refused expected fewer vectors: the answer is a line of at most {MAX_LINE} bytes"
    )
    few = ",".join(["0"] * 400)
    assert carried_out(wide, parse(f"1 read 0 1 400 f:{few}")).startswith("ok f:")


@pytest.mark.parametrize("count", [2**31 - 1, -(2**31), -(2**31) + 1])
def test_more_pulses_than_are_counted_are_refused(count: int) -> None:
    instrument = chip(PULSED)
    where = torch.zeros(1, 3, dtype=torch.int32)
    instrument.pulse(where, torch.tensor([5], dtype=torch.int32))
    before = instrument.crossbar.conductance.clone()
    answer = carried_out(instrument, parse(f"1 pulse i:0,0,0 i:{count}"))
    assert answer.startswith("error refused pulse: a cell has taken 5 pulses")
    assert torch.equal(instrument.crossbar.conductance, before)
    assert instrument.report() == (1, 0, 5, 0, 0)


@pytest.mark.parametrize(
    "text",
    ["read 0 1 1 f:1e300", "read 0 1 1 f:" + ",".join(["nan"] * 16), "pulse i:0,0,0 i:1_0",
     "pulse i:0,0,0 i:٣", "pulse i:0,0,0 i: 1", "pulse i:0,0,0 i:99999999999", "pulse I:AAA= i:1",
     "read 0 1 1 f:" + ",".join(["1e300"] * 16), "pulse i:0,0,0 i:" + "1" * 5000, "read 0 1 1 F:A",
     "read x 1 1 f:0", "read 0 1 1_0 f:0", "pulse i:0,0,0 f:1", "pulse i:0,0,0,0 i:1", "describe 1",
     "program i:0,0,0 f:inf", "program i:0,0,0 f:nan", "pulse i:0,0,0,0,0,0 i:1,1", "é",
     "read 0 1 1 " + "f:0 " * 300]
)  # fmt: skip
def test_what_cannot_be_done_is_refused_in_a_line(text: str) -> None:
    try:
        answer = said(text)
    except protocol.Garbled:
        return
    assert answer.startswith("error refused")
    assert "\n" not in answer
    assert len(answer) < 1100


@pytest.mark.parametrize("error", [RuntimeError("no\nvacuum"), KeyError("x"), MemoryError()])
def test_an_instrument_that_breaks_is_no_reason_to_leave_the_host_without_an_answer(
    error: Exception,
) -> None:
    instrument = chip()

    def broken() -> None:
        raise error

    instrument.report = broken  # type: ignore[method-assign]
    answer = carried_out(instrument, parse("1 report"))
    assert answer.startswith(f"error failed {type(error).__name__}: ")
    assert "\n" not in answer
