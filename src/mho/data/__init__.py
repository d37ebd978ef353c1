"""Data: MNIST and Fashion-MNIST, their fixed splits, tasks cut from them, mini-batches."""

from mho.data.batches import Batches, batches
from mho.data.idx import read_idx
from mho.data.shift import shifted
from mho.data.source import SOURCES, Source, locate
from mho.data.splits import SPLITS, Samples, load
from mho.data.tasks import Task, permuted, sequential, split, stream

__all__ = [
    "SOURCES",
    "SPLITS",
    "Batches",
    "Samples",
    "Source",
    "Task",
    "batches",
    "load",
    "locate",
    "permuted",
    "read_idx",
    "sequential",
    "shifted",
    "split",
    "stream",
]
