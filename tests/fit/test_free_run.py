"""A simulated course against reads that are known to lie in it, or not."""

import numpy as np
import pytest

from mho.fit.free_run import Course, judge_free_run


def judged(off: float):
    """Reads on a line of 0 to 1 but for their second half, which is off."""
    mean = np.linspace(0, 1, 11)[None]
    measured = mean + np.where(np.arange(11) > 5, off, 0.0)
    measured[0, 3] = np.nan
    course = Course(mean, mean - 0.05, mean + 0.05)
    return judge_free_run(measured, course, np.arange(11)[None], "pulse")


def test_reads_in_the_band_are_told() -> None:
    found = judged(0.0)
    assert (found.r_squared, found.worst, found.outside) == (1.0, 0.0, 0.0)
    assert not found.failed
    assert str(found).startswith("free run: R^2 1.00, worst 0 % of the window at pulse 0;")


def test_a_course_that_leaves_the_reads_has_failed() -> None:
    found = judged(0.25)
    assert found.outside == 0.5
    assert found.worst == pytest.approx(0.25 / 1.25)
    assert found.failed
    assert "20 % of the window at pulse" in str(found)
    assert not judged(0.06).failed  # outside, but hardly off


def test_reads_that_are_all_alike_have_no_variance_to_explain() -> None:
    flat = np.ones((1, 5))
    found = judge_free_run(flat, Course(flat, flat, flat), np.arange(5)[None], "pulse")
    assert np.isnan(found.r_squared)
    assert "R^2" not in str(found)
