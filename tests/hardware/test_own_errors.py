"""What is drawn for each chip, and when."""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from mho.hardware.own_errors import OwnErrors


class Numbers(NamedTuple):
    z: Tensor


class Made(OwnErrors[Numbers]):
    kind: ClassVar[str] = "made up"
    times = 0

    def _drawn(self) -> Numbers:
        self.times += 1
        return Numbers(self._normal("z", 4))


def test_errors_are_drawn_once_and_by_seed_and_chip_alone() -> None:
    made, cpu = Made(), torch.device("cpu")
    made.belong_to(3, range(5))
    first = made.on(cpu).z
    made.belong_to(3, range(5))
    assert made.on(cpu).z is first
    assert made.times == 1
    made.belong_to(3, range(2, 4))
    assert torch.equal(made.on(cpu).z, first[2:4])
    made.belong_to(4, range(5))
    assert not torch.equal(made.on(cpu).z, first)
