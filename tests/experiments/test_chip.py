"""The Siamese training on an instrument: the same through a socket, broken off, and at a loss."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from builders.few_images import measure_on_few
from builders.instruments import CELL, chip, serving
from builders.resuming import unbroken_and_resumed
from mho.cli import main
from mho.experiments.siamese import SiameseConfig
from mho.experiments.siamese.chip import on_chip, train_on_chip
from mho.experiments.siamese.config import ChipConfig
from mho.instruments import Chip

CHIP: dict[str, Any] = {"tile": (112, 24), "arrays": 8}
STUCK = CELL.replace(stuck_off=0.002, stuck_on=0.002)
CONFIG = SiameseConfig(
    per_class=40, hidden=12, epochs=1, batch=50, processor="cpu", calibration=100,
    calibrate_every=5, threads=1, chip=ChipConfig(address="localhost:1", scheme="on level change"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    measure_on_few(monkeypatch, 50)


def test_the_same_numbers_in_process_resumed_and_by_command_over_a_bad_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chips = {"one": chip(STUCK, **CHIP), "two": chip(STUCK, **CHIP)}
    unbroken, resumed = unbroken_and_resumed(
        tmp_path,
        CONFIG.to_toml(),
        lambda run: train_on_chip(CONFIG, run, chips[run.directory.name]),
    )
    assert resumed == unbroken
    assert sum(unbroken["history"]["written"]) > 100
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.to_toml())
    arguments = ("run", "siamese", "--config", str(config), "--out", str(tmp_path / "run"))
    with serving(chip(STUCK, **CHIP), faults=[*[""] * 12, "cut", *[""] * 9, "deaf"]) as server:
        assert main([*arguments, "--chip", ":".join(map(str, server.address))]) == 0
        assert not server.faults
    said = capsys.readouterr()
    assert "cells given up" in said.out
    assert said.err.count("repeating") == 2
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    values = {claim["id"]: claim["ours"] for claim in result["claims"]}
    assert values["chip_accuracy"] == unbroken["test"]
    assert values["chip_refused"] == sum(map(len, unbroken["refused"].values())) > 5
    assert 50 < values["chip_gone"] < 100
    assert result["ledger"] == unbroken["ledger"]
    tables = {table["id"]: table["rows"] for table in result["tables"]}
    assert dict(tables["instrument"]) == unbroken["report"]
    assert sum(row[1] for row in tables["refused"]) == values["chip_refused"]


def test_a_chip_that_is_lost_and_comes_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mho.experiments.run.SAVE_EVERY", 0.0)
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.to_toml())
    # Two requests of the check; lost within the third step or so, after it wrote.
    faults = [*[""] * 30, "cut"]
    with serving(chip(STUCK, **CHIP), faults=faults) as server:
        address = ":".join(map(str, server.address))
        arguments = ["run", "siamese", "--config", str(config), "--out", str(tmp_path / "run")]
        arguments += ["--chip", address, "--set", "chip.limits.attempts=1"]
        assert main(arguments) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith(f"mho: {address}: the connection was closed; given up after 1")
        assert said.endswith("go on with --resume when it is back")
        saved = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["stages"]
        stage = saved["chip/train"]
        assert 0 < stage["step"] < 8
        assert server.instrument.report().changes > stage["state"]["chip"]["changes"]
        assert main([*arguments, "--resume"]) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert "After the run was resumed the cells were read once" in result["summary"]
    curves = {curve["id"]: curve["series"] for curve in result["curves"]}
    assert [line["x"] for line in curves["learning"]] == [[1], [1]]


def test_the_chip_says_what_its_cells_are() -> None:
    described = Chip(arrays=9, rows=64, cols=32, low=1e-6, high=4e-5, levels=9, volts=0.1)
    hardware = on_chip(CONFIG.hardware, described)
    assert hardware.device.window == (1e-6, 4e-5)
    assert (hardware.levels, hardware.tile, hardware.transposed) == (17, (64, 32), False)
    assert on_chip(CONFIG.hardware, described.replace(levels=16)).levels == 16
    # More levels than a cell of ours has: every 13th of them.
    fine = on_chip(CONFIG.hardware, described.replace(levels=13 * 4000 + 1)).device
    assert fine.states == 4001


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"address": "localhost"}, "HOST:PORT"),
        ({"address": ":80"}, "HOST:PORT"),
        ({"address": "localhost:x"}, "HOST:PORT"),
        ({"address": "a:1", "scheme": "faling threshold"}, "did you mean 'falling threshold'"),
        ({"address": "a:1", "scheme": "float"}, "a scheme that writes to the chip"),
        ({"address": "a:1", "scheme": "Tiki-Taka"}, "no simulated array beside it"),
    ],
)
def test_what_cannot_be_trained_on_a_chip_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ChipConfig(**changes)


def test_a_chip_that_is_not_there_or_too_small(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(chip(tile=(128, 128), arrays=5)) as server:
        port = server.address[1]
        assert main(["run", "siamese", "--chip", f"127.0.0.1:{port}"]) == 2
        assert "arrays of the chip = 5: expected at least 15" in capsys.readouterr().err
    assert main(["run", "siamese", "--chip", f"127.0.0.1:{port}"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "given up after 1 attempt at 'describe'" in said
    assert main(["run", "bmcnn", "--chip", "a:1"]) == 2
    assert "bmcnn runs on simulated chips" in capsys.readouterr().err
    assert main(["run", "siamese", "--chip", "a:1", "--device-file", __file__]) == 2
    assert "nothing with --chip, which says what its cells are" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
