"""Costs are pure functions of counts and prices."""

import dataclasses
import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import mho
from mho.hardware import LayerLedger, Ledger, Prices
from mho.hardware.programming import program_all

FREE = {
    name: 0.0
    for name in (
        "set_energy",
        "reset_energy",
        "verify_energy",
        "read_energy",
        "dac_energy",
        "adc_energy",
        "pulse_time",
        "verify_time",
        "read_time",
    )
}


def layer(
    endurance: float | None = 1e4, vectors: int = 10, inputs: int | None = None
) -> LayerLedger:
    """Two chips of a 2 x 2 layer on eight 5-level cells; one vector an input if not told."""
    pulses = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2, 2, 2, 2, 2, 2]])
    return LayerLedger(
        name="layer", weights=4, cells=8, rows=2, tiles=(1, 1), columns=2, states=5,
        conversions_per_vector=2, drives_per_vector=2, vectors=vectors,
        endurance_used=8 / endurance if endurance else 0.0,
        inputs=vectors if inputs is None else inputs,
        set_pulses=torch.tensor([30, 10]), verify_reads=pulses.sum(1),
        most_pulses=8, row_pulses=torch.tensor([12, 4]), row_reads=torch.tensor([14, 6]),
        writes_per_cell=torch.ones(2, 8),
        pulses_per_cell=pulses, stuck_off=torch.zeros(2), stuck_on=torch.zeros(2),
        worn=torch.zeros(2),
    )  # fmt: skip


def cost(changes: dict[str, float], *layers: LayerLedger) -> mho.hardware.Cost:
    return mho.price(Ledger(layers=layers or (layer(),)), Prices(**(FREE | changes)))


@pytest.mark.parametrize(
    ("price", "field", "expected"),
    [
        ("set_energy", "programming_energy", 20),  # (30 + 10) / 2 chips
        ("reset_energy", "programming_energy", 6),  # (36 + 16 - 40) / 2
        ("verify_energy", "programming_energy", 26),
        ("read_energy", "read_energy", 80),  # 10 vectors x 8 cells
        ("dac_energy", "read_energy", 20),
        ("adc_energy", "read_energy", 20),
        ("adc_energy", "energy_per_input", 2),
        ("pulse_time", "programming_time_serial", 26),
        ("verify_time", "programming_time_serial", 26),
        ("pulse_time", "programming_time_rows", 8),  # (12 + 4) / 2
        ("verify_time", "programming_time_rows", 10),
        ("read_time", "read_time", 10),
    ],
)
def test_each_price_meets_its_count(price: str, field: str, expected: float) -> None:
    assert getattr(cost({price: 3.0}), field) == 3 * expected
    said = ("assumes", "unpriced")
    others, free = (
        {k: v for k, v in dataclasses.asdict(each).items() if k not in said and v == v}
        for each in (cost({price: 3.0}), cost({}))
    )
    counted = {name for name in others if others[name] != free.get(name)}
    times = {"programming_time_serial", "programming_time_rows"}
    assert counted <= {field, "energy_per_input", "time_per_input", "read_energy"} | times


TIMES = ("programming_time_serial", "programming_time_rows", "read_time")
prices_ = st.fixed_dictionaries({name: st.floats(0, 1e-3) for name in FREE})


@given(prices_, prices_, st.floats(0, 100))
def test_costs_are_linear_in_prices(a: dict, b: dict, factor: float) -> None:
    mixed = cost({name: factor * a[name] + b[name] for name in FREE})
    one, two = cost(a), cost(b)
    for name in ("programming_energy", "read_energy", *TIMES):
        expected = factor * getattr(one, name) + getattr(two, name)
        assert getattr(mixed, name) == pytest.approx(expected, rel=1e-9)


def test_lifetime_is_set_by_the_busiest_cell_of_the_weakest_layer() -> None:
    assert cost({}, layer(1e4)).lifetime_repeats == pytest.approx(1e4 / 8)
    assert cost({}, layer(1e4), layer(1e3)).lifetime_repeats == pytest.approx(1e3 / 8)
    assert cost({}, layer(None)).lifetime_repeats == math.inf


