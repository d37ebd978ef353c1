"""Functions that torch.vmap cannot run give on many chips what they give on one."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import rnn as sequences

from builders.as_torch import check_chips

LENGTHS = [2, 6, 1, 3]


class Packs(nn.Module):
    """Packs what a layer on arrays gives, and goes on with it in some way."""

    def __init__(self, end: str, batch_first: bool) -> None:
        super().__init__()
        self.layer, self.last = nn.Linear(5, 7), nn.Linear(7, 3)
        self.end, self.batch_first = end, batch_first

    def forward(self, x: Tensor, lengths: Tensor) -> object:
        x, first = self.layer(x), self.batch_first
        if self.end == "pack_sequence":
            rows = [row[:n] for row, n in zip(x.unbind(0 if first else 1), LENGTHS, strict=True)]
            return self.last(sequences.pack_sequence(rows, enforce_sorted=False).data)
        packed = sequences.pack_padded_sequence(x, lengths, first, enforce_sorted=False)
        packed = packed._replace(data=self.last(packed.data))
        if self.end == "packed":
            return packed.data
        if self.end == "unpack":
            return sequences.unpack_sequence(packed)
        y, n = sequences.pad_packed_sequence(packed, first, padding_value=-1.0, total_length=8)
        return {"padded": y, "lengths": n}


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("end", ["packed", "pad", "unpack", "pack_sequence"])
def test_sequences_are_packed_for_all_chips_at_once(end: str, batch_first: bool) -> None:
    """A network that was run chip by chip would warn, which is an error here."""
    x = torch.randn((4, 6, 5) if batch_first else (6, 4, 5))
    check_chips(Packs(end, batch_first), [x, torch.tensor(LENGTHS)])
