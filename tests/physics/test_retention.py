"""Laws of relaxation against what a law promises, and each against its formula."""

import math

import pytest
import torch

from mho.physics import GeneratorNoise, LogTime, PowerLaw

LAWS = {
    "power law": PowerLaw(t0=10.0, nu=0.05, nu_spread=0.02),
    "log time": LogTime(t0=10.0, rate=-2e-6, rate_spread=5e-7),
}
laws = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def at(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@laws
def test_nothing_has_happened_up_to_t0(law: PowerLaw | LogTime) -> None:
    g, rate = at(1e-6, 1e-4), at(0.3, -0.1) if isinstance(law, PowerLaw) else at(-1e-6, 1e-6)
    for time in (0.0, 1.0, 10.0):
        torch.testing.assert_close(law.at(at(time), g, rate), g, rtol=1e-14, atol=0.0)


@laws
def test_rates_are_drawn_as_told(law: PowerLaw | LogTime) -> None:
    source = GeneratorNoise((40_000,), torch.Generator().manual_seed(1), torch.float64)
    rates = law.rates(source.normal(), at(0.0))
    power = isinstance(law, PowerLaw)
    mean, spread = (law.nu, law.nu_spread) if power else (law.rate, law.rate_spread)
    assert rates.mean().item() == pytest.approx(mean, abs=4 * spread / 200)
    assert rates.std().item() == pytest.approx(spread, rel=0.02)


def test_the_formulas() -> None:
    decade = at(100.0)
    power = LAWS["power law"].at(decade, at(1e-4), at(0.05))
    assert power.item() == pytest.approx(1e-4 * 10**-0.05)
    log = LAWS["log time"].at(decade, at(1e-4), at(-2e-6))
    assert log.item() == pytest.approx(1e-4 - 2e-6 * math.log(10))


def test_a_conductance_stays_above_zero() -> None:
    assert LogTime().at(at(1e9), at(1e-6), at(-1e-6)).item() == 0.0
    assert PowerLaw().at(at(1e9), at(1e-6), at(0.9)).item() > 0.0


def test_drift_is_the_root_mean_square_change() -> None:
    source = GeneratorNoise((40_000,), torch.Generator().manual_seed(2), torch.float64)
    seconds, g, window = 1e5, torch.full((40_000,), 50e-6, dtype=torch.float64), (10e-6, 90e-6)
    span = 80e-6
    for law, unit in ((LAWS["log time"].times(0.3), span), (LAWS["power law"].times(0.05), 50e-6)):
        change = (law.at(at(seconds), g, law.rates(source.normal(), g)) - g) / unit
        assert law.drift(seconds, window) == pytest.approx(
            change.square().mean().sqrt().item(), rel=0.02
        )
        assert law.drift(law.t0, window) == 0


@laws
def test_a_law_is_made_stronger_and_carried_to_other_cells(law: PowerLaw | LogTime) -> None:
    window = (1e-5, 1.1e-4)
    assert law.times(3.0).drift(1e4, window) == pytest.approx(3 * law.drift(1e4, window))
    assert law.times(0.0).drift(1e4, window) == 0
    wider = law.for_conductances(5.0)  # the same share of a window five times as wide
    assert wider.drift(1e4, (5e-5, 5.5e-4)) == pytest.approx(law.drift(1e4, window))
    assert wider.t0 == law.t0


@laws
def test_a_law_of_retention_has_a_line(law: PowerLaw | LogTime) -> None:
    name, text, values = law.datasheet((1e-5, 1e-4))
    assert name == "retention"
    assert text.count("{}") == len(values)
