"""Kernels are what they were compiled from, and ready before they are called."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mho.kernels import philox
from mho.kernels.compiled import compiled, exclusive
from mho.kernels.disk_cache import DiskCache


def double(x: np.ndarray) -> None:
    for i in range(x.size):
        x[i] *= 2


def test_only_functions_of_these_sources_are_kept() -> None:
    assert not isinstance(exclusive(double).made()._cache, DiskCache)
    assert isinstance(compiled(philox.words.py_func).made()._cache, DiskCache)


def test_a_kernel_is_ready_for_arguments_without_a_call() -> None:
    kernel = exclusive(double)
    x = np.ones(3, np.float32)
    run = kernel.ready((x,))
    assert x.tolist() == [1, 1, 1]
    (before,) = kernel.made().overloads
    run(x)
    kernel(x)
    assert x.tolist() == [4, 4, 4]
    assert list(kernel.made().overloads) == [before]


IN_PYTHON = """
import numpy as np
from mho.kernels.normal import normals
out, same = np.empty(200, np.float32), np.empty(200, np.float32)
normals(out, np.uint64(7), 0)
normals.ready((same, np.uint64(7), 0))(same, np.uint64(7), 0)
print(hasattr(normals.made(), "overloads"), (out == same).all(), *out[:3])
"""


FIRST_CALL = """
import sys
import numpy as np
from mho.kernels.philox import words
print("numba" in sys.modules)
words(np.empty((1, 8), np.uint32), np.ones(1, np.uint64), 0)
print("numba" in sys.modules)
"""


def said(script: str, **variables: str) -> list[str]:
    """Words that a process prints."""
    command, env = [sys.executable, "-c", script], os.environ | variables
    return subprocess.run(
        command, env=env, text=True, stdout=subprocess.PIPE, check=True
    ).stdout.split()


def test_where_numba_is_told_not_to_compile_kernels_are_functions_of_python() -> None:
    in_python = said(IN_PYTHON, NUMBA_DISABLE_JIT="1")
    assert in_python[:2] == ["False", "True"]
    assert in_python[1:] == said(IN_PYTHON)[1:]


def test_numba_is_imported_with_the_first_kernel_that_is_called() -> None:
    assert said(FIRST_CALL) == ["False", "True"]


def test_threads_that_call_a_kernel_at_once_get_one_dispatcher() -> None:
    kernel = compiled(double)
    with ThreadPoolExecutor(8) as pool:
        assert len({id(made) for made in pool.map(lambda _: kernel.made(), range(8))}) == 1
