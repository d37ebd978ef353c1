"""A write step attached to an optimizer: rules steer its gradients, and it cannot be forgotten."""

import copy
import gc

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.cells import FIVE_LEVELS
from builders.networks import mapped
from mho import WriteStep
from mho.cells import Verify
from mho.learning.layers.layer import memristive_layers
from mho.learning.rules.rule import State, Synapses, Update

DEVICE = FIVE_LEVELS.replace(sigma=(2e-6,))
LAYERS = 3


def network() -> nn.Module:
    return mapped(None, device=DEVICE, tile=(9, 12), programming=Verify())


class Toward:
    """A penalty that draws every weight to 1, and a record of what the rule was shown."""

    stored = ()

    def __init__(self) -> None:
        self.steered: list[Tensor] = []
        self.seen: list[Tensor | None] = []
        self.observed: list[Tensor] = []

    def init(self, weight: Tensor) -> State:
        return {}

    def steer(self, weight: Tensor, gradient: Tensor, state: State) -> None:
        self.steered.append(gradient.clone())
        gradient.add_(weight - 1, alpha=0.5)

    def observe(self, gradient: Tensor, state: State) -> None:
        self.observed.append(gradient.clone())

    def apply(self, update: Update, state: State) -> None:
        self.seen.append(None if update.gradient is None else update.gradient.clone())

    def consolidate(self, synapses: Synapses, state: State) -> None:
        pass


def backward(net: nn.Module, seed: int = 1) -> None:
    x = torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(seed))
    net.zero_grad()
    (net(x) - 1).square().mean().backward()


def gradients(net: nn.Module) -> list[Tensor]:
    layers = memristive_layers(net).values()
    return [layer.weight.grad.clone() for layer in layers]  # type: ignore[union-attr]


def sgd(net: nn.Module, rate: float = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), rate)


def test_the_optimizer_takes_what_the_rules_made_of_the_gradient() -> None:
    net, rule = network(), Toward()
    step = WriteStep(net, rules=[rule, rule])
    layers = list(memristive_layers(net).values())
    optimizer = sgd(net)
    step.attach(optimizer)
    for seed in range(3):
        rule.steered.clear()
        rule.seen.clear()
        backward(net, seed)
        start = [layer.weight.detach().clone() for layer in layers]
        loss = gradients(net)
        optimizer.step()
        for k, layer in enumerate(layers):
            total = loss[k] + 2 * 0.5 * (start[k] - 1)
            torch.testing.assert_close(layer.weight.detach(), start[k] - 0.1 * total)
            assert torch.equal(rule.steered[2 * k], loss[k])
            torch.testing.assert_close(rule.steered[2 * k + 1], (loss[k] + total) / 2)
        step()
        for k in range(LAYERS):  # the loss alone, to both links of the chain
            assert torch.equal(rule.seen[2 * k], loss[k])
            assert torch.equal(rule.seen[2 * k + 1], loss[k])


def test_forgetting_to_attach_is_an_error() -> None:
    net = network()
    step = WriteStep(net, rules=[Toward()])
    optimizer = sgd(net)
    step()  # nothing has moved
    backward(net)
    optimizer.step()
    targets = [layer.target.clone() for layer in memristive_layers(net).values()]
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"'0' moved before .*call attach"):
            step()
    for layer, target in zip(memristive_layers(net).values(), targets, strict=True):
        assert torch.equal(layer.target, target)
    with pytest.raises(RuntimeError, match="arrays were not written"):
        net(torch.zeros(1, 2, 6, 6))


def test_a_new_optimizer_must_be_attached_too() -> None:
    net = network()
    step = WriteStep(net, rules=[Toward()])
    for attached in (True, False):
        optimizer = sgd(net)
        if attached:
            handle = step.attach(optimizer)
        for _ in range(2):
            backward(net)
            optimizer.step()
            if attached:
                step()
                continue
            with pytest.raises(RuntimeError, match="moved before its rules could change"):
                step()
            return
        handle.remove()
    raise AssertionError


def test_a_detached_optimizer_is_as_if_never_attached() -> None:
    net, rule = network(), Toward()
    step, optimizer = WriteStep(net, rules=[rule]), sgd(net)
    step.attach(optimizer).remove()
    backward(net)
    optimizer.step()
    assert not rule.steered
    with pytest.raises(RuntimeError, match="moved before"):
        step()


