"""The three systems as parts of another experiment, which runs those that its settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, Self, get_args

from mho.errors import invalid
from mho.experiments import bmcnn, metaplastic, siamese
from mho.experiments.experiment import Asked, ExperimentConfig
from mho.files.code import WANTED, is_code

System = Literal["bmcnn", "siamese", "metaplastic"]
SYSTEMS: tuple[System, ...] = get_args(System)

_MEMORY: dict[System, Callable[[Any], dict[str, int]]] = {
    "bmcnn": bmcnn.memory,
    "siamese": siamese.memory,
    "metaplastic": metaplastic.memory,
}


class SystemsConfig(ExperimentConfig):
    """Settings of an experiment on the three systems, each with a table of its own: `bmcnn`,
    `siamese` and `metaplastic`."""

    systems: tuple[System, ...] = SYSTEMS
    """Systems that are run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.systems or len(set(self.systems)) < len(self.systems):
            allowed = "at least one system, each once"
            raise invalid(f"{type(self).__name__}.systems", self.systems, allowed)
        for name in SYSTEMS:
            own = self.of(name)
            if own.only is not None:
                raise invalid(f"{name}.only", own.only, "nothing: it is for a run of its own")
            if own.scheme is not None and not is_code(own.scheme):
                allowed = f"nothing but a rule of your own, {WANTED}: the rest is for a run alone"
                raise invalid(f"{name}.scheme", own.scheme, allowed)

    def of(self, system: System) -> ExperimentConfig:
        """Settings of a system."""
        return getattr(self, system)

    def parts(self) -> tuple[ExperimentConfig, ...]:
        """Settings of the systems that are run, without what is left out here: further studies."""
        found = {name: self.of(name).merged({"studies": []}) for name in self.systems}
        if "metaplastic" in found:
            found["metaplastic"] = found["metaplastic"].merged({"permuted": {"tasks": 0}})
        return tuple(found[name] for name in SYSTEMS if name in found)

    def parts_there(self) -> tuple[str, ...]:
        """The systems."""
        return SYSTEMS

    def narrowed(self, part: str) -> dict[str, Any]:
        """One system."""
        return {"systems": (part,)}

    @property
    def datasets(self) -> tuple[str, ...]:
        """Data sets of the systems."""
        return tuple(dict.fromkeys(name for part in self.parts() for name in part.datasets))

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Of the systems."""
        return tuple(each for part in self.parts() for each in part.asked)

    def check_batch(self) -> None:
        """Refuse batches that do not suit a system."""
        for part in self.parts():
            part.check_batch()

    def with_rule(self, reference: str) -> Self:
        """In those of the systems that learn on their arrays."""
        learning: list[System] = [
            name for name in SYSTEMS if name in self.systems and self.of(name).all_schemes
        ]
        return self._changed(learning or self.systems, lambda own: own.with_rule(reference))

    def with_network(self, reference: str) -> Self:
        """In all systems that are run."""
        return self._changed(self._taking_part(), lambda own: own.with_network(reference))

    def with_data(self, names: tuple[str, ...]) -> Self:
        """In all systems that are run: tasks in turn of metaplastic, else one."""
        return self._changed(self._taking_part(), lambda own: own.with_data(names))

    def _taking_part(self) -> tuple[System, ...]:
        """Systems of which anything is trained."""
        return self.systems

    def _changed(
        self, systems: Iterable[System], change: Callable[[ExperimentConfig], ExperimentConfig]
    ) -> Self:
        return self.replace(**{name: change(self.of(name)) for name in systems})


def memory(config: SystemsConfig) -> dict[str, int]:
    """Bytes that the networks of the systems take."""
    found: dict[str, int] = {}
    for name in SYSTEMS:
        if name in config.systems:
            own = config.of(name)
            found |= _MEMORY[name](own.replace(chips=config.chips) if name == "bmcnn" else own)
    return found
