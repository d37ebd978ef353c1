"""Settings of the sensitivity analysis, and its presets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import mho
from mho.config import Config, Range
from mho.errors import invalid
from mho.experiments.bmcnn.config import PRESETS as BMCNN
from mho.experiments.bmcnn.config import Architecture, BmcnnConfig
from mho.experiments.bmcnn.mitigation import mitigation
from mho.experiments.device import preset_of, without
from mho.experiments.metaplastic.config import PRESETS as METAPLASTIC
from mho.experiments.metaplastic.config import MetaplasticConfig
from mho.experiments.siamese.config import PRESETS as SIAMESE
from mho.experiments.siamese.config import SiameseConfig
from mho.experiments.systems import System, SystemsConfig
from mho.physics import Cell, Preset
from mho.quantities import Count, WiredOhms

Share = Annotated[float, Range(least=1e-9, most=1.0)]


class Assumed(Config):
    """What a device is taken to have of an imperfection where its preset has none; all ours."""

    write_spread: Share = 0.05
    """Spread from write to write, of the window or of a resistance [1]: as in `siamese`."""
    pulse_spread: Annotated[float, Range(least=1e-9, most=100.0)] = 0.33
    """The same of a pulse, of its mean step [1]: as in the studies of `siamese`."""
    device_spread: Share = 0.05
    """Spread between devices, of the window, a resistance or the step factor [1]: as in
    `siamese`."""
    read_noise: Share = 0.01
    """Noise of a read, of the window [1]: as in `siamese` and `metaplastic`."""
    stuck: Share = 0.005
    """Share of stuck cells, half of them in either state [1]: as there."""
    drift: Share = 0.05
    """Spread of what cells change by in `seconds`, of the window, straight in ln t [1]; without a
    mean. The HfOx cells of rram-neurram-1s have 7 % in a day."""
    wire_resistance: WiredOhms = 1.0
    """Of a segment of word lines and bit lines [ohm]: between the tenths of wide lines and the
    ohms of narrow ones. No cell's preset says it."""
    bits: Annotated[int, Range(least=3, most=16)] = 6
    """Of DACs and ADCs, sign included [1]: within the 4 to 8 that are common. No cell's preset
    says it."""
    nonlinearity: Annotated[float, Range(least=1e-9, most=10.0)] = 2.0
    """Of pulses, ln(first step / last step) [1]: as in the studies of `siamese`."""
    reset_ratio: Annotated[float, Range(least=0.1, below=1.0)] = 0.7
    """RESET step over SET step [1]: as there."""


