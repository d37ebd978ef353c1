"""Configuration: exact through TOML, and every refusal names field, value and what is allowed."""

import math
import re
from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho import Hardware, devices, prices
from mho.cells import (
    MultiLevel,
    OpenLoop,
    PulseResponse,
    PulseTable,
    Resistance,
    Spread,
    TwoState,
    Verify,
)
from mho.config import Config, Range, families
from mho.hardware import Prices

finite = st.floats(allow_nan=False, allow_infinity=False)


class Leaf(Config):
    size: Annotated[int, Range(least=1, most=9)] = 3
    share: Annotated[float, Range(above=0.0, below=1.0)] = 0.5


class Red(Config):
    family: ClassVar[str] = "red"
    depth: float = 1.0


class Blue(Config):
    family: ClassVar[str] = "blue"
    depth: float = 2.0
    shade: int = 0


class Animal(Config, ABC):
    legs: int = 4

    @abstractmethod
    def call(self) -> str: ...


class Bird(Animal):
    family: ClassVar[str] = "bird"

    def call(self) -> str:
        return "chirp"


class Fish(Animal):
    family: ClassVar[str] = "fish"

    def call(self) -> str:
        return ""


class Farm(Config):
    animal: Animal
    guest: Animal | None = None


class Tree(Config):
    leaf: Leaf = Leaf()
    paint: Red | Blue = Red()
    lengths: tuple[float, ...] = (1.0,)
    label: str = ""
    spare: Annotated[float, Range(least=0.0)] | None = None
    on: bool = False


# ------------------------------------------------------------------ TOML round trip


@pytest.mark.parametrize("name", devices.DEVICES)
def test_every_preset_cell_survives_toml(name: str) -> None:
    cell = devices.get(name)
    assert type(cell).from_toml(cell.to_toml()) == cell
    hardware = Hardware(device=cell, mapping="offset", programming=OpenLoop(), adc_bits=6)
    assert Hardware.from_toml(hardware.to_toml()) == hardware


@pytest.mark.parametrize("name", prices.PRICES)
def test_every_price_list_survives_toml(name: str) -> None:
    entry = prices.get(name)
    assert Prices.from_toml(entry.to_toml()) == entry


spreads = st.builds(
    Spread,
    distribution=st.sampled_from(["normal", "truncated-normal", "lognormal"]),
    cov=st.floats(0, 10),
    lower=st.floats(0.001, 0.999),
    upper=st.floats(1.001, 1e6),
)
resistances = st.builds(Resistance, mean=st.floats(1, 1e4), device=spreads, cycle=spreads)
defects = {
    "read_noise": st.floats(0, 1),
    "stuck_on": st.floats(0, 0.5),
    "stuck_off": st.floats(0, 0.5),
    "endurance": st.none() | st.floats(1, 1e12),
    "note": st.text(max_size=20),
}
cells = (
    st.builds(
        TwoState,
        r_on=resistances,
        r_off=resistances.map(lambda r: r.replace(mean=2e4 * r.mean)),
        **defects,
    )
    | st.builds(
        MultiLevel,
        g_min=st.floats(0, 1e-5),
        g_max=st.floats(2e-5, 1e-3),
        levels=st.integers(2, 4096),
        sigma=st.lists(st.floats(-1e-5, 1e-5), min_size=2, max_size=4).map(tuple),
        device_spread=st.floats(0, 1),
        **defects,
    )
    | st.builds(
        PulseResponse,
        g_min=st.floats(0, 1e-5),
        g_max=st.floats(2e-5, 1e-3),
        levels=st.integers(2, 16),
        pulses=st.integers(15, 100_000),
        nonlinearity=st.tuples(st.floats(-10, 10), st.floats(-10, 10)),
        reset_ratio=st.floats(0.1, 10),
        cycle_spread=st.floats(0, 100),
        device_spread=st.floats(0, 1),
        **defects,
    )
    | st.builds(
        PulseTable,
        g=st.tuples(st.floats(0, 1e-5), st.floats(2e-5, 3e-5), st.floats(4e-5, 1e-4)),
        set_step=st.tuples(*3 * [st.floats(1e-8, 5e-7)]),
        reset_step=st.tuples(*3 * [st.floats(1e-8, 5e-7)]),
        set_spread=st.tuples(st.floats(0, 1e-5)),
        reset_spread=st.tuples(*3 * [st.floats(1e-9, 1e-5)]),
        levels=st.integers(2, 16),
        device_spread=st.floats(0, 1),
        **defects,
    )
)
hardwares = st.builds(
    Hardware,
    device=cells,
    mapping=st.sampled_from(["differential", "offset", "single"]),
    tile=st.tuples(st.integers(1, 65536), st.integers(3, 65536)),
    programming=st.builds(OpenLoop, assumes=st.sampled_from(["linear", "curve"]))
    | st.builds(Verify, tolerance=st.floats(0.01, 10), max_pulses=st.integers(1, 10_000)),
    weight_levels=st.none() | st.just(2),
    full_scale=st.none() | st.floats(0.1, 100),
    dac_bits=st.none() | st.integers(2, 16),
    dac_range=st.just("calibrated") | st.floats(0.1, 10),
    adc_range=st.sampled_from(["calibrated", "column"]) | st.floats(0.01, 1),
    adc_per_tile=st.booleans(),
    coverage=st.floats(0.01, 1),
).filter(lambda h: h.weight_levels is None or h.cells.weight_levels(h.device.states) > 1)


