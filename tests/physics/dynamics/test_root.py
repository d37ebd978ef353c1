"""Newton's method in a bracket."""

import torch
from torch import Tensor

from mho.physics.dynamics.root import root

u64 = torch.float64
ENDS = torch.tensor([-50.0, 50.0], dtype=u64)


def test_each_element_has_a_root_of_its_own() -> None:
    """Steep, flat and curved ones, and one at an end."""
    at = torch.tensor([-50.0, -7.0, 0.0, 1e-9, 30.0], dtype=torch.float64)

    def cube(u: Tensor) -> tuple[Tensor, Tensor]:
        return (u - at) ** 3 + 1e-3 * (u - at), 3 * (u - at) ** 2 + 1e-3

    low, high = (end.expand(5) for end in ENDS)
    u = root(cube, low, high, torch.full_like(at, 49.0))
    torch.testing.assert_close(u, at, rtol=0, atol=1e-9)


def test_where_the_slope_is_useless_the_bracket_is_halved() -> None:
    def step(u: Tensor) -> tuple[Tensor, Tensor]:
        return torch.atan(1e3 * (u - 12.5)), torch.zeros_like(u)

    low, high = (end.reshape(1) for end in ENDS)
    torch.testing.assert_close(root(step, low, high, low), torch.tensor([12.5], dtype=u64))


def test_derivatives_are_those_of_the_implicit_function() -> None:
    """u^3 = c has du/dc = 1 / (3 u^2)."""
    c = torch.tensor([8.0, 27.0], dtype=u64, requires_grad=True)

    def cube(u: Tensor) -> tuple[Tensor, Tensor]:
        return u**3 - c, 3 * u**2

    low, high = (end.expand(2) for end in ENDS)
    u = root(cube, low, high, torch.ones(2, dtype=u64))
    (slope,) = torch.autograd.grad(u.sum(), c)
    torch.testing.assert_close(u.detach(), torch.tensor([2.0, 3.0], dtype=u64))
    torch.testing.assert_close(slope, torch.tensor([1 / 12, 1 / 27], dtype=u64))
