"""The write step: bring the arrays up to date after the optimizer moved the shadow weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mho.errors import invalid, unknown
from mho.hardware.crossbar import write_together
from mho.learning.layer import ArrayLayer, memristive_layers
from mho.learning.policy import Stale, WritePolicy
from mho.learning.rules import State, Update, UpdateRule


class Written(NamedTuple):
    """Outcome of one write step."""

    weights: int
    """Weights written, all layers."""
    of: int
    """Weights that could have been: the denominator of every percentage."""


class WriteStep:
    """One call after each `optimizer.step()`: update rules, then the write policies.

        step = WriteStep(net, rules=[IntervalRule(m=3.0)], threshold=0.65)
        loss.backward(); optimizer.step(); step()

    The rules see how the optimizer moved each shadow weight and may change that movement; then
    weights more than `threshold` steps away from their programmed level are written, as far as the
    policies let them.

    Args:
        net: a network with memristive layers.
        rules: applied in order.
        threshold: in steps between weight levels, at least 0.5 (write when the nearest level
            changed); one number, or one a layer by name with "" for all others.
        policies: applied in order to what the threshold found, such as `Every` and `Budget`.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        rules: Sequence[UpdateRule] = (),
        threshold: float | Mapping[str, float] = 0.5,
        policies: Sequence[WritePolicy] = (),
    ) -> None:
        self._layers = memristive_layers(net)
        self._policies = tuple(policies)
        self._policy_states = [policy.init() for policy in self._policies]
        self._rules = tuple(rules)
        self._threshold = _per_layer(threshold, self._layers)
        self._size = sum(layer.weight.numel() for layer in self._layers.values())
        self._before: dict[str, Tensor] = {}
        self._states: dict[str, list[State]] = {}
        if self._rules:
            for name, layer in self._layers.items():
                self._before[name] = layer.weight.detach().clone()
                self._states[name] = [rule.init(layer.weight.detach()) for rule in self._rules]

    @torch.no_grad()
    def __call__(self) -> Written:
        """Apply the rules and write; returns how many weights were written.

        Raises:
            ValueError: a shadow weight is not finite; then no rule is applied, nothing is written.
        """
        if self._rules:
            for layer in self._layers.values():
                layer.check_finite()
            for name, layer in self._layers.items():
                self._apply_rules(name, layer)
        layers = list(self._layers.values())
        stale = find_stale(layers, list(self._threshold.values()))
        if self._policies:
            found: Sequence[Stale] = [_measured(*s) for s in zip(layers, stale, strict=True)]
            for policy, state in zip(self._policies, self._policy_states, strict=True):
                found = policy.select(found, state)
            stale = [(s.weights, s.shadow) for s in found]
        return Written(write_stale(layers, stale), self._size)

    def _apply_rules(self, name: str, layer: ArrayLayer) -> None:
        weight, before = layer.weight, self._before[name]
        update = Update(
            before=before,
            delta=weight.sub(before),
            gradient=weight.grad,
            step=layer.step,
            full_scale=layer.full_scale,
        )
        for rule, state in zip(self._rules, self._states[name], strict=True):
            rule.apply(update, state)
        before.add_(update.delta)
        weight.copy_(before)

    @torch.no_grad()
    def consolidate(self) -> None:
        """Tell the rules that a task has ended."""
        for name, layer in self._layers.items():
            for rule, state in zip(self._rules, self._states.get(name, []), strict=True):
                rule.consolidate(layer.weight.detach(), state)

    def state_dict(self) -> dict[str, list[State]]:
        """State of the rules by layer, and of the policies under "" if there are any."""
        rules = {name: [dict(s) for s in states] for name, states in self._states.items()}
        return rules | ({"": [dict(s) for s in self._policy_states]} if self._policies else {})

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, list[State]]) -> None:
        """Take the rules' state back; the shadow weights must have been loaded before."""
        known = self._states | ({"": self._policy_states} if self._policies else {})
        if set(state) != set(known):
            raise invalid("WriteStep state", sorted(state), f"layers {sorted(known)}")
        for name, states in state.items():
            if name in self._before:
                self._before[name].copy_(self._layers[name].weight)
            for mine, theirs in zip(known[name], states, strict=True):
                for entry, value in theirs.items():
                    mine[entry].copy_(value)


def write(net: nn.Module, threshold: float = 0.5) -> Written:
    """Write every weight whose nearest level changed: the plain write step, without rules."""
    return WriteStep(net, threshold=threshold)()


def find_stale(
    layers: Sequence[ArrayLayer], thresholds: Sequence[float]
) -> list[tuple[Tensor, Tensor]]:
    """Positions and shadows of the weights that are off their level, layer by layer.

    Half a step as threshold is "the nearest level changed"; more is hysteresis.

    Raises:
        ValueError: a shadow weight is not finite.
    """
    return [layer.stale(t) for layer, t in zip(layers, thresholds, strict=True)]


@torch.no_grad()
def write_stale(layers: Sequence[ArrayLayer], stale: Sequence[tuple[Tensor, Tensor]]) -> int:
    """Write stale weights of several layers in one physical step; returns how many.

    The arrays then count as up to date, weights that were left out included.
    """
    work = [(a, a.plan(*s)) for a, s in zip(layers, stale, strict=True) if len(s[0])]
    write_together([(layer.crossbar, plan.write, plan.levels) for layer, plan in work])
    for layer, plan in work:
        layer.update(plan.weights, plan.cells)
    for layer in layers:
        layer.mark_written()
    return sum(len(plan.weights) for _, plan in work)


def _measured(layer: ArrayLayer, stale: tuple[Tensor, Tensor]) -> Stale:
    """Stale weights with their distance from the programmed level."""
    weights, shadow = stale
    edge = shadow.clamp(-layer.full_scale, layer.full_scale)
    apart = (edge - layer.target.view(-1).index_select(0, weights)).abs_() / layer.step
    return Stale(weights, shadow, apart)


def _per_layer(
    threshold: float | Mapping[str, float], layers: Mapping[str, ArrayLayer]
) -> dict[str, float]:
    given = threshold if isinstance(threshold, Mapping) else {"": threshold}
    for name, value in given.items():
        if name and name not in layers:
            raise unknown("layer", name, layers)
        if not value >= 0.5:
            raise invalid(f"WriteStep.threshold[{name!r}]", value, "at least 0.5 steps")
    return {name: given.get(name, given.get("", 0.5)) for name in layers}
