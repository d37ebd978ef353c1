"""What one event costs, by its bits, and by the voltage, conductance and pulse of the cell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch

from mho.arguments import checked
from mho.config import Config, Range
from mho.errors import invalid
from mho.files import read_toml
from mho.physics.conduction import Conduction, Ohmic
from mho.quantities import Joules, Metres, PositiveVolts, Seconds, SquareMetres

Bits = Annotated[int, Range(least=1, most=32)]


class Prices(Config):
    """A price list; a number that is None is not known, and what needs it is not priced.

    Energies of a cell are `activity * V I(V, G) t` with the mean conductance G of the cells that a
    ledger counted, unless the list gives one number whatever the cell. Converters have one number
    at a resolution of reference and a law for all others (`conversion`, `drive`). See
    docs/energy.md in the source distribution.
    """

    # cells: programming
    set_energy: Joules | None = None
    """Energy of a SET pulse whatever the cell [J]; None: V^2 G t."""
    reset_energy: Joules | None = None
    """Energy of a RESET pulse whatever the cell [J]; None: V^2 G t."""
    set_voltage: PositiveVolts | None = None
    """Voltage of a SET pulse [V]."""
    reset_voltage: PositiveVolts | None = None
    """Voltage of a RESET pulse, its magnitude [V]."""
    pulse_time: Seconds
    """Duration of a programming pulse [s]."""
    verify_energy: Joules | None = None
    """Energy of a verify read of one cell, conversion included [J]; None: a cell's read, and one
    conversion at the resolution of the layer."""
    verify_time: Seconds | None = None
    """Duration of a verify read [s]; None: one step of the inputs, and one conversion."""

    # cells: reading
    read_energy: Joules | None = None
    """Energy of one cell in one step of a vector read, whatever the cell [J]; None: V I t."""
    read_voltage: PositiveVolts | None = None
    """Read voltage at the full input [V]."""
    read_pulse: Seconds | None = None
    """Time that a cell conducts in one step of a vector read [s]."""
    conduction: Conduction | None = None
    """How a cell's current follows the voltage when it is read; None: ohmic."""
    activity: Annotated[float, Range(least=0.0, most=1.0)] = 1.0
    """Mean square of the inputs over that of the full input [1]; 1: all rows at full voltage."""

    # what drives the rows
    driver: Literal["dac", "bits", "width"] = "dac"
    """How an input of b bits is applied: "dac", one pulse whose height it is; "bits", b - 1 pulses
    with a sign, one after another, whose charges are added before one conversion; "width", up to
    2^(b - 1) - 1 pulses of one height; b pulses, and 2^b - 1, where inputs have no sign. An input
    of 1 bit is one pulse."""
    dac_bits: Bits = 8
    """Resolution that `dac_energy` is of, for driver "dac" [1]."""
    dac_energy: Joules | None = None
    """Energy of driving one row for one vector, as a "dac", in proportion to its bits; for one
    pulse, if several make an input [J]."""
    integration_energy: Joules = 0.0
    """Energy of taking up the charge of one pulse on one converted column [J]; 0: none, as where
    an input is one pulse."""
    step_time: Seconds | None = None
    """Time of one pulse of an input [s]; None: `read_pulse`."""

    # converters
    adc: Literal["sar", "flash", "ramp"] = "sar"
    """Architecture of the ADC, which says how its numbers follow its bits."""
    adc_bits: Bits = 8
    """Resolution that the numbers of the ADC are of [1]."""
    adc_energy: Joules | None = None
    """Energy of one ADC conversion [J]."""
    adc_capacitors: Annotated[float, Range(least=0.0, most=1.0)] = 0.0
    """Share of a SAR converter's energy, at the resolution of reference, that is of its capacitors
    and doubles with each bit; the rest goes with the bits [1]."""
    adc_area_capacitors: Annotated[float, Range(least=0.0, most=1.0)] = 0.0
    """The same share of its area [1]."""
    adc_time: Seconds | None = None
    """Duration of one ADC conversion [s]."""
    adc_share: Annotated[int, Range(least=1, most=65536)] = 1
    """Columns that one ADC converts one after another [1]."""
    read_time: Seconds | None = None
    """Duration of one vector read, conversion included, whatever its bits [s]; None: its steps,
    then the conversions of an ADC. The arrays of a layer work together."""

    # digital
    sum_energy: Joules | None = None
    """Energy of a digital addition of a converted number of `adc_bits` bits; in proportion to its
    bits [J]."""
    buffer_energy: Joules | None = None
    """Energy of writing or reading one bit of a buffer of inputs or outputs [J]."""
    mac_energy: Joules | None = None
    """Energy of a digital multiplication and addition for the gradient of a weight [J]."""
    update_energy: Joules | None = None
    """Energy of the optimizer's digital update of one weight [J]."""
    hidden_bits: Annotated[int, Range(least=0, most=64)] = 32
    """Digital bits kept for each weight while it still learns [1]."""

    # area
    feature_size: Metres | None = None
    """Feature size F that `cell_squares` counts in [m]."""
    cell_squares: Annotated[float, Range(least=1.0, most=1e6)] | None = None
    """Area of a cell with its selector, in F^2 [1]."""
    dac_area: SquareMetres | None = None
    """Area of the drivers of one row [m^2]."""
    adc_area: SquareMetres | None = None
    """Area of one ADC [m^2]."""
    sum_area: SquareMetres | None = None
    """Area of the adder and register behind one ADC [m^2]."""
    buffer_area: SquareMetres | None = None
    """Area of one bit of a buffer [m^2]."""
    control_area: SquareMetres | None = None
    """Area of all else in an array: control, wires, power [m^2]."""

    doi: str = ""
    """Where the numbers come from."""
    note: str = ""
    """What the source gives and what is chosen here."""
    assumptions: tuple[str, ...] = ()
    """Source or assumption of single numbers, each as "field: words"."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for line in self.assumptions:
            field, colon, words = line.partition(": ")
            if field not in type(self).__dataclass_fields__ or not (colon and words):
                allowed = 'lines such as "adc_energy: measured at 0.9 V"'
                raise invalid("Prices.assumptions", line, allowed)

    @classmethod
    @checked
    def read(cls, path: Path | str) -> Prices:
        """The price list of a TOML file.

        Raises:
            ValueError: it cannot be read; the message names the file and the field.
        """
        try:
            return cls.from_dict(read_toml(Path(path), "price list"))
        except ValueError as error:
            raise invalid("price list", str(path), f"a TOML file of one ({error})") from error

    def source(self, field: str) -> str:
        """Source or assumption of a number; empty if the list says none beside its note."""
        told = dict(line.split(": ", 1) for line in self.assumptions)
        return told.get(field, "")

    def of_chip(self, adc: str | None, share: int | None) -> Prices:
        """The list for chips whose ADCs are of an architecture, which leaves out what it says of
        another one, and each serve so many columns; None: as the list has it."""
        changes: dict[str, object] = {} if share in (None, self.adc_share) else {"adc_share": share}
        if adc not in (None, self.adc):
            changes |= dict.fromkeys(("adc_energy", "adc_time", "adc_area"))
        return self.replace(**changes) if changes else self

    # ---------------------------------------------------------------- cells

    def pulse(self, way: Literal["set", "reset"], g: float | None) -> float | None:
        """Energy of a programming pulse at a conductance g [S]; None: not known [J]."""
        energy = self.set_energy if way == "set" else self.reset_energy
        voltage = self.set_voltage if way == "set" else self.reset_voltage
        if energy is not None or voltage is None or g is None:
            return energy
        return voltage**2 * g * self.pulse_time

    def cell_step(self, g: float | None) -> float | None:
        """Energy of a cell of conductance g [S] in one step of a vector read; None: not known
        [J]."""
        if self.read_energy is not None:
            return self.read_energy * self.activity
        if g is None or self.read_voltage is None or self.read_pulse is None:
            return None
        law, pair = self.conduction or Ohmic(), (self.read_voltage, g)
        v, conductance = (torch.tensor(each, dtype=torch.float64) for each in pair)
        current = law.current(v, conductance).item()
        return self.activity * self.read_voltage * current * self.read_pulse

    def cell_read(self, g: float | None, bits: int | None, signed: bool = True) -> float | None:
        """Energy of a cell for one vector of inputs of so many bits, of which one is a sign if they
        are signed; None: not known [J]."""
        return _times(self.cell_step(g), self.steps(bits, signed))

    def verify(self, g: float | None, bits: int | None) -> float | None:
        """Energy of a verify read of one cell, converted to so many bits; None: not known [J]."""
        if self.verify_energy is not None:
            return self.verify_energy
        return _plus(self.cell_step(g), self.conversion(bits))

    # ---------------------------------------------------------------- converters

    def steps(self, bits: int | None, signed: bool = True) -> int:
        """Pulses that an input of so many bits takes, one of which is a sign if it is signed; None:
        exact, one pulse."""
        if bits is None or self.driver == "dac":
            return 1
        bits = bits - 1 if signed else bits
        return max(1, bits if self.driver == "bits" else 2**bits - 1)

    def drive(self, bits: int | None, signed: bool = True) -> float | None:
        """Energy of driving one row for one vector; None: not known [J]."""
        bits = self.dac_bits if bits is None else bits
        return _times(self.dac_energy, bits / self.dac_bits if self.driver == "dac"
                      else self.steps(bits, signed))  # fmt: skip

    def conversion(self, bits: int | None) -> float | None:
        """Energy of one conversion; None: not known [J]."""
        return _times(self.adc_energy, self._size(bits, self.adc_capacitors))

    def conversion_time(self, bits: int | None) -> float | None:
        """Duration of one conversion; None: not known [s]."""
        bits = self.adc_bits if bits is None else bits
        factor = {"sar": bits / self.adc_bits, "flash": 1.0, "ramp": 2.0 ** (bits - self.adc_bits)}
        return _times(self.adc_time, factor[self.adc])

    def converter_area(self, bits: int | None) -> float | None:
        """Area of one ADC; a ramp's grows with its counter's bits; None: not known [m^2]."""
        b = self.adc_bits if bits is None else bits
        size = self._size(b, self.adc_area_capacitors)
        return _times(self.adc_area, b / self.adc_bits if self.adc == "ramp" else size)

    def addition(self, bits: int | None) -> float | None:
        """Energy of a digital addition of a number of so many bits; None: not known [J]."""
        return _times(self.sum_energy, 1.0 if bits is None else bits / self.adc_bits)

    def _size(self, bits: int | None, share: float) -> float:
        """How much more a converter of so many bits takes than that of reference."""
        bits = self.adc_bits if bits is None else bits
        doubled = 2.0 ** (bits - self.adc_bits)
        if self.adc != "sar":
            return doubled
        return (1 - share) * bits / self.adc_bits + share * doubled

    # ---------------------------------------------------------------- time and area

    def vector_time(
        self,
        dac_bits: int | None,
        adc_bits: int | None,
        columns: int | None,
        reads: int = 1,
        signed: bool = True,
    ) -> float | None:
        """Duration of one vector read with so many converted columns an array, of which so many
        share a conversion; None: not known [s]."""
        if self.read_time is not None:
            return self.read_time
        step = self.read_pulse if self.step_time is None else self.step_time
        if columns is None:
            return None
        conversions = _times(self.conversion_time(adc_bits), min(self.adc_share, columns) / reads)
        return _plus(_times(step, self.steps(dac_bits, signed)), conversions)

    def verify_duration(self, bits: int | None) -> float | None:
        """Duration of a verify read; None: not known [s]."""
        if self.verify_time is not None:
            return self.verify_time
        step = self.read_pulse if self.step_time is None else self.step_time
        return _plus(step, self.conversion_time(bits))

    @property
    def cell_area(self) -> float | None:
        """Area of a cell; None: not known [m^2]."""
        if self.feature_size is None or self.cell_squares is None:
            return None
        return self.cell_squares * self.feature_size**2


def _times(price: float | None, number: float) -> float | None:
    return None if price is None else price * number


def _plus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b
