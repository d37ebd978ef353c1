"""What users import: a short list at the top, the rest in modules with names of their own."""

import importlib
from types import ModuleType

import pytest

import mho

MODULES = (
    *("cells", "circuits", "data", "devices", "dynamics", "fit", "hardware", "instruments"),
    *("interchange", "kernels", "nn", "prices", "rules", "sweep", "tasks"),
)
TYPES = {
    "rules": (
        "UpdateRule",
        "Update",
        "Steers",
        "Observes",
        "Synapses",
        "WritePolicy",
        "Candidates",
    ),
    "hardware": ("Crossbar", "Mapping", "Ledger", "LayerLedger", "Cost", "Prices"),
    "instruments": ("Instrument", "Chip", "Outcome"),
    "cells": ("Cell", "Programming", "Retention", "Preset"),
    "circuits": ("Conduction", "OperatingPoint"),
    "nn": ("ArrayLayer", "Product"),
}
"""What one needs to type a part of one's own, or what mho gives back."""


def test_few_names_stand_at_the_top() -> None:
    names = [n for n in mho.__all__ if not isinstance(getattr(mho, n), ModuleType)]
    assert 20 <= len(names) <= 40
    assert set(MODULES) - {"fit", "interchange", "sweep"} <= set(mho.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_modules_can_be_imported_and_hold_what_they_list(name: str) -> None:
    module = importlib.import_module(f"mho.{name}")
    assert getattr(mho, name) is module
    for each in getattr(module, "__all__", ()):
        assert getattr(module, each) is not None


@pytest.mark.parametrize("module", TYPES)
def test_what_a_part_of_ones_own_is_typed_by_is_public(module: str) -> None:
    assert set(TYPES[module]) <= set(importlib.import_module(f"mho.{module}").__all__)


def test_names_of_modules_are_found_from_the_top_too() -> None:
    assert mho.MultiLevel is mho.cells.MultiLevel
    assert mho.PathImportance is mho.rules.PathImportance
    assert mho.effective_conductance is mho.circuits.effective_conductance
    with pytest.raises(AttributeError, match="has no attribute 'PathImportence'"):
        _ = mho.PathImportence


def test_no_name_means_two_things() -> None:
    """A name of two modules is one object."""
    seen: dict[str, object] = {}
    for name in ("cells", "rules", "tasks", "circuits", "nn", "hardware"):
        module = importlib.import_module(f"mho.{name}")
        for each in module.__all__:
            assert seen.setdefault(each, getattr(module, each)) is getattr(module, each), each
