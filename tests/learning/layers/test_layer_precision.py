"""The same weights go to the same levels, whatever type they have."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.networks import only_layer
from mho import Hardware, WriteStep, kernels
from mho.cells import MultiLevel, OpenLoop, Verify
from mho.hardware import MAPPINGS
from mho.hardware.mapping import level_index, level_value
from mho.learning.layers.quantizer import Levels, StochasticSign
from mho.learning.layers.variation import Variation

TYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
CELL = MultiLevel(g_min=1e-6, g_max=1e-4, levels=64)
LAYERS = {"linear": lambda: nn.Linear(160, 40), "conv": lambda: nn.Conv2d(8, 12, 3)}
every_mapping = pytest.mark.parametrize("mapping", MAPPINGS)


def weights(shape: torch.Size, seed: int) -> Tensor:
    """Random weights that all types hold exactly."""
    generator = torch.Generator().manual_seed(seed)
    w = torch.randn(shape, generator=generator, dtype=torch.float32)
    return w.bfloat16().half().float().bfloat16().float()


def chip(kind: str, dtype: torch.dtype, **options: Any) -> nn.Module:
    plain = LAYERS[kind]()
    with torch.no_grad():
        plain.weight.copy_(weights(plain.weight.shape, 1))
        plain.bias.zero_()  # type: ignore[union-attr]
    hardware = Hardware(**({"device": CELL, "tile": (64, 64)} | options))
    generator = torch.Generator().manual_seed(6)
    return mho.convert(plain.to(dtype), hardware, generator=generator)


def held(net: nn.Module) -> dict[str, Tensor]:
    """What the write steps have made of the cells."""
    layer = only_layer(net)
    cells = {name: buffer.clone() for name, buffer in layer.crossbar.named_buffers()}
    return cells | {"target": layer.target.clone(), "scale": torch.tensor(layer.full_scale)}


@pytest.mark.parametrize("kind", LAYERS)
@every_mapping
@pytest.mark.parametrize("full_scale", [None, 2.5])
@pytest.mark.parametrize("levels", [9, 64])
def test_the_same_weights_are_converted_and_written_alike(
    kind: str, mapping: str, full_scale: float | None, levels: int
) -> None:
    cell = CELL.replace(levels=levels)
    wanted: list[dict[str, Tensor]] = []
    for dtype in TYPES:
        net = chip(kind, dtype, device=cell, mapping=mapping, full_scale=full_scale)
        layer, outcomes = only_layer(net), []
        outcomes.append(held(net))
        step = WriteStep(net, threshold=0.65)
        for seed in (2, 3):
            with torch.no_grad():
                layer.weight.copy_(weights(layer.weight.shape, seed))
            step()
            outcomes.append(held(net))
        levels_held = level_index(layer.target, layer.full_scale, layer.hardware.levels)
        nearest = level_index(layer.matrix(), layer.full_scale, layer.hardware.levels)
        assert (levels_held != nearest).any()  # hysteresis
        wanted = wanted or outcomes
        for one, other in zip(wanted, outcomes, strict=True):
            assert one.keys() == other.keys()
            for name, value in one.items():
                assert torch.equal(value, other[name]), (dtype, name)


@pytest.mark.parametrize(
    "options",
    [{"slices": 2}, {"copies": 2}, {"wire_resistance": 1.0, "predistortion": 2, "full_scale": 2.5}],
    ids=["slices", "copies", "predistorted"],
)
def test_the_same_weights_are_converted_alike_on_other_hardware(options: dict[str, Any]) -> None:
    cell = CELL.replace(levels=8)
    wanted = held(chip("linear", torch.float32, device=cell, **options))
    for dtype in TYPES[1:]:
        got = held(chip("linear", dtype, device=cell, **options))
        for name, value in wanted.items():
            assert torch.equal(value, got[name]), (dtype, name)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_outputs_are_as_near_as_those_of_single_precision(dtype: torch.dtype) -> None:
    net = chip("linear", dtype)
    wanted = weights(torch.Size((40, 160)), 1).double()
    error = (only_layer(net).effective[0].double() - wanted).abs().max().item()
    assert error <= only_layer(net).step / 2 * 1.001 + torch.finfo(dtype).eps * 4
    ideal = only_layer(net).target.double()
    assert (ideal - wanted).abs().max().item() <= only_layer(net).step / 2 * 1.001


@pytest.mark.parametrize("dtype", TYPES[2:], ids=str)
@pytest.mark.parametrize("scheme", ["policies", "read back", "closed loop"])
def test_policies_and_feedback_compare_in_single_precision(dtype: torch.dtype, scheme: str) -> None:
    how: dict[str, dict[str, Any]] = {
        "policies": {"policies": [mho.rules.Budget(200, 1)]},
        "read back": {"feedback": mho.rules.ReadBack(pull=0.0)},
        "closed loop": {"threshold": 0},
    }
    wanted = None
    for each in (torch.float32, torch.float64, dtype):
        cell = CELL.replace(sigma=(2e-6,), levels=16, read_noise=0.01)
        net = chip("linear", each, device=cell, programming=Verify(tolerance=0.4))
        step, layer = WriteStep(net, **copy.deepcopy(how[scheme])), only_layer(net)
        for seed in (2, 3):
            with torch.no_grad():
                layer.weight.copy_(weights(layer.weight.shape, seed))
            step()
            step()
        got = held(net)
        wanted = wanted or got
        for name, value in wanted.items():
            assert torch.equal(value, got[name]), (each, name)


@pytest.mark.parametrize("dtype", TYPES[2:], ids=str)
@pytest.mark.parametrize("rule", ["accumulate", "sign update", "rounding", "sparse", "tiki-taka"])
def test_rules_that_land_on_levels_land_on_the_same(rule: str, dtype: torch.dtype) -> None:
    make = {
        "accumulate": lambda: mho.rules.Accumulate(),
        "sign update": lambda: mho.rules.SignUpdate(0.1),
        "rounding": lambda: mho.rules.StochasticRounding(3),
        "sparse": lambda: mho.rules.StochasticSparse(0.1),
        "tiki-taka": lambda: mho.rules.TikiTaka(0.01, 1.0, gain=0.5),
    }[rule]
    ends = []
    for each in (torch.float32, dtype):
        net = chip("linear", each, device=CELL.replace(levels=9), programming=OpenLoop())
        layer, step = only_layer(net), WriteStep(net, rules=[make()])
        for seed in range(1, 4):
            gradient = weights(layer.weight.shape, seed).to(each)
            layer.weight.grad = gradient
            with torch.no_grad():  # movement that is the same in all types
                start = layer.target.to(each) if seed == 1 else layer.weight
                layer.weight.copy_(start)
                layer.weight.sub_(gradient, alpha=0.25)
            step()
            levels = level_index(layer.matrix(), layer.full_scale, layer.hardware.levels)
            exact = level_value(levels, layer.full_scale, layer.hardware.levels)
            assert torch.equal(layer.matrix(), exact.to(each))
        ends.append(levels)
    # what the movement is rounded to differs now and then, by a level
    assert (ends[0] != ends[1]).double().mean() < 0.03


def test_a_type_that_cannot_hold_the_levels_is_refused_for_rules_that_land_on_them() -> None:
    for rule in (mho.rules.Accumulate(), mho.rules.SignUpdate(0.1)):
        net = chip("linear", torch.bfloat16, device=CELL.replace(levels=200))
        with pytest.raises(ValueError, match=r"type of weight '' = torch.bfloat16: expected one"):
            WriteStep(net, rules=[rule])
        WriteStep(net, rules=[mho.rules.IntervalRule(1.0)])
        WriteStep(net.float(), rules=[rule])


@pytest.mark.parametrize("dtype", TYPES[2:], ids=str)
def test_rules_gather_what_half_precision_would_lose(dtype: torch.dtype) -> None:
    """A path of many small contributions."""
    paths = []
    for each in (torch.float32, dtype):
        net = chip("linear", each)
        step = WriteStep(net, rules=[mho.rules.PathImportance(1.0, 0.01)])
        layer, sign = only_layer(net), 1.0
        for _ in range(600):
            layer.weight.grad = torch.full_like(layer.weight, -sign)
            with torch.no_grad():
                layer.weight.add_(2.0**-6 * sign)
            sign = -sign
            step()
        paths.append(step.state_dict()["rules"][""][0]["path"])
        assert paths[-1].dtype == torch.float32
    torch.testing.assert_close(paths[1].mean(), paths[0].mean(), rtol=0.05, atol=0.0)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("n", [2, 9, 33])
@pytest.mark.parametrize("full_scale", [None, 1.5])
def test_quantized_weights_keep_their_type_and_their_level(
    dtype: torch.dtype, n: int, full_scale: float | None
) -> None:
    w = weights(torch.Size((40, 160)), 1)
    wanted = Levels(n, full_scale)(w)
    got = Levels(n, full_scale)(w.to(dtype))
    assert got.dtype == dtype
    torch.testing.assert_close(got, wanted.to(dtype), rtol=torch.finfo(dtype).eps, atol=0)
    if n == 2:
        sign = [StochasticSign(2.0, seed=1)(each) for each in (w, w.to(dtype))]
        assert sign[1].dtype == dtype
        assert torch.equal(sign[0] > 0, sign[1] > 0)
    drawn = Variation(Hardware(device=CELL.replace(levels=n, sigma=(1e-6,)), mapping="single"))
    assert drawn.train()(got).dtype == dtype


@pytest.mark.parametrize("default", [torch.float64, torch.bfloat16])
def test_the_default_type_of_torch_changes_no_level(default: torch.dtype) -> None:
    wanted = held(chip("linear", torch.float32))
    torch.set_default_dtype(default)
    try:
        got = held(chip("linear", torch.float32))
        only_layer(chip("linear", torch.float32)).store.views(torch.zeros(40, 160).float())
    finally:
        torch.set_default_dtype(torch.float32)
    for name, value in wanted.items():
        if name in ("level", "target"):
            assert torch.equal(value, got[name]), name


def test_a_network_that_is_cast_keeps_where_its_weights_stand() -> None:
    net = chip("linear", torch.float32)
    before = held(net)
    for dtype in (torch.bfloat16, torch.float64, torch.float16):
        net = net.to(dtype)
        assert only_layer(net).target.dtype == torch.float32
        assert torch.equal(only_layer(net).target, before["target"])
        assert mho.write(net).weights == 0
    with kernels.off():
        assert mho.write(net.float()).weights == 0


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_weight_beyond_single_precision_is_refused(dtype: torch.dtype) -> None:
    net = chip("linear", dtype)
    bad = 1e300 if dtype == torch.float64 else torch.inf
    with torch.no_grad():
        only_layer(net).weight[0, 0] = bad
    with pytest.raises(
        ValueError, match=r"nan or inf|weight = 1e\+300: expected at most 3\.4e\+38"
    ):
        mho.write(net)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_repairs_work_in_any_type(dtype: torch.dtype) -> None:
    net = chip("linear", dtype, device=CELL.replace(sigma=(2e-6,)))
    x = torch.rand(32, 160, generator=torch.Generator().manual_seed(3)).to(dtype)
    mho.tune(net, x)
    assert net(x).dtype == dtype
    mho.correct(net)
    assert net(x).dtype == dtype
