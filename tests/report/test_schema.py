"""A bad run folder is refused in one sentence that names file, field and value."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import mho.report
from mho.report.schema import read_run
from mho.report.schema_tables import Value


def test_a_realistic_run_is_read(run_folder: Callable[..., Path]) -> None:
    run = read_run(run_folder())
    assert run.title.startswith("Write once")
    assert run.claims[4].better == "lower"
    assert [each.better for each in run.claims[:2]] == ["higher", "higher"]
    assert run.ledger[0].counts["adc_conversions"] > 0
    assert "kind" not in run.ledger[1].counts
    assert run.env["commit"] == "0123abc"
    assert [each.id for each in run.figures][3:] == ["confusion", "levels", "wear"]
    assert run.maps[0].text
    assert run.tables[0].rows[1][1] == Value(mean=97.9, std=None)
    assert run.tables[0].rows[2][2:] == [None, "not counted"]


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
        (["maps"], {}, "maps = {}"),
        (["maps", 0, "id"], "wear", "id = 'wear'"),
        (["maps", 0, "id"], "Accuracy", "id = 'accuracy'"),
        (["maps", 0, "id"], "claims", "maps[0].id = 'claims'"),
        (["maps", 0, "id"], "a/b", "maps[0].id = 'a/b'"),
        (["maps", 0, "title"], None, "maps[0].title = None"),
        (["maps", 0, "x_label"], 1, "maps[0].x_label = 1"),
        (["maps", 0, "y_label"], 1, "maps[0].y_label = 1"),
        (["maps", 0, "value_label"], 1, "maps[0].value_label = 1"),
        (["maps", 0, "x"], "abc", "maps[0].x = 'abc'"),
        (["maps", 0, "x"], [], "maps[0].x = []"),
        (["maps", 0, "x", 1], 1.0, "maps[0].x = ['0', 1.0, '2',"),
        (["maps", 0, "y", 0], None, "maps[0].y[0] = None"),
        (["maps", 0, "y"], [[]], "maps[0].y[0] = []"),
        (["maps", 0, "values"], [[1]], "maps[0].values = '1 rows'"),
        (["maps", 0, "values", 2], [1, 2], "maps[0].values[2] = '2 values'"),
        (["maps", 0, "values", 2], 5, "maps[0].values[2] = 5"),
        (["maps", 0, "values", 2, 3], "5", "maps[0].values[2][3] = '5'"),
        (["maps", 0, "values", 2, 3], float("inf"), "maps[0].values[2][3] = inf"),
        (["maps", 0, "scale"], "sqrt", "maps[0].scale = 'sqrt'"),
        (["maps", 0, "text"], 1, "maps[0].text = 1"),
        (["tables"], 3, "tables = 3"),
        (["tables", 0, "id"], "a b", "tables[0].id = 'a b'"),
        (["tables", 0, "title"], 3, "tables[0].title = 3"),
        (["tables", 0, "note"], 3, "tables[0].note = 3"),
        (["tables", 0, "columns"], [], "tables[0].columns = []"),
        (["tables", 0, "columns", 1], "accuracy", "tables[0].columns[1] = 'accuracy'"),
        (["tables", 0, "columns", 1, "name"], 1, "tables[0].columns[1].name = 1"),
        (["tables", 0, "columns", 1, "unit"], 1, "tables[0].columns[1].unit = 1"),
        (["tables", 0, "rows"], {}, "tables[0].rows = {}"),
        (["tables", 0, "rows", 1], ["a"], "tables[0].rows[1] = '1 cells'"),
        (["tables", 0, "rows", 1, 2], True, "tables[0].rows[1][2] = True"),
        (["tables", 0, "rows", 1, 2], [1], "tables[0].rows[1][2] = [1]"),
        (["tables", 0, "rows", 1, 2], float("nan"), "tables[0].rows[1][2] = nan"),
        (["tables", 0, "rows", 1, 2], {"std": 1}, "tables[0].rows[1][2].mean = 'missing'"),
        (["tables", 0, "rows", 0, 1, "mean"], None, "tables[0].rows[0][1].mean = None"),
        (["tables", 0, "rows", 0, 1, "std"], -1, "tables[0].rows[0][1].std = -1"),
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
    ("block", "field"),
    [
        ("maps", field)
        for field in ("id", "title", "x_label", "y_label", "value_label", "x", "y", "values")
    ]
    + [("tables", field) for field in ("id", "title", "columns", "rows")],
)
def test_a_missing_field_of_a_part_is_named(
    run_folder: Callable[..., Path], content: dict, block: str, field: str
) -> None:
    del content[block][0][field]
    with pytest.raises(ValueError, match=rf"result.json: {block}\[0\].{field} = 'missing'"):
        read_run(run_folder(content))


def test_two_tables_cannot_share_an_id(run_folder: Callable[..., Path], content: dict) -> None:
    content["tables"] *= 2
    with pytest.raises(ValueError, match=r"id = 'mitigations': .*one table per id"):
        read_run(run_folder(content))


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
