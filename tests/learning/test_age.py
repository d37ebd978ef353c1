"""Time on the chips of a network: cell by cell what the laws say, and nothing else."""

import copy
import math
from itertools import pairwise

import pytest
import torch
from torch import nn

import mho
from builders.crossbars import program_one
from builders.networks import move, small_model
from mho.hardware.crossbar import HEALTHY
from mho.hardware.programming import program_all
from mho.learning.layers.layer import memristive_layers

CELL = mho.cells.MultiLevel(
    g_min=5e-6, g_max=200e-6, levels=9, sigma=(2e-6,), stuck_off=0.02, stuck_on=0.02
)
DRIFT = mho.cells.PowerLaw(t0=2.0, nu=0.05, nu_spread=0.02, activation=1.1, temperature=300.0)
LAWS: dict[str, dict[str, object]] = {
    "retention": {"retention": DRIFT},
    "log time": {"retention": mho.cells.LogTime(rate=-1e-6, rate_spread=1e-6)},
    "flicker": {"flicker": mho.cells.Flicker(amplitude=0.02)},
    "telegraph": {"telegraph": mho.cells.Telegraph(depth=0.3, full=10.0, empty=5.0, share=0.5)},
    "disturb": {"disturb": mho.cells.Disturb(read=1e-3, half_select=1e-3)},
}
ALL = {k: v for laws in LAWS.values() for k, v in laws.items()}
every_law = pytest.mark.parametrize("laws", [*LAWS.values(), ALL], ids=[*LAWS, "all"])


def chips(laws: dict[str, object], chips: int = 3, **changes: object) -> nn.Module:
    hardware = mho.Hardware(device=CELL, tile=(16, 24), **laws, **changes)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(1)
    return mho.convert(small_model().requires_grad_(False), hardware, chips, generator=generator)


def crossbars(net: nn.Module) -> list:
    return [layer.crossbar for layer in memristive_layers(net).values()]


def image(n: int = 4) -> torch.Tensor:
    return torch.randn(n, 2, 6, 6, generator=torch.Generator().manual_seed(7))


def test_each_cell_relaxes_at_its_rate_from_what_it_was_programmed_to() -> None:
    net = chips(LAWS["retention"])
    before = [xb.conductance.clone() for xb in crossbars(net)]
    mho.age(net, 50.0)
    mho.age(net, 950.0)
    for xb, g in zip(crossbars(net), before, strict=True):
        healthy = xb.fault == HEALTHY
        aged = g * (1000.0 / 2.0) ** -xb.ageing.rate
        torch.testing.assert_close(xb.conductance[healthy], aged[healthy], rtol=1e-4, atol=0.0)
        assert torch.equal(xb.conductance[~healthy], g[~healthy])


def test_heat_is_more_time() -> None:
    hot, long = chips(LAWS["retention"]), chips(LAWS["retention"])
    factor = math.exp(1.1 / 8.617333e-5 * (1 / 300 - 1 / 398))
    assert factor > 1e4
    mho.age(hot, 3600.0, temperature=398.0)
    mho.age(long, 3600.0 * factor)
    torch.testing.assert_close(hot(image(3)), long(image(3)), rtol=1e-4, atol=1e-4)


def test_writing_a_cell_starts_its_relaxation_anew() -> None:
    net = chips(LAWS["retention"], programming=mho.cells.OpenLoop())
    mho.age(net, 1e4)
    step = mho.WriteStep(net)
    old = [xb.conductance.clone() for xb in crossbars(net)]
    writes = [xb.writes.clone() for xb in crossbars(net)]
    move(net, 2.0, torch.Generator().manual_seed(3))
    step()
    now = [xb.conductance.clone() for xb in crossbars(net)]
    mho.age(net, 98.0)
    for xb, before, landed, count in zip(crossbars(net), old, now, writes, strict=True):
        healthy, new = xb.fault == HEALTHY, xb.writes > count
        assert 0 < (new & healthy).sum() < healthy.sum()
        fresh = landed * (98.0 / 2.0) ** -xb.ageing.rate
        torch.testing.assert_close(
            xb.conductance[healthy & new], fresh[healthy & new], rtol=1e-4, atol=0.0
        )
        stale = before * (10_098.0 / 1e4) ** -xb.ageing.rate
        torch.testing.assert_close(
            xb.conductance[healthy & ~new], stale[healthy & ~new], rtol=1e-4, atol=0.0
        )


