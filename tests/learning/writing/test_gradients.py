"""Rules are shown the gradient that the optimizer took, or none; and no step that was skipped."""

import copy
import gc
import io
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.cells import FIVE_LEVELS
from builders.networks import mapped
from builders.rule_catalogue import RULES
from mho import WriteStep
from mho.cells import Verify
from mho.learning.layers.layer import memristive_layers

DEVICE = FIVE_LEVELS.replace(sigma=(2e-6,))
NEEDING = [name for name, make in RULES.items() if make().needs_gradient]  # type: ignore[attr-defined]
every_rule = pytest.mark.parametrize("name", RULES)
needing = pytest.mark.parametrize("name", NEEDING)

Optimizer = torch.optim.Optimizer
Make = Callable[[Any], Optimizer]
OPTIMIZERS: dict[str, Make] = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1),
    "momentum": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, 0.01),
    "foreach": lambda p: torch.optim.AdamW(p, 0.01, foreach=True),
    "fused": lambda p: torch.optim.Adam(p, 0.01, fused=True),
    "fused sgd": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, fused=True),
}
every_optimizer = pytest.mark.parametrize("kind", OPTIMIZERS)


def network() -> nn.Module:
    return mapped(None, device=DEVICE, tile=(9, 12), programming=Verify())


def loss_of(net: nn.Module, seed: int) -> Tensor:
    x = torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(seed))
    return (net(x) - 1).square().mean()


def backward(net: nn.Module, seed: int) -> None:
    loss_of(net, seed).backward()


def everything(net: nn.Module, step: WriteStep) -> dict[str, Tensor]:
    """What a write step may change."""
    state = {f"net {name}": value for name, value in net.state_dict().items()}
    for name, states in step.state_dict()["rules"].items():
        for k, entries in enumerate(states):
            state |= {f"rule {k} of {name}: {entry}": t for entry, t in entries.items()}
    return {name: value.clone() for name, value in state.items()}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor], but: str = "inputs") -> None:
    for name, value in one.items():
        if "extra_state" not in name:  # reads are counted there
            torch.testing.assert_close(
                other[name], value, rtol=0, atol=0, equal_nan=True, msg=f"{name}, {but}"
            )


def in_a_training(name: str, make: Make, attached: bool) -> tuple[nn.Module, WriteStep, Optimizer]:
    """A few steps, one task's end, a few more: no state of a rule is empty."""
    net = network()
    step, optimizer = WriteStep(net, rules=[RULES[name]()]), make(net.parameters())
    if attached or "elastic" in name or "intelligence" in name:
        step.attach(optimizer)
    for seed in range(6):
        backward(net, seed)
        optimizer.step()
        step()
        optimizer.zero_grad()
        if seed == 3:
            x = torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(5))
            mho.rules.measure_fisher(net, step, x, torch.arange(3))
            step.consolidate()
    return net, step, optimizer


# ------------------------------------------------------------------ steps that are skipped


@every_rule
@pytest.mark.parametrize("attached", [False, True])
@pytest.mark.parametrize("kind", ["sgd", "fused"])
@pytest.mark.parametrize("where", ["one layer", "the bias", "all layers"])
def test_no_rule_learns_from_a_step_that_grad_scaler_skips(
    name: str, attached: bool, kind: str, where: str
) -> None:
    net, step, optimizer = in_a_training(name, OPTIMIZERS[kind], attached)
    scaler = torch.amp.GradScaler("cpu")
    before = everything(net, step)
    scaler.scale(loss_of(net, 9)).backward()
    layers = list(memristive_layers(net).values())
    for layer in layers if where == "all layers" else layers[1:2]:
        which = layer.bias if where == "the bias" else layer.weight
        assert which is not None
        assert which.grad is not None
        which.grad.view(-1)[1] = torch.inf
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    step()
    assert_same(before, everything(net, step))
    optimizer.zero_grad()
    backward(net, 10)  # and it goes on
    optimizer.step()
    step()
    after = everything(net, step)
    assert any(not torch.equal(after[key], before[key]) for key in before if "weight" in key)
    for value in after.values():
        assert not value.is_floating_point() or value.isfinite().all() or value.dim() == 1


@every_rule
def test_no_rule_learns_where_no_optimizer_stepped(name: str) -> None:
    """Accumulating over batches, a write step after each; a frozen layer; a second write step."""
    net, step, optimizer = in_a_training(name, OPTIMIZERS["sgd"], attached=False)
    before = everything(net, step)
    backward(net, 8)
    step()
    assert_same(before, everything(net, step))
    backward(net, 9)
    memristive_layers(net)["2"].weight.grad = None
    optimizer.step()
    step()
    after = everything(net, step)
    same = {key: value for key, value in before.items() if key.startswith("rule 0 of 2")}
    assert_same(same | {"net 2.weight": before["net 2.weight"]}, after)
    step()
    assert_same(after, everything(net, step))


