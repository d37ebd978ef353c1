"""What tells points apart."""

from mho.sweep import plan
from mho.sweep.points import varied


def test_the_seed_comes_last() -> None:
    points = plan.make("siamese", seeds=2, grid={"writes.hysteresis": [0.6, 0.7]}).points()
    assert varied(points) == ["writes.hysteresis", "seed"]
    assert varied(points[:1]) == []


def test_a_setting_that_only_some_have_varies() -> None:
    points = plan.make("siamese", grid={"hardware.adc_bits": [4, 6]}).points()
    without = plan.make("siamese").points()
    assert "hardware.adc_bits" in varied([*points, *without])
