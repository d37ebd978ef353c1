"""Users' own data: any shape, any number of classes, through all that takes a data set."""

import hashlib
import math
from typing import Any

import numpy as np
import pytest
import torch

from builders.own_data import CLASSES, SHAPES, arrays
from mho.data import Dataset, batches, load, permuted, sequential, split, stream
from mho.data.dataset import held

CASES = [
    *((name, "odd", True) for name in SHAPES), *((name, "two", False) for name in SHAPES),
    ("vectors", "hundred", True), ("colour", "hundred", False),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "classes", "floating"), CASES)
def test_splits_and_tasks_of_any_shape(shape: str, classes: str, floating: bool) -> None:
    size, many = SHAPES[shape], CLASSES[classes]
    given = arrays(size, many, floating=floating)
    if floating:  # in another order of memory
        given["train_x"] = np.asfortranarray(given["train_x"])
    data = Dataset.of(**given)
    assert (data.shape, len(data.classes), data.training) == (size, many, 7 * many)
    scale = 1 if floating else 255
    splits = {name: load(data, name) for name in ("train", "validation", "train+validation")}
    assert [len(s) for s in splits.values()] == [7 * many, many, 8 * many]
    whole = splits["train+validation"]
    assert torch.equal(whole.inputs, torch.from_numpy(given["train_x"]).float() / scale)
    assert torch.equal(whole.labels, torch.from_numpy(given["train_y"]).long())
    assert splits["validation"].labels.bincount().tolist() == [1] * many
    assert whole.inputs.stride() == torch.empty(whole.inputs.shape).stride()
    few = load(data, "train", per_class=3, dtype=torch.float64)
    assert few.inputs.shape == (3 * many, *size)
    assert few.inputs.dtype == torch.float64
    assert few.labels.bincount().tolist() == [3] * many
    assert few.flat.shape == (3 * many, math.prod(size))
    assert few.to("meta").inputs.is_meta

    own = permuted(data, 2, seed=1)[1].load("test")
    plain = load(data, "test")
    assert own.inputs.shape == plain.inputs.shape
    assert torch.equal(own.flat.sort(1).values, plain.flat.sort(1).values)
    assert not torch.equal(own.inputs, plain.inputs)
    parts = [task.load("train") for task in stream(data, 3)]
    assert sum(map(len, parts)) == 7 * many
    groups = [(0,), tuple(range(1, many))]
    tasks = split(data, groups)
    assert sum(len(task.load("test")) for task in tasks) == len(plain)
    assert sequential([data])[0].count("test") == len(plain)
    x, y = next(iter(batches(few, 4, seed=2)))
    assert x.shape == (4, *size)
    assert y.shape == (4,)


def test_two_classes_a_task_are_the_default_of_an_even_number() -> None:
    tasks = split(Dataset.of(**arrays((4,), 100)), relabel=True)
    assert len(tasks) == 50
    assert tasks[7].classes == (14, 15)
    with pytest.raises(ValueError, match=r"groups = None: expected .* 5 make no pairs"):
        split(Dataset.of(**arrays((4,), 5)))


def test_tensors_are_as_good_as_arrays_and_names_are_kept() -> None:
    given = arrays((6,), 3)
    tensors = {name: torch.from_numpy(value) for name, value in given.items()}
    both = [Dataset.of(**each, classes=("a", "b", "c")) for each in (given, tensors)]
    assert both[0].sha256 == both[1].sha256
    assert load(both[1], "test").classes == ("a", "b", "c")
    half = {k: v.bfloat16() if k.endswith("x") else v for k, v in tensors.items()}
    assert load(Dataset.of(**half), "test").inputs.dtype == torch.float32


