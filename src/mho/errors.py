"""The two sentences that every refusal of bad input is made of, the refusal of a bad answer, and
warnings."""

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from pathlib import PurePath
from types import ModuleType
from typing import Self


class UsageError(Exception):
    """A command line cannot be understood; the message is one line."""


class InvalidInput(ValueError):
    """What a user gave is not usable; the message is one line that says what and why."""


class Failed(RuntimeError):
    """A program or an instrument did not do what it was asked, or no solution was found; the
    message is one line."""


class OwnCodeFailed(Failed):
    """The user's own code failed in the middle of something; the message is one line that begins
    with its file and line.

    Args:
        message: as said.
        trace: what Python says of it, in lines.
    """

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.trace = trace


class NotReady(RuntimeError):
    """Something is to be done before: the message says what to call."""


class NotConverged(Failed):
    """A solution was not found to the tolerance asked for, and none is given."""

    def __init__(
        self, residual: float, tolerance: float, failed: int, samples: int, iterations: int
    ) -> None:
        super().__init__(
            f"not converged: residual {residual:.2g}, tolerance {tolerance:.2g}, in {failed} of "
            f"{samples} samples after {iterations} iterations"
        )
        self.residual, self.tolerance = residual, tolerance
        self.failed, self.samples, self.iterations = failed, samples, iterations


def invalid(field: str, value: object, allowed: str) -> InvalidInput:
    """Build the error for a value that is not allowed: names field, value and what is expected."""
    return InvalidInput(f"{field} = {shown(value)}: expected {allowed}")


class UnknownField(InvalidInput):
    """A record has no field of a name.

    Args:
        record: name of the record.
        name: of the field.
        known: its fields.
        meant: what may have been meant, to be said in place of its own nearest field.
    """

    def __init__(self, record: str, name: str, known: Iterable[str], meant: str = "") -> None:
        super().__init__(str(unknown(f"field of {record}", name, known, meant)))
        self.record, self.name, self.known = record, name, tuple(known)


def unknown(kind: str, name: object, known: Iterable[str], meant: str = "") -> InvalidInput:
    """Build the error for a name that does not exist: suggests the nearest, or what is known to be
    meant, and lists all."""
    names = sorted(known)
    near = (
        get_close_matches(name[:_LONGEST], names, n=1, cutoff=0.5) if isinstance(name, str) else []
    )
    meant = meant or (repr(near[0]) if near else "")
    hint = f"did you mean {meant}? Expected" if meant else "expected"
    return InvalidInput(f"unknown {kind} {shown(name)}: {hint} {_one_of(names)}")


def _one_of(names: list[str]) -> str:
    """Names to choose from, in words."""
    if not names:
        return "none, for there is none"
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


def shown(value: object) -> str:
    """A value as messages show it, in one line: as Python writes plain values, long ones cut; by
    its type, and shape if it has one, if it is something else."""
    if isinstance(value, str):
        more = f"... ({len(value)} characters)" if len(value) > _LONGEST else ""
        return repr(value[:_LONGEST]) + more
    if isinstance(value, int) and abs(value) >= 10**30:
        return f"{'-' if value < 0 else ''}a whole number of {value.bit_length()} bits"
    if isinstance(value, bool | int | float | complex | None):
        return repr(getattr(value, "item", lambda: value)())  # NumPy's are floats too
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name, shape = type(value).__name__, getattr(value, "shape", None)
    if isinstance(value, tuple | list | dict | set | range):
        text = repr(value) if _is_plain(value) else ""
        many = f"{with_article(name)} of {len(value)}" if value else text or f"an empty {name}"
        return text if 0 < len(text) <= _LONGEST else many
    dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
    if dtype and shape is not None and len(shape) == 0 and not hasattr(value, "is_meta"):
        return f"{value!s}"  # a number of NumPy's
    if dtype and isinstance(shape, tuple):
        kind = {"Tensor": "tensor", "Parameter": "tensor", "ndarray": "array"}.get(name, name)
        without = " without data" if getattr(value, "is_meta", False) else ""
        sparse = "sparse " if getattr(value, "is_sparse", False) else ""
        return f"{with_article(f'{sparse}{dtype} {kind}')} {tuple(shape)}{without}"
    if isinstance(value, PurePath):
        return repr(str(value))
    if name in ("dtype", "device"):
        return str(value)
    if isinstance(value, ModuleType):
        return f"the module {value.__name__}"
    return with_article(name)


_LONGEST = 200
"""Characters of a value that a message shows."""


def with_article(name: str) -> str:
    """A name of a kind, as sentences have it."""
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _is_plain(value: object, depth: int = 3) -> bool:
    """Whether a value is made of a few texts and numbers alone, so that it can be written out."""
    if isinstance(value, dict):
        return _is_plain([*value, *value.values()], depth)
    if isinstance(value, tuple | list | set):
        return depth > 0 and len(value) <= _LONGEST and all(_is_plain(v, depth - 1) for v in value)
    if isinstance(value, int):
        return abs(value) < 10**30
    return isinstance(value, str | float | complex | range | None)


class Said:
    """What users were told of something already; copies of it by `copy.deepcopy` share this."""

    def __init__(self) -> None:
        self._keys: set[object] = set()

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def first(self, key: object) -> bool:
        """Whether it is yet to be told; it counts as told from now on."""
        if key in self._keys:
            return False
        self._keys.add(key)
        return True

    def __deepcopy__(self, _memo: object) -> Self:
        return self


@contextmanager
def silent() -> Iterator[None]:
    """Inside, `warn` says nothing: for records made of others, of which users were told."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


_silent = ContextVar("silent", default=False)


def warn(message: str) -> None:
    """Warn at the first line that is not of mho nor of what stands between mho and its user."""
    if _silent.get():
        return
    level, frame = 2, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _BETWEEN:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


_BETWEEN = {
    "mho",
    "torch",
    "numba",
    "jaxtyping",
    "beartype",
    "contextlib",
    "copy",
    "dataclasses",
    "functools",
}
