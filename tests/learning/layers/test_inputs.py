"""What is said of an input that a layer cannot take."""

from typing import Any

import numpy as np
import pytest
import torch

from mho.learning.layers.inputs import check_input

WEIGHT = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.ones(3), r"conv input = a float64 array \(3,\): expected a tensor; torch.as_tensor"),
        (
            torch.ones(3, dtype=torch.int64),
            r"an int64 tensor .* torch.float32: x.to\(torch.float32",
        ),
        (torch.ones(3).double(), "conv input = a float64 tensor"),
        (
            torch.ones(3, device="meta"),
            "conv input, on meta = .*: expected a tensor on cpu, where",
        ),
        (torch.eye(3).to_sparse(), "conv input = a sparse float32 tensor"),
    ],
)
def test_what_no_layer_takes_is_refused(x: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_input("conv", x, WEIGHT)


def test_all_else_is_left_to_the_layer() -> None:
    check_input("conv", torch.ones(7), WEIGHT)
    check_input("conv", torch.ones(7).half())
