"""A small vision transformer on Fashion-MNIST, on chips that age.

An image is 16 patches of 7 x 7 pixels, and a class token beside them (Dosovitskiy et al. 2021,
arXiv:2010.11929). All weights are on arrays; the products of queries, keys and values, which are
products of two activations, stay digital.

Run: python examples/vit.py [--quick] [--test --seeds 0 1 --out results/examples]
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from chips_over_time import Plan, main


class ViT(nn.Module):
    """Patches, four of torch's own encoder layers, and a classifier of the class token."""

    def __init__(self, width: int = 64, heads: int = 4, layers: int = 4) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 7, 7)
        self.places = nn.Embedding(17, width)
        nn.init.normal_(self.places.weight, 0.0, 0.02)
        self.register_buffer("order", torch.arange(17))
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 1, 28, 28) to scores of 10 classes (n, 10)."""
        patches = self.patches(images).flatten(2).mT  # (n, 16, width)
        tokens = F.pad(patches, (0, 0, 1, 0)) + self.places(self.order)  # the class token is first
        return self.classifier(self.norm(self.encoder(tokens)[:, 0]))


def repair(chips: nn.Module, images: Tensor) -> None:
    """Read-outs tuned: a gain and an offset for each column, without labels or writes."""
    mho.tune(chips, images[:128])


PLAN = Plan(
    network=ViT,
    prepare=lambda images: images.sub_(0.5).mul_(2),
    optimizer=torch.optim.AdamW,
    repair=repair,
    repair_says="read-outs tuned, a gain and an offset for each column",
    data="fashion-mnist",
    cycles=((6, 2e-3),),
    further=2,
    further_rate=1e-3,
    clip_gradient=1.0,
    measured=200,
)

if __name__ == "__main__":
    main({"vit": PLAN}, __doc__)
