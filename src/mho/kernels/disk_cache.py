"""Machine code of kernels, kept on disk between runs.

There is one file for each kernel, types of its arguments and kind of CPU. It holds the SHA-256 of
what follows, as machine code that is damaged would end the process. All files that were made from
the same sources, by the same versions, lie in one folder, whose name is a digest of these: a kernel
contains others. Files are replaced as a whole, so that any number of processes may start at once.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from mho.errors import warn
from mho.files import read_bytes, user_cache, write_bytes

UNUSED = 60 * 86400
"""Seconds after its last use for which a folder stays, when another one is made."""


class DiskCache:
    """What Numba asks for the machine code of a function before it compiles it, and gives it to
    afterwards: the interface of `numba.core.caching`.

    What cannot be loaded is compiled anew and replaced. What cannot be stored is used all the same;
    a warning says so, once.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        code = function.__code__
        self._name = f"{function.__module__.split('.')[-1]}.{code.co_name}"
        self._function = (function.__module__, function.__qualname__, code.co_firstlineno)

    @property
    def cache_path(self) -> str | None:
        """Where the files are, if there is a place for them."""
        try:
            return str(folder())
        except OSError:
            return None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled function for arguments of these types; None if there is none."""
        target_context.refresh()
        try:
            from numba.core.compiler import CompileResult

            key, path = self._place(sig, target_context.codegen())
            data = read_bytes(path)
            digest, content = data[:_SIZE], data[_SIZE:]
            if digest != _digest(content):
                return None
            of, parts = pickle.loads(content)
            if of != key:
                return None
            _note_use(path.parent)
            return CompileResult._rebuild(target_context, *parts)
        except Exception:  # whatever it is: the kernel can be compiled
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a function that was compiled for arguments of these types."""
        try:
            from numba.core.serialize import dumps

            if data.lifted or data.library.has_dynamic_globals:
                return  # it holds addresses of this process
            key, path = self._place(sig, data.codegen)
            content = dumps((key, data._reduce()))
            _make(path.parent)
            write_bytes(path, _digest(content) + content)
        except Exception as error:  # no room, no permission, no home, a file where a folder was
            _warn_once(error)

    def enable(self) -> None: ...

    def disable(self) -> None: ...

    def flush(self) -> None: ...

    def _place(self, sig: Any, codegen: Any) -> tuple[tuple[Any, ...], Path]:
        """What is kept, in full, and the file that holds it."""
        key = (*self._function, sig, codegen.magic_tuple())
        short = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return key, folder() / f"{self._name}-{short}.kernel"


@cache
def folder() -> Path:
    """Folder of what is compiled of these sources by these versions; it need not exist.

    It is in `$NUMBA_CACHE_DIR`, if that is set, else in mho's folder in the user's cache.

    Raises:
        FileNotFoundError: there is no home folder.
    """
    from numba.core import config

    named = config.CACHE_DIR  # type: ignore[attr-defined]
    return (Path(named).absolute() / "mho" if named else user_cache()) / f"kernels-{_made_from()}"


def _made_from() -> str:
    """Digest of all that the machine code of a kernel is made from, but for the kind of CPU."""
    import llvmlite
    import numba
    from numba.core import config

    versions = (numba.__version__, llvmlite.__version__, np.__version__, sys.version, sys.platform)
    options = [getattr(config, name, None) for name in _OPTIONS]
    return hashlib.sha256(repr((versions, options, _SOURCES)).encode()).hexdigest()[:16]


def _sources() -> list[tuple[str, str]]:
    """The files of this package, with the digest of each."""
    return sorted(
        (file.name, hashlib.sha256(file.read_bytes()).hexdigest())
        for file in resources.files("mho.kernels").iterdir()
        if file.name.endswith((".py", ".pyc"))  # the latter of an installation without sources
    )


_OPTIONS = (
    *("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "USING_SVML", "BOUNDSCHECK"),
    *("DEBUGINFO_DEFAULT", "EXTEND_VARIABLE_LIFETIMES", "ENABLE_PROFILING", "DEBUG_NRT"),
)
"""Settings of Numba that change machine code."""

_SOURCES = _sources()  # now: what is imported next is what these files say


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


_SIZE = len(_digest(b""))


@cache
def _note_use(own: Path) -> None:
    """Mark a folder as used now, once for each process."""
    with suppress(OSError):  # it may be another user's
        os.utime(own)


def _make(own: Path) -> None:
    """Make a folder where there is none, and remove those that no process has used for long.

    A process whose folder is removed all the same compiles and stores again.
    """
    if own.is_dir():
        return
    own.mkdir(parents=True, exist_ok=True)
    for other in own.parent.glob("kernels-*"):
        with suppress(OSError):  # another process may be removing it
            unused = time.time() - other.stat().st_mtime > UNUSED
            if unused and re.fullmatch(r"kernels-[0-9a-f]{16}", other.name):
                shutil.rmtree(other, ignore_errors=True)


def _warn_once(error: Exception) -> None:
    """Say that kernels are not kept."""
    global _warned
    if not _warned:
        _warned = True
        warn(
            f"compiled kernels cannot be kept ({error}), so each process spends seconds compiling "
            "its own; set NUMBA_CACHE_DIR to a folder that can be written"
        )


_warned = False