@pytest.mark.parametrize("spread", [0.0, 0.6, 1.5])
@pytest.mark.parametrize(
    ("device", "programming"),
    [
        ("hfo2-1t1r", None), ("two-state-10k-100k", mho.cells.OpenLoop()), ("cmo-hfox", None),
        ("ag-asi", mho.cells.OpenLoop(assumes="curve")),
    ],
)  # fmt: skip
def test_lifetime_is_when_the_first_simulated_cell_dies(
    device: str, programming: mho.cells.Programming | None, spread: float
) -> None:
    cell = mho.devices.get(device).replace(
        endurance=6_000.0, endurance_spread=spread, stuck_off=0.05, stuck_on=0.05
    )
    hardware = mho.Hardware(device=cell, programming=programming, tile=(12, 12))
    net = mho.convert(torch.nn.Linear(30, 20), hardware, 3)
    (crossbar,) = (m for m in net.modules() if isinstance(m, mho.hardware.Crossbar))

    def repeat() -> None:
        for level in (cell.states - 1, 0):
            program_all(crossbar, torch.full_like(crossbar.level, level))

    repeat()  # from a level that was anything
    for count in (crossbar.pulses, crossbar.writes, crossbar.set_pulses):
        count.zero_()
    repeat()
    told = mho.price(mho.ledger(net), Prices(**FREE)).lifetime_repeats
    repeats = 1
    while not mho.ledger(net).totals()["worn"]:
        repeat()
        repeats += 1
    assert repeats == math.ceil(told * (1 - 1e-9))


def test_cells_that_live_for_ever_and_cells_that_are_dead() -> None:
    cell = mho.devices.get("hfo2-1t1r").replace(endurance=None, endurance_spread=0.5)
    net = mho.convert(torch.nn.Linear(3, 2), mho.Hardware(device=cell))
    assert mho.price(mho.ledger(net), Prices(**FREE)).lifetime_repeats == math.inf
    frail = mho.devices.get("hfo2-1t1r").replace(endurance=4.0)
    net = mho.convert(torch.nn.Linear(3, 2), mho.Hardware(device=frail))
    assert mho.price(mho.ledger(net), Prices(**FREE)).lifetime_repeats == pytest.approx(0.4)


def test_memory_counts_bits() -> None:
    memory = cost({})
    assert memory.array_bytes == pytest.approx(8 * math.log2(5) / 8)
    assert memory.hidden_bytes == 4 * 32 / 8
    assert memory.float32_bytes == 16
    assert cost({"hidden_bits": 8}).hidden_bytes == 4
    assert cost({}, layer(), layer()).float32_bytes == 32


def test_nothing_read_has_no_energy_per_input() -> None:
    unread = cost({"read_energy": 1.0}, layer(vectors=0))
    assert math.isnan(unread.energy_per_input)
    rows = {row["what"]: row["value"] for row in unread.items()}
    assert rows["energy per input"] is None
    assert rows["read energy (per chip)"] == 0


def test_energy_per_input_is_that_of_all_layers_over_the_inputs_of_the_first() -> None:
    # A convolution that reads 16 vectors an input, then a layer that reads one.
    several = cost({"adc_energy": 3.0}, layer(vectors=80, inputs=5), layer(vectors=5))
    assert several.read_energy == 3 * 2 * (80 + 5)
    assert several.energy_per_input == 3 * 2 * (16 + 1)


