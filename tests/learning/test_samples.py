"""Data sets of one sample after another, as torchvision's are, go where a loader goes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

import mho
from mho.errors import InvalidInput

PIXELS = (np.arange(300 * 36) * 7 % 256).astype(np.uint8).reshape(300, 6, 6)
LABELS = np.arange(300) % 4
X = torch.from_numpy(PIXELS).unsqueeze(1) / 255
Y = torch.from_numpy(LABELS)


class Pictures(Dataset):
    """As torchvision's: a picture and its class by number, through a transform if there is one."""

    def __init__(self, transform: Callable[[Any], Any] | None = None, mode: str = "L") -> None:
        self.transform, self.mode = transform, mode

    def __len__(self) -> int:
        return len(PIXELS)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        picture: Any = Image.fromarray(PIXELS[index]).convert(self.mode)
        return picture if self.transform is None else self.transform(picture), int(LABELS[index])


class Bare:
    """No class of torch's, and only what the protocol asks for."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return X[index], Y[index]


def to_tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).unsqueeze(0) / 255


SETS: dict[str, Callable[[], Any]] = {
    "pictures": Pictures,
    "through a transform": lambda: Pictures(to_tensor),
    "arrays": lambda: Pictures(lambda p: to_tensor(p).numpy()),
    "tensors": lambda: TensorDataset(X, Y),
    "a part of one": lambda: Subset(Pictures(), range(300)),
    "no class of torch's": Bare,
    "a list of samples": lambda: [(X[k], int(Y[k])) for k in range(300)],
    "a loader": lambda: DataLoader(Pictures(to_tensor), batch_size=64),
    "a loader in order": lambda: DataLoader(TensorDataset(X, Y), batch_size=7),
}
each_set = pytest.mark.parametrize("which", SETS)


def network(**hardware: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = nn.Sequential(nn.Flatten(), nn.Linear(36, 4))
    hw = mho.Hardware(device="hfo2-1t1r", **hardware)
    return mho.convert(model, hw, 2, generator=torch.Generator().manual_seed(1))


@each_set
def test_accuracy_is_that_of_batches(which: str) -> None:
    net = network()
    expected = mho.confusion(net, [(X, Y)])
    assert torch.equal(mho.confusion(net, SETS[which]()), expected)
    assert torch.equal(mho.evaluate(net, SETS[which]()), mho.evaluate(net, [(X, Y)]))


@each_set
def test_ranges_and_tuning_are_those_of_batches(which: str) -> None:
    net, same = (network(dac_bits=6, adc_bits=6) for _ in range(2))
    mho.calibrate(net, SETS[which]())
    mho.calibrate(same, X)
    mine, theirs = (mho.nn.memristive_layers(each)["net.1"] for each in (net, same))
    assert torch.allclose(mine.dac.state(), theirs.dac.state(), rtol=0.05)
    mho.tune(net, SETS[which]())
    mho.tune(same, X)
    assert torch.allclose(mine.gain, theirs.gain, rtol=0.05)


def test_colours_come_first() -> None:
    class Last(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            assert x.shape[1:] == (3, 6, 6)
            return x.flatten(1)[:, :4]

    mho.evaluate(Last(), Pictures(mode="RGB"))


class Broken(Bare):
    """One sample is something else."""

    def __init__(self, sample: Any) -> None:
        self.sample = sample

    def __getitem__(self, index: int) -> Any:
        return self.sample if index == 260 else super().__getitem__(index)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Broken((X[0, :, :5], 1)), r"loader\[260\], input = a float32 tensor \(1, 5, 6\): expec"),
        (Broken((X[0], "cat")), r"loader\[260\] = .*: expected a sample \(input, label\)"),
        (Broken(X[0]), r"loader\[260\] = a float32 tensor \(1, 6, 6\): expected a sample"),
        (Broken(("picture.png", 1)), r"loader\[260\], input = 'picture.png': expected a tensor"),
        (Broken((X[0], 7)), r"labels = '0 to 7': expected 0 to 3"),
        (Pictures(mode="CMYK"), r"loader\[0\], input, mode = 'CMYK': expected L or RGB"),
    ],
)
def test_samples_that_are_none_are_refused_by_number(given: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        mho.evaluate(network(), given)


def test_accuracy_over_time_is_that_of_batches() -> None:
    net = mho.convert(nn.Sequential(nn.Flatten(), nn.Linear(36, 4)), mho.Hardware(device="pcm-gst"))
    expected = mho.evaluate_over_time(net, [(X, Y)], ["1 s", "1 h"])
    for given in (Bare(), Pictures(), DataLoader(TensorDataset(X, Y), batch_size=50)):
        assert torch.equal(mho.evaluate_over_time(net, given, ["1 s", "1 h"]), expected)
