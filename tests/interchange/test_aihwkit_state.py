"""States of aihwkit as plain networks: all that tiles say counts, no object is unpickled."""

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

import mho
from mho.errors import InvalidInput
from mho.interchange import load_aihwkit

X = torch.rand(4, 1, 6, 6, generator=torch.Generator().manual_seed(1))


def network(seed: int, bias: bool = True) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 3, 3, bias=bias), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(),
            nn.Linear(48, 5, bias=bias),
        ).eval()  # fmt: skip


def analog(net: nn.Module, *, analog_bias: bool, scales: tuple[str, ...] = ()) -> dict[str, Any]:
    """The state of the network on tiles, as aihwkit names its parts, without objects."""
    state: dict[str, Any] = {}
    for name, module in net.named_modules():
        if not isinstance(module, nn.Linear | nn.Conv2d):
            continue
        at = f"{name}.analog_module."
        weight, bias = module.weight.detach().flatten(1), module.bias
        factor = torch.ones(len(weight))
        for scale in scales:
            state[at + scale] = torch.linspace(0.5, 2, len(weight))
            factor = factor * state[at + scale]
        if bias is not None and analog_bias:
            weight = torch.cat([weight, bias.detach().unsqueeze(1)], 1)
        elif bias is not None:
            state[f"{at}bias"] = bias.detach()
        tile = {"analog_tile_weights": weight / factor.unsqueeze(1), "analog_lr": 0.01}
        tile |= {"analog_bias": analog_bias, "analog_tile_class": "AnalogTile", "extra": None}
        state[f"{at}analog_tile_state"] = tile
        state[f"{at}analog_ctx"] = torch.ones(1)
        state[f"{at}shared_weights"] = torch.ones(2, 2)
    digital = {n: v for n, v in net.state_dict().items() if n.startswith("1.")}
    return state | digital


@pytest.mark.parametrize(
    "scales", [(), ("mapping_scales",), ("mapping_scales", "out_scaling_alpha")]
)
@pytest.mark.parametrize(("bias", "analog_bias"), [(True, True), (True, False), (False, False)])
def test_a_network_on_tiles_becomes_the_plain_one(
    tmp_path: Path, scales: tuple[str, ...], bias: bool, analog_bias: bool
) -> None:
    trained, path = network(1, bias), tmp_path / "net.pt"
    torch.save(analog(trained, analog_bias=analog_bias, scales=scales), path)
    model = network(2, bias)
    before = model(X)
    found = load_aihwkit(model, path)
    assert torch.allclose(found(X), trained(X), atol=1e-6)
    assert torch.equal(model(X), before)
    net = mho.convert(found, mho.Hardware(device="hfo2-1t1r"), chips=2)
    assert net(X).shape == (2, 4, 5)


def test_the_state_of_the_digital_network_is_taken_as_it_is(tmp_path: Path) -> None:
    trained = network(1)
    torch.save(trained.state_dict(), tmp_path / "net.pt")
    safetensors.torch.save_file(trained.state_dict(), tmp_path / "net.safetensors")
    for name in ("net.pt", "net.safetensors"):
        assert torch.equal(load_aihwkit(network(2), tmp_path / name)(X), trained(X))


class Config:
    """An object, as a configuration is."""


def without(name: str) -> Any:
    state = analog(network(1), analog_bias=True)
    del state[name]
    return state


def with_tile(tile: Any) -> Any:
    return analog(network(1), analog_bias=True) | {"4.analog_module.analog_tile_state": tile}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (with_tile({"rpu_config": Config()}), "plain tensors, written where aihwkit is"),
        (with_tile({"analog_tile_weights": torch.ones(5, 40), "analog_bias": True}),
         r"path: 4\.weight, of shape = \(5, 39\): expected \(5, 48\), as in model"),
        (with_tile({"analog_tile_weights": torch.ones(5)}), "expected a tile with analog_tile_w"),
        (with_tile({}), "expected a tile with analog_tile_weights; plain tensors"),
        (with_tile(None), "expected a tile with analog_tile_weights"),
        (without("4.analog_module.analog_tile_state"), r"4\.weight is not there; plain tensors"),
        (without("1.running_mean"), r"1\.running_mean is not there"),
        (with_tile({"analog_tile_weights": torch.ones(5, 48)}), r"4\.bias is not there"),
        (analog(network(1), analog_bias=True) | {"7.weight": torch.ones(1)},
         r"7\.weight is none of its entries"),
        (analog(network(1), analog_bias=True) | {"4.analog_module.mapping_scales": torch.ones(3)},
         r"of shape = \(3,\): expected one number or 5"),
        (network(1).state_dict() | {"epoch": 3}, "path: epoch = 3: expected a tensor"),
        ([1, 2], "plain tensors, written where aihwkit is"),
    ],
)  # fmt: skip
def test_what_is_no_such_state_is_refused(tmp_path: Path, state: Any, said: str) -> None:
    torch.save(state, tmp_path / "net.pt")
    with pytest.raises(InvalidInput, match=said) as refusal:
        load_aihwkit(network(2), tmp_path / "net.pt")
    assert "\n" not in str(refusal.value)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"nothing")
    for path in (tmp_path / "net.pt", tmp_path / "none.pt", tmp_path):
        with pytest.raises(InvalidInput, match=r"^path = "):
            load_aihwkit(network(2), path)
