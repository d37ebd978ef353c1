"""What cell families, spreads and presets refuse, and their closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mho import devices
from mho.cells import MultiLevel, Resistance, Spread, TwoState, Verify
from mho.physics import GeneratorNoise

WINDOW = {"g_min": 1e-6, "g_max": 1e-5}


def two_state(on: float, off: float) -> TwoState:
    return TwoState(r_on=Resistance(mean=on), r_off=Resistance(mean=off))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: two_state(2e4, 1e4),
            r"r_on\.mean = 20000\.0: expected below r_off.mean = 10000 ohm",
        ),
        (lambda: two_state(1e4, 1e4), r"r_on\.mean = 10000\.0: expected below"),
        (lambda: two_state(0.0, 1e4), r"Resistance\.mean = 0\.0: expected .*\[0.001, 1e\+15\]"),
        (lambda: MultiLevel(**WINDOW, levels=0), r"levels = 0: expected .*\[2, 4096\]"),
        (lambda: MultiLevel(**WINDOW, levels=1), r"levels = 1: expected .*\[2, 4096\]"),
        (lambda: MultiLevel(g_min=2e-5, g_max=1e-5), r"g_min = 2e-05: expected below g_max = 1e"),
        (lambda: MultiLevel(g_min=1e-5, g_max=1e-5), r"g_min = 1e-05: expected below g_max = 1e"),
        (lambda: MultiLevel(g_min=-1e-9, g_max=1e-5), r"g_min = -1e-09: expected .*\[0, 1000\]"),
        (lambda: MultiLevel(**WINDOW, sigma=()), r"sigma = \(\): expected at least one"),
        (lambda: MultiLevel(**WINDOW, sigma=(-1e-6,)), r"sigma = \(-1e-06,\): expected at least"),
        (
            lambda: MultiLevel(**WINDOW, stuck_on=0.6, stuck_off=0.6),
            r"MultiLevel\.stuck_on \+ stuck_off = 1\.2: expected at most 1",
        ),
        (lambda: MultiLevel(**WINDOW, stuck_on=1.1), r"stuck_on = 1\.1: expected .*\[0, 1\]"),
        (
            lambda: MultiLevel(**WINDOW, endurance=0.0),
            r"endurance = 0\.0: expected .*\[1, ",
        ),
        (lambda: Spread(cov=-0.1), r"Spread\.cov = -0\.1: expected .*\[0, 10\]"),
        (
            lambda: Spread(distribution="normal", lower=0.0),
            r"Spread\.lower = 0\.0: expected abov",
        ),
        (lambda: Spread(lower=1.0), r"Spread\.lower = 1\.0: expected .*\[0, 1\)"),
        (lambda: Spread(distribution="gamma"), r"distribution = 'gamma': expected 'norma"),
        (lambda: Verify(tolerance=0.0), r"Verify\.tolerance = 0\.0: expected .*\[0\.001, 10\]"),
        (lambda: Verify(max_pulses=0), r"Verify\.max_pulses = 0: expected .*\[1, 10000\]"),
    ],
)
def test_an_impossible_cell_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", devices.DEVICES)
def test_presets_name_their_source(name: str) -> None:
    cell = devices.get(name)
    assert cell.doi.startswith("10.")
    assert len(cell.note) > 40


def test_an_unknown_preset_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown device 'hfo2-1t1': did you mean 'hfo2-1t1r'"):
        devices.get("hfo2-1t1")


@pytest.mark.parametrize(
    ("name", "level", "sigma"),
    [
        # 10.1109/IRPS46558.2021.9405119: sigma(G) = -0.009107 G + 4.782 uS
        ("hfo2-1t1r", 0, 4.782e-6 - 0.009107 * 50e-6),
        ("hfo2-1t1r", 8, 4.782e-6 - 0.009107 * 225e-6),
        # 10.1002/adfm.202504688: sigma(G) = 0.01129 G + 0.0112 uS
        ("cmo-hfox", 31, 0.01121854e-6 + 0.01129027 * 88.2e-6),
    ],
)
def test_presets_spread_as_published(name: str, level: int, sigma: float) -> None:
    cell = devices.get(name)
    noise = GeneratorNoise((200_000,), torch.Generator().manual_seed(1), torch.float64)
    g = cell.draw(noise.normal(), torch.tensor(level), cell.traits(noise), corrected=False)
    assert g.std().item() == pytest.approx(sigma, rel=5 / math.sqrt(2 * 200_000))


@pytest.mark.parametrize("shape", [(5,), (1, 5), (3, 1), ()])
def test_offsets_broadcast_against_the_draw(shape: tuple[int, ...]) -> None:
    cell, z, level = MultiLevel(**WINDOW), torch.zeros(3, 5), torch.arange(5.0)
    offset = torch.linspace(1e-6, 2e-6, math.prod(shape)).reshape(shape)
    every = cell.draw(z, level, {"offset": offset.expand(3, 5).clone()}, corrected=False)
    assert torch.equal(cell.draw(z, level, {"offset": offset}, corrected=False), every)


def test_the_polynomial_is_never_negative() -> None:
    cell = MultiLevel(**WINDOW, sigma=(1e-6, -0.5))
    g = torch.linspace(0, 1e-5, 50, dtype=torch.float64)
    expected = (1e-6 - 0.5 * g).clamp(min=0)
    torch.testing.assert_close(cell.spread(g), expected, rtol=1e-9, atol=1e-20)
    assert (cell.spread(g) == 0).any()


@given(st.floats(0.01, 1.0))
def test_a_lognormal_factor_has_mean_1_and_the_given_variation(cov: float) -> None:
    n = 100_001
    u = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    factor = Spread(distribution="lognormal", cov=cov).factor(torch.special.ndtri(u))
    assert factor.mean().item() == pytest.approx(1.0, rel=2e-3)
    assert factor.std().item() == pytest.approx(cov, rel=3e-2)
    inverse = Spread(distribution="lognormal", cov=cov).mean_inverse()
    assert inverse == pytest.approx(1 + cov**2, rel=2e-3)


@given(st.floats(0.01, 1.0), st.floats(0.05, 0.9), st.floats(1.1, 5.0))
def test_the_normal_shapes_stay_inside_their_limits(cov: float, lower: float, upper: float) -> None:
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    for shape in ("normal", "truncated-normal"):
        factor = Spread(distribution=shape, cov=cov, lower=lower, upper=upper).factor(z)
        assert factor.min() >= lower
        assert factor.max() <= upper
    # Truncation piles nothing up at the limits, clipping does.
    clipped = Spread(distribution="normal", cov=1.0, lower=lower, upper=upper).factor(z)
    cut = Spread(distribution="truncated-normal", cov=1.0, lower=lower, upper=upper).factor(z)
    middle = slice(1200, 2801)  # |z| up to 3.2
    assert (clipped[middle] == lower).any()
    assert not (cut[middle] == lower).any()
