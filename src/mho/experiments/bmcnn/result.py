"""The figures, tables and claims made of what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from mho.experiments.bmcnn.config import BmcnnConfig
from mho.experiments.bmcnn.mitigation import mitigation
from mho.experiments.bmcnn.network import TRAININGS
from mho.experiments.result import account_blocks, claim, curve, mean_std, series, table

Row = dict[str, Any]
"""Fields of a point, and the accuracy [%] of its chips."""

SPREAD = "spread, standard deviation over mean [%]"
ACCURACY = "accuracy [%]"


def result(config: BmcnnConfig, outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything of `result.json` that is not about the run itself."""
    held_out = [row for outcome in outcomes for row in outcome["held_out"]]
    first = outcomes[0]
    studies: dict[str, Any] = first["studies"]
    figures = {name: FIGURES[name](rows) for name, rows in studies.items() if name in FIGURES}
    curves = [_both(config, first["held_out"], kind) for kind in TRAININGS]
    curves += figures.get("alone", [])
    curves += [_yield(config, outcomes, cov) for cov in config.headline_cov]
    curves += [c for name in STUDIED for c in figures.get(name, [])]
    tables = [_mitigations(config, held_out, first["efforts"])]
    if "networks" in studies:
        tables += [_networks(config, studies["networks"])]
    tables.append(_formats(config, first["formats"]))
    claims = [
        claim("ideal_accuracy", "binarized network, no spread", [o["ideal"] for o in outcomes],
              "%", note="the paper's accuracies are not in any text we could read"),
    ]  # fmt: skip
    for cov in config.headline_cov:
        claims += _claims(outcomes, cov)
    return {
        "title": "Write once: variation-aware binarized networks",
        "summary": _summary(config),
        "claims": claims,
        "tables": tables,
        "curves": curves,
        "maps": [*figures.get("maps", []), _confusion(config, first["confusion"])],
        **account_blocks(
            first,
            f"Conductance by state, last array layer, {config.headline_cov[0]:.0%} spread",
            y_scale="log",
        ),
    }


def _summary(config: BmcnnConfig) -> str:
    net = config.architecture
    tests = 10 * config.test_per_class if config.test_per_class else 10_000
    if net.network == "cnn":
        what = f"Two binarized convolutions of {net.channels[0]} and {net.channels[1]} channels"
    else:
        what = "Binarized dense layers"
    trainings = f"{config.trainings} training" + "s" * (config.trainings > 1)
    return (
        f"{what} on differential pairs, R_ON {config.r_on / 1e3:g} kohm "
        f"({config.on_distribution}), R_OFF {config.r_off / 1e3:g} kohm "
        f"({config.off_distribution}); what is normal ends at {config.truncation:.0%} of its mean, "
        f"which sets the tail of the conductance. MNIST, {trainings}, each on {config.chips} "
        f"chips; claims on {tests:,} test images where they do not say otherwise, all else on "
        "held-out training images and, but for the yield, on the first training. A "
        "reconstruction: the paper's sizes, resistances and accuracies are not known."
    )


# ---------------------------------------------------------------- claims


def _claims(outcomes: list[dict[str, Any]], cov: float) -> list[dict[str, Any]]:
    """What is claimed at one spread."""
    tag, at = f"cov{round(100 * cov)}", f"at {cov:.0%} spread"

    def tested(which: str) -> list[Row]:
        return [o["test"][str(cov)][which] for o in outcomes if which in o["test"][str(cov)]]

    claims = [
        claim(f"{tag}_{slug}_accuracy", f"plain training, {what}, {at} (held-out images)",
              chips, "%",
              note="the same for all trainings")
        for slug, name, what in (
            ("raw", "none", "nothing repaired"),
            ("tuned_layer", "layer", "one gain and offset a layer"),
        )
        if (chips := [a for o in outcomes for a in _pooled(o["held_out"], "plain", name, cov)])
    ]  # fmt: skip
    kinds = (
        (
            "free",
            "best",
            "worst",
            "best label-free repair",
            "of those on the curves, each cell written once",
        ),
        ("labelled", "label", "label_worst", "best repair with labels", "each cell written once"),
        (
            "more",
            "more",
            "more_worst",
            "best label-free with more writes or cells",
            "where measured: the first training",
        ),
    )
    for which, mean, worst, what, note in kinds:
        rows = tested(which)
        chips = [a for row in rows for a in row["accuracy"]]
        if rows:
            claims += [
                claim(f"{tag}_{mean}_accuracy", f"{what} {at}", chips, "%",
                      note=f"{_chosen(rows)}; {note}"),
                claim(f"{tag}_{worst}_chip", f"worst chip with it, {at}", chips, "%",
                      pooled="lowest"),
            ]  # fmt: skip
    pairs = [(o["ideal"], row["accuracy"]) for o, row in zip(outcomes, tested("free"), strict=True)]
    claims += [
        claim(f"{tag}_drop", f"ideal minus best label-free, {at}",
              [ideal - mean_std(chips)[0] for ideal, chips in pairs], "points", better="lower"),
        claim(f"{tag}_yield", f"chips within 1 point of ideal, best label-free, {at}",
              [100 * sum(a >= ideal - 1 for a in chips) / len(chips) for ideal, chips in pairs],
              "%"),
    ]  # fmt: skip
    return claims


