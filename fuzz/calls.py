"""Public functions, classes and methods with wrong arguments, on small networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from builders.public_calls import CALLS, FIELDS
from builders.wrong_values import VALUES
from mho.errors import NotReady

REFUSALS = (NotReady,)

_SIGNATURE = ("missing", "unexpected keyword argument", "positional argument", "dict-like")
"""Words of Python's own errors about a signature, and of torch's about a state."""


def trials(random: Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Calls of which one to three arguments are wrong, left out or unknown."""
    table = CALLS | FIELDS
    names = [name for name in table if name not in ("simulate", "devices.read", "fit.read")]
    while True:
        name = random.choice(names)
        called, arguments = table[name]()
        words, given = [name], dict(arguments)
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            argument = random.choice([*given, *given, *given, "unknown"])
            what = random.choice([*VALUES, "left out"])
            words.append(f"{argument} {what}")
            if what == "left out":
                given.pop(argument, None)
            else:
                given[argument] = VALUES[what]()
            if not given:
                break
        if name.endswith(".forward") and {"a sparse tensor", "a tensor without numbers"} & {
            word.partition(" ")[2] for word in words
        }:
            continue  # torch has an answer to these or none
        yield "; ".join(words), lambda called=called, given=given: _call(called, given)


def _call(called: Callable[..., object], given: dict[str, object]) -> None:
    try:
        called(**given)
    except TypeError as error:
        # Python's own, of the signature that was called
        if not any(part in str(error) for part in _SIGNATURE):
            raise