@pytest.mark.parametrize("adc_per_tile", [True, False])
@pytest.mark.parametrize("chips", [None, 3])
def test_energy_per_input_of_a_small_network_is_what_going_through_it_costs(
    chips: int | None, adc_per_tile: bool, generator: torch.Generator
) -> None:
    model = nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1), nn.Conv2d(5, 3, 2, stride=2), nn.Flatten(), nn.Linear(27, 4)
    )
    device = mho.cells.MultiLevel(g_min=10e-6, g_max=90e-6, levels=5)
    bits = {"dac_bits": 8, "adc_bits": 8, "adc_per_tile": adc_per_tile}
    hw = mho.Hardware(device=device, tile=(7, 8), **bits)
    net = mho.convert(model, hw, chips, generator=generator)
    mho.calibrate(net, torch.randn(4, 2, 6, 6, generator=generator))
    net(torch.randn(3, 2, 6, 6, generator=generator))
    net(torch.randn(1, 2, 6, 6, generator=generator))
    entry = Prices(**(FREE | {"read_energy": 2.0, "dac_energy": 30.0, "adc_energy": 500.0}))

    expected = 0.0
    for pixels, rows, columns in ((36, 2 * 9, 5), (9, 5 * 4, 3), (1, 27, 4)):
        for _ in range(pixels):
            expected += 30.0 * rows
            for start in range(0, rows, 7):
                expected += 2.0 * 2 * columns * len(range(start, min(start + 7, rows)))
                expected += 500.0 * columns * (adc_per_tile or start == 0)
    book = mho.ledger(net)
    assert [layer.inputs for layer in book.layers] == [8, 8, 8]
    assert [layer.vectors for layer in book.layers] == [8 * 36, 8 * 9, 8]
    paid = mho.price(book, entry)
    assert paid.energy_per_input == pytest.approx(expected, rel=1e-12)
    assert paid.read_energy == pytest.approx(8 * expected, rel=1e-12)


def test_a_price_list_may_be_named() -> None:
    net = mho.convert(torch.nn.Linear(3, 2), mho.Hardware(device=mho.devices.get("hfo2-1t1r")))
    counts = mho.ledger(net)
    named = mho.price(counts, "hfo2-130nm").items()
    assert named == mho.price(counts, mho.prices.get("hfo2-130nm")).items()
    with pytest.raises(ValueError, match="unknown price list 'hfo2-120nm': did you mean 'hfo2-130"):
        mho.price(counts, "hfo2-120nm")
    with pytest.raises(ValueError, match=r"ledger = a Linear: expected a ledger, mho\.ledger"):
        mho.price(torch.nn.Linear(3, 2), "hfo2-130nm")  # type: ignore[arg-type]


# ------------------------------------------------------------------ of a network


def network(hardware: dict | None = None, chips: int | None = None, **shape: int) -> nn.Module:
    """A small converted layer, calibrated and read once."""
    bits = {"device": "rram-neurram-1s", "dac_bits": 6, "adc_bits": 8, "tile": (16, 16)}
    torch.manual_seed(0)
    linear = nn.Linear(shape.get("rows", 24), shape.get("columns", 12))
    net = mho.convert(linear, mho.Hardware(**(bits | (hardware or {}))), chips)  # type: ignore[arg-type]
    x = torch.linspace(-1, 1, 5 * linear.in_features).view(5, -1)
    mho.calibrate(net, x)
    net(x)
    return net


def paid(prices: str | Prices, hardware: dict | None = None, **shape: int) -> mho.hardware.Cost:
    return mho.price(mho.ledger(network(hardware, **shape)), prices)


@pytest.mark.parametrize("name", mho.prices.PRICES)
@pytest.mark.parametrize(
    "hardware",
    [
        [{"adc_bits": b} for b in (2, 4, 8, 12)],
        [{"dac_bits": b} for b in (2, 4, 8, 12)],
        [{"dac_bits": b, "serial_inputs": True} for b in (2, 4, 8)],
        [{"tile": (t, 16)} for t in (24, 12, 6, 3)],
        [{"slices": n} for n in (1, 2, 3)],
    ],
    ids=["adc_bits", "dac_bits", "serial", "tiles", "slices"],
)
def test_energy_time_and_area_grow_with_what_the_hardware_has(
    name: str, hardware: list[dict]
) -> None:
    costs = [paid(name, each) for each in hardware]
    for less, more in itertools.pairwise(costs):
        assert more.energy_per_input > less.energy_per_input
        if "slices" not in hardware[0]:  # of which fewer columns share an array
            assert more.time_per_input >= less.time_per_input
        if "serial_inputs" not in hardware[0] and "tile" not in hardware[0]:
            assert more.area >= less.area


@pytest.mark.parametrize("name", mho.prices.PRICES)
def test_what_a_chip_costs_does_not_depend_on_how_many_there_are(name: str) -> None:
    one, two = (mho.price(mho.ledger(network(chips=n)), name) for n in (2, 4))
    for field in ("area", "time_per_input", "read_time", "digital_energy"):
        assert getattr(one, field) == pytest.approx(getattr(two, field), nan_ok=True)
    for field in ("programming_energy", "read_energy"):  # of cells that differ a little
        assert getattr(one, field) == pytest.approx(getattr(two, field), rel=0.02)


