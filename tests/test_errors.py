"""Refusals: one sentence with the field, the value and what is allowed, or the nearest name."""

from mho.errors import NotConverged, invalid, unknown


def test_a_value_outside_its_range_names_all_three() -> None:
    error = invalid("A.b", -1.0, "[0, inf)")
    assert isinstance(error, ValueError)
    assert str(error) == "A.b = -1.0: allowed is [0, inf)"


def test_the_nearest_name_is_suggested_where_one_is_near() -> None:
    assert str(unknown("task", "mnits", ["mnist", "cifar"])) == (
        "unknown task 'mnits': did you mean 'mnist'? known are cifar, mnist"
    )
    assert str(unknown("task", "zzz", ["mnist"])) == "unknown task 'zzz': known are mnist"


def test_what_did_not_converge_says_how_far_it_came() -> None:
    error = NotConverged(residual=1e-3, tolerance=1e-9, failed=2, samples=5, iterations=30)
    assert (error.residual, error.tolerance) == (1e-3, 1e-9)
    assert (error.failed, error.samples, error.iterations) == (2, 5, 30)
    assert "residual 0.001, tolerance 1e-09, in 2 of 5 samples after 30 iterations" in str(error)
