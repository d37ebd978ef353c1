"""`mho sweep`: many runs, as one folder."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console

from mho.cli import names
from mho.cli.options import Argument, Option, by_key
from mho.cli.terminal import say, tell, waiting
from mho.errors import Failed, invalid, unknown
from mho.files import check_output

if TYPE_CHECKING:
    from mho.sweep.driver import Standing
    from mho.sweep.engines import Engine
    from mho.sweep.folder import Beat, PointFolder, SweepFolder
    from mho.sweep.plan import Plan
    from mho.sweep.points import Point

LOOK_EVERY = 0.5
"""Seconds between two times that it is asked whether to look again."""

NOT_OVER = ("running", "waiting", "stopped", "failed")
"""Points that more is to be seen of."""

Many = Annotated[tuple[str, ...], Option("KEY=A,B,C")]


@dataclass(frozen=True)
class OfPoints:
    """Options of the commands that work on many points."""

    what: Annotated[str, Argument("NAME", names.experiments)]
    """An experiment of mho list experiments."""
    seeds: Annotated[int | None, Option("N")] = None
    """Seeds of each point, from the seed of the preset on; if not given, one."""
    preset: Annotated[str, Option("SIZE", complete=names.sizes)] = "quick"
    """Size of each run: quick, standard or paper."""
    config: Annotated[Path | None, Option("FILE.toml")] = None
    """TOML file with settings that replace the preset's."""
    device_file: Annotated[Path | None, Option("FILE.toml")] = None
    """Preset of mho fit whose cell replaces that of the chips."""
    set: Annotated[tuple[str, ...], Option("KEY=VALUE", complete=names.settings)] = ()
    """One setting of all points."""
    engine: Annotated[str, Option("NAME", complete=names.engines)] = "local"
    """Where points are worked on: local; ray and slurm, where mho[ray] and mho[slurm] are."""
    engine_set: Annotated[tuple[str, ...], Option("KEY=VALUE")] = ()
    """One setting of the engine, as processes=4; see docs/many-machines.md in the source
    distribution."""
    out: Annotated[Path | None, Option("DIR")] = None
    """Folder of the sweep; if not given, runs/sweep-NAME, NAME that of the experiment or plan."""
    retry: bool = False
    """Try parked points again."""

    def plan(self, grid: Iterable[str] = (), zips: Iterable[str] = ()) -> Plan:
        """The plan that the options give."""
        from mho.experiments.settings import key_and_value
        from mho.sweep import plan

        return plan.make(
            self.what, preset=self.preset, config=self.config, device_file=self.device_file,
            single=list(map(key_and_value, self.set)),
            grid=by_key("grid", map(plan.values_of, grid)),
            zips=[by_key("zip", map(plan.values_of, each.split(";"))) for each in zips],
            seeds=self.seeds, told=tell,
        )  # fmt: skip

    def folder(self) -> SweepFolder:
        """The folder of the sweep, one that can be written to."""
        from mho.sweep.folder import SweepFolder

        return SweepFolder(self.out or Path("runs") / f"sweep-{Path(self.what).stem}")


@dataclass(frozen=True)
class Sweep(OfPoints):
    """Run an experiment at many settings, or show how that stands.

    Each setting has a run folder of its own. mho sweep PLAN.toml --out S and mho sweep NAME --grid
    KEY=A,B,C --out S run what is not done yet; mho sweep S shows how it stands, on a terminal until
    all is done or Ctrl-C is pressed.
    """

    what: Annotated[str, Argument("WHAT", names.experiments)]
    """A plan (PLAN.toml), an experiment of mho list experiments, or the folder of a sweep."""
    grid: Many = ()
    """Values of a setting; points are all combinations: --grid hardware.adc_bits=4,6,8."""
    zip: Many = ()
    """Settings that change together, separated by semicolons: --zip "batch=50,100;epochs=3,6"."""
    dry_run: bool = False
    """Say how many points there are and what one costs, and run none."""

    def run(self) -> None:
        """Run what is not done yet, or show how it stands."""
        from mho.experiments import EXPERIMENTS
        from mho.sweep.folder import SweepFolder

        file = Path(self.what)
        if self.what not in EXPERIMENTS and file.is_dir():
            self._refuse_options("to look at a sweep; to go on with it, give its plan or "
                                 f"experiment, with --out {file}", but=())  # fmt: skip
            _show(SweepFolder(file))
        elif self.what in EXPERIMENTS or file.is_file():
            self._go_through()
        else:
            raise unknown("plan, experiment or folder of a sweep", self.what, EXPERIMENTS)

    def _go_through(self) -> None:
        from mho.sweep.check import check
        from mho.sweep.driver import drive
        from mho.sweep.engines import engine_of
        from mho.sweep.live import Watch
        from mho.sweep.sharing import share, shared

        engine, sweep = engine_of(self.engine, self.engine_set), self.folder()
        plan = self._plan()
        points = plan.points()
        if plan.size > len(points):
            tell(f"{plan.size} combinations of values are {len(points)} points: those with the "
                 "same settings are one")  # fmt: skip
        common = shared(points)
        tell(str(common))
        if self.dry_run:
            _say_cost(points, sweep, engine, shares=common.count > len(common.points))
            return
        check_output(sweep.path, folder=True)
        with waiting(f"mho: trying the settings of {len(points)} points in small"):
            check(points, sweep, here=engine.here)
        folders = sweep.add(points)
        share(sweep, folders)
        with stopping(), Watch(sweep, Console(stderr=True), tell) as watch:
            left = forgiven(folders, self.retry)
            standing = drive(left, engine, shown=watch.glance, told=tell)
        say_end(standing, sweep)

    def _plan(self) -> Plan:
        from mho.experiments import EXPERIMENTS
        from mho.sweep import plan

        if self.what in EXPERIMENTS:
            return self.plan(self.grid, self.zip)
        own = ("engine", "engine_set", "out", "retry", "dry_run")
        self._refuse_options("beside a plan, which holds all settings", but=own)
        return plan.read(Path(self.what), told=tell)

    def _refuse_options(self, where: str, but: Collection[str]) -> None:
        """Refuse options that would have no effect.

        Args:
            where: they would be given, in words.
            but: those that have one.

        Raises:
            ValueError: one is given.
        """
        for each in fields(self):
            if (
                each.name not in ("what", *but)
                and (given := getattr(self, each.name)) != each.default
            ):
                option = f"--{each.name.replace('_', '-')}"
                raise invalid(option, given, f"no such option {where}")


