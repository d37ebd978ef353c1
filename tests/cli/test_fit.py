"""`mho fit` and `--device-file` as a user meets them."""

from pathlib import Path

import pytest

from builders.measurements import (
    LEVELS,
    PULSED,
    STATES,
    csv,
    loop,
    program_and_read,
    pulse_trains,
    sweeps,
    traces,
    two_states,
)
from mho import Preset, devices
from mho.cells import LogTime, MultiLevel, PulseResponse
from mho.circuits import Sinh
from mho.cli import main

TINY = (
    "--set", "per_class=50", "--set", "epochs=1", "--set", "study.epochs=1", "--set",
    "scheme_epochs=1", "--set", "hidden=8", "--set", "schemes=[]", "--set", "threads=1",
    "--chips", "1", "--processor", "cpu",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one file of each kind."""
    monkeypatch.chdir(tmp_path)
    sweep = {"conductances": (5e-5,), "points": 20, "relative": 0.01}
    for name, (text, _) in {
        "pulses": pulse_trains(PULSED, 1),
        "levels": program_and_read(LEVELS, 1, devices=4, repeats=5),
        "iv": sweeps(Sinh(v0=0.4), 1, **sweep),
        "traces": traces(LogTime(rate=-5e-7, rate_spread=1e-7), 1, devices=4),
    }.items():
        Path(f"{name}.csv").write_text(text)
    return tmp_path


def test_a_fit_is_a_preset(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "pulses.csv", "--out", "device.toml", "--levels", "7"]) == 0
    out = capsys.readouterr().out
    for word in ("95 % interval", "nonlinearity SET", "R^2", "AIC", "even steps", "device.toml"):
        assert word in out
    device = devices.read("device.toml").device
    assert isinstance(device, PulseResponse)
    assert device.levels == 7
    assert device.pulses == pytest.approx(20, abs=5)
    assert "pulses.csv" in device.note
    assert "n = " in device.note
    assert Path("device.png").read_bytes().startswith(b"\x89PNG")
    assert not [p.name for p in folder.iterdir() if p.name.endswith(".tmp")]


def test_what_is_known_comes_together_in_one_file(folder: Path) -> None:
    assert main(["fit", "levels.csv", "--out", "device.toml"]) == 0
    assert main(["fit", "iv.csv", "--out", "device.toml", "--add"]) == 0
    assert main(["fit", "traces.csv", "--out", "device.toml", "--add"]) == 0
    preset = devices.read("device.toml")
    assert isinstance(preset.device, MultiLevel)
    assert isinstance(preset.conduction, Sinh)
    assert isinstance(preset.retention, LogTime)
    assert Preset.from_toml(preset.to_toml()) == preset
    assert {"device.png", "device-iv.png", "device-retention.png"} <= {
        p.name for p in folder.iterdir()
    }


def test_a_look_shows_how_a_file_was_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("sweep.csv").write_text("Time,AI,AV,Note\n" + "".join(
        f"{0.1 * k},{1e-8 * k:.3e},{0.02 * k:.2f},x\n" for k in range(1, 20)
    ))  # fmt: skip
    assert main(["fit", "sweep.csv", "--look", "--out", "look.png"]) == 0
    out = capsys.readouterr().out
    for word in (
        "commas",
        "headings: line 1",
        "no unit is given",
        "Note",
        "I-V sweeps",
        "look.png",
    ):
        assert word in out
    assert Path("look.png").read_bytes().startswith(b"\x89PNG")
    for name in ("pulses", "levels", "iv", "traces"):
        assert main(["fit", f"{name}.csv", "--look", "--out", f"{name}.png"]) == 0
    Path("bare.csv").write_text("1,2\n2,3\n3,4\n")
    assert main(["fit", "bare.csv", "--look", "--out", "bare.png"]) == 0
    assert "mho fit bare.csv --columns" in capsys.readouterr().out


def test_what_a_file_does_not_say_is_said_on_the_command_line(folder: Path) -> None:
    lines = [f"{k};{10 * k};{1e3 * k + 40 * (k * 7 % 5 - 2):.4f}" for k in range(1, 30)]
    Path("bare.txt").write_text("\n".join(lines))
    says = ["--columns", "V [mV]=2, I=3", "--unit", "3=nA"]
    assert main(["fit", "bare.txt", *says, "--out", "law.toml"]) == 0
    assert devices.read("law.toml").conduction is not None


def test_set_and_reset_may_be_two_files(folder: Path) -> None:
    for name, start, step in (("set", 10, 1), ("reset", 30, -1)):
        rows = [f"{k},{start + step * k + 0.1 * (k % 3)}" for k in range(1, 21)]
        Path(f"{name}.csv").write_text("\n".join(["pulse,G [uS]", *rows]))
    assert main(["fit", "set.csv", "reset.csv", "--out", "device.toml"]) == 0
    assert devices.read("device.toml").device is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pulses.csv"], "--out FILE.toml, or --look"),
        (["pulses.csv", "--look", "--out", "d.toml"], "a .png file"),
        (["pulses.csv", "--out", "d.toml", "--columns", "x"], "QUANTITY=COLUMN"),
        (["pulses.csv", "--out", "d.toml", "--columns", "R=nothing"], "unknown column of"),
        (["pulses.csv", "--out", "d.toml", "--unit", "pulse=furlong"], "a unit that is known"),
        (["pulses.csv", "--out", "taken.toml"], "--overwrite replaces it"),
        (["missing.csv", "--out", "d.toml"], "source = 'missing.csv'"),
        (["pulses.csv", "--out", "d.json"], "a .toml file"),
        (["pulses.csv", "--out", "d.toml", "--kind", "pulse"], "did you mean 'pulses'?"),
        (["pulses.csv", "--out", "d.toml", "--kind", "iv"], "voltage"),
        (["bad.csv", "--out", "d.toml"], "bad.csv, line 3"),
        (["levels.csv", "--out", "d.toml", "--levels", "1"], "levels = 1"),
        (["pulses.csv", "--out", "d.toml", "--levels", "4000"], "PulseResponse.levels"),
        (
            ["pulses.csv", "--out", "d.toml", "--family", "pulse-tabel"],
            "did you mean 'pulse-table'",
        ),
        (["iv.csv", "--out", "d.toml", "--family", "pulse-table"], "family = 'pulse-table': expe"),
        (["levels.csv", "--out", "taken.toml", "--add"], "a preset without [device]"),
    ],
)
def test_a_refusal_is_one_line_and_writes_nothing(
    arguments: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.csv").write_text("pulse,polarity,G [uS]\n1,SET,10\n2,SET,ten\n")
    Path("taken.toml").write_text(Preset(device=devices.get("ag-asi")).to_toml())
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert main(["fit", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_a_file_is_replaced_when_asked(folder: Path) -> None:
    Path("device.toml").write_text("old")
    assert main(["fit", "iv.csv", "--out", "device.toml", "--overwrite"]) == 0
    assert isinstance(devices.read("device.toml").conduction, Sinh)


def test_a_network_runs_on_a_fitted_cell(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "pulses.csv", "--out", "device.toml"]) == 0
    assert main(["fit", "iv.csv", "--out", "device.toml", "--add"]) == 0
    arguments = ["run", "siamese", *TINY, "--device-file", "device.toml", "--out", "run"]
    assert main(arguments) == 0
    said = capsys.readouterr().err
    for line in ("device.toml: [conduction] is not used", "weights have", "are verified"):
        assert line in said
    config = Path("run/config.toml").read_text()
    assert 'family = "pulse-response"' in config
    assert "pulses.csv" in config


def switching_loops() -> str:
    """Ten loops whose voltages differ a little."""
    loops = [loop(0.55 + 0.01 * k, -0.5 - 0.01 * k) for k in range(10)]
    rows = [(k, v, i) for k, each in enumerate(loops) for v, i in zip(*each, strict=True)]
    return csv("cycle,V [V],I [A]", *zip(*rows, strict=True))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("levels", program_and_read(LEVELS, 2, devices=4, repeats=5)[0]),
        ("pulses", pulse_trains(PULSED.replace(nonlinearity=(3.0, -2.0)), 2)[0]),
        ("states", two_states(STATES, 2, devices=4, cycles=6)[0]),
        ("endurance", two_states(STATES, 3, devices=3, cycles=120)[0]),
        ("switching", switching_loops()),
    ],
)
def test_what_a_fit_writes_runs_to_the_end(
    kind: str, text: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cells of two states after the refusal and what it advises."""
    Path("measured.csv").write_text(text)
    assert main(["fit", "measured.csv", "--kind", kind, "--out", "my.toml"]) == 0
    arguments = ["run", "siamese", *TINY, "--device-file", "my.toml", "--out", "run"]
    if kind in ("states", "endurance", "switching"):
        assert main(arguments) == 2
        assert "or hardware.full_scale = 2" in capsys.readouterr().err
        assert not Path("run").exists()
        arguments += ["--set", "hardware.full_scale=2"]
    assert main(arguments) == 0
    assert "measured.csv" in Path("run/config.toml").read_text()


@pytest.mark.parametrize(
    ("name", "file", "said"),
    [
        ("bmcnn", "device.toml", "bmcnn has its own settings for cells"),
        ("wires", "device.toml", "wires has its own settings for cells"),
        ("all", "device.toml", "one experiment"),
        ("siamese", "two.toml", "SiameseConfig.hardware.device = 'two-state cells of 2 levels'"),
        ("sensitivity", "two.toml", "SensitivityConfig.cell = 'two-state cells of 2 levels'"),
        ("siamese", "law.toml", "a preset with a table [device]"),
        ("sensitivity", "law.toml", "a preset with a table [device]"),
        ("siamese", "missing.toml", "missing.toml"),
        ("siamese", "wrong.toml", "did you mean 'g_min'?"),
        ("siamese", "empty.toml", "a table [device]"),
    ],
)
def test_a_cell_that_does_not_suit_is_refused_first(
    name: str, file: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("device.toml").write_text(devices.get("ag-asi").to_toml())
    Path("two.toml").write_text(devices.get("two-state-10k-100k").to_toml())
    Path("law.toml").write_text(Preset(conduction=Sinh()).to_toml())
    Path("wrong.toml").write_text('[device]\nfamily = "multi-level"\ng_mi = 1e-6\n')
    Path("empty.toml").write_text('note = "nothing"\n')
    assert main(["run", name, "--device-file", file, "--out", "run"]) == 2
    *notes, error = capsys.readouterr().err.splitlines()
    assert said in error
    assert all(note.startswith(f"mho: {file}: weights have") for note in notes)
    assert not Path("run").exists()
