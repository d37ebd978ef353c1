"""Claims, and what else the result of a run says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mho.data.named import label
from mho.experiments.account import Account, stands
from mho.experiments.siamese.config import SiameseConfig
from mho.experiments.siamese.figures import Outcomes, learning, maps, wear
from mho.experiments.siamese.measures import (
    Outcome,
    array_energy,
    base,
    epochs_to_first_death,
    gone,
    per_weight,
    spent,
)
from mho.experiments.siamese.training import Job, perceptron
from mho.experiments.study import Done
from mho.results import Claim, Result, Table, claim

FALLING, VERIFIED = "falling threshold", "falling threshold with verify"
LARGE, LOOP = "large threshold", "closed loop"
ON_CHANGE, ROUNDED = "on level change", "stochastic rounding to larger steps"
SLUGS = {"": FALLING, "_sparse": LARGE, "_change": ON_CHANGE, "_rival": ROUNDED}
"""What the ids of a scheme's claims hold."""


TITLE = "Write rarely: Siamese in-situ training"


def of_scheme(config: SiameseConfig, outcomes: list[Outcome]) -> Result:
    """What one scheme alone comes to, on all chips."""
    scheme = config.scheme
    assert scheme is not None
    rows = [claim("scheme_accuracy", f"{scheme}: accuracy on test images", _tests(outcomes), "%")]
    on_arrays = "writes" in outcomes[0]
    if on_arrays:
        whole = base(outcomes[0], whole=True)
        rows += [
            claim("scheme_gone", f"{scheme}: writes saved",
                  [gone(o) for o in outcomes], "%", note=f"of {whole}"),
            claim("scheme_writes_per_weight", f"{scheme}: writes for each weight",
                  [per_weight(o) for o in outcomes], "", better="lower",
                  note="after the first programming"),
            claim("scheme_max_writes_per_cell", f"{scheme}: most writes of any cell",
                  [float(o["max_writes"]) for o in outcomes], "", better="lower",
                  pooled="highest", note="first programming included"),
            claim("scheme_energy", f"{scheme}: programming energy",
                  [spent(o, "energy") for o in outcomes], "J", better="lower",
                  note="after the first programming"),
        ]  # fmt: skip
    account = Account.of(outcomes[0]) if on_arrays else None
    return Result(
        experiment="siamese",
        preset=config.preset,
        seed=config.seed,
        title=f"{TITLE}: {scheme}",
        summary=f"{_network(config)}, trained on {label(config.data)} under one scheme, {scheme}, "
        f"through {config.chips} simulated chip(s). Claims are on test images, all else on "
        "held-out training images.",
        claims=rows,
        tables=[] if account is None else account.events,
        curves=learning({"mlp": {scheme: outcomes}}),
        histograms=[wear({scheme: outcomes})] if on_arrays else [],
        ledger=None if account is None else account.ledger,
        cost=None if account is None else account.cost,
    )


def result(
    config: SiameseConfig,
    outcomes: Outcomes,
    schemes: Sequence[Done[Job, Outcome]],
    studies: Sequence[Done[Job, Outcome]],
) -> Result:
    """Everything that a run says but the time that it took."""
    mlp = outcomes["mlp"]
    compared = schemes[0].outcomes if schemes else {}
    done = [*schemes, *studies]
    claims = _claims(config, "mlp", mlp, paper=True) + _against(config, mlp, compared)
    if "cnn" in outcomes:
        claims += _claims(config, "cnn", outcomes["cnn"], paper=False)
    account = Account.of(mlp[FALLING][0])
    levels = account.by_level("Conductance by programmed level, first layer")
    return Result(
        experiment="siamese",
        preset=config.preset,
        seed=config.seed,
        title=TITLE,
        summary=_network(config)
        + (" and one of the LeNet class" if "cnn" in outcomes else "")
        + f", trained on {label(config.data)} through {config.chips} simulated chip(s) of "
        f"{config.hardware.levels}-level weights with imperfect cells; every scheme sees the same "
        "images in the same order. A reconstruction: networks, levels, device and optimizer are "
        "our choice. Writes saved are counted against one write of each weight at each training "
        "step. Claims are on test images, everything else on held-out training images.",
        claims=claims,
        tables=[
            *(_noted(config, t, compared) for each in done for t in each.tables),
            *account.events,
        ],
        curves=learning(outcomes) + [curve for each in done for curve in each.curves],
        bars=[bars for each in done for bars in each.bars],
        maps=maps(outcomes),
        histograms=[wear(mlp), levels],
        ledger=account.ledger,
        cost=account.cost,
    )