def test_of_two_optimizers_one_may_be_skipped() -> None:
    net, rule = network(), mho.rules.BayesianSteps(0.3, 100.0, 8)
    step = WriteStep(net, rules=[rule])
    first, *rest = memristive_layers(net).values()
    one = torch.optim.SGD(first.parameters(), 0.1)
    other = torch.optim.SGD([p for layer in rest for p in layer.parameters()], 0.1)
    before, scaler = everything(net, step), torch.amp.GradScaler("cpu")
    scaler.scale(loss_of(net, 1)).backward()
    assert first.weight.grad is not None
    first.weight.grad[0] = torch.nan
    scaler.step(one)
    scaler.step(other)
    scaler.update()
    step()
    after = everything(net, step)
    key = "rule 0 of {}: precision"
    assert torch.equal(after[key.format("0")], before[key.format("0")])
    assert (after[key.format("2")] != before[key.format("2")]).any()


# ------------------------------------------------------------------ gradients that are not finite


@needing
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_movement_by_a_gradient_that_is_not_finite_is_refused(name: str, bad: float) -> None:
    """An optimizer that looks at signs alone moves a weight all the same."""
    net, step, optimizer = in_a_training(name, OPTIMIZERS["sgd"], attached=False)
    optimizer = torch.optim.Optimizer(net.parameters(), {})
    if "intelligence" in name:
        step.attach(optimizer)
    backward(net, 7)
    last = memristive_layers(net)["4"].weight
    assert last.grad is not None
    last.grad[0, 0] = bad
    for hook in optimizer._optimizer_step_pre_hooks.values():
        hook(optimizer, (optimizer,), {})
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1)
    before = everything(net, step)
    with pytest.raises(ValueError, match="gradient of '4' = 'nan or inf': expected finite"):
        step()
    assert_same(before, everything(net, step))


@every_rule
def test_what_is_observed_must_be_finite(name: str) -> None:
    net, step, _ = in_a_training(name, OPTIMIZERS["sgd"], attached=False)
    backward(net, 7)
    memristive_layers(net)["4"].weight.grad[0, 0] = torch.inf  # type: ignore[index]
    before = everything(net, step)
    with pytest.raises(ValueError, match="gradient of '4' = 'nan or inf': expected finite"):
        step.observe()
    assert_same(before, everything(net, step))


@pytest.mark.parametrize("name", ["elastic weights", "synaptic intelligence"])
def test_a_gradient_that_is_not_finite_is_not_steered_and_reaches_no_rule(name: str) -> None:
    net, step, optimizer = in_a_training(name, OPTIMIZERS["sgd"], attached=True)
    backward(net, 7)
    memristive_layers(net)["4"].weight.grad[0, 0] = torch.inf  # type: ignore[index]
    optimizer.step()
    before = everything(net, step)
    with pytest.raises(ValueError, match=r"weight = 'nan or inf'"):
        step()
    assert_same(before, everything(net, step))


# ------------------------------------------------------------------ zero_grad before the write step


def trained(
    name: str, make: Make, early: bool, attached: bool, clears: dict[str, bool]
) -> dict[str, Tensor]:
    net = network()
    step, optimizer = WriteStep(net, rules=[RULES[name]()]), make(net.parameters())
    if attached:
        step.attach(optimizer)
    for seed in range(4):
        backward(net, seed)
        backward(net, seed + 10)  # two batches are accumulated
        torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimizer.step()
        if early:
            optimizer.zero_grad(**clears)
            step()
        else:
            step()
            optimizer.zero_grad(**clears)
    return everything(net, step)


@every_rule
@every_optimizer
@pytest.mark.parametrize("attached", [False, True])
@pytest.mark.parametrize("clears", [{}, {"set_to_none": False}], ids=["none", "zero"])
def test_zero_grad_before_the_write_step_is_the_same_or_refused(
    name: str, kind: str, attached: bool, clears: dict[str, bool]
) -> None:
    attached |= "elastic" in name or "intelligence" in name
    late = trained(name, OPTIMIZERS[kind], False, attached, clears)
    steers = "elastic" in name or "intelligence" in name
    gone = name in NEEDING and not (steers or (attached and not clears))
    if gone:
        said = (
            r"WriteStep: '0' moved and has .* needs; call the WriteStep after optimizer\.step\(\)"
        )
        with pytest.raises(RuntimeError, match=said):
            trained(name, OPTIMIZERS[kind], True, attached, clears)
    else:
        assert_same(late, trained(name, OPTIMIZERS[kind], True, attached, clears))


@needing
@pytest.mark.parametrize("clears", [{}, {"set_to_none": False}], ids=["none", "zero"])
def test_a_dead_layer_that_momentum_moves_is_no_error(name: str, clears: dict[str, bool]) -> None:
    net, step, optimizer = in_a_training(name, OPTIMIZERS["momentum"], attached=False)
    for seed in range(3):
        (0.0 * loss_of(net, seed)).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)  # changes it in place
        before = memristive_layers(net)["4"].weight.detach().clone()
        optimizer.step()
        assert not torch.equal(memristive_layers(net)["4"].weight, before)
        step()
        optimizer.zero_grad(**clears)