def _chosen(rows: list[Row]) -> str:
    names = sorted({f"{row['training']} training, {row['mitigation']}" for row in rows})
    return f"{'; '.join(names)}: chosen on held-out images"


# ---------------------------------------------------------------- curves


def _lines(
    rows: Iterable[Row], name: Callable[[Row], str], x: Callable[[Row], float]
) -> list[dict[str, Any]]:
    """One series for each name, in the order of appearance; chips of equal x are pooled."""
    groups: dict[str, dict[float, list[float]]] = {}
    for row in rows:
        groups.setdefault(name(row), {}).setdefault(x(row), []).extend(row["accuracy"])
    return [series(label, list(at), list(at.values())) for label, at in groups.items()]


def _both(config: BmcnnConfig, rows: list[Row], training: str) -> dict[str, Any]:
    shown = [r for r in rows if r["training"] == training and r["mitigation"] in config.mitigations]
    return curve(
        f"both_{training}", f"Spread of R_ON and R_OFF, {training} training", SPREAD, ACCURACY,
        _lines(shown, lambda r: r["mitigation"], lambda r: 100 * r["cov_on"]),
    )  # fmt: skip


def _alone(rows: list[Row]) -> list[dict[str, Any]]:
    curves = []
    for training in TRAININGS:
        for field, other, title in (("cov_on", "cov_off", "R_ON"), ("cov_off", "cov_on", "R_OFF")):
            shown = [r for r in rows if r["training"] == training and r[other] == 0.0]
            lines = _lines(shown, lambda r: r["mitigation"], lambda r, f=field: 100 * r[f])
            curves.append(curve(
                f"{field}_{training}", f"Spread of {title} alone, {training} training",
                SPREAD, ACCURACY, lines,
            ))  # fmt: skip
    return curves


def _stuck(rows: list[Row]) -> list[dict[str, Any]]:
    lines = _lines(
        rows, lambda r: f"{r['training']}, {r['mitigation']}", lambda r: 100 * r["stuck"]
    )
    return [curve("stuck", "Stuck cells, no spread", "share of stuck cells [%]", ACCURACY, lines)]


def _shapes(rows: list[Row]) -> list[dict[str, Any]]:
    curves = []
    for training in TRAININGS:
        shown = [r for r in rows if r["training"] == training]
        name = f"{training} training, {shown[0]['mitigation']}"
        lines = _lines(shown, lambda r: r["shape"], lambda r: 100 * r["cov_on"])
        title = f"Shape of both spreads, {name}"
        curves.append(curve(f"shapes_{training}", title, SPREAD, ACCURACY, lines))
    return curves


def _pairs(rows: list[Row]) -> list[dict[str, Any]]:
    curves = []
    for (on, off), group in groupby(
        sorted(rows, key=lambda r: r["r_on"]), lambda r: (r["r_on"], r["r_off"])
    ):
        shown = list(group)
        lines = _lines(
            shown, lambda r: f"{r['training']}, {r['mitigation']}", lambda r: 100 * r["cov_on"]
        )
        curves.append(curve(
            f"pair_{on:g}_{off:g}",
            f"{on:g} and {off:g} ohm, both normal, sigma(R_OFF) = 2 sigma(R_ON)",
            "sigma(R_ON) over mean [%]", ACCURACY, lines,
        ))  # fmt: skip
    return curves


