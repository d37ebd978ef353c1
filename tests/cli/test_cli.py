"""The command as a user meets it: its surface, its refusals, its exit codes, its endurance."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import mho
from mho.cli import main
from mho.cli.show import Show
from mho.data import locate
from mho.hardware.price_lists import PRICES

TINY = (
    "--set", "per_class=100", "--set", "epochs=2", "--set", "hidden=16",
    "--set", "threads=1", "--chips", "1", "--processor", "cpu",
)  # fmt: skip


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "did you mean 'run'?"),
        (["run", "bmcn"], "did you mean 'bmcnn'?"),
        (["run", "siamese", "--preset", "quik"], "did you mean 'quick'?"),
        (["run", "siamese", "--chips", "0"], "SiameseConfig.chips = 0: expected"),
        (["run", "siamese", "--chips", "many"], "--chips"),
        (["run", "siamese", "--seed", "-1"], "SiameseConfig.seed = -1: expected"),
        (["run", "siamese", "--sed", "1"], "--sed"),
        (["run", "siamese", "--set", "hardware.adc_bts=4"], "did you mean 'hardware.adc_bits'?"),
        (["run", "siamese", "--set", "adc_bits=4"], "did you mean 'hardware.adc_bits' or"),
        (["run", "siamese", "--set", "levels=4"], "did you mean 'hardware.device.levels'?"),
        (["run", "wires", "--set", "hidden=4"], "'siamese.hidden' or"),
        (["sweep", "siamese", "--grid", "adc_bits=4,6"], "did you mean 'hardware.adc_bits' or"),
        (["run", "siamese", "--set", "hardware.device.levels=0"], "MultiLevel.levels = 0"),
        (["run", "siamese", "--set", "hardware.device.g_min=nan"], "MultiLevel.g_min = nan"),
        (["run", "siamese", "--set", "hardware.device.g_min=1.0"], "below g_max"),
        (["run", "bmcnn", "--set", "cells.r_on=1e6"], "below r_off.mean"),
        (["run", "siamese", "--set", "epochs"], "key=value"),
        (
            ["run", "siamese", "--set", "study_epochs=1"],
            "unknown field of SiameseConfig 'study_epochs': it is now 'study.epochs'",
        ),
        (["run", "siamese", "--set", "study.epoch=1"], "did you mean 'study.epochs'?"),
        (["run", "metaplastic", "--set", "permuted=5"], "it is now 'permuted.tasks'"),
        (["run", "wires", "--set", "bmcnn.r_on=1e4"], "BmcnnConfig 'r_on': it is now 'cells.r_on'"),
        (["run", "siamese", "--set", "device=cpu"], "it is now 'processor'"),
        (["run", "siamese", "--set", "prices=gold"], "unknown price list"),
        (["run", "metaplastic", "--set", 'tasks=["cifar"]'], "unknown dataset"),
        (["run", "metaplastic", "--set", "tasks=[]"], "at least one data set"),
        (["run", "wires", "--set", "claimed.tile=100"], "WiresConfig.claimed.tile = 100"),
        (["run", "siamese", "--set", "hardware.wire_resistance=-1.0"], "Hardware.wire_resistance"),
        (["run", "sensitivity", "--set", "cell=ag-as"], "did you mean 'ag-asi'?"),
        (
            ["run", "sensitivity", "--set", "cell=two-state-200-500"],
            "SensitivityConfig.cell = 'two-state",
        ),
        (["run", "siamese", "--config", "missing.toml"], "config = 'missing.toml'"),
        (["run", "siamese", "--processor", "tpu"], "SiameseConfig.processor = 'tpu'"),
        (["run", "all", "--set", "epochs=1"], "one experiment"),
        (["list", "devises"], "did you mean 'devices'?"),
        (["report", "missing"], "missing"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert len(lines(captured.err)) == 1
    assert captured.err.startswith("mho: ")
    assert said in captured.err
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_all_is_what_takes_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(
        "mho.experiments.execution.execute", lambda name, *_rest, **_more: ran.append(name)
    )
    for part in ("mho.experiments.own_data.check_data", "mho.cli.run._show"):
        monkeypatch.setattr(part, lambda *_all: None)
    assert main(["run", "all"]) == 0
    assert ran == ["bmcnn", "siamese", "metaplastic", "wires"]


def test_bad_toml_names_the_file_and_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("epochs = 1\nrate = = 2\n")
    assert main(["run", "siamese", "--config", str(bad), "--out", str(tmp_path / "r")]) == 2
    assert "bad.toml" in (said := capsys.readouterr().err)
    assert "line 2" in said


def test_corrupt_data_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = locate("mnist", "t10k-images-idx3-ubyte")
    bad = tmp_path / "data" / "mnist"
    bad.mkdir(parents=True)
    (bad / whole.name).write_bytes(whole.read_bytes()[:100_000])
    monkeypatch.setenv("MHO_DATA", str(tmp_path / "data"))
    assert main(["run", "siamese", *TINY, "--out", str(tmp_path / "r")]) == 2
    said = capsys.readouterr().err
    assert len(lines(said)) == 1
    assert whole.name in said
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["run", "list", "report", "pool", "netlist", "fit", "serve-chip"]),
        (
            ["netlist", "--help"],
            ["--out", "--layer", "--chip", "--tile", "--input", "--wire-resistance", "--r-row",
             "--r-col", "--r-source", "--r-sense", "--both-ends", "--law", "--v0", "--beta",
             "--overdrive", "--run", "[ohm]", "[A/V^2]"],
        ),
        (
            ["fit", "--help"],
            ["--out", "--kind", "--v-read", "--levels", "--add", "--overwrite", "[V]"],
        ),
        (
            ["run", "--help"],
            ["--preset", "--seed", "--chips", "--processor", "--device-file", "--config", "--set",
             "--chip", "--out", "--resume", "default: quick"],
        ),
        (
            ["serve-chip", "--help"],
            ["--host", "--port", "--device", "--device-file", "--arrays", "--rows", "--cols",
             "--programming", "--read-noise", "--stuck", "--wire-resistance", "--volts", "--seed",
             "--state", "[ohm]", "[V]"],
        ),
    ],
)  # fmt: skip
def test_the_surface_is_frozen(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert [word for word in words if word not in said] == []


def test_settings_say_their_units(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "bmcnn", "--set"]) == 0
    said = capsys.readouterr().out
    assert "[ohm]" in said
    assert "10000.0" in said


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mho {mho.__version__}\n"


def test_a_run_leaves_the_folder_it_promises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "r"
    assert main(["run", "siamese", *TINY, "--out", str(folder)]) == 0
    names = {p.name for p in folder.iterdir()}
    expected = {"config.toml", "env.json", "metrics.jsonl", "checkpoint.pt", "result.json"}
    assert expected | {"report.html", "figures"} <= names
    result = json.loads((folder / "result.json").read_text())
    assert {"experiment", "preset", "seed", "wall_s", "claims", "ledger", "cost"} <= set(result)
    for claim in result["claims"]:
        assert {"id", "what", "paper", "ours", "std", "n", "unit"} <= set(claim)
    environment = json.loads((folder / "env.json").read_text())
    expected = {"versions", "commit", "device", "threads", "seed", "command", "date"}
    assert expected <= set(environment)
    assert "mlp_gone" not in capsys.readouterr().err

    assert main(["run", "siamese", *TINY, "--out", str(folder)]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main(["run", "siamese", *TINY, "--out", str(folder), "--resume"]) == 0
    assert "finished earlier" in capsys.readouterr().err

    again = tmp_path / "again"
    config = ["--config", str(folder / "config.toml"), "--out", str(again)]
    assert main(["run", "siamese", *config]) == 0
    same = json.loads((again / "result.json").read_text())
    assert {**same, "wall_s": 0} == {**result, "wall_s": 0}


FEW = ("--set", 'schemes=["float", "stochastic rounding"]', "--set", "studies=[]")
"""Beside what is claimed, which is trained in any case."""


def start(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    """The command in a process of its own, saving at every step; no page is drawn in the end."""
    code = (
        "import mho.experiments.run as r, mho.cli.run, sys; r.SAVE_EVERY = 0.0; "
        "mho.cli.run._show = lambda *_: None; sys.exit(mho.cli.main(sys.argv[1:]))"
    )
    arguments = ("run", "siamese", *TINY, *FEW, "--out", str(folder), *more)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
        env=environment,
    )  # fmt: skip


def wait_for_a_step(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Until training has begun."""
    metrics = folder / "metrics.jsonl"
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.exists() and metrics.stat().st_size > 0:
            return
        time.sleep(0.02)
    pytest.fail(f"no step was made: {process.communicate()[1].decode()}")


