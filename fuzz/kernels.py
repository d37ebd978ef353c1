"""Compiled kernels whose files on disk were damaged: what they compute stays what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from unittest.mock import patch

from fuzz.mutations import bytes_changed
from mho.kernels import disk_cache
from mho.kernels.compiled import compiled
from mho.kernels.philox import philox

COUNTER = (1, 2, 3, 4, 5, 6)


def trials(random: Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Call a kernel as a new process does, after a change of the file that holds its code."""
    words = philox(*COUNTER)
    _call(folder / "kept")
    (file,) = (folder / "kept").iterdir()
    sound = file.read_bytes()
    while True:
        change, content = bytes_changed(random, sound)
        file.write_bytes(content)
        yield f"machine code: {change}", lambda: _same(folder / "kept", words)


def _same(kept: Path, words: object) -> None:
    if _call(kept) != words:
        raise AssertionError("a kernel computes something else")


def _call(kept: Path) -> object:
    with patch.object(disk_cache, "folder", lambda: kept):
        return compiled(philox.py_func)(*COUNTER)  # type: ignore[attr-defined]