class SensitivityConfig(SystemsConfig):
    """Settings of `mho run sensitivity`."""

    family: ClassVar[str] = "sensitivity"

    cell: str | Preset = "hfo2-1t1r"
    """The device, by name (mho list devices) or as a preset (--device-file). The ranges are
    multiples of its own imperfections."""
    assumed: Assumed = Assumed()
    """The same of what its preset does not say."""
    seconds: Annotated[float, Range(above=1.0, most=1e12)] = 86_400.0
    """Time that passes between the last write and the evaluation, a day [s]."""
    steps: Annotated[tuple[float, ...], Range(above=0.0, most=100.0)] = (1.0, 2.0, 4.0)
    """Values that each imperfection takes alone, in units of the device's own [1]; beside 0. The
    largest ends its range in the Sobol' analysis: four times from a good process to a poor one,
    by our choice."""
    samples: Annotated[int, Range(least=4, most=1 << 16)] = 64
    """Points of each of the two Sobol' samples, a power of two; with d imperfections a system is
    run (d + 2) times as often [1]."""
    repeats: Annotated[int, Range(least=2, most=1000)] = 4
    """Draws of all that is random (chips, initial weights, order of images) at which each
    imperfection is varied alone [1]; the Sobol' analysis is on the first."""
    tile: Annotated[int, Range(least=2, most=4096)] = 128
    """Rows and cell columns of the arrays, at most [1]."""
    programming: mho.cells.OpenLoop | mho.cells.Verify | mho.cells.AsMeasured = mho.cells.OpenLoop()
    """How cells are written; one attempt, so that the write spread is what the preset says."""
    wire_refresh: Count = 50
    """Write steps between two solutions of the wires in training [1]."""
    mitigation: str = "batch norm"
    """What is done to the chips of the binarized network after mapping, see mho list
    mitigations."""
    bmcnn: BmcnnConfig = BMCNN["quick"].replace(
        architecture=Architecture(channels=(8, 16), hidden=(64,)), per_class=2000, epochs=4,
        sweep_per_class=100,
    )  # fmt: skip
    """The binarized network; its cells are those of this run."""
    siamese: SiameseConfig = SIAMESE["quick"].replace(
        hidden=64, per_class=1000, epochs=2, calibrate_every=20
    )
    """The network trained in place, under the scheme "falling threshold"; likewise."""
    metaplastic: MetaplasticConfig = METAPLASTIC["quick"].replace(
        hidden=(64, 64), per_class=400, epochs=2, refreshed=1000, calibrate_every=20
    )
    """The network of two tasks, under the scheme "path importance with gates"; likewise."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if 1.0 not in self.steps or sorted(set(self.steps)) != list(self.steps):
            raise invalid("SensitivityConfig.steps", self.steps, "rising numbers, 1 among them")
        if self.samples & (self.samples - 1):
            raise invalid("SensitivityConfig.samples", self.samples, "a power of two")
        law = self.known.retention
        if self.known.device is None:
            raise invalid("SensitivityConfig.cell", self.cell, "a preset with a table [device]")
        if law is not None and self.seconds <= law.t0:
            allowed = f"above t0 = {law.t0:g} s of the cell's law of retention"
            raise invalid("SensitivityConfig.seconds", self.seconds, allowed)
        if "expected batch norm" in mitigation(self.mitigation).parts:
            allowed = "a mitigation that acts on the chips themselves"
            raise invalid("SensitivityConfig.mitigation", self.mitigation, allowed)

    def in_small(self) -> Self:
        """Imperfections as the device has them, and at the end of their ranges."""
        return self.replace(
            steps=tuple(s for s in self.steps if s in (1.0, self.steps[-1])),
            repeats=2, bmcnn=self.bmcnn.in_small(), siamese=self.siamese.in_small(),
            metaplastic=self.metaplastic.in_small(), chips=min(self.chips, 2), processor="cpu",
        )  # fmt: skip

    @property
    def known(self) -> Preset:
        """What is known of the device."""
        return mho.devices.preset(self.cell) if isinstance(self.cell, str) else self.cell

    @property
    def cell_name(self) -> str:
        """The device in words."""
        return self.cell if isinstance(self.cell, str) else "the device of a file"

    def hardware(self, system: System) -> mho.Hardware:
        """A system's chips, their cell as it is."""
        cell = self.known.device
        assert cell is not None
        kind = mho.Hardware(device=cell)
        if system != "bmcnn":
            kind = {"siamese": self.siamese, "metaplastic": self.metaplastic}[system].hardware
        return kind.replace(
            device=cell,
            retention=self.known.retention,
            weight_levels=2 if system == "bmcnn" else None,
            tile=(self.tile, self.tile),
            programming=self.programming,
            wire_refresh=self.wire_refresh,
            adc_per_tile=False,
        )

    def on_device(
        self, device: Preset | Cell, by_hand: Mapping[str, Any] | None = None
    ) -> tuple[Self, list[str]]:
        """The analysis of the device of a preset."""
        preset = preset_of(device)
        notes = without(preset, "conduction", "flicker", "telegraph", "disturb")
        return self.replace(cell=preset).merged(by_hand or {}), notes


PRESETS = {
    "quick": SensitivityConfig(
        preset="quick", chips=4, samples=8, repeats=2,
        bmcnn=BMCNN["quick"].replace(
            architecture=Architecture(channels=(8, 16), hidden=(64,)), per_class=500, epochs=3
        ),
        siamese=SIAMESE["quick"].replace(hidden=32, per_class=500, epochs=1, calibrate_every=20),
        metaplastic=METAPLASTIC["quick"].replace(
            hidden=(64,), per_class=300, epochs=1, refreshed=500, calibrate_every=20
        ),
    ),
    "standard": SensitivityConfig(preset="standard", chips=5),
    "paper": SensitivityConfig(
        preset="paper", chips=30, samples=256, repeats=10,
        bmcnn=BMCNN["quick"], siamese=SIAMESE["quick"].replace(per_class=2000),
        metaplastic=METAPLASTIC["quick"].replace(hidden=(256, 256), per_class=1000, epochs=2),
    ),
}  # fmt: skip
