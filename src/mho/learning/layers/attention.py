"""Attention with several heads."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mho.arguments import checked
from mho.config import Range
from mho.errors import invalid
from mho.hardware import Hardware
from mho.learning.layers.composite import Composite, Entries, Part
from mho.learning.layers.layer import Size

_PROJECTIONS = ("q_proj", "k_proj", "v_proj")


class MemristiveMultiheadAttention(Composite):
    """`nn.MultiheadAttention` on memristors: the four projections are on arrays.

    Scores, the product of queries and keys, and the sum of the values that they weigh are products
    of two activations: these stay digital, and so do masks, softmax, dropout and what is added to
    the keys and values. Arguments and answers as in torch, of which `is_causal` is a hint only: the
    mask that it must come with is what counts.

    Args:
        embed_dim, num_heads, dropout, bias, add_bias_kv, add_zero_attn, kdim, vdim, batch_first: as
            in torch.
        hardware, chips, generator: as in `MemristiveLinear`.

    Attributes:
        q_proj, k_proj, v_proj, out_proj: the projections.
        bias_k, bias_v (1, 1, embed_dim): a key and a value that are added to all; None: without.
        in_proj_weight, in_proj_bias: None, by which torch's transformer layers know that there is
            nothing to fuse.
    """

    inputs: ClassVar[int] = 3

    q_proj: Part
    k_proj: Part
    v_proj: Part
    out_proj: Part
    bias_k: nn.Parameter | None
    bias_v: nn.Parameter | None
    in_proj_weight: None = None
    in_proj_bias: None = None

    @checked
    def __init__(
        self,
        embed_dim: Size,
        num_heads: Size,
        dropout: Annotated[float, Range(least=0.0, most=1.0)] = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: Size | None = None,
        vdim: Size | None = None,
        batch_first: bool = False,
        *,
        hardware: Hardware,
        chips: Size = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if embed_dim % num_heads:
            allowed = f"a divisor of embed_dim = {embed_dim}"
            raise invalid("MemristiveMultiheadAttention.num_heads", num_heads, allowed)
        sizes = (kdim, vdim, batch_first)
        options = (dropout, bias, add_bias_kv, add_zero_attn, *sizes)
        plain = nn.MultiheadAttention(embed_dim, num_heads, *options)
        self._install(plain, hardware, chips, generator)

    def configure(self, module: nn.Module) -> None:
        """Sizes and options."""
        assert isinstance(module, nn.MultiheadAttention)
        self.embed_dim, self.num_heads = module.embed_dim, module.num_heads
        self.kdim, self.vdim, self.head_dim = module.kdim, module.vdim, module.head_dim
        self.dropout, self.batch_first = module.dropout, module.batch_first
        self.add_zero_attn = module.add_zero_attn
        self._qkv_same_embed_dim = module._qkv_same_embed_dim

    def entries(self) -> Entries:
        """The projections of queries, keys and values are one matrix where their inputs are of the
        same length."""
        weights = tuple(f"{part}.weight" for part in _PROJECTIONS)
        if self._qkv_same_embed_dim:
            projected: dict[str, tuple[str, ...]] = {"in_proj_weight": weights}
        else:
            projected = {f"{part}_weight": (f"{part}.weight",) for part in _PROJECTIONS}
        return {
            **projected,
            "in_proj_bias": tuple(f"{part}.bias" for part in _PROJECTIONS),
            "out_proj.weight": ("out_proj.weight",),
            "out_proj.bias": ("out_proj.bias",),
            "bias_k": ("bias_k",),
            "bias_v": ("bias_v",),
        }

    def driven(self) -> tuple[str, ...]:
        """The projections of queries, keys and values."""
        return _PROJECTIONS

    def plain(self, bias: bool) -> nn.MultiheadAttention:
        """Torch's layer, of the same options."""
        return nn.MultiheadAttention(
            self.embed_dim,
            self.num_heads,
            self.dropout,
            bias,
            add_bias_kv=self.bias_k is not None,
            add_zero_attn=self.add_zero_attn,
            kdim=self.kdim,
            vdim=self.vdim,
            batch_first=self.batch_first,
            device="meta",
        )

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Float[Tensor, "*_ embed"], Tensor | None]:
        """Outputs, and how much each query takes of each value, if asked for; shapes as in torch.

        Outside of a pass of a network on several chips all tensors are (chips, ...).

        Raises:
            ValueError: inputs or masks of another kind or shape; `is_causal` without a mask.
            RuntimeError: as `MemristiveLinear`.
        """
        for name, x in (("query", query), ("key", key), ("value", value)):
            if not isinstance(x, Tensor) or x.is_nested:
                allowed = "a padded tensor; key_padding_mask says what is padding"
                what = "a nested tensor" if isinstance(x, Tensor) else x
                raise invalid(f"{self.label} {name}", what, allowed)
        for name, mask in (("key_padding_mask", key_padding_mask), ("attn_mask", attn_mask)):
            if mask is not None and not _is_mask(mask):
                allowed = "None, or a tensor of bool or of floating-point numbers"
                raise invalid(f"{self.label} {name}", mask, allowed)
        if is_causal and attn_mask is None:
            allowed = "False, or True with an attn_mask"
            raise invalid(f"{self.label}.is_causal without attn_mask", True, allowed)
        weights = None if not need_weights else "mean" if average_attn_weights else "each"
        made = self.run(query, key, value, key_padding_mask, attn_mask, weights=weights)
        return made if need_weights else (made, None)

    def compute(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        padding: Tensor | None,
        mask: Tensor | None,
        *,
        weights: Literal["each", "mean"] | None,
    ) -> Any:
        """Outputs (chips, ...); and if asked for the weights (chips, ...) of each head, or their
        mean."""
        self._check_inputs(query, key, value)
        # (chips, length, batch, features), or batch before length
        batched, batch_dim = query.dim() == 4, 1 if self.batch_first else 2
        if not batched:
            query, key, value = (x.unsqueeze(batch_dim) for x in (query, key, value))
            padding = None if padding is None else padding.unsqueeze(1)
        self._check_masks(query, key, padding, mask, batched)
        q, k, v = self.q_proj.read(query), self.k_proj.read(key), self.v_proj.read(value)
        if not self.batch_first:
            q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        # (chips, batch, length, features) from here on
        if self.bias_k is not None and self.bias_v is not None:
            k, v = (_joined(x, more) for x, more in ((k, self.bias_k), (v, self.bias_v)))
        q, k, v = (self._by_head(x) for x in (q, k, v))
        if self.add_zero_attn:
            k, v = (F.pad(x, (0, 0, 0, 1)) for x in (k, v))
        added = self._added(padding, mask, q, k)
        y, taken = self._attend(q, k, v, added, weights is not None)
        # (chips, batch, heads, length, head_dim) -> (chips, batch, length, features)
        y = self.out_proj.read(y.transpose(2, 3).flatten(3).transpose(1, batch_dim))
        y = y if batched else y.squeeze(batch_dim)
        if taken is None:
            return y
        taken = taken.mean(2) if weights == "mean" else taken
        return y, taken if batched else taken.squeeze(1)

    def _by_head(self, x: Tensor) -> Tensor:
        """(chips, batch, length, features) to (chips, batch, heads, length, head_dim)."""
        return x.unflatten(-1, (self.num_heads, self.head_dim)).transpose(2, 3)

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, added: Tensor | None, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Values weighed by the softmax of the scores, to which masks are added; and the weights,
        to keep them."""
        dropout = self.dropout if self.training else 0.0
        if keep:
            scores = (q * math.sqrt(1.0 / self.head_dim)) @ k.mT
            scores = scores if added is None else scores + added
            weights = F.dropout(F.softmax(scores, -1), dropout, training=dropout > 0)
            return weights @ v, weights
        chips = len(q)
        # (chips * batch, heads, length, head_dim), as torch's kernels take them
        q, k, v = (x.flatten(0, 1) for x in (q, k, v))
        if added is not None:
            added = added.expand(chips, len(q) // chips, *added.shape[2:]).flatten(0, 1)
        y = F.scaled_dot_product_attention(q, k, v, added, dropout)
        return y.unflatten(0, (chips, -1)), None

    def _added(
        self, padding: Tensor | None, mask: Tensor | None, q: Tensor, k: Tensor
    ) -> Tensor | None:
        """What masks add to the scores (chips, batch, heads, queries, keys), each dimension of that
        size or 1; nothing to the keys that the layer adds."""
        added = None
        if mask is not None:
            # (chips, queries, keys), or (chips, batch * heads, queries, keys)
            mask = _as_added(mask, q)
            by_head = mask.dim() == 4
            added = mask.unflatten(1, (-1, self.num_heads)) if by_head else mask[:, None, None]
        if padding is not None:
            # (chips, batch, keys)
            padding = _as_added(padding, q)[:, :, None, None]
            added = padding if added is None else added + padding
        return added if added is None else F.pad(added, (0, k.shape[-2] - added.shape[-1]))

    # ---------------------------------------------------------------- what is refused

    def _check_inputs(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        """Refuse inputs (chips, ...) that are not of the sizes of the layer, or of each other."""
        sizes = {"query": self.embed_dim, "key": self.kdim, "value": self.vdim}
        for (name, size), x in zip(sizes.items(), (query, key, value), strict=True):
            field = f"{self.label} {name}"
            if x.dim() not in (3, 4) or x.shape[-1] != size:
                batch = "batch, length" if self.batch_first else "length, batch"
                allowed = f"({batch}, {size}), or (length, {size})"
                raise invalid(f"{field}, of shape", tuple(x.shape[1:]), allowed)
        if key.shape[:-1] != value.shape[:-1]:
            shapes = f"{tuple(key.shape[1:])} and {tuple(value.shape[1:])}"
            allowed = "as many values as keys"
            raise invalid(f"{self.label} key and value, of shapes", shapes, allowed)
        batch = 1 if self.batch_first else 2
        if query.dim() != key.dim() or (
            query.dim() == 4 and query.shape[batch] != key.shape[batch]
        ):
            shapes = f"{tuple(query.shape[1:])} and {tuple(key.shape[1:])}"
            allowed = "a batch of the same size, or none"
            raise invalid(f"{self.label} query and key, of shapes", shapes, allowed)

    def _check_masks(
        self,
        query: Tensor,
        key: Tensor,
        padding: Tensor | None,
        mask: Tensor | None,
        batched: bool,
    ) -> None:
        """Refuse masks (chips, ...) that do not fit inputs (chips, ...) with a batch dimension."""
        length_dim, batch_dim = (2, 1) if self.batch_first else (1, 2)
        n, queries, keys = query.shape[batch_dim], query.shape[length_dim], key.shape[length_dim]
        shapes = {
            "key_padding_mask": (padding, [(n, keys)]),
            "attn_mask": (mask, [(queries, keys), (n * self.num_heads, queries, keys)]),
        }
        for name, (given, allowed) in shapes.items():
            if given is None:
                continue
            field = f"{self.label} {name}"
            if given.shape[1:] not in allowed:
                shape = given.shape[1:] if batched or name == "attn_mask" else given.shape[2:]
                if not batched and name == "key_padding_mask":
                    allowed = [(keys,)]
                words = " or ".join(map(str, allowed))
                raise invalid(f"{field}, of shape", tuple(shape), words)

    def extra_repr(self) -> str:
        """Sizes and options that are not those of the projections."""
        shown = f"{self.embed_dim}, num_heads={self.num_heads}, batch_first={self.batch_first}"
        zero = ", add_zero_attn=True" if self.add_zero_attn else ""
        return f"{shown}, dropout={self.dropout}{zero}"


def _joined(x: Tensor, more: Tensor) -> Tensor:
    """Keys or values (chips, batch, length, features), and one more (1, 1, features)."""
    return torch.cat((x, more.to(x.dtype).expand(*x.shape[:2], 1, -1)), 2)


def _is_mask(mask: Any) -> bool:
    return isinstance(mask, Tensor) and (mask.dtype == torch.bool or mask.is_floating_point())


def _as_added(mask: Tensor, like: Tensor) -> Tensor:
    """What a mask adds to scores: minus infinity where it is true, or itself."""
    if mask.dtype != torch.bool:
        return mask.to(like.dtype)
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, -math.inf)
