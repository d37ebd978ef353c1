"""The committed results are read and written unchanged; a wrong field is refused by its place."""

import json
from pathlib import Path

import pytest

from builders.sample_result import sample_result
from mho.results import Result, dumps, load, read
from mho.results.earlier import result_of_today

RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.parametrize(
    "path", sorted(RESULTS.rglob("result.json")), ids=lambda p: f"{p.parts[-3]}-{p.parts[-2]}"
)
def test_a_committed_result_is_the_same_after_a_round_trip(path: Path) -> None:
    document = result_of_today(json.loads(path.read_text(encoding="utf-8")))
    written = json.loads(dumps(load(Result, path)))
    kept = {name: block for name, block in document.items() if block != []}
    assert json.dumps(written, sort_keys=True) == json.dumps(kept, sort_keys=True)


def test_records_read_again_are_equal() -> None:
    result = read(Result, sample_result("bmcnn"), "result.json")
    assert read(Result, json.loads(dumps(result)), "result.json") == result


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
        (["ledger", "layers", 1, "kind"], "linear", "ledger.layers[1].kind = 'linear'"),
        (["ledger", "total", "writes"], 1.5, "ledger.total.writes = 1.5"),
        (["cost"], 7, "cost = 7"),
    ],
)
def test_a_wrong_field_is_named(path: list, value: object, words: str) -> None:
    part = content = sample_result("bmcnn")
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    with pytest.raises(ValueError, match=r"^a/result\.json: ") as refusal:
        read(Result, content, "a/result.json")
    assert words in str(refusal.value)


@pytest.mark.parametrize("field", ["experiment", "title", "seed", "claims"])
def test_a_missing_field_is_named(field: str) -> None:
    content = sample_result("bmcnn")
    del content[field]
    with pytest.raises(ValueError, match=rf"result.json: {field} = 'missing'"):
        read(Result, content, "result.json")


@pytest.mark.parametrize(
    ("block", "field"),
    [
        ("maps", field)
        for field in ("id", "title", "x_label", "y_label", "value_label", "x", "y", "values")
    ]
    + [("tables", field) for field in ("id", "title", "columns", "rows")]
    + [("claims", field) for field in ("id", "what", "paper", "ours")],
)
def test_a_missing_field_of_a_part_is_named(block: str, field: str) -> None:
    content = sample_result("bmcnn")
    del content[block][0][field]
    with pytest.raises(ValueError, match=rf"result.json: {block}\[0\].{field} = 'missing'"):
        read(Result, content, "result.json")


def test_two_tables_cannot_share_an_id() -> None:
    content = sample_result("bmcnn")
    content["tables"] *= 2
    with pytest.raises(ValueError, match=r"id = 'mitigations': .*one table per id"):
        read(Result, content, "result.json")
