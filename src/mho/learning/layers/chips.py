"""One network on many chips."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch._C._functorch import is_batchedtensor

from mho.arguments import checked
from mho.config import Range
from mho.errors import Failed, InvalidInput, NotReady, Said, invalid, warn
from mho.learning.layers.chip_pass import Alone, Together, chips_folded, current, running
from mho.learning.layers.chip_rules import ChipRules
from mho.learning.layers.composite import Composite
from mho.learning.layers.graphs import in_checkpoint, uncompiled
from mho.learning.layers.kept import Kept, Passes
from mho.learning.layers.layer import ArrayLayer
from mho.learning.layers.row_by_row import has_hooks, rows_from
from mho.learning.layers.structure import Arguments, Structure, joined


class Chips(nn.Module):
    """Runs a network on many chips: the same arguments for each, answers (chips, ...).

    The network may have any forward pass; its own methods and attributes are there too. Each chip
    answers what it would alone: a chain of layers that look at no other row of the batch
    (`nn.Sequential`) runs with chips folded into the batch; what else is a function of tensors to
    torch runs by `torch.vmap`; and what is not, such as a network that branches on a number it
    computes, runs chip by chip, of which a warning tells. So, without one, does a network with
    hooks, which see the tensors of one chip after another; and one of convolutions on large inputs,
    evaluated on a CPU, which is faster so. Tensors in the answer have chips as their first
    dimension; packed sequences are a list, one of each chip; other values are as one chip gives
    them, or a list where chips differ. In
    train mode batch normalization uses the statistics of each chip's own batch, and keeps the mean.

    What a network of its own keeps from pass to pass, in buffers and attributes, each chip has of
    its own (`Kept`). What a method gives without reading an array, such as an optimizer, is that.

    The state of a plain network, whose entries are not named as those of `net` inside, is loaded
    into that.
    """

    @checked
    def __init__(self, net: nn.Module, chips: Annotated[int, Range(least=1)]) -> None:
        super().__init__()
        self.net, self.chips = net, chips
        for module in net.modules():
            if isinstance(module, ArrayLayer | Composite):
                module.is_part = True
        self.kept = Kept()
        self._one_by_one: set[object] = set()
        self._said = Said()

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        if others := [name for name in state_dict if not isinstance(name, str)]:
            raise invalid("state_dict, name of an entry", others[0], "a text")
        inside = f"{prefix}net."
        if not any(inside + name in state_dict for name in self.net.state_dict()):
            for name in [name for name in state_dict if name.startswith(prefix)]:
                state_dict[inside + name.removeprefix(prefix)] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """What the network has of its own; a method answers for all chips, as a call does."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            net = self.__dict__.get("_modules", {}).get("net")
            if net is None or name.startswith("__"):
                raise
        value = getattr(net, name)
        theirs = inspect.ismethod(value) and not value.__func__.__module__.startswith("torch.nn.")
        return functools.partial(self._answers, value) if theirs else value

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Answers of each chip, chips leading."""
        x = args[0] if len(args) == 1 and not kwargs else None
        if isinstance(x, Tensor) and self._folds(x):
            folded = x.expand(self.chips, *x.shape).flatten(0, 1)
            with chips_folded():
                return self.net(folded).unflatten(0, (self.chips, x.shape[0]))
        return self._answers(self.net, *args, **kwargs)

    @uncompiled
    def _folds(self, x: Tensor) -> bool:
        """Whether chips are folded into the batch of an input."""
        least = rows_from(self.net)
        if least is None or x.dim() < max(least, 2):
            return False
        return self.chips == 1 or not self._is_faster_apart([x], of_maps=True)

    # ---------------------------------------------------------------- any function of any arguments

    @uncompiled
    def _answers(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Answers of a function that computes with the network, of each chip."""
        if current() is not None:
            raise invalid("network on chips", "called inside of another one", "one at a time")
        given = Arguments(args, kwargs, self.chips)
        if self.chips == 1:
            args, kwargs = given.of_chip(0)
            answer = Structure(fn(*args, **kwargs))
            return answer.of_chips([tensor.unsqueeze(0) for tensor in answer.tensors])
        how = (
            getattr(fn, "__name__", ""),
            self.training,
            repr(given.spec),
        )  # older torch cannot hash it
        if how in self._one_by_one or has_hooks(self.net) or self._is_faster_apart(given.tensors):
            return self._one_after_another(fn, given)
        passes = Passes(self.kept, self.net, self.chips)
        if not passes.can_be_together:
            return self._one_after_another(fn, given)
        reads = Reads(self.net)
        try:
            with passes:
                return self._all_at_once(fn, given, passes, reads)
        except (InvalidInput, NotReady, Failed):
            raise
        except Exception as error:
            if in_checkpoint():  # torch ends the pass where it has all that it needs
                raise
            reason = error
        reads.undo()
        answers = self._one_after_another(fn, given)
        self._one_by_one.add(how)
        why = " ".join(str(reason).split())[:_LONGEST] or type(reason).__name__
        if self._said.first(how):
            warn(
                f"the network runs chip by chip, which takes longer: torch.vmap cannot run it "
                f"for {self.chips} chips at once ({why})"
            )
        return answers

    def _is_faster_apart(self, tensors: Sequence[Tensor], *, of_maps: bool = False) -> bool:
        """Whether inputs are so many that, on a CPU, what one chip computes stays in its cache and
        what all do does not: where most layers on arrays read maps; or, unless these alone are
        asked for, where reads are exact and nothing is converted."""
        if torch.is_grad_enabled() or sum(x.numel() for x in tensors) < _LARGE:
            return False
        plain, more_maps = not of_maps, 0
        for module in self.net.modules():
            if module.training or module._forward_hooks or module._forward_pre_hooks:
                return False
            if not isinstance(module, ArrayLayer):
                continue
            reading = module.reading
            if not module.weight.is_cpu or module._observer is not None or reading.watched:
                return False
            plain = plain and reading.plain
            more_maps += 1 if reading.maps else -1
        return plain or more_maps > 0

    def _all_at_once(
        self, fn: Callable[..., Any], given: Arguments, passes: Passes, reads: Reads
    ) -> Any:
        answers: list[Structure] = []
        changed: list[tuple[int, Structure]] = []
        kept, many = passes.tensors, len(given.tensors)

        def run(token: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
            args, kwargs = given.filled(tensors[:many])
            with running(Together(self.chips, token)), ChipRules():
                passes.begin_together(tensors[many:])
                answer = Structure(fn(*args, **kwargs))
                more, found = passes.end_together()
            answers.append(answer)
            changed.extend(found)
            if self._is_of_host(answer, reads):
                return (token, *more)
            answer.check_plain()
            return (token, *answer.tensors, *more)

        device = next((p.device for p in self.net.parameters()), None)
        token = torch.arange(self.chips, device=device)
        in_dims = (0, *given.dims, *(0 for _ in kept))
        mapped = torch.vmap(run, in_dims=in_dims, randomness="different")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop because we have not yet")
            _, *made = mapped(token, *given.tensors, *kept)
        (answer,) = answers
        if self._is_of_host(answer, reads):
            passes.settle_together(made, changed)
            return answer.given
        outputs = len(answer.tensors)
        passes.settle_together(made[outputs:], changed)
        return answer.of_chips(made[:outputs])

    def _is_of_host(self, answer: Structure, reads: Reads) -> bool:
        """Whether an answer has nothing to do with chips, such as an optimizer, or parameters, that
        a method gives: no array was read, and there are objects in it."""
        if not reads.none() or any(map(is_batchedtensor, answer.tensors)):
            return False
        own = {*map(id, self.net.parameters()), *map(id, self.net.buffers())}
        return not answer.is_plain or any(id(tensor) in own for tensor in answer.tensors)

    def _one_after_another(self, fn: Callable[..., Any], given: Arguments) -> Any:
        """Reads are counted once."""
        reads, answers = Reads(self.net), []
        with Passes(self.kept, self.net, self.chips) as passes:
            for chip in range(self.chips):
                reads.uncount()
                args, kwargs = given.of_chip(chip)
                passes.begin(chip)
                with running(Alone(chip)):
                    answers.append(Structure(fn(*args, **kwargs)))
                passes.end(chip)
                if chip == 0 and self._is_of_host(answers[0], reads):
                    passes.settle(as_first=True)
                    return answers[0].given
            passes.settle()
        return joined(answers)


class Reads:
    """What reading the arrays of a network, and random numbers, change, as it is now."""

    def __init__(self, net: nn.Module) -> None:
        layers = [module for module in net.modules() if isinstance(module, ArrayLayer)]
        counts = [layer.crossbar.counts for layer in layers]
        self._counts = [(each, each.inputs, each.vectors) for each in counts]
        converters = [each for layer in layers for each in layer.reading.converters]
        self._ranges = [(each, each.ranges) for each in converters]
        self._random = torch.get_rng_state()

    def none(self) -> bool:
        """Whether nothing was read since."""
        return all(counts.vectors == vectors for counts, _, vectors in self._counts)

    def uncount(self) -> None:
        """Have as many reads counted as there were."""
        for counts, inputs, vectors in self._counts:
            counts.inputs, counts.vectors = inputs, vectors

    def undo(self) -> None:
        """Have counts, ranges of converters, and torch's random numbers as they were."""
        self.uncount()
        for converter, ranges in self._ranges:
            if converter.ranges is not ranges:
                converter.ranges = ranges
        torch.set_rng_state(self._random)


_LARGE = 1 << 16
"""Numbers in the inputs of one chip, from which on chips are faster one after another."""

_LONGEST = 200
"""Characters of torch's words that are passed on."""


def at_once(chips: int, device: torch.device) -> int:
    """Inputs that are best run together on so many chips: what a CPU's caches, a GPU, can hold."""
    return max(1, (500 if device.type == "cpu" else 30_000) // chips)


def chip_count(net: nn.Module) -> int:
    """Chips that a network is simulated on; 1 if it is not."""
    return net.chips if isinstance(net, Chips) else 1
