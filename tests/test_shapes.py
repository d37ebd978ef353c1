"""Shape annotations are checked while tests run, and only then."""

import subprocess
import sys

import pytest
import torch
from jaxtyping import TypeCheckError

from mho.hardware.mapping import level_index, mapping
from mho.hardware.tiling import Tiling
from mho.learning.layers.chips import chip_count
from mho.physics import Spread


def test_dimensions_of_one_name_agree() -> None:
    tiling = Tiling(in_features=3, out_features=2, tile=(4, 8), mapping=mapping("differential"))
    assert tiling.most_in_rows(torch.tensor([0, 5]), torch.ones(1, 2, dtype=torch.int32)) == 2
    with pytest.raises(TypeCheckError, match="events"):
        tiling.most_in_rows(torch.tensor([0, 5]), torch.ones(1, 3, dtype=torch.int32))


def test_a_dimension_given_by_the_object_is_held() -> None:
    tiling = Tiling(in_features=3, out_features=2, tile=(4, 8), mapping=mapping("differential"))
    assert tiling.cut(torch.zeros(5, 2, 3), 0.0).shape == (5, 1, 3, 2)
    with pytest.raises(TypeCheckError, match="matrix"):
        tiling.cut(torch.zeros(5, 3, 2), 0.0)


def test_the_kind_of_number_is_held() -> None:
    with pytest.raises(TypeCheckError, match="'z'"):
        Spread().factor(torch.zeros(3, dtype=torch.int64))
    with pytest.raises(TypeCheckError, match="full_scale"):
        level_index(torch.zeros(2, 3), torch.ones(3), 2)


def test_functions_whose_hints_name_no_shape_are_left_as_they_are() -> None:
    assert hasattr(level_index, "__wrapped__")
    assert not hasattr(chip_count, "__wrapped__")


def test_outside_of_tests_nothing_is_checked() -> None:
    code = "import torch, mho; mho.physics.Spread().factor(torch.zeros(3, dtype=torch.int64))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)