@pytest.mark.parametrize("name", mho.prices.PRICES)
def test_a_batch_costs_its_inputs(name: str) -> None:
    net = network()
    before = mho.price(mho.ledger(net), name)
    net(torch.zeros(10, 24))  # as many as before, those of the calibration included
    after = mho.price(mho.ledger(net), name)
    assert after.read_energy == pytest.approx(2 * before.read_energy)
    assert after.energy_per_input == pytest.approx(before.energy_per_input)
    assert after.time_per_input == pytest.approx(before.time_per_input)
    assert after.area == before.area


@pytest.mark.parametrize("name", [n for n, p in mho.prices.PRICES.items() if p.set_energy is None])
def test_a_users_own_cell_sets_its_energies(name: str) -> None:
    def of(g: float, **changes: float) -> mho.hardware.Cost:
        cell = mho.cells.MultiLevel(g_min=g / 10, g_max=g, levels=5)
        bits = {"dac_bits": 6, "adc_bits": 8}
        torch.manual_seed(0)
        net = mho.convert(nn.Linear(24, 12), mho.Hardware(device=cell, **bits))
        mho.calibrate(net, torch.ones(2, 24))
        net(torch.ones(2, 24))
        return mho.price(mho.ledger(net), mho.prices.get(name).replace(**changes))

    base, list_ = of(1e-5), mho.prices.get(name)
    assert of(2e-5).read_energy > base.read_energy
    for field in ("read_voltage", "read_pulse"):
        assert of(1e-5, **{field: 2 * getattr(list_, field)}).read_energy > base.read_energy
    if list_.set_voltage is not None:
        assert of(2e-5).programming_energy > base.programming_energy
        longer = of(1e-5, pulse_time=10 * list_.pulse_time)
        assert longer.programming_energy > base.programming_energy
        assert of(1e-5, set_voltage=9.0, reset_voltage=9.0).programming_energy > (
            base.programming_energy
        )


def test_single_cells_pay_for_the_sum_of_the_inputs() -> None:
    single, pairs = (mho.ledger(network({"mapping": m})) for m in ("single", "differential"))
    assert single.totals()["input_sums"] == 10 * (24 + 12)
    assert pairs.totals()["input_sums"] == 0
    kinds = [mho.prices.training_account(each, "hfo2-130nm") for each in (single, pairs)]
    assert kinds[0]["digital sums"].count - kinds[1]["digital sums"].count == 10 * (24 + 12)


def test_what_is_not_known_is_said_and_not_0() -> None:
    exact = paid("hfo2-130nm", {"dac_bits": None, "adc_bits": None})
    said = " ".join(exact.unpriced)
    assert "row drivers (exact converters" in said
    assert "ADC conversions (exact converters" in said
    assert str(exact).count("not priced: ") == len(exact.unpriced)
    bare = paid(Prices(pulse_time=1e-6))
    assert math.isnan(bare.read_energy)
    assert math.isnan(bare.programming_energy)
    assert math.isnan(bare.area)
    values = {row["what"]: row["value"] for row in bare.items()}
    assert values["read energy (per chip)"] is values["area (per chip)"] is None
    account = mho.prices.training_account(mho.ledger(network()), Prices(pulse_time=1e-6))
    assert {"forward reads", "writes", "DAC conversions", "ADC conversions"} <= {*account.unpriced}


def test_a_ledger_of_before_is_priced_at_the_resolutions_of_the_list() -> None:
    old = Ledger(layers=(layer(),))
    cost = mho.price(old, Prices(**(FREE | {"adc_energy": 3.0, "adc_bits": 5})))
    assert cost.read_energy == 60
    followed = mho.price(old, "neurosim-rram")
    assert any("the ledger no conductance" in each for each in followed.unpriced)


def test_each_number_stands_beside_what_it_assumes() -> None:
    shown = str(paid("neurosim-rram"))
    for words in ("0.5 V", "mean G", "6 bits", "sar ADC, 8 bits", "whole arrays"):
        assert words in shown
