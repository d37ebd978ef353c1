"""Every law of time and use against what all of them promise; a new law is one more entry."""

import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from builders.noise import noise
from mho.config import Config
from mho.physics import (
    Disturb,
    Flicker,
    GeneratorNoise,
    LogTime,
    MultiLevel,
    PowerLaw,
    Preset,
    Telegraph,
)

WINDOW = (2e-6, 9e-6)


class Law(NamedTuple):
    """A record, and what it makes of cells after a time."""

    record: Config
    field: str
    """Its table in a preset."""
    after: Callable[[Tensor, float, GeneratorNoise], Tensor]
    """Conductances of new cells (n,) so many seconds, or events, later."""
    known: Callable[[float, float], float] | None
    """The same of one cell in closed form, without what differs from cell to cell."""


def relaxed(law: PowerLaw | LogTime) -> Callable[[Tensor, float, GeneratorNoise], Tensor]:
    return lambda g, t, noise: law.at(torch.full_like(g, t), g, law.rates(noise.normal(), g))


def wandered(law: Flicker) -> Callable[[Tensor, float, GeneratorNoise], Tensor]:
    def after(g: Tensor, t: float, noise: GeneratorNoise) -> Tensor:
        state = law.start(noise)
        law.advance(t, state, noise)
        return g * (1 + state.expected.sum(0)).clamp(min=0.0)

    return after


def trapped(law: Telegraph) -> Callable[[Tensor, float, GeneratorNoise], Tensor]:
    def after(g: Tensor, t: float, noise: GeneratorNoise) -> Tensor:
        depth, pace = law.depths(noise), law.paces(noise)
        return g * (1 - depth * law.after(t, law.start(noise), pace, noise))

    return after


def disturbed(law: Disturb) -> Callable[[Tensor, float, GeneratorNoise], Tensor]:
    return lambda g, n, _: law.after(g, WINDOW, *(torch.full_like(g, n) for _ in range(3)))


POWER, LOG = PowerLaw(nu=0.06, t0=3.0), LogTime(rate=-2e-7, t0=3.0)
READS = Disturb(read=1e-3)
LAWS = {
    "power law": Law(
        POWER, "retention", relaxed(POWER), lambda g, t: g * (max(t, 3.0) / 3) ** -0.06
    ),
    "power law of many cells": Law(
        spread := POWER.replace(nu_spread=0.05), "retention", relaxed(spread), None
    ),
    "log time": Law(
        LOG,
        "retention",
        relaxed(LOG),
        lambda g, t: max(0.0, g - 2e-7 * math.log(max(t, 3.0) / 3)),
    ),
    "log time of many cells": Law(
        wide := LOG.replace(rate_spread=5e-7), "retention", relaxed(wide), None
    ),
    "1/f": Law(slow := Flicker(amplitude=0.05), "flicker", wandered(slow), None),
    "telegraph": Law(
        trap := Telegraph(depth=0.4, full=2.0, empty=7.0, share=0.5, dwell_spread=1.0),
        "telegraph",
        trapped(trap),
        None,
    ),
    "reads": Law(
        READS, "disturb", disturbed(READS), lambda g, n: 9e-6 + (g - 9e-6) * math.exp(-1e-3 * n)
    ),
    "neighbours": Law(
        beside := Disturb(half_select=2e-4),
        "disturb",
        disturbed(beside),
        lambda g, n: 5.5e-6 + (g - 5.5e-6) * math.exp(-4e-4 * n),
    ),
}
every_law = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
times = st.floats(0.0, 1e10)
conductances = st.floats(WINDOW[0], WINDOW[1])


def cells(g: float, *shape: int) -> Tensor:
    return torch.full(shape, g, dtype=torch.float64)


@every_law
@settings(max_examples=25, deadline=None)
@given(g=conductances, t=times, seed=st.integers(0, 99))
def test_conductances_stay_finite_and_above_zero(law: Law, g: float, t: float, seed: int) -> None:
    later = law.after(cells(g, 20), t, noise(seed, 20))
    assert later.isfinite().all()
    assert (later >= 0).all()


@every_law
@settings(max_examples=10, deadline=None)
@given(g=conductances, t=times)
def test_the_same_noise_gives_the_same_cells_in_any_shape(law: Law, g: float, t: float) -> None:
    flat = law.after(cells(g, 12), t, noise(5, 12))
    assert torch.equal(flat, law.after(cells(g, 12), t, noise(5, 12)))
    assert torch.equal(flat.view(2, 3, 2), law.after(cells(g, 2, 3, 2), t, noise(5, 2, 3, 2)))


@every_law
@settings(max_examples=25, deadline=None)
@given(g=conductances, t=times)
def test_without_spread_a_law_is_its_closed_form(law: Law, g: float, t: float) -> None:
    if law.known is None:
        many = law.after(cells(g, 200), max(t, 4.0), noise(1, 200))
        assert many.unique().numel() > 1, "a law of many cells tells them apart"
        return
    later = law.after(cells(g, 3), t, noise(1, 3))
    torch.testing.assert_close(later, cells(law.known(g, t), 3), rtol=1e-9, atol=1e-16)


@every_law
def test_a_preset_carries_it_through_toml(law: Law) -> None:
    cell = MultiLevel(g_min=WINDOW[0], g_max=WINDOW[1])
    preset = Preset(device=cell, **{law.field: law.record})  # type: ignore[arg-type]
    assert Preset.from_toml(preset.to_toml()) == preset
