"""Settings of the write-for-life experiment, and its presets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

import mho
from mho.config import Config, Range
from mho.data.named import is_public
from mho.errors import invalid
from mho.experiments.device import with_fitting_studies
from mho.experiments.experiment import (
    FEW,
    SLOW,
    UNITS,
    Asked,
    ExperimentConfig,
    narrow,
)
from mho.experiments.metaplastic.schemes import SCHEMES, Rules, scheme_of
from mho.experiments.metaplastic.varied import VARIED
from mho.files.code import file_of
from mho.physics import Cell, Preset
from mho.quantities import Batch, Count, Epochs, LearningRate, Seconds, Steps, Strength

Network = Literal["mlp", "cnn"]
Share = Annotated[float, Range(least=1e-6, most=1.0)]
StudyName = Literal[
    "strength",
    "m",
    "forms",
    "gates",
    "period",
    "precision",
    "levels",
    "imperfections",
    "split",
    "stream",
    "convolution",
]
STUDIES: tuple[StudyName, ...] = get_args(StudyName)


class Cnn(Config):
    """The small convolutional network."""

    channels: Annotated[tuple[int, int], Range(least=1, most=4096)] = (16, 32)
    """Channels of the two 5 x 5 convolutions [1]."""
    dense: Annotated[int, Range(least=1, most=65536)] = 256
    """Units of the dense layer after them [1]."""


class Permuted(Config):
    """Permuted MNIST, or another data set whose values are permuted, and what differs for it."""

    data: str = "mnist"
    """Which, named as the tasks are."""
    tasks: Annotated[int, Range(least=0, most=1000)] = 10
    """Permutations that are learnt in turn; 0: none [1]."""
    epochs: Epochs = 2
    """Passes over each of them [1]."""
    share: Share = 0.3
    """Hidden units that are open in a task, where units are gated [1]."""
    damping: Strength = 1.0
    """Damping by path importance [1]."""
    pull: Strength = 5e-4
    """Pull to the anchor [1]."""
    elastic: Strength = 300.0
    """Strength of elastic weight consolidation [1]."""
    intelligence: Strength = 5.0
    """Strength of synaptic intelligence [1]."""


class StudySettings(Config):
    """How the further studies train."""

    epochs: Epochs = 3
    """Passes over each task's training images [1]."""
    per_class: Count = 1000
    """Training samples of each class, at most those of the run; all of these in the studies of the
    stream and of the convolutional network [1]."""
    split: str = "mnist"
    """Data set that the study split takes apart, two classes a task; named as the tasks are."""
    parts: Annotated[int, Range(least=1, most=1000)] = 60
    """Subsets of the last data set that are learnt as a stream [1]."""


