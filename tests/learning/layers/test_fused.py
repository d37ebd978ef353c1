"""What is on arrays is what computes: torch's fused paths do not pass by, and who does is told."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho

STUCK = mho.devices.get("hfo2-1t1r").replace(stuck_off=0.4, stuck_on=0.4)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("depth", [1, 2])
def test_transformers_read_their_arrays(activation: str, batch_first: bool, depth: int) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(
        8, 2, 16, batch_first=batch_first, dropout=0.0, activation=activation
    )
    model = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False).eval()
    net = mho.convert(model, mho.Hardware(device=STUCK)).eval()
    x = torch.randn(3, 3, 8)
    before = mho.ledger(net).totals()["vectors"]
    with torch.no_grad():
        y = net(x)
        digital = model(x)
    assert mho.ledger(net).totals()["vectors"] - before == 6 * depth * 9, "six layers each"
    assert not torch.allclose(y, digital, atol=0.01)
    assert torch.allclose(y, net(x), rtol=1e-5, atol=1e-6), "with gradients too"
    assert model.layers[0].activation_relu_or_gelu, "the input is untouched"  # type: ignore


class Past(nn.Module):
    """Takes the weight of its layer past the arrays."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.first(x), self.last.weight, self.last.bias)


class Unused(Past):
    """Does not use its last layer."""

    def forward(self, x: Tensor) -> Tensor:
        return self.first(x)


@pytest.mark.parametrize("kind", [Past, Unused])
@pytest.mark.parametrize("chips", [None, 3])
def test_a_layer_that_reads_nothing_is_named(kind: type[nn.Module], chips: int | None) -> None:
    net = mho.convert(kind(), mho.Hardware(device="hfo2-1t1r"), chips=chips)
    batch = (torch.randn(6, 4), torch.randint(3, (6,)))
    with pytest.raises(ValueError, match=r"layer '.*last' read no vector"):
        mho.evaluate(net, [batch, batch])
    alone = mho.convert(kind(), {"first": mho.Hardware(device="hfo2-1t1r"), "*": None})
    assert mho.evaluate(alone, [batch, batch]).shape == (1,)