def test_a_loaded_state_has_not_been_steered() -> None:
    net = network()
    step, optimizer = WriteStep(net, rules=[Toward()]), sgd(net)
    handle = step.attach(optimizer)
    saved = copy.deepcopy((net.state_dict(), step.state_dict()))
    backward(net)
    optimizer.step()
    net.load_state_dict(saved[0])
    step.load_state_dict(saved[1])
    handle.remove()
    optimizer.step()
    with pytest.raises(RuntimeError, match="moved before"):
        step()


def test_each_optimizer_steers_the_layers_that_it_moves() -> None:
    net, rule = network(), Toward()
    step = WriteStep(net, rules=[rule])
    first, *rest = memristive_layers(net).values()
    one = torch.optim.SGD(first.parameters(), 0.1)
    other = torch.optim.SGD([p for layer in rest for p in layer.parameters()], 0.1)
    step.attach(one)
    backward(net)
    one.step()
    assert len(rule.steered) == 1
    step()
    backward(net)
    one.step()
    other.step()
    with pytest.raises(RuntimeError, match=r"'2' moved before"):
        step()
    with pytest.raises(ValueError, match="optimizer = a SGD: expected one with the weight of"):
        step.attach(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1))


def test_a_gradient_is_steered_once() -> None:
    net, rule = network(), Toward()
    step, optimizer = WriteStep(net, rules=[rule]), sgd(net)
    handles = [step.attach(optimizer), step.attach(optimizer)]
    backward(net)
    loss = gradients(net)
    optimizer.step()
    optimizer.step()  # the same gradient once more
    assert len(rule.steered) == LAYERS
    backward_again = [g + 0.0 for g in loss]
    for layer, gradient in zip(memristive_layers(net).values(), backward_again, strict=True):
        layer.weight.grad = gradient
    optimizer.step()  # another one, before anything was written
    assert len(rule.steered) == 2 * LAYERS
    step()
    for seen, gradient in zip(rule.seen, loss, strict=True):
        assert torch.equal(seen, gradient)
    handles[0].remove()
    backward(net)
    optimizer.step()
    assert len(rule.steered) == 3 * LAYERS


def test_layers_without_a_gradient_stay_and_are_not_steered() -> None:
    net, rule = network(), Toward()
    step, optimizer = WriteStep(net, rules=[rule]), sgd(net)
    step.attach(optimizer)
    memristive_layers(net)["2"].weight.requires_grad_(False)
    backward(net)
    optimizer.step()
    step()
    assert len(rule.steered) == len(rule.seen) == LAYERS - 1
    assert all(seen is not None for seen in rule.seen)


def test_closures_are_refused() -> None:
    net = network()
    step, optimizer = WriteStep(net, rules=[Toward()]), sgd(net)
    step.attach(optimizer)
    backward(net)
    for call in (lambda f: optimizer.step(f), lambda f: optimizer.step(closure=f)):
        with pytest.raises(ValueError, match=r"optimizer\.step closure = 'a function': expected"):
            call(lambda: torch.zeros(()))


def test_without_a_rule_that_steers_or_needs_gradients_nothing_is_attached() -> None:
    for rules in ([], [mho.rules.IntervalRule(1.0), mho.rules.Accumulate()]):
        net = network()
        step, optimizer = WriteStep(net, rules=rules), sgd(net)
        handle = step.attach(optimizer)
        assert not optimizer._optimizer_step_pre_hooks
        backward(net)
        optimizer.step()
        step()
        handle.remove()
        gc.collect()


def test_observing_shows_gradients_and_moves_nothing() -> None:
    net, rule = network(), Toward()
    step = WriteStep(net, rules=[mho.rules.IntervalRule(1.0), rule])
    with pytest.raises(RuntimeError, match=r"observe: no layer has a gradient; call backward\(\)"):
        step.observe()
    backward(net)
    expected, before = gradients(net), copy.deepcopy(net.state_dict())
    memristive_layers(net)["2"].weight.grad = None
    step.observe()
    assert len(rule.observed) == 2
    assert torch.equal(rule.observed[0], expected[0])
    assert torch.equal(rule.observed[1], expected[2])
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, equal_nan=True)
    assert not rule.seen
    WriteStep(net).observe()