def _bits(rows: list[Row]) -> list[dict[str, Any]]:
    lines = _lines(rows, lambda r: f"{r['cov_on']:.0%} spread", lambda r: r["bits"])
    title = "Fixed-point classifier and batch normalization"
    return [curve("bits", title, "bits, sign included", ACCURACY, lines)]


def _converters(rows: list[Row]) -> list[dict[str, Any]]:
    lines = _lines(rows, lambda r: f"{r['cov_on']:.0%} spread", lambda r: r["converter_bits"])
    title = "DACs and ADCs, one for each tile"
    return [curve("converters", title, "bits, sign included", ACCURACY, lines)]


def _copies(rows: list[Row]) -> list[dict[str, Any]]:
    lines = _lines(
        rows,
        lambda r: f"{r['training']}, {r['cov_on']:.0%} spread",
        lambda r: mitigation(r["mitigation"]).copies,
    )
    title = "Redundancy, batch norm refreshed"
    return [curve("copies", title, "pairs that share a weight", ACCURACY, lines)]


def _yield(config: BmcnnConfig, outcomes: list[dict[str, Any]], cov: float) -> dict[str, Any]:
    """Share of chips above an accuracy: the claimed repairs on test images, others held out."""
    held_out = [row for o in outcomes for row in o["held_out"]]
    lines = {
        f"plain, {name}, held-out images": _pooled(held_out, "plain", name, cov)
        for name in ("none", "layer", "batch norm")
        if name in config.mitigations
    }
    titles = {
        "free": "best without labels",
        "labelled": "best with labels",
        "more": "with more writes or cells",
    }
    for which, title in titles.items():
        found = [o["test"][str(cov)].get(which, {"accuracy": []}) for o in outcomes]
        lines[f"{title}, test images"] = [a for row in found for a in row["accuracy"]]
    steps = round((100 - config.yield_from) * 10)
    wanted = [config.yield_from + i / 10 for i in range(steps + 1)]
    drawn = [
        series(name, wanted, [[100 * sum(a >= w for a in chips) / len(chips)] for w in wanted])
        for name, chips in lines.items()
        if chips
    ]
    return curve(
        f"yield_{round(100 * cov)}", f"Yield at {cov:.0%} spread",
        "accuracy that a chip must reach [%]", "chips that do [%]", drawn,
    )  # fmt: skip


# ---------------------------------------------------------------- maps


def _maps(rows: list[Row]) -> list[dict[str, Any]]:
    spread = [r for r in rows if r["r_off"] is None]
    by_ratio = [r for r in rows if r["r_off"] is not None]
    note = "aware training, batch norm refreshed"
    return [
        _map("spread_map", f"Spread of each state, {note}", spread,
             "spread of R_ON [%]", lambda r: 100 * r["cov_on"],
             "spread of R_OFF [%]", lambda r: 100 * r["cov_off"]),
        _map("ratio_map", f"Window and spread, {note}", by_ratio,
             "spread of both [%]", lambda r: 100 * r["cov_on"],
             "R_OFF / R_ON", lambda r: r["r_off"] / r["r_on"]),
    ]  # fmt: skip


def _map(
    id: str, title: str, rows: list[Row], x_label: str, x: Callable[[Row], float], y_label: str,
    y: Callable[[Row], float],
) -> dict[str, Any]:  # fmt: skip
    columns, lines = sorted({x(r) for r in rows}), sorted({y(r) for r in rows})
    at = {(x(r), y(r)): mean_std(r["accuracy"])[0] for r in rows}
    return {
        "id": id, "title": title, "x_label": x_label, "y_label": y_label, "value_label": ACCURACY,
        "x": columns, "y": lines,
        "values": [[at.get((a, b)) for a in columns] for b in lines],
    }  # fmt: skip


def _confusion(config: BmcnnConfig, counts: list[list[int]]) -> dict[str, Any]:
    digits = [str(k) for k in range(10)]
    cov = config.headline_cov[-1]
    return {
        "id": "confusion", "pooled": "first",
        "title": f"Worst chip of the first training, {cov:.0%} spread, best label-free repair",
        "x_label": "answer", "y_label": "digit", "value_label": "test images", "x": digits,
        "y": digits, "values": counts, "scale": "log",
    }  # fmt: skip


