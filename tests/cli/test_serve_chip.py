"""`mho serve-chip` as a lab meets it: served, stopped, started again; refusals of one line."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import mho
from builders.instruments import QUICK, serving
from mho.cli import main
from mho.instruments import InstrumentServer, RemoteInstrument, SimulatedInstrument


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--device", "hfo2"], "did you mean 'hfo2-1t1r'?"),
        (["--device-file", "none.toml"], "none.toml"),
        (["--port", "70000"], "port = 70000: allowed is 0 to 65535"),
        (["--host", "256.0.0.1", "--port", "0"], "an address to listen on"),
        (["--arrays", "0"], "Chip.arrays = 0"),
        (["--rows", "0"], "Hardware.tile = (0, 128)"),
        (["--volts", "-1"], "Chip.volts = -1.0"),
        (["--programming", "verfy"], "did you mean 'verify'?"),
        (["--stuck", "1.5"], "stuck_off"),
        (["--state", "nowhere/chip.pt"], "a file in a folder that exists"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["serve-chip", *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_killed_goes_on(tmp_path: Path) -> None:
    state, cell = tmp_path / "chip.pt", torch.tensor([[0, 3, 1]], dtype=torch.int32)
    command = [sys.executable, "-m", "mho", "serve-chip", "--arrays", "1", "--rows", "4",
               "--cols", "3", "--state", str(state), "--port", "0"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = re.search(r"4 x 3 cells served on 127.0.0.1:(\d+)", server.stdout.readline())
        assert said is not None
        instrument = RemoteInstrument("127.0.0.1", int(said[1]), QUICK)
        before = instrument.program(cell, torch.tensor([50e-6])).conductance.item()
        server.kill()
    hardware = mho.Hardware(device=mho.devices.get("hfo2-1t1r"), tile=(4, 3))
    same = SimulatedInstrument(hardware, 1)
    with instrument, serving(same, state=state, port=int(said[1])):
        assert instrument.report().changes == 1
        assert same.crossbar.conductance[0, 0, 3, 1].item() == pytest.approx(before)


def test_ctrl_c_stops_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_self: InstrumentServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(InstrumentServer, "serve", interrupted)
    assert main(["serve-chip", "--port", "0", "--rows", "2", "--cols", "2"]) == 0
    assert "mho: stopped" in capsys.readouterr().out


def test_the_protocol_is_printed_from_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve-chip", "--protocol", "--port", "70000"]) == 0
    assert capsys.readouterr().out == Path(mho.__file__).with_name("instruments").joinpath(
        "protocol.md"
    ).read_text(encoding="utf-8")
