"""A data set by its name, its file or its folder."""

import os
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from mho.arguments import checked
from mho.data.cifar import read_cifar
from mho.data.dataset import ARRAYS, Dataset
from mho.data.idx import read_idx
from mho.data.images import files_of, read_images
from mho.data.npz import read_npz
from mho.data.sample_set import is_sample_set
from mho.data.source import CIFAR, IDX, SOURCES, locate, read_file
from mho.data.stand_in import stood_in
from mho.errors import InvalidInput, invalid, unknown
from mho.files.code import call_code, is_code, sha256_of


@checked
def dataset(data: str | Path | Dataset) -> Dataset:
    """Return the data set of a name of `SOURCES`, of a ``.npz`` file, of a folder of images, or of
    a function of a user's own file, ``FILE.py:NAME``.

    A ``.npz`` file holds ``train_x``, ``train_y``, ``test_x`` and ``test_y`` as `Dataset.of` takes
    them, and may hold ``classes``; it is read without pickle. A folder, whose name has a / in it
    (``./photos``), holds ``train/CLASS/`` and ``test/CLASS/`` with images (png, jpg, bmp) of one
    size, all grey or all RGB. A function is called without arguments and gives a `Dataset`, the
    four arrays, or two sample sets, as `Dataset.of_samples` takes them. All are read at once; of a
    public data set the files are read when an array is asked for. A `Dataset` is given back.

    Raises:
        ValueError: nothing has that name, or what has it is no data set.
    """
    if isinstance(data, Dataset):
        return stood_in(data)
    public = isinstance(data, str) and is_public(data)
    return stood_in(_source(str(data)) if public else _own(str(data)))


def label(data: str | Path | Dataset) -> str:
    """Return what results call a data set; nothing is read."""
    name = data.name if isinstance(data, Dataset) else str(data)
    return SOURCES[name].label if name in SOURCES else Path(name).name


def is_public(name: str) -> bool:
    """Whether a name is one of `SOURCES`, of which all but the samples is known without reading,
    and not that of a file or folder.

    Raises:
        ValueError: it is none of both: a file ends in .npz, a folder has a / in its name.
    """
    if is_code(name):
        return False
    if name in SOURCES or "/" in name or os.sep in name or name.endswith(".npz"):
        return name in SOURCES
    if os.path.isdir(name):
        raise invalid("data", name, f"a folder with a / in its name, as ./{name}")
    raise unknown("dataset", name, SOURCES)


def _source(name: str) -> Dataset:
    source = SOURCES[name]
    return Dataset(
        name=name, shape=source.shape, classes=source.classes, training=source.training,
        array=partial(_public, name),
    )  # fmt: skip


def _own(name: str) -> Dataset:
    if is_code(name):
        return _called(name, sha256_of(name))
    path = Path(name)
    if os.path.isdir(name):
        files = [p for by in files_of(path).values() for each in by.values() for p in each]
        return _folder(name, path.resolve(), tuple(map(_stamp, files)))
    if path.suffix != ".npz" or not os.path.isfile(name):
        sources = ", ".join(SOURCES)
        raise invalid("data", name, f"one of {sources}, a .npz file or a folder of images")
    return _npz(name, path.resolve(), _stamp(path))


def _stamp(path: Path) -> tuple[str, int, int]:
    """What changes when a file does."""
    stat = path.stat()
    return str(path), stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=8)
def _npz(name: str, path: Path, stamp: object) -> Dataset:
    return read_npz(path, name)


@lru_cache(maxsize=8)
def _called(name: str, digest: str) -> Dataset:
    """What a function of a user's file gives: a `Dataset`, its four arrays, or two sample sets."""
    found = call_code("data", name)
    if isinstance(found, Dataset):
        return replace(found, name=name)
    several = isinstance(found, tuple | list)
    sets = several and len(found) == 2 and all(map(is_sample_set, found))
    if not several or (len(found) != len(ARRAYS) and not sets):
        allowed = f"one that gives {', '.join(ARRAYS)}; two sample sets, train, test; or a Dataset"
        raise invalid("data", name, allowed)
    try:
        return Dataset.of_samples(*found, name=name) if sets else Dataset.of(*found, name=name)
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}") from error


@lru_cache(maxsize=8)
def _folder(name: str, path: Path, stamp: object) -> Dataset:
    return read_images(path, name)


def _public(name: str, part: str) -> np.ndarray:
    """One of the arrays of a public data set, read-only."""
    file = CIFAR if CIFAR in SOURCES[name].files else IDX[part]
    path, sha256 = locate(name, file), SOURCES[name].files[file]
    _, *stamp = _stamp(path)
    if file == CIFAR:
        return _archive(path, sha256, tuple(stamp))[part]
    array = _decoded(path, sha256, tuple(stamp))
    return array.reshape(-1, *SOURCES[name].shape) if part.endswith("_x") else array


@lru_cache(maxsize=8)  # the files of two data sets, 110 MB
def _decoded(path: Path, sha256: str, stamp: tuple[int, ...]) -> np.ndarray:
    """Return the array in a file, read-only; ``stamp`` changes when the file does."""
    return read_idx(read_file(path, sha256), str(path))


@lru_cache(maxsize=1)  # 184 MB
def _archive(path: Path, sha256: str, stamp: tuple[int, ...]) -> dict[str, Any]:
    """Return the arrays in the archive of CIFAR-10, read-only; likewise."""
    return read_cifar(read_file(path, sha256), str(path))