@every_law
def test_chips_are_the_same_whatever_else_is_simulated(laws: dict[str, object]) -> None:
    many, few = chips(laws), chips(laws, 2)
    for net in (many, few):
        net(image())
        mho.age(net, 100.0)
    a, b = (xb.conductance_seen for xb in (crossbars(many)[0], crossbars(few)[0]))
    assert torch.equal(a[:2], b)
    assert not torch.equal(a[1], a[2])


@every_law
def test_saved_in_between_it_goes_on_alike(laws: dict[str, object]) -> None:
    net = chips(laws, 1)
    net(image())
    mho.age(net, 100.0)
    other = chips(laws, 1)
    other.load_state_dict(copy.deepcopy(net.state_dict()))
    assert torch.equal(net(image()), other(image()))
    for n in (net, other):
        mho.age(n, 100.0)
    assert torch.equal(net(image()), other(image()))


@pytest.mark.parametrize("wires", [0.0, 3.0])
@every_law
def test_a_network_of_other_chips_goes_on_like_the_one_whose_state_it_took(
    laws: dict[str, object], wires: float
) -> None:
    # All that draws after a load: reads, programming, reading back, and the laws of time.
    cell = CELL.replace(read_noise=0.02, endurance=2e3, endurance_spread=0.5)
    hardware = mho.Hardware(device=cell, tile=(16, 24), wire_resistance=wires, **laws)  # type: ignore[arg-type]
    made = [
        mho.convert(
            small_model(), hardware, generator=torch.Generator().manual_seed(seed), first_chip=first
        )
        for seed, first in ((1, 5), (2, 0))
    ]
    mho.age(made[0], 10.0)
    made[1].load_state_dict(copy.deepcopy(made[0].state_dict()))
    seen = []
    for net in made:
        with torch.no_grad():
            outputs = [net(image())]
            mho.age(net, 1000.0)
            outputs.append(net(image()))
            for layer in memristive_layers(net).values():
                layer.weight.mul_(-1)
            mho.write(net)
            mho.age(net, 1.0)
            outputs.append(net(image()))
            store = next(iter(memristive_layers(net).values())).store
            outputs.append(store.read_back(torch.arange(20)))
        seen.append([*outputs, *(t for t in net.state_dict().values() if t.dtype != torch.uint8)])
    for one, two in zip(*seen, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0, equal_nan=True)


@every_law
def test_wires_see_the_aged_cells(laws: dict[str, object]) -> None:
    net = chips(laws, 1, wire_resistance=3.0)
    net(image(500))
    mho.age(net, 1000.0)
    xb = crossbars(net)[1]
    shown = xb.ageing.seen(xb.conductance)
    torch.testing.assert_close(xb.get_buffer("seen"), xb.hardware.wires.seen(shown))
    assert xb.staleness == 0.0


def test_slow_noise_stands_still_between_two_calls() -> None:
    net = chips({**LAWS["flicker"], **LAWS["telegraph"]}, 1)
    y = net(image())
    assert torch.equal(net(image()), y)
    mho.age(net, 0.0)
    assert torch.equal(net(image()), y)
    mho.age(net, 1.0)
    assert not torch.equal(net(image()), y)


def test_read_disturb_counts_the_vectors() -> None:
    net = chips({"disturb": mho.cells.Disturb(read=1e-3)}, 1)
    xb = crossbars(net)[1]  # one vector an input
    before = xb.conductance.clone()
    net(image(200))
    assert torch.equal(xb.conductance, before)
    mho.age(net, 0.0)
    healthy = xb.fault == HEALTHY
    high = CELL.g_max
    expected = high + (before - high) * math.exp(-1e-3 * 200)
    torch.testing.assert_close(xb.conductance[healthy], expected[healthy], rtol=1e-5, atol=0.0)
    mho.age(net, 0.0)
    torch.testing.assert_close(xb.conductance[healthy], expected[healthy], rtol=1e-5, atol=0.0)


