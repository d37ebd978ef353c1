"""What a pass uses, and which passes a fit may take."""

import pytest
import torch
from torch import Tensor, nn

import mho
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.learning.repair.uses import Pass, in_order, note, plans, uses_of

HARDWARE = mho.Hardware(device=mho.devices.get("hfo2-1t1r"))


class Loop(nn.Module):
    """The first layer is used as often as the first input says, the last one once."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(int(x.amax())):
            x = self.one(x).clamp(1, 2)
        return self.two(x)


def made() -> tuple[nn.Module, ArrayLayer, ArrayLayer]:
    net = mho.convert(Loop(), HARDWARE)
    one, two = memristive_layers(net).values()
    return net, one, two


def test_uses_are_counted_in_the_order_of_the_last_ones() -> None:
    net, one, two = made()
    assert [*uses_of(net, torch.full((2, 3), 4.0)).items()] == [(one, 4), (two, 1)]
    first, second = {one: 1, two: 1}, {two: 2}
    x = torch.zeros(1, 3)
    assert in_order([Pass(x, second), Pass(x, first)]) == [one, two]


def test_passes_end_at_the_last_use_and_say_what_is_not_as_expected() -> None:
    net, one, two = made()
    x = torch.full((2, 3), 4.0)
    seen: list[Tensor] = []
    passes = [Pass(x, {one: 4, two: 1})]
    assert note(net, passes, one, lambda x, _y: seen.append(x)) is None
    assert len(seen) == 4
    assert uses_of(net, x)[two] == 1
    assert two.crossbar.counts.vectors == 2  # of this pass, not of the one before
    assert note(net, [Pass(x, {one: 5, two: 1})], one, lambda *_: None) is one
    assert note(net, [Pass(x, {one: 3, two: 1})], two, lambda *_: None) is one
    assert note(net, [Pass(x, {two: 1})], two, lambda *_: None) is one
    assert note(net, [Pass(x, {two: 1})], one, lambda *_: None) is None


def test_inputs_are_joined_where_two_use_what_one_does() -> None:
    net, one, _ = made()
    alike = [torch.full((2, 3), 4.0), torch.full((3, 3), 4.0)]
    reads = one.crossbar.counts.vectors
    first, second = plans(net, alike)
    assert [len(each.batch) for each in first] == [5]
    assert [len(each.batch) for each in second] == [2, 3]
    assert one.crossbar.counts.vectors - reads == 4 * (1 + 2 + 3)  # trying two is not counted
    (only,) = plans(net, [torch.tensor([[1.0] * 3, [2.0] * 3])])
    assert [each.uses[one] for each in only] == [2]


@pytest.mark.parametrize("batch_first", [True, False])
def test_batches_stay_as_given_where_their_first_dimension_may_be_time(batch_first: bool) -> None:
    layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=batch_first).eval()
    net = mho.convert(layer, HARDWARE)
    assert len([*plans(net, [torch.randn(3, 5, 4)] * 2)]) == (2 if batch_first else 1)
