"""`mho compare`: a page on several runs, or one line on what is wrong."""

from pathlib import Path

import pytest

from mho.cli import main
from mho.cli.compare import names

RESULTS = Path(__file__).parents[2] / "results" / "siamese"


def test_committed_runs_beside_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(RESULTS / name) for name in ("closed-loop", "retention")]
    out = tmp_path / "both"
    assert main(["compare", *runs, "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out / "report.html")
    page = (out / "report.html").read_text(encoding="utf-8")
    for words in ("2 runs side by side", "What was set differently", "closed-loop", "retention"):
        assert words in page


def test_what_is_no_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = str(RESULTS / "retention"), tmp_path / "out"
    for arguments, said in (
        ([run], "2 to 12 run folders"),
        ([run, str(tmp_path)], "a finished run, with result.json"),
        ([run, run, "--out", run], "a folder that is no run folder"),
    ):
        if "--out" not in arguments:
            arguments = [*arguments, "--out", str(out)]
        assert main(["compare", *arguments]) == 2
        assert said in capsys.readouterr().err
        assert not out.exists()


def test_runs_are_told_apart_by_the_end_of_their_paths() -> None:
    assert names((Path("a/x"), Path("a/y"))) == ["x", "y"]
    assert names((Path("/a/x"), Path("/b/x"))) == ["a/x", "b/x"]
    assert names((Path("/a/x"), Path("/a/x"))) == ["/a/x (1)", "/a/x (2)"]
