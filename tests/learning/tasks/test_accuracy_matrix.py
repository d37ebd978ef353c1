"""Average, transfer and forgetting."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.tasks import AccuracyMatrix

NAN = math.nan
ROWS = [[90.0, 20.0, 11.0], [95.0, 80.0, 16.0], [70.0, 77.0, 85.0]]
accuracies = st.lists(st.floats(0, 100), min_size=4, max_size=4)


def test_the_figures_of_a_small_example() -> None:
    matrix = AccuracyMatrix(ROWS, before=[10.0, 12.0, 9.0])
    assert matrix.average == pytest.approx((70 + 77 + 85) / 3)
    assert matrix.backward_transfer == pytest.approx((-20 - 3) / 2)
    assert matrix.forward_transfer == pytest.approx((8 + 7) / 2)
    assert matrix.forgetting == pytest.approx((25 + 3) / 2)  # 95 after the second task


@given(st.lists(accuracies, min_size=4, max_size=4))
def test_nothing_is_forgotten_less_than_transfer_says(rows: list[list[float]]) -> None:
    matrix = AccuracyMatrix(rows)
    assert matrix.forgetting >= -matrix.backward_transfer - 1e-9


@given(accuracies)
def test_what_never_changes_is_neither_transferred_nor_forgotten(row: list[float]) -> None:
    matrix = AccuracyMatrix([row] * 4, before=row)
    assert matrix.backward_transfer == matrix.forward_transfer == matrix.forgetting == 0


def test_what_was_not_measured_is_refused_where_it_is_needed() -> None:
    learnt = AccuracyMatrix([[90.0, NAN, NAN], [95.0, 80.0, NAN], [70.0, 77.0, 85.0]])
    whole = AccuracyMatrix(ROWS)
    assert learnt.average == whole.average
    assert learnt.backward_transfer == whole.backward_transfer
    assert learnt.forgetting == whole.forgetting
    for matrix in (learnt, whole):
        with pytest.raises(ValueError, match=r"for forward_transfer = 'nan': .*tasks \[1, 2\]"):
            _ = matrix.forward_transfer
    ends = AccuracyMatrix([[NAN, 20.0, NAN], [NAN, NAN, NAN], [70.0, 77.0, 85.0]])
    with pytest.raises(ValueError, match=r"for forgetting = 'nan': .*tasks \[0\]"):
        _ = ends.forgetting
    with pytest.raises(ValueError, match=r"for backward_transfer = 'nan': .*tasks \[0, 1\]"):
        _ = ends.backward_transfer
    open_end = AccuracyMatrix([[90.0, 10.0], [NAN, 80.0]])
    for figure in ("average", "backward_transfer", "forgetting"):
        with pytest.raises(ValueError, match=rf"for {figure} = 'nan': .*tasks \[0\]"):
            getattr(open_end, figure)


def test_one_task_has_an_average_only() -> None:
    one = AccuracyMatrix([[88.0]], before=[10.0])
    assert one.average == 88.0
    for figure in ("backward_transfer", "forward_transfer", "forgetting"):
        with pytest.raises(ValueError, match=f"tasks = 1: expected at least 2 for {figure}"):
            getattr(one, figure)


def test_bad_input_is_named() -> None:
    for rows in ([], [[1.0, 2.0]], [[1.0], [2.0, 3.0]]):
        with pytest.raises(ValueError, match=r"lengths of rows = .*square"):
            AccuracyMatrix(rows)
    with pytest.raises(ValueError, match="length of before = 1: expected 3"):
        AccuracyMatrix(ROWS, before=[1.0])
    for wrong in (-1.0, 101.0, math.inf):
        with pytest.raises(ValueError, match=r"accuracy = .*0 to 100"):
            AccuracyMatrix([[wrong]])
