"""Multiplications of a pass, against closed forms of every kind of layer."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from mho.learning.products import count

BATCH, STEPS = 2, 3
ROWS = BATCH * STEPS


def weights(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.dim() > 1)


def total(module: nn.Module, *given: Tensor) -> tuple[float, int]:
    """Multiplications with parameters, and of two activations."""
    products = count(module, *given)
    whole = (0.0, 1.0)
    by_name = {n: products.of(n, whole) for n, _ in module.named_parameters()}
    return sum(by_name.values()), sum(products.between.values())


SEQUENCE = torch.zeros(BATCH, STEPS, 6)
IMAGE = torch.zeros(BATCH, 4, 7, 6)

Case = tuple[Callable[[], nn.Module], tuple[Tensor, ...], Callable[[nn.Module], int]]

LAYERS: dict[str, Case] = {
    "Linear": (lambda: nn.Linear(6, 5), (SEQUENCE,), lambda m: ROWS * weights(m)),
    "Linear, one vector": (lambda: nn.Linear(6, 5), (SEQUENCE[0, 0],), weights),
    "Conv1d": (
        lambda: nn.Conv1d(3, 4, 2, stride=2), (SEQUENCE,), lambda m: BATCH * 3 * weights(m),
    ),
    "Conv2d": (
        lambda: nn.Conv2d(4, 8, 3, padding=1, groups=2), (IMAGE,),
        lambda m: BATCH * 42 * weights(m),
    ),
    "Conv2d, depthwise": (
        lambda: nn.Conv2d(4, 4, 3, groups=4), (IMAGE,), lambda m: BATCH * 20 * weights(m),
    ),
    "Conv3d": (
        lambda: nn.Conv3d(1, 2, (1, 3, 3)), (IMAGE.unsqueeze(1),),
        lambda m: BATCH * 4 * 20 * weights(m),
    ),
    "ConvTranspose2d": (
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), (IMAGE,),
        lambda m: BATCH * 42 * weights(m),
    ),
    "Bilinear": (
        lambda: nn.Bilinear(6, 6, 4), (SEQUENCE, SEQUENCE), lambda m: ROWS * weights(m),
    ),
    **{
        f"{kind.__name__} {options}": (
            lambda kind=kind, options=options: kind(6, 4, **options), (SEQUENCE,),
            lambda m: ROWS * weights(m),
        )
        for kind, options in (
            (nn.RNN, {}), (nn.RNN, {"bidirectional": True, "num_layers": 2}),
            (nn.GRU, {"batch_first": True}), (nn.GRU, {"bidirectional": True, "bias": False}),
            (nn.LSTM, {"num_layers": 2}), (nn.LSTM, {"proj_size": 3, "batch_first": True}),
        )
    },
    "LSTMCell": (lambda: nn.LSTMCell(6, 4), (SEQUENCE[:, 0],), lambda m: BATCH * weights(m)),
    "weight norm": (
        lambda: weight_norm(nn.Linear(6, 5)), (SEQUENCE,), lambda m: ROWS * 30,
    ),
    "weight norm of a convolution": (
        lambda: weight_norm(nn.Conv2d(4, 8, 3)), (IMAGE,), lambda m: BATCH * 20 * 8 * 36,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LAYERS)
def test_layers_multiply_each_weight_as_often_as_it_is_used(case: str) -> None:
    make, given, expected = LAYERS[case]
    module = make()
    found, between = total(module, *given)
    assert found == pytest.approx(expected(module))
    assert between == 0


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("length", [STEPS, 5])
def test_attention_multiplies_activations(heads: int, length: int) -> None:
    """Projections of queries, keys, values and answers; then scores, and their sums of values."""
    module = nn.MultiheadAttention(6, heads, batch_first=True)
    source = torch.zeros(BATCH, length, 6)
    found, between = total(module, SEQUENCE, source, source)
    assert found == 36 * (2 * ROWS + 2 * BATCH * length)
    assert between == 2 * BATCH * STEPS * length * 6


def test_an_encoder_layer_is_its_parts() -> None:
    module = nn.TransformerEncoderLayer(6, 2, 10, batch_first=True)
    with torch.no_grad():
        found, between = total(module, SEQUENCE)
    assert found == ROWS * weights(module)
    assert between == 2 * BATCH * STEPS**2 * 6


class Own(nn.Module):
    """A forward pass of the user's own, by every way to multiply."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.ones(6, 5)), nn.Parameter(torch.ones(5, 5))
        self.added = nn.Parameter(torch.ones(STEPS, 6))
        self.register_buffer("mask", torch.ones(6, 5))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("bti,io->bto", x + self.added, self.a * self.mask)  # 30 a row
        y = F.linear(y, self.b[:3])  # 15 a row
        y = y @ y.mT  # between
        return y * 2 + torch.rand(1)


