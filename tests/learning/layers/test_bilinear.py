"""Bilinear layers on arrays: outer products of inputs are what the arrays read."""

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.as_torch import NOISY, check_as_torch, check_chips, check_state, converted


def given(shape: tuple[int, ...]) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(*shape, size, dtype=torch.float64) for size in (4, 3)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5,), (2, 5), (2, 1, 3), ()])
def test_bilinear_layers_are_those_of_torch(bias: bool, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = nn.Bilinear(4, 3, 6, bias=bias, dtype=torch.float64)
    net = check_as_torch(model, given(shape))
    assert isinstance(net, mho.nn.MemristiveBilinear)
    vectors = 1
    for size in shape:
        vectors *= size
    assert net.crossbar.counts.vectors == 2 * vectors
    assert (net.crossbar.tiling.in_features, net.crossbar.tiling.out_features) == (12, 6)
    if shape:
        check_chips(model, given(shape))


def test_states_of_torch_are_loaded_and_come_back() -> None:
    check_state(nn.Bilinear(4, 3, 6), nn.Bilinear(4, 3, 6))


def test_a_layer_is_made_as_torchs() -> None:
    layer = mho.nn.MemristiveBilinear(4, 3, 6, hardware=NOISY, chips=2)
    x, z = (each.float() for each in given((2 * 5,)))
    assert layer(x, z).shape == (10, 6)


@pytest.mark.parametrize(
    ("x", "z", "message"),
    [
        (torch.ones(5, 3), torch.ones(5, 3), r"input1, of shape = \(5, 3\): expected \(..., 4\)"),
        (torch.ones(5, 4), torch.ones(5, 4), r"input2, of shape"),
        (torch.ones(5, 4), torch.ones(2, 3), r"inputs, of shapes"),
        (3, torch.ones(2, 3), r"input1, input = 3"),
        (torch.ones(5, 4), torch.ones(5, 3, dtype=torch.int64), r"input2, input = "),
    ],
)
def test_inputs_that_do_not_fit_are_refused(x: Tensor, z: Tensor, message: str) -> None:
    net = converted(nn.Bilinear(4, 3, 6))
    with pytest.raises(ValueError, match=message):
        net(x, z)
