"""Kernels compile with or without a folder that keeps them."""

import importlib.util
import pkgutil

import pytest
from numba.core import caching

import mho.kernels


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(mho.kernels.__path__)])
def test_kernels_load_where_nothing_can_be_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])
    spec = importlib.util.find_spec(f"mho.kernels.{name}")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
