"""Of every kind of layer that can be on arrays: its weights by columns, and sums of its inputs."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from builders.weighted_layers import LAYERS, made
from mho.learning.noise_aware.array_view import ArrayView
from mho.learning.twins import TWINS, TWINS_BY_NAME, twin_of

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")
WITH_TWIN = [which for which in LAYERS if twin_of(made(which)[0]) is not None]
WITH_COLUMNS = [w for w in WITH_TWIN if ArrayView(made(w)[0]).columns]
OF_A_SIZE = nn.ConvTranspose2d(4, 6, 3, 3)


def check_sums(layer: nn.Module, *inputs: Tensor, **how: object) -> None:
    view = ArrayView(layer)
    y = layer(*inputs, **how)
    functions: tuple[tuple[Callable[..., Tensor], Callable[[Tensor], Tensor]], ...] = (
        (view.sums, lambda x: x),
        (view.square_sums, torch.square),
    )
    with torch.no_grad():
        nn.init.ones_(layer.weight)  # type: ignore[arg-type]
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    for sums, function in functions:
        got = sums(list(inputs), y)
        assert got.dim() == y.dim()
        torch.testing.assert_close(got.expand_as(y), layer(*map(function, inputs), **how))


@pytest.mark.parametrize("which", WITH_COLUMNS)
def test_sums_are_those_of_a_layer_of_ones(which: str) -> None:
    layer, inputs = made(which)
    check_sums(layer, *inputs)


def test_sums_of_transposed_convolutions_are_of_the_size_that_is_asked_for() -> None:
    check_sums(OF_A_SIZE, torch.randn(2, 4, 5, 5), output_size=(16, 17))


@pytest.mark.parametrize("which", WITH_TWIN)
def test_weights_are_rows_of_a_column_each_and_come_back(which: str) -> None:
    layer, _ = made(which)
    view = ArrayView(layer)
    assert {n for n, p in layer.named_parameters() if p.dim() > 1} == {*view.weights}
    for name, matrices in view.weights.items():
        weight = layer.get_parameter(name).detach()
        rows = view.rows(weight)
        assert rows.is_contiguous()
        assert len(rows) % matrices == 0
        assert torch.equal(view.weight(rows, weight), weight)
    if view.columns:
        assert len(rows) == view.columns


@pytest.mark.parametrize("kind", [*TWINS, *TWINS_BY_NAME], ids=str)
def test_every_kind_that_can_be_on_arrays_is_in_the_list_of_layers(kind: object) -> None:
    """So that each is trained by `test_noise_aware.py`, forwards and backwards."""
    names = {type(m): type(m).__name__ for w in WITH_TWIN for m in made(w)[0].modules()}
    known = {*names, *(f"{k.__module__}.{name}" for k, name in names.items())}
    assert kind in known
