"""Every kind of torch layer with weights that arrays can hold, and inputs for it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mho.learning.twins import TWINS_BY_NAME

Made = Callable[[], nn.Module]
Shapes = tuple[tuple[int, ...], ...]


class Conv1D(nn.Module):
    """Of GPT-2: a linear layer with a weight (in, out)."""

    def __init__(self, nf: int, nx: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(nx, nf) - 0.5)
        self.bias = nn.Parameter(torch.rand(nf) - 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


def of_library(name: str) -> type[nn.Module]:
    """A class of a library that is not installed here, by the names of module and class."""
    module, _, own = name.rpartition(".")
    library = type(own, (Conv1D,), {"__module__": module, "forward": Conv1D.forward})
    assert own == "Conv1D", "a layer of another kind needs a class here"
    return library


LAYERS: dict[str, tuple[Made, Shapes]] = {
    "Linear": (lambda: nn.Linear(7, 5), ((6, 7),)),
    "Linear, more dimensions, no bias": (lambda: nn.Linear(7, 5, bias=False), ((2, 3, 7),)),
    **{
        f"Conv1D of {name}": (lambda name=name: of_library(name)(5, 7), ((2, 6, 7),))
        for name in TWINS_BY_NAME
    },
    "Bilinear": (lambda: nn.Bilinear(3, 4, 5), ((6, 3), (6, 4))),
    "Conv1d": (lambda: nn.Conv1d(4, 6, 3, 2, 1), ((3, 4, 9),)),
    "Conv1d, one input": (lambda: nn.Conv1d(4, 6, 3), ((4, 9),)),
    "Conv2d": (lambda: nn.Conv2d(3, 4, 3), ((3, 3, 6, 7),)),
    "Conv2d, groups": (lambda: nn.Conv2d(4, 6, (3, 2), (2, 1), 1, groups=2), ((3, 4, 6, 7),)),
    "Conv2d, depthwise": (lambda: nn.Conv2d(4, 4, 3, padding="same", groups=4), ((3, 4, 6, 7),)),
    "Conv3d, circular": (
        lambda: nn.Conv3d(2, 3, 2, padding=1, padding_mode="circular"), ((2, 2, 4, 4, 4),),
    ),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(4, 6, 3, 2), ((3, 4, 5),)),
    "ConvTranspose2d, groups": (
        lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2), ((3, 4, 5, 5),),
    ),
    "ConvTranspose3d": (lambda: nn.ConvTranspose3d(2, 3, 2), ((2, 2, 3, 3, 3),)),
    "RNN": (lambda: nn.RNN(5, 6), ((7, 3, 5),)),
    "LSTM": (lambda: nn.LSTM(5, 6, 2, batch_first=True, bidirectional=True), ((3, 7, 5),)),
    "LSTM, projected": (lambda: nn.LSTM(5, 6, proj_size=4), ((7, 3, 5),)),
    "GRU": (lambda: nn.GRU(5, 6, bias=False), ((7, 3, 5),)),
    "RNNCell": (lambda: nn.RNNCell(5, 6), ((3, 5),)),
    "LSTMCell": (lambda: nn.LSTMCell(5, 6), ((3, 5),)),
    "GRUCell": (lambda: nn.GRUCell(5, 6), ((3, 5),)),
    "MultiheadAttention": (lambda: nn.MultiheadAttention(8, 2), ((4, 2, 8),) * 3),
    "MultiheadAttention, other widths": (
        lambda: nn.MultiheadAttention(8, 2, kdim=6, vdim=5), ((4, 2, 8), (3, 2, 6), (3, 2, 5)),
    ),
    "TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), ((2, 5, 8),),
    ),
    "TransformerDecoderLayer": (
        lambda: nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0), ((5, 2, 8), (4, 2, 8)),
    ),
}  # fmt: skip


def made(which: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """A layer and inputs for it, always the same."""
    make, shapes = LAYERS[which]
    with torch.random.fork_rng():
        torch.manual_seed(11)
        layer = make()
        return layer, tuple(torch.randn(shape) for shape in shapes)


def first(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The output itself, where a state comes with it."""
    return output if isinstance(output, Tensor) else output[0]
