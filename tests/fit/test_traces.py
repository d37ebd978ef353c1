"""Which reads are one trace, and at what temperature."""

import numpy as np
import pytest

from builders.measurements import csv
from mho.errors import InvalidInput
from mho.fit import parse
from mho.fit.traces import traces_of


def text(*rows: tuple[object, ...], head: str = "cell,T [degC],time [h],G [uS]") -> str:
    return csv(head, *zip(*rows, strict=True))


def test_a_cell_at_two_temperatures_is_two_traces() -> None:
    rows = (1, 85, 1, 5.0), (1, 85, 10, 4.0), (1, 125, 1, 5.0), (1, 125, 10, 3.0)
    t = traces_of(parse(text(*rows), "x"), None)
    assert t.trace.tolist() == [0, 0, 1, 1]
    assert t.several
    assert t.labels("device", "state", "level").tolist() == [0, 0]


def test_bakes_that_follow_one_another_are_one_course() -> None:
    t = traces_of(parse(text((1, 25, 0, 5.0), (1, 85, 1, 4.5), (1, 125, 2, 4.0), (1, 150, 3, 3.0)),
                        "x"), None)  # fmt: skip
    assert t.trace.tolist() == [0] * 4
    assert t.kelvin.tolist() == pytest.approx([298.15, 358.15, 398.15, 423.15])


def test_before_is_time_zero_beside_a_column_of_times() -> None:
    head = "cell,bake temperature [degC],bake time [h],R before [kOhm],R after [kOhm]"
    t = traces_of(parse(text((1, 125, 2, 5.0, 6.0), (2, 150, 4, 5.0, 7.0), head=head), "x"), None)
    assert t.time.tolist() == [0, 7200, 0, 14400]
    np.testing.assert_allclose(1e-3 / t.g, [5, 6, 5, 7])


def test_one_read_before_several_bakes_is_refused() -> None:
    head = "cell,R before [kOhm],R after 1 h 125 C [kOhm],R after 1 h 150 C [kOhm]"
    with pytest.raises(InvalidInput, match="if one bake followed another"):
        traces_of(parse(text((1, 5.0, 6.0, 7.0), (2, 5.0, 6.0, 7.0), head=head), "x"), None)


def test_a_thermometer_makes_no_traces() -> None:
    rows = [(1, 25 + 0.3 * (-1) ** k, 1.0 + k, 5.0) for k in range(6)]
    t = traces_of(parse(text(*rows), "x"), None)
    assert set(t.trace.tolist()) == {0}
    assert not t.several
