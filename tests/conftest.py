"""One thread, reproducible property tests, and a generator."""

import pytest
import torch
from hypothesis import settings

settings.register_profile("mho", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("mho")


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(20_240_607)
