"""One thread, reproducible property tests, kernels of its own for each worker, and a generator."""

import os
from pathlib import Path

import pytest

KEPT = Path(__file__).parents[1] / ".pytest_cache" / "kernels"
"""Where workers keep what they compile, so that only the first run after a change compiles."""

worker = os.environ.get("PYTEST_XDIST_WORKER")
if worker and "NUMBA_CACHE_DIR" not in os.environ:
    # Numba numbers the files of a kernel without a lock: two processes that write one index at the
    # same time can leave an entry that names the code of another signature.
    os.environ["NUMBA_CACHE_DIR"] = str(KEPT / worker)
os.environ["OMP_NUM_THREADS"] = "1"  # here and in processes that tests start

import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("mho", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("mho")
torch.set_num_threads(1)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(20_240_607)
