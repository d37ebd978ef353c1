"""Layers and parametrizations, named as torch names its own."""

from mho.learning.batchnorm import ChipBatchNorm
from mho.learning.chips import Chips
from mho.learning.conv import MemristiveConv2d
from mho.learning.linear import MemristiveLinear
from mho.learning.quantizer import Levels, Variation

__all__ = ["ChipBatchNorm", "Chips", "Levels", "MemristiveConv2d", "MemristiveLinear", "Variation"]
