"""States that earlier versions saved load, and the networks go on much as they would have then.

`states-2026-11-23.pt` was written by commit afc3c46: for each kind of hardware the `state_dict` of
a network trained for three steps and of its `WriteStep`, what it answered, how many weights a
fourth step wrote, and what it answered after that.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "sliced": {"mapping": "offset", "slices": 2, "copies": 2},
    "wired": {"wire_resistance": 2.0, "wire_refresh": 3},
    "ageing": {
        "retention": mho.cells.PowerLaw(nu=0.05),
        "flicker": mho.cells.Flicker(amplitude=0.01),
    },
}


def built(kind: str) -> nn.Module:
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    cell = mho.cells.MultiLevel(
        g_min=10e-6,
        g_max=90e-6,
        levels=5,
        sigma=(6e-6,),
        device_spread=0.03,
        stuck_off=0.03,
        read_noise=0.01,
    )
    hardware = mho.Hardware(
        device=cell,
        tile=(4, 24),
        programming=mho.cells.OpenLoop(),
        dac_bits=6,
        adc_bits=8,
        range_growth=1.0,  # ranges stood still then
        **KINDS[kind],
    )
    return mho.convert(model, hardware, 2, generator=torch.Generator().manual_seed(1))


def answered(found: Tensor, then: Tensor) -> None:
    """The same but for the noise of reads and of new writes, which is drawn from another stream."""
    torch.testing.assert_close(found, then, rtol=0.0, atol=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_of_before_the_store_goes_on(kind: str) -> None:
    saved = torch.load(Path(__file__).with_name("states-2026-11-23.pt"), weights_only=True)[kind]
    net = built(kind)
    step = mho.WriteStep(net, rules=[mho.rules.PathImportance(3.0, 1e-2)], threshold=0.6, widen=1)
    net.load_state_dict(saved["net"])
    step.load_state_dict(saved["step"])
    later = ("crossbar.hardware", "wander_covariance")
    new = {name for name in net.state_dict() if name.endswith(later)}
    assert net.state_dict().keys() - new == saved["net"].keys()
    vectors = net.get_submodule("net.0").crossbar.counts.vectors
    x = torch.randn(8, 6, generator=torch.Generator().manual_seed(7))
    answered(net(x).detach(), saved["output"])
    assert net.get_submodule("net.0").crossbar.counts.vectors > vectors
    optimizer = torch.optim.SGD(net.parameters(), 0.5)
    (net(x) - 1).square().mean().backward()
    optimizer.step()
    assert abs(step().weights - saved["written"]) <= 2  # gradients have the noise of reads
    answered(net(x).detach(), saved["later"])
