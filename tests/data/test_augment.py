"""Random shifts move each image as a whole, within bounds."""

import pytest
import torch

from mho.data import augmented, shifted


def test_each_image_moves_as_a_whole_and_not_too_far() -> None:
    x = torch.zeros(200, 2, 9, 7)
    x[:, 0, 4, 3], x[:, 1, 4, 3] = 1.0, 2.0
    y = shifted(x, 2, torch.Generator().manual_seed(0))
    assert y.shape == x.shape
    where = y.nonzero()
    assert len(where) == 400
    first, second = where[0::2], where[1::2]
    assert torch.equal(first[:, 2:], second[:, 2:])
    offset = first[:, 2:] - torch.tensor([4, 3])
    assert {tuple(o) for o in offset.tolist()} == {
        (a, b) for a in range(-2, 3) for b in range(-2, 3)
    }
    assert torch.equal(y.sum((2, 3)), x.sum((2, 3)))


def test_zeros_come_in_at_the_edges() -> None:
    y = shifted(torch.ones(50, 1, 5, 5), 1, torch.Generator().manual_seed(1))
    assert set(y.sum((1, 2, 3)).tolist()) == {16.0, 20.0, 25.0}


def test_no_shift_gives_the_images_back_and_the_seed_repeats() -> None:
    x = torch.rand(4, 1, 6, 6)
    assert shifted(x, 0, torch.Generator()) is x
    once, again = (shifted(x, 1, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(once, again)
    with pytest.raises(ValueError, match="pixels = -1"):
        shifted(x, -1, torch.Generator())


def test_augmented_images_are_cut_out_and_half_of_them_mirrored() -> None:
    x = torch.rand(400, 3, 8, 6) + 1
    y = augmented(x, torch.Generator().manual_seed(4), padding=2)
    assert y.shape == x.shape
    padded = torch.nn.functional.pad(x, (2,) * 4)
    windows = padded.unfold(2, 8, 1).unfold(3, 6, 1)  # (n, channels, 5, 5, 8, 6)
    straight = (windows == y[:, :, None, None]).all((1, 4, 5)).flatten(1).any(1)
    mirrored = (windows == y.flip(3)[:, :, None, None]).all((1, 4, 5)).flatten(1).any(1)
    assert (straight ^ mirrored).all()
    assert 150 < mirrored.sum() < 250


def test_augmentation_without_parts_of_it_and_by_its_seed() -> None:
    x = torch.rand(20, 3, 8, 8)
    assert augmented(x, torch.Generator(), padding=0, mirror=False) is x
    one, again, other = (augmented(x, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    moved = augmented(x, torch.Generator().manual_seed(1), mirror=False)
    assert torch.equal(moved, shifted(x, 4, torch.Generator().manual_seed(1)))
    with pytest.raises(ValueError, match="padding = -1"):
        augmented(x, torch.Generator(), padding=-1)
