"""The simulated chip behind the calls of an instrument: physics, counts, refusals."""

import pytest
import torch
from torch import Tensor

import mho
from builders.instruments import chip
from mho.instruments import InstrumentRefused

PULSED = mho.cells.PulseResponse(
    g_min=10e-6, g_max=90e-6, levels=9, pulses=64, nonlinearity=(1.0, 2.0)
)
IDEAL = mho.cells.MultiLevel(g_min=50e-6, g_max=225e-6, levels=16)


def cells(*addresses: tuple[int, int, int]) -> Tensor:
    return torch.tensor(addresses, dtype=torch.int32)


def test_currents_are_those_of_the_conductances() -> None:
    instrument = chip(IDEAL, arrays=3)
    about = instrument.describe()
    where = cells((1, 0, 0), (1, 2, 5), (2, 15, 11))
    target = torch.tensor([about.high, about.low, about.high])
    done = instrument.program(where, target)
    torch.testing.assert_close(done.conductance, target)
    volts = torch.zeros(2, 2, 16)
    volts[0, 0, 0], volts[0, 0, 2], volts[1, 1, 15] = 0.1, -0.2, 0.2
    amps = instrument.read(1, volts)
    wanted = torch.zeros(2, 2, 12)
    wanted[0, 0, 0], wanted[0, 0, 5], wanted[1, 1, 11] = 0.1 * about.high, -0.2 * about.low, 45e-6
    torch.testing.assert_close(amps, wanted)
    assert instrument.report() == (1, 4, 2, 1, 3)


def test_read_noise_is_that_of_every_cell() -> None:
    instrument = chip(IDEAL.replace(read_noise=0.02), tile=(40, 50), arrays=1)
    volts = torch.full((200, 1, 40), 0.1)
    volts[:, :, 20:] = 0.0
    amps = instrument.read(0, volts)
    sigma = 0.02 * (225e-6 - 50e-6) * 0.1 * 20**0.5
    assert amps.std().item() == pytest.approx(sigma, rel=0.03)
    assert not torch.equal(amps, instrument.read(0, volts))


def test_wires_take_their_share() -> None:
    bare, wired = chip(IDEAL, arrays=1), chip(IDEAL, arrays=1, wire_resistance=5.0)
    where = torch.cartesian_prod(torch.arange(1), torch.arange(16), torch.arange(12)).int()
    for instrument in (bare, wired):
        instrument.program(where, torch.full((192,), 225e-6))
    volts = torch.full((1, 1, 16), 0.2)
    g = bare.crossbar.conductance[0, 0].double()
    seen = mho.circuits.effective_conductance(g, 5.0, 5.0)
    torch.testing.assert_close(wired.read(0, volts)[0, 0], (0.2 * seen.sum(0)).float())
    assert (wired.read(0, volts) < 0.99 * bare.read(0, volts)).all()


def test_pulses_move_cells_that_add_them_up() -> None:
    instrument = chip(PULSED)
    assert instrument.describe().pulses
    where = cells((0, 0, 0), (0, 0, 1), (3, 5, 7))
    instrument.pulse(where, torch.tensor([20, 0, 40], dtype=torch.int32))
    instrument.pulse(where, torch.tensor([-3, 0, 0], dtype=torch.int32))
    g = torch.full((3,), 10e-6)
    for counts in ([20, 0, 40], [-3, 0, 0]):
        g = PULSED.respond(torch.zeros(3), g, torch.tensor(counts, dtype=torch.int32), {})
    volts = torch.zeros(1, 8, 16)
    volts[0, 0, 0] = volts[0, 3, 5] = 0.1
    amps = instrument.read(0, volts)
    torch.testing.assert_close(amps[0, (0, 0, 3), (0, 1, 7)] / 0.1, g)
    report = instrument.report()
    assert (report.changes, report.set_pulses, report.reset_pulses) == (2, 60, 3)


def test_pulses_wear_cells_out() -> None:
    instrument = chip(PULSED.replace(endurance=30.0))
    where = cells((0, 0, 0))
    for count in (40, 5):
        instrument.pulse(where, torch.tensor([count], dtype=torch.int32))
        held = instrument.crossbar.conductance[0, 0, 0, 0].item()
    assert held == PULSED.respond(
        torch.zeros(()), torch.tensor(10e-6), torch.tensor(40, dtype=torch.int32), {}
    )


