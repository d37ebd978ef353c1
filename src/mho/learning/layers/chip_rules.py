"""Functions of torch's that `torch.vmap` has no rule for, or a slow one, on all chips at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._C._functorch import is_batchedtensor
from torch.overrides import TorchFunctionMode

from mho.learning.layers.chip_pass import on_all_chips


class ChipRules(TorchFunctionMode):
    """Inside, functions that have a rule here follow it; for a pass of all chips together."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return (_RULES.get(func) or func)(*args, **(kwargs or {}))


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.batch_norm` of all chips in one go, each by the statistics of its batch.

    In eval mode that is faster than one by one. In train mode torch has no rule for it, as running
    statistics are the same for all chips: they get the mean of what each chip would make of them.
    """
    how = (training, momentum, eps)

    def each(x: Tensor, *theirs: Tensor | None) -> Tensor:
        chips = len(x)
        # (chips, channels) -> (chips * channels,)
        mean, var, *affine = [None if t is None else t.flatten() for t in theirs]
        # (chips, n, channels, ...) -> (n, chips * channels, ...)
        together = x.transpose(0, 1).flatten(1, 2)
        y = F.batch_norm(together, mean, var, affine[0], affine[1], *how)
        if training:
            for one, of_all in ((running_mean, mean), (running_var, var)):
                if one is not None and of_all is not None:
                    one.copy_(of_all.view(chips, -1).mean(0))
        return y.unflatten(1, (chips, -1)).transpose(0, 1)

    def same(x: Tensor) -> Tensor:
        # (chips, n, channels, ...) -> (chips * n, channels, ...)
        y = F.batch_norm(x.flatten(0, 1), running_mean, running_var, weight, bias, *how)
        return y.unflatten(0, (len(x), -1))

    others = running_mean, running_var, weight, bias
    if training or any(t is not None and is_batchedtensor(t) for t in others):
        return on_all_chips(each, input, *others)
    return on_all_chips(same, input)


_PACK: Callable[..., tuple[Tensor, Tensor]] = torch._VF._pack_padded_sequence
_PAD: Callable[..., tuple[Tensor, Tensor]] = torch._VF._pad_packed_sequence
_PAD_SEQUENCE: Callable[..., Tensor] = torch._C._nn.pad_sequence  # type: ignore[attr-defined]


def _pack(input: Tensor, lengths: Tensor, batch_first: bool) -> tuple[Tensor, Tensor]:
    """What `pack_padded_sequence` calls, for lengths that are the same on all chips."""
    if not is_batchedtensor(input) or is_batchedtensor(lengths):
        return _PACK(input, lengths, batch_first)
    sizes: list[Tensor] = []

    def every(x: Tensor) -> Tensor:
        # (chips, time, batch, ...) -> (time, batch, chips, ...) -> (vectors, chips, ...)
        data, of_steps = _PACK(x.movedim(0, 2), lengths, batch_first)
        sizes.append(of_steps)
        return data.transpose(0, 1)

    data = on_all_chips(every, input)
    return data, sizes[0]


def _pad(
    data: Tensor, batch_sizes: Tensor, batch_first: bool, padding_value: float, total_length: int
) -> tuple[Tensor, Tensor]:
    """What `pad_packed_sequence` calls."""
    how = (batch_first, padding_value, total_length)
    if not is_batchedtensor(data) or is_batchedtensor(batch_sizes):
        return _PAD(data, batch_sizes, *how)
    lengths: list[Tensor] = []

    def every(x: Tensor) -> Tensor:
        # (chips, vectors, ...) -> (vectors, chips, ...) -> (time, batch, chips, ...)
        padded, of_sequences = _PAD(x.transpose(0, 1), batch_sizes, *how)
        lengths.append(of_sequences)
        return padded.movedim(2, 0)

    padded = on_all_chips(every, data)
    return padded, lengths[0]


def _pad_sequence(sequences: Sequence[Tensor], batch_first: bool = False, *how: Any) -> Tensor:
    """What `pad_sequence` calls."""
    if not any(map(is_batchedtensor, sequences)):
        return _PAD_SEQUENCE(sequences, batch_first, *how)

    def every(*given: Tensor) -> Tensor:
        # each (chips, time, ...) -> (time, chips, ...), together (time, batch, chips, ...)
        padded = _PAD_SEQUENCE([x.transpose(0, 1) for x in given], batch_first, *how)
        return padded.movedim(2, 0)

    return on_all_chips(every, *sequences)


_RULES: dict[Callable[..., Any], Callable[..., Any]] = {
    F.batch_norm: _batch_norm,
    _PACK: _pack,
    _PAD: _pad,
    _PAD_SEQUENCE: _pad_sequence,
}