def forgiven(folders: list[PointFolder], retry: bool) -> list[PointFolder]:
    """Points, their failures forgotten if so asked."""
    for folder in folders:
        if retry:
            folder.forgive()
    return folders


@contextmanager
def stopping() -> Iterator[None]:
    """Say how a sweep that was interrupted goes on."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt("points stopped; the same command goes on") from None


def say_end(standing: Standing, sweep: SweepFolder) -> None:
    """Write the table, say what is done; raises `RuntimeError` if points are parked."""
    from mho.sweep.records import load, write_table

    write_table(load(sweep.path))
    every = len(standing.done) + len(standing.parked)
    say(f"{len(standing.done)} of {every} points done, in {sweep.path}")
    if standing.parked:
        names = ", ".join(folder.path.name for folder in standing.parked)
        raise Failed(f"{len(standing.parked)} points failed three times: {names}; see "
                     "failures.json in their folders, and --retry")  # fmt: skip


def _say_cost(points: list[Point], sweep: SweepFolder, engine: Engine, *, shares: bool) -> None:
    """How many points there are, and what one costs; only what is in the folder counts as done."""
    from mho.experiments.progress import clock
    from mho.sweep.check import check
    from mho.sweep.measure import LIMIT, largest, measure

    left = [point for point in points if not sweep.of(point).done]
    say(f"{len(points)} points, {len(points) - len(left)} of them done")
    if not left:
        return
    with waiting(f"mho: trying the settings of {len(left)} points in small"):
        check(left, sweep, here=engine.here)
    one = largest(left)
    with waiting(f"mho: measuring one point, for {LIMIT:.0f} s at most"):
        cost = measure(one)
    memory = f"{cost.memory / 1e9:.2f} GB of memory"
    name = f"one point ({one.id})"
    if cost.whole is None:
        stood = "before its first step" if cost.beat is None else f"in {_stage(cost.beat)}"
        say(f"{name}: more than {cost.seconds:.0f} s, stopped {stood}, too early to extrapolate; "
            f"at least {memory}")  # fmt: skip
        return
    if cost.beat is None:
        say(f"{name}: {cost.seconds:.0f} s, {memory}")
    else:
        say(f"{name}: about {clock(cost.whole)}, extrapolated from {cost.seconds:.0f} s "
            f"(stopped in {_stage(cost.beat)}); at least {memory}")  # fmt: skip
    at_once = engine.room()
    rounds = math.ceil(len(left) / at_once)
    alike = "if all are alike" + (" and share no training" if shares else "")
    about = "about " if cost.beat else ""
    say(f"all that is left: {about}{clock(rounds * cost.whole)}, {at_once} at once, {alike}")


def _stage(beat: Beat) -> str:
    """The stage that a point is in, and its steps."""
    return f"{beat.stage}: {beat.done} of {beat.total}" if beat.stage else "its start"


def _show(sweep: SweepFolder) -> None:
    """How it stands: until it is done, or the user has seen enough, where there is a terminal."""
    from mho.sweep.live import Watch, table

    console = Console()
    with Watch(sweep, console) as watch:
        records = watch.look()
        with suppress(KeyboardInterrupt):  # ends the looking, and nothing else
            while console.is_interactive and any(records.counts[each] for each in NOT_OVER):
                records = watch.show() or records
                time.sleep(LOOK_EVERY)
    say(table(records))
