"""A layer of torch's as arrays would see it: weights by columns, inputs, sums of these."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence, Set

from torch import Tensor, nn

from mho.learning.layers.composite import Composite
from mho.learning.layers.layer import ArrayLayer
from mho.learning.layers.product import Product
from mho.learning.layers.replace import holder_of
from mho.learning.twins import described


class ArrayView:
    """What training needs to know of a layer, all of it from what would stand for it on arrays.

    Attributes:
        weights: parameters that arrays hold, each with the number of matrices that stand one after
            another in it.
        inputs: arguments of the forward pass that are multiplied with weights, in order.
        parts: of a layer of several matrices, the parameter that each part is of.
        driven: parameters whose arrays are driven by these as they are.
        columns: of the output; 0: it has none, for what arrays give is joined digitally.
        column_dim: dimension of the output, from the end, whose places are columns; -1 without.

    Args:
        module: a layer with a twin, see `mho.learning.twins`.
    """

    def __init__(self, module: nn.Module) -> None:
        self._twin = twin = described(module)
        names = [*inspect.signature(type(module).forward).parameters][1:]
        self.inputs = tuple(names[: twin.inputs])
        self.columns, self.column_dim = 0, -1
        self.parts: Mapping[str, str] = {}
        if isinstance(twin, Composite):
            self.weights: Mapping[str, int] = {
                name: parts
                for name, parts in twin.matrices().items()
                if getattr(*holder_of(module, name), None) is not None
            }
            self.parts = {part: entry for part, (*_, entry) in twin.part_names().items()}
            own = [self.parts[part] for part in twin.driven()]
            self.driven = [name for name in self.weights if name in own]
            return
        self._product = twin._product()
        self.weights = {"weight": 1}
        self.driven = ["weight"] if type(twin).vectors is ArrayLayer.vectors else []
        self.columns, self.column_dim = twin.weight.shape[0], self._product.column_dim

    # ---------------------------------------------------------------- weights

    def leave_out(self, digital: Set[str]) -> None:
        """Have some weights be digital, which no array holds."""
        self.weights = {name: n for name, n in self.weights.items() if name not in digital}
        self.driven = [name for name in self.driven if name not in digital]

    @property
    def in_order(self) -> bool:
        """Whether the numbers of a contiguous weight are in the order of `rows`."""
        return isinstance(self._twin, Composite) or self._twin.as_torch

    def rows(self, weight: Tensor) -> Tensor:
        """A weight as (out, in), one column of arrays in each row, contiguous."""
        if isinstance(self._twin, ArrayLayer) and not self.in_order:
            weight = self._twin.from_torch(weight)
        return weight.flatten(1).contiguous()

    def weight(self, rows: Tensor, like: Tensor) -> Tensor:
        """The inverse of `rows`, shaped as a weight of the layer."""
        if isinstance(self._twin, ArrayLayer) and not self.in_order:
            return self._twin.to_torch(rows.view(self._twin.from_torch(like).shape))
        return rows.view(like.shape)

    # ---------------------------------------------------------------- inputs and outputs

    def of_columns(self, values: Tensor, y: Tensor) -> Tensor:
        """One value, or one a column, as it broadcasts over outputs y."""
        return values.detach().view(-1, *(1,) * (-1 - self.column_dim)).to(y.dtype)

    def square_sums(
        self, inputs: Sequence[Tensor], y: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Sums of the squared inputs of each column, as they broadcast over outputs y; each times
        that of so many weights (out, in), if there are."""
        if weights is None:
            return self._of_inputs(inputs, y, lambda product, x: product.input_size(x).square_())
        return self._of_inputs(
            inputs, y, lambda product, x: product.columns(x.square(), weights, 1), whole=True
        )

    def sums(self, inputs: Sequence[Tensor], y: Tensor) -> Tensor:
        """Sums of the inputs of each column, as they broadcast over outputs y."""
        return self._of_inputs(inputs, y, lambda product, x: product.input_sum(x))

    def _of_inputs(
        self,
        inputs: Sequence[Tensor],
        y: Tensor,
        total_of: Callable[[Product, Tensor], Tensor],
        *,
        whole: bool = False,
    ) -> Tensor:
        """What a function gives of a product and its inputs: one column for all of a group, or
        all."""
        assert isinstance(self._twin, ArrayLayer)
        x, dim = self._twin.vectors(*(x.to(y.dtype) for x in inputs)), self.column_dim
        alone = dim < -1 and x.dim() == -dim  # a map without its batch
        x, size = (x.unsqueeze(0) if alone else x), y.shape[dim + 1 :] if dim < -1 else ()
        product = self._product.giving(x, tuple(size))
        x = product.prepared(x)
        total = total_of(product, x)
        if product.groups > 1 and not whole:
            total = total.repeat_interleave(self.columns // product.groups, dim)
        return total.squeeze(0) if alone else total
