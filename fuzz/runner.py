"""Runs trials under a limit of time and counts what comes of them."""

from __future__ import annotations

import contextlib
import io
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from types import ModuleType

from mho.errors import Failed, InvalidInput, UsageError

REFUSALS = (InvalidInput, UsageError, Failed)
"""Errors that tell a user what is wrong."""

LIMIT = 20.0
"""Longest time of a trial [s], where its module has no `LIMIT` of its own."""


class TooLong(BaseException):
    """A trial did not end within its time; no handler of plain errors takes it."""


@dataclass
class Outcome:
    """What came of the trials of one module."""

    name: str
    trials: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    """Number, words and traceback of each."""


def run(module: ModuleType, seed: int, *, seconds: float = 1e9, most: int | None = None) -> Outcome:
    """Run the trials of a module for a time, or at most so many."""
    name = module.__name__.rpartition(".")[2]
    out, ends = Outcome(name), time.monotonic() + seconds
    refusals = (*REFUSALS, *getattr(module, "REFUSALS", ()))
    with tempfile.TemporaryDirectory(prefix="mho-fuzz-") as folder:
        series = module.trials(Random(f"{seed} {name}"), Path(folder))
        for number in count(1):
            if number - 1 == most or time.monotonic() > ends:
                break
            words, action = next(series)
            out.trials += 1
            try:
                with _quiet(), _limited(getattr(module, "LIMIT", LIMIT)):
                    action()
            except refusals:
                out.refused += 1
            except (Exception, TooLong, SystemExit, KeyboardInterrupt) as error:
                told = "".join(traceback.format_exception(error)[-12:])
                out.faults.append(f"{name} {number}: {words}\n{told}")
                if isinstance(error, KeyboardInterrupt):
                    raise
        series.close()
    return out


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def late(_signal: int, _frame: object) -> None:
        raise TooLong(f"no end within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _quiet() -> Iterator[None]:
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
