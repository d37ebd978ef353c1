"""The result: claims, and the figures and tables of what was measured."""

from __future__ import annotations

from typing import Any

from mho.data import sequential
from mho.data.named import label
from mho.experiments.account import Account
from mho.experiments.bmcnn.config import BmcnnConfig
from mho.experiments.bmcnn.figures import both, confusion, yields
from mho.experiments.bmcnn.network import TRAININGS
from mho.experiments.bmcnn.points import Row, pooled
from mho.experiments.bmcnn.studies import STUDY
from mho.experiments.bmcnn.tables import formats, mitigations, networks
from mho.experiments.study import Done
from mho.results import Claim, Result, claim, id_of, mean_std

TITLE = "Write once: variation-aware binarized networks"


def of_family(config: BmcnnConfig, found: list[dict[str, Any]]) -> Result:
    """The study of networks alone."""
    claims = [
        claim(id_of(net["name"]), f"{net['name']}, no spread: held-out accuracy",
              net["points"][0]["accuracy"], "%")
        for net in found
    ]  # fmt: skip
    return Result(
        experiment="bmcnn", preset=config.preset, seed=config.seed, title=f"{TITLE}: networks",
        summary="The study of networks alone, of the settings of this run.",
        claims=claims, tables=[networks(config, found)],
    )  # fmt: skip


def result(config: BmcnnConfig, outcomes: list[dict[str, Any]]) -> Result:
    """Everything that a run says but the time that it took."""
    held_out = [row for outcome in outcomes for row in outcome["held_out"]]
    first = outcomes[0]
    studies: dict[str, Any] = first["studies"]
    done = [
        Done(s, studies[name]) for name in STUDY if name in studies for s in STUDY[name](config)
    ]
    curves = [both(config, first["held_out"], kind) for kind in TRAININGS]
    curves += [yields(config, outcomes, cov) for cov in config.spread.claimed]
    curves += [curve for each in done for curve in each.curves]
    tables = [mitigations(config, held_out, first["efforts"])]
    if "networks" in studies:
        tables += [networks(config, studies["networks"])]
    tables.append(formats(config, first["formats"]))
    claims = [
        claim("ideal_accuracy", "binarized network, no spread", [o["ideal"] for o in outcomes],
              "%", note="the paper's accuracies are not in any text we could read"),
    ]  # fmt: skip
    for cov in config.spread.claimed:
        claims += _claims(outcomes, cov)
    account = Account.of(first)
    shown = f"Conductance by state, last array layer, {config.spread.claimed[0]:.0%} spread"
    return Result(
        experiment="bmcnn",
        preset=config.preset,
        seed=config.seed,
        title=TITLE,
        summary=_summary(config),
        claims=claims,
        tables=tables,
        curves=curves,
        maps=[*(m for each in done for m in each.maps), confusion(config, first["confusion"])],
        histograms=[account.by_level(shown, y_scale="log"), account.wear],
        ledger=account.ledger,
        cost=account.cost,
    )


def _summary(config: BmcnnConfig) -> str:
    net, cells = config.architecture, config.cells
    (task,) = sequential([config.data])
    tests = task.count("test", per_class=config.test_per_class)
    if net.own:
        what = f"The network {net.network}, with binary weights in all its layers"
        what += "" if net.classifier == "binary" else " but the last"
    elif net.network == "cnn":
        what = f"Two binarized convolutions of {net.channels[0]} and {net.channels[1]} channels"
    else:
        what = "Binarized dense layers"
    trainings = f"{config.trainings} training" + "s" * (config.trainings > 1)
    return (
        f"{what} on differential pairs, R_ON {cells.r_on / 1e3:g} kohm "
        f"({cells.on_distribution}), R_OFF {cells.r_off / 1e3:g} kohm "
        f"({cells.off_distribution}). Normal distributions are truncated at "
        f"{cells.truncation:.0%} of their mean, which sets the tail of the conductance. "
        f"{label(config.data)}, {trainings}, each on {config.chips} chips. Claims are on "
        f"{tests:,} test images unless they say otherwise. "
        "Everything else is on held-out training images and, except the yield, on the "
        "first training. A reconstruction: the paper's sizes, resistances and accuracies are not "
        "known."
    )


def _claims(outcomes: list[dict[str, Any]], cov: float) -> list[Claim]:
    """What is claimed at one spread."""
    tag, at = f"cov{round(100 * cov)}", f"at {cov:.0%} spread"

    def tested(which: str) -> list[Row]:
        return [o["test"][str(cov)][which] for o in outcomes if which in o["test"][str(cov)]]

    claims = [
        claim(f"{tag}_{slug}_accuracy",
              f"plain training (no spread), {what}, {at} (held-out images)",
              chips, "%",
              note="the same for all trainings")
        for slug, name, what in (
            ("raw", "none", "no repair"),
            ("tuned_layer", "layer", "one gain and offset for each layer"),
        )
        if (chips := [a for o in outcomes for a in pooled(o["held_out"], "plain", name, cov)])
    ]  # fmt: skip
    kinds = (
        (
            "free",
            "best",
            "worst",
            "best repair without labels",
            "among those on the curves, each cell written once",
        ),
        (
            "labelled",
            "label",
            "label_worst",
            "best repair with labels",
            "each cell written once, first training",
        ),
        (
            "more",
            "more",
            "more_worst",
            "best repair without labels, with more writes or cells",
            "on the first training",
        ),
    )
    for which, mean, worst, what, note in kinds:
        rows = tested(which)
        chips = [a for row in rows for a in row["accuracy"]]
        if rows:
            claims += [
                claim(f"{tag}_{mean}_accuracy", f"{what} {at}", chips, "%",
                      note=f"{_chosen(rows)}; {note}"),
                claim(f"{tag}_{worst}_chip", f"worst chip with that repair, {at}", chips, "%",
                      pooled="lowest"),
            ]  # fmt: skip
    pairs = [(o["ideal"], row["accuracy"]) for o, row in zip(outcomes, tested("free"), strict=True)]
    claims += [
        claim(f"{tag}_drop", f"points from no spread to the best repair without labels, {at}",
              [ideal - mean_std(chips).mean for ideal, chips in pairs], "points", better="lower"),
        claim(f"{tag}_yield", f"chips within 1 point of no spread, best repair, {at}",
              [100 * sum(a >= ideal - 1 for a in chips) / len(chips) for ideal, chips in pairs],
              "%"),
    ]  # fmt: skip
    return claims


def _chosen(rows: list[Row]) -> str:
    names = sorted({f"{row['training']} training, {row['mitigation']}" for row in rows})
    return f"{'; '.join(names)}: chosen on held-out images"
