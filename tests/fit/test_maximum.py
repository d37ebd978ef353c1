"""Newton's method on likelihoods whose maximum is known in closed form."""

import numpy as np
import pytest

from mho.fit.maximum import maximise


def quadratic(centre: np.ndarray, curve: np.ndarray):
    """-(x - c) H (x - c) / 2 of one group."""

    def likelihood(rows: np.ndarray) -> np.ndarray:
        off = rows - centre
        return 7.0 - 0.5 * np.einsum("bgi,ij,bgj->bg", off, curve, off)

    return likelihood


def test_a_parabola_is_solved_exactly() -> None:
    centre = np.array([0.7, -1.2, 2.0])
    half = np.array([[2.0, 0.0, 0.0], [0.5, 1.0, 0.0], [-0.3, 0.2, 3.0]])
    curve = half @ half.T
    found = maximise(quadratic(centre, curve), np.zeros(3))
    np.testing.assert_allclose(found.shared, centre, atol=1e-5)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(curve), rtol=1e-5, atol=1e-7)
    assert found.error(1) == pytest.approx(np.linalg.inv(curve)[1, 1] ** 0.5, rel=1e-5)
    assert found.value == pytest.approx(7.0)
    assert found.settled
    assert found.aic() == pytest.approx(2 * 3 - 2 * 7.0)
    assert found.aic(2) == pytest.approx(2 * 5 - 2 * 7.0)
    assert found.own.shape == (1, 0)


def test_groups_share_a_deviation_and_have_means_of_their_own() -> None:
    """Normal samples: ln sigma is shared, each group has its mean; textbook covariances."""
    rng = np.random.default_rng(0)
    groups = [rng.normal(mean, 0.5, n) for mean, n in ((0.0, 30), (1.0, 50), (-0.4, 20))]

    def likelihood(rows: np.ndarray) -> np.ndarray:
        log, mean = rows[..., 0], rows[..., 1]
        return np.stack(
            [
                (-0.5 * ((y - mean[:, g, None]) / np.exp(log[:, g, None])) ** 2).sum(-1)
                - len(y) * log[:, g]
                for g, y in enumerate(groups)
            ],
            axis=1,
        )

    found = maximise(likelihood, np.zeros(1), np.zeros((3, 1)))
    n = sum(map(len, groups))
    sigma = (sum(((y - y.mean()) ** 2).sum() for y in groups) / n) ** 0.5
    np.testing.assert_allclose(found.own[:, 0], [y.mean() for y in groups], atol=1e-4)
    assert np.exp(found.shared[0]) == pytest.approx(sigma, rel=1e-4)
    assert found.error(0) == pytest.approx((2 * n) ** -0.5, rel=1e-3)
    for g, y in enumerate(groups):
        assert found.error(1 + g) == pytest.approx(sigma / len(y) ** 0.5, rel=1e-3)
    assert abs(found.covariance[1, 2]) < 1e-6
    assert found.settled


def test_a_flat_likelihood_is_not_settled() -> None:
    assert not maximise(lambda rows: np.zeros(rows.shape[:2]), np.zeros(2)).settled
    slope = maximise(lambda rows: rows[..., 0], np.zeros(1), rounds=3)
    assert not slope.settled


def test_a_likelihood_of_another_shape_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match=r"likelihood of shape"):
        maximise(lambda rows: rows, np.zeros(2))
