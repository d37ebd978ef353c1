import math

import numpy as np
import pytest

from mho.results.trial import Limit, Trial


def _trial(chips: float, won: list[float]) -> Trial:
    accuracy = {"as written": np.full((1, 2), chips)}
    limits = {"as written": [Limit("noise", np.array(won))]}
    return Trial("d", "n", "2", 0.9, [("fresh", 0.0)], accuracy, limits, [])


def test_a_verdict_names_what_is_certain() -> None:
    said = "fresh, as written: 40.0 points below the network in float; most by noise, 10.0 points"
    assert _trial(0.5, [0.1, 0.1]).verdicts() == [said]
    assert "larger than its error bar" in _trial(0.5, [0.3, -0.1]).verdicts()[0]
    assert "as good as" in _trial(0.9, [0.0, 0.0]).verdicts()[0]


def test_one_chip_has_no_standard_error() -> None:
    assert math.isnan(Limit("noise", np.array([0.1])).error)
    assert Limit("noise", np.array([0.1, 0.3])).error == pytest.approx(0.1)
