"""Pulse tables: closed forms of two conductances, what is refused, the published preset."""

import math

import pytest
import torch

from mho import devices
from mho.cells import PulseResponse, PulseTable

G = (10e-6, 30e-6, 90e-6)
STEPS = {"set_step": (2e-6, 1e-6, 1e-6), "reset_step": (1e-6, 1e-6, 1e-6)}


def as_table(cell: PulseResponse) -> PulseTable:
    """The same response by its rates at the two ends."""
    width, steps = cell.g_max - cell.g_min, []
    for nu, crossing in zip(cell.nonlinearity, cell.crossing, strict=True):
        first = width * nu / crossing / -math.expm1(-nu)
        steps.append((first, first * math.exp(-nu)))
    spread = cell.cycle_spread * width / cell.pulses
    return PulseTable(
        g=(cell.g_min, cell.g_max), set_step=steps[0], reset_step=steps[1][::-1],
        set_spread=(spread,), reset_spread=(spread,), device_spread=cell.device_spread,
    )  # fmt: skip


def test_a_table_of_two_conductances_is_the_exponential_response() -> None:
    cell = PulseResponse(
        g_min=10e-6, g_max=90e-6, pulses=100, nonlinearity=(3.0, 1.5), reset_ratio=2.0,
        cycle_spread=0.8, device_spread=0.3,
    )  # fmt: skip
    table = as_table(cell)
    assert table.crossing == pytest.approx(cell.crossing)
    g = torch.linspace(10e-6, 90e-6, 40, dtype=torch.float64)
    traits = {"step_factor": torch.linspace(0.5, 2.0, 40, dtype=torch.float64)}
    for n in (1, 20, 150, -1, -10, -80):
        count = torch.full((40,), n, dtype=torch.int32)
        for z, within in ((0.0, 1e-12), (1.0, 1e-9)):  # the midpoint rule: a few parts in 1e4
            ours, theirs = (
                each.respond(torch.full_like(g, z), g, count, traits) for each in (table, cell)
            )
            inside = (theirs > 12e-6) & (theirs < 88e-6)  # the bounds meet errors otherwise
            torch.testing.assert_close(ours[inside], theirs[inside], rtol=0, atol=within)
            assert inside.any() or abs(n) > 50
        assert torch.equal(
            table.pulses_to(g.flip(0), g, "linear"), cell.pulses_to(g.flip(0), g, "linear")
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"g": (1e-5,)}, r"PulseTable\.g = \(1e-05,\): expected two conductances or more"),
        ({"g": (1e-5, 1e-5, 2e-5)}, r"PulseTable\.g = \(1e-05, 1e-05\): expected rising"),
        ({"set_step": (1e-6, 1e-6)}, r"PulseTable\.set_step = 2: expected 3 values, as in g"),
        ({"set_step": (1e-6, 0.0, 1e-6)}, r"set_step = .*: expected .*\[1e-24, 1000\]"),
        ({"set_spread": (1e-6, 0.0, 1e-6)}, r"set_spread = 0\.0: expected above 0 at each, or"),
        ({"reset_step": (1e-3,) * 3}, r"reset_step = '0.08 pulses': expected steps that cross"),
        ({"levels": 80}, r"PulseTable\.levels = 80: expected at most \d+: a SET pulse a level"),
    ],
)
def test_an_impossible_table_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PulseTable(**{"g": G, **STEPS, **changes})


def test_stellar_steps_as_its_table_in_the_middle_of_a_bin() -> None:
    """Bin 1 of the SET table, 3.8 to 5.6 uS: 0.2498 uS a pulse, spread 0.5395 uS."""
    cell = devices.get("hfox-stellar")
    assert isinstance(cell, PulseTable)
    g = torch.tensor([4.7e-6], dtype=torch.float64)
    one = torch.tensor([1], dtype=torch.int32)
    mean, up = (cell.respond(torch.full_like(g, z), g, one, {}) for z in (0.0, 1.0))
    assert (mean - g).item() == pytest.approx(0.2498e-6, rel=0.03)  # over a step of that length
    assert (up - mean).item() == pytest.approx(0.5395e-6, rel=0.03)
    falls = [
        (x - cell.respond(torch.zeros_like(x), x, -one, {})).item()
        for x in torch.tensor([[4e-6], [18e-6]], dtype=torch.float64)
    ]
    assert falls[0] < falls[1] / 5
