"""A bad run folder is refused in one sentence that names file, field and value."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import mho.report
from mho.report.schema import read_run


def test_a_realistic_run_is_read(run_folder: Callable[..., Path]) -> None:
    run = read_run(run_folder())
    assert run.title.startswith("Write once")
    assert run.claims[4].better == "lower"
    assert [each.better for each in run.claims[:2]] == ["higher", "higher"]
    assert run.ledger[0].counts["adc_conversions"] > 0
    assert "kind" not in run.ledger[1].counts
    assert run.env["commit"] == "0123abc"


def test_a_minimal_run_is_enough(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(
        '{"experiment": "x", "title": "t", "seed": 0, "claims": [], "curves": [], "extra": 1}'
    )
    assert mho.report.write(tmp_path).exists()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["title"], 3, "title = 3"),
        (["seed"], True, "seed = True"),
        (["seed"], "0", "seed = '0'"),
        (["claims"], {}, "claims = {}"),
        (["claims", 0, "ours"], "98", "claims[0].ours = '98'"),
        (["claims", 0, "ours"], float("nan"), "claims[0].ours = nan"),
        (["claims", 0, "paper"], float("inf"), "claims[0].paper = inf"),
        (["claims", 1, "std"], -1.0, "claims[1].std = -1.0"),
        (["claims", 1, "n"], 2.5, "claims[1].n = 2.5"),
        (["claims", 1, "better"], "up", "claims[1].better = 'up'"),
        (["curves", 0, "x_scale"], "cubic", "curves[0].x_scale = 'cubic'"),
        (["curves", 0, "series", 0, "y"], [1.0], "curves[0].series[0].y"),
        (["curves", 0, "series", 0, "std"], [1.0], "curves[0].series[0].std"),
        (["curves", 0, "id"], "../../etc", "curves[0].id = '../../etc'"),
        (["curves", 0, "id"], "claims", "curves[0].id = 'claims'"),
        (["curves", 0, "id"], "wear", "id = 'wear'"),
        (["histograms", 0, "groups", 0, "edges"], [0, 1], "histograms[0].groups[0].edges"),
        (["histograms", 1, "groups", 0, "counts", 3], None, "histograms[1].groups[0].counts"),
        (["ledger", "layers", 0, "writes"], 1.5, "ledger.layers[0].writes = 1.5"),
        (["ledger", "layers", 0, "writes"], "many", "ledger.layers[0].writes = 'many'"),
        (["cost", "items", 0, "value"], [], "cost.items[0].value = []"),
        (["cost"], 7, "cost = 7"),
    ],
)
def test_a_wrong_field_is_named(
    run_folder: Callable[..., Path], content: dict, path: list, value: object, words: str
) -> None:
    part = content
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    folder = run_folder(content)
    with pytest.raises(ValueError, match=r"result\.json") as refusal:
        mho.report.write(folder)
    assert words in str(refusal.value)
    assert not (folder / "report.html").exists()
    assert not (folder / "figures").exists()


@pytest.mark.parametrize("field", ["experiment", "title", "seed", "claims"])
def test_a_missing_field_is_named(
    run_folder: Callable[..., Path], content: dict, field: str
) -> None:
    del content[field]
    with pytest.raises(ValueError, match=rf"result.json: {field} = 'missing'"):
        mho.report.write(run_folder(content))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "line 1, column 1"),
        (b'{"title": ', "line 1, column 11"),
        (b"[]", "a table of named fields"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"[" * 100_000, "valid JSON"),
        (b'{"seed": ' + b"9" * 5_000 + b"}", "valid JSON"),
    ],
)
@pytest.mark.parametrize("name", ["result.json", "env.json"])
def test_a_corrupt_file_is_named(
    run_folder: Callable[..., Path], name: str, raw: bytes, words: str
) -> None:
    folder = run_folder()
    (folder / name).write_bytes(raw)
    with pytest.raises(ValueError, match=name) as refusal:
        mho.report.write(folder)
    assert words in str(refusal.value)


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"result.json is missing"):
        mho.report.write(tmp_path)
    with pytest.raises(ValueError, match="an existing run folder"):
        mho.report.write(tmp_path / "nowhere")


def test_nan_as_json_writes_it_is_refused_in_place(run_folder: Callable[..., Path]) -> None:
    folder = run_folder()
    text = (folder / "result.json").read_text()
    (folder / "result.json").write_text(text.replace('"ours": 98.71', '"ours": NaN'))
    assert "NaN" in (folder / "result.json").read_text()
    with pytest.raises(ValueError, match=r"claims\[0\].ours = nan"):
        mho.report.write(folder)
    assert json.loads(text)["claims"][0]["ours"] == 98.71
