import itertools
import math

import pytest
import torch
from torch import Tensor

from mho.physics.dynamics import PulseTrain, Samples, Sine, Triangle, Waveform

WAVES: dict[str, Waveform] = {
    "sine": Sine(amplitude=2.0, frequency=50.0, cycles=2),
    "triangle": Triangle(amplitude=-1.5, frequency=1e3, cycles=2),
    "pulses": PulseTrain(amplitude=-0.8, width=1e-6, rise=1e-8, rest=2e-6, count=3),
    "samples": Samples(times=(0.0, 1.0, 1.5, 4.0), volts=(0.5, 1.0, -1.0, 0.0)),
}

waves = pytest.mark.parametrize("wave", WAVES.values(), ids=WAVES)


def seconds(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@waves
def test_corners_rise_from_the_start_to_the_end(wave: Waveform) -> None:
    corners = wave.corners()
    assert corners[0] == 0
    assert corners[-1].item() == pytest.approx(wave.duration, rel=1e-12)
    assert (corners.diff() > 0).all()


@waves
def test_between_corners_a_voltage_keeps_its_sign_and_is_what_a_piece_says(wave: Waveform) -> None:
    corners = wave.corners().tolist()
    for begin, end in itertools.pairwise(corners):
        ends = tuple(wave.at(seconds(begin, end)).tolist())
        s = torch.linspace(0.02, 0.98, 25, dtype=torch.float64) * (end - begin)
        v = wave.at(begin + s)
        tiny = 1e-9
        assert (v > -tiny).all() or (v < tiny).all()
        ours = wave.piece(begin, end, (ends[0], ends[1]))(s)
        torch.testing.assert_close(ours, v, rtol=0, atol=1e-9)


@waves
def test_toml_gives_back_the_same(wave: Waveform) -> None:
    assert type(wave).from_toml(wave.to_toml()) == wave


def test_shapes() -> None:
    sine = WAVES["sine"].at(seconds(0.0, 0.005, 0.015, 0.04))
    torch.testing.assert_close(sine, seconds(0.0, 2.0, -2.0, 0.0), rtol=0, atol=1e-12)
    triangle = WAVES["triangle"].at(seconds(0.0, 0.25e-3, 0.5e-3, 0.625e-3, 0.75e-3, 1e-3))
    expected = seconds(0.0, -1.5, 0.0, 0.75, 1.5, 0.0)
    torch.testing.assert_close(triangle, expected, rtol=0, atol=1e-12)
    train = PulseTrain(amplitude=1.0, width=2.0, rise=1.0, rest=3.0, count=2)
    v = train.at(seconds(0, 0.25, 1, 2, 3, 3.5, 4, 5, 7, 7.5, 8.5, 14))
    assert v.tolist() == [0, 0.25, 1, 1, 1, 0.5, 0, 0, 0, 0.5, 1, 0]
    assert train.ends().tolist() == [7, 14]
    samples = WAVES["samples"]
    assert samples.at(seconds(0, 0.5, 1.25, 4)).tolist() == [0.5, 0.75, 0, 0]
    assert samples.corners().tolist() == [0, 1, 1.25, 1.5, 4]


def test_late_pieces_of_a_sine_keep_their_phase() -> None:
    wave = Sine(amplitude=1.0, frequency=1e6, cycles=10**6)
    begin = 999_999.25e-6
    v = wave.piece(begin, begin + 1e-7, (1.0, 0.0))(torch.tensor([0.0, 1e-7]))
    expected = torch.tensor([1.0, math.cos(0.2 * math.pi)])
    torch.testing.assert_close(v, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("times", "volts", "field"),
    [
        ((0.0,), (1.0,), "times"),
        ((1.0, 2.0), (0.0, 0.0), "times"),
        ((0.0, 2.0, 2.0), (0.0, 0.0, 0.0), "times"),
        ((0.0, 2.0), (0.0, 0.0, 0.0), "volts"),
    ],
)
def test_samples_that_make_no_waveform_are_refused(
    times: tuple[float, ...], volts: tuple[float, ...], field: str
) -> None:
    with pytest.raises(ValueError, match=f"Samples.{field}"):
        Samples(times=times, volts=volts)
