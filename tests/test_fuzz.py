"""A few trials of each kind of wrong input; `make fuzz` makes more."""

import importlib

import pytest
from fuzz.__main__ import MODULES
from fuzz.runner import run

TRIALS = {"archives": 60, "folders": 8, "instrument": 150, "kills": 1, "sweeps": 1}


@pytest.mark.parametrize("name", MODULES)
def test_wrong_input_is_refused(name: str) -> None:
    done = run(importlib.import_module(f"fuzz.{name}"), seed=0, most=TRIALS.get(name, 30))
    assert done.faults == []
    assert done.trials == TRIALS.get(name, 30)
