"""Write for life: one multi-level network learns task after task and keeps them all.

A reconstruction of D'Agostino et al., "Synaptic metaplasticity with multi-level memristive devices"
(AICAS 2023, arXiv 2306.12142): weights in multi-level cells, a hidden high-precision state in a
digital unit beside the array, which decides how easily a synapse may still change. Widths, levels,
activation, optimizer and the exact rule are not public: they are settings. Beside the interval rule
(our reading of the paper's) stand path importance, gates, and others' rules on the same network.

config: settings. network: what is trained. phases: which images come when. training: one training.
schemes: what protects old tasks. comparison, studies: which other trainings, and what is shown of
them. result: what is claimed.
"""

from __future__ import annotations

import mho
from mho.data import Task
from mho.experiments import part
from mho.experiments.cells import check_start, check_studies
from mho.experiments.memory import needed
from mho.experiments.metaplastic.comparison import Studied, in_order, schemes
from mho.experiments.metaplastic.config import PRESETS, MetaplasticConfig, Network
from mho.experiments.metaplastic.measures import Outcome, Trained, average
from mho.experiments.metaplastic.network import network
from mho.experiments.metaplastic.result import TITLE, of_scheme, result
from mho.experiments.metaplastic.schemes import SCHEMES
from mho.experiments.metaplastic.studies import STUDY
from mho.experiments.metaplastic.training import Job, learn, starts
from mho.experiments.metaplastic.training import trainings as of_job
from mho.experiments.metaplastic.varied import VARIED
from mho.experiments.processes import started
from mho.experiments.run import Run
from mho.experiments.study import Jobs
from mho.experiments.trainings import Training
from mho.results import Result

__all__ = [
    "PRESETS",
    "SCHEMES",
    "STUDY",
    "MetaplasticConfig",
    "check",
    "memory",
    "run",
    "trainings",
]

CLAIMED = ("path importance with gates", "path importance with gates on ideal chip")
"""Schemes trained in full and tested, in both orders."""
HIDDEN = ("interval rule with SGD", "interval rule with SGD and gates")
"""Schemes whose synapses store their hidden weight alone, in full as well."""
PERMUTED = ("path importance with gates", "EWC", "SI", "SI with gates", "joint training")
"""Schemes trained on permutations and tested."""


def check(config: MetaplasticConfig) -> None:
    """Refuse, before any long work, cells on which nothing is learnt or which studies cannot vary,
    and studies that the settings do not allow.

    Raises:
        ValueError: as said.
    """
    check_start(starts(config), config.hardware, "MetaplasticConfig.hardware.device")
    check_studies("MetaplasticConfig.studies", config.studies, config.hardware, VARIED)
    for study in config.studies:
        STUDY[study](config)


def memory(config: MetaplasticConfig) -> dict[str, int]:
    """Bytes that each network takes."""
    scheme, images = SCHEMES["no protection"], max(1000, started().most(config.batch))
    trained: dict[str, tuple[Network, tuple[Task, ...]]] = {"the mlp": ("mlp", in_order(config))}
    if "convolution" in config.studies:
        trained["the cnn"] = ("cnn", in_order(config))
    if config.permuted.tasks:
        trained["the mlp of permutations"] = ("mlp", permuted(config).tasks)
    return {
        what: needed(
            lambda name=name, tasks=tasks: network(config, name, scheme, tasks), config.hardware,
            1, images, mho.data.dataset(tasks[0].dataset).shape,
        )
        for what, (name, tasks) in trained.items()
    }  # fmt: skip


def trainings(config: MetaplasticConfig) -> list[Training]:
    """The trainings of a run."""
    job = Job("", in_order(config), config, tested=True)
    groups: list[tuple[Job, tuple[str, ...]]] = []
    if config.scheme is not None:
        groups = [(job, (config.scheme,))]
    elif config.claims:
        groups = [(job, CLAIMED), (job._replace(tasks=job.tasks[::-1]), CLAIMED)]
        groups += [(hidden(config), HIDDEN)] if config.hidden_epochs else []
        groups += [(permuted(config), PERMUTED)] if config.permuted.tasks else []
    jobs = [
        job._replace(scheme=scheme, chip=chip)
        for job, names in groups
        for chip in range(config.chips)
        for scheme in names
    ]
    compared, studied = chosen(config)
    every = [*compared, *(study for _, study in studied)]
    jobs += [point.job for study in every for point in study.points.values()]
    return [training for job in dict.fromkeys(jobs) for training in of_job(job)]


def run(config: MetaplasticConfig, run: Run) -> Result:
    """Train the claimed networks, compare all schemes, study settings; returns the result."""
    check(config)
    jobs = Jobs[Job, Outcome](run, lambda job: learn(run, job))

    def on_chips(group: str, job: Job, names: tuple[str, ...]) -> dict[str, list[Outcome]]:
        """Outcomes by scheme, one a chip."""
        each = [
            jobs.outcomes({s: job._replace(scheme=s, chip=c) for s in names}, f"{group} {c}")
            for c in range(config.chips)
        ]
        return {scheme: [chip[scheme] for chip in each] for scheme in names}

    job = Job("", in_order(config), config, tested=True)
    if config.scheme is not None:
        found = on_chips("scheme", job, (config.scheme,))[config.scheme]
        return of_scheme(config, found)
    of_schemes, of_studies = chosen(config)
    if not config.claims:
        done = [jobs.done(study, "scheme") for study in of_schemes]
        done += [jobs.done(study, name) for name, study in of_studies]
        return part.result(config, TITLE, done, average)
    trained = Trained(
        claimed=on_chips("claimed", job, CLAIMED),
        reverse=on_chips("reverse", job._replace(tasks=job.tasks[::-1]), CLAIMED),
        hidden=on_chips("hidden", hidden(config), HIDDEN) if config.hidden_epochs else {},
        permuted=on_chips("permuted", permuted(config), PERMUTED) if config.permuted.tasks else {},
    )
    compared = [jobs.done(study, "scheme") for study in of_schemes]
    studied = [jobs.done(study, name) for name, study in of_studies]
    return result(config, trained, compared, studied)


def chosen(config: MetaplasticConfig) -> tuple[list[Studied], list[tuple[str, Studied]]]:
    """Those of the schemes, and the further ones with their names."""
    named = [(s, study) for s in STUDY if s in config.studies for study in STUDY[s](config)]
    return schemes(config), named


def hidden(config: MetaplasticConfig) -> Job:
    """The tasks of the run, for as long as the schemes of the hidden weight alone learn them."""
    changed = config.replace(epochs=config.hidden_epochs)
    return Job("", in_order(config), changed, tested=True)


def permuted(config: MetaplasticConfig) -> Job:
    """A data set under permutations, whatever the scheme."""
    own = config.permuted
    rules = config.rules.replace(
        pull=own.pull, damping=own.damping, elastic=own.elastic, intelligence=own.intelligence
    )
    tasks = mho.data.permuted(own.data, own.tasks, config.seed)
    changed = config.replace(epochs=own.epochs, share=own.share, rules=rules)
    return Job("", tasks, changed, tested=True)
