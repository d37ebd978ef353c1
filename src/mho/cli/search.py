"""`mho search`: the best settings of an experiment, point by point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from rich.console import Console

from mho.cli.options import Option, by_key
from mho.cli.sweep import OfPoints, forgiven, say_end, stopping
from mho.cli.terminal import say, tell, waiting
from mho.errors import unknown
from mho.files import check_output


@dataclass(frozen=True)
class Search(OfPoints):
    """Search the best settings of an experiment with Optuna, an extra: mho[search].

    Points are run folders of a sweep, and may be those of one: what is done there is not repeated.
    """

    over: Annotated[tuple[str, ...], Option("KEY=LOW:HIGH")] = ()
    """Values of a setting: KEY=LOW:HIGH, KEY=LOW:HIGH:log, or KEY=A,B,C for one of some."""
    objective: Annotated[tuple[str, ...], Option("CLAIM:max")] = ()
    """A claim of the results, by its id, and max or min; several give a Pareto front."""
    trials: Annotated[int, Option("N")] = 20
    """Settings to be tried in all, those in the folder included; each with all seeds."""

    def run(self) -> None:
        """Search, and say what was found."""
        from mho.experiments import EXPERIMENTS
        from mho.sweep.check import check
        from mho.sweep.driver import drive
        from mho.sweep.engines import engine_of
        from mho.sweep.live import Watch
        from mho.sweep.objectives import objective, write_objectives
        from mho.sweep.search import Search as Searching
        from mho.sweep.search import span_or_choice

        if self.what not in EXPERIMENTS:
            raise unknown("experiment", self.what, EXPERIMENTS)
        plan, sweep = self.plan(), self.folder()
        engine = engine_of(self.engine, self.engine_set)
        over = by_key("over", map(span_or_choice, self.over))
        wanted = by_key("objective", map(objective, self.objective))
        search = Searching(plan, over, wanted, self.trials, sweep, seed=plan.seeds[0])
        check_output(sweep.path, folder=True)
        with waiting("mho: trying the ends of what is searched in small"):
            small = check(search.ends(), sweep, here=engine.here)
        for name in wanted:
            if small and name not in (claims := {each.id for each in small[0].claims}):
                raise unknown("claim", name, claims)
        write_objectives(sweep.path, wanted)
        if sweep.exists:
            forgiven(sweep.points(), self.retry)
        with stopping(), Watch(sweep, Console(stderr=True), tell) as watch:
            standing = drive((), engine, search.more, shown=watch.glance, told=tell)
        for settings, values in search.best():
            found = ", ".join(f"{name} {v:g}" for name, v in zip(wanted, values, strict=True))
            say(f"{found}: {', '.join(f'{key}={value}' for key, value in settings.items())}")
        say_end(standing, sweep)
