"""Settings of the write-once experiment, and its presets."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self, get_args

import mho
from mho.config import Config, Range
from mho.data import SOURCES
from mho.errors import invalid
from mho.experiments.bmcnn.mitigation import mitigation
from mho.experiments.experiment import (
    FEW,
    SLOW,
    UNITS,
    Asked,
    ExperimentConfig,
    ends,
    narrow,
)
from mho.files.code import WANTED, is_code
from mho.physics.spread import Distribution
from mho.quantities import CellOhms, Count, Epochs, LearningRate, Strength

DOI = "10.1109/ICECS46596.2019.8964998"

Shares = tuple[float, ...]
Shape = Distribution | Literal["clamped"]
StudyName = Literal[
    "alone", "maps", "shapes", "stuck", "pairs", "bits", "converters", "copies", "networks"
]  # fmt: skip
STUDIES: tuple[StudyName, ...] = get_args(StudyName)


class Architecture(Config):
    """A network whose convolutions, or dense layers, have binary weights on arrays."""

    network: str = "cnn"
    """cnn: two convolutions and a dense classifier; mlp: dense layers alone; or a network of your
    own, FILE.py:NAME, of whose linear and convolutional layers the last one is the classifier."""
    channels: Annotated[tuple[int, int], Range(least=1, most=4096)] = (32, 64)
    """Channels of the two convolutions [1]."""
    kernel: Annotated[int, Range(least=1, most=15)] = 5
    """Side of the convolutions' kernels, odd [1]."""
    pool: bool = False
    """Halve the image by max pooling; False: by a stride of 2, which reads the arrays less."""
    hidden: Annotated[tuple[int, ...], Range(least=1, most=65536)] = (256,)
    """Units of the dense layers before the output [1]."""
    classifier: Literal["float", "fixed", "binary"] = "float"
    """What follows the arrays: float32, fixed point, or binary weights on arrays as well."""
    bits: Annotated[int, Range(least=2, most=32)] = 8
    """Bits of fixed-point parameters and activations, sign included [1]."""
    activation: Literal["relu", "sign"] = "relu"
    """Weights alone are binary, or the activations too."""
    stochastic: bool = False
    """Draw the binary weights at random in training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in ("cnn", "mlp") and not is_code(self.network):
            allowed = f"'cnn', 'mlp', or {WANTED}"
            raise invalid("Architecture.network", self.network, allowed)
        if self.kernel % 2 == 0:
            raise invalid("Architecture.kernel", self.kernel, "an odd number")
        if not self.hidden:
            raise invalid("Architecture.hidden", self.hidden, "at least one layer")

    @property
    def own(self) -> bool:
        """Whether it is the user's own network."""
        return is_code(self.network)