@given(hardwares)
def test_any_hardware_survives_toml(hardware: Hardware) -> None:
    again = Hardware.from_toml(hardware.to_toml())
    assert again == hardware
    assert again.to_toml() == hardware.to_toml()
    assert hash(again) == hash(hardware)


def test_toml_fills_in_defaults_and_turns_lists_into_tuples() -> None:
    tree = Tree.from_toml("lengths = [1, 2.5]\n[paint]\nfamily = 'blue'\n[leaf]\nsize = 4\n")
    assert tree == Tree(lengths=(1.0, 2.5), paint=Blue(), leaf=Leaf(size=4))
    assert tree.lengths == (1.0, 2.5)
    assert "spare" not in tree.to_toml()


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Leaf(size=0), r"Leaf\.size = 0: expected a whole number in \[1, 9\]"),
        (lambda: Leaf(size=10), r"Leaf\.size = 10: expected a whole number in \[1, 9\]"),
        (lambda: Leaf(size=2.5), r"Leaf\.size = 2\.5: expected a whole number"),
        (lambda: Leaf(size=True), r"Leaf\.size = True: expected a whole number"),
        (lambda: Leaf(size="3"), r"Leaf\.size = '3': expected a whole number"),
        (lambda: Leaf(share=0), r"Leaf\.share = 0: expected a finite number in \(0, 1\)"),
        (lambda: Leaf(share=1.0), r"Leaf\.share = 1\.0: expected a finite number in \(0, 1\)"),
        (lambda: Leaf(share=math.nan), r"Leaf\.share = nan: expected a finite number"),
        (lambda: Leaf(share=math.inf), r"Leaf\.share = inf: expected a finite number"),
        (
            lambda: Leaf(share=10**400),
            r"Leaf\.share = a whole number of 1329 bits: expected a finite",
        ),
        (
            lambda: Leaf(size=10**400),
            r"Leaf\.size = a whole number of 1329 bits: expected a whole",
        ),
        (lambda: Tree(spare=-1), r"Tree\.spare = -1: expected .*\[0, inf\) or None"),
        (lambda: Tree(spare="x"), r"Tree\.spare = 'x': expected a finite number in"),
        (lambda: Tree(lengths=3), r"Tree\.lengths = 3: expected a list, each a finite"),
        (lambda: Tree(lengths=(1.0, "a")), r"Tree\.lengths\[1\] = 'a': expected a finite number"),
        (lambda: Tree(lengths=(math.nan,)), r"Tree\.lengths\[0\] = nan: expected a finite"),
        (lambda: Tree(on=1), r"Tree\.on = 1: expected True or False"),
        (lambda: Tree(label=1), r"Tree\.label = 1: expected a text"),
        (lambda: Tree(leaf=Red()), r"Tree\.leaf = a Red: expected a Leaf"),
        (lambda: Tree(paint=Leaf()), r"Tree\.paint = a Leaf: expected a Red or a Blue"),
        (lambda: Leaf.from_toml("sise = 3"), "unknown field of Leaf 'sise': did you mean 'size'"),
        (lambda: Leaf().replace(shares=0.1), "unknown field of Leaf 'shares': .* 'share'"),
        (
            lambda: Tree.from_toml("[paint]\nfamily = 'blu'"),
            r"unknown family for Tree\.paint 'blu': did you mean 'blue'",
        ),
        (lambda: Tree.from_toml("[paint]\ndepth = 1.0"), r"unknown family for Tree\.paint ''"),
        (lambda: Leaf.from_toml("family = 'oak'"), "family = 'oak': expected"),
        (lambda: Red.from_toml("family = 'blue'"), "family = 'blue': expected 'red'"),
        (lambda: Resistance.from_toml(""), r"Resistance\.mean = None: expected a value; the"),
    ],
)
def test_a_refusal_names_field_value_and_what_is_allowed(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@given(finite)
def test_a_range_is_what_it_says(value: float) -> None:
    assert (value in Range(least=-1.0, below=2.0)) == (-1 <= value < 2)
    assert (value in Range(above=-1.0, most=2.0)) == (-1 < value <= 2)
    assert value in Range()
    assert str(Range(least=0, below=2)) == "a finite number in [0, 2)"
    assert str(Range(above=0.5)) == "a finite number in (0.5, inf)"
    assert str(Range(most=1)) == "a finite number in (-inf, 1]"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_range_holds_what_is_not_finite(value: float) -> None:
    assert value not in Range()


def test_numbers_from_numpy_are_numbers() -> None:
    leaf = Leaf(size=np.int64(4), share=np.float32(0.25))
    assert Leaf(size=4.0) == Leaf(size=4)
    assert leaf == Leaf(size=4, share=0.25)
    assert (type(leaf.size), type(leaf.share)) == (int, float)
    assert Leaf.from_toml(leaf.to_toml()) == leaf


# ------------------------------------------------------------------ merging


def test_merged_lays_nested_changes_over_a_record() -> None:
    tree = Tree(leaf=Leaf(size=5), paint=Blue(shade=7), label="kept")
    merged = tree.merged({"leaf": {"share": 0.25}, "paint": {"depth": 9.0}})
    assert merged == Tree(
        leaf=Leaf(size=5, share=0.25), paint=Blue(shade=7, depth=9.0), label="kept"
    )
    assert tree.leaf.share == 0.5
    assert tree.merged({}) == tree


def test_merging_another_family_starts_afresh() -> None:
    tree = Tree(paint=Blue(shade=7, depth=9.0))
    assert tree.merged({"paint": {"family": "red"}}).paint == Red()
    assert tree.merged({"paint": {"family": "blue"}}).paint == Blue(shade=7, depth=9.0)


def test_merged_validates() -> None:
    with pytest.raises(ValueError, match=r"unknown field of Leaf 'siz': did you mean 'leaf\.size'"):
        Tree().merged({"leaf": {"siz": 3}})
    with pytest.raises(ValueError, match=r"Leaf\.size = 99"):
        Tree().merged({"leaf": {"size": 99}})


def test_records_are_frozen_and_keyword_only() -> None:
    with pytest.raises(AttributeError):
        Leaf().size = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        Leaf(4)  # type: ignore[call-arg]


# ------------------------------------------------------------------ settings, explained


class Explained(Config):
    size: Annotated[float, Range(above=0.0)] = 2.0
    """Size of it
    [m]."""
    leaf: Leaf = Leaf()
    """The leaf."""
    spare: int | None = None
    name: str = "a"
    """Its name."""


def test_settings_are_listed_with_value_and_docstring() -> None:
    assert Explained(name="b").settings() == [
        ("size", "2.0", "Size of it [m]."),
        ("leaf", "-", "The leaf."),
        ("leaf.size", "3", ""),
        ("leaf.share", "0.5", ""),
        ("spare", "none", ""),
        ("name", '"b"', "Its name."),
    ]


def test_every_number_says_its_unit() -> None:
    records = [Hardware(device=cell) for cell in devices.DEVICES.values()]
    for record in (*records, *prices.PRICES.values()):
        for key, value, doc in record.settings():
            if re.match(r"-?\[?\s*[0-9]", value):
                assert re.search(r"\[[^\]]+\]", doc), f"{key} = {value}: {doc}"


# ------------------------------------------------------------------ families


def test_a_field_of_an_abstract_record_takes_all_that_is_derived_from_it() -> None:
    farm = Farm(animal=Bird(legs=2))
    assert Farm.from_toml(farm.to_toml()) == farm
    assert Farm.from_dict({"animal": {"family": "bird"}, "guest": {"family": "bird"}}).guest == (
        Bird()
    )
    assert farm.merged({"animal": {"legs": 3}}).animal == Bird(legs=3)

    assert families(Animal) == [Bird, Fish]
    assert families(Bird) == [Bird]
    assert Farm.from_dict({"animal": {"family": "fish", "legs": 0}}).animal == Fish(legs=0)


def test_what_is_not_of_the_families_is_named() -> None:
    with pytest.raises(ValueError, match=r"unknown family for Farm\.animal 'brid': did you mean"):
        Farm.from_dict({"animal": {"family": "brid"}})
    with pytest.raises(ValueError, match=r"Farm\.animal = a Red: expected a Bird"):
        Farm(animal=Red())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"Farm\.guest = 3: expected a Bird or a Fish or None"):
        Farm(animal=Bird(), guest=3)  # type: ignore[arg-type]
