"""Fixed orders: shuffles that are the same on every machine and in every version.

A shuffle here is the order that sorts one raw 64-bit word per item, the words read from the
counter-based Philox 4x64 generator (Salmon et al. 2011, doi:10.1145/2063384.2063405). NumPy keeps
a bit generator's raw words unchanged for ever, which it does not promise for its ``permutation``,
nor torch for its ``randperm``. No global random state is read or changed.
"""

import numpy as np

WORDS = 2**63  # both halves of a key lie below this


def shuffled(n: int, *, seed: int, stream: int = 0) -> np.ndarray:
    """Return the order ``(n,)`` int64 of ``0 .. n - 1`` that belongs to ``(seed, stream)``.

    Both numbers lie in ``[0, 2**63)``; each pair is its own independent shuffle.
    """
    words = np.random.Philox(key=seed | stream << 64).random_raw(n)
    return np.argsort(words, kind="stable")
