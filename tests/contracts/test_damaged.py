"""Damaged tables give right numbers or a plain refusal, whatever the kind and the damage."""

import warnings
from collections.abc import Callable
from random import Random

import pytest

from builders.measurements import (
    LEVELS,
    PULSED,
    STATES,
    SWEEP,
    csv,
    program_and_read,
    pulse_trains,
    sweeps,
    traces,
    two_states,
)
from mho.errors import InvalidInput
from mho.fit import fit, parse
from mho.physics import PowerLaw, Sinh

WHOLE = {
    "pulses": pulse_trains(PULSED, 11)[0],
    "levels": program_and_read(LEVELS, 11, devices=6, repeats=2)[0],
    "states": two_states(STATES, 11, devices=8, cycles=5)[0],
    "iv": sweeps(Sinh(v0=0.4), 11, **SWEEP)[0],
    "retention": traces(PowerLaw(nu=0.05, nu_spread=0.02), 11, devices=6)[0],
}
INTERNALS = (
    "array", "solver", "math domain", "singular", "NaN", "nan", "broadcast", "index ", "converge",
    "zero-size", "function value", "division", "ndarray", "shape", "dtype", "Traceback", "float(",
)  # fmt: skip
Damage = Callable[[list[list[str]], Random], list[list[str]]]


def _last(change: Callable[[float, Random], float]) -> Damage:
    """Change of the last column of a run of rows."""

    def damage(rows: list[list[str]], draw: Random) -> list[list[str]]:
        first = draw.randrange(len(rows))
        some = range(first, min(len(rows), first + draw.choice([1, 5, len(rows)])))
        for k in some:
            rows[k][-1] = repr(change(float(rows[k][-1] or 0), draw))
        return rows

    return damage


def _device(change: Callable[[float], float]) -> Damage:
    """Change of all that one device, or one group of the first column, read."""

    def damage(rows: list[list[str]], draw: Random) -> list[list[str]]:
        which = draw.choice([row[0] for row in rows])
        for row in rows:
            if row[0] == which:
                row[-1] = repr(change(float(row[-1] or 0)))
        return rows

    return damage


def _flat(rows: list[list[str]], draw: Random) -> list[list[str]]:
    column, value = draw.randrange(len(rows[0])), draw.choice(rows)
    for row in rows:
        row[column] = value[column]
    return rows


def _empty(rows: list[list[str]], draw: Random) -> list[list[str]]:
    column = draw.randrange(len(rows[0]))
    for row in draw.sample(rows, draw.randrange(1, len(rows))):
        row[column] = ""
    return rows


DAMAGES: dict[str, Damage] = {
    "few rows": lambda rows, draw: rows[: draw.randrange(1, 12)],
    "some rows": lambda rows, draw: draw.sample(rows, draw.randrange(1, len(rows))),
    "out of order": lambda rows, draw: draw.sample(rows, len(rows)),
    "twice": lambda rows, draw: [row[:] for row in rows + rows],
    "one column constant": _flat,
    "gaps": _empty,
    "another unit": _last(lambda value, draw: value * draw.choice([1e-6, 1e-3, 1e3])),
    "negative": _last(lambda value, draw: -value),
    "zero": _last(lambda value, draw: 0.0),
    "far off": _last(lambda value, draw: value * draw.choice([0.01, 5, 30])),
    "a device dead": _device(lambda value: 1e-3 * value),
    "a device short": _device(lambda value: 50.0 * abs(value)),
    "a device stands still": _device(lambda value: 2.0),
}


def damaged(text: str, seed: int) -> str:
    draw = Random(seed)
    heading, *lines = text.strip().split("\n")
    rows = [line.split(",") for line in lines]
    for name in draw.sample([*DAMAGES], draw.choice([1, 1, 2])):
        rows = DAMAGES[name](rows, draw)
    return csv(heading, *zip(*rows, strict=True))


def check(kind: str, text: str) -> None:
    """A fit whose numbers are numbers, or a sentence without internals."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = fit(parse(text, "x.csv"), kind)
        except InvalidInput as refusal:
            said = str(refusal)
            assert ": expected " in said or "unknown" in said, said
            assert not any(word in said for word in INTERNALS), said
            assert "\n" not in said
            return
    for each in found.parameters:
        assert each.value == each.value, each
        if each.low is not None and each.high is not None:
            assert each.low <= each.value <= each.high, each
    assert found.goodness.n > 0


@pytest.mark.parametrize("kind", ["levels", "iv", "states", "retention"])
@pytest.mark.parametrize("seed", range(8))
def test_damage_gives_numbers_or_a_plain_refusal(kind: str, seed: int) -> None:
    check(kind, damaged(WHOLE[kind], seed))