def finish(folder: Path, *more: str) -> None:
    """Run to the end."""
    process = start(folder, *more)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said.decode()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unbroken run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    finish(folder)
    return folder


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_killed_or_interrupted_it_resumes_to_the_same_result(
    tmp_path: Path, whole: Path, how: int
) -> None:
    broken = tmp_path / "broken"
    process = start(broken)
    wait_for_a_step(broken, process)
    process.send_signal(how)
    _, said = process.communicate(timeout=600)
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    if how == signal.SIGINT:
        assert b"--resume" in said
    assert not (broken / "result.json").exists()

    finish(broken, "--resume")
    results = [json.loads((f / "result.json").read_text()) for f in (broken, whole)]
    assert {**results[0], "wall_s": 0} == {**results[1], "wall_s": 0}
    metrics = [(f / "metrics.jsonl").read_text() for f in (broken, whole)]
    assert metrics[0] == metrics[1]


@pytest.mark.parametrize("name", PRICES)
def test_show_gives_each_number_of_a_price_list_with_its_source(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(PRICES[name].to_toml())
    for source in (name, str(file)):
        assert main(["show", source]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert "adc_energy" in shown
        assert "not priced" in shown
    assert main(["show", name, "--out", str(tmp_path / "x.png")]) == 2
    assert "a price list has no figure" in capsys.readouterr().err


def test_a_price_list_of_a_file_is_checked_before_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("pulse_time = 1e-6\nadc_enregy = 1.0\n")
    out = tmp_path / "run"
    assert main(["run", "siamese", "--prices", str(file), "--out", str(out)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "mine.toml" in said
    assert "adc_energy" in said
    assert not out.exists()


def test_a_warning_is_told_in_one_line_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def warning(_self: Show) -> None:
        for _ in range(2):
            for text in ("one\nthing", "another"):
                warnings.warn(text, stacklevel=1)

    monkeypatch.setattr(Show, "run", warning)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        shown = warnings.showwarning
        assert main(["show", "hfo2-1t1r"]) == 0
        assert warnings.showwarning is shown
    said = capsys.readouterr().err.splitlines()
    assert said == ["mho: warning: one thing", "mho: warning: another"]
