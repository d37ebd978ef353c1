"""Records of where a result was made hold what they should, or are refused by field."""

from typing import Any

import pytest

from mho.results.environment import checked

SOUND: dict[str, Any] = {
    "command": "mho run x", "date": "2026-01-01", "commit": None, "device": "cpu", "cores": 2,
    "threads": None, "seed": 0, "versions": {"torch": "2.13"}, "new": [1, {"a": 2}],
}  # fmt: skip


def test_what_runs_and_pools_write_passes() -> None:
    whole = {**SOUND, "runs": [SOUND, {}], "earlier": [SOUND]}
    assert checked(whole, "env.json") is whole


def nested(levels: int) -> dict[str, Any]:
    return {"a": nested(levels - 1)} if levels else {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"command": 3}, r"env\.json: command = 3: expected a text, or a list of texts"),
        ({"command": [3]}, r"env\.json: command = \[3\]"),
        ({"commit": 1}, r"commit = 1: expected a text, or null"),
        ({"threads": "2"}, "threads = '2'"),
        ({"seed": True}, "seed = True"),
        ({"versions": ["torch"]}, "versions = "),
        ({"versions": {"torch": None}}, "versions = "),
        ({"runs": {}}, "runs = "),
        ({"runs": [{}, 3]}, r"runs\[1\] = 3: expected a table of named fields"),
        ({"earlier": [{"device": []}]}, r"earlier\[0\]\.device = "),
        ({"more": nested(20)}, "tables within tables"),
    ],
)
def test_a_field_that_holds_something_else_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checked({**SOUND, **changes}, "env.json")
    with pytest.raises(ValueError, match="a table of named fields"):
        checked([SOUND], "env.json")
