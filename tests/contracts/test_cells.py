"""Every cell, preset or made up here, against every property that a cell promises.

A new family, or a new corner of an old one, is tested by one more entry in `CELLS`. Properties of
`draw` and `score` are those of landing cells; pulsed cells are held to the others, with the burst
that takes a fresh cell to its level as their attempt, and to those of bursts.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import solve_ivp
from torch import Tensor

from builders.noise import noise
from mho import Hardware
from mho.hardware import Crossbar, Tiling, mapping
from mho.hardware.crossbar import WORN
from mho.hardware.programming import program_all
from mho.physics import (
    Cell,
    GeneratorNoise,
    LandingCell,
    MultiLevel,
    OpenLoop,
    Present,
    PulsedCell,
    PulseResponse,
    PulseTable,
    Resistance,
    Spread,
    Traits,
    TwoState,
    Verify,
)
from mho.physics.devices import DEVICES
from mho.physics.spread import Distribution


def two_state(shape: Distribution, device: float, cycle: float) -> TwoState:
    limits = {"lower": 0.4, "upper": 2.5}
    return TwoState(
        r_on=Resistance(
            mean=10e3,
            device=Spread(distribution=shape, cov=device, **limits),
            cycle=Spread(distribution=shape, cov=cycle, **limits),
        ),
        r_off=Resistance(
            mean=100e3,
            device=Spread(distribution=shape, cov=2 * device, **limits),
            cycle=Spread(distribution=shape, cov=2 * cycle, **limits),
        ),
    )


CELLS: dict[str, Cell] = {
    **DEVICES,
    "normal": two_state("normal", 0.1, 0.15),
    "normal at its limits": two_state("normal", 0.0, 0.4),
    "truncated-normal": two_state("truncated-normal", 0.1, 0.15),
    "lognormal": two_state("lognormal", 0.1, 0.15),
    "cycle only": two_state("lognormal", 0.0, 0.15),
    "polynomial": MultiLevel(
        g_min=10e-6, g_max=90e-6, levels=5, sigma=(4e-6, 0.05, -600.0), device_spread=0.05
    ),
    "device only": MultiLevel(g_min=10e-6, g_max=90e-6, levels=5, device_spread=0.1),
    "from zero": MultiLevel(g_min=0.0, g_max=80e-6, levels=5, sigma=(9e-6,)),
    "clumsy": MultiLevel(g_min=20e-6, g_max=80e-6, levels=3, sigma=(25e-6,), device_spread=0.1),
    "ideal": MultiLevel(g_min=10e-6, g_max=90e-6, levels=7),
    "pulses": PulseResponse(
        g_min=10e-6,
        g_max=90e-6,
        pulses=400,
        nonlinearity=(3.0, 1.5),
        reset_ratio=2.0,
        cycle_spread=2.0,
        device_spread=0.3,
    ),
    "pulses whose steps grow": PulseResponse(
        g_min=10e-6, g_max=90e-6, pulses=100, nonlinearity=(-1.5, 0.5), cycle_spread=0.5
    ),
    "pulses of devices that differ in all": PulseResponse(
        g_min=10e-6,
        g_max=90e-6,
        pulses=200,
        nonlinearity=(2.0, 3.0),
        reset_ratio=1.5,
        cycle_spread=1.0,
        device_spread=0.2,
        window_spread=(0.03, 0.06),
        nonlinearity_spread=0.3,
        ratio_spread=0.3,
    ),
    "noisy even pulses": PulseResponse(g_min=0.0, g_max=80e-6, pulses=60, cycle_spread=1.0),
    "pulses of many devices": PulseResponse(
        g_min=10e-6, g_max=90e-6, levels=5, pulses=100, device_spread=0.5
    ),
    "ideal pulses": PulseResponse(g_min=10e-6, g_max=90e-6, levels=7, pulses=60),
    "table": PulseTable(
        g=(10e-6, 25e-6, 40e-6, 75e-6, 90e-6),
        set_step=(0.9e-6, 1.6e-6, 0.7e-6, 0.7e-6, 0.2e-6),
        reset_step=(0.3e-6, 0.5e-6, 1.5e-6, 1.2e-6, 1.6e-6),
        set_spread=(0.3e-6, 0.5e-6, 0.2e-6, 0.4e-6, 0.1e-6),
        reset_spread=(0.4e-6,),
        device_spread=0.2,
        read_noise=0.01,
    ),
    "noisy table": PulseTable(
        g=(0.0, 80e-6), set_step=(2e-6, 1e-6), reset_step=(1e-6, 1e-6), set_spread=(4e-6,)
    ),
    "ideal table": PulseTable(
        g=(10e-6, 30e-6, 90e-6), set_step=(2e-6, 1e-6, 1e-6), reset_step=(1e-6,) * 3, levels=7
    ),
}
LANDING = {name: cell for name, cell in CELLS.items() if isinstance(cell, LandingCell)}
PULSED = {name: cell for name, cell in CELLS.items() if isinstance(cell, PulsedCell)}
SCHEMES = {
    "coarse": Verify(tolerance=0.5, max_pulses=20),
    "fine": Verify(tolerance=0.12, max_pulses=4),
}

every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
every_landing_cell = pytest.mark.parametrize("cell", LANDING.values(), ids=LANDING.keys())
every_pulsed_cell = pytest.mark.parametrize("cell", PULSED.values(), ids=PULSED.keys())
every_scheme = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES.keys())
either_way = pytest.mark.parametrize("corrected", [False, True])


def levels(cell: Cell) -> Tensor:
    return torch.arange(cell.states, dtype=torch.float64)


def extremes(cell: Cell) -> Tensor:
    """The lowest, a middle and the highest level."""
    return torch.tensor([0, cell.states // 2, cell.states - 1], dtype=torch.float64).unique()


def cycles(cell: Cell) -> bool:
    """Whether two programming events differ."""
    if isinstance(cell, TwoState):
        return cell.r_on.cycle.cov > 0
    if isinstance(cell, PulseResponse):
        return cell.cycle_spread > 0
    if isinstance(cell, PulseTable):
        return any(cell.set_spread)
    return any(cell.sigma)


def varies(cell: Cell) -> bool:
    """Whether two devices differ."""
    if isinstance(cell, TwoState):
        return cell.r_on.device.cov > 0
    return cell.device_spread > 0


def without_spread(cell: Cell) -> Cell:
    if isinstance(cell, TwoState):
        on, off = (Resistance(mean=state.mean) for state in (cell.r_on, cell.r_off))
        return cell.replace(r_on=on, r_off=off)
    if isinstance(cell, PulseResponse):
        return cell.replace(
            cycle_spread=0.0,
            device_spread=0.0,
            window_spread=(0.0, 0.0),
            nonlinearity_spread=0.0,
            ratio_spread=0.0,
        )
    if isinstance(cell, PulseTable):
        return cell.replace(set_spread=(0.0,), reset_spread=(0.0,), device_spread=0.0)
    return cell.replace(sigma=(0.0,), device_spread=0.0)


def attempt(cell: Cell, z: Tensor, level: Tensor, traits: Traits, corrected: bool) -> Tensor:
    """One programming attempt on fresh cells."""
    if isinstance(cell, LandingCell):
        return cell.draw(z, level, traits, corrected=corrected)
    fresh = torch.full_like(z, cell.window[0])
    burst = cell.pulses_to(cell.nominal(level).to(z), fresh)
    return cell.respond(z, fresh, burst, traits)


def resolution(cell: Cell) -> float:
    """How far from its nominal conductance a level may end for want of a finer pulse [S]."""
    if isinstance(cell, LandingCell):
        return 0.0
    low, high = cell.window
    g = torch.linspace(low, high, 200, dtype=torch.float64)
    return (burst(cell, g, 1) - g).max().item() / 2


def burst(cell: PulsedCell, g: Tensor, pulses: int) -> Tensor:
    """Where nominal devices without noise end [S]."""
    count = torch.full(g.shape, pulses, dtype=torch.int32)
    return cell.respond(torch.zeros_like(g), g, count, {})


def inside(cell: PulsedCell, n: int) -> Tensor:
    """Conductances from end to end of the window [S]."""
    low, high = cell.window
    return torch.linspace(low, high, n, dtype=torch.float64)


@either_way
@every_cell
def test_an_attempt_increases_with_the_score(cell: Cell, corrected: bool) -> None:
    level = levels(cell).unsqueeze(1)
    traits = cell.traits(noise(1, cell.states, 1))
    z = torch.linspace(-4.5, 4.5, 61, dtype=torch.float64)
    g = attempt(cell, z, level, traits, corrected).broadcast_to(cell.states, 61)
    assert (g.diff(dim=1) >= -1e-15 * g[:, 1:]).all()
    assert bool((g[:, -1] > 1.001 * g[:, 0]).any()) == cycles(cell)


@either_way
@every_landing_cell
def test_score_inverts_draw(cell: LandingCell, corrected: bool) -> None:
    level = levels(cell).unsqueeze(1)
    traits = cell.traits(noise(2, cell.states, 1))
    z = torch.linspace(-3, 3, 41, dtype=torch.float64).expand(cell.states, 41)

    def at(z: Tensor) -> Tensor:
        return cell.draw(z, level, traits, corrected=corrected)

    if cycles(cell):
        inside = (at(z - 1e-3) < at(z)) & (at(z) < at(z + 1e-3))  # not at a limit
        assert inside.double().mean() > 0.5
        back = cell.score(at(z), level, traits, corrected=corrected)
        torch.testing.assert_close(back[inside], z[inside], rtol=0, atol=1e-6)
    else:
        g = at(torch.zeros_like(level))
        for factor, side in ((0.99, -1.0), (1.01, 1.0)):
            assert (side * cell.score(factor * g, level, traits, corrected=corrected) > 20).all()


@either_way
@every_landing_cell
def test_out_of_reach_scores_infinite(cell: LandingCell, corrected: bool) -> None:
    level = extremes(cell)
    traits = cell.traits(noise(3, len(level)))
    below = cell.score(torch.full_like(level, -1e-9), level, traits, corrected=corrected)
    above = cell.score(torch.full_like(level, 1e3), level, traits, corrected=corrected)
    assert (torch.special.ndtr(below) == 0).all()
    assert (torch.special.ndtr(above) == 1).all()


@every_cell
def test_without_spread_a_level_is_its_nominal_conductance(cell: Cell) -> None:
    ideal, level = without_spread(cell), levels(cell)
    traits = ideal.traits(noise(4, cell.states))
    assert traits == {}
    nominal = cell.nominal(level)
    low, high = cell.window
    torch.testing.assert_close(nominal[[0, -1]], torch.tensor([low, high], dtype=torch.float64))
    torch.testing.assert_close(nominal.diff(), torch.full_like(level[1:], cell.step))
    z = noise(5, cell.states).normal()
    for corrected in (False, True):
        g = attempt(ideal, z, level, traits, corrected)
        torch.testing.assert_close(g, nominal, rtol=1e-12, atol=1.001 * resolution(cell))
    torch.testing.assert_close(
        ideal.mean(level).double(), nominal, rtol=1e-6, atol=1e-8 * cell.step
    )


@every_landing_cell
def test_mean_is_what_many_devices_average_to(cell: LandingCell) -> None:
    n, level = 200_000, extremes(cell)
    source = noise(6, n, len(level))
    g = cell.draw(source.normal(), level, cell.traits(source), corrected=False)
    error = 5 * g.std(0) / math.sqrt(n) + 1e-6 * g.mean(0)
    assert ((g.mean(0) - cell.mean(level)).abs() <= error).all()


@either_way
@every_cell
def test_a_conductance_is_finite_and_not_negative(cell: Cell, corrected: bool) -> None:
    source = noise(7, 20_000, cell.states)
    traits = cell.traits(source)
    g = attempt(cell, 3 * source.normal(), levels(cell), traits, corrected)
    assert torch.isfinite(g).all()
    assert (g >= 0).all()


@every_cell
def test_traits_belong_to_the_device(cell: Cell) -> None:
    traits = cell.traits(noise(8, 500, 1))
    z = torch.zeros(500, 1, dtype=torch.float64)
    one, two = (attempt(cell, z, levels(cell), traits, False) for _ in range(2))
    assert torch.equal(one, two)
    spread = one.expand(500, cell.states).std(0) / cell.nominal(levels(cell))
    written = levels(cell) >= cell.remembers  # level 0 of a fresh cell takes no pulse
    assert bool((spread[written] > 1e-3).all()) == varies(cell)
    assert all(value.shape == (500, 1) for value in traits.values())
    if not varies(cell):
        assert traits == {}


@every_cell
def test_any_leading_dims_are_legal(cell: Cell) -> None:
    shape = (2, 3, 5)
    source = noise(9, *shape)
    traits, z = cell.traits(source), source.normal()
    level = torch.arange(30).view(shape) % cell.states
    flat = {name: value.flatten() for name, value in traits.items()}
    for corrected in (False, True):
        whole = attempt(cell, z, level, traits, corrected)
        each = attempt(cell, z.flatten(), level.flatten(), flat, corrected)
        assert whole.shape == shape
        assert torch.equal(whole.flatten(), each)
        if not isinstance(cell, LandingCell):
            continue
        scored = cell.score(whole, level, traits, corrected=corrected)
        again = cell.score(each, level.flatten(), flat, corrected=corrected)
        assert torch.equal(scored.flatten(), again)
    for scheme in (OpenLoop(), Verify()):
        done = scheme.program(cell, level[1], traits, source)
        assert done.conductance.shape == done.pulses.shape == done.reads.shape == shape
        held = Present(done.conductance, level[1])
        done = scheme.program(cell, level[0], traits, source, held)
        assert done.conductance.shape == done.pulses.shape == done.reads.shape == shape


@every_landing_cell
def test_open_loop_is_one_pulse_and_one_draw(cell: LandingCell) -> None:
    level = levels(cell).expand(50, -1)
    traits = cell.traits(noise(10, 50, cell.states))
    scheme = OpenLoop()
    done = scheme.program(cell, level, traits, noise(11, 50, cell.states))
    expected = cell.draw(
        noise(11, 50, cell.states).normal(), level, traits, corrected=False
    ).broadcast_to(50, cell.states)
    assert torch.equal(done.conductance, expected)
    assert done.pulses.dtype == torch.int32
    assert (done.pulses == 1).all()
    assert (done.reads == 0).all()
    assert (scheme.most_pulses(cell), scheme.verifies) == (1, False)


@every_landing_cell
def test_verify_with_one_pulse_is_open_loop(cell: LandingCell) -> None:
    level = levels(cell).expand(200, -1)
    traits = cell.traits(noise(12, 200, cell.states))
    one = Verify(max_pulses=1).program(cell, level, traits, noise(13, 200, cell.states))
    other = OpenLoop().program(cell, level, traits, noise(13, 200, cell.states))
    assert torch.equal(one.conductance, other.conductance)
    assert torch.equal(one.pulses, other.pulses)


def attempt_by_attempt(
    scheme: Verify, cell: LandingCell, level: Tensor, traits: Traits, source: GeneratorNoise
) -> tuple[Tensor, Tensor]:
    """Program-and-verify as a controller does it: the slow truth."""
    target, bound = cell.nominal(level), scheme.tolerance * cell.step
    g = cell.draw(source.normal(), level, traits, corrected=False).expand(source.shape).clone()
    pulses = torch.ones(source.shape, dtype=torch.int32)
    for _ in range(scheme.max_pulses - 1):
        missed = (g - target).abs() > bound
        attempt = cell.draw(source.normal(), level, traits, corrected=True)
        g = torch.where(missed, attempt, g)
        pulses += missed
    return g, pulses


@every_scheme
@every_landing_cell
def test_verify_ends_where_the_attempts_end(cell: LandingCell, scheme: Verify) -> None:
    n, level = 20_000, extremes(cell)
    ours, truth = noise(14, n, len(level)), noise(15, n, len(level))
    g, pulses, reads = scheme.program(cell, level, cell.traits(ours), ours)
    assert torch.equal(reads, pulses)
    g_loop, pulses_loop = attempt_by_attempt(scheme, cell, level, cell.traits(truth), truth)
    assert pulses.dtype == torch.int32
    for k in range(len(level)):
        for mine, theirs in ((pulses, pulses_loop), (g, g_loop)):
            sides = (mine[:, k].double(), theirs[:, k].double())
            # Rounding must not part values that are equal on paper, as at a limit of the spread.
            scale = max(sides[1].abs().max().item(), 1e-30)
            test = stats.ks_2samp(*((s / scale).round(decimals=6).numpy() for s in sides))
            assert test.pvalue > 1e-4, (k, test)


@every_scheme
@every_cell
def test_verify_accepts_only_inside_the_tolerance(cell: Cell, scheme: Verify) -> None:
    source = noise(16, 5_000, cell.states)
    level = levels(cell)
    g, pulses, reads = scheme.program(cell, level, cell.traits(source), source)
    assert (pulses >= (not cell.remembers)).all()
    assert (pulses <= scheme.most_pulses(cell)).all()
    assert (reads >= 1).all()
    assert (reads <= scheme.max_pulses).all()
    away = (g - cell.nominal(level)).abs() / (scheme.tolerance * cell.step)
    assert (away[reads < scheme.max_pulses] <= 1 + 1e-4).all()
    assert (g >= 0).all()
    assert torch.isfinite(g).all()


@every_cell
def test_verify_costs_and_gains(cell: Cell) -> None:
    """A tighter tolerance never costs fewer attempts, and where it succeeds errors are smaller."""
    level = levels(cell)

    def spent(tolerance: float) -> tuple[float, float]:
        source = noise(17, 4_000, cell.states)
        traits = cell.traits(source)
        scheme = Verify(tolerance=tolerance, max_pulses=100)
        g, _, reads = scheme.program(cell, level, traits, source)
        error = (g - cell.nominal(level)).abs()[reads < 100]
        return reads.double().mean().item(), error.max().item() / cell.step

    (few, wide), (many, narrow) = spent(0.5), spent(0.1)
    assert many >= few
    assert narrow <= 0.1001
    assert wide <= 0.5001


@every_cell
def test_the_same_seed_is_the_same_event(cell: Cell) -> None:
    level = levels(cell).expand(40, -1)
    traits = cell.traits(noise(18, 40, cell.states))
    held = Present(cell.nominal(level.flip(1)), level.flip(1))
    for scheme in (OpenLoop(), Verify(tolerance=0.1)):
        one, two, other = (
            scheme.program(cell, level, traits, noise(seed, 40, cell.states), held)
            for seed in (19, 19, 20)
        )
        for mine, theirs in zip(one, two, strict=True):
            assert torch.equal(mine, theirs)
        assert torch.equal(one.conductance, other.conductance) != cycles(cell)
        assert torch.equal(held.conductance, cell.nominal(level.flip(1)))  # left alone


@every_cell
def test_a_landing_cell_forgets_what_it_held_and_only_such_a_cell(cell: Cell) -> None:
    level = levels(cell).expand(40, -1)
    traits = cell.traits(noise(21, 40, cell.states))
    fresh, held = (
        OpenLoop().program(cell, level, traits, noise(22, 40, cell.states), present)
        for present in (None, Present(cell.nominal(level), level))
    )
    assert torch.equal(fresh.conductance, held.conductance) != cell.remembers
    assert torch.equal(fresh.pulses, held.pulses) != cell.remembers


@every_pulsed_cell
@settings(max_examples=6)
@given(first=st.integers(0, 40), second=st.integers(0, 400), sets=st.booleans())
def test_bursts_add_up_go_one_way_and_stay_in_the_window(
    cell: PulsedCell, first: int, second: int, sets: bool
) -> None:
    g, sign = inside(cell, 23), 1 if sets else -1
    once = burst(cell, g, sign * (first + second))
    twice = burst(cell, burst(cell, g, sign * first), sign * second)
    low, high = cell.window
    torch.testing.assert_close(once, twice, rtol=1e-9, atol=1e-9 * (high - low))
    assert (once >= low).all()
    assert (once <= high).all()
    assert (sign * (once - g) >= -1e-12 * high).all()
    assert (sign * (once - g)[1:-1] > 0).all() or first + second == 0
    assert (once.diff() >= -1e-12 * high).all()  # courses do not cross


@every_pulsed_cell
def test_the_mean_response_is_the_course_of_the_rate(cell: PulsedCell) -> None:
    """Integrated step by step from the rate that one weak pulse shows, both ways."""
    low, high = cell.window
    for sign, start, crossing in zip((1, -1), (low, high), cell.crossing, strict=True):

        def rate(_: float, g: np.ndarray, sign: int = sign) -> np.ndarray:
            weak = {"step_factor": torch.tensor(1e-4, dtype=torch.float64)}
            at = torch.from_numpy(g)
            one = torch.full(at.shape, sign, dtype=torch.int32)
            return (cell.respond(torch.zeros_like(at), at, one, weak) - at).numpy() / 1e-4

        counts = [int(share * crossing) for share in (0.2, 0.5, 0.9)]
        slow = solve_ivp(rate, (0, counts[-1]), [start], t_eval=counts, rtol=1e-4, atol=1e-6 * high,
                         max_step=crossing / 40).y[0]  # fmt: skip
        ours = [burst(cell, torch.tensor([start], dtype=torch.float64), sign * n).item()
                for n in counts]  # fmt: skip
        np.testing.assert_allclose(ours, slow, rtol=0, atol=2e-3 * (high - low))


@every_pulsed_cell
def test_the_pulses_of_a_burst_are_found_again(cell: PulsedCell) -> None:
    g = inside(cell, 23)
    for n in (1, 7, 40, -1, -7, -40):
        after = burst(cell, g, n)
        low, high = cell.window
        whole = torch.minimum(after - low, high - after) > 1e-9 * high  # not cut at a bound
        found = cell.pulses_to(after, g)
        assert found.dtype == torch.int32
        assert (found[whole] == n).all()


@every_pulsed_cell
def test_a_burst_errs_as_its_pulses_one_by_one(cell: PulsedCell) -> None:
    """With errors small beside the window: to first order, and away from the bounds."""
    n, (low, high) = 4_000, cell.window
    step = (high - low) / max(cell.crossing)
    if isinstance(cell, PulseTable):
        quiet = cell.replace(
            set_spread=tuple(min(s, step) for s in cell.set_spread),
            reset_spread=tuple(min(s, step) for s in cell.reset_spread),
        )
    else:
        quiet = cell.replace(cycle_spread=min(cell.cycle_spread, 1.0))
    for sign, crossing in zip((1, -1), quiet.crossing, strict=True):
        pulses = max(1, min(30, int(crossing / 4)))
        start = torch.full((n,), low + (0.5 - 0.2 * sign) * (high - low), dtype=torch.float64)
        source = noise(23, n)
        count = torch.full((n,), sign * pulses, dtype=torch.int32)
        ours = quiet.respond(source.normal(), start, count, {})
        slow, one = start, torch.full((n,), sign, dtype=torch.int32)
        for _ in range(pulses):
            slow = quiet.respond(source.normal(), slow, one, {})
        assert ours.std().item() == pytest.approx(
            slow.std().item(), rel=5 / math.sqrt(n), abs=1e-12
        )
        error = 5 * slow.std() * math.sqrt(2 / n) + 1e-3 * step
        assert (ours.mean() - slow.mean()).abs() < error


@every_cell
def test_every_cell_works_on_chips_and_wears_by_its_pulses(cell: Cell) -> None:
    """Written again and again: wear only grows, until the cell keeps its value for good."""
    hardware = Hardware(device=cell.replace(endurance=2.0 * cell.burst), mapping="single")
    chips = Crossbar(Tiling(4, 3, (4, 4), mapping("single")), hardware, range(2), 1)
    generator = torch.Generator().manual_seed(24)
    for _ in range(6):
        before = {k: chips.get_buffer(k).clone() for k in ("pulses", "writes", "conductance")}
        worn = chips.fault == WORN
        program_all(chips, torch.randint(cell.states, chips.tiling.shape, generator=generator))
        assert (chips.pulses >= before["pulses"]).all()
        assert (chips.writes >= before["writes"]).all()
        assert torch.equal(chips.conductance[worn], before["conductance"][worn])
        assert chips.conductance.isfinite().all()
        assert (chips.conductance >= 0).all()
    assert bool((chips.fault == WORN).any()) == bool((chips.pulses >= 2 * cell.burst).any())


@every_cell
def test_every_cell_survives_toml(cell: Cell) -> None:
    assert type(cell).from_toml(cell.to_toml()) == cell
    hardware = Hardware(device=cell, mapping="single")
    assert Hardware.from_toml(hardware.to_toml()) == hardware


@every_cell
def test_a_cell_has_as_much_of_an_imperfection_as_it_is_given(cell: Cell) -> None:
    for name, (value, what, unit) in cell.imperfections().items():
        assert value >= 0
        assert what
        assert unit in ("%", "1", "ln")
        if value > 0:
            assert cell.with_imperfection(name, value).imperfections()[name].value == (
                pytest.approx(value, rel=1e-12)
            )
        for wanted in (0.0, 0.03, 0.06):
            for start in (cell, cell.ideal()):  # in its own proportions, and evenly
                changed = start.with_imperfection(name, wanted).imperfections()
                assert changed.pop(name).value == pytest.approx(wanted, rel=1e-9, abs=1e-12)
                assert changed == {k: v for k, v in start.imperfections().items() if k != name}
    with pytest.raises(ValueError, match=f"unknown imperfection of {cell.family} cells 'age'"):
        cell.with_imperfection("age", 0.1)


@every_cell
def test_an_ideal_cell_does_as_told(cell: Cell) -> None:
    """Within half of what one pulse does, where pulses of a size have to do."""
    ideal = cell.ideal()
    assert not any(each.value for each in ideal.imperfections().values())
    assert ideal.window == cell.window
    assert ideal.states == cell.states
    level = levels(ideal)
    source = noise(31, 50, len(level))
    done = OpenLoop(assumes="curve").program(ideal, level, {}, source).conductance
    apart = (done - ideal.nominal(level)).abs().max().item()
    assert apart <= resolution(ideal) + 1e-6 * ideal.step


@every_cell
def test_a_data_sheet_has_a_number_for_each_place(cell: Cell) -> None:
    names = []
    for name, text, values in cell.datasheet():
        names.append(name)
        assert text.count("{}") == len(values)
        assert all(math.isfinite(each.value) for each in values)
    assert len(set(names)) == len(names)
    assert names[:3] == ["window", "levels", "spread"]
    assert names[-2:] == ["stuck cells", "endurance"]
