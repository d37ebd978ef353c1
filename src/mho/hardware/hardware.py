"""The description of the chips that a network runs on."""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from mho.arguments import checked
from mho.circuits.wiring import Wires
from mho.config import Config, Range, Taken, otherwise
from mho.errors import invalid, unknown, warn
from mho.hardware.adc import ADC, IdealADC
from mho.hardware.dac import DAC, IdealDAC
from mho.hardware.mapping import MAPPINGS, Mapping, mapping
from mho.hardware.placement import Placement
from mho.physics import (
    Cell,
    Disturb,
    Flicker,
    Preset,
    Programming,
    Retention,
    Telegraph,
    as_obtained,
    devices,
    spread_left,
)
from mho.physics.of_conductance import check_in_window
from mho.quantities import Count, LineOhms

OVER_TIME = ("retention", "flicker", "telegraph", "disturb")
"""Fields of `Hardware` and of `Preset` that say what time and use do to a cell."""

_OF_PRESET: Any = object()
"""Default of what a preset says beside its cell; None without a preset."""

_SAME_SPREAD = 0.99
"""Share of a measured spread from which on it counts as kept."""

_LEAST_STEP = 1e-6
"""Step between levels as a share of the highest that single precision tells apart."""

_MOST_MAGNITUDES = 1 << 16
"""Largest base^slices: beyond, float32 no longer tells the levels apart well."""


def _preset(device: Cell | Preset | str) -> Preset | None:
    """The preset that a device is: itself, or by its name, its file or as a table; None: a cell
    alone.

    Raises:
        ValueError: there is none of that name.
    """
    if isinstance(device, str):
        return devices.read(device) if device.endswith(".toml") else devices.preset(device)
    if isinstance(device, Table) and "family" not in device:
        return Preset.from_dict(device)
    return device if isinstance(device, Preset) else None


