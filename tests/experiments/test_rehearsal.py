"""What settings cannot do is refused by a trial in small, which leaves nothing behind."""

import math
import typing
import warnings
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Annotated, Any, get_args, get_origin

import pytest
import torch

import mho
from mho import experiments
from mho.config import Config, Range
from mho.errors import InvalidInput
from mho.experiments.rehearsal import rehearse

BASES: dict[str, dict[str, Any]] = {
    "bmcnn": {"studies": (), "further": (), "mitigations": ("none", "batch norm"),
              "spread": {"compared": (0.0, 0.5), "claimed": (0.5,)}},
    "siamese": {"studies": (), "networks": ("mlp",),
                "schemes": ("random sparse updates", "write budget")},
    "metaplastic": {"studies": (), "permuted": {"tasks": 0}, "schemes": ("EWC", "Bayesian steps")},
}  # fmt: skip
"""Short runs of the three systems; wires and sensitivity are made of them."""


def base(name: str) -> Any:
    return experiments.get(name).preset("quick").merged(BASES.get(name, {}) | {"processor": "cpu"})


def bounds(hint: Any, ranges: tuple[Range, ...] = ()) -> Iterator[tuple[Any, tuple[float, float]]]:
    """Least and largest value of each number in a hint; of a tuple, of all its entries."""
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        yield from bounds(inner, (*ranges, *(m for m in marks if isinstance(m, Range))))
    elif hint in (int, float) and ranges:
        (of,) = ranges
        low = of.above if of.least is None else of.least
        high = of.below if of.most is None else of.most
        assert low is not None
        assert high is not None
        if hint is int:
            yield hint, (int(low), int(high) - (of.below is not None))
        else:
            low = low if of.least is not None else math.nextafter(low, math.inf)
            high = high if of.most is not None else math.nextafter(high, -math.inf)
            yield hint, (float(low), float(high))
    elif get_origin(hint) is not typing.Literal:
        for part in dict.fromkeys(get_args(hint)):
            yield from bounds(part, ranges)


def extremes(record: Config, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each number of a configuration at its least and at its largest value, as changes."""
    hints = typing.get_type_hints(type(record), include_extras=True)
    for name in record.__dataclass_fields__:
        value = getattr(record, name)
        if isinstance(value, Config):
            yield from extremes(value, f"{prefix}{name}.")
            continue
        for _, ends in bounds(hints[name]):
            for end in ends:
                many = len(value) if isinstance(value, tuple) else 0
                yield f"{prefix}{name}", [end] * many if many else end


def nested(path: str, value: Any) -> Any:
    for part in reversed(path.split(".")):
        value = {part: value}
    return value


@pytest.mark.parametrize("name", BASES)
def test_every_number_at_its_ends_is_refused_at_once_or_works(name: str) -> None:
    """A trial does all that the run does: what it does not refuse has worked.

    Some of them; `python -m fuzz settings` goes on.
    """
    experiment, works = experiments.get(name), 0
    some = [e for e in extremes(base(name)) if name == "siamese" or "hardware." not in e[0]]
    for path, value in Random(0).sample(some, 24):
        with warnings.catch_warnings(), suppress(InvalidInput):
            warnings.simplefilter("ignore")
            experiment.check(base(name).merged(nested(path, value)))
            works += 1
    assert works > 8


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("siamese", {"hardware": {"tile": [1, 1]}}, r"Hardware\.tile = \(1, 1\): expected at le"),
        ("siamese", {"hardware": {"wire_resistance": 1e308}}, r"wire_resistance = 1e\+308"),
        ("siamese", {"rate": 1e308}, r"rate = 1e\+308: expected"),
        ("siamese", {"hidden": 10_000_000_000}, "hidden = 10000000000: expected"),
        ("siamese", {"hardware": {"device": {"sigma": [1.0]}}}, "10 windows"),
        ("siamese", {"hardware": {"full_scale": 1e6}, "networks": ["mlp", "cnn"]},
         "these settings do not work, as a trial shows"),
        ("siamese", {"chip": {"address": "127.0.0.1:1", "limits": {"timeout": 1e300}}}, "timeout"),
        ("metaplastic", {"rate": 1e308}, "rate"),
        ("bmcnn", {"mitigations": ["none", "99 copies + batch norm"]}, "copies = 99"),
        ("wires", {"resistances": [1e308]}, "resistances"),
        ("sensitivity", {"seconds": 1e300}, "seconds"),
    ],
)  # fmt: skip
def test_what_failed_after_minutes_is_refused_at_once(
    name: str, changes: dict[str, Any], said: str
) -> None:
    experiment = experiments.get(name)
    with pytest.raises(InvalidInput, match=said):
        experiment.check(experiment.preset("quick").merged(changes))


def test_a_trial_leaves_random_numbers_and_data_as_they_were() -> None:
    before = torch.random.get_rng_state()
    rehearse(base("siamese"), experiments.get("siamese").run)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert len(mho.data.load("mnist", "validation")) == 5000


def test_what_a_trial_refuses_is_not_called_a_fault_of_the_network() -> None:
    def run(_config: object, _run: object) -> None:
        raise InvalidInput("x = 1: expected 2")

    with pytest.raises(InvalidInput, match="as a trial shows: x = 1: expected 2"):
        rehearse(base("siamese"), run)
