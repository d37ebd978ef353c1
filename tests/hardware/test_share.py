"""Shares in words."""

from __future__ import annotations

import pytest

from mho.hardware.share import WHOLE, Share, in_percent


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0 %"), (1e-9, "0.0000001 %"), (0.0004, "0.04 %"), (0.02, "2 %"), (0.514, "51 %"),
        (0.995, "99.5 %"), (0.9951, "99.5 %"), (0.99999, "99.999 %"), (1.0, "100 %"),
    ],
)  # fmt: skip
def test_only_all_is_100_percent(share: float, words: str) -> None:
    assert in_percent(share) == words


def test_nothing_is_said_of_all() -> None:
    assert str(WHOLE) == ""
    assert WHOLE.of_what("energy", "priced") == []
    half = Share(on_arrays=0.514, of="multiplications")
    assert str(half) == "51 % of the multiplications"
    assert half.of_what("energy", "priced") == [
        "energy of 51 % of the multiplications; the rest is digital and not priced"
    ]
