"""Every number that a setting is has bounds on both sides, and what is beyond them is refused."""

import importlib
import math
import pkgutil
import typing
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest

import mho
from mho.config import Config, Range
from mho.errors import InvalidInput
from mho.experiments import EXPERIMENTS
from mho.physics import devices, dynamics
from mho.sweep.engines import ENGINES


def records() -> list[type[Config]]:
    """Every record of the project, abstract ones too."""
    for module in pkgutil.walk_packages(mho.__path__, "mho."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = dict.fromkeys(_below(Config))
    return [each for each in found if each.__module__.startswith("mho.")]


def _below(base: type[Config]) -> Iterator[type[Config]]:
    for each in base.__subclasses__():
        yield each
        yield from _below(each)


def numbers(hint: Any, ranges: tuple[Range, ...] = ()) -> Iterator[tuple[type, tuple[Range, ...]]]:
    """Numbers inside a hint, however deep, each with the ranges that it is to lie in."""
    if get_origin(hint) is Annotated:
        base, *marks = get_args(hint)
        yield from numbers(base, (*ranges, *(mark for mark in marks if isinstance(mark, Range))))
    elif hint in (int, float):
        yield hint, ranges
    elif get_origin(hint) is not typing.Literal:
        for inner in get_args(hint):
            yield from numbers(inner, ranges)


def settings(record: type[Config]) -> dict[str, Any]:
    hints = typing.get_type_hints(record, include_extras=True)
    return {name: hints[name] for name in record.__dataclass_fields__}


@pytest.mark.parametrize("record", records(), ids=lambda record: record.__qualname__)
def test_every_number_has_a_least_and_a_most(record: type[Config]) -> None:
    for name, hint in settings(record).items():
        for _, ranges in numbers(hint):
            low = any(r.least is not None or r.above is not None for r in ranges)
            high = any(r.most is not None or r.below is not None for r in ranges)
            assert low, f"{record.__name__}.{name} has no least value"
            assert high, f"{record.__name__}.{name} has no largest value"


# ------------------------------------------------------------------ beyond the bounds


def inside(record: Config) -> Iterator[Config]:
    """A record and those in its fields."""
    yield record
    for name in record.__dataclass_fields__:
        value = getattr(record, name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, Config):
                yield from inside(each)


def examples() -> list[Config]:
    """One of each kind of record among those that the project ships."""
    shipped: list[Config] = [e.preset(name) for e in EXPERIMENTS.values() for name in e.presets]
    shipped += devices.PRESETS.values()
    shipped += [mho.prices.get(name) for name in mho.prices.PRICES]
    shipped += [mho.instruments.Limits(), mho.circuits.Wires(), mho.Placement()]
    shipped += [mho.hardware.SarADC(), mho.hardware.RampADC(), mho.hardware.FlashADC()]
    shipped += [mho.hardware.StringDAC(), mho.hardware.BinaryDAC()]
    shipped += [entry.settings() for entry in ENGINES.values()]
    shipped += [dynamics.get(name) for name in dynamics.MODELS]
    return list({type(each): each for root in shipped for each in inside(root)}.values())


def outside(kind: type, ranges: tuple[Range, ...]) -> Iterator[float]:
    """Just outside, far outside, and no numbers at all."""
    for r in ranges:
        yield from (bound for bound in (r.above, r.below) if bound is not None)
        for bound, way in ((r.least, -1), (r.most, 1)):
            if bound is not None:
                yield int(bound) + way if kind is int else math.nextafter(bound, way * math.inf)
    yield from (10**400, -(10**400), 10**5000)
    yield from () if kind is int else (1e308, -1e308, math.inf, -math.inf, math.nan)


@pytest.mark.parametrize("example", examples(), ids=lambda e: type(e).__qualname__)
def test_what_is_beyond_the_bounds_is_refused_by_name(example: Config) -> None:
    for name, hint in settings(type(example)).items():
        for kind, ranges in numbers(hint):
            for value in outside(kind, ranges):
                for given in (value, (value,), (value, value)):
                    with pytest.raises(InvalidInput, match=rf"{name}.*: expected ") as refusal:
                        example.replace(**{name: given})
                    assert "\n" not in str(refusal.value)
                    assert len(str(refusal.value)) < 1000
