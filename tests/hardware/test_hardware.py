"""The description of a chip refuses what cannot be built."""

from pathlib import Path

import pytest

import mho
from mho import Hardware, Placement, Preset, devices
from mho.cells import AsMeasured, LogTime, OpenLoop, SourceWrite, Verify
from mho.circuits import Sinh

CELL = devices.get("hfo2-1t1r")


@pytest.mark.parametrize(("name", "levels"), [("differential", 17), ("offset", 9), ("single", 9)])
def test_a_weight_has_as_many_levels_as_the_mapping_offers(name: str, levels: int) -> None:
    assert Hardware(device=CELL, mapping=name).levels == levels
    assert Hardware(device=CELL, mapping=name, weight_levels=5).levels == 5
    assert Hardware(device=CELL, mapping=name).cells.weight_levels(9) == levels


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("weight_levels", 4, r"weight_levels = 4: expected one of 2, 3, 5, 9, 17, which"),
        ("weight_levels", 1, r"weight_levels = 1: expected .*\[2, 1.67772e\+07\]"),
        ("dac_bits", 0, r"dac_bits = 0: expected .*\[1, 16\]"),
        ("adc_bits", 17, r"adc_bits = 17: expected .*\[2, 16\]"),
        ("tile", (0, 8), r"tile = \(0, 8\): expected .*\[1, 65536\]"),
        ("tile", (8,), r"tile = \(8,\): expected one number for both"),
        ("tile", (8, 8.5), r"tile\[1\] = 8.5: expected a whole number"),
        ("coverage", 0.0, r"coverage = 0.0: expected .*\[0\.001, 1\]"),
        ("full_scale", -1.0, r"full_scale = -1.0: expected .*\[0.001, 1e\+06\]"),
        ("copies", 0, r"copies = 0: expected .*\[1, 64\]"),
        ("copies", 65, r"copies = 65: expected .*\[1, 64\]"),
        ("placement", True, r"placement = True: expected a Placement or None"),
        ("slices", 0, r"slices = 0: expected .*\[1, 16\]"),
        ("slices", 6, r"slices = 6: expected at most 65536 values, 9\^slices"),
        ("serial_inputs", True, r"serial_inputs = True: expected False without dac_bits"),
        (
            "dac_range",
            0.0,
            r"dac_range = 0.0: expected 'calibrated' or a finite .*\[1e-09",
        ),
        ("dac_range", "column", r"dac_range = 'column': expected 'calibrated' or a finite num"),
        (
            "adc_range",
            1.5,
            r"adc_range = 1.5: expected 'calibrated' or 'column' or a finite .*1\]",
        ),
        ("mapping", "bridge", r"mapping 'bridge': .*xpected one of differential"),
        ("device", 3, r"device = 3: expected a cell, a preset, or "),
        (
            "programming",
            "verify",
            r"programming = 'verify': expected a Verify or an AsMeasured or ",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"Hardware\.{message}"):
        Hardware(**{"device": CELL, field: value})


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ValueError, match=r"adc_range = 0.1: expected 'calibrated' or 'column' w"):
        Hardware(device=CELL, adc_bits=8, adc_range=0.1)
    Hardware(device=CELL, adc_range=0.1)  # of no ADC
    with pytest.raises(ValueError, match=r"placement = .*: expected None with slices above 1"):
        Hardware(device=CELL, slices=2, placement=Placement())
    with pytest.raises(ValueError, match=r"weight_levels = 18: expected one of 2, 3, 5, 6, 9,"):
        Hardware(device=CELL, slices=2, weight_levels=18)


@pytest.mark.parametrize(
    "options", [{"adc_range": "column", "slices": 2}, {"adc_range": 1, "dac_range": 0.5}]
)
def test_ranges_survive_toml(options: dict) -> None:
    hardware = Hardware(device=CELL, dac_bits=8, adc_bits=8, serial_inputs=True, **options)
    assert Hardware.from_toml(hardware.to_toml()) == hardware


def test_copies_hold_the_same_levels_on_more_cells() -> None:
    one, three = Hardware(device=CELL), Hardware(device=CELL, copies=3)
    assert three.levels == one.levels
    assert three.cells.cells_per_weight == 3 * one.cells.cells_per_weight
    assert three.cells.read_variance == one.cells.read_variance / 3


@pytest.mark.parametrize("placement", [None, Placement(), Placement(rows=False, rounds=7)])
def test_copies_and_placement_survive_toml(placement: Placement | None) -> None:
    hardware = Hardware(device=CELL, copies=2, placement=placement)
    assert Hardware.from_toml(hardware.to_toml()) == hardware
    assert ("placement" in hardware.to_toml()) == (placement is not None)
    assert Hardware(device=CELL).merged({"placement": {"rounds": 3}}).placement == Placement(
        rounds=3
    )