def test_read_disturb_counts_the_vectors_of_errors_too() -> None:
    def read(*, backward: bool) -> tuple[torch.Tensor, int]:
        net = chips({"disturb": mho.cells.Disturb(read=1e-3)}, 1)
        for _ in range(5):
            y = net(image().requires_grad_()).sum()
            if backward:
                y.backward()
            else:
                net(image())
        mho.age(net, 1.0)
        layer = mho.ledger(net).layers[0]
        return crossbars(net)[0].conductance, layer.vectors + layer.backward_vectors

    (through, n), (twice, m) = read(backward=True), read(backward=False)
    assert n == m == 5 * 2 * 4 * 16
    assert torch.equal(through, twice)


def test_half_select_disturb_counts_pulses_on_the_lines() -> None:
    law = mho.cells.Disturb(half_select=1e-3)
    cell = CELL.replace(stuck_off=0.0, stuck_on=0.0)
    hardware = mho.Hardware(device=cell, tile=(4, 8), disturb=law, programming=mho.cells.OpenLoop())
    layer = mho.nn.MemristiveLinear(4, 4, hardware=hardware)
    xb = layer.crossbar
    mho.age(layer, 0.0)
    before = xb.conductance.clone()
    at = torch.tensor([1 * 8 + 2])  # row 1, column 2 of the only tile
    first_level = xb.level.flatten()[at]
    for level in (8, 0, 8):
        program_one(xb, at, torch.tensor([level]))
    landed = xb.conductance[0, 0, 1, 2].clone()
    mho.age(layer, 0.0)
    (low, high), started = cell.window, int(first_level)
    sets = 2 + (started < 8) - 1
    up, down = 1e-3 * sets, 1e-3 * (3 - sets)
    goal = low + (high - low) * up / (up + down)
    moved = goal + (before - goal) * math.exp(-up - down)
    lines = torch.zeros_like(before, dtype=torch.bool)
    lines[0, 0, 1, :] = lines[0, 0, :, 2] = True
    lines[0, 0, 1, 2] = False
    torch.testing.assert_close(xb.conductance[lines], moved[lines], rtol=1e-5, atol=0.0)
    lines[0, 0, 1, 2] = True
    assert torch.equal(xb.conductance[~lines], before[~lines])
    assert xb.conductance[0, 0, 1, 2] == landed


@pytest.mark.parametrize(
    "programming", [mho.cells.OpenLoop(), mho.cells.Verify()], ids=["open", "verify"]
)
def test_a_window_closes_before_its_cell_dies(programming: object) -> None:
    cell = mho.cells.MultiLevel(
        g_min=10e-6, g_max=100e-6, levels=2, endurance=400.0, closing=(0.2, 0.4), closing_power=2.0
    )
    hardware = mho.Hardware(device=cell, programming=programming)  # type: ignore[arg-type]
    layer = mho.nn.MemristiveLinear(4, 3, hardware=hardware)
    xb = layer.crossbar
    span, widths = 90e-6, []
    cells = torch.arange(12)
    for _ in range(6):
        reached = []
        for level in (0, 1):
            worn = xb.pulses.clone()
            program_one(xb, cells, torch.full((12,), level))
            lost = (worn.flatten()[cells] / 400.0).clamp(max=1.0) ** 2
            edge = 10e-6 + 0.2 * span * lost if level == 0 else 100e-6 - 0.4 * span * lost
            torch.testing.assert_close(xb.conductance.flatten()[cells], edge, rtol=1e-5, atol=0.0)
            reached.append(edge.mean().item())
        widths.append(reached[1] - reached[0])
        for _ in range(10):
            for level in (0, 1):
                program_one(xb, cells, torch.full((12,), level))
    assert all(a > b for a, b in pairwise(widths))


def test_a_level_out_of_reach_takes_all_attempts() -> None:
    cell = mho.cells.MultiLevel(
        g_min=10e-6, g_max=100e-6, levels=3, endurance=100.0, closing=(0.0, 0.6)
    )
    layer = mho.nn.MemristiveLinear(2, 1, hardware=mho.Hardware(device=cell))
    xb, at = layer.crossbar, torch.tensor([0])
    for k in range(100):
        program_one(xb, at, torch.tensor([k % 2]))
    assert xb.pulses.flatten()[0] >= 99  # one pulse each: these levels stay in reach
    spare = mho.cells.Verify().max_pulses
    if xb.fault.flatten()[0] == HEALTHY:
        before = int(xb.pulses.flatten()[0])
        program_one(xb, at, torch.tensor([2]))
        assert xb.pulses.flatten()[0] == before + spare


