"""Trains that no cell makes: a fit with finite numbers, or one plain sentence."""

import math
import warnings

import numpy as np
import pytest

from mho.errors import InvalidInput
from mho.fit import fit, parse

RNG = np.random.default_rng(0)
UP = np.linspace(1, 10, 12)
RISE, FALL = UP.tolist(), UP[::-1].tolist()
TRAINS: dict[str, tuple[list[float], list[float]]] = {
    "random": (RNG.uniform(1, 10, 20).tolist(), RNG.uniform(1, 10, 20).tolist()),
    "constant": ([5.0] * 12, [5.0] * 12),
    "constant but for noise": (RNG.normal(5, 0.1, 20).tolist(), RNG.normal(5, 0.1, 20).tolist()),
    "saturated after a pulse": ([1.0, *[10.0] * 15], [1.0] * 15),
    "saturated, with noise": (
        [1.0, *RNG.normal(10, 0.05, 20)], [*RNG.normal(1, 0.05, 20)]
    ),
    "one read": ([1.0], []),
    "few": (RISE[:3], FALL[:3]),
    "huge": ([1e7 * g for g in RISE], [1e7 * g for g in FALL]),
    "tiny": ([1e-9 * g for g in RISE], [1e-9 * g for g in FALL]),
    "the wrong way": (FALL, RISE),
    "both up": (RISE, [g + 10 for g in RISE]),
    "both down": ([g + 10 for g in FALL], FALL),
    "gaps alone": ([math.nan] * 12, [math.nan] * 12),
    "gaps at the ends": ([*RISE[:-3], *[math.nan] * 3], [*FALL[:-3], *[math.nan] * 3]),
    "every other read missing": (
        [g if k % 2 else math.nan for k, g in enumerate(RISE)],
        [g if k % 2 else math.nan for k, g in enumerate(FALL)],
    ),
    "SET alone": (RISE, []),
    "RESET alone": ([], FALL),
    "exactly even": (RISE, FALL),
    "exactly exponential": ((10 - 9 * 0.7 ** np.arange(15)).tolist(),
                            (1 + 9 * 0.7 ** np.arange(1, 15)).tolist()),
    "steps that grow": (np.geomspace(1, 100, 15).tolist(), np.linspace(95, 1, 15).tolist()),
    "logarithmic": ((1 + 3 * np.log1p(np.arange(18))).tolist(),
                    (9.6 - 3 * np.log1p(np.arange(1, 18))).tolist()),
    "from 0 S": (np.linspace(0, 1e-3, 12).tolist(), np.linspace(9e-4, 0, 12).tolist()),
}  # fmt: skip
INTERNALS = ("array", "inf ", "NaN", "nan", "domain", "solver", "singular", "axis", "float", "zero")


@pytest.mark.parametrize("name", TRAINS)
def test_a_fit_has_finite_numbers_or_a_plain_refusal(name: str) -> None:
    sets, resets = TRAINS[name]
    rows = [(k, "SET", g) for k, g in enumerate(sets)]
    rows += [(k + 1, "RESET", g) for k, g in enumerate(resets)]
    lines = [f"{k},{way},{'' if math.isnan(g) else f'{g:.12g}'}" for k, way, g in rows]
    text = "\n".join(("pulse,polarity,G [uS]", *lines))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = fit(parse(text, "x"))
    except InvalidInput as refusal:
        said = str(refusal)
        assert "\n" not in said
        assert not [word for word in INTERNALS if word in said], said
        swapped = "is the sign swapped?" in said
        assert swapped == (name == "the wrong way")
        return
    assert name not in ("the wrong way", "both up", "both down", "SET alone", "constant")
    assert all(math.isfinite(p.value) for p in found.parameters)
    assert found.goodness.free_run is not None
