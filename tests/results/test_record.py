"""Records are read from JSON with refusals that name the place, and written plainly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mho.config import Range
from mho.results.record import Record, clean, dumps, id_of, load, optional, plain, read, remaining


@dataclass(frozen=True)
class Item(Record):
    name: str
    share: Annotated[float, Range(least=0.0)] | None = None


@dataclass(frozen=True)
class Whole(Record):
    n: int
    values: Sequence[float | None]
    items: Sequence[Item] = ()
    kind: Literal["a", "b"] = "a"
    cell: str | float | Item | None = None
    told: bool = optional(True)
    events: Mapping[str, int] | None = optional(None)


@dataclass(frozen=True)
class Counts(Record):
    layer: str
    counts: Mapping[str, int] = remaining()


@dataclass(frozen=True, eq=False)
class Field(Record):
    values: np.ndarray


DOCUMENT: dict[str, Any] = {
    "n": 2,
    "values": [1, 2.5, None],
    "items": [{"name": "a", "share": 0.5}, {"name": "b", "share": None}],
    "kind": "b",
    "cell": {"name": "c", "share": 0},
    "told": False,
    "events": {"reads": 3},
}


def test_a_document_is_the_same_after_a_round_trip() -> None:
    whole = read(Whole, DOCUMENT | {"unknown": 1}, "a.json")
    assert whole.items[1] == Item("b")
    assert whole.values == (1, 2.5, None)
    assert isinstance(whole.values[0], int), "integers stay integers"
    assert plain(whole) == DOCUMENT
    assert json.loads(dumps(whole)) == DOCUMENT


def test_defaults_are_written_but_for_optional_ones() -> None:
    whole = read(Whole, {"n": 1, "values": []}, "a.json")
    assert whole == Whole(1, [])
    assert plain(whole) == {"n": 1, "values": [], "items": [], "kind": "a", "cell": None}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n": True}, "n = True: expected an integer"),
        ({"n": 1.0}, "n = 1.0: expected an integer"),
        ({"values": None}, "values = None: expected a list"),
        ({"values": [0, "1"]}, "values[1] = '1': expected a number, or null"),
        ({"values": [0, True]}, "values[1] = True"),
        ({"values": [float("nan")]}, "values[0] = nan: expected a finite number, or null"),
        ({"values": [10**400]}, "values[0] = '1000"),
        ({"items": [{}]}, "items[0].name = 'missing'"),
        ({"items": [7]}, "items[0] = 7: expected a table of named fields"),
        ({"items": [{"name": "a", "share": -1}]}, "items[0].share = -1: expected a finite"),
        ({"kind": "c"}, "kind = 'c': expected 'a' or 'b'"),
        ({"kind": []}, "kind = []"),
        ({"cell": [1]}, "cell = [1]: expected a string, or a number, or a table"),
        ({"cell": {"share": 1}}, "cell.name = 'missing'"),
        ({"told": 1}, "told = 1: expected true or false"),
        ({"events": {"reads": 0.5}}, "events.reads = 0.5: expected an integer"),
    ],
)
def test_a_refusal_names_the_place(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        read(Whole, DOCUMENT | change, "runs/a.json")
    assert str(refusal.value).startswith(f"runs/a.json: {said}")
    assert len(str(refusal.value)) < 250


def test_a_record_may_take_all_other_fields() -> None:
    counts = read(Counts, {"layer": "fc", "cells": 3, "writes": 4}, "a")
    assert counts.counts == {"cells": 3, "writes": 4}
    assert plain(counts) == {"layer": "fc", "cells": 3, "writes": 4}
    with pytest.raises(ValueError, match=r"^a: cells = 'many': expected an integer"):
        read(Counts, {"layer": "fc", "cells": "many"}, "a")


def test_numbers_in_rows_become_an_array() -> None:
    field = read(Field, {"values": [[1, 2], [3, 4.5]]}, "a")
    assert field.values.dtype == np.float64
    assert plain(field) == {"values": [[1.0, 2.0], [3.0, 4.5]]}
    with pytest.raises(ValueError, match=r"^a: values\[1\] = '1 values': .* as the first row has"):
        read(Field, {"values": [[1, 2], [3]]}, "a")
    with pytest.raises(ValueError, match=r"^a: values\[0\]\[1\] = None"):
        read(Field, {"values": [[1, None]]}, "a")


def test_plain_has_no_numbers_that_json_lacks() -> None:
    value = plain({"a": float("nan"), "b": (1, float("inf")), "c": torch.tensor([1.5])})
    assert json.dumps(value, allow_nan=False) == '{"a": null, "b": [1, null], "c": [1.5]}'


@given(st.text())
def test_text_that_xml_cannot_carry_is_replaced(text: str) -> None:
    item = read(Item, {"name": text}, "a")
    assert item.name == clean(text) == clean(item.name)
    assert len(item.name) == len(text)
    item.name.encode()


def test_a_file_is_read_or_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(ValueError, match=r"a\.json': .*JSON file \(No such file"):
        load(Whole, path)
    path.write_text(json.dumps(DOCUMENT))
    assert plain(load(Whole, path)) == DOCUMENT


def test_names_as_ids() -> None:
    assert id_of("verified, 0.5 % of it") == "verified_0_5_of_it"
