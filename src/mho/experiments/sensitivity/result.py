"""Claims, tables and figures of the sensitivity analysis."""

from __future__ import annotations

from typing import Any

from mho.experiments.result import claim, curve, mean_std, series, table
from mho.experiments.sensitivity.config import SensitivityConfig
from mho.experiments.sensitivity.imperfections import imperfections
from mho.experiments.sensitivity.indices import CONFIDENCE
from mho.experiments.sensitivity.plan import Found

WORDS = {"bmcnn": "write once", "siamese": "write rarely", "metaplastic": "write for life"}


def result(config: SensitivityConfig, found: dict[str, Found]) -> dict[str, Any]:
    """The blocks of `result.json`."""
    return {
        "title": "Sensitivity: where to spend process effort",
        "summary": f"What each imperfection of {config.cell_name} costs the three systems. Every "
        "imperfection has a range, from none to "
        f"{config.steps[-1]:g} times what the device has of it or is taken to have. Total-order "
        "Sobol' index: the share of the variance of accuracy over all ranges that an imperfection "
        "has a part in, alone or with others; first order: alone. The noise floor is the variance "
        "between draws of all that is random, over the same variance: what lies below it is not "
        "told apart from chance. All points share their random numbers. Points lost: one "
        "imperfection on otherwise ideal chips. Points won: all imperfections as on the device, "
        f"but for one. Between the last write and the evaluation pass {config.seconds:,.0f} s. "
        f"The chips that are written once are repaired ({config.mitigation}). Accuracies are "
        "on held-out training images, the mean over tasks where there are two; no paper's figures "
        "stand beside these: they are our own.",
        "claims": [c for system, f in found.items() for c in _claims(config, system, f)],
        "tables": [_ranges(config)] + [_indices(config, s, f) for s, f in found.items()],
        "rankings": [_picture(config, found)],
        "curves": [_alone(config, system, f) for system, f in found.items()],
    }


def _name(system: str) -> str:
    return f"{WORDS[system]} ({system})"


def _claims(config: SensitivityConfig, system: str, found: Found) -> list[dict[str, Any]]:
    top, index = found.ranking[0]
    dearest = max(found.alone, key=lambda name: mean_std(found.lost(name, 1.0))[0])
    best = max(found.mended, key=lambda name: mean_std(found.won(name))[0])
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


def _picture(config: SensitivityConfig, found: dict[str, Found]) -> dict[str, Any]:
    """Imperfections of each system by total-order index, with what each costs alone."""
    times = (1.0, config.steps[-1])
    panels = [
        {
            "name": _name(system),
            "floor": f.floor,
            "rows": [
                {"name": name, "value": index.value, "low": index.low, "high": index.high,
                 "side": [mean_std(f.lost(name, t))[0] for t in times],
                 "side_std": [mean_std(f.lost(name, t))[1] for t in times]}
                for name, index in f.ranking
            ],
        }
        for system, f in found.items()
    ]  # fmt: skip
    return {
        "id": "where_to_spend",
        "title": f"Where to spend process effort on {config.cell_name}",
        "value_label": "total-order index",
        "side_label": "points lost, one at a time",
        "side_names": ["as on the device", f"{times[1]:g} times that"],
        "panels": panels,
    }


def _alone(config: SensitivityConfig, system: str, found: Found) -> dict[str, Any]:
    """Accuracy against each imperfection, on otherwise ideal chips."""
    sizes = [0.0, *config.steps]
    lines = [
        series(name, sizes, [found.ideal, *(by[t] for t in config.steps)])
        for name, by in found.alone.items()
    ]
    return curve(
        f"{system}_alone", f"{_name(system)}: one imperfection at a time",
        "imperfection, in units of the device's", "held-out accuracy [%]", lines,
        marks=[{"x": 1.0, "label": "as on the device"}],
    )  # fmt: skip


def _ranges(config: SensitivityConfig) -> dict[str, Any]:
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
    return table("ranges", f"Ranges on {config.cell_name}", [(head, "") for head in heads], rows)


def _indices(config: SensitivityConfig, system: str, found: Found) -> dict[str, Any]:
    """All numbers of a system, the largest total-order index first."""
    names = [*found.alone]
    rows = []
    for name, total in found.ranking:
        first = found.indices.first[names.index(name)]
        points = (found.lost(name, 1.0), found.lost(name, config.steps[-1]), found.won(name))
        rows.append(
            [name, round(total.value, 3), f"{total.low:.2f} to {total.high:.2f}",
             round(first.value, 3), f"{first.low:.2f} to {first.high:.2f}",
             *(_spread(p) for p in points)]
        )  # fmt: skip
    interval, end = f"{CONFIDENCE:.0%} interval", f"at {config.steps[-1]:g} times the device's"
    heads = [
        ("imperfection", ""), ("total-order index", ""), (interval, ""), ("first-order index", ""),
        (interval, ""), ("lost as on the device", "points"), (f"lost {end}", "points"),
        ("won by mending it", "points"),
    ]  # fmt: skip
    deviation = found.indices.variance**0.5
    note = (
        f"Noise floor {found.floor:.3f}; accuracy deviates by {deviation:.2f} points over the "
        f"ranges. {config.samples} points a sample, points lost and won over {config.repeats} "
        "draws."
    )
    return table(f"{system}_indices", _name(system), heads, rows, note)


def _spread(values: list[float]) -> dict[str, float | None]:
    mean, std = mean_std(values)
    return {"mean": mean, "std": std}
