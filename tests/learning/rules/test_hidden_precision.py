"""Hidden weights of few bits: on the grid, unbiased, reproducible."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mho.learning.rules.hidden_precision import uniform
from mho.learning.rules.rule import State, Update
from mho.rules import HiddenPrecision

FULL = 1.5


def update(before: Tensor, delta: Tensor, layer: str = "a") -> Update:
    return Update(before, delta.clone(), None, step=0.5, full_scale=FULL, layer=layer)


def walk(
    rule: HiddenPrecision, state: State, weight: Tensor, deltas: Tensor, layer: str = "a"
) -> list[Tensor]:
    """Weights after each of the deltas."""
    path = [weight]
    for delta in deltas:
        change = update(path[-1], delta, layer)
        rule.apply(change, state)
        path.append(path[-1] + change.delta)
    return path[1:]


def grid(bits: int, reach: float) -> Tensor:
    return torch.linspace(-reach * FULL, reach * FULL, 2**bits, dtype=torch.float64)


@given(
    st.integers(2, 16),
    st.floats(1, 4),
    st.lists(st.tuples(st.floats(-9, 9, width=32), st.floats(-3, 3, width=32)), min_size=1),
)
def test_a_step_lands_on_one_of_the_two_neighbours(
    bits: int, reach: float, rows: list[tuple[float, float]]
) -> None:
    start, delta = torch.tensor(rows).unbind(1)
    values, size = grid(bits, reach), 2 * reach * FULL / (2**bits - 1)
    rule = HiddenPrecision(bits, seed=3, reach=reach)
    (after,) = walk(rule, rule.init(start), start, delta.unsqueeze(0))
    apart = (after.double().unsqueeze(1) - values).abs().amin(1)
    assert (apart <= 1e-5 * (1 + start.abs())).all()
    code = (start.double() + reach * FULL) / size
    wanted = (code.round() * size - reach * FULL + delta.double()).clamp(values[0], values[-1])
    clear = ((code - code.floor()) - 0.5).abs() > 0.05  # else it may be rounded either way
    assert ((after - wanted).abs() <= 1.01 * size + 1e-5)[clear].all()


@pytest.mark.parametrize("bits", [2, 5, 12, 16])
def test_all_values_of_the_grid_stay_without_movement(bits: int) -> None:
    values = grid(bits, 2.0).float()
    rule = HiddenPrecision(bits, seed=1)
    for weight in walk(rule, rule.init(values), values, torch.zeros(20, len(values))):
        torch.testing.assert_close(weight, values, rtol=0, atol=1e-6)


def test_the_mean_movement_is_the_wanted_one() -> None:
    n, size = 400_000, 2 * 2.0 * FULL / 255
    start = grid(8, 2.0)[100].float().expand(n)
    for share in (0.001, 0.3, -0.7, 2.25):
        rule = HiddenPrecision(8, seed=4)
        (after,) = walk(rule, rule.init(start), start, torch.full((1, n), share * size))
        steps = ((after - start) / size).round()
        assert set(steps.unique().tolist()) == {math.floor(share), math.floor(share) + 1.0}
        fraction = share - math.floor(share)
        error = math.sqrt(fraction * (1 - fraction) / n)
        assert steps.double().mean().item() == pytest.approx(share, abs=5 * error)


def test_small_movements_add_up_and_stop_at_the_edge() -> None:
    rule, start = HiddenPrecision(6, seed=5, reach=1.0), grid(6, 1.0)[30].float().expand(5000)
    path = walk(rule, rule.init(start), start, torch.full((60, 5000), 0.01))
    assert (path[-1] - start).mean().item() == pytest.approx(0.6, abs=0.01)
    path = walk(rule, rule.init(start), start, torch.full((4, 5000), 1.0))
    torch.testing.assert_close(path[-1], torch.full((5000,), FULL))
    assert torch.equal(path[-1], path[-2])


def test_draws_depend_on_seed_layer_and_step_alone(generator: torch.Generator) -> None:
    deltas = 0.05 * torch.randn(8, 6, 5, generator=generator)
    start = torch.zeros(6, 5)
    global_state = torch.random.get_rng_state()

    def path(seed: int, layer: str) -> list[Tensor]:
        rule = HiddenPrecision(8, seed)
        return walk(rule, rule.init(start), start, deltas, layer)

    rule = HiddenPrecision(8, 3)
    state = rule.init(start)
    first = walk(rule, state, start, deltas[:5])
    rest = walk(HiddenPrecision(8, 3), copy.deepcopy(state), first[-1], deltas[5:])
    assert torch.equal(torch.stack(first + rest), torch.stack(path(3, "a")))
    for other in (path(4, "a"), path(3, "b")):
        assert not torch.equal(torch.stack(other), torch.stack(first + rest))
    still = walk(rule, rule.init(start), start, deltas[:1].expand(2, -1, -1))
    assert not torch.equal(still[0], still[1] - still[0])
    assert torch.equal(torch.random.get_rng_state(), global_state)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 2, 3, 3)])
def test_any_shape_has_its_draws(shape: tuple[int, ...]) -> None:
    draws = uniform(torch.zeros(shape), 1)
    assert draws.shape == shape
    assert draws.dtype == torch.float32


def test_draws_are_uniform_in_all_four_parts_of_a_word() -> None:
    words = (uniform(torch.zeros(400_000), 8) * 2**16 - 2**15 - 0.5).view(-1, 4)
    assert (words == words.round()).all()
    for part in words.unbind(1):
        assert -(2**15) <= part.min() < -(2**15) + 100
        assert 2**15 - 100 < part.max() < 2**15
        counts = torch.histc(part, 16, -(2**15), 2**15)
        assert (counts - 6250).abs().max() < 5 * math.sqrt(6250)
    correlation = torch.corrcoef(words.T) - torch.eye(4)
    assert correlation.abs().max() < 0.02


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HiddenPrecision(1), r"HiddenPrecision\.bits = 1: expected 2 to 16"),
        (lambda: HiddenPrecision(17), r"HiddenPrecision\.bits = 17: expected 2 to 16"),
        (lambda: HiddenPrecision(8, reach=0.5), r"reach = 0\.5: expected at least 1 full"),
        (lambda: HiddenPrecision(8, reach=math.inf), r"reach = inf: expected a finite number"),
    ],
)
def test_impossible_grids_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
