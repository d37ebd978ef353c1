"""ResNet-8 on CIFAR-10, or its depthwise-separable variant, on chips that age.

Three stages of one residual block each, 16, 32 and 64 channels (He et al. 2016,
10.1109/CVPR.2016.90, with n = 1; shortcuts by 1 x 1 convolution). In resnet8-separable each 3 x 3
convolution is a depthwise one and a 1 x 1 one (MobileNet, Howard et al. 2017, arXiv:1704.04861).

Run: python examples/resnet.py [resnet8-separable] [--quick] [--test --out results/examples]
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

import mho
from chips_over_time import Kind, Plan, main


def convolution(inputs: int, outputs: int, stride: int, separable: bool) -> nn.Module:
    """A 3 x 3 convolution with its batch normalization."""
    if not separable:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        )
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs), nn.ReLU(),
        nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs),
    )  # fmt: skip


class Block(nn.Module):
    """Two convolutions, and a way past them."""

    def __init__(self, inputs: int, outputs: int, stride: int, separable: bool) -> None:
        super().__init__()
        self.first = convolution(inputs, outputs, stride, separable)
        self.second = convolution(outputs, outputs, 1, separable)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, height, width) to (n, outputs, height / stride, width / stride)."""
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


def resnet8(separable: bool = False) -> nn.Sequential:
    """Colour images (n, 3, 32, 32) to scores of 10 classes."""
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        Block(16, 16, 1, separable), Block(16, 32, 2, separable), Block(32, 64, 2, separable),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
    return net.to(memory_format=torch.channels_last)  # trains faster on CPUs


def repair(chips: nn.Module, images: Tensor) -> None:
    """Read-outs tuned, then batch normalizations refreshed; no label, no write."""
    mho.tune(chips, images[:128])
    mho.refresh_batchnorm(chips, images.split(64))


PLAN = Plan(
    network=resnet8,
    prepare=lambda images: images.sub_(0.5).mul_(4),
    optimizer=partial(torch.optim.SGD, momentum=0.9, nesterov=True, weight_decay=5e-4),
    repair=repair,
    repair_says="read-outs tuned, then batch normalizations refreshed",
    data="cifar10",
    augment=mho.data.augmented,
    bfloat16=True,
    ranges=None,
    teacher=0.9,
    full_scale_per="column",
    kinds=(
        Kind("pcm-gst"),
        Kind("pcm-gst", copies=4),
        Kind("rram-neurram-1s", 2.0, copies=4),
    ),
    cycles=((24, 0.2), (12, 0.05)),
    further=6,
    further_rate=0.02,
)
PLANS = {"resnet8": PLAN, "resnet8-separable": replace(PLAN, network=partial(resnet8, True))}

if __name__ == "__main__":
    main(PLANS, __doc__)