class MetaplasticConfig(ExperimentConfig):
    """Settings of `mho run metaplastic`."""

    family: ClassVar[str] = "metaplastic"
    device_key: ClassVar[str] = "hardware.device"
    all_schemes: ClassVar[tuple[str, ...]] = tuple(SCHEMES)
    all_studies: ClassVar[tuple[str, ...]] = STUDIES

    tasks: tuple[str, ...] = ("mnist", "fashion-mnist")
    """Data sets, in the order in which they are learnt; learnt in the reverse order as well. Public
    ones (mho list datasets), .npz files, or folders of images with a / in their names, see
    mho.data.dataset; samples of all have one shape."""
    hidden: Annotated[tuple[int, ...], Range(least=1, most=65536)] = (512, 512)
    """Units of the hidden layers [1]."""
    network: str | None = None
    """A network of your own, FILE.py:NAME, in place of the perceptron; the study of the
    convolutional network is then left out. It has batch normalization, which is kept for each task,
    and mho.nn.Gate where a scheme opens some of the units. None: the perceptron."""
    cnn: Cnn = Cnn()
    """The convolutional network of a study."""
    per_class: Count | None = None
    """Training samples of each class [1]; None: all of the training split, of MNIST 55,000."""
    epochs: Epochs = 6
    """Passes over each task's training images, of the claimed networks [1]."""
    batch: Batch = 100
    """Images in a training step [1]."""
    rate: LearningRate = 0.01
    """Learning rate of Adam at the start of a task; falls to 0 along a cosine [1]."""
    share: Share = 0.5
    """Hidden units that are open in a task, where units are gated [1]."""
    rules: Rules = Rules()
    """What the rules of the schemes are made with."""
    transfer: Count = 100
    """Images between two write phases [1]; a multiple of the batch."""
    threshold: Steps = 0.5
    """Distance at which a weight is written, in steps between levels [1]."""
    calibrate_every: Count = 100
    """Training steps between two calibrations of the converters [1]."""
    refreshed: Annotated[int, Range(least=2, most=550_000)] = 20_000
    """Training images from which a task's batch normalization is refreshed at its end [1]."""
    pause: Seconds = 0.0
    """Time that passes after each task before what was learnt is measured [s]; of effect on
    hardware with laws of time."""
    permuted: Permuted = Permuted()
    """A data set under permutations."""
    hidden_epochs: Annotated[int, Range(least=0, most=100_000)] = 0
    """Passes over each task's training images, of the claimed networks whose synapses store their
    hidden weight alone; 0: none are trained [1]."""
    schemes: tuple[str, ...] = tuple(SCHEMES)
    """Schemes that are compared, see mho list rules."""
    scheme_epochs: Epochs = 2
    """Passes in that comparison, and of the convolutional network [1]."""
    studies: tuple[StudyName, ...] = STUDIES
    """Further studies, on held-out images."""
    study: StudySettings = StudySettings()
    """How these train."""
    hardware: mho.Hardware = mho.Hardware(
        device=mho.devices.get("hfo2-1t1r").replace(
            read_noise=0.01,
            stuck_off=0.0025,
            stuck_on=0.0025,
            written=None,
            note="Window, levels and spread of hfo2-1t1r. Its spread is of verified cells and is "
            "taken here as that of one pulse, so that writes can be verified to half a step: 0.96 "
            "of it and more is left, and a write takes hardly more than one pulse, where the "
            "source's takes several. Read noise and stuck cells are this experiment's.",
        ),
        programming=mho.cells.Verify(),
        full_scale=3.0,
        dac_bits=8,
        adc_bits=8,
        adc_per_tile=False,
    )
    """The chips."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.tasks:
            raise invalid("MetaplasticConfig.tasks", self.tasks, "at least one data set")
        for field in ("tasks", "schemes", "studies"):
            names = getattr(self, field)
            if len(set(names)) < len(names):
                raise invalid(f"MetaplasticConfig.{field}", names, "each name once")
        for task in (*self.tasks, self.permuted.data, self.study.split):
            is_public(task)
        for scheme in self.schemes:
            scheme_of(scheme)
        if self.scheme is not None:
            scheme_of(self.scheme)
        if self.network is not None:
            file_of(self.network)
            if self.only == "convolution":
                allowed = "nothing with a network of your own: it trains another"
                raise invalid("MetaplasticConfig.only", self.only, allowed)
            others = tuple(study for study in self.studies if study != "convolution")
            object.__setattr__(self, "studies", others)
        if self.transfer % self.batch:
            allowed = f"a multiple of the {self.batch} images of a batch"
            raise invalid("MetaplasticConfig.transfer", self.transfer, allowed)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The tasks, and what is permuted or split."""
        permuted = (self.permuted.data,) if self.permuted.tasks else ()
        split = (self.study.split,) if "split" in self.studies else ()
        return tuple(dict.fromkeys((*self.tasks, *permuted, *split)))

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Of all training splits."""
        name = "MetaplasticConfig.per_class"
        return tuple(Asked(name, data, "train", self.per_class) for data in self.datasets)

    def in_small(self) -> Self:
        """Of each study all points; few tasks of those that come in great number."""
        permuted, study = self.permuted, self.study
        classes = min(len(mho.data.dataset(name).classes) for name in self.datasets)
        batch = min(self.batch, classes * FEW)
        rules, cnn = self.rules, self.cnn
        hidden = rules.hidden_only.replace(rate=min(rules.hidden_only.rate, SLOW))
        cnn = cnn.replace(channels=(UNITS, UNITS), dense=UNITS)
        slow = rules.bayesian.replace(
            rate=min(rules.bayesian.rate, SLOW), digital_rate=min(rules.bayesian.digital_rate, SLOW)
        )
        return self.replace(
            hidden=narrow(self.hidden),
            cnn=cnn,
            per_class=FEW, epochs=1, scheme_epochs=1, hidden_epochs=min(self.hidden_epochs, 1),
            batch=batch, rate=min(self.rate, SLOW),
            transfer=batch * min(self.transfer // self.batch, 2),
            refreshed=min(self.refreshed, 10 * FEW),
            rules=rules.replace(
                bayesian=slow, hidden_only=hidden, fisher=min(rules.fisher, 10 * FEW)
            ),
            permuted=permuted.replace(tasks=min(permuted.tasks, 2), epochs=1),
            study=study.replace(epochs=1, per_class=min(study.per_class, FEW),
                                parts=min(study.parts, 2)),
            chips=1, processor="cpu",
        )  # fmt: skip

    def with_network(self, reference: str) -> Self:
        """In place of the perceptron."""
        return self.replace(network=reference)

    def with_data(self, names: tuple[str, ...]) -> Self:
        """Tasks, in the order in which they are learnt."""
        return self.replace(tasks=names)

    def on_device(
        self, device: Preset | Cell, by_hand: Mapping[str, Any] | None = None
    ) -> tuple[Self, list[str]]:
        """The chips with the cells of a preset; studies that cannot vary these are left out."""
        return with_fitting_studies(self, device, by_hand or {}, VARIED)


PRESETS = {
    "quick": MetaplasticConfig(
        preset="quick", per_class=2000, epochs=4, scheme_epochs=2,
        permuted=Permuted(tasks=3, epochs=1),
        schemes=("path importance with gates", "path importance", "interval rule",
                 "no protection"),
        studies=("precision",),
    ),
    "standard": MetaplasticConfig(preset="standard", hidden_epochs=12),
    "paper": MetaplasticConfig(
        preset="paper", chips=5, epochs=50, scheme_epochs=20, hidden_epochs=50,
        permuted=Permuted(epochs=10), study=StudySettings(epochs=10, per_class=4921),
    ),
}  # fmt: skip
