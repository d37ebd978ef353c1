"""Fixed orders: the same for ever, and every one as likely."""

import numpy as np

from mho.data.order import shuffled


def test_orders_never_change() -> None:
    assert shuffled(10, seed=0).tolist() == [0, 2, 9, 1, 8, 5, 4, 3, 6, 7]
    assert shuffled(10, seed=1, stream=2).tolist() == [4, 2, 0, 6, 1, 5, 9, 8, 7, 3]


def test_orders_are_uniform() -> None:
    n, draws = 5, 4000
    counts = np.zeros((n, n))
    for seed in range(draws):
        counts[np.arange(n), shuffled(n, seed=seed, stream=7)] += 1
    expected = draws / n
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert chi2 < 45  # (n - 1)**2 = 16 degrees of freedom: exceeded by 1 in 7000
