"""The write step: bring the arrays up to date after the optimizer moved the shadow weights."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from mho.errors import invalid, unknown
from mho.hardware.writes import Pending, Stale, find_stale, plan, write_planned, write_stale
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.learning.rules.rule import Observes, State, Steers, Synapses, Update, UpdateRule
from mho.learning.writing.feedback import ReadBack
from mho.learning.writing.policy import Candidates, WritePolicy

_MUCH = 0.2
"""Share of a layer's weights beyond a window that stays, from which on that is warned of."""


class Written(NamedTuple):
    """Outcome of one write step."""

    weights: int
    """Weights written, all layers."""
    of: int
    """Weights that could have been: the denominator of every percentage."""
    outside: int = 0
    """Weights beyond the window of their layer, by more than the threshold, before any was widened:
    the arrays hold them at its edge."""
    widened: tuple[str, ...] = ()
    """Layers whose window was widened, all their weights written anew; these are counted too."""


class WriteStep:
    """One call after each `optimizer.step()`: rules, threshold, policies, writes, feedback.

        step = WriteStep(net, rules=[IntervalRule(m=3.0)], threshold=0.65)
        loss.backward(); optimizer.step(); step()

    The rules see how the optimizer moved each shadow weight and may change that movement; then
    weights more than `threshold` steps away from their programmed level are written, as far as the
    policies let them; then what was written may be read back. With rules that put a penalty into
    the loss, each optimizer must be attached: `step.attach(optimizer)`.

    Args:
        net: a network with memristive layers.
        rules: applied in order.
        threshold: in steps between weight levels, at least 0.5 (write when the nearest level
            changed), below 1 with rules that land on levels; or 0: closed loop, every weight is
            programmed at every step, all its cells if no level changes. One number, or one a layer
            by name with "" for all others. May follow a schedule, such as the learning rate's.
        policies: applied in order to what the threshold found, such as `Every` and `Budget`.
        feedback: reads each written weight, on networks of one chip.
        widen: share of a layer's weights beyond the window from which on the window is doubled,
            until no larger share is outside, and the layer written anew as a whole. A window given
            by `Hardware.full_scale` stays; so do all with policies, which say what may be written.
            1: never. See also `mho.rescale`.

    A weight that is set by anything but an optimizer, such as `copy_` or `torch.nn.init`, has moved
    like any other, for the rules too; `mho.restart` has them take it for a new start. A network's
    `load_state_dict` does so by itself.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        rules: Sequence[UpdateRule] = (),
        threshold: float | Mapping[str, float] = 0.5,
        policies: Sequence[WritePolicy] = (),
        feedback: ReadBack | None = None,
        widen: float = 0.05,
    ) -> None:
        if not 0 < widen <= 1:
            raise invalid("WriteStep.widen", widen, "a share of weights above 0, at most 1: never")
        self._layers, self._share_outside = memristive_layers(net), widen
        self.rules = tuple(rules)
        """The update rules, in order; their parameters may follow a schedule."""
        self._policies, self._feedback = tuple(policies), feedback
        self.threshold = threshold
        self._size = sum(layer.weight.numel() for layer in self._layers.values())
        self._steers = any(isinstance(rule, Steers) for rule in self.rules)
        self._steered: dict[str, _Steered] = {}
        self._before: dict[str, Tensor] = {}
        self._states: dict[str, list[State]] = {}
        self._policy_states = [policy.init() for policy in self._policies]
        self._read: dict[str, State] = {}
        for name, layer in self._layers.items():
            if self.rules:
                self._before[name] = layer.weight.detach().clone()
                self._states[name] = [rule.init(layer.weight.detach()) for rule in self.rules]
            if feedback is not None:
                self._read[name] = feedback.init(layer)
            layer.followers.add(self)
        self._stays = {name: self._why_it_stays(layer) for name, layer in self._layers.items()}
        """Why a window is not widened; "" if it is, or if the user said so."""
        self._most_outside = {
            name: math.inf if self._stays[name] else widen * layer.weight.numel()
            for name, layer in self._layers.items()
        }
        """Weights beyond the window from which on it is widened."""

    @property
    def threshold(self) -> Mapping[str, float]:
        """Distance beyond which a weight is written, layer by layer [steps]; set as in the
        arguments.

        Raises:
            ValueError: an unknown layer, or a distance that would write nothing or without effect.
        """
        return self._threshold

    @threshold.setter
    def threshold(self, threshold: float | Mapping[str, float]) -> None:
        distances = _per_layer(threshold, self._layers)
        _check(distances, self._layers, self.rules)
        self._threshold = distances
        self._rewrite = self._feedback is not None or 0.0 in distances.values()

    def __call__(self) -> Written:
        """Apply the rules and write; returns how many weights were written.

        Raises:
            ValueError: a shadow weight is not finite; then no rule is applied, nothing is written.
            RuntimeError: a shadow weight moved that the rules should have steered and did not.
            InstrumentError: an instrument failed, with some weights written or none. Call again:
                the rules see no movement then, and what is left is written. (A policy counts it as
                a further step.)
        """
        layers = self._layers.values()
        pairs = [(layer.store, layer.weight) for layer in layers]
        moved = [store.crossbar.counts for store, weight in pairs if store.moved(weight)]
        if self.rules:
            self._apply_rules()
        if self._feedback is None and not self._policies:
            most = [*self._most_outside.values()]
            written, outside = write_stale(pairs, [*self._threshold.values()], self._rewrite, most)
            widened = self._widen(dict(zip(self._layers, outside, strict=True)))
        else:
            written, outside, widened = self._write_selected()
        for layer in layers:
            layer.mark_written()
        for counts in moved:
            counts.updates += 1
        return Written(written + sum(widened.values()), self._size, sum(outside), tuple(widened))

    def _why_it_stays(self, layer: ArrayLayer) -> str:
        if self._share_outside == 1:
            return ""
        if layer.hardware.full_scale is not None:
            return f"Hardware.full_scale = {layer.hardware.full_scale:g} is given"
        return "policies say what is written" if self._policies else ""

    def _widen(self, outside: Mapping[str, int]) -> dict[str, int]:
        """Widen the window of each layer that has outgrown it; how many weights were written."""
        widened = {}
        for name, many in outside.items():
            layer = self._layers[name]
            if many > self._most_outside[name]:
                size, edge = layer.weight.detach().abs(), 2 * layer.full_scale
                while (size > edge).double().mean().item() > self._share_outside:
                    edge *= 2
                widened[name] = layer.rescale(edge)
            elif self._stays.get(name) and many > _MUCH * layer.weight.numel():
                warnings.warn(_outgrown(name, many, layer, self._stays.pop(name)), stacklevel=4)
        return widened

    @torch.no_grad()
    def _write_selected(self) -> tuple[int, list[int], dict[str, int]]:
        """Write what feedback and policies leave, and let the feedback read it.

        Returns:
            How many weights; how many are outside, layer by layer; layers widened, as `_widen`.
        """
        pending, outside, widened = self._pending()
        write_planned(pending)
        if self._feedback is not None:
            for (name, layer), each in zip(self._layers.items(), pending, strict=True):
                bound = (self._threshold[name] or 0.5) * layer.step
                self._feedback.after(layer, each.plan.weights, bound, self._read[name])
                if self.rules:
                    self._before[name].copy_(layer.weight)
        return sum(len(each.plan.weights) for each in pending), outside, widened

    def _pending(self) -> tuple[list[Pending], list[int], dict[str, int]]:
        """What feedback and policies leave to be written, layer by layer; else as
        `_write_selected`."""
        layers = self._layers
        stale = {n: find_stale(x.store, x.weight, self._threshold[n]) for n, x in layers.items()}
        outside = {name: each.outside for name, each in stale.items()}
        widened = self._widen(outside)
        for name in widened:  # and written, as a whole
            stale[name] = Stale(stale[name].weights[:0], stale[name].shadow[:0])
        if self._feedback is not None:
            given = zip(layers.values(), stale.values(), self._read.values(), strict=True)
            stale = dict(zip(layers, (self._feedback.wanted(*each) for each in given), strict=True))
        if self._policies:
            found: Sequence[Candidates] = [_candidates(layers[n], s) for n, s in stale.items()]
            for policy, state in zip(self._policies, self._policy_states, strict=True):
                found = policy.select(found, state)
            kept = (Stale(each.weights, each.shadow) for each in found)
            stale = dict(zip(layers, kept, strict=True))
        pending = [
            Pending(x.store, x.weight, plan(x.store, x.weight, stale[name], self._rewrite))
            for name, x in layers.items()
        ]
        return pending, [*outside.values()], widened

    @torch.no_grad()
    def _apply_rules(self) -> None:
        """Let the rules see, and change, how each weight moved."""
        self._check_steered()
        for layer in self._layers.values():
            layer.store.check_finite(layer.weight)
        for name, layer in self._layers.items():
            self._apply_to(name, layer)
        self._steered.clear()

    def _apply_to(self, name: str, layer: ArrayLayer) -> None:
        weight, before = layer.weight, self._before[name]
        steered = self._steered.get(name)
        update = Update(
            before=before,
            delta=weight.sub(before),
            gradient=steered.loss if steered else weight.grad,
            step=layer.step,
            full_scale=layer.full_scale,
            layer=name,
        )
        for rule, state in zip(self.rules, self._states[name], strict=True):
            rule.apply(update, state)
        before.add_(update.delta)
        weight.copy_(before)

    def attach(self, optimizer: Optimizer) -> RemovableHandle:
        """Have the rules steer the gradients before each step of an optimizer.

        A gradient is steered once, however often an optimizer takes it. Without a rule that steers
        nothing is attached.

        Returns:
            A handle; its `remove()` detaches.

        Raises:
            ValueError: the optimizer has none of the memristive layers' weights; or, at its step, a
                closure is given, which would compute the gradient anew.
        """
        if not self._attached(optimizer):
            allowed = "one with the weight of a memristive layer of this network"
            raise invalid("optimizer", type(optimizer).__name__, allowed)
        if not self._steers:
            return RemovableHandle(OrderedDict())
        return optimizer.register_step_pre_hook(self._steer)

    def _attached(self, optimizer: Optimizer) -> list[str]:
        """Names of the layers that an optimizer moves."""
        own = {id(p) for group in optimizer.param_groups for p in group["params"]}
        return [name for name, layer in self._layers.items() if id(layer.weight) in own]

    @torch.no_grad()
    def _steer(self, optimizer: Optimizer, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Let the rules change the gradients that the optimizer is about to take."""
        if any(callable(value) for value in (*given[1:], *named.values())):
            raise invalid("optimizer.step closure", "a function", "none with rules that steer")
        for name in self._attached(optimizer):
            weight, before = self._layers[name].weight, self._steered.get(name)
            gradient = weight.grad
            if gradient is None:  # the optimizer will leave the weight alone
                continue
            if before and before.gradient is gradient and before.version == gradient._version:
                continue
            loss = gradient.clone()
            for rule, state in zip(self.rules, self._states[name], strict=True):
                if isinstance(rule, Steers):
                    rule.steer(weight.detach(), gradient, state)
            self._steered[name] = _Steered(gradient, gradient._version, loss)

    def _check_steered(self) -> None:
        """Refuse movement that no rule has steered, if one should have."""
        for name, layer in self._layers.items() if self._steers else ():
            if name not in self._steered and not torch.equal(layer.weight, self._before[name]):
                raise RuntimeError(
                    f"WriteStep: {name!r} moved without its rules having steered the gradient; "
                    "call attach(optimizer) on the WriteStep, for each new optimizer"
                )

    @torch.no_grad()
    def observe(self) -> None:
        """Show the rules the gradients of a pass after which no step is made; none is changed.

        Layers without a gradient are left out.

        Raises:
            RuntimeError: no layer has a gradient.
        """
        given = {name: layer.weight.grad for name, layer in self._layers.items()}
        if all(gradient is None for gradient in given.values()):
            raise RuntimeError("WriteStep.observe: no layer has a gradient; call backward() before")
        for name, states in self._states.items():
            for rule, state in zip(self.rules, states, strict=True):
                if isinstance(rule, Observes) and (gradient := given[name]) is not None:
                    rule.observe(gradient, state)

    @torch.no_grad()
    def consolidate(self) -> None:
        """Tell the rules that a task has ended."""
        for name, states in self._states.items():
            layer = self._layers[name]
            synapses = Synapses(layer.weight.detach(), layer.step, layer.full_scale, name)
            for rule, state in zip(self.rules, states, strict=True):
                rule.consolidate(synapses, state)

    @torch.no_grad()
    def restored(self, layer: nn.Module) -> None:
        """A layer's weight was set anew, as by `load_state_dict`: rules see no movement."""
        for name, mine in self._layers.items():
            if mine is layer and name in self._before:
                self._before[name].copy_(mine.weight)
                self._steered.pop(name, None)

    def moved(self, layer: nn.Module, fn: Callable[[Tensor], Tensor]) -> None:
        """A layer was cast, or moved to another device: so is what is remembered of it."""
        for name, mine in self._layers.items():
            if mine is not layer:
                continue
            if name in self._before:
                self._before[name] = fn(self._before[name])
            for state in (*self._states.get(name, ()), self._read.get(name, {})):
                # states keep their own precision
                state.update({k: v.to(fn(v).device) for k, v in state.items()})
            self._steered.pop(name, None)

    def state_dict(self) -> dict[str, Any]:
        """States of rules by layer, of policies; misses and standing of weights read back; and
        where weights stood that moved since the last step, which the rules are yet to see."""
        moved = {
            name: before
            for name, before in self._before.items()
            if not self._layers[name].store.holds(self._layers[name].weight)
        }
        return {**self._state(), "before": moved}

    def _state(self) -> dict[str, Any]:
        return {
            "rules": {name: [dict(s) for s in states] for name, states in self._states.items()},
            "policies": [dict(s) for s in self._policy_states],
            "feedback": {
                name: {**state, "target": self._layers[name].target}
                for name, state in self._read.items()
            },
        }

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the state back; the network's state must have been loaded before.

        Raises:
            ValueError: the state of other layers, rules or policies.
        """
        mine, theirs = self._state(), dict(state)
        moved = theirs.pop("before", {})  # earlier versions had none
        if _keys(theirs) != _keys(mine) or not moved.keys() <= self._before.keys():
            raise invalid("WriteStep state", _keys(theirs), f"the entries {_keys(mine)}")
        for name, before in self._before.items():
            before.copy_(moved.get(name, self._layers[name].weight))
        self._steered.clear()
        _copy(mine, theirs)


def write(net: nn.Module, threshold: float = 0.5, *, widen: float = 0.05) -> Written:
    """Write every weight whose nearest level changed: the plain write step, without rules."""
    return WriteStep(net, threshold=threshold, widen=widen)()


class _Steered(NamedTuple):
    """The gradient of one layer that the rules have steered."""

    gradient: Tensor
    version: int
    """Torch's counter of its changes, after the rules' own."""
    loss: Tensor
    """Gradient as the loss alone gave it."""


def _outgrown(name: str, many: int, layer: ArrayLayer, why: str) -> str:
    """What to say of a layer whose window stays although many weights are outside."""
    return (
        f"WriteStep: {many / layer.weight.numel():.0%} of the weights of {name!r} are beyond its "
        f"full scale, {layer.full_scale:.3g}, and held there, for {why}; mho.rescale(net) gives "
        "it a larger one, WriteStep(widen=1) says that this is meant"
    )


def _candidates(layer: ArrayLayer, stale: Stale) -> Candidates:
    """Stale weights with their distance from where they are taken to stand."""
    weights, shadow, _ = stale
    edge = shadow.clamp(-layer.full_scale, layer.full_scale)
    distance = (edge - layer.target.view(-1).index_select(0, weights)).abs_() / layer.step
    return Candidates(weights, shadow, distance)


def _per_layer(
    threshold: float | Mapping[str, float], layers: Mapping[str, ArrayLayer]
) -> dict[str, float]:
    given = threshold if isinstance(threshold, Mapping) else {"": threshold}
    for name, value in given.items():
        if name and name not in layers:
            raise unknown("layer", name, layers)
        if not (value == 0 or value >= 0.5):
            allowed = "at least 0.5 steps, or 0 for all weights at every step"
            raise invalid(f"WriteStep.threshold[{name!r}]", value, allowed)
    return {name: given.get(name, given.get("", 0.5)) for name in layers}


def _check(
    threshold: Mapping[str, float], layers: Mapping[str, ArrayLayer], rules: Sequence[UpdateRule]
) -> None:
    """Refuse thresholds that would write nothing, or write without effect."""
    for name, value in threshold.items():
        hardware = layers[name].hardware
        if hardware.predistortion and hardware.wires:
            allowed = "0 where weights are written in place: that goes through the wires anyway"
            raise invalid("Hardware.predistortion", hardware.predistortion, allowed)
        if value >= 1 and any(getattr(rule, "lands_on_levels", False) for rule in rules):
            allowed = "below 1 step with rules that move weights from level to level"
            raise invalid(f"WriteStep.threshold[{name!r}]", value, allowed)
        if value == 0 and hardware.device.remembers and not hardware.writing.verifies:
            allowed = (
                "verify in a closed loop on cells that pulses move; a blind burst does nothing"
            )
            raise invalid("Hardware.programming", hardware.writing.family, allowed)


def _keys(state: Any) -> Any:
    """Nested keys of a state, its tensors left out."""
    if isinstance(state, Mapping):
        return {name: _keys(value) for name, value in state.items()}
    return [_keys(value) for value in state] if isinstance(state, Sequence) else None


def _copy(mine: Any, theirs: Any) -> None:
    """Fill the tensors of a nested state of the same keys."""
    if isinstance(mine, Tensor):
        mine.copy_(theirs)
        return
    for key in mine if isinstance(mine, Mapping) else range(len(mine)):
        _copy(mine[key], theirs[key])
