"""What a record could hold in place of what it holds."""

from abc import ABC
from typing import Annotated

from mho.choices import REQUIRED, Choice, choices
from mho.config import Config, Range


class Part(Config, ABC):
    pass


class Near(Part):
    """Close by. Not far."""

    family = "near"

    distance: float = 1.0
    """How far [m]."""


class Far(Part):
    """A long way off."""

    family = "far"

    distance: float = 1.0
    """How far [m]."""
    steps: Annotated[int, Range(least=1)]
    """On the way [1]."""
    by: Near = Near()
    """Past what."""


class Whole(Config):
    part: Near | Far = Near()
    """One of two."""
    more: Near | None = None
    """One, or none."""


class Outer(Config):
    whole: Whole = Whole()
    """All of it."""


def test_other_kinds_come_with_the_fields_that_are_new() -> None:
    assert choices(Outer(), "x.") == [
        Choice("x.whole.part=far", "x.whole.part", "far", "", "A long way off"),
        Choice("x.whole.part.steps", "x.whole.part", "far", REQUIRED, "On the way [1]."),
        Choice("x.whole.part.by", "x.whole.part", "far", "near", "Past what."),
        Choice("x.whole.part.by.distance", "x.whole.part", "far", "1.0", "How far [m]."),
        Choice("x.whole.more=near", "x.whole.more", "near", "", "Close by"),
        Choice("x.whole.more.distance", "x.whole.more", "near", "1.0", "How far [m]."),
    ]


def test_what_is_held_is_no_choice() -> None:
    held = Whole(part=Far(steps=2), more=Near())
    assert {each.kind for each in choices(held)} == {"near"}
    assert {each.at for each in choices(held)} == {"part"}


def test_a_family_alone_is_its_record_with_defaults() -> None:
    assert Whole.from_dict({"more": "near"}).more == Near()
    assert Outer().merged({"whole": {"more": "near"}}).whole.more == Near()
