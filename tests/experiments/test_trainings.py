"""What a training says that it depends on is all that it does depend on."""

import hashlib
import typing
import warnings
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

import pytest
import torch

import mho
from mho import experiments
from mho.config import Config
from mho.data.stand_in import stand_ins
from mho.errors import InvalidInput
from mho.experiments.bmcnn.network import train as train_binarized
from mho.experiments.experiment import ExperimentConfig
from mho.experiments.metaplastic.training import Job as Lifelong
from mho.experiments.metaplastic.training import learn
from mho.experiments.rehearsal import Rehearsal
from mho.experiments.run import Stateful
from mho.experiments.siamese.training import Job as InPlace
from mho.experiments.siamese.training import train as train_in_place
from mho.experiments.trainings import Training

SHORT: dict[str, dict[str, Any]] = {
    "bmcnn": {"studies": ("networks",), "further": (), "mitigations": ("none",), "trainings": 2,
              "spread": {"compared": (0.5,), "claimed": (0.5,)}},
    "siamese": {"studies": ("programming", "retention")},
    "metaplastic": {"studies": ("forms",), "schemes": ("separate networks", "joint training")},
    "wires": {"resistances": (2.0,), "tiles": (128,), "refreshes": (1, 5)},
    "sensitivity": {"systems": ("bmcnn",), "samples": 4, "steps": (1.0,)},
}  # fmt: skip
ELSEWHERE = ("processor", "threads", "preset")
"""Settings of where a run is computed, and what it is called."""


class Recorder(Rehearsal):
    """A run that keeps nothing and remembers what each training left and logged."""

    def __init__(self, wanted: set[str] | None = None) -> None:
        super().__init__()
        self.made: dict[str, str] = {}
        self.wanted = wanted
        self._lines: list[str] = []

    def steps(
        self,
        key: str,
        total: int,
        state: Mapping[str, Stateful],
        *,
        keep: Sequence[str] | None = None,
        of: Training | None = None,
    ) -> Iterator[int]:
        assert of is not None
        assert keep is not None
        if self.wanted is not None and of.id not in self.wanted:
            raise Unwanted
        self._lines = []
        yield from range(total)
        digest = hashlib.sha256("\n".join(self._lines).encode())
        for part in keep:
            _digest(digest, state[part].state_dict())
        self.made[of.id] = digest.hexdigest()

    def log(self, **values: Any) -> None:
        self._lines.append(repr(values))


class Unwanted(Exception):
    """This training is not looked at."""


