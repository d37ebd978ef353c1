"""The drop-in transposed convolutions: sizes asked for, weights with outputs first, ties."""

import copy
import math

import pytest
import torch
from torch import nn

import mho
from builders.networks import only_layer
from mho.cells import MultiLevel, OpenLoop

FINE = MultiLevel(g_min=1e-6, g_max=1e-4, levels=4096)
HARDWARE = mho.Hardware(device=FINE, tile=(8, 12), programming=OpenLoop())
PLAIN = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
KINDS = {
    1: mho.nn.MemristiveConvTranspose1d,
    2: mho.nn.MemristiveConvTranspose2d,
    3: mho.nn.MemristiveConvTranspose3d,
}
every_size = pytest.mark.parametrize("dims", [1, 2, 3])


def inputs(dims: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(2, 4, *range(3, 3 + dims), generator=generator)


@pytest.mark.parametrize("bits", [None, 16])
@pytest.mark.parametrize("chips", [None, 3])
@every_size
def test_outputs_have_the_size_that_is_asked_for(
    dims: int, chips: int | None, bits: int | None, generator: torch.Generator
) -> None:
    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = PLAIN[dims](4, 6, 3, stride=3, padding=1, groups=2)

        def forward(self, x: torch.Tensor, size: list[int]) -> torch.Tensor:
            return self.up(x, output_size=size)

    x = inputs(dims, generator)
    net = mho.convert(Decoder(), HARDWARE.replace(adc_bits=bits), chips)
    layer, same = only_layer(net), mho.to_digital(net, chip=0)
    layer.adc.ranges = (10.0,) * (chips or 1)
    least = [3 * (n - 1) + 1 for n in x.shape[2:]]
    for more in range(3):
        size = [n + more for n in least]
        for asked in (size, [2, 6, *size]):
            ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
            counted = layer.crossbar.counts.vectors
            y, wanted = net(ours, asked), same(theirs, asked)
            assert layer.crossbar.counts.vectors - counted == 2 * math.prod(size)
            torch.testing.assert_close(y if chips is None else y[-1], wanted, rtol=0, atol=2e-3)
            y.sum().backward()
            (wanted.sum() * (chips or 1)).backward()
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)
    allowed = " x ".join(f"{n} to {n + 2}" for n in least)
    for wrong in ([n + 3 for n in least], [n - 1 for n in least], [*least, 1]):
        with pytest.raises(ValueError, match=rf"up output_size = .*: expected {allowed} for this"):
            net(x, wrong)


@every_size
def test_the_weight_is_kept_with_outputs_first(dims: int, generator: torch.Generator) -> None:
    torch.manual_seed(3)
    plain = PLAIN[dims](4, 6, 2, groups=2)
    torch.manual_seed(3)
    layer = KINDS[dims](4, 6, 2, groups=2, hardware=HARDWARE, generator=torch.Generator())
    assert plain.weight.shape == (4, 3, *(2,) * dims)
    assert layer.weight.shape == (6, 2, *(2,) * dims)
    assert torch.equal(layer.to_torch(layer.weight), plain.weight)
    assert torch.equal(layer.from_torch(plain.weight), layer.weight)
    assert torch.equal(mho.to_digital(layer).weight, plain.weight)
    # input 3 is the second one of group 1, whose first output is output 3
    assert torch.equal(layer.weight[3, 1], plain.weight[3, 0])


@pytest.mark.parametrize("chips", [None, 2])
def test_a_plain_state_has_torchs_layout_and_a_saved_one_that_of_the_arrays(
    chips: int | None, generator: torch.Generator
) -> None:
    model = nn.Sequential(nn.ConvTranspose2d(4, 4, 2), nn.ConvTranspose2d(4, 8, 3, groups=4))
    other = copy.deepcopy(model)
    for parameter in other.parameters():
        nn.init.normal_(parameter, std=0.1, generator=generator)
    net = mho.convert(model, HARDWARE, chips)
    for _ in range(2):  # a state that was loaded leaves nothing behind
        net.load_state_dict(other.state_dict(), strict=False)
        mho.write(net)
        for ours, theirs in zip(mho.to_digital(net), other, strict=True):
            assert torch.equal(ours.weight, theirs.weight)
    saved = net.state_dict()
    again = mho.convert(model, HARDWARE, chips)
    again.load_state_dict(saved)
    x = torch.randn(3, 4, 3, 3, generator=generator)
    assert torch.equal(again(x), net(x))
    for ours, theirs in zip(mho.to_digital(again), other, strict=True):
        assert torch.equal(ours.weight, theirs.weight)
    wrong = {**other.state_dict(), "1.weight": torch.zeros(8, 1, 3, 3)}
    before = mho.to_digital(net)[0].weight.clone()
    with pytest.raises(ValueError, match=r"1\.weight, of shape = \(8, 1, 3, 3\): expected \(4, 2"):
        net.load_state_dict(wrong, strict=False)
    assert torch.equal(mho.to_digital(net)[0].weight, before)


def test_a_weight_shared_with_a_convolution_is_refused_and_one_shared_alike_stays_so() -> None:
    class Tied(nn.Module):
        def __init__(self, kind: type[nn.Module]) -> None:
            super().__init__()
            self.encode, self.decode = kind(4, 4, 3), nn.ConvTranspose2d(4, 4, 3)
            self.decode.weight = self.encode.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.decode(self.encode(x))

    with pytest.raises(ValueError, match=r"decode\.weight = 'shared with encode': expected a we"):
        mho.convert(Tied(nn.Conv2d), HARDWARE)
    net = mho.convert(Tied(nn.ConvTranspose2d), HARDWARE)
    assert net.encode.weight is net.decode.weight
    digital = mho.convert(Tied(nn.Conv2d), {"encode": HARDWARE, "*": None})
    assert type(digital.decode) is nn.ConvTranspose2d


@every_size
def test_what_does_not_fit_is_refused_by_name(dims: int) -> None:
    name = KINDS[dims].__name__
    with pytest.raises(ValueError, match=f"{name}.output_padding = .*: expected smaller than the"):
        KINDS[dims](4, 6, 3, stride=2, output_padding=2, hardware=HARDWARE)
    with pytest.raises(ValueError, match=f"{name}.groups = 3: expected a number that divides"):
        KINDS[dims](4, 6, 3, groups=3, hardware=HARDWARE)
    with pytest.raises(ValueError, match=f"{name}.padding_mode = 'reflect': expected"):
        KINDS[dims](4, 6, 3, padding_mode="reflect", hardware=HARDWARE)
    net = mho.convert(nn.Sequential(PLAIN[dims](4, 6, 3, padding=3)), HARDWARE)
    with pytest.raises(ValueError, match=r"0 input, of shape = .*: expected large enough for"):
        net(torch.zeros(1, 4, *(2,) * dims))
