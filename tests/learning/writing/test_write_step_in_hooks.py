"""Loops that call hooks, in the order of Lightning's: they train as a plain loop does, to the bit.

The order is that of Lightning 2.6, automatic optimization: `optimizer_step` is given a closure that
runs `training_step`, `optimizer.zero_grad` and `backward`, and hands it to the optimizer.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.networks import mapped

DATA = [
    (torch.randn(8, 2, 6, 6, generator=g), torch.randint(4, (8,), generator=g))
    for g in [torch.Generator().manual_seed(1)]
    for _ in range(6)
]
CELL = mho.cells.MultiLevel(g_min=1e-5, g_max=9e-5, levels=5, sigma=(2e-6,))
RULES: dict[str, Callable[[], list[Any]]] = {
    "none": list,
    "needs no gradient": lambda: [mho.rules.IntervalRule(1.0)],
    "steers": lambda: [mho.rules.ElasticWeights(1.0)],
}


class Module(nn.Module):
    """A network with the hooks of a LightningModule."""

    def __init__(self, rules: list[Any]) -> None:
        super().__init__()
        self.net = mapped(2, device=CELL)
        self.write = mho.WriteStep(self.net, rules=rules)
        self.written = 0

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        return nn.functional.cross_entropy(self.net(x).flatten(0, 1), y.repeat(2))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = torch.optim.SGD(self.net.parameters(), lr=0.5)
        self.write.attach(optimizer)
        return optimizer

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: torch.optim.Optimizer,
        optimizer_closure: Callable[[], Any],
    ) -> None:
        optimizer.step(closure=optimizer_closure)
        self.written += self.write().weights


def fit(module: Module, epochs: int) -> None:
    """What a trainer does."""
    optimizer = module.configure_optimizers()
    module.train()
    for epoch in range(epochs):
        for k, batch in enumerate(DATA):

            def closure(batch: Any = batch, k: int = k) -> Tensor:
                loss = module.training_step(batch, k)
                optimizer.zero_grad()
                loss.backward()
                return loss

            module.optimizer_step(epoch, k, optimizer, closure)


def plain(module: Module, epochs: int) -> None:
    optimizer = module.configure_optimizers()
    module.train()
    for _ in range(epochs):
        for k, batch in enumerate(DATA):
            loss = module.training_step(batch, k)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            module.written += module.write().weights


def same(a: nn.Module, b: nn.Module) -> bool:
    """Whether all that two networks hold is the same; nan where there is nothing."""
    mine, theirs = a.state_dict(), b.state_dict()
    return all(torch.equal(mine[k].nan_to_num(), theirs[k].nan_to_num()) for k in mine)


@pytest.mark.parametrize("rules", ["none", "needs no gradient"])
def test_hooks_train_as_a_plain_loop_does(rules: str) -> None:
    hooked, looped = Module(RULES[rules]()), Module(RULES[rules]())
    fit(hooked, 2)
    plain(looped, 2)
    assert hooked.written == looped.written > 0
    assert same(hooked, looped)


def test_rules_that_steer_ask_for_a_step_without_a_closure() -> None:
    with pytest.raises(ValueError, match=r"optimizer\.step closure"):
        fit(Module(RULES["steers"]()), 1)

    class Manual(Module):
        """The closure first, then the step of torch's own optimizer."""

        def optimizer_step(
            self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any
        ) -> None:
            optimizer_closure()
            optimizer.step()
            self.written += self.write().weights

    hooked, looped = Manual(RULES["steers"]()), Module(RULES["steers"]())
    fit(hooked, 2)
    plain(looped, 2)
    assert hooked.written == looped.written > 0
    assert same(hooked, looped)


def test_the_state_of_a_module_holds_its_chips() -> None:
    trained, other = Module([]), Module([])
    fit(trained, 1)
    other.load_state_dict(trained.state_dict())
    x = DATA[0][0]
    assert torch.equal(other.net.eval()(x), trained.net.eval()(x))
