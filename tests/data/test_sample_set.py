"""Sample sets as torchvision has them."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Subset, TensorDataset

import mho
from mho.data import Dataset
from mho.data.sample_set import arrays_of, is_sample_set

X = torch.rand(12, 1, 4, 5, generator=torch.Generator().manual_seed(0))
Y = torch.arange(12) % 3


class Image:
    """What an image of PIL shows of itself."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.__array_interface__ = pixels.__array_interface__
        self._kept = pixels

    def getbands(self) -> tuple[str, ...]:
        return ("R", "G", "B")


class Pictures:
    """A set as torchvision's, with names of its classes."""

    classes = ("cat", "dog", "owl")

    def __init__(self, colour: bool) -> None:
        draw = np.random.default_rng(0)
        self.pixels = draw.integers(0, 256, (12, 4, 5, 3) if colour else (12, 4, 5), np.uint8)

    def __len__(self) -> int:
        return 12

    def __getitem__(self, k: int) -> tuple[Image, int]:
        if not 0 <= k < 12:
            raise IndexError(k)
        return Image(self.pixels[k]), k % 3


class Items:
    """Any items."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, k: int) -> Any:
        return self.items[k]


@pytest.mark.parametrize("colour", [False, True])
def test_images_come_with_their_channels_first(colour: bool) -> None:
    pictures = Pictures(colour)
    data = Dataset.of_samples(pictures, pictures, name="zoo")
    assert data.classes == ("cat", "dog", "owl")
    assert data.shape == (3 if colour else 1, 4, 5)
    shown = pictures.pixels if colour else pictures.pixels[..., None]
    assert (data.array("train_x") == np.moveaxis(shown, -1, 1)).all()
    assert data.array("test_y").tolist() == [k % 3 for k in range(12)]


def test_a_set_of_tensors_is_the_data_set_of_them() -> None:
    pairs = TensorDataset(X, Y)
    data = Dataset.of_samples(pairs, Subset(pairs, [0, 1, 2]))
    assert data.sha256 == Dataset.of(X, Y, X[:3], Y[:3]).sha256
    assert len(mho.data.load(data, "test")) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (X, "len(set) and set[k]"),
        (Items(), "at least 1"),
        (Items(X[0]), "train[0] = a float32 tensor (1, 4, 5): expected a sample and its label"),
        (Items((X[0], 0), (X[0, 0], 1)), "sample of train[1]"),
        (Items((X[0], "cat")), "label of train[0] = 'cat': expected a whole number"),
        (Items(("cat", 0)), "sample of train[0] = 'cat'"),
    ],
)
def test_what_is_no_sample_set_is_refused(given: object, said: str) -> None:
    with pytest.raises(ValueError, match="train") as refused:
        arrays_of("train", given)
    assert said in str(refused.value)


def test_arrays_are_no_sample_sets() -> None:
    assert is_sample_set(TensorDataset(X, Y))
    assert not any(map(is_sample_set, (X, X.numpy(), [X], "x", 3)))
