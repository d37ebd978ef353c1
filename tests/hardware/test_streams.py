"""Random numbers keyed by their purpose: the keys are an interface and never change."""

import torch

from mho.hardware.streams import ChipNoise, JoinedNoise, key, seed_of


def test_keys_never_change() -> None:
    # A change makes every published seed another chip.
    assert key(0) == 2_631_537_505_891_389_924
    assert key(1, "layers.0") == 4_688_318_292_553_976_001
    assert key(7, 3, "program", 12, 0) == 723_530_389_159_651_362


def test_keys_tell_words_apart_and_fit_a_generator() -> None:
    words = [(), (0,), (1,), ("1",), (1, 0), (10,), (0, 1), ("a", "b"), ("ab",), ("a, b",)]
    keys = [key(*w) for w in words]
    assert len(set(keys)) == len(words)
    assert all(0 <= k < 2**63 for k in keys)


def test_the_seed_comes_from_the_generator_or_is_read_from_torch() -> None:
    one, two = (torch.Generator().manual_seed(s) for s in (1, 1))
    first = seed_of(one)
    assert first == seed_of(two)
    assert first != seed_of(one)
    before = torch.get_rng_state()
    assert seed_of(None) == torch.initial_seed() >> 1
    assert torch.equal(torch.get_rng_state(), before)


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
