"""The write step: bring the arrays up to date after the optimizer moved the shadow weights."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from mho.arguments import checked
from mho.errors import NotReady, invalid, unknown, warn
from mho.hardware.store import is_finite
from mho.hardware.writes import Pending, Stale, find_stale, plan, write_planned, write_stale
from mho.learning.layers.graphs import uncompiled
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.learning.rules.rule import Observes, State, Steers, Synapses, Update, UpdateRule
from mho.learning.writing.feedback import ReadBack
from mho.learning.writing.gradients import TakenGradients, check_finite
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
    the loss, each optimizer must be attached: `step.attach(optimizer)`. With rules that need the
    gradient, call this before `optimizer.zero_grad()`, or attach the optimizer.

    The rules of a layer that no optimizer has stepped since learn nothing: so they pass over a step
    that `torch.amp.GradScaler` skips. They work in single precision on weights of half precision.

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

    Of layers that share a weight each has arrays of its own, and all are written; rules see it
    once, as that of the first.

    A weight that is set by anything but an optimizer, such as `copy_` or `torch.nn.init`, has moved
    like any other, for the rules too; `mho.restart` has them take it for a new start. A network's
    `load_state_dict` does so by itself.
    """

    @checked
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
        self._net, self._layers, self._share_outside = net, memristive_layers(net), widen
        self._ruled = _first_of_each(self._layers)
        """The layers that rules work on: of several that share a weight, the first."""
        self.rules = tuple(rules)
        """The update rules, in order; their parameters may follow a schedule."""
        self._policies, self._feedback = tuple(policies), feedback
        self._check_columns()
        self.threshold = threshold
        self._size = sum(layer.weight.numel() for layer in self._layers.values())
        self._steers = any(isinstance(rule, Steers) for rule in self.rules)
        self._steered: dict[str, _Steered] = {}
        looks = any(getattr(rule, "needs_gradient", True) for rule in self.rules)
        self._gradients = TakenGradients(self._ruled) if looks else None
        self._before: dict[str, Tensor] = {}
        self._seen: dict[str, tuple[Tensor, int]] = {}
        self._states: dict[str, list[State]] = {}
        self._policy_states = [policy.init() for policy in self._policies]
        self._read: dict[str, State] = {}
        for name, layer in self._layers.items():
            if not layer.name:
                layer.rename(name)
            if self.rules and name in self._ruled:
                self._before[name] = layer.weight.detach().clone()
                start = _wide(layer.weight.detach())
                self._states[name] = [rule.init(start) for rule in self.rules]
                self._see(name)
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

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles carry which weights the rules have seen, not torch's count."""
        seen = {name: self._sees(name) for name in self._seen}
        return self.__dict__ | {"_seen": seen}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name, layer in self._layers.items():
            layer.followers.add(self)
            if name in self._before:
                seen = state["_seen"][name]
                self._seen[name] = layer.weight, layer.weight._version if seen else -1

    @property
    def layers(self) -> tuple[ArrayLayer, ...]:
        """The layers that are written."""
        return tuple(self._layers.values())

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

    @uncompiled
    def __call__(self) -> Written:
        """Apply the rules and write; returns how many weights were written.

        Raises:
            ValueError: a shadow weight, or the gradient that moved it, is not finite.
            RuntimeError: a shadow weight moved that the rules should have steered and did not, or
                whose gradient they need and is gone. In all three cases no rule is applied and
                nothing is written.
            InstrumentError: an instrument failed, with some weights written or none. Call again:
                the rules learn nothing then, and what is left is written. (A policy counts it as a
                further step.)
        """
        layers = self._layers.values()
        for layer in layers:
            layer.hold_pruned()
        moved = [each.crossbar.counts for each in layers if each.store.moved(each.weight)]
        if self.rules:
            self._apply_rules()
        pairs = [(layer.store, layer.shadow) for layer in layers]
        if self._feedback is None and not self._policies:
            most = [*self._most_outside.values()]
            written, outside = write_stale(pairs, [*self._threshold.values()], self._rewrite, most)
            widened = (
                self._widen(dict(zip(self._layers, outside, strict=True))) if any(outside) else {}
            )
        else:
            written, outside, widened = self._write_selected()
        for layer in layers:
            layer.mark_written()
        for counts in moved:
            counts.updates += 1
        return Written(written + sum(widened.values()), self._size, sum(outside), tuple(widened))

    def _check_columns(self) -> None:
        """Refuse what works in units of one full scale a layer where each column has its own."""
        given = {"rules": self.rules, "feedback": self._feedback}
        for name, layer in self._layers.items():
            for argument, value in given.items():
                if layer.by_column and value:
                    allowed = (
                        f"none: layer {name!r} has Hardware.full_scale_per = 'column', and they "
                        "work in steps of one full scale a layer"
                    )
                    raise invalid(f"WriteStep.{argument}", value, allowed)

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
                size, edge = layer.shadow.detach().abs(), 2 * layer.full_scale
                while (size > edge).double().mean().item() > self._share_outside:
                    edge *= 2
                widened[name] = layer.remap() if layer.by_column else layer.rescale(edge)
            elif (
                self._stays[name]
                and many > _MUCH * layer.weight.numel()
                and layer.said.first("outgrown")
            ):
                warn(_outgrown(name, many, layer, self._stays[name]))
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
            for name, before in self._before.items():
                before.copy_(self._layers[name].weight)
                self._see(name)
        return sum(len(each.plan.weights) for each in pending), outside, widened

    def _pending(self) -> tuple[list[Pending], list[int], dict[str, int]]:
        """What feedback and policies leave to be written, layer by layer; else as
        `_write_selected`."""
        layers = self._layers
        shadows = {n: x.shadow for n, x in layers.items()}
        stale = {n: find_stale(x.store, shadows[n], self._threshold[n]) for n, x in layers.items()}
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
            Pending(
                x.store, shadows[name], plan(x.store, shadows[name], stale[name], self._rewrite)
            )
            for name, x in layers.items()
        ]
        return pending, [*outside.values()], widened

    @torch.no_grad()
    def _apply_rules(self) -> None:
        """Let the rules see, and change, how each weight moved."""
        moved = [
            name
            for name, layer in self._ruled.items()
            if not torch.equal(layer.weight, self._before[name])
        ]
        for name in moved if self._steers else ():
            if name not in self._steered:
                raise NotReady(
                    f"WriteStep: {name!r} moved before its rules could change the gradient; "
                    "call attach(optimizer) on the WriteStep for each new optimizer"
                )
        for name in moved:
            self._layers[name].store.check_finite(self._layers[name].weight)
        stepped = {name: self._gradient(name, name in moved) for name in self._stepped(moved)}
        for name, gradient in stepped.items():
            self._apply_to(name, gradient)
            self._see(name)
        self._forget()

    def _forget(self, *names: str) -> None:
        """No later step takes the gradients of some layers, or of all."""
        for name in names or self._ruled:
            self._steered.pop(name, None)
        if self._gradients is not None:
            self._gradients.drop(names or self._ruled)

    def _stepped(self, moved: Sequence[str]) -> list[str]:
        """Layers that an optimizer has stepped, in order: those that have moved, and those whose
        gradient was 0.

        A step that is skipped leaves the tensor alone. A fused optimizer does not, but leaves the
        numbers where they are; then a gradient that is not finite tells.
        """
        still = [name for name in self._ruled if name not in moved and not self._sees(name)]
        given = (p.grad for p in self._net.parameters()) if still else ()
        if not all(gradient is None or is_finite(gradient) for gradient in given):
            still = []
        return [name for name in self._ruled if name in moved or name in still]

    def _see(self, name: str) -> None:
        """Remember a weight as it is now, by the tensor and torch's count of its changes."""
        weight = self._layers[name].weight
        self._seen[name] = weight, weight._version

    def _sees(self, name: str) -> bool:
        """Whether a weight is as it was then, as far as torch knows."""
        weight, version = self._seen[name]
        return self._layers[name].weight is weight and weight._version == version

    def _gradient(self, name: str, moved: bool) -> Tensor | None:
        """The gradient that led to a layer's movement, without what rules added by `steer`."""
        if (steered := self._steered.get(name)) is not None:
            check_finite(name, steered.loss)
            return steered.loss
        if self._gradients is None:
            return None
        needing = [rule for rule in self.rules if getattr(rule, "needs_gradient", False)]
        return self._gradients.of(name, moved, [type(rule).__name__ for rule in needing])

    def _apply_to(self, name: str, gradient: Tensor | None) -> None:
        layer, before = self._layers[name], self._before[name]
        start = _wide(before)
        update = Update(
            before=start,
            delta=_wide(layer.weight).sub(start),
            gradient=None if gradient is None else _wide(gradient),
            step=layer.step,
            full_scale=layer.full_scale,
            layer=name,
        )
        for rule, state in zip(self.rules, self._states[name], strict=True):
            rule.apply(update, state)
        if layer.pruned:
            update.delta.mul_(layer.weight_mask)
        torch.add(start, update.delta, out=before)
        layer.weight.copy_(before)

    @checked
    def attach(self, optimizer: Optimizer) -> RemovableHandle:
        """Have the rules steer the gradients before each step of an optimizer, and keep them for
        rules that need them.

        A gradient is steered once, however often an optimizer takes it. Without a rule that steers
        or may look at the gradient nothing is attached.

        Returns:
            A handle; its `remove()` detaches.

        Raises:
            ValueError: the optimizer has none of the memristive layers' weights. At its step, with
                rules that steer: a closure is given, which would compute the gradient anew; or
                `GradScaler` leaves it to a fused optimizer to unscale the gradient.
        """
        if not self._attached(optimizer):
            allowed = "one with the weight of a memristive layer of this network"
            raise invalid("optimizer", optimizer, allowed)
        if not self._steers and self._gradients is None:
            return RemovableHandle(OrderedDict())
        return optimizer.register_step_pre_hook(self._steer)

    def _attached(self, optimizer: Optimizer) -> list[str]:
        """Names of the layers that an optimizer moves."""
        own = {id(p) for group in optimizer.param_groups for p in group["params"]}
        return [name for name, layer in self._ruled.items() if id(layer.weight) in own]

    @uncompiled
    @torch.no_grad()
    def _steer(self, optimizer: Optimizer, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Keep the gradients that the optimizer is about to take, and let the rules change them."""
        anew = any(callable(value) for value in (*given[1:], *named.values()))
        if anew and self._steers:
            raise invalid("optimizer.step closure", "a function", "none with rules that steer")
        scaler = getattr(optimizer, "grad_scale", None)  # set by GradScaler for fused optimizers
        if scaler is not None and self._steers:
            allowed = "call scaler.unscale_(optimizer) before scaler.step(optimizer)"
            raise invalid("gradient", "scaled, for a fused optimizer to unscale", allowed)
        skipped = getattr(optimizer, "found_inf", None)
        if anew or (skipped is not None and skipped.item()):
            return
        for name in self._attached(optimizer):
            weight, before = self._layers[name].weight, self._steered.get(name)
            gradient = weight.grad
            if gradient is None:  # the optimizer will leave the weight alone
                continue
            if not self._steers:
                assert self._gradients is not None
                self._gradients.take(name, gradient)
                continue
            if before and before.gradient is gradient and before.version == gradient._version:
                continue
            loss, finite = gradient.clone(), is_finite(gradient)
            for rule, state in zip(self.rules, self._states[name], strict=True):
                if isinstance(rule, Steers) and finite:
                    rule.steer(_wide(weight.detach()), gradient, state)
            self._steered[name] = _Steered(gradient, gradient._version, loss)

    @uncompiled
    @torch.no_grad()
    def observe(self) -> None:
        """Show the rules the gradients of a pass after which no step is made; none is changed.

        Layers without a gradient are left out.

        Raises:
            RuntimeError: no layer has a gradient.
            ValueError: a gradient is not finite; then no rule sees any.
        """
        given = {name: layer.weight.grad for name, layer in self._ruled.items()}
        if all(gradient is None for gradient in given.values()):
            raise NotReady("WriteStep.observe: no layer has a gradient; call backward() before")
        for name, gradient in given.items():
            if gradient is not None:
                check_finite(name, gradient)
        for name, states in self._states.items():
            for rule, state in zip(self.rules, states, strict=True):
                if isinstance(rule, Observes) and (gradient := given[name]) is not None:
                    rule.observe(gradient, state)

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Passes that are all observed or, if one fails, none."""
        states = [
            state
            for chain in self._states.values()
            for rule, state in zip(self.rules, chain, strict=True)
            if isinstance(rule, Observes)
        ]
        before = [{name: value.clone() for name, value in state.items()} for state in states]
        try:
            yield
        except BaseException:
            with torch.no_grad():
                _copy(states, before)
            raise

    @uncompiled
    @torch.no_grad()
    def consolidate(self) -> None:
        """Tell the rules that a task has ended."""
        for name, states in self._states.items():
            layer = self._layers[name]
            synapses = Synapses(_wide(layer.weight.detach()), layer.step, layer.full_scale, name)
            for rule, state in zip(self.rules, states, strict=True):
                rule.consolidate(synapses, state)

    @torch.no_grad()
    def restored(self, layer: nn.Module) -> None:
        """A layer's weight was set anew, as by `load_state_dict`: rules see no movement."""
        for name, before in self._before.items():
            if self._layers[name].weight is layer.weight:
                before.copy_(self._layers[name].weight)
                self._see(name)
                self._forget(name)

    def moved(self, layer: nn.Module, fn: Callable[[Tensor], Tensor]) -> None:
        """A layer was cast, or moved to another device: so is what is remembered of it."""
        for name, mine in self._layers.items():
            if mine is not layer:
                continue
            if name in self._before:
                before = self._before[name] = fn(self._before[name])
                if not before.is_meta and torch.equal(mine.weight, before):
                    self._see(name)
            for state in (*self._states.get(name, ()), self._read.get(name, {})):
                # states keep their own precision
                state.update({k: v.to(fn(v).device) for k, v in state.items()})
            self._forget(name)

    def state_dict(self) -> dict[str, Any]:
        """States of rules by layer, of policies; misses and standing of weights read back; and
        where weights stood that moved since the last step, which the rules are yet to see, and the
        gradients that moved them."""
        moved = {
            name: before
            for name, before in self._before.items()
            if not self._layers[name].store.holds(self._layers[name].weight)
        }
        known = {name: self._known(name) for name in moved}
        gradients = {name: each for name, each in known.items() if each is not None}
        return {**self._state(), "before": moved, "gradients": gradients}

    def _known(self, name: str) -> Tensor | None:
        """The gradient that moved a layer, if it is known, without what rules added by `steer`."""
        if (steered := self._steered.get(name)) is not None:
            return steered.loss
        return None if self._gradients is None else self._gradients.known(name)

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
    @checked
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the state back; the network's state must have been loaded before.

        Raises:
            ValueError: the state of other layers, rules or policies.
        """
        mine, theirs = self._state(), dict(state)
        # earlier versions had neither
        moved, gradients = theirs.pop("before", {}), theirs.pop("gradients", {})
        named = moved.keys() | gradients.keys()
        if _keys(theirs) != _keys(mine) or not named <= self._before.keys():
            raise invalid("WriteStep state", _keys(theirs), f"the entries {_keys(mine)}")
        for name, before in self._before.items():
            before.copy_(moved.get(name, self._layers[name].weight))
            self._see(name)
        self._forget()
        for name, gradient in gradients.items():
            gradient = gradient.to(self._before[name])
            if self._steers:
                self._steered[name] = _Steered(gradient, -1, gradient)
            elif self._gradients is not None:
                self._gradients.take(name, gradient)
        _copy(mine, theirs)


@uncompiled
@checked
def write(net: nn.Module, threshold: float = 0.5, *, widen: float = 0.05) -> Written:
    """Write every weight whose nearest level changed: the plain write step, without rules."""
    return WriteStep(net, threshold=threshold, widen=widen)()


def _first_of_each(layers: Mapping[str, ArrayLayer]) -> dict[str, ArrayLayer]:
    """Of the layers that share a weight, the first."""
    first: dict[int, str] = {}
    for name, layer in layers.items():
        first.setdefault(id(layer.weight), name)
    return {name: layers[name] for name in first.values()}


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


def _wide(tensor: Tensor) -> Tensor:
    """The same in single precision at least: what rules and thresholds work in."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


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
        lands = any(getattr(rule, "lands_on_levels", False) for rule in rules)
        if value >= 1 and lands:
            allowed = "below 1 step with rules that move weights from level to level"
            raise invalid(f"WriteStep.threshold[{name!r}]", value, allowed)
        least = torch.finfo(layers[name].weight.dtype).eps * layers[name].full_scale
        if lands and least >= layers[name].step:  # a weight near the edge is off by half of that
            allowed = f"one that holds its {hardware.levels} levels, such as torch.float32"
            raise invalid(f"type of weight {name!r}", layers[name].weight.dtype, allowed)
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