class Cells(Config):
    """The two-state cells."""

    r_on: CellOhms = 10e3
    """Mean low resistance [ohm]."""
    r_off: CellOhms = 100e3
    """Mean high resistance [ohm]."""
    on_distribution: Distribution = "truncated-normal"
    """Shape of the spread of R_ON."""
    off_distribution: Distribution = "lognormal"
    """Shape of the spread of R_OFF."""
    truncation: Annotated[float, Range(above=0.0, below=1.0)] = 0.1
    """Smallest resistance as a share of its mean, for the two normal shapes; sets the tail of the
    conductance [1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.hardware(0.0, 0.0)

    def hardware(
        self, cov_on: float, cov_off: float, *, shape: Shape | None = None, stuck: float = 0.0
    ) -> mho.Hardware:
        """Chips whose cells spread by so much, half of the `stuck` ones in either state.

        `shape` of both spreads instead of these cells' own; "clamped" is the convention of the
        source's descendants: normal, and what is below 1 ohm is set to 1 ohm.
        """
        shapes = (self.on_distribution, self.off_distribution) if shape is None else (shape,) * 2
        on, off = (
            mho.cells.Spread(distribution="normal", cov=cov, lower=1 / mean)
            if each == "clamped"
            else mho.cells.Spread(distribution=each, cov=cov, lower=self.truncation)
            for each, cov, mean in zip(
                shapes, (cov_on, cov_off), (self.r_on, self.r_off), strict=True
            )
        )
        device = mho.cells.TwoState(
            r_on=mho.cells.Resistance(mean=self.r_on, device=on),
            r_off=mho.cells.Resistance(mean=self.r_off, device=off),
            stuck_on=stuck / 2,
            stuck_off=stuck / 2,
            doi=DOI,
            note="The source's resistances are not known; these are chosen.",
        )
        # Written once: one pulse and one verify read a cell.
        return mho.Hardware(
            device=device, programming=mho.cells.Verify(max_pulses=1), weight_levels=2
        )


class Spreads(Config):
    """Spreads between devices, standard deviation over mean."""

    compared: Annotated[Shares, Range(least=0.0, most=10.0)] = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
    """At which chips are made and the mitigations compared [1]."""
    claimed: Annotated[Shares, Range(least=0.0, most=10.0)] = (0.5, 1.0)
    """Those of them that are claimed, on test images [1]."""
    maps: Annotated[Shares, Range(least=0.0, most=10.0)] = (0.0, 0.25, 0.5, 1.0)
    """On the maps and in the studies of one resistance and of shapes [1]."""
    aware: Annotated[float, Range(least=0.0, most=10.0)] = 1.0
    """Of both resistances, drawn in variation-aware training [1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.compared:
            raise invalid("Spreads.compared", self.compared, "one or more numbers in [0, 10]")
        if not self.claimed or not set(self.claimed) <= set(self.compared):
            raise invalid("Spreads.claimed", self.claimed, f"some of {self.compared}")
        if len({round(100 * c) for c in self.claimed}) < len(self.claimed):
            raise invalid("Spreads.claimed", self.claimed, "different whole percents")
        if not self.maps or max(self.maps) == 0:
            raise invalid("Spreads.maps", self.maps, "at least one number above 0")
        for name, values in (("compared", self.compared), ("maps", self.maps)):
            if len(set(values)) < len(values):
                raise invalid(f"Spreads.{name}", values, "each value once")


class StudySettings(Config):
    """How the further studies are done."""

    epochs: Epochs = 1
    """Passes over the training images for the networks of the study of architectures [1]."""
    per_class: Count = 30
    """Held-out images of each class [1]."""


class BmcnnConfig(ExperimentConfig):
    """Settings of `mho run bmcnn`."""

    family: ClassVar[str] = "bmcnn"
    all_studies: ClassVar[tuple[str, ...]] = STUDIES

    data: str = "mnist"
    """What is learnt: a public data set (mho list datasets), a .npz file, or a folder of images
    with a / in its name, see mho.data.dataset."""
    architecture: Architecture = Architecture()
    """The network of all studies but that of architectures."""
    trainings: Annotated[int, Range(least=1, most=1000)] = 1
    """Networks trained, each mapped to all chips [1]."""
    per_class: Count | None = None
    """Training samples of each class [1]; None: all of the training split, of MNIST 55,000."""
    test_per_class: Count | None = None
    """Test samples of each class [1]; None: all, of MNIST 10,000."""
    sweep_per_class: Count = 50
    """Held-out images of each class on which the mitigations are compared and chosen [1]."""
    epochs: Epochs = 6
    """Passes over the training images [1]."""
    batch: Annotated[int, Range(least=2, most=55_000)] = 100
    """Images in a training step [1]."""
    rate: LearningRate = 4e-3
    """Learning rate of Adam at the start; it falls to 0 along a cosine [1]."""
    shift: Annotated[int, Range(least=0, most=8)] = 1
    """Pixels by which training images are moved at random in both directions [1]; samples that are
    no images (channels, height, width) stay."""
    cells: Cells = Cells()
    """The cells."""
    spread: Spreads = Spreads()
    """Spreads between devices."""
    calibration: Count = 250
    """Training images that the mitigations see [1]."""
    pull: Strength = 0.01
    """Weight of staying at the old classifier when it is refitted [1]."""
    mitigations: tuple[str, ...] = (
        "none", "layer", "column", "expected batch norm", "batch norm", "batch norm + labels",
    )  # fmt: skip
    """Compared at every spread on the first training, at the claimed ones on all; parts are joined
    with ' + ', see mho list mitigations."""
    further: tuple[str, ...] = (
        "gain", "column moments", "batch norm + distilled", "2 copies + batch norm",
        "placement", "placement + expected batch norm", "placement + batch norm",
        "placement + 2 copies + batch norm",
    )  # fmt: skip
    """Compared at the claimed spreads on the first training alone."""
    studies: tuple[StudyName, ...] = STUDIES
    """Further studies, on the first training."""
    study: StudySettings = StudySettings()
    """How these are done."""
    converter_bits: Annotated[int, Range(least=2, most=16)] = 8
    """Bits of the DACs and ADCs whose energy is accounted [1]; accuracies are those of exact ones
    but for the study of converters."""
    yield_from: Annotated[float, Range(least=0.0, most=100.0)] = 90.0
    """Accuracy at which the curves of yield begin [%]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.architecture.own:
            if self.only == "networks":
                allowed = "nothing with a network of your own: it compares others"
                raise invalid("BmcnnConfig.only", self.only, allowed)
            others = tuple(study for study in self.studies if study != "networks")
            object.__setattr__(self, "studies", others)
        if not self.mitigations:
            raise invalid("BmcnnConfig.mitigations", self.mitigations, "at least one")
        if self.data in SOURCES:
            self.check_batch()
        names = (*self.mitigations, *self.further)
        if len(set(self.studies)) < len(self.studies):
            raise invalid("BmcnnConfig.studies", self.studies, "each value once")
        if len(set(names)) < len(names):
            raise invalid("BmcnnConfig.mitigations and further", names, "each name once")
        choices = [mitigation(name) for name in names]
        for choice in choices:
            choice.hardware(self.aware)
            if choice.refits and self.architecture.classifier == "binary":
                allowed = "none that refits the classifier if architecture.classifier is 'binary'"
                raise invalid("BmcnnConfig.mitigations and further", choice.name, allowed)
        first = choices[: len(self.mitigations)]
        if not any(choice.once and choice.label_free for choice in first):
            allowed = "among others one that needs no labels, writes or cells, such as 'none'"
            raise invalid("BmcnnConfig.mitigations", self.mitigations, allowed)

    def with_network(self, reference: str) -> Self:
        """In place of the convolutions and their classifier."""
        return self.merged({"architecture": {"network": reference}})

    @property
    def datasets(self) -> tuple[str, ...]:
        """The one that is learnt."""
        return (self.data,)

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Of all splits."""
        data, classes = self.data, len(mho.data.dataset(self.data).classes)
        return (
            Asked("BmcnnConfig.per_class", data, "train", self.per_class),
            Asked("BmcnnConfig.test_per_class", data, "test", self.test_per_class),
            Asked("BmcnnConfig.sweep_per_class", data, "validation", self.sweep_per_class),
            Asked("BmcnnConfig.study.per_class", data, "validation",
                  self.study.per_class if self.studies else None),
            Asked("BmcnnConfig.calibration", data, "train", -(-self.calibration // classes)),
        )  # fmt: skip

    def check_batch(self) -> None:
        """Refuse batches that leave a single sample over, which batch normalization cannot take."""
        data = mho.data.dataset(self.data)
        there = len(data.classes) * self.per_class if self.per_class else data.training
        if there % self.batch == 1:
            allowed = f"one that leaves no single image of the {there} over"
            raise invalid("BmcnnConfig.batch", self.batch, allowed)

    def in_small(self) -> Self:
        """Of the compared spreads the smallest, the largest, and those claimed."""
        own, spread, study = self.architecture, self.spread, self.study
        classes = len(mho.data.dataset(self.data).classes)
        claimed = ends(spread.claimed)
        some = {*ends(spread.compared), *claimed}
        return self.replace(
            architecture=own.replace(channels=(UNITS, UNITS), hidden=narrow(own.hidden)),
            trainings=1, per_class=FEW, test_per_class=FEW, sweep_per_class=FEW, epochs=1,
            batch=classes, rate=min(self.rate, SLOW),
            spread=spread.replace(
                compared=tuple(cov for cov in spread.compared if cov in some), claimed=claimed,
                maps=ends(spread.maps),
            ),
            calibration=min(self.calibration, classes * FEW),
            study=study.replace(epochs=1, per_class=FEW), chips=min(self.chips, 2),
            processor="cpu",
        )  # fmt: skip

    @property
    def aware(self) -> mho.Hardware:
        """The chips that variation-aware training draws."""
        return self.cells.hardware(self.spread.aware, self.spread.aware)


PRESETS = {
    "quick": BmcnnConfig(
        preset="quick", architecture=Architecture(channels=(16, 32), hidden=(128,)),
        chips=10, epochs=4,
        per_class=2000, test_per_class=100, sweep_per_class=30,
        spread=Spreads(compared=(0.0, 0.25, 0.5, 1.0)), calibration=200,
        studies=("alone", "stuck"), study=StudySettings(per_class=20),
        further=("batch norm + distilled", "2 copies + batch norm"),
    ),
    "standard": BmcnnConfig(preset="standard", chips=30, trainings=3),
    "paper": BmcnnConfig(
        preset="paper", architecture=Architecture(pool=True, hidden=(512,)), chips=100,
        trainings=5, epochs=50, sweep_per_class=500,
        spread=Spreads(compared=(0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)),
        study=StudySettings(epochs=20, per_class=500),
    ),
}  # fmt: skip