def _claims(
    config: SiameseConfig, network: str, outcomes: dict[str, list[Outcome]], *, paper: bool
) -> list[Claim]:
    """Claims of one network."""
    known = 98.0 if paper else None
    name = network.upper() if config.network is None else config.network.rpartition(":")[2]
    rows = [claim(f"{network}_float_accuracy", f"{name} in float, no arrays",
                  _tests(outcomes["float"]), "%")]  # fmt: skip
    for slug, scheme in SLUGS.items():
        if scheme not in outcomes:
            continue
        found, what = outcomes[scheme], f"{name} trained on its arrays, {scheme}"
        epoch, whole = base(found[0]), base(found[0], whole=True)
        rows += [
            claim(f"{network}{slug}_accuracy", what, _tests(found), "%",
                  note=_meaning(config, network, scheme)),
            claim(f"{network}{slug}_gone", f"writes saved, whole training, {scheme}",
                  [gone(o) for o in found], "%", paper=known, note=f"of {whole}"
                  + ("; the paper says over 98 % within one epoch" if paper else "")),
            claim(f"{network}{slug}_writes_per_weight", f"writes for each weight, {scheme}",
                  [per_weight(o) for o in found], "", better="lower",
                  note="whole training, after the first programming"),
            claim(f"{network}{slug}_first_epoch_accuracy",
                  f"accuracy after the first epoch, {scheme}",
                  [o["history"]["first"][0] for o in found], "%"),
            claim(f"{network}{slug}_first_epoch_gone",
                  f"writes saved, first epoch, {scheme}",
                  [gone(o, 1) for o in found], "%", paper=known, note=f"of {epoch}"),
            claim(f"{network}{slug}_max_writes_per_cell", f"most writes of any cell, {scheme}",
                  [float(o["max_writes"]) for o in found], "", better="lower", pooled="highest",
                  note="first programming included"),
        ]  # fmt: skip
    for slug, scheme in (("", FALLING), ("_sparse", LARGE)):
        if scheme in outcomes:
            pairs = zip(_tests(outcomes["float"]), _tests(outcomes[scheme]), strict=True)
            rows.append(
                claim(f"{network}{slug}_below_float", f"{name}: points below float, {scheme}",
                      [a - b for a, b in pairs], "%", better="lower", note="points")
            )  # fmt: skip
    return rows


def _against(
    config: SiameseConfig, outcomes: dict[str, list[Outcome]], compared: Mapping[str, Outcome]
) -> list[Claim]:
    """A falling threshold against the paper's own policy, and against the closed loop."""
    pairs = list(zip(outcomes[ON_CHANGE], outcomes[FALLING], strict=True))
    lives = [epochs_to_first_death(o) for o in outcomes[FALLING]]
    rows = [
        claim("mlp_below_change", f"MLP: points below writing at every change of level, {FALLING}",
              [a["test"] - b["test"] for a, b in pairs], "%", better="lower", note="points"),
    ]  # fmt: skip
    if all(per_weight(b) > 0 for _, b in pairs):
        rows += [
            claim("mlp_write_ratio",
                  f"factor of fewer writes than at every change of level, {FALLING}",
                  [per_weight(a) / per_weight(b) for a, b in pairs], "",
                  note="after the first programming"),
            claim("mlp_energy_ratio",
                  "factor of less programming energy than at every change of level",
                  [spent(a, "energy") / spent(b, "energy") for a, b in pairs], "",
                  note="after the first programming"),
        ]  # fmt: skip
    if all(life is not None for life in lives):
        rows.append(
            claim("mlp_lifetime", f"epochs until the first cell dies, {FALLING}",
                  [life for life in lives if life is not None], "", pooled="lowest",
                  note=f"of {stands(config.hardware.device)}, at the average pace of the training")
        )  # fmt: skip
    for slug, scheme in (("", FALLING), ("_verified", VERIFIED)):
        if {LOOP, scheme} <= set(compared):
            both = compared[LOOP], compared[scheme]
            rows += _against_the_loop(config, slug, scheme, *both)
    return rows


