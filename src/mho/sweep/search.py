"""Looking for the best settings, point by point, where a grid would be too many.

Optuna proposes the settings of each point; what is known of the points in the folder is told to it
at the start. So nothing but the folder is kept, and nothing in it can hang as running. Optuna comes
with the extra `mho[search]`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from mho.errors import InvalidInput, invalid, unknown
from mho.experiments.settings import value_of
from mho.files.extras import of_extra
from mho.results import Claim, Result, load, over_all
from mho.sweep.driver import Standing
from mho.sweep.folder import PointFolder, SweepFolder
from mho.sweep.objectives import Direction
from mho.sweep.plan import MOST, Plan, check_varied, values_of
from mho.sweep.points import Point


@dataclass(frozen=True)
class Span:
    """Values from `low` to `high`, both included; whole numbers if both are."""

    low: float
    high: float
    log: bool = False
    """Whether orders of magnitude are drawn alike."""


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Any, ...]


def span_or_choice(text: str) -> tuple[str, Span | Choice]:
    """Setting and values of "key=low:high", "key=low:high:log" or "key=a,b,c"."""
    key, equals, values = text.partition("=")
    parts = values.split(":")
    if not equals or not key or not values:
        raise invalid("over", text, "key=low:high, key=low:high:log or key=a,b,c")
    ends = [value_of(part) for part in parts[:2]]
    if len(parts) not in (2, 3) or any(type(end) not in (int, float) for end in ends):
        return key, Choice(tuple(values_of(text)[1]))
    if parts[2:] not in ([], ["log"]):
        raise invalid("over", text, "low:high or low:high:log")
    low, high = ends
    if not low < high or (parts[2:] and low <= 0):
        raise invalid("over", text, "low below high, and above 0 where it is log")
    return key, Span(low, high, bool(parts[2:]))


class Search:
    """A search in the folder of a sweep.

    Args:
        plan: settings of all points, and seeds; it has no axes.
        over: what is searched, by setting.
        objectives: claims of the results, by id, each with its direction.
        trials: settings to be tried in all, those in the folder included.
        sweep: the folder.
        seed: of the proposals.

    Raises:
        ValueError: nothing to search over, no objective, too many points, or Optuna is not there.
    """

    def __init__(
        self,
        plan: Plan,
        over: Mapping[str, Span | Choice],
        objectives: Mapping[str, Direction],
        trials: int,
        sweep: SweepFolder,
        seed: int = 0,
    ) -> None:
        if not over:
            raise invalid("over", dict(over), "at least one setting to search over")
        check_varied(over)
        if not objectives:
            raise invalid("objective", dict(objectives), "at least one claim of the result")
        if plan.axes:
            raise invalid("plan", plan.varied, "settings without grid or zip")
        if not 1 <= trials * len(plan.seeds) <= MOST:
            raise invalid("trials", trials, f"1 to {MOST} points in all")
        self.plan, self.over, self.objectives = plan, over, objectives
        self.trials, self.sweep = trials, sweep
        self._open: dict[int, list[PointFolder]] = {}
        """Points of each trial that is not told yet, by its number."""
        self._given: set[str] = set()
        """Names of points that were handed out."""
        self._found: dict[str, set[str]] = {}
        """Names of the points with some settings, by these as JSON."""
        known = self._known()
        optuna = _optuna()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Optuna, on what it calls experimental
            # Another seed each time, or a search that goes on would begin with the same proposals.
            sampler = optuna.samplers.TPESampler(seed=seed + len(known), multivariate=True)
        self.study = optuna.create_study(directions=list(objectives.values()), sampler=sampler)
        for parameters in known:
            self.study.enqueue_trial(parameters)

    @cached_property
    def space(self) -> dict[str, Any]:
        """Distributions of Optuna by setting."""
        kinds = _optuna().distributions
        out = {}
        for key, values in self.over.items():
            if isinstance(values, Choice):
                out[key] = kinds.CategoricalDistribution([json.dumps(v) for v in values.values])
            elif isinstance(values.low, int) and isinstance(values.high, int):
                out[key] = kinds.IntDistribution(values.low, values.high, log=values.log)
            else:
                out[key] = kinds.FloatDistribution(values.low, values.high, log=values.log)
        return out

    def ends(self) -> list[Point]:
        """A point at the lowest and at the highest value of each setting that is searched, and at
        each of those to choose from."""
        return [
            self.plan.at({key: value})[0]
            for key, values in self.over.items()
            for value in (
                values.values if isinstance(values, Choice) else (values.low, values.high)
            )
        ]

    def more(self, _standing: Standing | None = None) -> list[PointFolder]:
        """Points of the next trial, those that the folder holds first; none once there are enough.

        Points that were handed out before are left out.
        """
        while True:
            self.tell()
            asked = len(self.study.get_trials(deepcopy=False, states=self._begun))
            if asked >= self.trials:
                return []
            trial = self.study.ask(self.space)
            folders = self.sweep.add(self.plan.at(self._settings(trial.params)))
            self._open[trial.number] = folders
            if new := [each for each in folders if each.path.name not in self._given]:
                self._given |= {each.path.name for each in new}
                return new

    def tell(self) -> None:
        """Tell Optuna what is done or parked by now."""
        states = _optuna().trial.TrialState
        for number, folders in list(self._open.items()):
            if all(folder.whole for folder in folders):
                values = self._values(folders)
                if values is None:
                    self.study.tell(number, state=states.FAIL)
                else:
                    self.study.tell(number, values)
            elif any(folder.status == "parked" for folder in folders):
                self.study.tell(number, state=states.FAIL)
            else:
                continue
            del self._open[number]

    def best(self) -> list[tuple[dict[str, Any], list[float]]]:
        """Settings and objectives of the trials that no other beats in all objectives."""
        self.tell()
        return [(self._settings(trial.params), list(trial.values))
                for trial in self.study.best_trials]  # fmt: skip

    def _values(self, folders: Iterable[PointFolder]) -> list[float] | None:
        """Each objective over the seeds, as the page has it; None: one has no value.

        Raises:
            ValueError: a result has no such claim.
        """
        found: dict[str, list[Claim]] = {name: [] for name in self.objectives}
        for folder in folders:
            claims = {c.id: c for c in load(Result, folder.path / "result.json").claims}
            for name, several in found.items():
                if name not in claims:
                    raise unknown("claim", name, claims)
                several.append(claims[name])
        values = [
            over_all([c.ours for c in several], [c.std for c in several], [c.n for c in several],
                     several[0].pooled)[0]
            for several in found.values()
        ]  # fmt: skip
        return None if None in values else values  # type: ignore[return-value]

    def _settings(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Settings from parameters of Optuna."""
        return {
            key: json.loads(value) if isinstance(self.over[key], Choice) else value
            for key, value in parameters.items()
        }

    @property
    def _begun(self) -> tuple[Any, ...]:
        states = _optuna().trial.TrialState
        return (states.COMPLETE, states.FAIL, states.RUNNING)

    def _known(self) -> list[dict[str, Any]]:
        """Parameters of the trials whose points the folder holds."""
        if not self.sweep.exists:
            return []
        found = (self._parameters(folder) for folder in self.sweep.points())
        every = {json.dumps(each, sort_keys=True): each for each in found if each is not None}
        return list(every.values())

    def _parameters(self, folder: PointFolder) -> dict[str, Any] | None:
        """Parameters of Optuna of a point; None: it is of no trial of this search, or its settings
        are damaged."""
        try:
            point = folder.point
        except InvalidInput:
            return None
        tried = []
        for key, values in self.over.items():
            there = point.settings.get(key)
            if isinstance(values, Choice):
                # Of a device or a price list the settings hold the content, not its name or file.
                tried.append([there] if there in values.values else list(values.values))
            elif isinstance(there, int | float) and values.low <= there <= values.high:
                tried.append([there])
            else:
                return None
        for chosen in product(*tried):
            settings = dict(zip(self.over, chosen, strict=True))
            if point.id in self._ids(json.dumps(settings)):
                return self._encoded(settings)
        return None

    def _encoded(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters of Optuna from settings."""
        return {
            key: json.dumps(value) if isinstance(self.over[key], Choice) else value
            for key, value in settings.items()
        }

    def _ids(self, settings: str) -> set[str]:
        """Names of the points with some settings, given as JSON; none: they are not allowed."""
        if settings not in self._found:
            try:
                points = self.plan.at(json.loads(settings))
            except InvalidInput:
                points = []
            self._found[settings] = {each.id for each in points}
        return self._found[settings]


def _optuna() -> Any:
    return of_extra("search", "optuna")
