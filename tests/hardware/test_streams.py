"""Random numbers keyed by their purpose: the keys are an interface and never change."""

import enum

import numpy as np
import pytest
import torch
from scipy import stats

from mho import kernels
from mho.hardware.philox import normals
from mho.hardware.streams import ChipNoise, JoinedNoise, derived_seed, key, seed_of


def test_keys_never_change() -> None:
    # A change makes every published seed another chip.
    assert key(0) == 5_263_075_011_782_779_848
    assert key(1, "layers.0") == 9_376_636_585_107_952_002
    assert key(7, 3, "program", 12, 0) == 1_447_060_778_319_302_725
    assert derived_seed(1, "layers.0") == 4_688_318_292_553_976_001


def test_keys_tell_words_apart() -> None:
    words = [(), (0,), (1,), ("1",), (1, 0), (10,), (0, 1), ("a", "b"), ("ab",), ("a, b",), (-1,)]
    words += [("'", "'"), ("', '",), (2**64 - 1,), (2**64,), ("\u00e9",), ("\\xe9",), ("True",)]
    keys = [key(*w) for w in words]
    assert len(set(keys)) == len(words)
    assert all(0 <= k < 2**64 for k in keys)
    assert max(keys) > 2**63  # all bits are used
    assert all(0 <= derived_seed(*w) < 2**63 for w in words)


class Number(enum.IntEnum):
    THREE = 3


class Name(enum.StrEnum):
    READ = "read"


@pytest.mark.parametrize(
    "three",
    [
        *(make(3) for make in (np.int8, np.int64, np.uint64, np.intp)),
        *(torch.tensor(3, dtype=t) for t in (torch.int8, torch.int64, torch.uint8)),
        *(np.array(3), Number.THREE),
    ],
)
def test_an_integer_counts_by_its_value(three) -> None:
    assert key(three) == key(3)
    assert key(1, "x", three) == key(1, "x", 3)
    assert derived_seed(three, 0) == derived_seed(3, 0)


def test_true_is_1_and_strings_are_strings() -> None:
    for true in (True, np.True_, torch.tensor(True)):
        assert key(true) == key(1)
    assert key(Name.READ) == key(np.str_("read")) == key("read")


@pytest.mark.parametrize(
    "word", [1.0, np.float32(1), None, b"read", (1,), torch.tensor(1.0), torch.ones(2).long()]
)
def test_other_words_are_refused(word) -> None:
    with pytest.raises(TypeError):
        key(0, word)


def test_keys_of_many_events_differ() -> None:
    seen = {key(12345, 0, "program", event, 0) for event in range(300_000)}
    assert len(seen) == 300_000
    # nor do any 40 bits of them meet more often than by chance
    upper = {k >> 24 for k in seen}
    assert len(seen) - len(upper) <= stats.poisson.ppf(0.99999, 300_000**2 / 2 / 2**40)


def test_every_bit_of_a_key_counts() -> None:
    first = normals([0], 100)
    for bit in range(64):
        assert (normals([1 << bit], 100) != first).float().mean() > 0.9


def test_the_seed_is_drawn_from_the_generator_or_from_torch() -> None:
    one, two = (torch.Generator().manual_seed(s) for s in (1, 1))
    first = seed_of(one)
    assert first == seed_of(two)
    assert first != seed_of(one)
    torch.manual_seed(5)
    drawn = [seed_of(None) for _ in range(3)]
    assert len(set(drawn)) == 3
    torch.manual_seed(5)
    assert [seed_of(None) for _ in range(3)] == drawn


def test_noise_of_a_chip_does_not_depend_on_the_others() -> None:
    many = ChipNoise(3, range(8), ("x",), (4, 5))
    alone = ChipNoise(3, range(6, 7), ("x",), (4, 5))
    for _ in range(2):
        assert torch.equal(many.normal()[6], alone.normal()[0])
        assert torch.equal(many.uniform()[6], alone.uniform()[0])


def test_every_draw_is_fresh() -> None:
    noise = ChipNoise(3, range(2), ("x",), (1000,))
    draws = torch.cat(
        [noise.normal(), noise.normal(), ChipNoise(3, range(2), ("y",), (1000,)).normal()]
    )
    correlation = torch.corrcoef(draws) - torch.eye(6)
    assert correlation.abs().max() < 0.16  # 5 standard errors


def test_uniform_numbers_lie_in_the_open_interval() -> None:
    u = ChipNoise(1, range(1), (), (2_000_000,)).uniform()
    assert u.min() > 0
    assert u.max() < 1
    assert torch.isfinite(torch.special.ndtri(u)).all()


def test_joined_noise_is_its_parts() -> None:
    def part(word: str, n: int) -> ChipNoise:
        return ChipNoise(1, range(3), (word,), (n,))

    joined = JoinedNoise([part("a", 4), part("b", 2)])
    apart = [part("a", 4), part("b", 2)]
    assert torch.equal(joined.normal(), torch.cat([p.normal() for p in apart], 1))
    assert torch.equal(joined.uniform(), torch.cat([p.uniform() for p in apart], 1))


@pytest.mark.parametrize("shape", [(), (7,), (3, 4, 5), (0,), (2, 0)])
@pytest.mark.parametrize("chips", [range(1), range(3, 8)])
def test_noise_is_the_same_with_and_without_kernels(shape: tuple[int, ...], chips: range) -> None:
    def drawn() -> list[torch.Tensor]:
        noise = ChipNoise(2**62, chips, ("x", 1), shape)
        return [noise.normal(), noise.uniform(), noise.normal()]

    compiled = drawn()
    assert all(d.shape == (len(chips), *shape) and d.dtype == torch.float32 for d in compiled)
    with kernels.off():
        for one, two in zip(drawn(), compiled, strict=True):
            assert torch.equal(one, two)
