"""Every cell, preset or made up here, against every property that a cell promises.

A new family, or a new corner of an old one, is tested by one more entry in `CELLS`.
"""

import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from mho.physics import (
    GeneratorNoise,
    MultiLevel,
    OpenLoop,
    Resistance,
    Spread,
    Traits,
    TwoState,
    Verify,
)
from mho.physics.devices import DEVICES
from mho.physics.spread import Distribution

Device = TwoState | MultiLevel


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


CELLS: dict[str, Device] = {
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
}
SCHEMES = {
    "coarse": Verify(tolerance=0.5, max_pulses=20),
    "fine": Verify(tolerance=0.12, max_pulses=4),
}

every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
every_scheme = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES.keys())
either_way = pytest.mark.parametrize("corrected", [False, True])


def noise(seed: int, *shape: int) -> GeneratorNoise:
    """Noise in double precision, so that rounding does not blur a property."""
    return GeneratorNoise(shape, torch.Generator().manual_seed(seed), torch.float64)


def levels(cell: Device) -> Tensor:
    return torch.arange(cell.states, dtype=torch.float64)


def extremes(cell: Device) -> Tensor:
    """The lowest, a middle and the highest level."""
    return torch.tensor([0, cell.states // 2, cell.states - 1], dtype=torch.float64).unique()


def cycles(cell: Device) -> bool:
    """Whether two programming events differ."""
    if isinstance(cell, TwoState):
        return cell.r_on.cycle.cov > 0
    return any(cell.sigma)


def varies(cell: Device) -> bool:
    """Whether two devices differ."""
    if isinstance(cell, TwoState):
        return cell.r_on.device.cov > 0
    return cell.device_spread > 0


def without_spread(cell: Device) -> Device:
    if isinstance(cell, TwoState):
        on, off = (Resistance(mean=state.mean) for state in (cell.r_on, cell.r_off))
        return cell.replace(r_on=on, r_off=off)
    return cell.replace(sigma=(0.0,), device_spread=0.0)


@either_way
@every_cell
def test_draw_increases_with_the_score(cell: Device, corrected: bool) -> None:
    level = levels(cell).unsqueeze(1)
    traits = cell.traits(noise(1, cell.states, 1))
    z = torch.linspace(-4.5, 4.5, 61, dtype=torch.float64)
    g = cell.draw(z, level, traits, corrected=corrected).broadcast_to(cell.states, 61)
    assert (g.diff(dim=1) >= -1e-15 * g[:, 1:]).all()
    assert bool((g[:, -1] > 1.001 * g[:, 0]).any()) == cycles(cell)


@either_way
@every_cell
def test_score_inverts_draw(cell: Device, corrected: bool) -> None:
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
@every_cell
def test_out_of_reach_scores_infinite(cell: Device, corrected: bool) -> None:
    level = extremes(cell)
    traits = cell.traits(noise(3, len(level)))
    below = cell.score(torch.full_like(level, -1e-9), level, traits, corrected=corrected)
    above = cell.score(torch.full_like(level, 1e3), level, traits, corrected=corrected)
    assert (torch.special.ndtr(below) == 0).all()
    assert (torch.special.ndtr(above) == 1).all()


@every_cell
def test_without_spread_a_level_is_its_nominal_conductance(cell: Device) -> None:
    ideal, level = without_spread(cell), levels(cell)
    traits = ideal.traits(noise(4, cell.states))
    assert traits == {}
    nominal = cell.nominal(level)
    low, high = cell.window
    torch.testing.assert_close(nominal[[0, -1]], torch.tensor([low, high], dtype=torch.float64))
    torch.testing.assert_close(nominal.diff(), torch.full_like(level[1:], cell.step))
    z = noise(5, cell.states).normal()
    for corrected in (False, True):
        g = ideal.draw(z, level, traits, corrected=corrected)
        torch.testing.assert_close(g, nominal, rtol=1e-12, atol=0)
    torch.testing.assert_close(
        ideal.mean(level).double(), nominal, rtol=1e-6, atol=1e-8 * cell.step
    )


@every_cell
def test_mean_is_what_many_devices_average_to(cell: Device) -> None:
    n, level = 200_000, extremes(cell)
    source = noise(6, n, len(level))
    g = cell.draw(source.normal(), level, cell.traits(source), corrected=False)
    error = 5 * g.std(0) / math.sqrt(n) + 1e-6 * g.mean(0)
    assert ((g.mean(0) - cell.mean(level)).abs() <= error).all()


@either_way
@every_cell
def test_a_conductance_is_finite_and_not_negative(cell: Device, corrected: bool) -> None:
    source = noise(7, 20_000, cell.states)
    traits = cell.traits(source)
    g = cell.draw(3 * source.normal(), levels(cell), traits, corrected=corrected)
    assert torch.isfinite(g).all()
    assert (g >= 0).all()


@every_cell
def test_traits_belong_to_the_device(cell: Device) -> None:
    traits = cell.traits(noise(8, 500, 1))
    z = torch.zeros(500, 1, dtype=torch.float64)
    one, two = (cell.draw(z, levels(cell), traits, corrected=False) for _ in range(2))
    assert torch.equal(one, two)
    spread = one.expand(500, cell.states).std(0) / cell.nominal(levels(cell))
    assert bool((spread > 1e-3).all()) == varies(cell)
    assert all(value.shape == (500, 1) for value in traits.values())
    if not varies(cell):
        assert traits == {}


@every_cell
def test_any_leading_dims_are_legal(cell: Device) -> None:
    shape = (2, 3, 5)
    source = noise(9, *shape)
    traits, z = cell.traits(source), source.normal()
    level = torch.arange(30).view(shape) % cell.states
    flat = {name: value.flatten() for name, value in traits.items()}
    for corrected in (False, True):
        whole = cell.draw(z, level, traits, corrected=corrected)
        each = cell.draw(z.flatten(), level.flatten(), flat, corrected=corrected)
        assert whole.shape == shape
        assert torch.equal(whole.flatten(), each)
        scored = cell.score(whole, level, traits, corrected=corrected)
        again = cell.score(each, level.flatten(), flat, corrected=corrected)
        assert torch.equal(scored.flatten(), again)
    for scheme in (OpenLoop(), Verify()):
        done = scheme.program(cell, level[1], traits, source)
        assert done.conductance.shape == done.pulses.shape == shape


@every_cell
def test_open_loop_is_one_pulse_and_one_draw(cell: Device) -> None:
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
    assert (scheme.most_pulses, scheme.verifies) == (1, False)


@every_cell
def test_verify_with_one_pulse_is_open_loop(cell: Device) -> None:
    level = levels(cell).expand(200, -1)
    traits = cell.traits(noise(12, 200, cell.states))
    one = Verify(max_pulses=1).program(cell, level, traits, noise(13, 200, cell.states))
    other = OpenLoop().program(cell, level, traits, noise(13, 200, cell.states))
    assert torch.equal(one.conductance, other.conductance)
    assert torch.equal(one.pulses, other.pulses)


def attempt_by_attempt(
    scheme: Verify, cell: Device, level: Tensor, traits: Traits, source: GeneratorNoise
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
@every_cell
def test_verify_ends_where_the_attempts_end(cell: Device, scheme: Verify) -> None:
    n, level = 20_000, extremes(cell)
    ours, truth = noise(14, n, len(level)), noise(15, n, len(level))
    g, pulses = scheme.program(cell, level, cell.traits(ours), ours)
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
def test_verify_accepts_only_inside_the_tolerance(cell: Device, scheme: Verify) -> None:
    source = noise(16, 5_000, cell.states)
    level = levels(cell)
    g, pulses = scheme.program(cell, level, cell.traits(source), source)
    assert (pulses >= 1).all()
    assert (pulses <= scheme.max_pulses).all()
    away = (g - cell.nominal(level)).abs() / (scheme.tolerance * cell.step)
    assert (away[pulses < scheme.max_pulses] <= 1 + 1e-4).all()
    assert (g >= 0).all()
    assert torch.isfinite(g).all()


@every_cell
def test_verify_costs_and_gains(cell: Device) -> None:
    """A tighter tolerance never costs fewer pulses, and leaves smaller errors where it succeeds."""
    level = levels(cell)

    def spent(tolerance: float) -> tuple[float, float]:
        source = noise(17, 4_000, cell.states)
        traits = cell.traits(source)
        scheme = Verify(tolerance=tolerance, max_pulses=100)
        g, pulses = scheme.program(cell, level, traits, source)
        error = (g - cell.nominal(level)).abs()[pulses < 100]
        return pulses.double().mean().item(), error.max().item() / cell.step

    (few, wide), (many, narrow) = spent(0.5), spent(0.1)
    assert many >= few
    assert narrow <= 0.1001
    assert wide <= 0.5001
