"""JART VCM v1b against what others published of its Verilog-A code, and against SciPy."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import mho
from mho.physics import GeneratorNoise, dynamics
from mho.physics.dynamics import Adaptive, JartVcm, PulseTrain, Samples, Triangle, transient

FOUND = dynamics.get("jart-vcm-v1b")
assert isinstance(FOUND, JartVcm)
MODEL: JartVcm = FOUND

VOLTS = (-1.3, -0.7, -0.35, -0.1, 0.1, 0.35, 0.7, 1.3)
CURRENTS = {
    0.008: (-15.85, -8.194, -3.367, -0.7847, 1.419, 5.148, 10.57, 20.06),
    0.05: (-78.19, -50.32, -26.91, -7.635, 8.273, 29.86, 60.89, 113.7),
    0.2: (-187.0, -138.5, -80.55, -23.66, 23.99, 85.99, 174.4, 323.5),
    1.0: (-431.7, -307.9, -163.7, -46.47, 47.55, 168.2, 337.2, 616.1),
    5.0: (-704.4, -408.2, -207.4, -59.06, 59.24, 207.6, 412.5, 743.0),
    20.0: (-768.2, -435.0, -221.1, -63.48, 62.17, 217.3, 430.2, 770.9),
}
"""uA at each voltage, by the vacancies in the disc [1e26/m^3]: the explicit formula that
10.1109/SMACD58065.2023.10192107 fitted to the Verilog-A code in a circuit simulator."""
OTHER_DISCS = {
    (40.5e-9, 0.4e-9, 0.05): (-54.28, -22.70, 24.84, 72.33),
    (40.5e-9, 0.4e-9, 5.0): (-534.4, -199.7, 199.6, 562.8),
    (49.5e-9, 0.36e-9, 0.05): (-83.51, -34.41, 38.16, 112.9),
    (49.5e-9, 0.36e-9, 5.0): (-590.3, -215.2, 214.5, 598.5),
}
"""The same at -1, -0.35, 0.35 and 1 V for other radii and lengths of the disc [m]."""


def one(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


@pytest.mark.parametrize("n", CURRENTS)
def test_currents_are_those_of_the_verilog_code(n: float) -> None:
    """Within 5 %, and 15 % where the fit itself is rough: a few microamperes that the contact
    blocks."""
    i = 1e6 * MODEL.current(one(math.log(n)), torch.tensor(VOLTS, dtype=torch.float64), {})
    for v, found, published in zip(VOLTS, i.tolist(), CURRENTS[n], strict=True):
        rough = 0.15 if n == 0.008 else 0.05
        assert found == pytest.approx(published, rel=rough), v


@pytest.mark.parametrize(("radius", "length", "n"), OTHER_DISCS)
def test_currents_follow_radius_and_length(radius: float, length: float, n: float) -> None:
    model = MODEL.replace(radius=radius, disc_length=length)
    v = torch.tensor([-1.0, -0.35, 0.35, 1.0], dtype=torch.float64)
    i = 1e6 * model.current(one(math.log(n)), v, {})
    assert i.tolist() == pytest.approx(OTHER_DISCS[radius, length, n], rel=0.05)


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """By Brent's method."""
    return brentq(function, low, high, xtol=1e-20, rtol=1e-14)  # pyright: ignore


