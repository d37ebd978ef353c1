"""Functions that torch.vmap cannot run give on many chips what they give on one."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import rnn as sequences

from builders.as_torch import check_chips
from mho.learning.layers.chip_pass import Together, on_all_chips, running
from mho.learning.layers.chip_rules import ChipRules

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


# ------------------------------------------------------------------ batch normalization


def together(fn, x: Tensor, chips: int = 3):
    """Run a function as a network on all chips together."""

    def run(token: Tensor, x: Tensor):
        with running(Together(chips, token)), ChipRules():
            return fn(x)

    return torch.vmap(run, in_dims=(0, None))(torch.arange(chips), x)


@pytest.mark.parametrize("trains", [False, True])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("kept", [False, True])
def test_batch_normalization_is_that_of_each_chip(trains: bool, affine: bool, kept: bool) -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4, affine=affine, track_running_stats=kept).train(trains)
    if kept:
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
    if affine:
        nn.init.normal_(norm.weight)
    x, scale = torch.randn(6, 4, 3, 3), torch.tensor([0.5, 1.0, 3.0]).view(3, 1, 1, 1, 1)
    start = {name: value.clone() for name, value in norm.state_dict().items()}
    y = together(lambda x: norm(on_all_chips(lambda every: every * scale, x)), x)
    after = {name: value.clone() for name, value in norm.state_dict().items()}
    states = []
    for chip in range(3):
        norm.load_state_dict(start)
        torch.testing.assert_close(y[chip], norm(x * scale[chip]), rtol=1e-4, atol=1e-6)
        states.append({name: value.clone() for name, value in norm.state_dict().items()})
    for name, value in after.items():
        mean = torch.stack([state[name].double() for state in states]).mean(0)
        torch.testing.assert_close(value.double(), mean, rtol=1e-5, atol=1e-6)


def test_batch_normalization_with_parameters_of_each_chip() -> None:
    x, gain = torch.randn(6, 4), torch.rand(3, 4)

    def net(x: Tensor) -> Tensor:
        own = on_all_chips(lambda ones: ones * gain, torch.ones(4))
        return F.batch_norm(x, torch.zeros(4), torch.ones(4), own, None)

    y = together(net, x)
    for chip in range(3):
        one = F.batch_norm(x, torch.zeros(4), torch.ones(4), gain[chip], None)
        torch.testing.assert_close(y[chip], one)
