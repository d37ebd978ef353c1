"""A user's own code by the file that it is in: `my.py:Name`."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from mho.errors import InvalidInput, OwnCodeFailed, invalid, unknown
from mho.files.reading import read_bytes

WANTED = "FILE.py:NAME, a class or a function in a file of Python"

_PREFIX = "mho_own_"
"""Of the names under which Python knows files of the user's."""

_REFERENCE = re.compile(r"(.+\.py):([A-Za-z_]\w*)")


def is_code(value: object) -> bool:
    """Whether a setting names code in a file."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def code_in(settings: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of the file of each piece of code that settings name, tables and lists within them
    included, by how they name it."""
    found: dict[str, str] = {}
    for value in settings.values():
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, Mapping):
                found |= code_in(each)
            elif is_code(each):
                found[each] = sha256_of(each)
    return found


def sha256_of(reference: str) -> str:
    """SHA-256 of the file that code is in."""
    return hashlib.sha256(text_of(reference)).hexdigest()


def text_of(reference: str) -> bytes:
    """The file that code is in."""
    return read_bytes(file_of(reference))


def file_of(reference: str) -> Path:
    """The file that code is in.

    Raises:
        ValueError: it names none.
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise invalid("code", reference, WANTED)
    return Path(found[1])


def load_code(field: str, reference: str) -> Any:
    """A class, a function or an object of a file, which is run once for each content of it.

    Args:
        field: what it is for, in errors.
        reference: `FILE.py:NAME`.

    Raises:
        ValueError: the file cannot be read or run, or has nothing of that name.
    """
    path = file_of(reference)
    if not path.is_file():
        raise invalid(field, reference, f"{WANTED}; there is no file {path}")
    module = _module(field, path.resolve(), sha256_of(reference))
    name = reference.rpartition(":")[2]
    if not hasattr(module, name):
        known = [each for each in vars(module) if not each.startswith("_")]
        raise unknown(f"name in {path}", name, known)
    return getattr(module, name)


def call_code(field: str, reference: str, *arguments: Any) -> Any:
    """What a class or a function of a file gives, called with arguments.

    Raises:
        ValueError: it cannot be called so, or fails.
    """
    made = load_code(field, reference)
    if not callable(made):
        raise invalid(field, reference, f"{WANTED}; it is a {type(made).__name__}")
    try:
        return made(*arguments)
    except InvalidInput as error:
        raise InvalidInput(f"{field} = {reference!r} refuses what it is given: {error}") from error
    except Exception as error:
        how = f"called with {len(arguments)} arguments" if arguments else "called"
        raise invalid(field, reference, f"code that works when {how} ({said(error)})") from error


@lru_cache(maxsize=64)
def _module(field: str, path: Path, digest: str) -> Any:
    name = f"{_PREFIX}{path.stem}_{digest[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as dataclasses, and what is pickled, ask for
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise invalid(field, str(path), f"a file that Python can run ({said(error)})") from error
    return module


@contextmanager
def own_code_named(kept: str) -> Iterator[None]:
    """Inside, an error that comes out of the user's own code is told by the file and line of it.

    Args:
        kept: what is left of the work, and how to go on, in words.

    Raises:
        OwnCodeFailed: as said; errors from elsewhere, and of memory, are as they are.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if not _place(error):
            raise
        trace = "".join(traceback.format_exception(error))
        raise OwnCodeFailed(f"{said(error)}; {kept}", trace) from error


def said(error: Exception) -> str:
    """An error in one line: where in the user's own code, if there, its type, its message."""
    place, text = _place(error), " ".join(str(error).split())
    kind = "" if isinstance(error, InvalidInput) else f"{type(error).__name__}: "
    return f"{place}{kind}{text}"


def _place(error: Exception) -> str:
    """The innermost line of the user's own code that an error went through, as "my.py, line 3, in
    apply: "; empty: none."""
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__", "")).startswith(_PREFIX):
            path = os.path.relpath(frame.f_code.co_filename)
            path = frame.f_code.co_filename if path.startswith("..") else path
            name = frame.f_code.co_name
            found = f"{path}, line {line}{'' if name == '<module>' else f', in {name}'}: "
    return found
