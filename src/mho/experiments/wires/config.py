"""Settings of the experiment on wires, and its presets."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import mho
from mho.config import Config, Range
from mho.errors import invalid
from mho.experiments.bmcnn.config import PRESETS as BMCNN
from mho.experiments.bmcnn.config import BmcnnConfig
from mho.experiments.experiment import FEW, Asked, ends
from mho.experiments.metaplastic.config import PRESETS as METAPLASTIC
from mho.experiments.metaplastic.config import MetaplasticConfig
from mho.experiments.siamese.config import PRESETS as SIAMESE
from mho.experiments.siamese.config import SiameseConfig
from mho.experiments.systems import System, SystemsConfig
from mho.quantities import Count, WiredOhms


class Claimed(Config):
    """Arrays and wires that are claimed, on test images, and with which all is compared."""

    resistance: WiredOhms = 2.0
    """Of each segment [ohm]."""
    tile: Annotated[int, Range(least=2, most=4096)] = 128
    """Rows and cell columns of the arrays, at most [1]."""


class Refresh(Config):
    """How often wires are solved in training through them."""

    every: Count = 100
    """Write steps between two solutions [1]."""
    per_class: Count = 1000
    """Training images of each class where these are compared, shown once [1]."""


class Predistortion(Config):
    """How levels are corrected for wires."""

    rounds: Annotated[int, Range(least=1, most=1000)] = 10
    """Rounds of predistortion [1]."""
    finer: Annotated[int, Range(least=1, most=100)] = 8
    """Steps between the levels of predistorted cells for one between those of all others [1]."""


class WiresConfig(SystemsConfig):
    """Settings of `mho run wires`."""

    family: ClassVar[str] = "wires"

    resistances: tuple[WiredOhms, ...] = (1.0, 2.0, 5.0, 10.0)
    """Of each segment of word lines and bit lines, beside none [ohm]."""
    tiles: Annotated[tuple[int, ...], Range(least=2, most=4096)] = (32, 64, 128, 256)
    """Rows and cell columns of the arrays, at most [1]."""
    claimed: Claimed = Claimed()
    """Those of them that are claimed, and with which all compensations are compared."""
    cov: Annotated[float, Range(least=0.0, most=10.0)] = 0.25
    """Spread of both resistances of the binarized network's cells, standard deviation over
    mean [1]."""
    refresh: Refresh = Refresh()
    """How often wires are solved in training through them."""
    refreshes: tuple[Count, ...] = (1, 10, 100, 1000)
    """Write steps between two solutions of the wires, compared [1]."""
    predistortion: Predistortion = Predistortion()
    """How levels are corrected for wires."""
    calibration: Count = 1000
    """Training images that converters are calibrated and compensations fitted on [1]."""
    bmcnn: BmcnnConfig = BMCNN["standard"].replace(epochs=4, sweep_per_class=20, test_per_class=200)
    """The binarized network; its chips are those of this run."""
    siamese: SiameseConfig = SIAMESE["standard"].replace(epochs=4)
    """The network trained in place, under the scheme "falling threshold"."""
    metaplastic: MetaplasticConfig = METAPLASTIC["standard"].replace(epochs=3, per_class=2000)
    """The network of two tasks, under the scheme "path importance with gates"."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("resistances", "tiles"):
            values = getattr(self, field)
            if not values or len(set(values)) < len(values):
                raise invalid(f"WiresConfig.{field}", values, "at least one value, each once")
        at = self.claimed
        if at.resistance not in self.resistances:
            allowed = f"one of {self.resistances}"
            raise invalid("WiresConfig.claimed.resistance", at.resistance, allowed)
        if at.tile not in self.tiles:
            raise invalid("WiresConfig.claimed.tile", at.tile, f"one of {self.tiles}")
        if len(set(self.refreshes)) < len(self.refreshes):
            raise invalid("WiresConfig.refreshes", self.refreshes, "each value once")

    def in_small(self) -> Self:
        """Of the wires and arrays the smallest, the largest, and those claimed."""
        at = self.claimed
        resistances = {*ends(self.resistances), at.resistance}
        tiles = {*ends(self.tiles), at.tile}
        return self.replace(
            resistances=tuple(r for r in self.resistances if r in resistances),
            tiles=tuple(tile for tile in self.tiles if tile in tiles),
            refresh=self.refresh.replace(per_class=FEW), refreshes=ends(self.refreshes),
            predistortion=self.predistortion.replace(rounds=min(self.predistortion.rounds, 2)),
            calibration=min(self.calibration, 10 * FEW),
            bmcnn=self.bmcnn.in_small(), siamese=self.siamese.in_small(),
            metaplastic=self.metaplastic.in_small(), chips=min(self.chips, 2), processor="cpu",
        )  # fmt: skip

    @property
    def datasets(self) -> tuple[str, ...]:
        """Data sets of the systems."""
        return tuple(dict.fromkeys((self.siamese.data, *super().datasets)))

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Of the systems, and of the training images of this run."""
        classes = {name: len(mho.data.dataset(name).classes) for name in self.datasets}
        own = tuple(
            Asked("WiresConfig.calibration", name, "train", -(-self.calibration // many))
            for name, many in classes.items()
        )
        more = Asked("WiresConfig.refresh.per_class", self.siamese.data, "train",
                     self.refresh.per_class)  # fmt: skip
        return (*super().asked, *own, more)

    def _taking_part(self) -> tuple[System, ...]:
        """Of the network trained in place, how often wires are solved is studied in any case."""
        return tuple(dict.fromkeys((*self.systems, "siamese")))


PRESETS = {
    "quick": WiresConfig(
        preset="quick", chips=5, resistances=(2.0, 5.0), tiles=(64, 128), refreshes=(10, 1000),
        bmcnn=BMCNN["quick"].replace(epochs=2), siamese=SIAMESE["quick"].replace(epochs=2),
        metaplastic=METAPLASTIC["quick"].replace(epochs=2, per_class=1000, hidden=(256, 256)),
    ),
    "standard": WiresConfig(preset="standard", chips=10),
    "paper": WiresConfig(
        preset="paper", chips=30, bmcnn=BMCNN["standard"], siamese=SIAMESE["standard"],
        metaplastic=METAPLASTIC["standard"],
    ),
}  # fmt: skip
