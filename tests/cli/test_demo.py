"""`mho demo`: an answer, a page, and the same once more without training."""

from pathlib import Path

import pytest

from mho.cli import main
from mho.cli.demo import SMALLER, Demo


def test_a_demo_answers_and_a_second_one_only_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"per_class": 20, "epochs": 1, "hidden": 8, "calibration": 20}.items():
        monkeypatch.setitem(SMALLER, name, value)
    folder = tmp_path / "demo"
    assert main(["demo", "--out", str(folder)]) == 0
    first = capsys.readouterr()
    assert "how often must its cells be written?" in first.err
    assert "beyond a falling threshold" in first.out
    assert "% of the writes are saved" in " ".join(first.out.split())
    assert str(folder / "report.html") in first.out
    assert (folder / "result.json").is_file()
    Demo(out=folder).run()
    second = capsys.readouterr()
    assert second.out == first.out
    assert second.err == ""


def test_a_folder_with_something_else_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "demo").write_text("a file")
    assert main(["demo", "--out", str(tmp_path / "demo")]) != 0
    assert str(tmp_path / "demo") in capsys.readouterr().err