def test_rounds_have_a_range() -> None:
    with pytest.raises(ValueError, match=r"Placement\.rounds = 21: expected .*\[1, 20\]"):
        Placement(rounds=21)


LAWS = ("retention", "flicker", "telegraph", "disturb")


@pytest.mark.parametrize("name", devices.PRESETS)
def test_a_preset_is_taken_whole(name: str) -> None:
    preset = devices.preset(name)
    as_table = Hardware.from_dict({"device": preset.to_dict()})
    as_name = Hardware.from_toml(f'device = "{name}"')
    other = Hardware(device="ag-asi").replace(device=name)
    for hardware in (Hardware(device=name), Hardware(device=preset), as_table, as_name, other):
        assert hardware.device == preset.device
        assert all(getattr(hardware, law) == getattr(preset, law) for law in LAWS)
        assert Hardware.from_toml(hardware.to_toml()) == hardware
    assert not Hardware(device=devices.get(name)).ages


def test_what_is_given_beside_a_preset_counts() -> None:
    law = LogTime(rate=-1e-8)
    for device in ("pcm-gst", devices.preset("pcm-gst")):
        hardware = Hardware(device=device, retention=None, programming=OpenLoop())
        assert hardware.retention is None
        assert hardware.flicker == devices.preset("pcm-gst").flicker
        assert hardware.writing == OpenLoop()
        assert Hardware(device="cmo-hfox", retention=law).retention == law
    mine = Hardware(device="pcm-gst").replace(device="cmo-hfox", retention=law)
    assert (mine.retention, mine.flicker) == (law, None)
    other_cell = Hardware(device="pcm-gst").replace(device=devices.get("cmo-hfox"))
    assert other_cell.retention == devices.preset("pcm-gst").retention


def test_a_device_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"unknown device 'pcm-gts': did you mean 'pcm-gst'\?"):
        Hardware(device="pcm-gts")
    with pytest.raises(ValueError, match=r"Preset\.device = None: expected a cell"):
        Hardware(device=Preset(retention=LogTime()))
    with pytest.raises(ValueError, match=r"did you mean 'cmo-hfox'\?"):
        Hardware(device=CELL).replace(device="cmo-hfo")


def test_a_law_of_conduction_is_said_to_take_no_part() -> None:
    preset = Preset(device=CELL, conduction=Sinh(v0=0.3))
    with pytest.warns(UserWarning, match=r"\[conduction\] is not used"):
        Hardware(device=preset)


@pytest.mark.parametrize("name", devices.PRESETS)
def test_verifying_once_more_is_told_with_what_it_leaves(name: str) -> None:
    written = devices.get(name).written is not None
    for programming in (None, OpenLoop()):
        assert Hardware(device=name, programming=programming).programming == programming
    assert Hardware(device=name).writing == (AsMeasured() if written else Verify())
    if not written:
        assert Hardware(device=name, programming=Verify()).writing == Verify()
        return
    with pytest.warns(UserWarning, match=r"'verify' leaves 0\.\d+ of the spread .* verified or"):
        Hardware(device=name, programming=Verify())


def test_relaxation_up_to_the_measurement_is_not_counted_twice_in_silence() -> None:
    aged = CELL.replace(written=SourceWrite(after=3600.0))
    with pytest.warns(
        UserWarning, match=r"begins 1 s after programming, before the 3600 s .* counts twice"
    ):
        Hardware(device=aged, retention=LogTime(rate_spread=1e-8))
    Hardware(device=aged, retention=LogTime(rate_spread=1e-8, t0=3600.0))


def test_a_programming_that_the_cells_do_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Hardware\.programming = 'as-measured': expected"):
        Hardware(device="ag-asi", programming=AsMeasured())


def test_one_number_is_a_square_tile() -> None:
    cell = mho.devices.get("hfo2-1t1r")
    assert mho.Hardware(device=cell, tile=64).tile == (64, 64)  # type: ignore[arg-type]
    for bad in (0, -4, 2.5, True, (64,), (1, 2, 3), "64"):
        with pytest.raises(ValueError, match=r"^Hardware\.tile.* = .*: expected"):
            mho.Hardware(device=cell, tile=bad)  # type: ignore[arg-type]


def test_a_device_may_be_a_file(tmp_path: Path) -> None:
    """As `mho fit` writes them; what cannot be read as one is refused by its name."""
    preset = mho.devices.preset("pcm-gst")
    file = tmp_path / "mine.toml"
    file.write_text(preset.to_toml(), encoding="utf-8")
    assert mho.Hardware(device=str(file)) == mho.Hardware(device=preset)
    with pytest.raises(ValueError, match=r"gone\.toml"):
        mho.Hardware(device=str(tmp_path / "gone.toml"))
    file.write_text('[retention]\nfamily = "power-law"\nt0 = 1.0\nnu = 0.1\n', encoding="utf-8")
    with pytest.raises(ValueError, match="device"):
        mho.Hardware(device=str(file))
