"""Numbers outside the bounds of a field, whatever the record and the field, are said."""

import pytest

from mho.fit.within import within
from mho.physics import PulseResponse, PulseTable

BOUNDED = {
    "g_min": (-1e-6, 0.0), "pulses": (2e5, 100_000), "nonlinearity": ((12.0, -11.0), (10.0, -10.0)),
    "reset_ratio": (0.01, 0.1), "cycle_spread": (200.0, 100.0), "device_spread": (1.7, 1.0),
    "read_noise": (1.2, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", BOUNDED)
def test_what_a_field_cannot_hold_is_brought_in_and_said(name: str) -> None:
    found, held = BOUNDED[name]
    taken, remarks = within(PulseResponse, {name: found})
    assert taken == {name: held}
    assert len(remarks) == (2 if isinstance(found, tuple) else 1)
    for remark in remarks:
        assert remark.startswith(name)
        assert "that the family takes" in remark


def test_what_a_field_can_hold_is_left_alone() -> None:
    values = {"g": (1e-6, 2e-6), "set_step": (1e-7, 2e-7), "read_noise": 0.1}
    assert within(PulseTable, values) == (values, [])


def test_a_number_that_must_be_whole_is_rounded_and_said_if_that_matters() -> None:
    assert within(PulseResponse, {"pulses": 3.4}) == (
        {"pulses": 3}, ["pulses 3.4: written as 3, a whole number"]
    )  # fmt: skip
    assert within(PulseResponse, {"pulses": 1000.4}) == ({"pulses": 1000}, [])
