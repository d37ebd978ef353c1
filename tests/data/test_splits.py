import hashlib

import numpy as np
import pytest
import torch

from mho.data import SPLITS, Samples, load
from mho.data.splits import indices

DATASETS = ("mnist", "fashion-mnist")
# labels 0 to 9 in the original files, counted in the original distribution
MNIST_TRAIN = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
# SHA-256 of the validation indices as little-endian int64: a change is a new split
VALIDATION = {
    "mnist": "a3c916c2f9c5e6fded1d33105aca9d82c7c45f8cbdf7cec15495e53f305695f3",
    "fashion-mnist": "3a79fbac768c868c6390b8c4e2acb8f6684abda24f8867e548322bc0e0e48a0b",
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole() -> dict[str, Samples]:
    return {dataset: load(dataset, "train+validation") for dataset in DATASETS}


def test_mnist_has_its_published_label_counts(whole: dict[str, Samples]) -> None:
    assert whole["mnist"].labels.bincount().tolist() == MNIST_TRAIN
    assert load("mnist", "test").labels.bincount().tolist() == MNIST_TEST


def test_fashion_mnist_is_balanced(whole: dict[str, Samples]) -> None:
    assert whole["fashion-mnist"].labels.bincount().tolist() == [6000] * 10
    assert load("fashion-mnist", "test").labels.bincount().tolist() == [1000] * 10


@pytest.mark.parametrize("dataset", DATASETS)
def test_train_and_validation_part_the_whole(dataset: str, whole: dict[str, Samples]) -> None:
    labels = whole[dataset].labels.numpy()
    train, validation = indices(labels, "train"), indices(labels, "validation")
    assert (len(train), len(validation)) == (55_000, 5_000)
    assert np.array_equal(np.sort(np.concatenate([train, validation])), np.arange(60_000))
    assert np.bincount(labels[validation]).tolist() == [500] * 10


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_validation_split_never_changes(dataset: str, whole: dict[str, Samples]) -> None:
    chosen = indices(whole[dataset].labels.numpy(), "validation")
    assert hashlib.sha256(chosen.astype("<i8").tobytes()).hexdigest() == VALIDATION[dataset]


def test_the_subsets_never_change(whole: dict[str, Samples]) -> None:
    labels = whole["mnist"].labels.numpy()
    assert indices(labels, "train", 1).tolist() == [
        26087,
        11110,
        57314,
        42500,
        49661,
        46836,
        57471,
        32960,
        26823,
        27776,
    ]
    assert indices(labels, "validation", 1).tolist() == [
        11822,
        8435,
        26652,
        45505,
        35329,
        22362,
        18533,
        58045,
        49275,
        43845,
    ]


def test_a_split_is_its_indices_of_the_file(whole: dict[str, Samples]) -> None:
    both = whole["mnist"]
    for split in ("train", "validation"):
        chosen = torch.from_numpy(indices(both.labels.numpy(), split))
        part = load("mnist", split)
        assert torch.equal(part.labels, both.labels[chosen])
        assert torch.equal(part.inputs, both.inputs[chosen])


def test_samples_have_the_promised_form() -> None:
    samples = load("mnist", "test")
    assert len(samples) == 10_000
    assert samples.inputs.shape == (10_000, 1, 28, 28)
    assert samples.inputs.dtype == torch.float32
    assert samples.inputs.stride() == (784, 784, 28, 1)  # convolutions go by it
    assert samples.labels.dtype == torch.int64
    assert samples.inputs.min() == 0
    assert samples.inputs.max() == 1
    assert torch.equal((samples.inputs * 255).round() / 255, samples.inputs)
    assert samples.name == "mnist/test"
    assert samples.classes == tuple("0123456789")
    assert samples.flat.shape == (10_000, 784)
    assert samples.flat.data_ptr() == samples.inputs.data_ptr()
    moved = samples.to("meta")
    assert moved.inputs.is_meta
    assert moved.labels.is_meta
    assert not samples.inputs.is_meta


def test_pixels_lie_where_the_file_has_them() -> None:
    # MNIST as published: the mean and spread of the training pixels, and its first digit a five
    first = load("mnist", "train+validation")
    assert first.inputs.mean().item() == pytest.approx(0.1307, abs=5e-5)
    assert first.inputs.std().item() == pytest.approx(0.3081, abs=5e-5)
    assert first.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


@pytest.mark.parametrize("split", SPLITS)
def test_subsets_are_balanced_mixed_and_nested(split: str) -> None:
    small, large = (load("mnist", split, per_class=k) for k in (3, 20))
    assert small.labels.bincount().tolist() == [3] * 10
    assert large.labels.bincount().tolist() == [20] * 10
    assert torch.equal(small.inputs, large.inputs[:30])
    rounds = large.labels.reshape(20, 10)
    assert torch.equal(rounds.sort(1).values, torch.arange(10).expand(20, 10))
    assert len({tuple(row) for row in rounds.tolist()}) == 20  # each round in its own order
    assert len(large.flat.unique(dim=0)) == 200


def test_a_subset_stays_inside_its_split(whole: dict[str, Samples]) -> None:
    labels = whole["mnist"].labels.numpy()
    train, validation = indices(labels, "train"), indices(labels, "validation")
    assert np.isin(indices(labels, "train", 4921), train).all()
    everything = indices(labels, "validation", 500)
    assert np.array_equal(np.sort(everything), validation)
    # a subset for training does not depend on whether validation is held out
    assert np.array_equal(indices(labels, "train", 100), indices(labels, "train+validation", 100))


@pytest.mark.parametrize(
    ("split", "most"),
    [("train", 4921), ("validation", 500), ("train+validation", 5421), ("test", 892)],
)
def test_per_class_out_of_range_names_the_range(split: str, most: int) -> None:
    for wrong in (0, -1, most + 1):
        with pytest.raises(ValueError, match=rf"per_class = {wrong}: .* from 1 to {most} "):
            load("mnist", split, per_class=wrong)
    assert len(load("mnist", split, per_class=most, dtype=torch.float16)) == 10 * most


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_the_dtype_is_the_one_asked_for(dtype: torch.dtype) -> None:
    samples = load("mnist", "validation", per_class=5, dtype=dtype)
    exact = load("mnist", "validation", per_class=5).inputs
    assert samples.inputs.dtype == dtype
    torch.testing.assert_close(samples.inputs.float(), exact, rtol=0, atol=4e-3)


def test_random_state_is_neither_used_nor_touched() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = load("mnist", "validation", per_class=5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    two = load("mnist", "validation", per_class=5)
    assert torch.equal(one.inputs, two.inputs)


def test_what_is_loaded_can_be_written_to() -> None:
    one = load("mnist", "validation", per_class=2)
    kept = one.inputs.clone()
    one.inputs.zero_()
    one.labels.zero_()
    again = load("mnist", "validation", per_class=2)
    assert torch.equal(again.inputs, kept)
    assert again.labels.bincount().tolist() == [2] * 10


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown dataset 'fashion': did you mean 'fashion-mnist'"):
        load("fashion", "train")
    with pytest.raises(ValueError, match="unknown split 'valid': did you mean 'validation'"):
        load("mnist", "valid")
    with pytest.raises(ValueError, match=r"dtype = torch\.uint8: .*floating"):
        load("mnist", "test", dtype=torch.uint8)
