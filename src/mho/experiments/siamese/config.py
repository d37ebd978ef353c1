"""Settings of the write-rarely experiment, and its presets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

import mho
from mho.config import Config, Range
from mho.data import SOURCES
from mho.errors import invalid
from mho.experiments.device import with_fitting_studies
from mho.experiments.experiment import (
    FEW,
    SLOW,
    UNITS,
    Asked,
    ExperimentConfig,
)
from mho.experiments.siamese.schemes import SCHEMES, Writes, scheme_of
from mho.experiments.siamese.varied import VARIED
from mho.files.code import file_of
from mho.instruments import Limits, RemoteInstrument, read_token
from mho.instruments.address import server_address
from mho.physics import Cell, Preset
from mho.quantities import Batch, Count, Epochs, LearningRate

Network = Literal["mlp", "cnn"]
StudyName = Literal["imperfections", "levels", "programming", "pulses", "endurance", "retention"]
STUDIES: tuple[StudyName, ...] = get_args(StudyName)


class ChipConfig(Config):
    """An instrument, and what is trained on it."""

    address: str
    """HOST:PORT of the instrument's server, [::1]:6047 or unix:PATH."""
    token_file: str | None = None
    """File with the secret that the server asks for; None: that in the environment variable
    MHO_CHIP_TOKEN, if there is one. The secret itself is kept nowhere."""
    scheme: str = "falling threshold"
    """Write scheme, see mho list schemes."""
    retries: Annotated[int, Range(least=0, most=1000)] = 2
    """Further attempts at a cell that refuses to program, before it is left alone [1]."""
    limits: Limits = Limits()
    """How long and how often the instrument is asked."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if scheme_of(self.scheme).step is None or self.scheme == "Tiki-Taka":
            allowed = "a scheme that writes to the chip, and to no simulated array beside it"
            raise invalid("ChipConfig.scheme", self.scheme, allowed)
        server_address(self.address)

    def instrument(
        self, limits: Limits | None = None, told: Callable[[str], None] | None = None
    ) -> RemoteInstrument:
        """The client of the instrument; `limits` may be others than its own."""
        token = read_token(None if self.token_file is None else Path(self.token_file))
        limits = limits or self.limits
        return RemoteInstrument(self.address, limits=limits, token=token, told=told)


class Cnn(Config):
    """The network of the LeNet class."""

    channels: Annotated[tuple[int, int], Range(least=1, most=4096)] = (6, 16)
    """Channels of the two 5 x 5 convolutions [1]."""
    dense: Annotated[tuple[int, int], Range(least=1, most=65536)] = (120, 84)
    """Units of the two dense layers after them [1]."""
    epochs: Epochs = 10
    """Passes over the training images [1]."""


class StudySettings(Config):
    """How the further studies train."""

    epochs: Epochs = 2
    """Passes over the training images [1]."""


class SiameseConfig(ExperimentConfig):
    """Settings of `mho run siamese`."""

    family: ClassVar[str] = "siamese"
    device_key: ClassVar[str] = "hardware.device"
    all_schemes: ClassVar[tuple[str, ...]] = tuple(SCHEMES)
    all_studies: ClassVar[tuple[str, ...]] = STUDIES

    data: str = "mnist"
    """What is learnt: a public data set (mho list datasets), a .npz file, or a folder of images
    with a / in its name, see mho.data.dataset."""
    networks: tuple[Network, ...] = ("mlp", "cnn")
    """Networks that are claimed: one hidden layer, for samples of any shape, and one of the LeNet
    class, for images of 12 x 12 or more."""
    hidden: Annotated[int, Range(least=1, most=65536)] = 128
    """Units of the hidden layer of the perceptron [1]."""
    network: str | None = None
    """A network of your own, FILE.py:NAME, in place of the perceptron, and then the only one. None:
    the perceptron."""
    cnn: Cnn = Cnn()
    """The CNN."""
    per_class: Count | None = None
    """Training samples of each class [1]; None: all of the training split, of MNIST 55,000."""
    epochs: Epochs = 20
    """Passes of the perceptron over the training images [1]."""
    batch: Batch = 64
    """Images in a training step [1]."""
    rate: LearningRate = 0.05
    """Learning rate at the start; it falls to 0 along a cosine [1]."""
    momentum: Annotated[float, Range(least=0.0, below=1.0)] = 0.9
    """Momentum of SGD, but for the schemes that have none [1]."""
    shift: Annotated[int, Range(least=0, most=8)] = 1
    """Pixels by which training images are moved at random in both directions [1]; samples that are
    no images (channels, height, width) stay."""
    writes: Writes = Writes()
    """What the write schemes decide by."""
    schemes: tuple[str, ...] = tuple(SCHEMES)
    """Write schemes that are compared, see mho list schemes."""
    scheme_epochs: Epochs = 3
    """Passes in that comparison [1]."""
    claimed: tuple[str, ...] = (
        "float", "on level change", "falling threshold", "large threshold",
        "stochastic rounding to larger steps"
    )  # fmt: skip
    """Schemes that are trained in full and tested."""
    studies: tuple[StudyName, ...] = STUDIES
    """Further studies, of "falling threshold", on held-out images."""
    study: StudySettings = StudySettings()
    """How these train."""
    calibrate_every: Count = 100
    """Training steps between two calibrations of the converters [1]."""
    calibration: Count = 500
    """Training images that the converters are calibrated on [1]."""
    chip: ChipConfig | None = None
    """A chip on the bench, on which the perceptron is trained under one scheme, beside the same in
    float; then `networks`, `claimed`, `schemes`, `studies` and `chips` do not count. None: all on
    simulated chips."""
    hardware: mho.Hardware = mho.Hardware(
        device=mho.cells.MultiLevel(
            g_min=50e-6,
            g_max=225e-6,
            levels=16,
            sigma=(0.05 * 175e-6,),
            device_spread=0.05,
            read_noise=0.01,
            stuck_off=0.0025,
            stuck_on=0.0025,
            endurance=1e6,
            doi="10.1109/IRPS46558.2021.9405119",
            note="Window of the source; spreads, read noise, stuck cells and endurance are this "
            "experiment's defaults.",
        ),
        programming=mho.cells.OpenLoop(),
        weight_levels=16,
        full_scale=10.0,
        dac_bits=8,
        adc_bits=8,
        adc_per_tile=False,
    )
    """The chips."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("schemes", "claimed", "studies", "networks"):
            names = getattr(self, field)
            if len(set(names)) < len(names):
                raise invalid(f"SiameseConfig.{field}", names, "each name once")
        for name in (*self.schemes, *self.claimed):
            scheme_of(name)
        if self.scheme is not None:
            scheme_of(self.scheme)
        if self.chip is not None and (given := self.only or self.scheme):
            name = "only" if self.only else "scheme"
            allowed = "nothing with a chip, on which one scheme is trained: chip.scheme"
            raise invalid(f"SiameseConfig.{name}", given, allowed)
        needed = {"float", "on level change", "falling threshold", "large threshold"}
        if not needed <= set(self.claimed):
            raise invalid("SiameseConfig.claimed", self.claimed, f"among others {sorted(needed)}")
        if self.network is not None:
            object.__setattr__(self, "networks", ("mlp",))
            file_of(self.network)
        if not self.networks or self.networks[0] != "mlp":
            raise invalid("SiameseConfig.networks", self.networks, "('mlp',) or ('mlp', 'cnn')")
        if self.data in SOURCES:
            self.check_batch()

    @property
    def datasets(self) -> tuple[str, ...]:
        """The one that is learnt."""
        return (self.data,)

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Of the training split."""
        return (Asked("SiameseConfig.per_class", self.data, "train", self.per_class),)

    def check_batch(self) -> None:
        """Refuse batches of more than the training samples."""
        data = mho.data.dataset(self.data)
        there = len(data.classes) * self.per_class if self.per_class else data.training
        if there < self.batch:
            allowed = f"at most the training images, {there}"
            raise invalid("SiameseConfig.batch", self.batch, allowed)

    def in_small(self) -> Self:
        """Of each study all points; of the training on an instrument, on simulated chips."""
        changes: dict[str, Any] = {}
        if self.chip is not None:
            changes = {"chip": None, "networks": ("mlp",), "studies": (),
                       "schemes": (self.chip.scheme,)}  # fmt: skip
        one, images = self.study.replace(epochs=1), FEW * len(mho.data.dataset(self.data).classes)
        cnn = self.cnn.replace(channels=(UNITS, UNITS), dense=(UNITS, UNITS), epochs=1)
        return self.replace(
            hidden=UNITS, cnn=cnn, per_class=FEW, epochs=1, scheme_epochs=1,
            study=one, batch=min(self.batch, images), rate=min(self.rate, SLOW),
            chips=1, processor="cpu", **changes,
        )  # fmt: skip

    def on_device(
        self, device: Preset | Cell, by_hand: Mapping[str, Any] | None = None
    ) -> tuple[Self, list[str]]:
        """The chips with the cells of a preset; studies that cannot vary these are left out."""
        return with_fitting_studies(self, device, by_hand or {}, VARIED)

    def with_network(self, reference: str) -> Self:
        """In place of the perceptron."""
        return self.replace(network=reference)

    def check_processes(self, count: int) -> None:
        """As any run; an instrument is asked by one process."""
        super().check_processes(count)
        if count > 1 and self.chip is not None:
            raise invalid("processes", count, "1 where the chip of an instrument is trained")

    def on_instrument(self, address: str) -> Self:
        """The perceptron on the chip of an instrument at an address."""
        return self.merged({"chip": {"address": address}})


PRESETS = {
    "quick": SiameseConfig(
        preset="quick", networks=("mlp",), epochs=3, scheme_epochs=1, chips=2,
        study=StudySettings(epochs=1),
        schemes=("float", "closed loop", "on level change", "fixed threshold", "falling threshold",
                 "falling threshold with verify", "large threshold",
                 "large threshold with read-back", "stochastic rounding"),
        studies=("imperfections",),
    ),
    "standard": SiameseConfig(preset="standard"),
    "paper": SiameseConfig(
        preset="paper", chips=5, epochs=40, cnn=Cnn(epochs=30), scheme_epochs=20,
        study=StudySettings(epochs=10),
    ),
}  # fmt: skip
