"""The two sentences that every refusal of bad input is made of."""

from collections.abc import Iterable
from difflib import get_close_matches


def invalid(field: str, value: object, allowed: str) -> ValueError:
    """Build the error for a value outside its range: names the field, the value, what is allowed."""
    return ValueError(f"{field} = {value!r}: allowed is {allowed}")


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """Build the error for a name that does not exist: suggests the nearest, lists all."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return ValueError(f"unknown {kind} {name!r}: {hint}known are {', '.join(names)}")
