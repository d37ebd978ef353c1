"""Currents through a contact: limits, and derivatives against differences."""

import math

import pytest
import torch

from mho.physics.dynamics.schottky import (
    Contact,
    image_lowering,
    over_barrier,
    through_barrier,
    tunnelling_energy,
)

N = torch.tensor([0.008, 0.2, 20.0], dtype=torch.float64)[:, None, None]
V, T = torch.meshgrid(
    torch.tensor([1e-6, 0.01, 0.06, 0.3, 1.5], dtype=torch.float64),
    torch.tensor([250.0, 293.0, 900.0, 5000.0], dtype=torch.float64),
    indexing="ij",
)


def contact(barrier: float = 0.18) -> Contact:
    charges = 2e26 * N
    return Contact(
        barrier=barrier,
        bending=barrier - 0.1,
        image=image_lowering(charges, 5.5),
        tunnelling=tunnelling_energy(charges, 17.0),
        area=math.pi * 45e-9**2,
    )


def test_constants_of_the_source() -> None:
    """(q^3 n / (8 pi^2 eps^3))^(1/4) and hbar / 2 sqrt(n / (m eps)) at 4e27 charges/m^3."""
    e, eps0 = 1.602176634e-19, 8.8541878128e-12
    image = (e**3 * 4e27 / (8 * math.pi**2 * (5.5 * eps0) ** 3)) ** 0.25
    width = 1.054571817e-34 / 2 * math.sqrt(4e27 / (9.1093837015e-31 * 17 * eps0))
    assert contact().image[2].item() == pytest.approx(image)
    assert contact().tunnelling[2].item() == pytest.approx(width)


@pytest.mark.parametrize("law", [over_barrier, through_barrier])
@pytest.mark.parametrize("barrier", [0.18, 0.5])
def test_derivatives(law, barrier: float) -> None:  # type: ignore[no-untyped-def]
    made, v, t = contact(barrier), V, T
    here = law(made, v, t)
    for by, (dv, dt) in ((here.by_v, (1e-6, 0.0)), (here.by_t, (0.0, 1e-6))):
        up, down = (law(made, v * (1 + s * dv), t * (1 + s * dt)).log for s in (1, -1))
        size = 2 * (v * dv + t * dt)
        torch.testing.assert_close(by, (up - down) / size, rtol=2e-5, atol=1e-7)
    assert all(part.isfinite().all() for part in here)


def test_up_to_its_edge_a_conducting_contact_conducts_more_with_more_voltage() -> None:
    edge = contact().edge
    assert (edge > 0.03).all()
    share = torch.linspace(0.01, 1, 50, dtype=torch.float64)[:, None]
    v, t = torch.broadcast_tensors(edge * share, T[0])
    assert (over_barrier(contact(), v, t).by_v > 0).all()


def test_beyond_flat_bands_the_barrier_is_whole() -> None:
    v, t = torch.tensor(0.5, dtype=torch.float64), torch.tensor(300.0, dtype=torch.float64)
    thermal = 8.617333e-5 * 300
    pure = 6.01e5 * math.pi * 45e-9**2 * 300**2 * math.exp((0.5 - 0.18) / thermal)
    found = over_barrier(contact(), v, t).log
    torch.testing.assert_close(
        found.exp().flatten(), torch.full((3,), pure).double(), rtol=1e-4, atol=0
    )


def test_nothing_is_lost_in_single_precision() -> None:
    made = contact()
    single = made._replace(image=made.image.float(), tunnelling=made.tunnelling.float())
    for law in (over_barrier, through_barrier):
        rough, fine = law(single, V.float(), T.float()), law(contact(), V, T)
        torch.testing.assert_close(rough.log.double(), fine.log, rtol=2e-3, atol=2e-3)
