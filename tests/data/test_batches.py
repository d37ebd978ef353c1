import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mho.data import Samples, batches
from mho.data.order import shuffled

WORDS = st.integers(0, 2**63 - 1)


def pair(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.arange(n, dtype=torch.float32)
    return torch.stack([x, -x], 1), torch.arange(n)


@given(
    n=st.integers(1, 60),
    batch_size=st.integers(1, 70),
    seed=st.none() | WORDS,
    epoch=WORDS,
)
def test_an_epoch_sees_every_sample_once(
    n: int, batch_size: int, seed: int | None, epoch: int
) -> None:
    epoch_of = batches(pair(n), batch_size, seed=seed, epoch=epoch)
    steps = list(epoch_of)
    assert len(steps) == len(epoch_of) == -(-n // batch_size)
    assert all(len(x) == len(y) == batch_size for x, y in steps[:-1])
    x, y = (torch.cat(part) for part in zip(*steps, strict=True))
    assert torch.equal(x, torch.stack([y, -y], 1).float())  # pairs stay pairs
    assert torch.equal(y if seed is None else y.sort().values, torch.arange(n))


@given(n=st.integers(2, 60), seed=st.none() | WORDS, data=st.data())
def test_dropping_the_last_leaves_full_batches(
    n: int, seed: int | None, data: st.DataObject
) -> None:
    batch_size = data.draw(st.integers(1, n))
    kept = list(batches(pair(n), batch_size, seed=seed))
    dropped = list(batches(pair(n), batch_size, seed=seed, drop_last=True))
    assert len(dropped) == n // batch_size
    for (x, y), (same_x, same_y) in zip(dropped, kept, strict=False):
        assert len(x) == batch_size
        assert torch.equal(x, same_x)
        assert torch.equal(y, same_y)


@given(n=st.integers(1, 60), batch_size=st.integers(1, 20), seed=st.none() | WORDS, epoch=WORDS)
def test_any_step_is_reproduced_from_scratch(
    n: int, batch_size: int, seed: int | None, epoch: int
) -> None:
    whole = batches(pair(n), batch_size, seed=seed, epoch=epoch)
    for _ in range(2):  # iterating again gives the same
        for step, (x, y) in enumerate(whole):
            again_x, again_y = batches(pair(n), batch_size, seed=seed, epoch=epoch).at(step)
            assert torch.equal(x, again_x)
            assert torch.equal(y, again_y)


def test_seed_and_epoch_each_change_the_order() -> None:
    def order(seed: int, epoch: int) -> tuple[int, ...]:
        return tuple(batches(pair(50), 50, seed=seed, epoch=epoch).at(0)[1].tolist())

    seen = {order(seed, epoch) for seed in range(10) for epoch in range(10)}
    assert len(seen) == 100


def test_the_batch_size_does_not_change_the_order() -> None:
    for size in (1, 7, 50):
        y = torch.cat([y for _, y in batches(pair(50), size, seed=3)])
        assert y.tolist() == shuffled(50, seed=3).tolist()


def test_random_state_is_neither_used_nor_touched() -> None:
    torch.manual_seed(1)
    before, legacy = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    list(batches(pair(20), 6, seed=4))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], legacy)  # noqa: NPY002


def test_samples_give_images_and_labels() -> None:
    samples = Samples(
        inputs=torch.rand(6, 1, 28, 28), labels=torch.arange(6), name="t", classes=("a",)
    )
    x, y = batches(samples, 4, seed=0).at(0)
    assert x.shape == (4, 1, 28, 28)
    assert torch.equal(x, samples.inputs[y])


def test_in_order_batches_are_views() -> None:
    x, y = pair(10)
    got_x, got_y = batches((x, y), 4, seed=None).at(1)
    assert got_x.data_ptr() == x[4:].data_ptr()
    assert got_y.data_ptr() == y[4:].data_ptr()


def test_bad_numbers_are_named() -> None:
    data = pair(10)
    for size in (0, -1):
        with pytest.raises(ValueError, match=rf"batch_size = {size}: .* 1 or more"):
            batches(data, size, seed=0)
    with pytest.raises(ValueError, match=r"batch_size = 11: .* from 1 to 10"):
        batches(data, 11, seed=0, drop_last=True)
    with pytest.raises(ValueError, match="seed = -1: "):
        batches(data, 2, seed=-1)
    with pytest.raises(ValueError, match="epoch = -1: "):
        batches(data, 2, seed=0, epoch=-1)
    with pytest.raises(ValueError, match=r"len\(x\), len\(y\) = \(10, 9\): "):
        batches((data[0], data[1][:9]), 2, seed=0)
    with pytest.raises(ValueError, match=r"= \(0, 0\): .*at least 1"):
        batches(pair(0), 2, seed=0)
    for step in (-1, 5):
        with pytest.raises(ValueError, match=f"step = {step}: .* from 0 to 4"):
            batches(data, 2, seed=0).at(step)
