"""A chip kept in a file: what is no state of it is refused, and nothing is lost that was kept."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

import mho
from builders.instruments import CELL, chip, serving
from mho.errors import InvalidInput
from mho.files.archive import write_archive
from mho.instruments import InstrumentServer, SimulatedInstrument
from mho.instruments.state_file import StateFile

OF_TODAY = Path(__file__).parents[1] / "golden" / "chip-2026-11-28.pt"
PULSED = mho.cells.PulseResponse(
    g_min=10e-6, g_max=90e-6, levels=9, pulses=64, cycle_spread=0.3, read_noise=0.01,
    endurance=1e4, stuck_off=0.05,
)  # fmt: skip


def of_today() -> SimulatedInstrument:
    """A chip as the one in the file."""
    return chip(PULSED, tile=(4, 3), arrays=2)


def everything(instrument: SimulatedInstrument) -> dict[str, Any]:
    """All that a chip is, as plain values."""
    state = instrument.state_dict()
    cells = {name: value.tolist() for name, value in state["cells"].items()}
    return {**state, "cells": cells, "vectors": instrument.vectors}


def copied(folder: Path) -> Path:
    """The state of an earlier version, in a folder of its own."""
    for name in (OF_TODAY.name, f"{OF_TODAY.name}.reads"):
        shutil.copy(OF_TODAY.with_name(name), folder / name)
    return folder / OF_TODAY.name


def test_a_state_of_an_earlier_version_loads_and_goes_on(tmp_path: Path) -> None:
    path, instrument = copied(tmp_path), of_today()
    name, last, reply = StateFile(path, instrument).load() or ("", 0, "")
    assert (name, last) == ("5f3a", 5)
    assert reply == "5 ok " + " ".join(f"{k}={v}" for k, v in instrument.report()._asdict().items())
    assert instrument.report() == (2, 2, 104, 2, 6)
    assert instrument.crossbar.conductance[0, 0, 0, 0].item() == pytest.approx(8.95535923e-05)
    with serving(instrument, state=path) as server:
        assert server.holder.answer("5f3a", "5 report") == reply
        assert server.holder.answer("5f3a", "6 pulse i:0,0,1 i:3") == "6 ok"
    again = of_today()
    assert StateFile(path, again).load() == ("5f3a", 6, "6 ok")
    assert everything(again) == everything(instrument)


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no format": lambda s: s.pop("format"),
    "another format": lambda s: s.update(format=2),
    "format of another kind": lambda s: s.update(format=True),
    "no session": lambda s: s.pop("session"),
    "session of another kind": lambda s: s.update(session="5f3a"),
    "session too short": lambda s: s.update(session=["5f3a", 5]),
    "session of other kinds": lambda s: s.update(session=[5, "5f3a", None]),
    "last request below 0": lambda s: s.update(session=["5f3a", -1, "-1 ok"]),
    "last request a flag": lambda s: s.update(session=["5f3a", True, "1 ok"]),
    "last request too large": lambda s: s.update(session=["5f3a", 2**63, f"{2**63} ok"]),
    "another reply": lambda s: s.update(session=["5f3a", 5, "6 ok"]),
    "reply of two lines": lambda s: s.update(session=["5f3a", 5, "5 ok\n6 ok"]),
    "name of two words": lambda s: s.update(session=["5f 3a", 5, "5 ok"]),
    "no serial": lambda s: s.pop("serial"),
    "serial below 0": lambda s: s.update(serial=-1),
    "serial a tensor": lambda s: s.update(serial=torch.ones(2)),
    "no chip": lambda s: s.pop("chip"),
    "chip of another kind": lambda s: s.update(chip=[1]),
    "not made": lambda s: s["chip"].pop("made"),
    "made of another kind": lambda s: s["chip"].update(made=3),
    "made of nothing": lambda s: s["chip"].update(made=""),
    "made of nonsense": lambda s: s["chip"].update(made="[[[" * 999),
    "made with another seed": lambda s: s["chip"].update(
        made=s["chip"]["made"].replace("seed = 3", "seed = 4")
    ),
    "no changes": lambda s: s["chip"].pop("changes"),
    "changes below 0": lambda s: s["chip"].update(changes=-3),
    "changes of another kind": lambda s: s["chip"].update(changes=1.5),
    "no cells": lambda s: s["chip"].pop("cells"),
    "cells of another kind": lambda s: s["chip"].update(cells=torch.ones(3)),
    "scalars too few": lambda s: s["chip"]["cells"].update(_extra_state=torch.zeros(2).long()),
    "scalars of another kind": lambda s: s["chip"]["cells"].update(_extra_state=None),
    "vectors below 0": lambda s: s["chip"]["cells"]["_extra_state"].__setitem__(1, -1),
    "another seed": lambda s: s["chip"]["cells"]["_extra_state"].__setitem__(3, 7),
    "another chip": lambda s: s["chip"]["cells"]["_extra_state"].__setitem__(4, 1),
    "a cell more": lambda s: s["chip"]["cells"].update(more=torch.zeros(3)),
    "hardware of nonsense": lambda s: s["chip"]["cells"].update(
        hardware=torch.tensor([1, 2, 3], dtype=torch.uint8)
    ),
    "hardware of another kind": lambda s: s["chip"]["cells"].update(hardware="text"),
    "conductance of nan": lambda s: s["chip"]["cells"]["conductance"].fill_(torch.nan),
    "conductance of inf": lambda s: s["chip"]["cells"]["conductance"].fill_(torch.inf),
    "conductance below 0": lambda s: s["chip"]["cells"]["conductance"].fill_(-1e-6),
    "a level too many": lambda s: s["chip"]["cells"]["level"].fill_(9),
    "a level below none": lambda s: s["chip"]["cells"]["level"].fill_(-2),
    "a fault of no kind": lambda s: s["chip"]["cells"]["fault"].fill_(9),
    "pulses below 0": lambda s: s["chip"]["cells"]["pulses"].fill_(-1),
    "more SET pulses than pulses": lambda s: s["chip"]["cells"]["set_pulses"].fill_(1000),
}
BUFFERS = [name for name in of_today().state_dict()["cells"] if name not in ("_extra_state",)]
for buffer in BUFFERS:
    CHANGES |= {
        f"no {buffer}": lambda s, n=buffer: s["chip"]["cells"].pop(n),
        f"{buffer} of another size": lambda s, n=buffer: s["chip"]["cells"].update(
            {n: s["chip"]["cells"][n].new_zeros(3, 3, 3)}
        ),
        f"{buffer} of another type": lambda s, n=buffer: s["chip"]["cells"].update(
            {n: s["chip"]["cells"][n].to(torch.complex64)}
        ),
        f"{buffer} no tensor": lambda s, n=buffer: s["chip"]["cells"].update({n: [1, 2]}),
    }
for buffer in ("writes", "pulses", "misses", "set_pulses", "reads", "row_pulses", "row_reads"):
    if buffer in BUFFERS:
        CHANGES[f"{buffer} negative"] = lambda s, n=buffer: s["chip"]["cells"][n].fill_(-1)
for may_lack in ("no hardware", "no misses"):
    CHANGES.pop(may_lack, None)


@pytest.mark.parametrize("what", CHANGES)
def test_a_whole_archive_of_what_is_no_state_is_refused_before_the_chip_changes(
    what: str, tmp_path: Path
) -> None:
    path = tmp_path / "chip.pt"
    source = of_today()
    source.pulse(torch.tensor([[0, 0, 0]], dtype=torch.int32), torch.tensor([3], dtype=torch.int32))
    StateFile(path, source).save(("5f3a", 5, "5 ok"), changed=True)
    state = torch.load(path, weights_only=True)
    CHANGES[what](state)
    instrument = of_today()
    before = everything(instrument)
    for write in (write_archive, lambda path, state: torch.save(state, path)):
        write(path, state)
        with pytest.raises(ValueError, match="expected the state of this chip") as refusal:
            StateFile(path, instrument).load()
        assert str(refusal.value).startswith(f"state = {str(path)!r}: ")
        assert "\n" not in str(refusal.value)
        assert len(str(refusal.value)) < 400
        assert everything(instrument) == before


READS: dict[str, Any] = {
    "nothing": "",
    "half": '{"serial": 1, "vec',
    "a list": "[1]",
    "deep": "[" * 100_000,
    "a long number": '{"serial": 1, "vectors": ' + "1" * 5000 + ', "session": ["a", 1, "1 ok"]}',
    "no serial": {"vectors": 1, "session": ["a", 1, "1 ok"]},
    "no session": {"serial": 1, "vectors": 1},
    "a session of another kind": {"serial": 1, "vectors": 1, "session": "a"},
    "a short session": {"serial": 1, "vectors": 1, "session": ["a"]},
    "vectors below 0": {"serial": 1, "vectors": -1, "session": ["a", 1, "1 ok"]},
    "vectors of another kind": {"serial": 1, "vectors": "1", "session": ["a", 1, "1 ok"]},
    "vectors a flag": {"serial": 1, "vectors": True, "session": ["a", 1, "1 ok"]},
    "vectors too many": {"serial": 1, "vectors": 2**64, "session": ["a", 1, "1 ok"]},
    "a field more": {"serial": 1, "vectors": 1, "session": ["a", 1, "1 ok"], "dioest": "x"},
    "another digest": {"serial": 1, "vectors": 1, "session": ["a", 1, "1 ok"], "digest": "x"},
}


@pytest.mark.parametrize("what", READS)
def test_counts_of_reads_that_are_none_are_refused_before_the_chip_changes(
    what: str, tmp_path: Path
) -> None:
    path, given = tmp_path / "chip.pt", READS[what]
    StateFile(path, of_today()).save(("a", 1, "1 ok"), changed=True)
    text = given if isinstance(given, str) else json.dumps(given)
    (tmp_path / "chip.pt.reads").write_text(text)
    instrument = of_today()
    before = everything(instrument)
    with pytest.raises(ValueError, match="less its last reads"):
        StateFile(path, instrument).load()
    assert everything(instrument) == before


@pytest.mark.parametrize("ending", ["", ".reads"])
def test_one_flipped_bit_is_found(ending: str, tmp_path: Path) -> None:
    path, instrument = tmp_path / "chip.pt", of_today()
    state = StateFile(path, instrument)
    state.save(("a", 1, "1 ok"), changed=True)
    instrument.read(0, torch.zeros(5, 1, 4))
    state.save(("a", 2, "2 ok"), changed=False)
    file = path.with_name(path.name + ending)
    whole, rng, taken = bytearray(file.read_bytes()), random.Random(0), 0
    for _ in range(150):
        at, bit = rng.randrange(len(whole)), 1 << rng.randrange(8)
        flipped = whole.copy()
        flipped[at] ^= bit
        file.write_bytes(flipped)
        found = of_today()
        with suppress(InvalidInput):
            session = StateFile(path, found).load()
            # A space, or the mark of a digest: what the file says is the same.
            assert (session, everything(found)) == (("a", 2, "2 ok"), everything(instrument))
            taken += 1
    assert taken < 10
    file.write_bytes(whole)
    assert StateFile(path, of_today()).load() == ("a", 2, "2 ok")


def test_one_server_keeps_a_chip_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "chip.pt"
    with serving(of_today(), state=path):
        with pytest.raises(ValueError, match=r"state = .*no other process is writing"):
            InstrumentServer(of_today(), state=StateFile(path, of_today()))
        other = tmp_path / "other.pt"
        InstrumentServer(of_today(), state=StateFile(other, of_today())).close()
    InstrumentServer(of_today(), state=StateFile(path, of_today())).close()


def test_what_a_killed_server_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "chip.pt"
    left = [".chip.pt.0123456789ab.tmp", ".chip.pt.reads.0123456789ab.tmp", ".chip.pt.4711.tmp"]
    others = [
        ".chip.pt.2.0123456789ab.tmp",
        ".mine.0123456789ab.tmp",
        ".chip.pt.notes.tmp",
        "a.tmp",
    ]
    for name in (*left, *others):
        (tmp_path / name).write_text("part")
    InstrumentServer(of_today(), state=StateFile(path, of_today())).close()
    assert {file.name for file in tmp_path.iterdir()} == {*others, "chip.pt.lock"}


def test_a_place_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    places = ["folder", "nowhere/chip.pt", "file/chip.pt", ".", "x" * 300]
    if os.geteuid() != 0:
        (tmp_path / "closed").mkdir(mode=0o500)
        places.append("closed/chip.pt")
    for place in places:
        with pytest.raises(ValueError, match="state = "):
            InstrumentServer(of_today(), state=StateFile(tmp_path / place, of_today()))
    with InstrumentServer(of_today(), state=StateFile(path := tmp_path / "c.pt", of_today())):
        assert not path.exists()


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
        start, end = f"state = {str(path)!r}: expected the state of this chip (", ")"
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
        ({"format": 1, "serial": 1}, "it lacks 'chip' of its content"),
        ({"chip": chip()}, "it is damaged, or holds more than tensors and plain values"),
    ):
        torch.save(value, state)
        assert said(state) == why
    state.write_bytes(whole)
    reads = tmp_path / "chip.pt.reads"
    reads.write_text('{"serial": 1, "vec')
    assert said(reads) == (
        "it is damaged; without it the chip goes on from chip.pt, less its last reads"
    )


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