class Hardware(Config):
    """Cells, arrays and converters: everything that is the same on all chips of a kind.

    A preset given as the device gives all that it says of time and noise too; what is given beside
    it counts instead.

    Warns: cells do not keep the spread that was published, or relax twice; a preset's law of
    conduction is not used.
    """

    device: Taken[Cell | Preset | str, Cell]
    """The cell, a preset, the name of a published one (mho list devices), or its .toml file."""
    retention: Retention | None = _OF_PRESET
    """How cells relax as `mho.age` lets time pass; None: they do not."""
    flicker: Flicker | None = _OF_PRESET
    """1/f noise of the cells, frozen but when `mho.age` lets time pass; None: none."""
    telegraph: Telegraph | None = _OF_PRESET
    """Random telegraph noise, likewise."""
    disturb: Disturb | None = _OF_PRESET
    """What reads, and pulses on neighbours, do to a cell by the next `mho.age`; None: nothing."""
    mapping: str = "differential"
    """How a weight sits on cells: differential, offset, single, or a name put into MAPPINGS."""
    interleaved: bool = False
    """Whether the two cells of each pair lie in neighbouring rows, driven at opposite voltages, and
    share a bit line: what flows in it is the difference of their currents, and less is lost in its
    wire. An input then takes two rows of a tile, a weight one column of it. Only of "differential",
    or another mapping of such pairs."""
    copies: Annotated[int, Range(least=1, most=64)] = 1
    """Cells (or pairs) that hold each weight side by side, their currents averaged [1]."""
    slices: Annotated[int, Range(least=1, most=16)] = 1
    """Groups of cells that hold the digits of each weight's level, each as many values as a cell
    has levels: 4 slices of 4-level cells are 8 bits of magnitude. With an ADC each slice is
    converted on its own and added digitally [1]."""
    placement: Placement | None = None
    """How weights are fitted to the cells of each chip before they are first written; None: they
    are not, and nothing is surveyed."""
    tile: Taken[int | Sequence[int], Annotated[tuple[int, int], Range(least=1, most=65536)]] = (
        otherwise(default=(128, 128))
    )
    """Rows (word lines, one an input) and cell columns (bit lines) of one array [1]."""
    wire_resistance: LineOhms | Wires = 0.0
    """Of every segment of word lines and bit lines [ohm], or all that is known of the wires. The
    layers take cells as ohmic; programming and verifying see each cell without its wires. With a
    `source_line`, inputs turn cells on or off, bit by bit, and each is solved exactly."""
    wire_refresh: Count = 1
    """Write steps after which the wires of the arrays written are solved anew [1]; until then a
    cell that is written counts as changed by the ratio of its conductances."""
    predistortion: Annotated[int, Range(least=0, most=1000)] = 0
    """Rounds in which the levels that a network is mapped to are corrected for the wires [1]; of
    use where cells have more levels than weights. 0: not at all."""
    programming: Programming | None = None
    """How cells are written; None: so that they show the spread of their numbers, which is
    program-and-verify where these are of single pulses, else as-measured."""
    weight_levels: Annotated[int, Range(least=2, most=1 << 24)] | None = None
    """Values that a weight can take [1]; None: as many as the mapping offers."""
    full_scale: Annotated[float, Range(least=1e-3, most=1e6)] | None = None
    """Weight at the edge of the window, in standard deviations of a layer's weights about 0 (their
    root mean square) [1]; None: the layer's largest weight."""
    full_scale_per: Literal["layer", "column"] = "layer"
    """What has a full scale of its own. "column": each column of a layer, so that the weights of
    all columns use the whole window; outputs are multiplied by the columns' factors digitally,
    behind the ADCs."""
    dac_bits: Annotated[int, Range(least=1, most=16)] | None = None
    """Resolution of the inputs, sign included [1]; None: exact. 1: an input is the DAC's range with
    the sign of the input, that of 0 positive."""
    signed_inputs: bool = True
    """Whether inputs have a sign. False: they are 0 or more, and the DAC's codes are those from 0
    to 2^dac_bits - 1; of 1 bit, 0 and its range. Padding of convolutions is 0 either way."""
    adc_bits: Annotated[int, Range(least=2, most=16)] | None = None
    """Resolution of the outputs, sign included [1]; None: exact."""
    adc: ADC = IdealADC()
    """Architecture of the ADCs, with the errors that each is made with: ideal, sar, ramp, flash."""
    dac: DAC = IdealDAC()
    """Architecture of the DACs, with the errors that the driver of each row is made with: ideal,
    string, binary."""
    dac_range: Literal["calibrated"] | Annotated[float, Range(least=1e-9, most=1e9)] = "calibrated"
    """Largest input that the DACs apply, in units of each layer's inputs [1]; "calibrated": what
    `mho.calibrate` sees, chip by chip."""
    adc_range: Literal["calibrated", "column"] | Annotated[float, Range(least=1e-6, most=1.0)] = (
        "calibrated"
    )
    """Largest current that the ADCs tell apart. "calibrated": one range a chip and layer, from what
    `mho.calibrate` sees; "column": so for each column of each tile. A number is fixed by design: a
    share of the largest current that the ADC can see, all inputs at the DAC's edge and all weights
    at the edge of the window; in amperes, share * rows * read voltage * G, where G is G_max - G_min
    for "differential", half of that for "offset", and G_max for "single", whose columns are
    converted as they are [1]."""
    range_growth: Annotated[float, Range(least=1.0, most=16.0)] = 1.25
    """Factor by which a calibrated range widens, chip by chip or column by column, after a forward
    pass in training mode in which more than `1 - coverage` of its values saturated: a programmable
    gain [1]. Without a range, the first such pass sets it from its own batch. In eval mode, and
    without gradients, ranges stand still. 1: they move in `mho.calibrate` only."""
    serial_inputs: bool = False
    """Apply the DAC's code bit after bit through 1-bit drivers: `dac_bits` reads a vector, each
    converted on its own, then shifted and added digitally. Two's complement: the last bit, the
    sign, counts negative; unless `signed_inputs` is False, or an input is 1 bit."""
    serial_sum: Literal["digital", "analog"] = "digital"
    """Where the reads of `serial_inputs` are added. "analog": on capacitors in front of the ADCs,
    each read at the weight of its bit, so that a vector takes one conversion; `adc_range` is then
    that of the sum. The read noise of each read enters with its bit's weight; the capacitors add
    neither noise nor error."""
    adc_per_tile: bool = True
    """Convert each tile's currents and add digitally; False: the tiles of a column add currents
    before one converter."""
    transposed: bool = True
    """Whether errors go back through the arrays, read from their columns without noise; False:
    through the float twin, which does not know what the cells really hold."""
    coverage: Annotated[float, Range(least=1e-3, most=1.0)] = 1.0
    """Share of the calibration values that a converter's range covers; the rest saturates [1]."""

    def __post_init__(self) -> None:
        if not isinstance(self.device, Cell | Preset | str | Table):
            allowed = "a cell, a preset, or its name (mho list devices) or .toml file"
            raise invalid("Hardware.device", self.device, allowed)
        preset = _preset(self.device)
        object.__setattr__(self, "device", self.device if preset is None else preset.cell)
        for name in OVER_TIME:
            if getattr(self, name) is _OF_PRESET:
                object.__setattr__(self, name, getattr(preset, name, None))
        super().__post_init__()
        self._check()
        for doubt in self._doubts(preset):
            warn(doubt)

    def _check(self) -> None:
        """Refuse what does not go together."""
        for record in (self.device, self.retention, self.flicker):
            check_in_window(record, self.device.window)
        if self.mapping not in MAPPINGS:
            raise unknown("Hardware.mapping", self.mapping, MAPPINGS)
        if self.serial_inputs and self.dac_bits is None:
            raise invalid("Hardware.serial_inputs", True, "False without dac_bits")
        if self.serial_sum == "analog" and not self.serial_inputs:
            allowed = "'digital' without serial_inputs, whose reads are what is added"
            raise invalid("Hardware.serial_sum", self.serial_sum, allowed)
        if not self.signed_inputs and self.dac_bits is None:
            raise invalid("Hardware.signed_inputs", False, "True without dac_bits")
        self._check_adc()
        self._check_dac()
        fixed = not isinstance(self.adc_range, str)
        if fixed and self.adc_bits is not None and self.dac_bits is None:
            allowed = "'calibrated' or 'column' without dac_bits, which bound the current"
            raise invalid("Hardware.adc_range", self.adc_range, allowed)
        if self.slices > 1 and self.placement is not None:
            raise invalid("Hardware.placement", self.placement, "None with slices above 1")
        if self.device.states**self.slices > _MOST_MAGNITUDES and self.slices > 1:
            allowed = f"at most {_MOST_MAGNITUDES} values, {self.device.states}^slices"
            raise invalid("Hardware.slices", self.slices, allowed)
        if self.wires.gated:
            self._check_gated()
        if self.interleaved:
            self._check_interleaved()
        elif self.wires.paired:
            allowed = "False without Hardware.interleaved, which pairs the rows"
            raise invalid("Hardware.wire_resistance.paired", True, allowed)
        self.cells.check_levels(self.levels, self.device.states)
        if self.cells.capacity(self.tile[1]) < 1:
            allowed = f"at least {self.cells.width(1)} columns, the cells of one weight"
            raise invalid("Hardware.tile", self.tile, allowed)
        low, high = self.device.window
        if (high - low) / (self.device.states - 1) < _LEAST_STEP * high:
            allowed = f"cells whose levels are {_LEAST_STEP:g} of their highest conductance apart"
            raise invalid("Hardware.device", f"{low:g} to {high:g} S", allowed)
        if self.predistortion and self.cells.constant:
            allowed = f"0 where mapping is {self.mapping!r}: what it adds digitally sees no wires"
            raise invalid("Hardware.predistortion", self.predistortion, allowed)
        if self.predistortion and self.slices > 1:
            allowed = "0 with slices above 1: no digit alone can be corrected"
            raise invalid("Hardware.predistortion", self.predistortion, allowed)

        if self.programming is not None:
            self.programming.check(self.device)

    def _check_adc(self) -> None:
        adc = self.adc
        if self.adc_bits is None and not (adc.exact and adc.noise == 0.0):
            allowed = "an ADC without errors where adc_bits is None: their unit is its step"
            raise invalid("Hardware.adc", f"{adc.family} with errors", allowed)
        if self.adc_bits is not None and self.adc_bits > adc.most_bits:
            allowed = f"at most {adc.most_bits} with Hardware.adc of family {adc.family!r}"
            raise invalid("Hardware.adc_bits", self.adc_bits, allowed)

    def _check_dac(self) -> None:
        dac, bits = self.dac, self.dac_bits
        if dac.exact:
            return
        if bits is None:
            allowed = "a DAC without errors where dac_bits is None: their unit is its step"
            raise invalid("Hardware.dac", f"{dac.family} with errors", allowed)
        if self.serial_inputs or self.wires.gated:
            what = "with serial_inputs" if self.serial_inputs else "where inputs drive gates"
            allowed = f"a DAC without errors {what}: its drivers switch between two voltages"
            raise invalid("Hardware.dac", f"{dac.family} with errors", allowed)
        if bits > dac.most_bits:
            allowed = f"at most {dac.most_bits} with Hardware.dac of family {dac.family!r}"
            raise invalid("Hardware.dac_bits", bits, allowed)

    def _check_gated(self) -> None:
        """Gates are on or off: inputs are of 1 bit, or come bit after bit."""
        what = "where wires have a source_line, whose word lines are on or off"
        one_voltage = "False, as both cells of a pair lie on one source line, of one voltage,"
        bits = self.dac_bits
        if bits is None or not (self.serial_inputs or bits == 1):
            allowed = f"1 without signed_inputs, or with serial_inputs, {what}"
            raise invalid("Hardware.dac_bits", bits, allowed)
        for field, value, refused, allowed in (
            ("signed_inputs", self.signed_inputs, self.signed_inputs and bits == 1, "False"),
            ("serial_sum", self.serial_sum, self.serial_sum == "analog", "'digital'"),
            ("interleaved", True, self.interleaved, one_voltage),
            ("predistortion", self.predistortion, self.predistortion, "0"),
        ):
            if refused:
                raise invalid(f"Hardware.{field}", value, f"{allowed} {what}")

    def _check_interleaved(self) -> None:
        try:
            mapping(self.mapping).interleaved()
        except ValueError:
            allowed = f"False with mapping {self.mapping!r}, whose weights are no pairs of cells"
            raise invalid("Hardware.interleaved", True, allowed) from None
        if self.tile[0] < 2:
            allowed = "at least 2 rows where pairs are interleaved"
            raise invalid("Hardware.tile", self.tile, allowed)

    def _doubts(self, preset: Preset | None) -> list[str]:
        """What the cells' numbers and these settings make of each other, where it may surprise."""
        doubts, written = [], self.device.written
        if preset is not None and preset.conduction is not None:
            doubts.append("Hardware.device: the preset's [conduction] is not used: layers take "
                          "cells as ohmic; mho.circuits.operating_point follows it")  # fmt: skip
        left = 1.0 if self.programming is None else spread_left(self.programming, self.device)
        if self.programming is not None and left < _SAME_SPREAD:
            doubts.append(
                f"Hardware.programming = {self.programming.family!r} leaves {left:.2g} of the "
                "spread of the device, whose numbers are of cells that were verified or relaxed "
                "already; without `programming` cells show the spread that was measured"
            )
        if self.retention is not None and written and self.retention.begins < written.after:
            doubts.append(
                f"Hardware.retention: it begins {self.retention.begins:g} s after programming, "
                f"before the {written.after:g} s that the cells of the device had relaxed when "
                "their spread was measured: what they relaxed in between counts twice"
            )
        return doubts

    def replace(self, **changes: Any) -> Self:
        """Copy with some fields changed; a preset as the device brings what it says of time and
        noise."""
        if isinstance(changes.get("device"), Preset | str):
            changes = dict.fromkeys(OVER_TIME, _OF_PRESET) | changes
        return super().replace(**changes)

    @checked
    def over_time(self, preset: Preset | None) -> Hardware:
        """The same chips with what a preset says of time and noise; None: cells that time leaves
        alone."""
        return self.replace(**{name: getattr(preset, name, None) for name in OVER_TIME})

    @checked
    def with_converters(self, bits: Annotated[int, Range(least=2, most=16)] | None) -> Hardware:
        """The same chips with inputs and outputs of so many bits; None: with exact ones, which
        have no errors and drive no gates: then wires with a `source_line` are left out."""
        changes: dict[str, Any] = {}
        if bits is None:
            changes = {"adc": IdealADC(), "dac": IdealDAC(), "signed_inputs": True}
            changes |= {"serial_inputs": False, "serial_sum": "digital"}
            changes |= {"wire_resistance": 0.0} if self.wires.gated else {}
        return self.replace(dac_bits=bits, adc_bits=bits, **changes)

    @property
    def ages(self) -> bool:
        """Whether time, reads or pulses on neighbours change a cell."""
        return any(getattr(self, name) is not None for name in OVER_TIME)

    @property
    def writing(self) -> Programming:
        """How cells are written, the default resolved."""
        return self.programming or as_obtained(self.device)

    @property
    def cells(self) -> Mapping:
        """The mapping, as an object, copies, slices and interleaving included."""
        cells = mapping(self.mapping).copied(self.copies)
        cells = cells.interleaved() if self.interleaved else cells
        return cells if self.slices == 1 else cells.sliced(self.slices, self.device.states)

    @property
    def wires(self) -> Wires:
        """The wires, as a record; of interleaved pairs they say that rows are paired."""
        r = self.wire_resistance
        return self.behind(r if isinstance(r, Wires) else Wires(row=r, col=r))

    @checked
    def behind(self, wires: Wires) -> Wires:
        """Such wires around the arrays of this hardware, whose pairs may be interleaved."""
        return wires.replace(paired=True) if self.interleaved and not wires.gated else wires

    @property
    def predistorts(self) -> bool:
        """Whether cells are programmed to other levels than those of the weights, which allow for
        the wires."""
        return self.predistortion > 0 and bool(self.wires)

    @property
    def levels(self) -> int:
        """Number of weight levels."""
        return self.weight_levels or self.cells.weight_levels(self.device.states)
