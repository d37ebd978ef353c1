"""The chips of a run: their settings as a table, their cell as a card."""

import mho
from mho.experiments import EXPERIMENTS
from mho.experiments.setup import setup_of


def test_hardware_is_a_table_with_a_card() -> None:
    hardware = mho.Hardware(device="pcm-gst", adc_bits=6, wire_resistance=2.0, tile=(64, 32))
    config = EXPERIMENTS["siamese"].preset("quick").replace(hardware=hardware)
    setup = setup_of(config.to_toml())
    assert setup is not None
    rows = {name: (value, what) for name, value, what in setup.hardware}
    assert rows["adc_bits"][0] == "6"
    assert rows["tile"][0] == "64 x 32"
    assert rows["wire_resistance"][0].startswith("2")
    assert all(what for _, what in rows.values())
    assert "retention" not in rows  # on the card
    assert dict(setup.cell.numbers)["cell"] == "multi-level"


def test_settings_without_hardware_have_none() -> None:
    assert setup_of(None) is None
    assert setup_of("seed = 1\n") is None
    assert setup_of("not TOML") is None
    assert setup_of("[hardware]\nunknown = 3\n") is None
