"""Layers and parametrizations, named as torch names its own."""

from mho.learning.coverage import Coverage
from mho.learning.layer_netlist import netlist_of
from mho.learning.layers.arithmetic import FixedPoint
from mho.learning.layers.attention import MemristiveMultiheadAttention
from mho.learning.layers.bilinear import MemristiveBilinear
from mho.learning.layers.chips import Chips
from mho.learning.layers.conv import MemristiveConv1d, MemristiveConv2d, MemristiveConv3d
from mho.learning.layers.conv_transpose import (
    MemristiveConvTranspose1d,
    MemristiveConvTranspose2d,
    MemristiveConvTranspose3d,
)
from mho.learning.layers.convolution import Convolution, TransposedConvolution
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.learning.layers.linear import MemristiveLinear
from mho.learning.layers.product import Dense, Product
from mho.learning.layers.quantizer import Levels, Sign, StochasticSign, quantize
from mho.learning.layers.recurrent import MemristiveGRU, MemristiveLSTM, MemristiveRNN
from mho.learning.layers.recurrent_cells import (
    MemristiveGRUCell,
    MemristiveLSTMCell,
    MemristiveRNNCell,
)
from mho.learning.layers.structure import each_chip
from mho.learning.layers.transposed_linear import MemristiveTransposedLinear
from mho.learning.layers.variation import Variation
from mho.learning.repair.chip_batchnorm import ChipBatchNorm
from mho.learning.repair.chip_linear import ChipLinear
from mho.learning.tasks.task_states import Gate

__all__ = [
    "ArrayLayer",
    "ChipBatchNorm",
    "ChipLinear",
    "Chips",
    "Convolution",
    "Coverage",
    "Dense",
    "FixedPoint",
    "Gate",
    "Levels",
    "MemristiveBilinear",
    "MemristiveConv1d",
    "MemristiveConv2d",
    "MemristiveConv3d",
    "MemristiveConvTranspose1d",
    "MemristiveConvTranspose2d",
    "MemristiveConvTranspose3d",
    "MemristiveGRU",
    "MemristiveGRUCell",
    "MemristiveLSTM",
    "MemristiveLSTMCell",
    "MemristiveLinear",
    "MemristiveMultiheadAttention",
    "MemristiveRNN",
    "MemristiveRNNCell",
    "MemristiveTransposedLinear",
    "Product",
    "Sign",
    "StochasticSign",
    "TransposedConvolution",
    "Variation",
    "each_chip",
    "memristive_layers",
    "netlist_of",
    "quantize",
]
