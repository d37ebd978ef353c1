"""The two sentences that every refusal of bad input is made of, the refusal of a bad answer, and
warnings."""

import sys
import warnings
from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(Exception):
    """A command line cannot be understood; the message is one line."""


class InvalidInput(ValueError):
    """What a user gave is not usable; the message is one line that says what and why."""


class Failed(RuntimeError):
    """A program or an instrument did not do what it was asked, or no solution was found; the
    message is one line."""


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
    """Build the error for a value outside its range: names field, value and what is allowed."""
    return InvalidInput(f"{field} = {_shown(value)}: allowed is {allowed}")


def unknown(kind: str, name: str, known: Iterable[str]) -> InvalidInput:
    """Build the error for a name that does not exist: suggests the nearest, lists all."""
    names = sorted(known)
    near = get_close_matches(name[:_MOST_SHOWN], names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return InvalidInput(f"unknown {kind} {_shown(name)}: {hint}known are {', '.join(names)}")


def warn(message: str) -> None:
    """Warn at the line of the user's that led here, past those of mho and what it calls."""
    level, frame = 2, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _WITHIN:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


_MOST_SHOWN = 400
"""Characters of a value that a message shows."""


def _shown(value: object) -> str:
    """A value in a message: on one line, of a length that can be read."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, thousands of lists
        return f"a value of type {type(value).__name__}, too long to show"
    text = " ".join(text.split())
    half = _MOST_SHOWN // 2
    return text if len(text) <= _MOST_SHOWN else f"{text[:half]} ... {text[-half:]}"


_WITHIN = ("mho", "torch", "numba", "jaxtyping", "beartype")
