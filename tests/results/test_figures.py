"""Figures refuse what cannot be drawn, as JSON by its place and in Python by the field."""

from collections.abc import Callable

import pytest

from builders.sample_result import sample_result
from mho.results import BarGroup, Bars, Group, Map, Result, Series, read


def group(values: list[float | None]) -> dict:
    return {"name": "SET", "values": values, "std": None}


def bars(*groups: dict, **more: object) -> dict:
    names = [f"scheme {i}" for i in range(len(groups[0]["values"]))]
    heads = {"id": "energies", "title": "Energies", "value_label": "energy [J]"}
    return heads | {"categories": names, "groups": list(groups)} | more


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Series("a", [1, 2], [1.0]), "^y = '1 values': expected 2 values, as many as x"),
        (lambda: Series("a", [1], [1.0], [0.1, 0.2]), "^std = '2 values'"),
        (lambda: Group("a", [0, 1, 1], [1, 1]), "^edges = .*edges that rise"),
        (lambda: Group("a", [0, 1], [-1]), "^counts = .*at least 0"),
        (lambda: Bars("claims", "t", "v", ["a"], [BarGroup("", [1])]), "^id = 'claims'"),
        (lambda: Bars("b", "t", "v", ["a"], [BarGroup("", [1, 2])]), r"^groups\[0\].values"),
        (lambda: Map("m", "t", "x", "y", "v", [1, "a"], [1], [[1, 2]]), "^x = .*all strings"),
        (lambda: Map("m", "t", "x", "y", "v", [1], [1, 2], [[1]]), "^values = '1 rows'"),
    ],
)
def test_records_that_are_made_refuse_as_those_that_are_read(
    make: Callable[[], object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ([], {}, "bars = {}"),
        ([0, "id"], "Accuracy", "id = 'accuracy'"),
        ([0, "id"], "a/b", "bars[0].id = 'a/b'"),
        ([0, "id"], "claims", "bars[0].id = 'claims'"),
        ([0, "title"], None, "bars[0].title = None"),
        ([0, "value_label"], 1, "bars[0].value_label = 1"),
        ([0, "scale"], "sqrt", "bars[0].scale = 'sqrt'"),
        ([0, "stacked"], 1, "bars[0].stacked = 1"),
        ([0, "categories"], [], "bars[0].categories = []"),
        ([0, "categories", 1], 2, "bars[0].categories[1] = 2"),
        ([0, "groups"], [], "bars[0].groups = []"),
        ([0, "groups", 0, "name"], None, "bars[0].groups[0].name = None"),
        ([0, "groups", 0, "values"], [1], "bars[0].groups[0].values = '1 values'"),
        ([0, "groups", 0, "values", 1], "2", "bars[0].groups[0].values[1] = '2'"),
        ([0, "groups", 0, "values", 1], float("inf"), "bars[0].groups[0].values[1] = inf"),
        ([0, "groups", 0, "std"], [1], "bars[0].groups[0].std = '1 values'"),
        ([0, "groups", 0, "std"], [1, -1], "bars[0].groups[0].std[1] = -1"),
        ([0, "groups", 0, "std"], [1, float("nan")], "bars[0].groups[0].std[1] = nan"),
        ([0, "groups", 0, "std"], 3, "bars[0].groups[0].std = 3"),
        ([1, "id"], "Energies", "id = 'energies'"),
        ([1, "scale"], "log", "bars[1].scale = 'log'"),
        ([1, "groups", 0, "std"], [1, 1], "bars[1].groups[0].std = [1, 1]"),
        ([1, "groups", 0, "values"], [1, -1], "bars[1].groups[0].values = [1, -1]"),
    ],
)
def test_a_wrong_field_of_bars_is_named(path: list, value: object, words: str) -> None:
    content = sample_result("bmcnn")
    content["bars"] = [
        bars(group([1, 2])),
        bars(group([1, None]), group([2, 2]), id="parts", stacked=True),
    ]
    part, keys = content, ["bars", *path]
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    with pytest.raises(ValueError, match=r"^result\.json: ") as refusal:
        read(Result, content, "result.json")
    assert words in str(refusal.value)


@pytest.mark.parametrize("field", ["id", "title", "value_label", "categories", "groups"])
def test_a_missing_field_of_bars_is_named(field: str) -> None:
    content = bars(group([1, 2]))
    del content[field]
    with pytest.raises(ValueError, match=rf"^result.json: bars\[0\].{field} = 'missing'"):
        read(Bars, content, "result.json: bars[0]")
