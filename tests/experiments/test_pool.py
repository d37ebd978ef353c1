"""Which runs are pooled: of one configuration, other seeds, none doing more than the first."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from builders.three_runs import VALUES, result
from mho.cli import main
from mho.experiments.pool import pool
from mho.report.folder import RunFolder
from mho.results import Curve, MeanStd, claim, dumps, series


def folders(path: Path, config: dict[int, str] | None = None) -> list[Path]:
    made = []
    for seed in VALUES:
        folder = path / f"seed{seed}"
        folder.mkdir()
        (folder / "result.json").write_text(dumps(result(seed)))
        text = (config or {}).get(seed, "epochs = 3\n")
        (folder / "config.toml").write_text(f"seed = {seed}\n{text}")
        (folder / "env.json").write_text(
            json.dumps({"device": "cuda: x", "command": f"run {seed}"})
        )
        made.append(folder)
    return made


def test_the_first_run_may_do_more_beside_its_claims(tmp_path: Path) -> None:
    more, fewer = 'studies = ["a", "b"]\n', 'studies = ["a"]\n'
    runs = folders(tmp_path, {0: more, 1: fewer, 5: "studies = []\n"})
    own = Curve("own", "its own", "x", "y", [series("line", [1], [[5.0]])])
    first = result(0)
    (runs[0] / "result.json").write_text(dumps(replace(first, curves=[*first.curves, own])))
    pooled = pool(runs)
    assert pooled.curves[-1] == own
    assert pooled.claims[0].n == 9
    assert "did not do beside their claims" in pooled.summary
    with pytest.raises(ValueError, match=r"studies of .*seed0 = \['b'\]: expected among those"):
        pool([runs[1], runs[0]])


def test_runs_of_an_earlier_version_are_pooled_with_those_of_this_one(tmp_path: Path) -> None:
    flat = 'family = "siamese"\ndevice = "cpu"\nstudy_epochs = 3\nfrugal = [1.5, 0.8]\n'
    now = 'family = "siamese"\nprocessor = "cuda"\nstudy.epochs = 3\n'
    now += "writes.falling_threshold.first = [1.5, 0.8]\n"
    assert pool(folders(tmp_path, {0: flat, 1: now, 5: now})).seeds == (0, 1, 5)


def test_what_only_some_did_is_pooled_over_these(tmp_path: Path) -> None:
    more = 'studies = ["a", "b"]\n'
    runs = folders(tmp_path, {0: more, 1: more, 5: "studies = []\n"})
    for k, run in enumerate(runs[:2]):
        found = result(k)
        theirs = Curve("theirs", "theirs", "x", "y", [series("line", [1], [[5.0 + k]])])
        beside = claim("beside", "beside", [2.0 + 2 * k], "%")
        table, bars = found.tables[0], found.bars[1]
        more = replace(
            found,
            curves=[*found.curves, theirs],
            claims=[*found.claims, beside],
            tables=[replace(table, rows=[*table.rows, ["more", k, k]])],
            bars=[found.bars[0], replace(bars, categories=["of both"])],
        )
        (run / "result.json").write_text(dumps(more))
    pooled = pool(runs)
    assert [pooled.claims[k].n for k in (0, -1)] == [9, 2]
    assert pooled.claims[-1].ours == 3.0
    assert pooled.curves[-1].series[0].y == (5.5,)
    assert pooled.tables[0].rows[2][1] == MeanStd(0.5, pytest.approx(0.5**0.5))
    assert pooled.bars[1].groups[0].values == (0.5,)
    assert "Of the seeds 0, 1 alone is all that the others did not do" in pooled.summary


def test_the_command_writes_a_folder_that_the_report_reads(tmp_path: Path) -> None:
    runs = [str(f) for f in folders(tmp_path)]
    out = tmp_path / "pooled"
    assert main(["pool", *runs, "--out", str(out)]) == 0
    assert RunFolder.read(out).result.claims[0].n == 9
    assert (out / "report.html").exists()
    about = json.loads((out / "env.json").read_text())
    assert [run["command"] for run in about["runs"]] == ["run 0", "run 1", "run 5"]
    assert about["device"] == "cuda: x"
    assert main(["pool", *runs, "--out", str(out)]) == 2


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    runs = folders(tmp_path, {1: "epochs = 4\n"})
    with pytest.raises(ValueError, match=r"seed1.*\['epochs'\] differ"):
        pool(runs)
    with pytest.raises(ValueError, match="at least two"):
        pool(runs[:1])
    with pytest.raises(ValueError, match="each seed once"):
        pool([runs[0], runs[0]])
    with pytest.raises(ValueError, match=r"nowhere.*a readable JSON file"):
        pool([runs[0], tmp_path / "nowhere"])
    (runs[2] / "result.json").write_text("{")
    with pytest.raises(ValueError, match=r"result\.json = .*valid JSON"):
        pool([runs[0], runs[2]])


def test_a_cut_environment_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = folders(tmp_path)
    (runs[1] / "env.json").write_text('{"device"')
    out = tmp_path / "pooled"
    assert main(["pool", *map(str, runs), "--out", str(out)]) == 2
    assert "env.json = " in capsys.readouterr().err
    assert not out.exists()