def by_hand(n: float, v: float) -> tuple[float, float, float]:
    """Current [A], temperature [K] and dN/dt [1e26/m^3/s], by bisection, from the equations alone.

    Constants are those of the preset: 45 nm, 0.4 of 3 nm, 0.18 and 0.1 eV, and so on.
    """
    e, k, eps0 = 1.602176634e-19, 1.380649e-23, 8.8541878128e-12
    area = math.pi * 45e-9**2
    disc = 0.4e-9 / (2 * e * n * 1e26 * 4e-6 * area)
    filament = disc + 2.6e-9 / (2 * e * 20e26 * 4e-6 * area)
    heat = 15.72e6 * (1 if v < 0 else 0.27)
    size = abs(v)

    def line(i: float) -> float:
        return 650 + 719.2437 * (1 + 719.2437 * 3.92e-3 * i * i * 90471.47)

    def contact(v_s: float, t: float) -> float:
        psi = 0.08 + v_s if v < 0 else 0.08 - v_s
        image = (e**3 * 2e26 * n * max(psi, 0) / (8 * math.pi**2 * (5.5 * eps0) ** 3)) ** 0.25
        phi = max(0.18 - image, 0) if psi > 0 else 0.18
        volt = k * t / e
        if v > 0:
            emitted = math.exp(-phi / volt) * math.expm1(min(v_s / volt, 700.0))
            return area * 6.01e5 * t * t * emitted
        w = 6.62607015e-34 / (4 * math.pi) * math.sqrt(2e26 * n / (9.1093837015e-31 * 17 * eps0))
        ratio = w / volt
        root = math.sqrt(math.pi * w * (v_s + phi / math.cosh(ratio) ** 2))
        slope = (ratio - math.tanh(ratio)) / w
        through = math.exp(-phi * math.tanh(ratio) / w) * math.expm1(min(v_s * slope, 700.0))
        return area * 6.01e5 * t / (k / e) * root * through

    def heated(i: float) -> tuple[float, float]:
        share = size - i * (filament + line(i))
        return share, 293 + heat * i * (share + i * filament)

    def excess(i: float) -> float:
        return contact(*heated(i)) - i

    most = root(lambda i: size - i * (filament + line(i)), 0.0, 1.0)
    # conducting: the largest current, that of the least share of the contact
    trials = most * (1 - np.geomspace(1e-9, 1, 200)) if v > 0 else np.array([most * 1e-9])
    least = next(i for i in trials if excess(i) > 0)
    i = root(excess, least, most * (1 - 1e-12))
    share, t = heated(i)
    field = i * disc / 0.4e-9 if v < 0 else (share + i * filament) / 3e-9
    g = 2 * 0.25e-9 * field / (math.pi * 1.35)
    middle = math.sqrt(1 - g * g) + g * math.asin(g)
    hops = [
        math.exp(-1.35 * (middle - sign * math.pi * g / 2) / (k * t / e)) for sign in (1.0, -1.0)
    ]
    limit = 1 - (n / 20) ** 10 if v < 0 else 1 - (0.008 / n) ** 10
    rate = 0.5 * (20 + n) * 0.25e-9 * 2e13 / 0.4e-9 * (hops[0] - hops[1]) * limit
    return math.copysign(i, v), t, math.copysign(rate, -v)


@pytest.mark.parametrize("v", [-1.8, -1.0, -0.4, -0.05, 0.05, 0.4, 1.0, 1.8])
def test_laws_agree_with_bisection(v: float) -> None:
    for n in (0.0081, 0.03, 0.3, 3.0, 19.5):
        i, t, rate = by_hand(n, v)
        x, volts = one(math.log(n)), one(v)
        assert MODEL.current(x, volts, {}).item() == pytest.approx(i, rel=1e-6)
        assert MODEL.temperature(x, volts, {}).item() == pytest.approx(t, rel=1e-6)
        assert MODEL.rate(x, volts, {}).item() == pytest.approx(rate / n, rel=1e-5)


@pytest.mark.parametrize(("v", "n", "seconds"), [(-0.6, 0.008, 0.04), (1.0, 19.9, 0.05)])
def test_a_course_agrees_with_a_stiff_solver(v: float, n: float, seconds: float) -> None:
    """A SET and a RESET at a constant voltage."""
    times = np.linspace(0, seconds, 21)

    def rate(_: float, x: np.ndarray) -> list[float]:
        inside = math.exp(min(max(x[0], math.log(0.008)), math.log(20)))
        return [by_hand(inside, v)[2] / inside]

    exact = solve_ivp(
        rate, (0, seconds), [math.log(n)], method="LSODA", t_eval=times, rtol=1e-8, atol=1e-9
    )
    wave = Samples(times=(0.0, seconds), volts=(v, v))
    trace = transient(MODEL, wave, samples=torch.from_numpy(times), state=one(math.log(n))[0])
    span = exact.y[0].max() - exact.y[0].min()
    assert span > 3
    assert np.abs(trace.state.numpy() - exact.y[0]).max() < 2e-3 * span


