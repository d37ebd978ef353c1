"""One thread, the same random numbers in every run, and a place for compiled kernels."""

import os
from pathlib import Path

import pytest

# What is compiled stays here, whatever a test makes of the user's cache: only the first run after a
# change compiles.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache"))
os.environ["OMP_NUM_THREADS"] = "1"  # here and in processes that tests start

import torch
from hypothesis import settings

settings.register_profile("mho", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("mho")
torch.set_num_threads(1)


def pytest_pycollect_makemodule() -> None:
    """Draw the same at the import of a test file, whatever was imported before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Draw the same in a test, alone or after others."""
    torch.manual_seed(0)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(20_240_607)
