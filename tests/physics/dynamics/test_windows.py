import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mho.physics import dynamics
from mho.physics.dynamics import Biolek, Joglekar, Sine, transient

UP, DOWN = torch.tensor([True]), torch.tensor([False])


@given(x=st.floats(0, 1), p=st.floats(1, 20))
def test_windows_lie_between_0_and_1(x: float, p: float) -> None:
    at = torch.tensor([x], dtype=torch.float64)
    for window in (Joglekar(p=p), Biolek(p=p)):
        for rising in (UP, DOWN):
            assert 0 <= window.factor(at, rising) <= 1


@given(x=st.floats(0, 1), p=st.floats(1, 20))
def test_windows_are_symmetric(x: float, p: float) -> None:
    """What slows a rise at x slows a fall at 1 - x."""
    at = torch.tensor([x], dtype=torch.float64)
    for window in (Joglekar(p=p), Biolek(p=p)):
        torch.testing.assert_close(window.factor(at, UP), window.factor(1 - at, DOWN))


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_at_the_ends(p: float) -> None:
    ends = torch.tensor([0.0, 1.0])
    assert Joglekar(p=p).factor(ends, UP).tolist() == [0, 0]
    assert Biolek(p=p).factor(ends, UP).tolist() == [1, 0]
    assert Biolek(p=p).factor(ends, DOWN).tolist() == [0, 1]
    assert Joglekar(p=p).factor(torch.tensor([0.5]), UP) == 1


def test_a_joglekar_window_never_lets_go_of_an_end_and_a_biolek_window_does() -> None:
    wave = Sine(amplitude=3.0, frequency=1.0)
    model = dynamics.get("tio2-joglekar").replace(start=0.0)
    assert transient(model, wave, samples=20).state.max() == 0
    assert transient(model.replace(window=Biolek()), wave, samples=20).state.max() > 0.1