def test_a_forward_pass_of_ones_own_is_seen_through() -> None:
    products = count(Own(), SEQUENCE)
    whole = (0.0, 1.0)
    assert products.of("a", whole) == 30 * ROWS
    assert products.of("b", whole) == 15 * ROWS
    assert products.of("b", (0.0, 0.6)) == pytest.approx(15 * ROWS)
    assert products.of("b", (0.6, 1.0)) == pytest.approx(0)
    assert products.of("added", whole) == 0
    assert sum(products.between.values()) == BATCH * STEPS * STEPS * 3


class Filled(nn.Module):
    """Writes activations into a buffer, and multiplies it by others."""

    kept: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(BATCH, STEPS, 6))

    def forward(self, x: Tensor) -> Tensor:
        self.kept[:] = x
        return self.kept @ x.mT


def test_what_is_written_over_is_no_constant() -> None:
    assert sum(count(Filled(), SEQUENCE).between.values()) == BATCH * STEPS * STEPS * 6


def test_random_numbers_are_as_before() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    count(Own(), SEQUENCE)
    assert torch.equal(before, torch.get_rng_state())


def test_switches_of_torch_are_as_before() -> None:
    assert torch.backends.mha.get_fastpath_enabled()
    onednn = torch._C._get_mkldnn_enabled()
    with pytest.raises(RuntimeError):
        count(nn.Linear(5, 2), SEQUENCE)
    assert torch.backends.mha.get_fastpath_enabled()
    assert torch._C._get_mkldnn_enabled() == onednn
    assert math.isclose(total(nn.Linear(6, 2), SEQUENCE)[0], ROWS * 12)


def _as_dense(x: Tensor) -> Tensor:
    return x


class Graph(nn.Module):
    """A layer, and sums over the neighbours of a node."""

    def __init__(self, neighbours: Tensor, way: str) -> None:
        super().__init__()
        self.a, self.way = nn.Linear(5, 6), way
        self.register_buffer("neighbours", neighbours)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        if self.way == "from the left":
            return self.neighbours @ y
        if self.way == "from the right":
            return (y.T @ self.neighbours).T
        return torch.sparse.mm(self.neighbours, y)


@pytest.mark.parametrize("way", ["from the left", "from the right", "torch.sparse.mm"])
@pytest.mark.parametrize(
    "layout", [_as_dense, Tensor.to_sparse, Tensor.to_sparse_csr, Tensor.to_sparse_csc]
)
@pytest.mark.filterwarnings("ignore:Sparse CS. tensor support is in beta")
def test_a_sparse_matrix_multiplies_with_its_entries(
    layout: Callable[[Tensor], Tensor], way: str, generator: torch.Generator
) -> None:
    neighbours = (torch.rand(7, 7, generator=generator) > 0.6).float()
    entries = 49 if layout is _as_dense else int(neighbours.sum())
    products = count(Graph(layout(neighbours), way), torch.randn(7, 5, generator=generator))
    assert products.of("a.weight", (0.0, 1.0)) == 7 * 5 * 6
    assert dict(products.between) == {"": entries * 6}
