"""`mho try` of every published device and of every kind of measured table."""

from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from builders.drawn import crowded
from builders.measurements import (
    LEVELS,
    PULSED,
    STATES,
    SWEEP,
    TABLE,
    bakes,
    csv,
    loop,
    program_and_read,
    pulse_trains,
    sweeps,
    traces,
    two_states,
)
from mho import devices
from mho.cells import LogTime, PowerLaw
from mho.circuits import Sinh
from mho.cli import main
from mho.data.stand_in import stand_ins
from mho.fit import KINDS
from mho.report.axes import style
from mho.results.trial import Trial

LAW = LogTime(rate=-5e-7, rate_spread=1e-7)
LOOPS = [loop(0.55 + 0.01 * k, -0.5 - 0.01 * k) for k in range(10)]
TABLES = {
    "pulses": pulse_trains(PULSED, 1)[0],
    "pulses, of a table": pulse_trains(TABLE, 1)[0],
    "levels": program_and_read(LEVELS, 1, devices=4, repeats=5)[0],
    "states": two_states(STATES, 1, devices=4, cycles=6)[0],
    "endurance": two_states(STATES, 1, devices=3, cycles=120)[0],
    "switching": csv("cycle,V [V],I [A]", *zip(*[
        (k, v, i) for k, each in enumerate(LOOPS) for v, i in zip(*each, strict=True)
    ], strict=True)),
    "iv": sweeps(Sinh(v0=0.4), 1, **SWEEP)[0],
    "retention": traces(LAW, 1, devices=4)[0],
    "retention, of bakes": bakes(PowerLaw(nu=0.05, t0=1.0, activation=1.1), 1)[0],
}  # fmt: skip
"""A file of each kind; what follows the comma is a variety of it."""
LAWS = ("iv", "retention")
"""Kinds that say nothing of where cells can be programmed to."""


@pytest.fixture(autouse=True)
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is wrong with the figures that are drawn, in words."""
    found: list[str] = []

    def as_file(draw: Callable[[], Figure], ending: str) -> bytes:
        with style():
            found.extend(crowded(draw()))
        return ending.encode()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("mho.report.trial.as_file", as_file)
    monkeypatch.setattr("mho.trial.chips.UNLABELLED", 100)  # of the few that stand in
    return found


@pytest.mark.parametrize("name", devices.PRESETS)
def test_every_published_device_is_tried(
    name: str, figures: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with stand_ins():
        assert main(["try", name, "--chips", "2", "--out", "tried.svg"]) == 0
    _complete(capsys.readouterr().out)
    assert figures == []


def test_there_is_a_table_of_every_kind() -> None:
    assert {name.partition(",")[0] for name in TABLES} == set(KINDS)


@pytest.mark.parametrize("name", TABLES)
def test_every_measured_table_is_tried_or_refused_before_any_work(
    name: str,
    figures: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = name.partition(",")[0]
    Path("mine.csv").write_text(TABLES[name])
    if kind in LAWS:
        monkeypatch.setattr("mho.trial.of_preset", _worked)
        assert main(["try", "mine.csv"]) == 2
        said = capsys.readouterr().err
        assert "mho fit mine.csv --out device.toml --add" in said
        assert said.count("\n") == 1
        return
    with stand_ins():
        assert main(["try", "mine.csv", "--chips", "2", "--out", "tried.svg"]) == 0
    out = capsys.readouterr().out
    assert f"mine.csv: {kind}, " in out
    _complete(out)
    assert figures == []


def _worked(*_arguments: object) -> Trial:
    raise AssertionError("work began")


def _complete(out: str) -> None:
    """What was printed says all there is to say, in numbers."""
    for words in ("as written", "after repair", "the limit to", "energy of an input", "tried.svg"):
        assert words in out
    assert "nan" not in out
    assert "inf " not in out