def test_the_digest_is_of_what_the_arrays_hold() -> None:
    given = arrays((2, 3), 2)
    digest = hashlib.sha256()
    for name in ("train_x", "train_y", "test_x", "test_y"):
        value = given[name]
        digest.update(f"{name} {value.dtype.str} {value.shape} ".encode() + value.tobytes())
    assert Dataset.of(**given).sha256 == digest.hexdigest()
    swapped = {k: v.astype(v.dtype.newbyteorder(">")) for k, v in given.items()}
    assert Dataset.of(**swapped).sha256 == digest.hexdigest()
    changed = given | {"test_y": 1 - given["test_y"]}
    assert Dataset.of(**changed).sha256 != digest.hexdigest()


def test_a_tenth_is_held_out_and_no_more_than_five_hundred() -> None:
    counts = np.array([1, 2, 9, 20, 4990, 5000, 6742])
    assert held(counts, None).tolist() == [0, 1, 1, 2, 499, 500, 500]
    assert held(counts, 7).tolist() == [7] * 7
    data = Dataset.of(**arrays((3,), 2), held_out=3)
    assert load(data, "validation").labels.bincount().tolist() == [3, 3]


def test_what_is_loaded_is_a_copy() -> None:
    given = arrays((3,), 2)
    data = Dataset.of(**given)
    load(data, "test").inputs.zero_()
    assert load(data, "test").inputs.any()


def _with(**changes: Any) -> dict[str, Any]:
    return arrays((4,), 3) | changes


NAN = arrays((4,), 3)["train_x"].copy()
NAN[5, 2] = np.nan


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (_with(train_x=[1.0]), r"train_x = .*: expected a tensor with its numbers, dense, or"),
        (_with(train_x=np.zeros(24)), r"shape of train_x = \(24,\): expected \(n, \.\.\.\)"),
        (_with(test_x=np.zeros((0, 4))), r"shape of test_x = \(0, 4\)"),
        (_with(train_x=np.zeros((24, 4), np.int64)), "type of train_x = 'int64': .*uint8"),
        (_with(train_x=np.zeros((24, 4), object)), "type of train_x = 'object'"),
        (_with(train_x=NAN), r"train_x\[5\] = 'nan or inf'"),
        (_with(test_x=np.zeros((12, 5))), r"shape of a sample of test_x = \(5,\): expected \(4,"),
        (_with(test_x=np.zeros((12, 4), np.uint8)), "type of test_x = 'uint8': .*as train_x is"),
        (_with(test_x=np.zeros((11, 4))), r"len\(test_x\), len\(test_y\) = \(11, 12\)"),
        (_with(test_y=np.zeros(12)), r"test_y = 'float64 \(12,\)'"),
        (_with(train_y=np.zeros((24, 1), int)), r"train_y = 'int64 \(24, 1\)'"),
        (_with(train_y=np.arange(24) - 1), r"train_y\[0\] = -1: .*numbered from 0"),
        (_with(test_y=np.arange(12)), r"test_y\[3\] = 3: expected 0 to 2, the 3 classes"),
        (_with(train_y=np.arange(24) % 3 + 1), "class 0 .* = 0: .*at least 2"),
        (_with(train_y=np.full(24, 10**12)), r"train_y\[0\] = 10{12}: "),
        (_with(train_y=np.zeros(24, int), test_y=np.zeros(12, int)), "classes = .*at least two"),
        (_with(classes=("a", "a", "b")), "classes = .*each once"),
        (_with(classes=("a", "b")), r"_y\[\d+\] = 2: expected 0 to 1"),
        (_with(held_out=8), "held_out = 8: expected from 1 to 7"),
        (_with(held_out=0), "held_out = 0"),
    ],
)
def test_what_does_not_fit_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Dataset.of(**given)
    assert "\n" not in str(caught.value)


def test_a_class_without_test_samples_can_be_tested_whole_alone() -> None:
    given = arrays((4,), 3)
    keep = given["test_y"] != 1
    data = Dataset.of(**given | {name: given[name][keep] for name in ("test_x", "test_y")})
    assert load(data, "test").labels.bincount().tolist() == [4, 0, 4]
    with pytest.raises(ValueError, match=r"per_class = 1: .*no sample of some class"):
        load(data, "test", per_class=1)
