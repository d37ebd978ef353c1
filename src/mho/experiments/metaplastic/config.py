"""Settings of the write-for-life experiment, and its presets."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

import mho
from mho.config import Range
from mho.errors import invalid, unknown
from mho.experiments.experiment import ExperimentConfig
from mho.experiments.metaplastic.schemes import SCHEMES

Share = Annotated[float, Range(above=0.0, most=1.0)]
Strength = Annotated[float, Range(least=0.0)]
Study = Literal[
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
STUDIES: tuple[Study, ...] = get_args(Study)


class MetaplasticConfig(ExperimentConfig):
    """Settings of `mho run metaplastic`."""

    family: ClassVar[str] = "metaplastic"

    tasks: tuple[str, ...] = ("mnist", "fashion-mnist")
    """Data sets, in the order in which they are learnt; learnt in the reverse order as well."""
    hidden: Annotated[tuple[int, ...], Range(least=1, most=65536)] = (512, 512)
    """Units of the hidden layers [1]."""
    channels: Annotated[tuple[int, int], Range(least=1, most=4096)] = (16, 32)
    """Channels of the two 5 x 5 convolutions of the convolutional network [1]."""
    dense: Annotated[int, Range(least=1, most=65536)] = 256
    """Units of its dense layer [1]."""
    per_class: Annotated[int, Range(least=1, most=4921)] | None = None
    """Training images of each class [1]; None: all 55,000 of the training split."""
    epochs: Annotated[int, Range(least=1)] = 6
    """Passes over each task's training images, of the claimed networks [1]."""
    scheme_epochs: Annotated[int, Range(least=1)] = 2
    """The same where all schemes are compared, and of the convolutional network [1]."""
    permuted: Annotated[int, Range(least=0, most=1000)] = 10
    """Tasks of permuted MNIST; 0: none [1]."""
    permuted_epochs: Annotated[int, Range(least=1)] = 2
    """Passes over each of them [1]."""
    study_epochs: Annotated[int, Range(least=1)] = 3
    """Passes in the further studies [1]."""
    study_per_class: Annotated[int, Range(least=1, most=4921)] = 1000
    """Training images of each class in the further studies, at most `per_class`; all of them in
    the studies of the stream and of the convolutional network [1]."""
    parts: Annotated[int, Range(least=1, most=1000)] = 60
    """Subsets of the last data set that are learnt as a stream [1]."""
    batch: Annotated[int, Range(least=1)] = 100
    """Images in a training step [1]."""
    rate: Annotated[float, Range(above=0.0)] = 0.01
    """Learning rate of Adam at the start of a task; falls to 0 along a cosine [1]."""
    share: Share = 0.5
    """Hidden units that are open in a task, where units are gated [1]."""
    permuted_share: Share = 0.3
    """The same for permuted MNIST [1]."""
    damping: Strength = 30.0
    """Damping by path importance [1]."""
    pull: Strength = 2e-3
    """Pull to the anchor, for a synapse of mean importance, in each step [1]."""
    permuted_damping: Strength = 1.0
    """Damping for permuted MNIST [1]."""
    permuted_pull: Strength = 5e-4
    """Pull for permuted MNIST [1]."""
    permuted_elastic: Strength = 300.0
    """Strength of elastic weight consolidation for permuted MNIST [1]."""
    permuted_intelligence: Strength = 5.0
    """Strength of synaptic intelligence for permuted MNIST [1]."""
    m: Strength = 3.0
    """Strength of the interval rule; the paper finds 2 to 4 useful [1]."""
    mode: Literal["interval", "global"] = "interval"
    """Whether the interval rule counts from the nearest level, or, as the ancestor, from 0."""
    direction: Literal["toward-threshold", "both"] = "toward-threshold"
    """Movement that the interval rule slows down."""
    binary_m: Strength = 1.5
    """Strength of the binarized ancestor's rule; the source's value [1]."""
    elastic: Strength = 10_000.0
    """Strength of elastic weight consolidation [1]."""
    fisher: Annotated[int, Range(least=1)] = 1000
    """Images that its Fisher information is measured on [1]."""
    intelligence: Strength = 5.0
    """Strength of synaptic intelligence [1]."""
    gated_intelligence: Strength = 1.0
    """The same with gates, for permuted MNIST as well [1]."""
    uncertainty: Annotated[float, Range(above=0.0)] = 0.3
    """Uncertainty of a synapse that knows nothing, under the Bayesian rule, in units of the full
    scale [1]."""
    bayesian_rate: Annotated[float, Range(above=0.0)] = 0.5
    """Learning rate of SGD under the Bayesian rule, for such a synapse [1]."""
    digital_rate: Annotated[float, Range(above=0.0)] = 0.1
    """Learning rate of SGD for batch normalization there; `rate` is Adam's [1]."""
    memory_steps: Annotated[int, Range(least=1)] = 100_000
    """Steps that the Bayesian rule remembers [1]."""
    transfer: Annotated[int, Range(least=1)] = 100
    """Images between two write phases [1]; a multiple of the batch."""
    hidden_bits: Annotated[int, Range(least=2, most=16)] | None = None
    """Bits of the hidden weight, and of what path importance stores; None: float32 [1]."""
    pause: Annotated[float, Range(least=0.0)] = 0.0
    """Time that passes after each task before what was learnt is measured [s]; of effect on
    hardware with laws of time."""
    threshold: Annotated[float, Range(least=0.5)] = 0.5
    """Distance at which a weight is written, in steps between levels [1]."""
    calibrate_every: Annotated[int, Range(least=1)] = 100
    """Training steps between two calibrations of the converters [1]."""
    refreshed: Annotated[int, Range(least=1)] = 20_000
    """Training images from which a task's batch normalization is refreshed at its end [1]."""
    schemes: tuple[str, ...] = tuple(SCHEMES)
    """Schemes that are compared, see mho list rules."""
    studies: tuple[Study, ...] = STUDIES
    """Further studies, on held-out images."""
    hardware: mho.Hardware = mho.Hardware(
        device=mho.devices.get("hfo2-1t1r").replace(
            read_noise=0.01, stuck_off=0.0025, stuck_on=0.0025
        ),
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
        for task in self.tasks:
            if task not in mho.data.SOURCES:
                raise unknown("task", task, mho.data.SOURCES)
        for scheme in self.schemes:
            if scheme not in SCHEMES:
                raise unknown("scheme", scheme, SCHEMES)
        if self.transfer % self.batch:
            allowed = f"a multiple of the {self.batch} images of a batch"
            raise invalid("MetaplasticConfig.transfer", self.transfer, allowed)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The tasks."""
        return tuple(dict.fromkeys((*self.tasks, *(("mnist",) if self.permuted else ()))))


PRESETS = {
    "quick": MetaplasticConfig(
        preset="quick", per_class=2000, epochs=4, scheme_epochs=2, permuted=3, permuted_epochs=1,
        schemes=("gated importance", "importance", "interval", "none"), studies=("precision",),
    ),
    "standard": MetaplasticConfig(preset="standard"),
    "paper": MetaplasticConfig(
        preset="paper", chips=5, epochs=50, scheme_epochs=20, permuted_epochs=10,
        study_epochs=10, study_per_class=4921,
    ),
}  # fmt: skip
