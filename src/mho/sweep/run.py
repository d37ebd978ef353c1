"""A plan gone through in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mho.arguments import checked
from mho.files import check_output
from mho.sweep.check import check
from mho.sweep.driver import drive
from mho.sweep.engines import engine_of
from mho.sweep.folder import SweepFolder
from mho.sweep.plan import Plan
from mho.sweep.records import Records, load, write_table
from mho.sweep.sharing import share


@checked
def run(plan: Plan, out: Path, engine: str = "local", settings: Sequence[str] = ()) -> Records:
    """Run the points of a plan that are not done yet, as `mho sweep` does.

    Args:
        plan: of `make` or `read`.
        out: folder of the sweep; need not exist.
        engine: where points are worked on.
        settings: of the engine, each as "key=value": `["processes=4"]`.

    Returns:
        The records of all points of the folder; those that failed three times are `parked`.

    Raises:
        ValueError: a point, the engine or the folder cannot work; nothing has been started.
        OSError: the disk is full or cannot be written.
    """
    works = engine_of(engine, settings)
    sweep, points = SweepFolder(out), plan.points()
    check_output(sweep.path, folder=True)
    check(points, sweep, here=works.here)
    folders = sweep.add(points)
    share(sweep, folders)
    drive(folders, works)
    records = load(sweep.path)
    write_table(records)
    return records
