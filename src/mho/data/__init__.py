"""Data: MNIST and Fashion-MNIST, their fixed splits, and reproducible mini-batches."""

from mho.data.batches import Batches, batches
from mho.data.idx import read_idx
from mho.data.shift import shifted
from mho.data.source import SOURCES, Source, locate
from mho.data.splits import SPLITS, Samples, load

__all__ = [
    "SOURCES",
    "SPLITS",
    "Batches",
    "Samples",
    "Source",
    "batches",
    "load",
    "locate",
    "read_idx",
    "shifted",
]