@needing
def test_a_gradient_that_the_user_replaced_is_the_one_that_counts(name: str) -> None:
    def train(early: bool, attached: bool) -> dict[str, Tensor]:
        net = network()
        step, optimizer = WriteStep(net, rules=[RULES[name]()]), OPTIMIZERS["sgd"](net.parameters())
        if attached or "intelligence" in name:
            step.attach(optimizer)
        for seed in range(3):
            backward(net, seed)
            for p in net.parameters():
                p.grad = p.grad.sign()  # type: ignore[union-attr]
            optimizer.step()
            if early:
                optimizer.zero_grad()
            step()
            optimizer.zero_grad()
        return everything(net, step)

    late = train(False, False)
    assert_same(late, train(False, True))
    assert_same(late, train(True, True))
    if "intelligence" not in name:
        with pytest.raises(RuntimeError, match="moved and has no gradient"):
            train(True, False)


@needing
def test_no_gradient_serves_twice(name: str) -> None:
    net, step, optimizer = in_a_training(name, OPTIMIZERS["sgd"], attached=True)
    before = everything(net, step)
    optimizer.step()  # without a backward pass
    step()
    assert_same(before, everything(net, step))
    with torch.no_grad():
        for layer in memristive_layers(net).values():
            layer.weight.add_(0.1)
    with pytest.raises(RuntimeError, match="'0' moved"):
        step()


def test_a_rule_that_says_nothing_is_shown_what_there_is() -> None:
    class Watching:
        stored = ()

        def __init__(self) -> None:
            self.seen: list[Tensor | None] = []

        def init(self, weight: Tensor) -> dict[str, Tensor]:
            return {}

        def apply(self, update: mho.rules.Update, state: dict[str, Tensor]) -> None:
            self.seen.append(update.gradient)

        def consolidate(self, synapses: object, state: dict[str, Tensor]) -> None:
            pass

    for rule, clear in ((Watching(), False), (Watching(), True)):
        net = network()
        step, optimizer = WriteStep(net, rules=[rule]), OPTIMIZERS["sgd"](net.parameters())
        backward(net, 1)
        optimizer.step()
        if clear:
            optimizer.zero_grad()
        step()
        assert [seen is None for seen in rule.seen] == [clear] * 3


# ------------------------------------------------------------------ copies and lives


@needing
def test_copies_and_pickles_go_on_alike(name: str) -> None:
    net, step, _ = in_a_training(name, OPTIMIZERS["sgd"], attached=False)
    file = io.BytesIO()
    torch.save((net, step), file)
    file.seek(0)
    pairs = [(net, step), copy.deepcopy((net, step)), torch.load(file, weights_only=False)]
    ends = []
    for one, write in pairs:
        optimizer = OPTIMIZERS["momentum"](one.parameters())
        write.attach(optimizer)
        write()  # nothing has moved
        for seed in range(3):
            one.zero_grad()
            backward(one, seed)
            optimizer.step()
            write()
        ends.append(everything(one, write))
    assert_same(ends[0], ends[1])
    assert_same(ends[0], ends[2])


@needing
def test_a_write_step_and_its_network_end_when_they_are_let_go(name: str) -> None:
    net, step, optimizer = in_a_training(name, OPTIMIZERS["sgd"], attached=False)
    weight = memristive_layers(net)["0"].weight
    assert weight._post_accumulate_grad_hooks
    gc.collect()
    gc.disable()
    try:
        end = weakref.ref(step._gradients)
        del step, optimizer  # which it may be attached to
        assert end() is None  # without the collector: no cycle
        assert not weight._post_accumulate_grad_hooks
        end = weakref.ref(weight)
        del net, weight
    finally:
        gc.enable()
    gc.collect()
    assert end() is None


@every_rule
def test_a_training_saved_before_its_write_step_goes_on(name: str) -> None:
    net, step, optimizer = in_a_training(name, OPTIMIZERS["sgd"], attached=False)
    backward(net, 7)
    optimizer.step()
    file = io.BytesIO()
    torch.save([net.state_dict(), step.state_dict()], file)
    file.seek(0)
    other = network()
    again = WriteStep(other, rules=[RULES[name]()])
    saved = torch.load(file, weights_only=True)
    other.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    step()
    again()
    assert_same(everything(net, step), everything(other, again))


def test_information_that_cannot_be_measured_to_the_end_is_not_measured() -> None:
    net, step, _ = in_a_training("elastic weights", OPTIMIZERS["sgd"], attached=True)
    before = everything(net, step)
    x = torch.randn(3, 2, 6, 6)
    x[2, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="nan or inf"):
        mho.rules.measure_fisher(net, step, x, torch.arange(3))
    assert_same(before, everything(net, step))
