"""Tasks of continual learning: what each holds, and that it never changes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mho.data import Task, load, permuted, sequential, split, stream
from mho.data.order import shuffled
from mho.data.splits import indices


def test_a_sequence_is_the_data_sets_themselves() -> None:
    tasks = sequential(["mnist", "fashion-mnist"])
    assert [task.name for task in tasks] == ["mnist", "fashion-mnist"]
    for task in tasks:
        own, whole = task.load("validation"), load(task.dataset, "validation")
        assert torch.equal(own.inputs, whole.inputs)
        assert torch.equal(own.labels, whole.labels)
        assert own.name == f"{task.name}/validation"
        assert own.classes == whole.classes


def test_permuted_images_hold_the_same_pixels_in_an_order_of_their_own() -> None:
    tasks = permuted("mnist", 4, seed=3)
    assert [t.name for t in tasks] == ["mnist", *(f"mnist permuted {k}" for k in (1, 2, 3))]
    plain = load("mnist", "validation", per_class=20)
    loaded = [task.load("validation", per_class=20) for task in tasks]
    assert torch.equal(loaded[0].inputs, plain.inputs)
    assert len({tuple(own.inputs.flatten().tolist()) for own in loaded}) == 4
    for own in loaded:
        assert own.inputs.shape == plain.inputs.shape
        assert own.inputs.dtype == torch.float32
        assert torch.equal(own.flat.sort(1).values, plain.flat.sort(1).values)
        assert torch.equal(own.labels, plain.labels)


def test_an_order_of_pixels_is_one_for_all_splits_and_any_number_of_tasks() -> None:
    few, many = permuted("mnist", 3, seed=5), permuted("mnist", 10, seed=5)
    assert many[:3] == few
    order = torch.from_numpy(shuffled(784, seed=5, stream=2**62 + 2))
    assert order[:5].tolist() == [646, 734, 423, 590, 754]  # a change is another task
    for name in ("train", "validation", "test"):
        plain, own = (load("mnist", name, per_class=9), few[2].load(name, per_class=9))
        assert torch.equal(own.flat, plain.flat[:, order])
    other = permuted("mnist", 3, seed=6)[2].load("test", per_class=9)
    assert not torch.equal(other.inputs, own.inputs)


@pytest.mark.parametrize("relabel", [False, True])
def test_a_group_holds_the_samples_of_its_classes(relabel: bool) -> None:
    tasks = split("fashion-mnist", [(5, 1, 9), (0, 2, 4)], relabel=relabel)
    whole = load("fashion-mnist", "validation")
    assert [task.name for task in tasks] == [
        "fashion-mnist classes 5, 1, 9", "fashion-mnist classes 0, 2, 4",
    ]  # fmt: skip
    for task in tasks:
        assert task.classes is not None
        own = task.load("validation")
        of_group = torch.isin(whole.labels, torch.tensor(task.classes))
        assert torch.equal(own.inputs, whole.inputs[of_group])
        names = [own.classes[k] for k in own.labels]
        assert names == [whole.classes[k] for k in whole.labels[of_group]]
        assert own.labels.unique().tolist() == ([0, 1, 2] if relabel else sorted(task.classes))
        few = task.load("train", per_class=7).labels
        assert few.bincount()[few.unique()].tolist() == [7, 7, 7]


def test_pairs_are_the_default_groups() -> None:
    tasks = split("mnist")
    assert [task.classes for task in tasks] == [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
    assert tasks[2].name == "mnist classes 4, 5"
    assert sum(len(task.load("test")) for task in tasks) == 10_000


@given(parts=st.integers(1, 30), of=st.sampled_from(["train", "train+validation"]))
def test_parts_are_disjoint_whole_equal_and_of_one_mix(parts: int, of: str) -> None:
    labels = np.random.default_rng(0).choice(7, 9000, p=[0.1, 0.2, 0.14, 0.14, 0.14, 0.14, 0.14])
    whole = indices(labels, of)
    cut = [indices(labels, of, part=(k, parts)) for k in range(parts)]
    assert np.array_equal(np.sort(np.concatenate(cut)), whole)
    assert {len(part) for part in cut} <= {len(whole) // parts, -(-len(whole) // parts)}
    share = np.bincount(labels[whole]) / parts
    for part in cut:
        assert (np.abs(np.bincount(labels[part], minlength=7) - share) < 2).all()


def test_a_stream_cuts_the_training_images_only() -> None:
    tasks = stream("fashion-mnist", 60)
    assert tasks[6].name == "fashion-mnist part 7 of 60"
    parts = [tasks[k].load("train") for k in (0, 6)]
    assert [len(part) for part in parts] == [917, 917]
    assert len(torch.cat([part.flat for part in parts]).unique(dim=0)) == 2 * 917
    changes = (parts[0].labels.diff() != 0).float().mean()
    assert changes > 0.8  # mixed order
    assert {len(t.load("train+validation")) for t in tasks[::59]} == {1000}
    for whole in ("validation", "test"):
        own, all_ = tasks[6].load(whole), load("fashion-mnist", whole)
        assert torch.equal(own.inputs, all_.inputs)
        assert torch.equal(own.labels, all_.labels)


def test_a_subset_of_a_part_is_balanced_and_stays_inside() -> None:
    task = stream("mnist", 40)[39]
    part, few = task.load("train"), task.load("train", per_class=5)
    assert few.labels.bincount().tolist() == [5] * 10
    rows = {tuple(row) for row in part.flat.tolist()}
    assert all(tuple(row) in rows for row in few.flat.tolist())
    with pytest.raises(ValueError, match=r"per_class = 900: .* from 1 to 12\d for 'train'"):
        task.load("train", per_class=900)


@pytest.mark.parametrize("per_class", [None, 3])
@pytest.mark.parametrize("of", ["train", "validation"])
def test_samples_are_counted_as_they_are_loaded(of: str, per_class: int | None) -> None:
    for task in (permuted("mnist", 2, seed=1)[1], split("mnist")[2], stream("mnist", 7)[3]):
        assert task.count(of, per_class) == len(task.load(of, per_class))
    with pytest.raises(ValueError, match="unknown split"):
        sequential(["mnist"])[0].count("trian")


def test_tasks_are_plain_values() -> None:
    task = stream("mnist", 3)[1]
    assert task == stream("mnist", 3)[1]
    assert len({task, *stream("mnist", 3)}) == 3
    assert replace(task, part=(0, 2)).part == (0, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sequential([]), r"datasets = \(\): expected at least one, each once"),
        (lambda: sequential(["mnist", "mnist"]), "datasets = .*each once"),
        (lambda: sequential(["mnits"]), "unknown dataset 'mnits': did you mean 'mnist'"),
        (lambda: permuted("mnits", 2, 0), "unknown dataset 'mnits'"),
        (lambda: permuted("mnist", 0, 0), "tasks = 0: expected an integer of 1 or more"),
        (lambda: permuted("mnist", 2, -1), "seed = -1: expected an integer from 0"),
        (lambda: split("mnits"), "unknown dataset 'mnits'"),
        (lambda: split("mnist", []), "groups = .*at least one"),
        (lambda: split("mnist", [(0,), ()]), "groups = .*none of them empty"),
        (lambda: split("mnist", [(0, 1), (1, 2)]), "groups = .*classes 0 to 9, each once"),
        (lambda: split("mnist", [(0, 10)]), "groups = .*classes 0 to 9, each once"),
        (lambda: split("mnist", [(0, 1), (2,)], relabel=True), "groups of one size with relabel"),
        (lambda: stream("mnist", 0), "parts = 0: expected an integer from 1 to 55000"),
        (lambda: stream("mnits", 2), "unknown dataset 'mnits'"),
        (lambda: Task(name="a", dataset="mnist", relabel=True), r"Task\.relabel = True"),
        (lambda: Task(name="a", dataset="mnist", classes=()), r"Task\.classes = \(\)"),
        (lambda: Task(name="a", dataset="mnist", part=(3, 3)), r"Task\.part = \(3, 3\)"),
        (lambda: Task(name="a", dataset="mnist", permutation=(0, -1)), r"Task\.permutation = "),
        (lambda: Task(name="a", dataset="mnist").load("trian"), "unknown split 'trian'"),
    ],
)
def test_bad_input_is_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
