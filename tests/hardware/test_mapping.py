"""Mappings: slices hold digits, pairs alone can be flipped, and what is refused."""

import pytest
import torch

from mho.hardware import MAPPINGS, mapping


@pytest.mark.parametrize("name", MAPPINGS)
def test_only_pairs_can_be_flipped(name: str) -> None:
    assert (mapping(name).flip is not None) == (name == "differential")
    assert (mapping(name).copied(2).flip is not None) == (name == "differential")


def test_slices_hold_the_digits_of_the_magnitude() -> None:
    cells = mapping("differential").sliced(4, 4)  # 8 bits on cells of 2
    assert cells.weight_levels(4) == 511
    own = cells.own_levels(torch.tensor([255 + 0b11_01_00_10, 255 - 0b00_01_10_11]), 511, 4)
    assert own.view(2, 4, 2)[0].tolist() == [[0b10, 0], [0b00, 0], [0b01, 0], [0b11, 0]]
    assert own.view(2, 4, 2)[1].tolist() == [[0, 0b11], [0, 0b10], [0, 0b01], [0, 0b00]]
    plain = mapping("single").sliced(4, 4)
    assert plain.weight_levels(4) == 256
    assert plain.own_levels(torch.tensor([0b11_01_00_10]), 256, 4).tolist() == [[2, 0, 1, 3]]
    with pytest.raises(ValueError, match="cell levels of a sliced weight = 5: expected the radi"):
        cells.weight_levels(5)


@pytest.mark.parametrize("n", [0, 1, 4, 18])
def test_illegal_weight_levels_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"weight_levels = {n}: expected one of 2, 3, 5, 9, 17,"):
        mapping("differential").check_levels(n, 9)


def test_an_unknown_mapping_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown mapping 'diferential': did you mean 'diff"):
        mapping("diferential")
