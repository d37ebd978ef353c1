"""Windows that weights outgrow, and weights that are set from outside."""

import copy
import re
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import Tensor, nn

import mho
from mho import kernels
from mho.nn import ArrayLayer, memristive_layers

FINE = mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=4096)
COARSE = mho.cells.MultiLevel(g_min=10e-6, g_max=90e-6, levels=9, sigma=(1e-6,), stuck_off=0.01)
RULES: dict[str, list[mho.rules.UpdateRule]] = {
    "none": [],
    "path importance": [mho.rules.PathImportance(1.0, 0.01)],
    "interval": [mho.rules.IntervalRule(0.5)],
}


def model(seed: int = 0, size: float = 1.0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(size)
    return net


def mapped(net: nn.Module, **options: object) -> nn.Module:
    hardware = mho.Hardware(**({"device": FINE} | options))
    return mho.convert(net, hardware, generator=torch.Generator().manual_seed(1))


def off(net: nn.Module, wanted: nn.Module) -> float:
    x = torch.randn(32, 12, generator=torch.Generator().manual_seed(2))
    net.eval()
    return ((net(x) - wanted(x)).norm() / wanted(x).norm()).item()


def by_copy(net: nn.Module, new: nn.Module) -> None:
    with torch.no_grad():
        for mine, theirs in zip(net.parameters(), new.parameters(), strict=True):
            mine.copy_(theirs)
    mho.restart(net)


def by_assignment(net: nn.Module, new: nn.Module) -> None:
    for layer, other in zip(memristive_layers(net).values(), (new[0], new[2]), strict=True):
        layer.weight = nn.Parameter(other.weight.detach().clone())
        layer.bias = nn.Parameter(other.bias.detach().clone())
    mho.restart(net)


def by_data(net: nn.Module, new: nn.Module) -> None:
    for mine, theirs in zip(net.parameters(), new.parameters(), strict=True):
        mine.data = theirs.detach().clone()
    mho.restart(net)


WAYS: dict[str, Callable[[nn.Module, nn.Module], object]] = {
    "load": lambda net, new: net.load_state_dict(new.state_dict(), strict=False),
    "load, assign": lambda net, new: net.load_state_dict(
        new.state_dict(), strict=False, assign=True
    ),
    "copy_": by_copy,
    "assignment": by_assignment,
    "data": by_data,
}
every_way = pytest.mark.parametrize("way", WAYS)


@every_way
@pytest.mark.parametrize("size", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("full_scale", [None, 4.0])
def test_weights_set_from_outside_are_as_converted(
    way: str, size: float, full_scale: float | None
) -> None:
    new = model(1, size)
    net = mapped(model(), full_scale=full_scale, adc_bits=12, dac_bits=12)
    x = torch.randn(64, 12, generator=torch.Generator().manual_seed(3))
    mho.tune(mho.calibrate(net, x), x)
    WAYS[way](net, new)
    with pytest.raises(RuntimeError, match="not written"):
        net(x)
    mho.write(net)
    mho.calibrate(net, x)
    assert off(net, new) < 0.01
    fresh = mapped(new, full_scale=full_scale)
    for mine, theirs in zip(*(memristive_layers(n).values() for n in (net, fresh)), strict=True):
        assert mine.full_scale == theirs.full_scale
        assert torch.equal(mine.target, theirs.target)


@every_way
@pytest.mark.parametrize("name", RULES)
def test_a_rule_takes_weights_set_from_outside_for_no_movement(way: str, name: str) -> None:
    new, net = model(1, 5.0), mapped(model(), device=COARSE)
    step = mho.WriteStep(net, rules=RULES[name])
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    x = torch.randn(8, 12, generator=torch.Generator().manual_seed(3))
    train(net, step, optimizer, x, 3)
    rules = copy.deepcopy(step.state_dict()["rules"])
    WAYS[way](net, new)
    step()
    for layer, other in zip(memristive_layers(net).values(), (new[0], new[2]), strict=True):
        assert torch.equal(layer.weight, other.weight)
    after = step.state_dict()["rules"]
    for layer in after:
        for mine, before in zip(after[layer], rules[layer], strict=True):
            for entry, value in mine.items():
                assert torch.equal(value, before[entry]), entry


def train(
    net: nn.Module, step: mho.WriteStep, optimizer: torch.optim.Optimizer, x: Tensor, rounds: int
) -> list[int]:
    written = []
    for _ in range(rounds):
        optimizer.zero_grad()
        (net(x) - 3).square().mean().backward()
        optimizer.step()
        written.append(step().weights)
    return written


@pytest.mark.parametrize("name", RULES)
def test_a_checkpoint_loaded_under_a_living_write_step_is_not_undone(name: str) -> None:
    def parts() -> tuple[nn.Module, mho.WriteStep, torch.optim.Optimizer]:
        net = mapped(model(), device=COARSE)
        return net, mho.WriteStep(net, rules=RULES[name]), torch.optim.SGD(net.parameters(), 0.02)

    x = torch.randn(8, 12, generator=torch.Generator().manual_seed(3))
    net, step, optimizer = parts()
    train(net, step, optimizer, x, 5)
    saved = copy.deepcopy((net.state_dict(), step.state_dict()))
    future = train(net, step, optimizer, x, 5)
    train(net, step, optimizer, x, 20)
    net.load_state_dict(saved[0])  # back to before; the rules' state is loaded after
    step.load_state_dict(saved[1])
    assert train(net, step, optimizer, x, 5) == future
    other, stranger, _ = parts()
    train(other, stranger, torch.optim.SGD(other.parameters(), 0.1), x, 3)
    weights = {k: v.clone() for k, v in net.state_dict().items() if k.endswith("weight")}
    other.load_state_dict(net.state_dict())  # its rules go on with what they know
    stranger()
    for key, weight in weights.items():
        assert torch.equal(other.state_dict()[key], weight)


def test_a_movement_not_written_yet_is_saved_with_the_rules() -> None:
    def parts() -> tuple[nn.Module, mho.WriteStep]:
        net = mapped(model(), device=COARSE)
        return net, mho.WriteStep(net, rules=[mho.rules.IntervalRule(0.5)])

    (net, step), (again, resumed) = parts(), parts()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    again.load_state_dict(copy.deepcopy(net.state_dict()))
    resumed.load_state_dict(copy.deepcopy(step.state_dict()))
    assert resumed() == step()
    for mine, theirs in zip(net.parameters(), again.parameters(), strict=True):
        assert torch.equal(mine, theirs)


# ------------------------------------------------------------------ windows


def grow(net: nn.Module, factor: float) -> None:
    with torch.no_grad():
        for layer in memristive_layers(net).values():
            layer.weight.mul_(factor)


@pytest.mark.parametrize("threshold", [0.5, 0.65, 0.0])
@pytest.mark.parametrize("switch", [nullcontext, kernels.off])
@pytest.mark.parametrize("feedback", [None, mho.rules.ReadBack()])
def test_a_window_that_is_outgrown_is_widened(
    feedback: mho.rules.ReadBack | None,
    switch: Callable[[], AbstractContextManager[None]],
    threshold: float,
) -> None:
    net = mapped(model())
    step = mho.WriteStep(net, threshold=threshold, feedback=feedback)
    before = {name: layer.full_scale for name, layer in memristive_layers(net).items()}
    grow(net, 5.0)
    wanted, cells = mho.to_digital(net), mho.ledger(net).totals()["writes"]
    with switch():
        written = step()
    assert written.widened == ("0", "2")
    assert 0 < written.outside <= written.of
    assert 0 < written.weights <= written.of
    assert mho.ledger(net).totals()["writes"] > cells
    assert max(mho.outside_window(net).values()) <= 0.05
    assert off(net, wanted) < 0.05  # a few weights are still outside
    for name, layer in memristive_layers(net).items():
        assert layer.full_scale in (4 * before[name], 8 * before[name])


def test_a_few_weights_outside_widen_nothing() -> None:
    net = mapped(model())
    layer = memristive_layers(net)["0"]
    with torch.no_grad():
        layer.weight.view(-1)[:9] = 2 * layer.full_scale  # of 192
    written = mho.write(net)
    assert written.widened == ()
    assert written.outside == 9
    assert mho.outside_window(net) == {"0": 9 / 192, "2": 0.0}


@pytest.mark.parametrize(
    ("hardware", "step", "why"),
    [
        ({"full_scale": 2.0}, {}, r"Hardware\.full_scale = 2"),
        ({}, {"policies": [mho.rules.Every(1)]}, "policies say"),
    ],
)
def test_a_window_that_stays_is_told_of_once(
    hardware: dict[str, object], step: dict[str, object], why: str
) -> None:
    net = mapped(model(), **hardware)
    write = mho.WriteStep(net, **step)
    edge = [layer.full_scale for layer in memristive_layers(net).values()]
    grow(net, 5.0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        write()
    for name, each in zip(("0", "2"), told, strict=True):
        assert re.search(rf"\d\d% of the weights of '{name}' .*{why}", str(each.message))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grow(net, 2.0)
        assert write().outside > 0
    assert [layer.full_scale for layer in memristive_layers(net).values()] == edge


def test_a_user_who_says_so_hears_nothing() -> None:
    net = mapped(model(), full_scale=2.0)
    grow(net, 5.0)
    assert mho.write(net, widen=1).widened == ()


def test_training_with_a_widening_window_resumes_to_the_bit() -> None:
    def parts() -> tuple[nn.Module, mho.WriteStep, torch.optim.Optimizer]:
        net = mapped(model(), device=COARSE, programming=mho.cells.OpenLoop())
        return net, mho.WriteStep(net, threshold=0.65), torch.optim.SGD(net.parameters(), 0.05)

    x = torch.randn(8, 12, generator=torch.Generator().manual_seed(3))
    net, step, optimizer = parts()
    edge = memristive_layers(net)["0"].full_scale
    train(net, step, optimizer, x, 4)
    saved = copy.deepcopy((net.state_dict(), step.state_dict()))
    future = train(net, step, optimizer, x, 40)
    again, resumed, optimizer = parts()
    again.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert train(again, resumed, optimizer, x, 40) == future
    assert memristive_layers(again)["0"].full_scale == memristive_layers(net)["0"].full_scale > edge
    for name, value in net.state_dict().items():
        assert torch.equal(again.state_dict()[name].nan_to_num(), value.nan_to_num()), name


def test_rescale_moves_the_edge_and_no_weight() -> None:
    net = mapped(model(), adc_bits=10, dac_bits=10, dac_range=4.0, adc_range=0.5)
    layers: dict[str, ArrayLayer] = memristive_layers(net)
    before = {n: (x.full_scale, x.weight.clone(), x.adc.ranges) for n, x in layers.items()}
    wanted = mho.to_digital(net)
    written = mho.rescale(net, 2.0)
    assert off(net, wanted) < 0.05
    for name, layer in layers.items():
        edge, weight, ranges = before[name]
        assert layer.full_scale == 2 * edge
        assert torch.equal(layer.weight, weight)
        assert torch.equal(layer.adc.ranges, 2 * ranges)  # amperes stay, weights per ampere do not
        assert 0 < written[name] <= weight.numel()
    mho.rescale(net)
    assert [x.full_scale for x in layers.values()] == [edge for edge, *_ in before.values()]


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_a_factor_that_makes_no_window_is_refused(factor: float) -> None:
    net = mapped(model())
    with pytest.raises(ValueError, match=r"factor = .*: expected a finite number"):
        mho.rescale(net, factor)


@pytest.mark.parametrize("act", [mho.rescale, mho.restart])
def test_weights_that_are_not_finite_change_nothing(act: Callable[[nn.Module], object]) -> None:
    net = mapped(model())
    edges = [layer.full_scale for layer in memristive_layers(net).values()]
    with torch.no_grad():
        memristive_layers(net)["2"].weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="nan or inf"):
        act(net)
    assert [layer.full_scale for layer in memristive_layers(net).values()] == edges
