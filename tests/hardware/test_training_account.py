"""The account of a training: its parts are the ledger's counts and add up to its total."""

import pytest
import torch

import mho
from builders.cells import FIVE_LEVELS
from builders.networks import mapped
from mho.hardware import Prices, TrainingAccount

COUNTED = {
    "forward reads": ("cell_reads",),
    "backward reads": ("backward_cell_reads",),
    "writes": ("set_pulses", "reset_pulses"),
    "verify reads": ("verify_reads",),
    "DAC conversions": ("dac_conversions", "backward_dac_conversions"),
    "ADC conversions": ("adc_conversions", "backward_adc_conversions"),
    "weight gradients": ("gradient_products",),
    "weight updates": ("weight_updates",),
    "digital sums": ("digital_sums", "input_sums"),
    "buffers": ("vectors", "backward_vectors"),
}
PRICES = {
    "read_energy": ("forward reads", "backward reads"),
    "set_energy": ("writes",),
    "reset_energy": ("writes",),
    "verify_energy": ("verify reads",),
    "dac_energy": ("DAC conversions",),
    "adc_energy": ("ADC conversions",),
    "mac_energy": ("weight gradients",),
    "update_energy": ("weight updates",),
    "sum_energy": ("digital sums",),
    "buffer_energy": ("buffers",),
}
TIMES = {
    "read_time": ("forward reads", "backward reads"),
    "pulse_time": ("writes",),
    "verify_time": ("verify reads",),
}
ALL = mho.prices.get("hfo2-130nm").replace(
    mac_energy=4.6e-12, update_energy=2e-12, sum_energy=1e-13
)


def trained(chips: int | None, generator: torch.Generator) -> torch.nn.Module:
    """A small network after three steps on tiles with converters, every kind of event in it."""
    bits = {"dac_bits": 6, "adc_bits": 8}
    net = mapped(chips, model=torch.nn.Linear(9, 5), device=FIVE_LEVELS, tile=(4, 8), **bits)
    x = torch.randn(5, 9, generator=generator)
    mho.calibrate(net, x)
    optimizer = torch.optim.SGD(net.parameters(), 0.5)
    for _ in range(3):
        optimizer.zero_grad()
        net(x.requires_grad_()).square().sum().backward()
        optimizer.step()
        mho.write(net)
    return net


def free(**paid: float) -> Prices:
    nothing = dict.fromkeys((*PRICES, *TIMES), 0.0)
    return Prices(**(nothing | paid))


@pytest.mark.parametrize("chips", [None, 3])
def test_every_entry_is_a_count_of_the_ledger(
    chips: int | None, generator: torch.Generator
) -> None:
    net = trained(chips, generator)
    total = mho.ledger(net).totals()
    account = mho.prices.training_account(mho.ledger(net), ALL)
    assert [entry.what for entry in account.entries] == list(COUNTED)
    for entry in account.entries:
        assert entry.count > 0, entry.what
        shared = 1 if entry.what == "weight updates" else chips or 1
        assert entry.count * shared == sum(total[name] for name in COUNTED[entry.what])


@pytest.mark.parametrize("chips", [None, 3])
def test_the_parts_add_up_to_the_total(chips: int | None, generator: torch.Generator) -> None:
    account = mho.prices.training_account(mho.ledger(trained(chips, generator)), ALL)
    *rows, total = account.items()
    assert account.energy == pytest.approx(sum(row["energy"] for row in rows), rel=1e-12)
    assert account.time == pytest.approx(sum(row["time"] or 0.0 for row in rows), rel=1e-12)
    assert (total["energy"], total["time"]) == (account.energy, account.time)
    digital = sum(entry.energy for entry in account.entries if entry.side == "digital")
    assert account.array_energy == pytest.approx(account.energy - digital, rel=1e-12)
    assert account.unpriced == ()


@pytest.mark.parametrize("price", [*PRICES, *TIMES])
def test_each_price_pays_for_its_entries_alone(price: str, generator: torch.Generator) -> None:
    ledger = mho.ledger(trained(3, generator))
    field = "energy" if price in PRICES else "time"
    paid = mho.prices.training_account(ledger, free(**{price: 2.0}))
    costly = {entry.what for entry in paid.entries if getattr(entry, field)}
    assert costly == set((PRICES | TIMES)[price])


def test_it_is_what_the_cost_says(generator: torch.Generator) -> None:
    ledger = mho.ledger(trained(3, generator))
    account, cost = mho.prices.training_account(ledger, ALL), mho.price(ledger, ALL)
    arrays = cost.programming_energy + cost.read_energy + cost.backward_energy
    assert account.array_energy == pytest.approx(arrays, rel=1e-12)
    time = cost.programming_time_rows + cost.read_time + cost.backward_time
    assert account.time == pytest.approx(time, rel=1e-12)
    assert cost.backward_energy > 0


def test_what_has_no_price_is_named_and_not_in_the_total(generator: torch.Generator) -> None:
    ledger = mho.ledger(trained(None, generator))
    account = mho.prices.training_account(ledger, mho.prices.get("hfo2-130nm"))
    assert account.unpriced == ("weight gradients", "weight updates")
    assert account["weight gradients"].energy is None
    digital = account["digital sums"].energy + account["buffers"].energy
    assert account.energy == pytest.approx(account.array_energy + digital)


def test_a_difference_leaves_out_what_came_before(generator: torch.Generator) -> None:
    net = trained(3, generator)
    before = mho.prices.training_account(mho.ledger(net), ALL)
    with torch.no_grad():
        net(torch.randn(7, 9, generator=generator))
    between = mho.prices.training_account(mho.ledger(net), ALL).since(before)
    layer = mho.ledger(net).layers[0]
    assert between["forward reads"].count == 7 * layer.cells
    happened = {entry.what for entry in between.entries if entry.count}
    digital = {"digital sums", "buffers"}
    assert happened == {"forward reads", "DAC conversions", "ADC conversions"} | digital
    assert between.energy == pytest.approx(
        sum(entry.energy for entry in between.entries if entry.what in happened)
    )
    other = mho.prices.training_account(mho.ledger(net), mho.prices.get("hfo2-130nm"))
    with pytest.raises(ValueError, match="earlier"):
        other.since(before)
    with pytest.raises(ValueError, match="earlier"):
        other.since(TrainingAccount(other.entries[:3]))


def test_an_unknown_entry_suggests_the_nearest(generator: torch.Generator) -> None:
    account = mho.prices.training_account(mho.ledger(trained(None, generator)), ALL)
    with pytest.raises(ValueError, match=r"entry.*writes"):
        account["write"]