def _against_the_loop(
    config: SiameseConfig, slug: str, scheme: str, loop: Outcome, ours: Outcome
) -> list[Claim]:
    """What a falling threshold saves of the closed loop: written blind, or verified as in it."""
    way = "verified as in the loop" if scheme == VERIFIED else "one pulse for each cell, no verify"
    note = (
        f"{scheme} ({way}), {config.scheme_epochs} epoch(s), after the first programming; compared "
        "with reading every cell at every step and pulsing those that are off until verified, "
        "except cells given up; the paper does not say what its energy and delay include"
    )
    whole = "forward and backward reads, conversions, writes and verify reads; no evaluations"
    saved = [
        ("energy", "programming energy", "pulses and verify reads", spent(ours, "energy"),
         spent(loop, "energy")),
        ("array_energy", "energy of the arrays", whole, array_energy(ours), array_energy(loop)),
        ("time", "programming time, row by row", "a row waits for its slowest cell",
         spent(ours, "rows"), spent(loop, "rows")),
        ("serial_time", "programming time, cell by cell", "one cell after another",
         spent(ours, "serial"), spent(loop, "serial")),
    ]  # fmt: skip
    return [
        claim(f"mlp_closed_loop_{what}_gone{slug}",
              f"{label} saved compared with the closed loop, {scheme}",
              [100 * (1 - mine / theirs)], "%", paper=98.0, note=f"{holds}; {note}")
        for what, label, holds, mine, theirs in saved
    ]  # fmt: skip


def _meaning(config: SiameseConfig, network: str, scheme: str) -> str:
    """A scheme in words, with its distances."""
    if scheme == ON_CHANGE:
        return "a cell is written whenever its level changes"
    if scheme == ROUNDED:
        levels = config.writes.rounded
        return f"movements rounded at random to {levels} levels; the rest is forgotten"
    if scheme == LARGE:
        first = last = config.writes.large_threshold
    else:
        writes = config.writes
        falls = writes.cnn_falling_threshold if network == "cnn" else writes.falling_threshold
        first, last = falls.first, falls.last
    large, small = (
        f"{a:g}" if a == b else f"{a:g}, at the end {b:g},"
        for a, b in zip(first, last, strict=True)
    )
    text = f"written when a weight is more than {large} steps from its level"
    return text if large == small else f"{text}; {small} in small layers"


def _noted(config: SiameseConfig, table: Table, compared: Mapping[str, Outcome]) -> Table:
    """The table of all schemes with what its numbers refer to; others as they are."""
    some = next((o for name, o in compared.items() if name != "float"), None)
    if table.id != "schemes" or some is None:
        return table
    note = (
        f"{config.scheme_epochs} epoch(s), one chip, MLP. Writes saved are relative to "
        f"{base(some)} in an epoch. Pulses, reads, energy and time count after the first "
        "programming; writes on cells include it. `mho list schemes` says what each scheme writes."
    )
    if "Tiki-Taka" in compared:
        note += (
            f" Of Tiki-Taka's pulses {spent(compared['Tiki-Taka'], 'fast_pulses'):,} are on "
            "its fast arrays, whose reads and time row by row are not counted."
        )
    return replace(table, note=note)


def _network(config: SiameseConfig) -> str:
    """The network that is trained, in words."""
    if config.network is not None:
        return f"The network {config.network}"
    return f"A {'-'.join(map(str, perceptron(config)))} network"


def _tests(outcomes: list[Outcome]) -> list[float]:
    return [o["test"] for o in outcomes]
