"""Retention at several temperatures -> one law with its activation energy, at 300 K."""

from __future__ import annotations

import numpy as np

from mho.fit.activation import maximum
from mho.fit.arrhenius import Likelihood
from mho.fit.bakes import all_told, bakes_of, check_design, lost_of
from mho.fit.devices import listed, names_of
from mho.fit.heated_law import LAWS, HeatedLaw
from mho.fit.outcome import Fit, Rival
from mho.fit.traces import Traces


def fit_bakes(traces: Traces) -> Fit:
    """The law by Akaike's criterion, its rate, activation energy and time of onset.

    Raises:
        ValueError: the temperatures, times or cells do not tell the activation energy; it is not
            above 0.
    """
    traces, remarks = all_told(traces)
    bakes = bakes_of(traces)
    check_design(bakes)
    lost = lost_of(bakes)[bakes.device][traces.trace]
    if lost.any():
        labels = traces.table.labels("device")
        names = names_of(traces.table, labels)
        remarks.append(
            f"{listed(names, np.unique(labels[lost]))} changed far more or less than the others at "
            "any temperature: set aside as a whole, no part of the record"
        )
    out, traces = traces.kept(lost), traces.kept(~lost)
    bakes = bakes_of(traces)
    check_design(bakes)
    found, likely, value = {}, {}, {}
    log = np.log(traces.g)
    for family in LAWS:
        courses = bakes.courses(family)
        likely[family] = Likelihood(courses)
        found[family] = maximum(likely[family], bakes.free or bakes.levels == "common")
        # a law of ln g is compared as one of g; levels have a flat prior, in g
        levels = np.bincount(courses.level, log) / np.bincount(courses.level)
        value[family] = found[family].value
        value[family] -= (log.sum() - levels.sum()) if family == "power-law" else 0.0
    family = max(value, key=lambda name: value[name])
    count = len(found[family].names) + len(traces.g) - likely[family].free_reads
    law = HeatedLaw(bakes, family, likely[family], found[family])
    goodness, picture = law.judged()
    return Fit(
        kind="retention",
        table="retention",
        record=law.record,
        parameters=law.parameters,
        goodness=goodness,
        rivals=[Rival(f, 2 * count - 2 * v, count) for f, v in value.items()],
        picture=picture,
        outliers=sorted({int(n) for n in out.table.lines}),
        remarks=remarks + law.remarks(),
    )
