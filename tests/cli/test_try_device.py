"""`mho try` as a user meets it."""

from pathlib import Path

import pytest

from builders.cells import FULL_PRESET
from mho.cli import main


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def test_a_device_is_tried_and_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", "rram-neurram-1s", "--chips", "2", "--out", "tried.svg"]) == 0
    out = capsys.readouterr().out
    for words in ("after repair", "a month", "relaxation and drift", "energy of an input",
                  "points below the network in float", "tried.svg"):  # fmt: skip
        assert words in out
    assert "What limits it" in Path("tried.svg").read_text()


def test_files_are_tried(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text(FULL_PRESET.to_toml())
    assert main(["try", "mine.toml", "--chips", "2"]) == 0
    assert "mine: " in capsys.readouterr().out
    rows = [f"{'on' if k % 2 else 'off'},{(10 if k % 2 else 100) + 0.1 * (k // 2)}"
            for k in range(40)]  # fmt: skip
    Path("states.csv").write_text("\n".join(["state,R [kOhm]", *rows]))
    assert main(["try", "states.csv", "--chips", "2"]) == 0
    out = capsys.readouterr().out
    assert "states, 40 points" in out
    assert "binary weights" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pcm-gs"], "did you mean 'pcm-gst'"),
        (["missing.csv"], "missing.csv"),
        (["relaxes.csv"], "mho fit relaxes.csv --out device.toml --add"),
        (["pcm-gst", "--out", "x.jpg"], "a file that ends in .png, .svg or .pdf"),
        (["pcm-gst", "--chips", "1"], "chips = 1: expected 2 to 1000"),
        (["pcm-gst", "--prices", "cheap"], "unknown price list 'cheap'"),
    ],
)
def test_what_cannot_be_tried_is_refused_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{10 ** (k / 4)},{10 * 10 ** (-0.02 * k + 0.001 * (k % 3))}" for k in range(20)]
    Path("relaxes.csv").write_text("\n".join(["time [s],G [uS]", *rows]))
    assert main(["try", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
