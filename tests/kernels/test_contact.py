"""The kernel of a contact in series against the same in torch."""

import pytest
import torch

from mho import kernels
from mho.physics import dynamics

MODEL = dynamics.get("jart-vcm-v1b")


@pytest.mark.parametrize("law", ["current", "slope", "rate", "temperature"])
def test_the_kernel_solves_as_torch_does(law: str) -> None:
    x = torch.linspace(*MODEL.ends({}), 40, dtype=torch.float64)[:, None]
    v = torch.linspace(-1.9, 1.9, 77, dtype=torch.float64)
    ours = getattr(MODEL, law)(x, v, {})
    with kernels.off():
        theirs = getattr(MODEL, law)(x, v, {})
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=0)


def test_the_kernel_finds_voltages_as_torch_does() -> None:
    x = torch.linspace(*MODEL.ends({}), 9, dtype=torch.float64)[:, None]
    i = torch.tensor([-1e-5, -1e-12, 0.0, 1e-12, 1e-5], dtype=torch.float64)
    ours = MODEL.voltage(x, i, {})
    with kernels.off():
        theirs = MODEL.voltage(x, i, {})
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=0)


@pytest.mark.parametrize("which", ["barrier", "radius", "n_plug", "ambient"])
def test_devices_that_differ(which: str) -> None:
    """Traits (...) broadcast against states and voltages."""
    traits = {which: getattr(MODEL, which) * torch.tensor([0.95, 1.0, 1.05], dtype=torch.float64)}
    x = torch.tensor([[-3.0], [1.0]], dtype=torch.float64)
    v = torch.tensor(-0.6, dtype=torch.float64)
    ours = MODEL.rate(x, v, traits)
    assert ours.shape == (2, 3)
    with kernels.off():
        torch.testing.assert_close(ours, MODEL.rate(x, v, traits), rtol=1e-9, atol=0)
