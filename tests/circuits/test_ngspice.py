"""ngspice as a program: missing, slow, or without an answer."""

from pathlib import Path

import pytest
import torch

from builders.programs import needed
from mho.circuits import Sinh, SpiceError, netlist, simulate


def deck(volts: float = 0.5, tiles: tuple[int, ...] = ()) -> str:
    g = torch.full((*tiles, 2, 3), 1e-3, dtype=torch.float64)
    return netlist(g, torch.full((*tiles, 2), volts), conduction=Sinh(v0=1e-3))


def test_where_it_is_not_installed_the_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpiceError, match=r"not installed .*apt-get install ngspice"):
        simulate(deck())


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("sleep 20", r"was stopped after 0\.2 s"),
        ("echo 'i(vout0) = 1e-3'", "found no currents"),
        ("echo 'doAnalyses: iteration limit reached' >&2; exit 1", "iteration limit reached$"),
        ("true", "it said nothing"),
    ],
)
def test_a_program_that_gives_no_answer(
    program: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ngspice").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "ngspice").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(SpiceError, match=said) as caught:
        simulate(deck(), limit=0.2 if "sleep" in program else 60.0)
    assert "\n" not in str(caught.value)


def test_no_operating_point_is_one_line_of_what_it_said() -> None:
    needed("ngspice")
    with pytest.raises(SpiceError, match=r"found no currents: .*out of range for sinh") as caught:
        simulate(deck(volts=5.0))
    assert "\n" not in str(caught.value)


def test_currents_come_in_the_shape_of_the_columns(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    needed("ngspice")
    monkeypatch.chdir(tmp_path)
    assert simulate(deck(0.0)).shape == (3,)
    assert simulate(deck(0.0, tiles=(1,))).shape == (1, 3)
    assert simulate(deck(0.0, tiles=(12,))).shape == (12, 3)
    assert list(tmp_path.iterdir()) == []


def test_users_settings_of_ngspice_change_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    needed("ngspice")
    (tmp_path / ".spiceinit").write_text("quit\n")
    before = simulate(deck(1e-3))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert torch.equal(simulate(deck(1e-3)), before)
