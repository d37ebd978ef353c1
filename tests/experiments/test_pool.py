"""Runs of several seeds, pooled, say what one run over all of them would have said."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mho.cli import main
from mho.experiments.pool import pool
from mho.experiments.result import bar_group, bars, claim, curve, series, table
from mho.report.schema import read_run
from wired_array import wired_array

VALUES = {0: [97.0, 98.0, 99.0], 1: [96.0, 98.5], 5: [95.0, 95.5, 96.0, 99.5]}


def result(seed: int) -> dict[str, Any]:
    values = VALUES[seed]
    return {
        "experiment": "bmcnn", "preset": "quick", "seed": seed, "wall_s": 2.0, "title": "t",
        "claims": [
            claim("mean", "mean accuracy", values, "%", note=f"seed {seed}"),
            claim("worst", "worst", values, "%", pooled="lowest"),
            claim("most", "most", values, "", pooled="highest"),
        ],
        "curves": [curve("c", "t", "x", "y", [
            series("line", [1, 2], [values, values]), series(f"only {seed}", [1], [values]),
        ]), curve("dots", "t", "x", "y", [series("a", [seed], [[seed / 2]])])
            | {"pooled": "points"}],
        "tables": [
            table("plain", "t", [("what", ""), ("n", ""), ("same", "")],
                  [["row", seed, 7], ["gap", None if seed else 1, 7]]),
            table("spread", "with spread", [("n", "")], [[{"mean": seed, "std": 1.0}]]),
        ],
        "bars": [
            bars("b", "both", "energy [J]", ["a", "b"], [
                bar_group("spread", [values, []]), bar_group("alone", [[seed], [2.0]]),
            ]),
            bars("other", "others", "v", [f"seed {seed}"], [bar_group("", [[seed]])]),
        ],
        "maps": [{
            "id": "m", "title": "t", "x_label": "x", "y_label": "y", "value_label": "v",
            "x": [1, 2], "y": ["a"], "values": [[float(seed), None]],
        }],
        "circuits": [wired_array(2, 3, ohms=1.0 + seed)],
    }  # fmt: skip


def folders(path: Path, config: dict[int, str] | None = None) -> list[Path]:
    made = []
    for seed in VALUES:
        folder = path / f"seed{seed}"
        folder.mkdir()
        (folder / "result.json").write_text(json.dumps(result(seed)))
        text = (config or {}).get(seed, "epochs = 3\n")
        (folder / "config.toml").write_text(f"seed = {seed}\n{text}")
        (folder / "env.json").write_text(
            json.dumps({"device": "cuda: x", "command": f"run {seed}"})
        )
        made.append(folder)
    return made


def test_claims_are_those_of_all_values_together(tmp_path: Path) -> None:
    pooled = {c["id"]: c for c in pool(folders(tmp_path))["claims"]}
    every = torch.tensor([v for values in VALUES.values() for v in values], dtype=torch.float64)
    assert pooled["mean"]["ours"] == pytest.approx(every.mean().item())
    assert pooled["mean"]["std"] == pytest.approx(every.std().item())
    assert pooled["mean"]["n"] == pooled["worst"]["n"] == 9
    assert pooled["mean"]["note"] == "seed 0; seed 1; seed 5"
    assert pooled["worst"]["ours"] == 95.0
    assert pooled["most"]["ours"] == 99.5
    assert pooled["worst"]["std"] is None


def test_curves_and_maps_are_means(tmp_path: Path) -> None:
    both = pool(folders(tmp_path))
    line, alone = both["curves"][0]["series"]
    means = [sum(v) / len(v) for v in VALUES.values()]
    assert line["y"] == pytest.approx([sum(means) / 3] * 2)
    stds = [torch.tensor(v).std().item() for v in VALUES.values()]
    between = sum((m - sum(means) / 3) ** 2 for m in means) / 3
    assert line["std"] == pytest.approx([(sum(s**2 for s in stds) / 3 + between) ** 0.5] * 2)
    assert alone["name"] == "only 0"
    assert "line 'only 0' of 't'" in both["summary"]
    assert both["maps"][0]["values"] == [[2.0, None]]
    assert both["seeds"] == [0, 1, 5]


def test_an_array_is_that_of_the_first(tmp_path: Path) -> None:
    both = pool(folders(tmp_path))
    assert both["circuits"] == [wired_array(2, 3, ohms=1.0)]
    assert "array 'Currents and voltages of an array'" in both["summary"]


def test_bars_are_means_where_their_categories_agree(tmp_path: Path) -> None:
    pooled = pool(folders(tmp_path))
    both, other = pooled["bars"]
    spread, alone = both["groups"]
    line = pooled["curves"][0]["series"][0]
    assert spread["values"] == [pytest.approx(line["y"][0]), None]
    assert spread["std"] == [pytest.approx(line["std"][0]), None]
    assert alone["values"] == [2.0, 2.0]
    assert alone["std"] == [pytest.approx(7**0.5), 0.0]  # of single values: the sample's
    assert (other["categories"], other["pooled"]) == (["seed 0"], "first")
    assert "bars 'others'" in pooled["summary"]
    assert "bars 'both'" not in pooled["summary"]


def test_a_line_with_gaps_is_pooled(tmp_path: Path) -> None:
    runs = folders(tmp_path)
    for run in runs:
        content = json.loads((run / "result.json").read_text())
        line = content["curves"][0]["series"][0]
        line["y"][1] = line["std"][1] = None
        (run / "result.json").write_text(json.dumps(content))
    line = pool(runs)["curves"][0]["series"][0]
    assert line["y"][1] is line["std"][1] is None
    assert line["y"][0] > 90


def test_the_first_run_may_do_more_beside_its_claims(tmp_path: Path) -> None:
    more, fewer = 'studies = ["a", "b"]\n', 'studies = ["a"]\n'
    runs = folders(tmp_path, {0: more, 1: fewer, 5: "studies = []\n"})
    content = json.loads((runs[0] / "result.json").read_text())
    content["curves"].append(curve("b", "its own", "x", "y", [series("line", [1], [[5.0]])]))
    (runs[0] / "result.json").write_text(json.dumps(content))
    pooled = pool(runs)
    assert pooled["curves"][-1] == content["curves"][-1]
    assert pooled["claims"][0]["n"] == 9
    assert "did not do beside their claims" in pooled["summary"]
    with pytest.raises(ValueError, match=r"studies of .*seed0 = \['b'\]: allowed is among those"):
        pool([runs[1], runs[0]])


def test_what_only_some_did_is_pooled_over_these(tmp_path: Path) -> None:
    more = 'studies = ["a", "b"]\n'
    runs = folders(tmp_path, {0: more, 1: more, 5: "studies = []\n"})
    for k, run in enumerate(runs[:2]):
        content = json.loads((run / "result.json").read_text())
        content["curves"].append(curve("b", "theirs", "x", "y", [series("line", [1], [[5.0 + k]])]))
        content["claims"].append(claim("beside", "beside", [2.0 + 2 * k], "%"))
        content["tables"][0]["rows"].append(["more", k, k])
        content["bars"][1]["categories"] = ["of both"]
        (run / "result.json").write_text(json.dumps(content))
    pooled = pool(runs)
    assert [pooled["claims"][k]["n"] for k in (0, -1)] == [9, 2]
    assert pooled["claims"][-1]["ours"] == 3.0
    assert pooled["curves"][-1]["series"][0]["y"] == [5.5]
    assert pooled["tables"][0]["rows"][2][1]["mean"] == 0.5
    assert pooled["bars"][1]["groups"][0]["values"] == [0.5]
    assert "Of the seeds 0, 1 alone is all that the others did not do" in pooled["summary"]


def test_tables_that_name_other_rows_are_the_first_run_s(tmp_path: Path) -> None:
    runs = folders(tmp_path)
    content = json.loads((runs[1] / "result.json").read_text())
    content["tables"][0]["rows"][0][0] = "another"
    (runs[1] / "result.json").write_text(json.dumps(content))
    plain = pool(runs)["tables"][0]
    assert plain["pooled"] == "first"
    assert plain["rows"][0] == ["row", 0, 7]


def test_the_command_writes_a_folder_that_the_report_reads(tmp_path: Path) -> None:
    runs = [str(f) for f in folders(tmp_path)]
    out = tmp_path / "pooled"
    assert main(["pool", *runs, "--out", str(out)]) == 0
    assert read_run(out).claims[0].n == 9
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
    with pytest.raises(ValueError, match="a finished run"):
        pool([runs[0], tmp_path / "nowhere"])
    (runs[2] / "result.json").write_text("{")
    with pytest.raises(ValueError, match=r"a readable result\.json"):
        pool([runs[0], runs[2]])


def test_a_cut_environment_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = folders(tmp_path)
    (runs[1] / "env.json").write_text('{"device"')
    out = tmp_path / "pooled"
    assert main(["pool", *map(str, runs), "--out", str(out)]) == 2
    assert "a readable env.json" in capsys.readouterr().err
    assert not out.exists()


def test_points_are_gathered_and_tables_averaged_number_by_number(tmp_path: Path) -> None:
    pooled = pool(folders(tmp_path))
    dots = next(c for c in pooled["curves"] if c["id"] == "dots")["series"][0]
    assert (dots["x"], dots["y"]) == ([0, 1, 5], [0.0, 0.5, 2.5])
    plain, spread = pooled["tables"]
    assert plain["rows"] == [
        ["row", {"mean": 2, "std": pytest.approx(7**0.5)}, 7],
        ["gap", None, 7],
    ]
    assert spread["rows"] == result(0)["tables"][1]["rows"]
    assert "table 'with spread'" in pooled["summary"]
