"""A few trials of each kind of wrong input; `make fuzz` makes more."""

import importlib

import pytest
from fuzz import sweeps
from fuzz.__main__ import MODULES
from fuzz.runner import run

TRIALS = {"archives": 60, "folders": 8, "instrument": 150, "kills": 1, "sweeps": 1}
ELSEWHERE = {"torchrun": "tests/experiments/test_processes.py", "two_hosts": "needs root"}
"""What takes long has a short test of its own; what needs more than the tests do is not run."""


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ELSEWHERE])
def test_wrong_input_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "BREAKS", (1, 1))
    done = run(importlib.import_module(f"fuzz.{name}"), seed=0, most=TRIALS.get(name, 30))
    assert done.faults == []
    assert done.trials == TRIALS.get(name, 30)
