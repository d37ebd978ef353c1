import pytest

import mho
from mho.lab.question import Question, levels_offered, network_of


@pytest.mark.parametrize("name", mho.devices.PRESETS)
def test_every_device_can_be_asked_about_at_all_levels_that_are_offered(name: str) -> None:
    preset = mho.devices.preset(name)
    levels = levels_offered(preset)
    assert levels == sorted(set(levels))
    for count in levels:
        asked = Question(name=name, device=preset, weight_levels=count)
        assert asked.hardware.levels == count
    assert Question(name=name, device=preset).hardware.levels == levels[-1]


def test_what_the_chips_are_is_what_was_asked() -> None:
    asked = Question(
        name="pcm-gst", device=mho.devices.preset("pcm-gst"), tile=64, dac_bits=5, adc_bits=6,
        wire_resistance=1.5, weight_levels=7, age="a day",
    )  # fmt: skip
    chips = asked.hardware
    assert (chips.tile, chips.dac_bits, chips.adc_bits, chips.levels) == ((64, 64), 5, 6, 7)
    assert chips.wire_resistance == 1.5
    assert chips.retention == asked.device.retention
    assert asked.seconds == 86_400.0


def test_a_law_of_conduction_takes_no_part_without_a_warning() -> None:
    preset = mho.devices.preset("hfo2-1t1r").replace(conduction=mho.circuits.Sinh(v0=0.3))
    assert Question(name="bent", device=preset).hardware.device == preset.device


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"weight_levels": 8}, "Hardware.weight_levels = 8: expected one of 2, 3, 5, 9, 17"),
        ({"adc_bits": 1}, "Question.adc_bits = 1"),
        ({"tile": 8}, "Question.tile = 8"),
        ({"chips": 1}, "Question.chips = 1"),
        ({"wire_resistance": -1.0}, "Question.wire_resistance = -1.0"),
        ({"device": mho.devices.preset("hfo2-1t1r").replace(device=None)}, "Preset.device"),
    ],
)
def test_what_cannot_be_asked_is_refused(wrong: dict, said: str) -> None:
    right = {"name": "hfo2-1t1r", "device": mho.devices.preset("hfo2-1t1r")}
    with pytest.raises(ValueError, match=said):
        Question(**(right | wrong))


def test_two_states_go_with_binary_weights() -> None:
    assert network_of(mho.devices.preset("two-state-10k-100k")) == "binary weights"
    assert network_of(mho.devices.preset("pcm-gst")) == "float weights"