# ---------------------------------------------------------------- tables


def _mitigations(
    config: BmcnnConfig, rows: list[Row], efforts: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    columns = [
        ("mitigation", ""), ("labels", ""), ("calibration images", ""),
        ("digital operations a chip, once", ""), ("numbers stored a chip", ""),
        ("writes a cell", ""), ("cells", "x"),
    ]  # fmt: skip
    for cov in config.headline_cov:
        columns += [(f"plain, {cov:.0%}", "%"), (f"aware, {cov:.0%}", "%"), ("worst aware", "%")]
    body = []
    for name, cost in efforts.items():
        uses = "no" if mitigation(name).label_free else "yes"
        line: list[Any] = [
            name, uses, cost["images"], cost["operations"], cost["stored"],
            round(cost["writes"], 2), cost["cells"],
        ]  # fmt: skip
        for cov in config.headline_cov:
            plain, aware = (_pooled(rows, kind, name, cov) for kind in TRAININGS)
            line += [_cell(plain), _cell(aware), min(aware)]
        body.append(line)
    note = (
        "Held-out images; what is not on the curves, on the first training alone. An inference "
        "needs no further digital operation: gain, offset and normalization fold into the scale "
        "and shift that follow each array anyway."
    )
    return table("mitigations", "Mitigations, what they cost, what they give", columns, body, note)


def _networks(config: BmcnnConfig, networks: list[dict[str, Any]]) -> dict[str, Any]:
    bits = config.architecture.bits
    columns = [
        ("network", ""), ("cells", ""), ("digital numbers", ""), ("memory", "B"),
        (f"in {bits}-bit fixed point", "B"), ("in float32", "B"), ("no spread", "%"),
    ]  # fmt: skip
    for cov in config.headline_cov:
        columns += [(f"plain, raw, {cov:.0%}", "%"), (f"aware, batch norm, {cov:.0%}", "%")]
    body = []
    for net in networks:
        weights, digital = net["on_arrays"], net["digital"]
        width = bits if net["fixed"] else 32
        line: list[Any] = [
            net["name"], net["cells"], digital, (net["cells"] + width * digital) / 8,
            bits * (weights + digital) / 8, 4 * (weights + digital),
        ]  # fmt: skip
        line.append(mean_std(net["points"][0]["accuracy"])[0])
        body.append(line + [_cell(row["accuracy"]) for row in net["points"][1:]])
    note = (
        f"Held-out images, {config.study_epochs} epochs of training. Memory: one bit a cell, two "
        "cells a weight, and the digital numbers; beside it all weights in fixed point or float32."
    )
    return table("networks", "The hybrid family", columns, body, note)


def _formats(config: BmcnnConfig, formats: dict[str, str]) -> dict[str, Any]:
    names = [name.removeprefix("net.").rpartition(".") for name in formats]
    body = [
        [part, what, format]
        for (part, _, what), format in zip(names, formats.values(), strict=True)
    ]
    columns = [("part", ""), ("tensor", ""), ("format", "")]
    title = f"Formats of {config.architecture.bits}-bit fixed point"
    note = "Qm.n: sign, m integer and n fraction bits, chosen for each tensor; one of all chips."
    return table("formats", title, columns, body, note)


def _pooled(rows: Sequence[Row], training: str, name: str, cov: float) -> list[float]:
    """Accuracy of all chips of all trainings at a point."""
    wanted = (training, name, cov)
    return [
        a
        for r in rows
        if (r["training"], r["mitigation"], r["cov_on"]) == wanted
        for a in r["accuracy"]
    ]


def _cell(values: Sequence[float]) -> dict[str, float | None]:
    mean, std = mean_std(values)
    return {"mean": mean, "std": std}


FIGURES: dict[str, Callable[[list[Row]], list[dict[str, Any]]]] = {
    "alone": _alone, "maps": _maps, "shapes": _shapes, "stuck": _stuck, "pairs": _pairs,
    "bits": _bits, "converters": _converters, "copies": _copies,
}  # fmt: skip
"""What is drawn of each study."""

STUDIED = ("shapes", "stuck", "pairs", "bits", "converters", "copies")
"""Curves that follow those of yield, in this order."""
