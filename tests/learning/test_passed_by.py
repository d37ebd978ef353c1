"""A network that takes a weight past its arrays is refused, with the layer's name."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from builders.as_torch import converted

Forward = Callable[[nn.Linear, Tensor], Tensor]

WAYS: dict[str, Forward] = {
    "linear": lambda layer, x: F.linear(x, layer.weight, layer.bias),
    "matmul": lambda layer, x: x @ layer.weight.T,
    "from the left": lambda layer, x: (layer.weight @ x.T).T,
    "torch.matmul": lambda layer, x: torch.matmul(x, layer.weight.transpose(0, 1)),
    "scaled": lambda layer, x: F.linear(x, 0.5 * layer.weight),
    "of another type": lambda layer, x: F.linear(x.double(), layer.weight.double()).float(),
    "einsum": lambda layer, x: torch.einsum("ni,oi->no", x, layer.weight),
    "addmm": lambda layer, x: torch.addmm(layer.bias, x, layer.weight.t()),
    "as a convolution": lambda layer, x: F.conv1d(
        x.unsqueeze(-1), layer.weight.unsqueeze(-1)
    ).squeeze(-1),
    "in batches": lambda layer, x: torch.bmm(
        x.unsqueeze(1), layer.weight.T.expand(len(x), -1, -1)
    ).squeeze(1),
    "tensordot": lambda layer, x: torch.tensordot(x, layer.weight.T, 1),
    "detached": lambda layer, x: F.linear(x, layer.weight.detach().clone()),
}
FINE: dict[str, Forward] = {
    "its type is asked": lambda layer, x: layer(x.to(layer.weight.dtype)),
    "a penalty": lambda layer, x: layer(x) + 0 * (layer.weight @ layer.weight.T).sum(),
    "a lookup": lambda layer, x: layer(x) + F.embedding(torch.tensor(1), layer.weight.T)[0],
    "twice": lambda layer, x: layer(x) + layer(-x),
    "its size": lambda layer, x: layer(x) / layer.weight.norm(),
}


class Net(nn.Module):
    """Calls its second layer, and does something else with it."""

    def __init__(self, other: Forward) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 5), nn.Linear(5, 5)
        self.other = other

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last(x) + self.other(self.last, x)


BATCH = torch.randn(6, 4), torch.randint(5, (6,))


@pytest.mark.parametrize("chips", [None, 3])
@pytest.mark.parametrize("way", WAYS)
def test_a_weight_that_is_taken_too_is_refused(way: str, chips: int | None) -> None:
    net = converted(Net(WAYS[way]), chips=chips)
    with pytest.raises(ValueError, match=r"layer '.*last' is read, and its weight is taken past"):
        mho.evaluate(net, [BATCH])
    assert mho.ledger(net).totals()["vectors"] == 0


@pytest.mark.parametrize("chips", [None, 3])
@pytest.mark.parametrize("way", FINE)
def test_what_else_is_done_with_a_weight_is_fine(way: str, chips: int | None) -> None:
    net = converted(Net(FINE[way]), chips=chips)
    assert mho.evaluate(net, [BATCH]).numel() == (chips or 1)


def test_a_shared_lookup_is_fine() -> None:
    class Language(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lookup, self.out = nn.Embedding(5, 4), nn.Linear(4, 5)
            self.out.weight = self.lookup.weight

        def forward(self, i: Tensor) -> Tensor:
            return self.out(self.lookup(i))

    assert mho.evaluate(converted(Language()), [(torch.arange(5), torch.arange(5))]).numel() == 1
