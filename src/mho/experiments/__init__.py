"""The published systems, one readable file each, and what a run of them is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mho.documented import first_sentence
from mho.errors import InvalidInput, unknown
from mho.experiments import bmcnn, metaplastic, sensitivity, siamese, wires
from mho.experiments.experiment import PRESET_NAMES, ExperimentConfig
from mho.experiments.memory import check_memory
from mho.experiments.rehearsal import rehearse
from mho.experiments.run import Run
from mho.experiments.trainings import Training
from mho.files.code import code_in, said
from mho.results import Result


@dataclass(frozen=True)
class Experiment:
    """An entry of the table of experiments."""

    name: str
    presets: dict[str, Any]
    run: Callable[[Any, Run], Result]
    memory: Callable[[Any], dict[str, int]]
    """Bytes that each training takes at the least, by its name."""
    trainings: Callable[[Any], list[Training]]
    """Those that runs may share, in the order in which they are made."""
    refuse: Callable[[Any], None] = lambda _config: None
    """Refuses settings that only the whole of them tells, in no time."""
    trial: Callable[[Any, Run], object] | None = None
    """What a rehearsal does of it; None: the whole run."""
    measures: bool = False
    """Whether much of its time goes into measuring what was trained."""
    among_all: bool = True
    """Whether `mho run all` runs it."""
    studies: Mapping[str, str] = field(default_factory=dict)
    """Its studies, and what each varies."""
    schemes: Mapping[str, str] = field(default_factory=dict)
    """Its schemes, and what each does."""

    def check(self, config: Any) -> object:
        """Refuse what the settings cannot do, before anything is written: a run in small is done.

        Returns:
            What the run in small gives, mostly a result, whose numbers mean nothing.

        Raises:
            ValueError: as said; InstrumentError: a chip does not answer.
        """
        own = code_in(config.to_dict())
        try:
            check_memory(self.memory(config), config.torch_device())
            self.refuse(config)
            return rehearse(config, self.trial or self.run)
        except Exception as error:
            if not own or isinstance(error, InvalidInput):
                raise
            why = f"{', '.join(own)} does not work in {self.name}: {said(error)}"
            raise InvalidInput(why) from error

    def preset(self, name: str) -> ExperimentConfig:
        """The configuration of a preset."""
        if name not in self.presets:
            raise unknown(f"preset of {self.name}", name, self.presets)
        return self.presets[name]


def _said(studies: Mapping[Any, Callable[..., Any]]) -> dict[str, str]:
    """The first sentence of what each study says of itself."""
    return {name: first_sentence(study.__doc__ or "") for name, study in studies.items()}


def _what(schemes: Mapping[str, Any]) -> dict[str, str]:
    return {name: scheme.what for name, scheme in schemes.items()}


EXPERIMENTS = {
    e.name: e
    for e in (
        Experiment("bmcnn", bmcnn.PRESETS, bmcnn.run, bmcnn.memory, bmcnn.trainings,
                   measures=True, studies=_said(bmcnn.STUDIES)),
        Experiment("siamese", siamese.PRESETS, siamese.run, siamese.memory, siamese.trainings,
                   siamese.check, studies=_said(siamese.STUDY), schemes=_what(siamese.SCHEMES)),
        Experiment("metaplastic", metaplastic.PRESETS, metaplastic.run, metaplastic.memory,
                   metaplastic.trainings, metaplastic.check,
                   studies=_said(metaplastic.STUDY), schemes=_what(metaplastic.SCHEMES)),
        Experiment("wires", wires.PRESETS, wires.run, wires.memory, wires.trainings,
                   wires.check, measures=True),
        Experiment("sensitivity", sensitivity.PRESETS, sensitivity.run, sensitivity.memory,
                   sensitivity.trainings, sensitivity.check,
                   sensitivity.trial, measures=True, among_all=False),
    )
}  # fmt: skip


def get(name: str) -> Experiment:
    """The experiment of a name."""
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]


__all__ = ["EXPERIMENTS", "PRESET_NAMES", "Experiment", "ExperimentConfig", "Run", "get"]
