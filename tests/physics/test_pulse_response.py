"""Pulse-response cells: bursts against single pulses, closed forms, and both schemes on them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from builders.noise import noise
from mho import devices
from mho.cells import OpenLoop, PulseResponse, Verify
from mho.physics import GeneratorNoise, Present, Traits

CELL = PulseResponse(
    g_min=10e-6, g_max=90e-6, levels=9, pulses=100, nonlinearity=(3.0, 1.5), reset_ratio=2.0
)
NOISY = CELL.replace(cycle_spread=0.8, device_spread=0.3)
WINDOW = {"g_min": 1e-6, "g_max": 1e-5, "pulses": 50}

curvatures = st.one_of(
    st.just(0.0), st.floats(1e-12, 1e-3), st.floats(1e-3, 10.0), st.floats(-10.0, -1e-12)
)


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def burst(cell: PulseResponse, g: float, pulses: int | Tensor) -> Tensor:
    """Where a nominal device without noise ends [S]."""
    n = torch.as_tensor(pulses, dtype=torch.int32)
    start = torch.full(n.shape, g, dtype=torch.float64)
    return cell.respond(torch.zeros_like(start), start, n, {})


def pulse_by_pulse(
    cell: PulseResponse, g: Tensor, pulses: int, traits: Traits, source: GeneratorNoise
) -> Tensor:
    """The slow truth: each pulse moves and errs for itself, and meets the bounds."""
    one = torch.full((), int(math.copysign(1, pulses)), dtype=torch.int32)
    for _ in range(abs(pulses)):
        g = cell.respond(source.normal(), g, one, traits)
    return g


# ------------------------------------------------------------------ the response


@pytest.mark.parametrize("pulses", [1, 7, 40, -1, -5, -20])
@pytest.mark.parametrize("nonlinearity", [(0.0, 0.0), (3.0, 1.5), (-1.5, 2.0)])
@pytest.mark.parametrize("device_spread", [0.0, 0.3])
def test_a_burst_is_its_pulses_one_by_one(
    pulses: int, nonlinearity: tuple[float, float], device_spread: float
) -> None:
    cell = NOISY.replace(nonlinearity=nonlinearity, device_spread=device_spread)
    n = 20_000
    traits = cell.traits(noise(1, n))
    start = torch.full((n,), 45e-6, dtype=torch.float64)
    count = torch.full((n,), pulses, dtype=torch.int32)
    ours = cell.respond(noise(2, n).normal(), start, count, traits)
    truth = pulse_by_pulse(cell, start, pulses, traits, noise(3, n))
    assert stats.ks_2samp(ours.numpy(), truth.numpy()).pvalue > 1e-3
    error = 5 * truth.std() * math.sqrt(2 / n)
    assert (ours.mean() - truth.mean()).abs() < error
    assert ours.std().item() == pytest.approx(truth.std().item(), rel=5 / math.sqrt(n))


@given(curvatures, curvatures, st.integers(0, 60), st.integers(0, 60))
def test_without_noise_bursts_add_up(on: float, off: float, first: int, second: int) -> None:
    cell = CELL.replace(nonlinearity=(on, off), reset_ratio=0.8)
    for sign, start in ((1, 10e-6), (-1, 90e-6)):
        halfway = burst(cell, start, sign * first).item()
        twice = burst(cell, halfway, sign * second).item()
        once = burst(cell, start, sign * (first + second)).item()
        assert twice == pytest.approx(once, rel=1e-9)


@given(curvatures, curvatures, st.sampled_from([0.5, 1.0, 2.0]))
def test_the_nominal_curve(on: float, off: float, ratio: float) -> None:
    cell = CELL.replace(nonlinearity=(on, off), reset_ratio=ratio)
    n = torch.arange(101, dtype=torch.int32)
    low, high = cell.window
    share = n.double() / 100
    for nu, up, there in (
        (on, True, burst(cell, low, n)),
        (off, False, burst(cell.replace(pulses=round(100 * ratio)), high, -n)),
    ):
        u = (there - low if up else high - there) / (high - low)
        curve = torch.expm1(-nu * share) / math.expm1(-nu) if nu else share
        torch.testing.assert_close(u, curve, rtol=1e-9, atol=1e-12)
        assert (u.diff() > 0).all()
        last_over_first = ((u[-1] - u[-2]) / (u[1] - u[0])).item()
        assert last_over_first == pytest.approx(math.exp(-nu * 0.99), rel=1e-6)


def test_the_linear_limit_is_reached_smoothly() -> None:
    n = torch.arange(-50, 101, dtype=torch.int32)
    even = CELL.replace(nonlinearity=(0.0, 0.0))
    straight = (45e-6 + 80e-6 * torch.where(n > 0, n / 100, n / 50).double()).clamp(10e-6, 90e-6)
    torch.testing.assert_close(burst(even, 45e-6, n), straight, rtol=1e-6, atol=0)
    for nu in (1e-12, 1e-9, 1e-6, -1e-12, -1e-9, -1e-6):
        almost = CELL.replace(nonlinearity=(nu, nu), cycle_spread=1.0)
        exact = even.replace(cycle_spread=1.0)
        g = torch.full(n.shape, 45e-6, dtype=torch.float64)
        z = noise(4, len(n)).normal()
        near, straight = (cell.respond(z, g, n, {}) for cell in (almost, exact))
        torch.testing.assert_close(near, straight, rtol=2 * abs(nu) + 1e-12, atol=0)


def test_a_burst_of_none_moves_nothing_and_no_burst_leaves_the_window() -> None:
    source = noise(5, 5000)
    traits = NOISY.traits(source)
    low, high = NOISY.window
    g = low + (high - low) * source.uniform()
    none = torch.zeros(5000, dtype=torch.int32)
    assert torch.equal(NOISY.respond(source.normal(), g, none, traits), g)
    for n in (-500, -30, 30, 500):
        after = NOISY.respond(3 * source.normal(), g, none + n, traits)
        assert ((after >= low) & (after <= high)).all()
    unformed = NOISY.respond(source.normal(), torch.zeros_like(g), none, traits)
    assert (unformed == low).all()


def test_set_and_reset_are_not_alike() -> None:
    assert burst(CELL, 10e-6, 100).item() == pytest.approx(90e-6)
    assert burst(CELL, 90e-6, -50).item() == pytest.approx(10e-6)  # steps twice as large
    up = burst(CELL, 50e-6, 10).item() - 50e-6
    down = 50e-6 - burst(CELL, 50e-6, -10).item()
    assert up > 0
    assert down > 1.2 * up
    there = burst(CELL, 50e-6, 10).item()
    assert abs(burst(CELL, there, -10).item() - 50e-6) > 1e-6
    alike = CELL.replace(nonlinearity=(3.0, 3.0), reset_ratio=1.0)
    rise = burst(alike, 20e-6, 10).item() - 20e-6
    fall = 80e-6 - burst(alike, 80e-6, -10).item()
    assert rise == pytest.approx(fall)


def test_a_device_steps_by_its_own_factor() -> None:
    traits = NOISY.traits(noise(6, 200_000))["step_factor"]
    assert (traits > 0).all()
    assert traits.mean().item() == pytest.approx(1.0, abs=0.005)
    assert traits.std().item() == pytest.approx(0.3, abs=0.005)
    for n in (30, -20):
        factor = double(0.5, 1.0, 2.0)
        count = torch.full((3,), n, dtype=torch.int32)
        zero, start = torch.zeros_like(factor), torch.full_like(factor, 50e-6)
        g = CELL.respond(zero, start, count, {"step_factor": factor})
        expected = burst(CELL, 50e-6, torch.tensor([n // 2, n, 2 * n]))
        torch.testing.assert_close(g, expected)


def test_steps_that_grow_never_overflow() -> None:
    """Bursts far longer than the window, of noise that grows on the way."""
    cell = CELL.replace(nonlinearity=(-10.0, -6.0), cycle_spread=1.0)
    for dtype in (torch.float32, torch.float64):
        g = torch.linspace(*cell.window, 101, dtype=dtype)
        z = torch.linspace(-3, 3, 101, dtype=dtype)
        for n in (1, 90, 100_000, -100_000):
            after = cell.respond(z, g, torch.full(g.shape, n, dtype=torch.int32), {})
            assert ((after >= cell.g_min) & (after <= cell.g_max)).all()


def test_a_non_linearity_is_put_whatever_its_signs() -> None:
    cell = CELL.replace(nonlinearity=(-2.0, 1.0))
    assert cell.imperfections()["non-linearity"].value == 1.5
    twice = cell.with_imperfection("non-linearity", 3.0)
    assert twice.nonlinearity == (-4.0, 2.0)


# ------------------------------------------------------------------ the way back


@given(curvatures, curvatures, st.floats(0, 1), st.integers(1, 100), st.booleans())
def test_the_pulses_of_a_burst_are_found_again(
    on: float, off: float, start: float, n: int, up: bool
) -> None:
    cell = CELL.replace(nonlinearity=(on, off), pulses=1000)
    g = 10e-6 + 80e-6 * start
    there = burst(cell, g, n if up else -n)
    if not 10e-6 < there.item() < 90e-6:
        return  # cut at the bound: fewer pulses do
    found = cell.pulses_to(there, double(g)[0])
    assert found.dtype == torch.int32
    assert found.item() == (n if up else -n)


def test_the_curve_crosses_the_window_in_the_pulses_of_either_way() -> None:
    low, high = (double(x) for x in CELL.window)
    for response in ("linear", "curve"):
        assert CELL.pulses_to(high, low, response).item() == 100
        assert CELL.pulses_to(low, high, response).item() == -50
        assert CELL.pulses_to(low, low, response).item() == 0
    assert CELL.burst == 100
    assert CELL.replace(reset_ratio=0.3).burst == 334
    middle = double(50e-6)
    assert CELL.pulses_to(middle, low, "linear").item() == 50
    assert CELL.pulses_to(middle, low, "curve").item() < 25


def test_single_precision_will_do() -> None:
    """Chips are float32 throughout; the steepest curve is the hardest to invert."""
    for nu in (0.0, 1e-9, 3.0, 10.0, -1e-9, -3.0):
        cell = CELL.replace(nonlinearity=(nu, nu), pulses=1000, levels=32)
        level = torch.arange(32)
        target = cell.nominal(level)
        start = torch.full_like(target, cell.g_min)
        n = cell.pulses_to(target, start)
        exact = cell.pulses_to(cell.nominal(level.double()), start.double())
        assert (n - exact).abs().max() <= 1
        g = cell.respond(torch.zeros_like(target), start, n, {})
        g_exact = burst(cell, cell.g_min, n)
        torch.testing.assert_close(g.double(), g_exact, rtol=0, atol=1e-3 * cell.step)


# ------------------------------------------------------------------ open loop


def wander(cell: PulseResponse, scheme: OpenLoop | Verify, events: int, n: int = 2000) -> Tensor:
    """Distance from the target in steps after a random walk over the levels, last event."""
    generator = torch.Generator().manual_seed(7)
    source = noise(8, n)
    traits = cell.traits(source)
    level = torch.randint(cell.states, (n,), generator=generator)
    done = scheme.program(cell, level, traits, source)
    for _ in range(events - 1):
        target = torch.randint(cell.states, (n,), generator=generator)
        held = Present(done.conductance, level)
        done = scheme.program(cell, target, traits, source, held)
        assert (done.pulses <= scheme.most_pulses(cell)).all()
        level = target
    return (done.conductance - cell.nominal(level)).abs() / cell.step


def test_open_loop_error_grows_with_what_the_controller_does_not_know() -> None:
    fine = CELL.replace(pulses=2000)
    even = [fine.replace(nonlinearity=(nu, nu), reset_ratio=1.0) for nu in (0.0, 1.0, 2.0, 4.0)]
    errors = [wander(cell, OpenLoop(), 20).mean().item() for cell in even]
    assert errors[0] < 0.02
    assert errors == sorted(errors)
    assert errors[-1] > 0.5
    for cell in even:  # who knows the curve of a nominal device needs no look
        assert wander(cell, OpenLoop(assumes="curve"), 20).max() < 0.15
    noisy = [fine.replace(cycle_spread=s) for s in (0.0, 2.0, 8.0)]
    spread = [fine.replace(device_spread=s) for s in (0.0, 0.1, 0.4)]
    for family in (noisy, spread):
        errors = [wander(cell, OpenLoop(assumes="curve"), 20).mean().item() for cell in family]
        assert errors == sorted(errors)
        assert errors[-1] > 2 * errors[0]


def test_open_loop_goes_by_belief_and_the_cell_by_where_it_stands() -> None:
    held = Present(double(30e-6, 60e-6), torch.tensor([2, 2]))
    level = torch.tensor([5, 2])
    done = OpenLoop(assumes="curve").program(CELL, level, {}, noise(9, 2), held)
    n = CELL.pulses_to(CELL.nominal(double(5)), CELL.nominal(double(2))).item()
    assert done.pulses.tolist() == [n, 0]
    assert done.reads.tolist() == [0, 0]
    assert done.conductance.tolist() == pytest.approx([burst(CELL, 30e-6, n).item(), 60e-6])
    assert (done.pulses.dtype, done.reads.dtype) == (torch.int32, torch.int32)
    down = OpenLoop().program(CELL, torch.tensor([0, 0]), {}, noise(9, 2), held)
    assert down.pulses.tolist() == [round(50 * 2 / 8)] * 2  # counted without sign


def test_cells_never_programmed_lie_at_the_lowest_level() -> None:
    level = torch.arange(9)
    done = OpenLoop(assumes="curve").program(CELL, level, {}, noise(10, 9))
    held = Present(torch.full((9,), 10e-6, dtype=torch.float64), torch.zeros(9))
    same = OpenLoop(assumes="curve").program(CELL, level, {}, noise(10, 9), held)
    assert torch.equal(done.conductance, same.conductance)
    assert done.pulses[[0, -1]].tolist() == [0, 100]


# ------------------------------------------------------------------ program-and-verify


def test_verify_lands_within_its_tolerance() -> None:
    for tolerance in (0.5, 0.2):
        scheme = Verify(tolerance=tolerance, max_pulses=60)
        assert wander(NOISY.replace(pulses=400), scheme, 10).max() <= tolerance * (1 + 1e-9)


def test_devices_of_large_steps_come_to_rest_too() -> None:
    """A factor above 2 would swing wider with each burst, were bursts not halved on the way."""
    factor = double(0.2, 0.5, 1.0, 1.9, 2.5, 4.0)
    start = Present(torch.full((6,), 50e-6, dtype=torch.float64), torch.full((6,), 4))
    fine = CELL.replace(pulses=1000)
    for level in (5, 3, 7):
        done = Verify(tolerance=0.1).program(
            fine, torch.full((6,), level), {"step_factor": factor}, noise(11, 6), start
        )
        assert (done.reads < 20).all()
        assert ((done.conductance - fine.nominal(double(level))).abs() <= 0.1 * fine.step).all()


def test_attempts_are_reads_and_bursts_are_counted() -> None:
    """One cell followed by hand: no noise, a device of half steps."""
    scheme, factor = Verify(tolerance=0.1), double(0.5)
    even = CELL.replace(nonlinearity=(0.0, 0.0), pulses=800, reset_ratio=1.0)
    held = Present(double(10e-6), torch.tensor([0]))
    done = scheme.program(even, torch.tensor([8]), {"step_factor": factor}, noise(12, 1), held)
    bursts = [800, 400, 200, 100, 50, 25, 12]  # each goes half of the way that is left
    g, attempts, pulses = 0.0, 1, 0
    for n in bursts:
        if 800 - g <= 0.1 * 100:
            break
        g, attempts, pulses = g + n / 2, attempts + 1, pulses + n
    assert done.reads.item() == attempts
    assert done.pulses.item() == pulses
    there = Present(done.conductance, torch.tensor([8]))
    again = scheme.program(even, torch.tensor([8]), {"step_factor": factor}, noise(13, 1), there)
    assert (again.pulses.item(), again.reads.item()) == (0, 1)
    assert torch.equal(again.conductance, done.conductance)


def test_verify_gives_up_after_its_attempts() -> None:
    clumsy = CELL.replace(cycle_spread=60.0)
    for attempts in (1, 3, 20):
        scheme = Verify(tolerance=0.05, max_pulses=attempts)
        done = scheme.program(clumsy, torch.full((500,), 4), {}, noise(14, 500))
        assert done.reads.max() == attempts
        assert (done.pulses <= scheme.most_pulses(clumsy)).all()
        assert scheme.most_pulses(clumsy) == attempts * 100


def test_a_cell_does_not_depend_on_those_beside_it() -> None:
    """Attempts draw for all cells, whether they still need it or not."""
    scheme = Verify(tolerance=0.1)
    level = torch.randint(9, (200,), generator=torch.Generator().manual_seed(15))
    traits = NOISY.traits(noise(16, 200))
    held = Present(NOISY.nominal(level.flip(0)).double(), level.flip(0))
    whole = scheme.program(NOISY, level, traits, noise(17, 200), held)
    done = NOISY.nominal(level).double()
    some = Present(torch.where(torch.arange(200) < 100, held.conductance, done), held.level)
    part = scheme.program(NOISY, level, traits, noise(17, 200), some)
    for mine, theirs in zip(whole, part, strict=True):
        assert torch.equal(mine[:100], theirs[:100])
    assert (part.reads[100:] == 1).all()


# ------------------------------------------------------------------ refusals and presets


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"g_min": 2e-5}, r"PulseResponse\.g_min = 2e-05: expected below g_max = 1e-05 S"),
        ({"g_min": -1e-9}, r"g_min = -1e-09: expected .*\[0, 1000\]"),
        ({"pulses": 0}, r"pulses = 0: expected .*\[1, 100000\]"),
        ({"pulses": 1.5}, r"pulses = 1\.5: expected a whole number"),
        ({"levels": 52}, r"levels = 52: expected at most pulses \+ 1 = 51"),
        ({"nonlinearity": (-11.0, 0.0)}, r"nonlinearity = \(-11\.0, 0\.0\): .*\[-10, 10\]"),
        ({"nonlinearity": (1.0,)}, r"nonlinearity = \(1\.0,\): expected one number for both"),
        ({"reset_ratio": 0.0}, r"reset_ratio = 0\.0: expected .*\[0\.1, 10\]"),
        (
            {"pulses": 2, "levels": 2, "reset_ratio": 3.0},
            r"reset_ratio = 3\.0: expected at most pulses = 2",
        ),
        ({"cycle_spread": -1.0}, r"cycle_spread = -1\.0: expected .*\[0, 100\]"),
        ({"device_spread": 1.1}, r"device_spread = 1\.1: expected .*\[0, 1\]"),
    ],
)
def test_an_impossible_cell_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PulseResponse(**WINDOW | changes)


def test_an_unknown_response_is_refused() -> None:
    with pytest.raises(ValueError, match=r"OpenLoop\.assumes = 'cubic': expected 'linear"):
        OpenLoop(assumes="cubic")


def test_soft_bounds_step_as_the_toolkit_does() -> None:
    """A pulse moves the weight by 0.002 (1 - w / bound), and errs by 3.75 times 0.002."""
    cell = devices.get("hfo2-soft-bounds")
    assert isinstance(cell, PulseResponse)
    low, high = cell.window
    weight = torch.linspace(-0.5, 1.0, 7, dtype=torch.float64)
    g = low + (high - low) * (weight + 0.55) / 1.6
    for sign, bound in ((1, 1.25), (-1, -0.75)):
        one = torch.full((7,), sign, dtype=torch.int32)
        quiet, noisy = (cell.respond(torch.full_like(g, z), g, one, {}) for z in (0.0, 1.0))
        step = (quiet - g) / (high - low) * 1.6
        torch.testing.assert_close(step, sign * 0.002 * (1 - weight / bound), rtol=2e-3, atol=0)
        error = (noisy - quiet) / (high - low) * 1.6
        torch.testing.assert_close(error, torch.full_like(g, 0.0075), rtol=1e-6, atol=0)


def test_ag_asi_takes_the_published_pulses() -> None:
    cell = devices.get("ag-asi")
    assert isinstance(cell, PulseResponse)
    low, high = (double(g) for g in cell.window)
    assert cell.pulses_to(high, low).item() == 97
    assert cell.pulses_to(low, high).item() == -100
    # B (1 - exp(-P / A)) + G_min with A = 0.499181 of the 97 pulses
    quiet = cell.replace(cycle_spread=0.0)
    expected = -math.expm1(-(30 / 97) / 0.499181) / -math.expm1(-1 / 0.499181)
    there = burst(quiet, cell.g_min, 30).item()
    assert (there - cell.g_min) / (cell.g_max - cell.g_min) == pytest.approx(expected)
