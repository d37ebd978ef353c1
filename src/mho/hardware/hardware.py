"""The description of the chips that a network runs on."""

from __future__ import annotations

from typing import Annotated, Literal

from mho.circuits.wiring import Ohms, Wires
from mho.config import Config, Range
from mho.errors import invalid, unknown
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
    Verify,
)

OVER_TIME = ("retention", "flicker", "telegraph", "disturb")
"""Fields of `Hardware` and of `Preset` that say what time and use do to a cell."""

_MOST_MAGNITUDES = 1 << 16
"""Largest base^slices: beyond, float32 no longer tells the levels apart well."""


class Hardware(Config):
    """Cells, arrays and converters: everything that is the same on all chips of a kind."""

    device: Cell
    """The cell; see `mho.devices.get`."""
    retention: Retention | None = None
    """How cells relax as `mho.age` lets time pass; None: they do not."""
    flicker: Flicker | None = None
    """1/f noise of the cells, frozen but when `mho.age` lets time pass; None: none."""
    telegraph: Telegraph | None = None
    """Random telegraph noise, likewise."""
    disturb: Disturb | None = None
    """What reads, and pulses on neighbours, do to a cell by the next `mho.age`; None: nothing."""
    mapping: str = "differential"
    """How a weight sits on cells: differential, offset, single, or a name put into MAPPINGS."""
    copies: Annotated[int, Range(least=1, most=64)] = 1
    """Cells (or pairs) that hold each weight side by side, their currents averaged [1]."""
    slices: Annotated[int, Range(least=1, most=16)] = 1
    """Groups of cells that hold the digits of each weight's level, each as many values as a cell
    has levels: 4 slices of 4-level cells are 8 bits of magnitude. With an ADC each slice is
    converted on its own and added digitally [1]."""
    placement: Placement | None = None
    """How weights are fitted to the cells of each chip before they are first written; None: they
    are not, and nothing is surveyed."""
    tile: Annotated[tuple[int, int], Range(least=1, most=65536)] = (128, 128)
    """Rows (inputs) and cell columns of one array [1]."""
    wire_resistance: Ohms | Wires = 0.0
    """Of every segment of word lines and bit lines [ohm], or all that is known of the wires. The
    layers take cells as ohmic; programming and verifying see each cell without its wires."""
    wire_refresh: Annotated[int, Range(least=1)] = 1
    """Write steps after which the wires of the arrays written are solved anew [1]; until then a
    cell that is written counts as changed by the ratio of its conductances."""
    predistortion: Annotated[int, Range(least=0, most=1000)] = 0
    """Rounds in which the levels that a network is mapped to are corrected for the wires [1]; of
    use where cells have more levels than weights. 0: not at all."""
    programming: Programming = Verify()
    """How cells are written."""
    weight_levels: Annotated[int, Range(least=2)] | None = None
    """Values that a weight can take [1]; None: as many as the mapping offers."""
    full_scale: Annotated[float, Range(above=0.0)] | None = None
    """Weight at the edge of the window, in standard deviations of a layer's weights [1];
    None: the layer's largest weight."""
    dac_bits: Annotated[int, Range(least=2, most=16)] | None = None
    """Resolution of the inputs, sign included [1]; None: exact."""
    adc_bits: Annotated[int, Range(least=2, most=16)] | None = None
    """Resolution of the outputs, sign included [1]; None: exact."""
    dac_range: Literal["calibrated"] | Annotated[float, Range(above=0.0)] = "calibrated"
    """Largest input that the DACs apply, in units of each layer's inputs [1]; "calibrated": what
    `mho.calibrate` sees, chip by chip."""
    adc_range: Literal["calibrated", "column"] | Annotated[float, Range(above=0.0, most=1.0)] = (
        "calibrated"
    )
    """Largest current that the ADCs tell apart. "calibrated": one range a chip and layer, from what
    `mho.calibrate` sees; "column": so for each column of each tile. A number is fixed by design: a
    share of the largest current of a column, all its inputs at the DAC's edge and all weights at
    the edge of the window; in amperes, share * rows * read voltage * span * (G_max - G_min) with
    span 1 for pairs of cells and 0.5 for single ones [1]."""
    serial_inputs: bool = False
    """Apply the DAC's code bit after bit through 1-bit drivers: `dac_bits` reads a vector, each
    converted on its own, then shifted and added digitally. Two's complement: the last bit, the
    sign, counts negative."""
    adc_per_tile: bool = True
    """Convert each tile's currents and add digitally; False: the tiles of a column add currents
    before one converter."""
    transposed: bool = True
    """Whether errors go back through the arrays, read from their columns without noise; False:
    through the float twin, which does not know what the cells really hold."""
    coverage: Annotated[float, Range(above=0.0, most=1.0)] = 1.0
    """Share of the calibration values that a converter's range covers; the rest saturates [1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mapping not in MAPPINGS:
            raise unknown("Hardware.mapping", self.mapping, MAPPINGS)
        if self.serial_inputs and self.dac_bits is None:
            raise invalid("Hardware.serial_inputs", True, "False without dac_bits")
        fixed = not isinstance(self.adc_range, str)
        if fixed and self.adc_bits is not None and self.dac_bits is None:
            allowed = "'calibrated' or 'column' without dac_bits, which bound the current"
            raise invalid("Hardware.adc_range", self.adc_range, allowed)
        if self.slices > 1 and self.placement is not None:
            raise invalid("Hardware.placement", self.placement, "None with slices above 1")
        if self.device.states**self.slices > _MOST_MAGNITUDES and self.slices > 1:
            allowed = f"at most {_MOST_MAGNITUDES} values, {self.device.states}^slices"
            raise invalid("Hardware.slices", self.slices, allowed)
        self.cells.check_levels(self.levels, self.device.states)
        if self.predistortion and self.cells.constant:
            allowed = f"0 where mapping is {self.mapping!r}: what it adds digitally sees no wires"
            raise invalid("Hardware.predistortion", self.predistortion, allowed)
        if self.predistortion and self.slices > 1:
            allowed = "0 with slices above 1: no digit alone can be corrected"
            raise invalid("Hardware.predistortion", self.predistortion, allowed)

    @classmethod
    def of(cls, preset: Preset) -> Hardware:
        """Chips of a preset's cell and all that it says of time and noise, else the defaults.

        Raises:
            ValueError: the preset has no cell.
        """
        if preset.device is None:
            raise invalid("Preset.device", None, "a cell; the preset has none")
        return cls(device=preset.device).over_time(preset)

    def over_time(self, preset: Preset | None) -> Hardware:
        """The same chips with what a preset says of time and noise; None: cells that time leaves
        alone."""
        return self.replace(**{name: getattr(preset, name, None) for name in OVER_TIME})

    @property
    def ages(self) -> bool:
        """Whether time, reads or pulses on neighbours change a cell."""
        return any(getattr(self, name) is not None for name in OVER_TIME)

    @property
    def cells(self) -> Mapping:
        """The mapping, as an object, copies and slices included."""
        cells = mapping(self.mapping).copied(self.copies)
        return cells if self.slices == 1 else cells.sliced(self.slices, self.device.states)

    @property
    def wires(self) -> Wires:
        """The wires, as a record."""
        r = self.wire_resistance
        return r if isinstance(r, Wires) else Wires(row=r, col=r)

    @property
    def predistorts(self) -> bool:
        """Whether cells are programmed to other levels than those of the weights, which allow for
        the wires."""
        return self.predistortion > 0 and bool(self.wires)

    @property
    def levels(self) -> int:
        """Number of weight levels."""
        return self.weight_levels or self.cells.weight_levels(self.device.states)
