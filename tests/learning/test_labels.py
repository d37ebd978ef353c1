"""Labels and scores: what is taken for them, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mho

X, Y = torch.eye(4).repeat(3, 1), torch.arange(4).repeat(3)


def perfect() -> nn.Module:
    layer = nn.Linear(4, 4, bias=False)
    nn.init.eye_(layer.weight)
    return nn.Sequential(layer)


def networks() -> list[nn.Module]:
    cell = mho.devices.get("hfo2-1t1r").ideal()
    hardware = mho.Hardware(device=cell)
    return [perfect(), mho.convert(perfect(), hardware), mho.convert(perfect(), hardware, 3)]


TAKEN: dict[str, Any] = {
    "int64": [(X, Y)],
    "a column": [(X, Y.unsqueeze(1))],
    **{str(kind): [(X, Y.to(kind))] for kind in (torch.int32, torch.uint8, torch.float32)},
    "NumPy": [(X.numpy(), Y.numpy())],
    "a list of lists": [[X, Y]],
    "an empty batch among them": [(X[:0], Y[:0]), (X, Y)],
    "batches of different sizes": [(X[:1], Y[:1]), (X[1:], Y[1:])],
    "one pair": (X, Y),
    "a generator": ((x, y) for x, y in [(X, Y)] * 9),
    "a data loader": torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), 5),
}
REFUSED: dict[str, tuple[Any, str]] = {
    "a matrix of labels": ([(X, Y.expand(12, 12))], r"labels, of shape = \(12, 12\)"),
    "one-hot": ([(X, torch.eye(4)[Y])], r"labels, of shape = \(12, 4\): .*labels\.argmax\(1\)"),
    "a row": ([(X, Y[None])], r"labels, of shape = \(1, 12\): expected \(12,\) or \(12, 1\)"),
    "from 1": ([(X, Y + 1)], r"labels = '1 to 4': expected 0 to 3, .*give labels - 1"),
    "below 0": ([(X, Y - 1)], r"labels = '-1 to 2': expected 0 to 3"),
    "too many": ([(X, 9 * Y)], r"labels = '0 to 27': expected 0 to 3"),
    "shares": ([(X, Y / 4)], r"labels = \[0\.0, 0\.25, 0\.5\]: expected whole numbers"),
    "nan": ([(X, Y * torch.nan)], r"labels = \[nan, nan, nan\]: expected whole"),
    "too few": ([(X, Y[:5])], r"labels, of shape = \(5,\)"),
    "three": ([(X, Y, Y)], r"loader = 'batches of 3: Tensor, Tensor, Tensor': expected batches"),
    "inputs alone": ([X], r"loader = 'batches of Tensor': expected batches \(inputs, labels\)"),
    "a tensor": (X, r"loader = a float32 tensor \(12, 4\): expected batches"),
    "a dict": ({"x": X, "y": Y}, r"loader = a dict of 2: expected batches"),
    "dicts": ([{"x": X, "y": Y}], r"loader = 'batches of dict': expected batches"),
    "words": ([(X, "cat")], r"loader = 'batches of 2: Tensor, str': expected batches"),
    "nothing": ([], r"loader = 'no batch': expected at least one labelled batch"),
    "empty batches": ([(X[:0], Y[:0])], r"loader = 'empty batches': expected at least one"),
    "a number": (3, r"loader = 3: expected"),
    "nan inputs": ([(X * torch.nan, Y)], r"output of the network = 'nan': expected numbers"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_plainly_means_labels_is_taken(name: str) -> None:
    loader = TAKEN[name]
    loader = loader if isinstance(loader, list | tuple) else [*loader]
    for net in networks():
        assert (mho.evaluate(net, iter(loader) if name == "a generator" else loader) == 1).all()
        assert (mho.confusion(net, loader).diagonal(dim1=1, dim2=2).sum(1) % 12 == 0).all()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_labelled_batch_is_refused(name: str) -> None:
    loader, message = REFUSED[name]
    for net in networks():
        for measure in (mho.evaluate, mho.confusion):
            with pytest.raises(ValueError, match=message):
                measure(net, loader)
            assert net.training == networks()[0].training


class Gives(nn.Module):
    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output

    def forward(self, x: Tensor) -> Any:
        return self.output


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (torch.rand(12, 1), r"of shape = \(12, 1\): .*one score a class; of one sigmoid output"),
        (torch.rand(12), r"of shape = \(12,\): expected \(12, classes\)"),
        (torch.rand(11, 4), r"of shape = \(11, 4\)"),
        (torch.rand(12, 4, 5, 5), r"of shape = \(12, 4, 5, 5\)"),
        (torch.rand(3, 4, 12), r"of shape = \(3, 4, 12\)"),
        ((torch.rand(12, 4), None), r"output of the network = 'tuple': expected a tensor"),
    ],
)
def test_what_is_no_score_for_each_class_is_refused(output: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mho.evaluate(Gives(output), [(X, Y)])


def test_labels_stay_exact() -> None:
    big = np.array([2**40, 0])
    with pytest.raises(ValueError, match=f"labels = '0 to {2**40}'"):
        mho.evaluate(Gives(torch.rand(2, 4)), [(X[:2], big)])