def test_landing_cells_take_no_counted_pulses() -> None:
    with pytest.raises(InstrumentRefused, match="land afresh"):
        chip().pulse(cells((0, 0, 0)), torch.ones(1, dtype=torch.int32))


def test_a_stuck_cell_is_refused_where_the_chip_verifies() -> None:
    stuck = IDEAL.replace(stuck_off=1.0)
    top, low = torch.tensor([225e-6]), torch.tensor([50e-6])
    verified = chip(stuck).program(cells((0, 0, 0)), top)
    assert verified.refused.all()
    assert verified.pulses.item() == mho.cells.Verify().max_pulses
    assert verified.conductance.item() == pytest.approx(50e-6)
    assert not chip(stuck).program(cells((0, 0, 0)), low).refused.any()
    blind = chip(stuck, programming=mho.cells.OpenLoop()).program(cells((0, 0, 0)), top)
    assert not blind.refused.any()
    assert blind.conductance.isnan().all()


@pytest.mark.parametrize(
    ("where", "target", "said"),
    [
        (cells((8, 0, 0)), [50e-6], r"cell = \(8, 0, 0\)"),
        (cells((0, -1, 0)), [50e-6], r"cell = \(0, -1, 0\)"),
        (cells((0, 0, 0), (0, 0, 0)), [50e-6, 50e-6], "the same cell twice"),
        (cells((0, 0, 0)), [60e-6], "one of the 16 levels"),
        (cells((0, 0, 0)), [float("nan")], "one of the 16 levels"),
    ],
)
def test_what_is_not_on_the_chip_is_refused(where: Tensor, target: list[float], said: str) -> None:
    instrument = chip()
    with pytest.raises(ValueError, match=said):
        instrument.program(where, torch.tensor(target))
    assert instrument.report().changes == 0


@pytest.mark.parametrize(
    ("first", "shape", "volts", "said"),
    [
        (7, (1, 2, 16), 0.1, "read arrays = '7 to 8'"),
        (-1, (1, 1, 16), 0.1, "read arrays"),
        (0, (1, 1, 15), 0.1, "read rows = 15"),
        (0, (0, 1, 16), 0.1, "read vectors = 0"),
        (0, (1025, 1, 16), 0.1, "read vectors = 1025"),
        (0, (1, 1, 16), -0.3, "read voltage"),
        (0, (1, 1, 16), float("nan"), "read voltage"),
    ],
)
def test_a_read_beyond_the_chip_is_refused(
    first: int, shape: tuple[int, int, int], volts: float, said: str
) -> None:
    with pytest.raises((ValueError, IndexError), match=said):
        chip().read(first, torch.full(shape, volts))


def test_a_chip_leaves_alone_what_it_has_given_up_and_goes_on_refusing_it() -> None:
    instrument = chip(IDEAL.replace(stuck_off=0.3))
    (where,) = (instrument.crossbar.fault[0] == 1).nonzero()[:1]
    about, spent = instrument.describe(), []
    for _ in range(5):
        done = instrument.program(where.int().view(1, 3), torch.tensor([about.high]))
        assert done.refused.all()
        spent.append((int(done.pulses), int(done.reads)))
    assert spent == [(20, 20)] * 3 + [(0, 0)] * 2


def test_a_state_of_a_chip_made_before_there_were_more_settings_loads() -> None:
    one, other = chip(IDEAL), chip(IDEAL)
    one.program(cells((0, 0, 0)), torch.tensor([225e-6]))
    state = one.state_dict()
    line = "give_up_after = 60\n"
    assert line in state["made"]
    state["made"] = state["made"].replace(line, "")
    state["cells"] = {k: v for k, v in state["cells"].items() if k != "misses"}
    other.load_state_dict(state)
    assert other.report() == one.report()
    with pytest.raises(ValueError, match="one made with the same settings"):
        chip(IDEAL.replace(levels=4)).load_state_dict(state)


def test_cells_that_would_age_are_told_that_they_do_not() -> None:
    with pytest.warns(UserWarning, match="SimulatedInstrument: cells do not age there"):
        chip("pcm-gst", tile=(4, 4))