def test_impossible_times_and_temperatures_are_refused() -> None:
    net = chips(LAWS["log time"], 1)
    y = net(image())
    refused = {
        (-1.0,): "seconds = -1",
        (math.nan,): "seconds",
        (1.0, 400.0): "LogTime.activation",
        (1.0, 0.0): "temperature = 0",
    }
    for bad, said in refused.items():
        with pytest.raises(ValueError, match=said):
            mho.age(net, *bad)
    assert torch.equal(net(image()), y)
    with pytest.raises(ValueError, match=r"closing.*without an endurance"):
        CELL.replace(closing=(0.1, 0.1))


def test_chips_without_laws_stay_as_they_are() -> None:
    net = chips({}, 1)
    y = net(image())
    mho.age(net, 0.0)
    with pytest.warns(UserWarning, match=r"time changes nothing .*Hardware\(device='pcm-gst'\)"):
        mho.age(net, 1e9)
    assert torch.equal(net(image()), y)


def test_one_layer_that_ages_is_enough() -> None:
    still, ages = (
        mho.nn.MemristiveLinear(4, 3, hardware=mho.Hardware(device=device))
        for device in ("hfo2-1t1r", "pcm-gst")
    )
    before = ages.effective.clone()
    mho.age(torch.nn.Sequential(ages, torch.nn.ReLU(), still), 1e6)
    assert not torch.equal(ages.effective, before)


def test_a_day_widens_the_spread_as_the_source_found() -> None:
    """Aged one day, cells of the one-second preset spread as those of the one-day preset."""
    day = mho.devices.get("rram-neurram-1day")
    hardware = mho.Hardware(device="rram-neurram-1s", mapping="single")
    layer = mho.nn.MemristiveLinear(200, 200, hardware=hardware)
    middle = torch.full_like(layer.crossbar.level, 8)
    program_all(layer.crossbar, middle)
    mho.age(layer, 86_400.0)
    spread = layer.crossbar.conductance.std().item()
    assert isinstance(day, mho.cells.MultiLevel)
    assert spread == pytest.approx(day.spread(torch.tensor(20e-6)).item(), rel=0.06)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30 s", 30.0),
        ("1.5min", 90.0),
        ("3 h", 10800.0),
        ("3 hours", 10800.0),
        ("1 day", 86400.0),
        ("2 days", 172800.0),
        ("1 week", 604800.0),
        ("12 months", 31557600.0),
        ("10 years", 315576000.0),
        ("1e3 s", 1000.0),
        (" 1e-3 s ", 1e-3),
    ],
)
def test_times_may_be_words(text: str, seconds: float) -> None:
    assert mho.learning.age.seconds_of(text) == pytest.approx(seconds)
    cell = mho.devices.preset("pcm-gst")
    nets = [mho.convert(torch.nn.Linear(3, 2), mho.Hardware(device=cell)) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    mho.age(nets[0], text)
    mho.age(nets[1], seconds)
    torch.testing.assert_close(nets[0].effective, nets[1].effective)


@pytest.mark.parametrize("text", ["", "day", "1 fortnight", "1", "one day", "1 day 2 h", "nan s"])
def test_other_words_are_no_time(text: str) -> None:
    net = mho.convert(torch.nn.Linear(3, 2), mho.Hardware(device=mho.devices.get("pcm-gst")))
    with pytest.raises(ValueError, match=r"seconds = .*: expected .*(3 h|finite)"):
        mho.age(net, text)


def test_a_negative_time_in_words_is_refused() -> None:
    net = mho.convert(torch.nn.Linear(3, 2), mho.Hardware(device=mho.devices.get("pcm-gst")))
    with pytest.raises(ValueError, match=r"seconds = -86400\.0: expected a finite number in"):
        mho.age(net, "-1 day")
