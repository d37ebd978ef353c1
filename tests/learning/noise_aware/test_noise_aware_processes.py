"""Noise-aware training by several processes, and in half precision."""

from typing import Any

import pytest
import torch
from torch import nn

import mho
from builders.in_two import in_two
from builders.two_noise_aware import HARDWARE, NETWORKS, SETTINGS, STEPS, batch, work
from mho.learning.noise_aware.trained_converter import TrainedConverter


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What each of two processes found."""
    return in_two(work, tmp_path_factory.mktemp("noise_aware"))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_all_processes_train_the_same_network(found: list[Any], network: str, setting: str) -> None:
    for each in (process[f"{network}, {setting}"] for process in found):
        assert each["arrays"] == [True] * STEPS  # the same chip in each pass
        assert each["states"] == [True] * STEPS  # weights, ranges, seeds, passes
        assert each["finite"] == [True] * STEPS
        assert each["first range"] >= 0.999  # covers the larger batch of the second process


def trained(net: nn.Module, dtype: torch.dtype | None) -> list[float]:
    """Losses of a short training."""
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    scaler = torch.amp.GradScaler("cpu", enabled=dtype is not None, init_scale=2.0**14)
    losses = []
    for k in range(30):
        x = batch(k % 3, 0)
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
            y = net(x)
        loss = (y.float() - 0.3).square().mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return losses


HALF = [(torch.bfloat16, name) for name in NETWORKS]
HALF += [(torch.float16, name) for name in NETWORKS if name != "recurrent"]  # none on CPUs


@pytest.mark.parametrize(("dtype", "network"), HALF)
@pytest.mark.parametrize("setting", SETTINGS)
def test_half_precision_trains_as_single(network: str, setting: str, dtype: torch.dtype) -> None:
    options = dict(SETTINGS[setting])
    ranges = options.pop("ranges", "learnt")
    nets = []
    for _ in range(2):
        torch.manual_seed(3)
        nets.append(
            mho.noise_aware(NETWORKS[network](), HARDWARE.replace(**options), ranges=ranges)
        )
    single, half = trained(nets[0], None), trained(nets[1], dtype)
    assert half[-1] < 0.7 * half[0]
    assert half[-1] == pytest.approx(single[-1], rel=0.4)
    for name, value in nets[1].state_dict().items():
        assert value.isfinite().all(), name
    converters = [m for m in nets[1].modules() if isinstance(m, TrainedConverter)]
    assert all(m.ranges is not None and (m.ranges > 0).all() for m in converters)


def test_a_step_that_the_scaler_skips_moves_no_range() -> None:
    torch.manual_seed(3)
    net = mho.noise_aware(NETWORKS["convolution and linear"](), HARDWARE)
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    scaler = torch.amp.GradScaler("cpu")
    net(batch(0, 0))
    before = {n: v.clone() for n, v in net.state_dict().items() if not n.endswith("step")}
    x = batch(0, 0)
    x[0, 0, 0, 0] = torch.inf
    with torch.autocast("cpu", torch.float16):
        loss = net(x).float().sum() * torch.inf
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    for name, value in before.items():
        assert torch.equal(net.state_dict()[name], value), name
