"""Claims, tables and figures of the sensitivity analysis."""

from __future__ import annotations

from mho.experiments.sensitivity.config import SensitivityConfig
from mho.experiments.sensitivity.imperfections import imperfections
from mho.experiments.sensitivity.indices import CONFIDENCE
from mho.experiments.sensitivity.plan import Found
from mho.experiments.study import lines
from mho.results import (
    Claim,
    Column,
    Curve,
    Mark,
    Rank,
    Ranking,
    RankPanel,
    Result,
    Table,
    claim,
    mean_std,
)

WORDS = {"bmcnn": "write once", "siamese": "write rarely", "metaplastic": "write for life"}


def result(config: SensitivityConfig, found: dict[str, Found]) -> Result:
    """Everything that a run says but the time that it took."""
    return Result(
        experiment="sensitivity",
        preset=config.preset,
        seed=config.seed,
        title="Sensitivity: where to spend process effort",
        summary=f"What each imperfection of {config.cell_name} costs the three systems. Every "
        "imperfection has a range, from none to "
        f"{config.steps[-1]:g} times the value of the device, known or assumed. The total-order "
        "Sobol' index is the share of the variance of accuracy over all ranges to which an "
        "imperfection contributes, alone or with others; the first-order index, alone. The noise "
        "floor is the variance between random draws, divided by the same variance: an index below "
        "it cannot be told apart from chance. All points share their random numbers. Points lost: "
        "one imperfection on otherwise ideal chips. Points won: all imperfections as on the "
        f"device, except one. The time from the last write to the evaluation is "
        f"{config.seconds:,.0f} s. Chips that are written once are repaired ({config.mitigation}). "
        "Accuracies are on held-out training images, the mean over tasks if there are two. The "
        "question is our own; no paper has figures to compare with.",
        claims=[c for system, f in found.items() for c in _claims(config, system, f)],
        tables=[_ranges(config)] + [_indices(config, s, f) for s, f in found.items()],
        rankings=[_picture(config, found)],
        curves=[_alone(system, f) for system, f in found.items()],
    )


def _name(system: str) -> str:
    return f"{WORDS[system]} ({system})"


def _claims(config: SensitivityConfig, system: str, found: Found) -> list[Claim]:
    top, index = found.ranking[0]
    dearest = max(found.alone, key=lambda name: mean_std(found.lost(name, 1.0)).mean)
    best = max(found.mended, key=lambda name: mean_std(found.won(name)).mean)
    interval = f"{top}; {CONFIDENCE:.0%} interval {index.low:.2f} to {index.high:.2f}"
    rows = [
        ("ideal", "without imperfections", found.ideal, "%", ""),
        ("device", "all imperfections as on the device", found.device, "%", ""),
        ("index", "largest total-order index", [index.value], "", interval),
        ("lost", "most lost to one imperfection alone", found.lost(dearest, 1.0), "points",
         dearest),
        ("won", "most won by mending one alone", found.won(best), "points", best),
    ]  # fmt: skip
    return [
        claim(f"{system}_{id}", f"{system}: {what}", values, unit, note=note,
              better="higher" if unit == "%" else "neither")
        for id, what, values, unit, note in rows
    ]  # fmt: skip


def _picture(config: SensitivityConfig, found: dict[str, Found]) -> Ranking:
    """Imperfections of each system by total-order index, with what each costs alone."""
    times = (1.0, config.steps[-1])
    panels = []
    for system, f in found.items():
        rows = []
        for name, index in f.ranking:
            lost = [mean_std(f.lost(name, t)) for t in times]
            side, side_std = [each.mean for each in lost], [each.std for each in lost]
            rows.append(Rank(name, index.value, index.low, index.high, side, side_std))
        panels.append(RankPanel(_name(system), f.floor, rows))
    return Ranking(
        "where_to_spend", f"Where to spend process effort on {config.cell_name}",
        "total-order index", "points lost, one at a time",
        ["as on the device", f"{times[1]:g} times that"], panels,
    )  # fmt: skip


def _alone(system: str, found: Found) -> Curve:
    """Accuracy against each imperfection, on otherwise ideal chips."""
    drawn = lines(
        (name, size, values)
        for name, by in found.alone.items()
        for size, values in ((0.0, found.ideal), *by.items())
    )
    return Curve(
        f"{system}_alone", f"{_name(system)}: one imperfection at a time",
        "imperfection, in multiples of the device's value", "held-out accuracy [%]", drawn,
        marks=[Mark(1.0, "as on the device")],
    )  # fmt: skip


def _ranges(config: SensitivityConfig) -> Table:
    """What each imperfection's range is."""
    known = {}
    for system in config.systems:
        known |= imperfections(config, system)
    rows = [
        [name, each.what, each.shown(each.value), each.shown(config.steps[-1] * each.value),
         "the device's preset" if each.given else "assumed here"]
        for name, each in known.items()
    ]  # fmt: skip
    heads = ("imperfection", "of what", "as on the device", "end of the range", "from")
    return Table("ranges", f"Ranges on {config.cell_name}", [Column(head) for head in heads], rows)


def _indices(config: SensitivityConfig, system: str, found: Found) -> Table:
    """All numbers of a system, the largest total-order index first."""
    names = [*found.alone]
    rows = []
    for name, total in found.ranking:
        first = found.indices.first[names.index(name)]
        points = (found.lost(name, 1.0), found.lost(name, config.steps[-1]), found.won(name))
        rows.append(
            [name, round(total.value, 3), f"{total.low:.2f} to {total.high:.2f}",
             round(first.value, 3), f"{first.low:.2f} to {first.high:.2f}",
             *map(mean_std, points)]
        )  # fmt: skip
    interval, end = f"{CONFIDENCE:.0%} interval", f"at {config.steps[-1]:g} times the device's"
    heads = [
        Column("imperfection"), Column("total-order index"), Column(interval),
        Column("first-order index"), Column(interval), Column("lost as on the device", "points"),
        Column(f"lost {end}", "points"), Column("won by mending it", "points"),
    ]  # fmt: skip
    deviation = found.indices.variance**0.5
    note = (
        f"Noise floor {found.floor:.3f}; accuracy deviates by {deviation:.2f} points over the "
        f"ranges. {config.samples} points a sample, points lost and won over {config.repeats} "
        "draws."
    )
    return Table(f"{system}_indices", _name(system), heads, rows, note)