def _digest(digest: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        digest.update(f"{value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            digest.update(str(name).encode())
            _digest(digest, inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _digest(digest, inner)
    else:
        digest.update(repr(value).encode())


@pytest.mark.parametrize("name", sorted(experiments.EXPERIMENTS))
def test_the_trainings_of_a_run_are_known_before(name: str) -> None:
    experiment = experiments.get(name)
    config = experiment.preset("quick").merged(SHORT[name]).in_small()
    recorder = Recorder()
    with stand_ins(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (experiment.trial or experiment.run)(config, recorder)
        known = [training.id for training in experiment.trainings(config)]
    assert list(recorder.made) == list(dict.fromkeys(known))


IN_PLACE = ("float", "closed loop", "falling threshold", "large threshold",
            "falling threshold every few batches", "falling threshold on summed gradients",
            "write budget", "mixed precision in larger steps", "random sparse updates",
            "stochastic rounding to larger steps", "sign of the gradient", "Tiki-Taka",
            "stochastic rounding", "fixed threshold")  # fmt: skip
IN_TURN = ("path importance with gates", "path importance with gates on ideal chip",
           "interval rule", "binarized network", "no protection", "gates alone", "EWC", "SI",
           "SI with gates", "shuffled path importance", "Bayesian steps",
           "joint training")  # fmt: skip


def trainings(config: Any) -> Iterator[tuple[str, Training, Any]]:
    """Some trainings of a run: their name, what they depend on, and how they are made."""
    if config.family == "bmcnn":
        from mho.experiments.bmcnn.network import training

        for kind in ("plain", "aware"):
            given = {"kind": kind, "number": 0, "epochs": config.epochs, "name": kind}
            own = config.architecture
            yield (
                kind,
                training(config, own, **given),
                lambda run, own=own, given=given: train_binarized(config, own, run, **given),
            )
    elif config.family == "siamese":
        from mho.experiments.siamese.training import training as of_job

        for scheme in IN_PLACE:
            for network in ("mlp", "cnn") if scheme in ("float", "falling threshold") else ("mlp",):
                job = InPlace(scheme, 1, config.hardware, network)
                yield (
                    f"{scheme}, {network}",
                    of_job(config, job),
                    lambda run, job=job: train_in_place(config, run, job),
                )
    else:
        from mho.experiments.metaplastic.training import training as of_tasks

        for scheme in IN_TURN:
            job = Lifelong(scheme, mho.data.sequential(config.tasks), config)
            yield scheme, of_tasks(job), lambda run, job=job: learn(run, job)


def made(config: Any, wanted: Mapping[str, str] | None = None) -> dict[str, tuple[str, str]]:
    """By name of a training, its id and the digest of what it left; of the wanted ones."""
    found = {}
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        for name, of, make in trainings(config):
            if wanted is None or wanted.get(name) == of.id:
                recorder = Recorder()
                make(recorder)
                found[name] = (of.id, recorder.made[of.id])
    return found


def changes(config: Config, prefix: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Each setting by its dotted name, and values that may be taken instead of its own."""
    hints = typing.get_type_hints(type(config), include_extras=True)
    for name in type(config).__dataclass_fields__:
        value = getattr(config, name)
        if isinstance(value, Config):
            yield from changes(value, f"{prefix}{name}.")
        elif name not in ELSEWHERE and name != "chip":
            yield f"{prefix}{name}", list(_others(value, hints[name]))


def _others(value: Any, hint: Any) -> Iterator[Any]:
    words = [word for word in _words(hint) if word != value]
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1, 2 * value)
    elif isinstance(value, float):
        yield from (1.25 * value, 0.75 * value, value + 0.01, value - 0.01)
    elif isinstance(value, str):
        yield from (*words, "fashion-mnist", "pcm-90nm", "another note", "10.1/x")
    elif isinstance(value, tuple):
        yield from ((*value[:-1], other) for other in _others(value[-1], hint)) if value else ()
        yield value[:-1]
        yield from ((word,) for word in words)
    elif value is None:
        yield from (2, 0.5, 8)


def _words(hint: Any) -> Iterator[str]:
    if isinstance(hint, str):
        yield hint
    for part in typing.get_args(hint):
        yield from _words(part)


def changed(config: ExperimentConfig, key: str, values: Sequence[Any]) -> Iterator[Any]:
    """The configuration with another value of a setting, if one is allowed."""
    for value in values:
        nested: Any = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        try:
            other = config.merged(nested)
            for data in other.datasets:
                mho.data.dataset(data)
        except (InvalidInput, ValueError):
            continue
        if other != config:
            yield other
            return


@pytest.mark.parametrize("name", ["bmcnn", "siamese", "metaplastic"])
def test_what_a_training_does_not_name_does_not_change_it(name: str) -> None:
    config = experiments.get(name).preset("quick").merged({"epochs": 1}).in_small()
    if name == "siamese":
        config = config.merged({"calibrate_every": 2})
    draw, tried, alike, differ = Random(0), 0, 0, 0
    with stand_ins():
        base = made(config)
        ids = {each: id for each, (id, _) in base.items()}
        again = made(config, {k: ids[k] for k in draw.sample(sorted(ids), min(3, len(ids)))})
        assert all(base[each] == found for each, found in again.items()), "they repeat"
        for key, values in changes(config):
            for other in changed(config, key, values):
                tried += 1
                same = [n for n, of, _ in trainings(other) if of.id == ids[n]]
                differ += len(same) < len(ids)
                chosen = draw.sample(same, min(2, len(same)))
                for each, found in made(other, {n: ids[n] for n in chosen}).items():
                    alike += 1
                    assert found == base[each], f"{each} depends on {key}"
    assert tried > 30
    assert alike > 20
    assert differ > 8
