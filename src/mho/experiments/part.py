"""One part of an experiment alone: which there are, and what its result says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mho.experiments.experiment import ExperimentConfig
from mho.experiments.study import Done
from mho.results import Claim, Result, claim, id_of

O = TypeVar("O")  # noqa: E741


def result(
    config: ExperimentConfig,
    title: str,
    done: Sequence[Done[Any, O]],
    accuracy: Callable[[O], float | Sequence[float]],
) -> Result:
    """What studies found, with the accuracy at each of their points as a claim.

    Args:
        config: settings of the run.
        title: of the experiment.
        done: the studies.
        accuracy: of an outcome, or of each of its chips [%].
    """
    outcomes = {name: outcome for each in done for name, outcome in each.outcomes.items()}
    return Result(
        experiment=config.family,
        preset=config.preset,
        seed=config.seed,
        title=f"{title}: {config.only}",
        summary=f"{config.only} alone, of the settings of this run; accuracies are on held-out "
        "training images.",
        claims=[_claim(name, accuracy(outcome)) for name, outcome in outcomes.items()],
        tables=[table for each in done for table in each.tables],
        curves=[curve for each in done for curve in each.curves],
        bars=[bars for each in done for bars in each.bars],
        maps=[found for each in done for found in each.maps],
    )


def _claim(name: str, accuracy: float | Sequence[float]) -> Claim:
    values = [accuracy] if isinstance(accuracy, int | float) else accuracy
    return claim(id_of(name), f"{name}: held-out accuracy", values, "%")