def test_the_loop_of_a_slow_sweep() -> None:
    """1.3 V at 1 V/s: an abrupt SET, a gradual RESET, and back to where it was."""
    wave = Triangle(amplitude=-1.3, frequency=1 / 5.2)
    trace = transient(MODEL, wave, samples=260)
    up = slice(0, 66)
    jump = trace.state[up].diff().argmax()
    assert -0.62 < trace.v[jump].item() < -0.55
    assert trace.i[jump + 1] / trace.i[jump] > 20
    resets = trace.i[130:196]  # rising from 0 to 1.3 V
    largest = 130 + resets.argmax()
    assert 0.85 < trace.v[largest].item() < 1.0
    assert resets.max().item() == pytest.approx(0.55e-3, rel=0.05)
    assert trace.i.abs().max().item() == pytest.approx(0.77e-3, rel=0.02)
    low, high = (1 / trace.g[k].item() for k in (65, -1))
    assert low == pytest.approx(1.62e3, rel=0.02)
    assert high == pytest.approx(65e3, rel=0.03)
    t = MODEL.temperature(trace.state, trace.v, {})
    assert (t >= 293).all()
    # no more heat than all of the power would give
    assert (t <= 293 + 15.72e6 * (trace.i * trace.v)).all()
    assert 0 < trace.energy().item() < 0.8e-3 * 1.3 * wave.duration


def test_set_times_fall_by_decades_with_the_voltage() -> None:
    """16 to 20 decades a volt from 0.5 to 0.9 V."""
    times = torch.logspace(-8, 2, 101, dtype=torch.float64)
    found = []
    for v in (-0.5, -0.6, -0.7, -0.8, -0.9):
        wave = PulseTrain(amplitude=v, width=101.0, rise=1e-9, rest=1e-9)
        state = transient(MODEL, wave, samples=times).state
        found.append(math.log10(times[(state > 0).nonzero()[0, 0]].item()))
    steps = -np.diff(found)
    assert (steps > 1.2).all()
    assert (steps < 2.2).all()


def test_devices_differ_within_the_bounds_of_the_source() -> None:
    """Radius, length and n_max by 10 % at most, n_min by 50 %; nothing that switches is nan."""
    noise = GeneratorNoise((64,), torch.Generator().manual_seed(2), torch.float64)
    traits = MODEL.traits(noise)
    assert set(traits) == {"n_min", "n_max", "radius", "disc_length"}
    for name, trait in traits.items():
        off = (trait / getattr(MODEL, name) - 1).abs().max().item()
        assert 0.03 < off <= (0.5 if name == "n_min" else 0.1) + 1e-6
    wave = Triangle(amplitude=-1.3, frequency=1 / 5.2)
    rough = Adaptive(tolerance=1e-3)
    trace = transient(MODEL, wave, samples=52, traits=traits, method=rough)
    assert trace.i.isfinite().all()
    low, high = (1 / trace.g[:, k] for k in (13, -1))
    assert (high / low > 10).all()
    assert low.std() / low.mean() < high.std() / high.mean()


def test_a_voltage_beyond_what_is_meant_is_refused() -> None:
    wave = Triangle(amplitude=2.5, frequency=1.0)
    with pytest.raises(ValueError, match=r"waveform = .*2\.5 V.*at most 1\.9 V across a device"):
        transient(MODEL, wave)
    behind = mho.dynamics.Source(resistance=1e5)
    assert transient(MODEL, wave, samples=2, source=behind).state.isfinite().all()
    driven = {"drive": torch.tensor([1.0, 1.6], dtype=torch.float64)}
    with pytest.raises(ValueError, match=r"at most 1\.9 V"):
        transient(MODEL, Triangle(amplitude=1.3, frequency=1.0), traits=driven)
