"""Data: public data sets and users' own, their fixed splits, tasks cut from them, mini-batches."""

from mho.data.augment import augmented, shifted
from mho.data.batches import Batches, batches
from mho.data.dataset import Dataset
from mho.data.idx import read_idx
from mho.data.named import dataset
from mho.data.source import SOURCES, Source, locate
from mho.data.splits import SPLITS, Samples, load
from mho.data.tasks import Task, permuted, sequential, split, stream

__all__ = [
    "SOURCES",
    "SPLITS",
    "Batches",
    "Dataset",
    "Samples",
    "Source",
    "Task",
    "augmented",
    "batches",
    "dataset",
    "load",
    "locate",
    "permuted",
    "read_idx",
    "sequential",
    "shifted",
    "split",
    "stream",
]
