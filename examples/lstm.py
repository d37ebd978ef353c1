"""An LSTM that reads Fashion-MNIST row by row, on chips that age.

Each image is a sequence of 28 steps of 28 pixels (Le et al. 2015, arXiv:1504.00941, go pixel by
pixel). All four gates of all steps are computed by the same two arrays.

Run: python examples/lstm.py [--quick] [--test --seeds 0 1 --out results/examples]
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import mho
from chips_over_time import Kind, Plan, main


class RowByRow(nn.Module):
    """An LSTM, and a classifier of what it has at the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(28, 128, batch_first=True)
        self.classifier = nn.Linear(128, 10)

    def forward(self, rows: Tensor) -> Tensor:
        """(n, 28, 28) to scores of 10 classes (n, 10)."""
        return self.classifier(self.lstm(rows)[0][:, -1])


def repair(chips: nn.Module, rows: Tensor) -> None:
    """Read-outs tuned, a gain and an offset for each array, without labels or writes."""
    mho.tune(chips, rows, per="layer")


PLAN = Plan(
    network=RowByRow,
    prepare=lambda images: images.squeeze(1),
    optimizer=torch.optim.AdamW,
    repair=repair,
    repair_says="read-outs tuned, a gain and an offset for each layer",
    data="fashion-mnist",
    cycles=((6, 4e-3),),
    further=2,
    further_rate=2e-3,
    clip_gradient=1.0,
    measured=200,
    kinds=(Kind("pcm-gst"), Kind("rram-neurram-1s", 3.0)),
)

if __name__ == "__main__":
    main({"lstm": PLAN}, __doc__)
