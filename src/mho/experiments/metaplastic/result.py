"""Claims, and what else the result of a run says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mho.data.named import label
from mho.experiments.account import Account, stands
from mho.experiments.metaplastic.comparison import in_order
from mho.experiments.metaplastic.config import MetaplasticConfig
from mho.experiments.metaplastic.figures import curves, memory_bars
from mho.experiments.metaplastic.measures import (
    HIDDEN_BITS,
    REFERENCE,
    Outcome,
    Trained,
    average,
    memory,
    reference,
    tasks_to_first_death,
)
from mho.experiments.metaplastic.network import widths
from mho.experiments.metaplastic.training import Job
from mho.experiments.own_data import slug
from mho.experiments.study import Done
from mho.results import Claim, Result, claim

PAPER = {"mnist": 97.0, "fashion-mnist": 86.0}
"""Accuracy after both tasks in the paper [%]."""
SHORT = {"mnist": "mnist", "fashion-mnist": "fashion"}
OURS, SOFTWARE = "path importance with gates", "path importance with gates on ideal chip"


TITLE = "Write for life: metaplastic multi-level network"


def of_scheme(config: MetaplasticConfig, outcomes: list[Outcome]) -> Result:
    """What one scheme alone comes to, on all chips."""
    scheme, first = config.scheme, outcomes[0]
    rows = [
        claim(f"scheme_{SHORT.get(task, slug(task))}", f"{scheme}: {task} after all tasks",
              [o["test"]["told"][k] for o in outcomes], "%",
              note="the network is told the task of an image")
        for k, task in enumerate(config.tasks)
    ]  # fmt: skip
    rows += [
        claim("scheme_max_pulses", f"{scheme}: most pulses on any cell",
              [float(o["max_pulses"]) for o in outcomes], "", better="lower", pooled="highest"),
        claim("scheme_energy", f"{scheme}: programming energy over all tasks",
              [o["programming_energy"] for o in outcomes], "J", better="lower",
              note="first programming included"),
    ]  # fmt: skip
    account = Account.of(first)
    return Result(
        experiment="metaplastic",
        preset=config.preset,
        seed=config.seed,
        title=f"{TITLE}: {scheme}",
        summary=f"One network learns {', then '.join(config.tasks)} under one scheme, {scheme}, "
        f"through {config.chips} simulated chip(s), {config.epochs} epochs a task. Claims are on "
        "test images.",
        claims=rows,
        tables=account.events,
        histograms=[account.wear],
        ledger=account.ledger,
        cost=account.cost,
    )


def result(
    config: MetaplasticConfig,
    trained: Trained,
    schemes: Sequence[Done[Job, Outcome]],
    studies: Sequence[Done[Job, Outcome]],
) -> Result:
    """Everything that a run says but the time that it took."""
    ours = trained.claimed[OURS]
    compared = schemes[0].outcomes if schemes else {}
    done = [*schemes, *studies]
    claims = _after_all(config, trained) + _chips(config, ours) + _hidden(config, trained.hidden)
    if trained.permuted:
        claims += _permuted(config, trained.permuted)
    account = Account.of(ours[0])
    levels = account.by_level("Conductance by programmed level, first layer")
    title = "Programming pulses per cell, those made stuck included"
    return Result(
        experiment="metaplastic",
        preset=config.preset,
        seed=config.seed,
        title=TITLE,
        summary=f"{_network(config)} learns {', then '.join(config.tasks)}, and in the reverse "
        f"order, through {config.chips} simulated chip(s) of {config.hardware.device.states}-level "
        f"cells, {config.epochs} epochs a task, without replay. A reconstruction: widths, levels, "
        "activation, optimizer and the exact rule of the paper are our choice; gates and path "
        "importance are ours, beside its interval rule as we read it. Each task has its own batch "
        "normalization, and the network is told the task at test time unless a claim says "
        "otherwise. Claims are on test images, everything else on held-out training images.",
        claims=claims,
        tables=[*(table for each in done for table in each.tables), *account.events],
        curves=curves(config, trained) + [curve for each in done for curve in each.curves],
        bars=[memory_bars(config, ours[0], compared), *(b for each in done for b in each.bars)],
        histograms=[levels, replace(account.wear, title=title)],
        ledger=account.ledger,
        cost=account.cost,
    )


def _network(config: MetaplasticConfig) -> str:
    """The network that is trained, in words."""
    if config.network is not None:
        return f"The network {config.network}"
    return f"A {'-'.join(map(str, widths(config, in_order(config))))} network"


def _after_all(config: MetaplasticConfig, trained: Trained) -> list[Claim]:
    """Accuracy on each task after all of them."""
    told = "each task has its own batch normalization and gates; the network is told the task"
    alone = (
        "the network is not told the task: a digital model beside the arrays finds it from the "
        "image, by mean and variance of each pixel for each class of each task"
    )
    rows = []
    for number, task in enumerate(config.tasks):
        short, paper = SHORT.get(task, slug(task)), PAPER.get(task)

        def test(outcomes: list[Outcome], which: str = "told", at: int = number) -> list[float]:
            return [o["test"][which][at] for o in outcomes]

        ours, software = trained.claimed[OURS], trained.claimed[SOFTWARE]
        gaps = [a - b for a, b in zip(test(software), test(ours), strict=True)]
        back = len(config.tasks) - 1 - number
        rows += [
            claim(f"{short}_after_both", f"{task} after all tasks, {OURS}",
                  test(ours), "%", paper=paper, note=told),
            claim(f"{short}_software", f"{task} after all tasks, software baseline",
                  test(software), "%", paper=paper, note=told),
            claim(f"{short}_below_software", f"{task}: accuracy below the software baseline",
                  gaps, "%", better="lower", note="points"),
            claim(f"{short}_recognized", f"{task} after all tasks, no task told",
                  test(ours, "recognized"), "%", paper=paper, note=alone),
            claim(f"{short}_reverse", f"{task} after all tasks, reverse order",
                  test(trained.reverse[OURS], at=back), "%", note=told),
            claim(f"{short}_reverse_software",
                  f"{task} after all tasks, reverse order, software baseline",
                  test(trained.reverse[SOFTWARE], at=back), "%", note=told),
            claim(f"{short}_reverse_recognized",
                  f"{task} after all tasks, reverse order, no task told",
                  test(trained.reverse[OURS], "recognized", back), "%", note=alone),
        ]  # fmt: skip
    return rows


def _hidden(config: MetaplasticConfig, trained: dict[str, list[Outcome]]) -> list[Claim]:
    """Accuracy, memory and wear where a synapse stores its hidden weight alone."""
    slugs = {
        "interval rule with SGD": "hidden_only",
        "interval rule with SGD and gates": "hidden_gated",
    }
    momentum = config.rules.hidden_only.momentum
    rows = []
    for scheme, outcomes in trained.items():
        first, short = outcomes[0], slugs[scheme]
        note = f"batch normalization{' and gates' if 'gates' in scheme else ''} for each task, "
        note += "which is told; "
        note += (
            "no importance, no anchor, no other change at the end of a task; "
            f"{config.hidden_epochs} epochs for each task"
        )
        note += "; while a task is learnt SGD also keeps its momentum" if momentum else ""
        for number, task in enumerate(config.tasks):
            rows.append(
                claim(f"{short}_{SHORT.get(task, slug(task))}", f"{task} after all tasks, {scheme}",
                      [o["test"]["told"][number] for o in outcomes], "%", paper=PAPER.get(task),
                      note=note)
            )  # fmt: skip
        mine, theirs = memory(first), reference(len(config.tasks))
        rows += [
            claim(f"{short}_memory_ratio",
                  f"factor of less memory than the binarized network, all counted, {scheme}",
                  [theirs.total / mine.total], "", note="counted the same way for both: cells by "
                  f"{first['states']} levels here and one bit there; hidden weights, and what is "
                  f"kept for each task, at {HIDDEN_BITS} bits a value; no optimizer's moments"),
            claim(f"{short}_mean_writes", f"writes for each cell over all tasks, {scheme}",
                  [o["mean_writes"] for o in outcomes], "", better="lower"),
            claim(f"{short}_max_pulses", f"most pulses of any cell over all tasks, {scheme}",
                  [float(o["max_pulses"]) for o in outcomes], "", better="lower", pooled="highest"),
        ]  # fmt: skip
    return rows


def _chips(config: MetaplasticConfig, ours: list[Outcome]) -> list[Claim]:
    """Cells, memory and wear of the claimed network."""
    cells, ours_bits, theirs = (
        ours[0]["cells"],
        memory(ours[0]),
        reference(len(config.tasks)),
    )
    rows = [
        claim("cell_ratio", "factor of fewer cells than the binarized network",
              [theirs.cells / cells], "", paper=15.0,
              note=f"{int(theirs.cells):,} of {'-'.join(map(str, REFERENCE))} over {cells:,}"),
        claim("bit_ratio", "factor of fewer bits in the cells than the binarized network",
              [theirs.cells / ours_bits.cells], "",
              note=f"one bit a cell there, {config.hardware.device.states} levels a cell here"),
        claim("memory_ratio_hidden",
              "factor of less memory than the binarized network, with hidden weights",
              [(theirs.cells + theirs.hidden) / (ours_bits.cells + ours_bits.hidden)], "",
              note=f"{HIDDEN_BITS} bits for each hidden weight, in both; trained in float32"),
        claim("memory_ratio_with_hidden",
              "factor of less memory than the binarized network, all counted",
              [theirs.total / ours_bits.total], "",
              note="cells by their levels; hidden weights, what the rule keeps for each synapse "
              f"and what is kept for each task, at {HIDDEN_BITS} bits a value, trained in float32; "
              "the optimizer's moments are not counted"),
        claim("max_pulses", "most pulses of any cell over all tasks",
              [float(o["max_pulses"]) for o in ours], "", better="lower", pooled="highest",
              note="among cells that can die; cells made stuck take more"),
        claim("mean_writes", "writes for each cell over all tasks",
              [o["mean_writes"] for o in ours], "", better="lower"),
        claim("writes_999", "99.9 % of the cells have fewer writes than",
              [o["writes_999"] for o in ours], "", better="lower"),
        claim("programming_energy", "programming energy over all tasks",
              [o["programming_energy"] for o in ours], "J", better="lower",
              note="first programming included"),
    ]  # fmt: skip
    if config.hardware.device.endurance is not None and all("endurance_used" in o for o in ours):
        note = f"of {stands(config.hardware.device)}"
        lives = [tasks_to_first_death(o) for o in ours]
        rows += [
            claim("endurance_share_max", "endurance used by the most written cell",
                  [100 * o["endurance_used"] for o in ours], "%", better="lower",
                  note=note, pooled="highest"),
            claim("tasks_to_first_death", "tasks until a cell dies",
                  [life for life in lives if life is not None], "",
                  note=f"{note}, at the average pace of {len(config.tasks)} tasks",
                  pooled="lowest"),
        ]  # fmt: skip
    return rows


def _permuted(config: MetaplasticConfig, outcomes: dict[str, list[Outcome]]) -> list[Claim]:
    """Mean accuracy over the permutations after all of them."""
    slugs = {"path importance with gates": "average", "EWC": "ewc", "SI": "si",
             "SI with gates": "gated_si", "joint training": "joint"}  # fmt: skip
    tasks, data = config.permuted.tasks, label(config.permuted.data)
    rows = [
        claim(f"permuted{tasks}_{slugs[scheme]}", f"{tasks}-task permuted {data}, {scheme}",
              [average(o, "test") for o in found], "%",
              note="all tasks at once, no task told" if scheme == "joint training" else
              f"mean over the tasks after all, {config.permuted.epochs} epoch(s) each")
        for scheme, found in outcomes.items()
    ]  # fmt: skip
    rows.append(
        claim(f"permuted{tasks}_recognized", f"{tasks}-task permuted {data}, {OURS}, no task told",
              [average(o, "test", "recognized") for o in outcomes[OURS]], "%")
    )  # fmt: skip
    return rows
