"""Write rarely: in-situ training of multi-level networks that writes only what must change.

A reconstruction of Tan et al., "Enhancing in-situ updates of quantized memristor neural networks: a
Siamese network learning approach", Cognitive Neurodynamics 2024 (10.1007/s11571-024-10069-1). The
twin networks are the array, through which every forward pass goes, and its float shadow, which
takes the gradients; a cell is written when its shadow has moved far enough from its level.
Networks, levels, device and optimizer are not in the text we could read: they are settings.

config: settings. training: the networks, and one training. schemes: when a cell is written. chip:
the same on an instrument. comparison, studies: which other trainings, and what is shown of them.
result: what is claimed.
"""

from __future__ import annotations

import mho
from mho.experiments import part
from mho.experiments.cells import check_reads, check_start, check_studies
from mho.experiments.memory import needed
from mho.experiments.processes import started
from mho.experiments.run import Run
from mho.experiments.siamese.chip import check_chip, run_on_chip
from mho.experiments.siamese.comparison import Studies, schemes
from mho.experiments.siamese.config import PRESETS, Network, SiameseConfig
from mho.experiments.siamese.measures import Outcome, accuracy
from mho.experiments.siamese.result import TITLE, of_scheme, result
from mho.experiments.siamese.schemes import SCHEMES, scheme_of
from mho.experiments.siamese.studies import STUDY
from mho.experiments.siamese.training import Job, network, starts, train, training
from mho.experiments.siamese.varied import VARIED
from mho.experiments.study import Jobs, Study
from mho.experiments.trainings import Training
from mho.results import Result

__all__ = ["PRESETS", "SCHEMES", "STUDY", "SiameseConfig", "check", "memory", "run", "trainings"]


def check(config: SiameseConfig) -> None:
    """Refuse, before any long work, cells on which nothing is learnt or which schemes or studies
    cannot use, or a chip of an instrument that does not answer or is too small.

    Raises:
        ValueError, InstrumentError: as said.
    """
    if config.chip is not None:
        check_chip(config)
        return
    check_start(starts(config), config.hardware, "SiameseConfig.hardware.device")
    trained = dict.fromkeys((*config.claimed, *config.schemes))
    reading = [scheme for scheme in trained if scheme_of(scheme).reads]
    check_reads("SiameseConfig.hardware.programming", config.hardware, reading)
    check_studies("SiameseConfig.studies", config.studies, config.hardware, VARIED)


def memory(config: SiameseConfig) -> dict[str, int]:
    """Bytes that each network takes."""
    images = max(1000, started().most(config.batch * config.writes.every))
    networks = ("mlp",) if config.chip is not None else config.networks
    return {
        f"the {name}": needed(lambda name=name: network(config, name), config.hardware, 1, images,
                               mho.data.dataset(config.data).shape)
        for name in networks
    }  # fmt: skip


def trainings(config: SiameseConfig) -> list[Training]:
    """The trainings of a run on simulated chips; of one on an instrument, that in float."""
    if config.chip is not None:
        return [training(config, Job("float", config.epochs, config.hardware, tested=True))]
    jobs = [
        job
        for network in networks(config)
        for chip in range(config.chips)
        for job in claimed(config, network, chip).values()
    ]
    compared, studied = chosen(config)
    every = [*compared, *(study for _, study in studied)]
    jobs += [point.job for study in every for point in study.points.values()]
    return [training(config, job) for job in dict.fromkeys(jobs)]


def run(config: SiameseConfig, run: Run) -> Result:
    """Train the claimed networks, compare all schemes, study imperfections, or do one of these; or
    train one network on an instrument. Returns the result."""
    check(config)
    if config.chip is not None:
        return run_on_chip(config, run)
    jobs = Jobs[Job, Outcome](run, lambda job: train(config, run, job).outcome)
    by_network = {
        network: [
            jobs.outcomes(claimed(config, network, c), f"{network} {c}")
            for c in range(config.chips)
        ]
        for network in networks(config)
    }
    outcomes = {
        network: {scheme: [chip[scheme] for chip in chips] for scheme in chips[0]}
        for network, chips in by_network.items()
    }
    if config.scheme is not None:
        return of_scheme(config, outcomes["mlp"][config.scheme])
    of_schemes, of_studies = chosen(config)
    compared = [jobs.done(study, "scheme") for study in of_schemes]
    studied = [jobs.done(study, name) for name, study in of_studies]
    if not config.claims:
        return part.result(config, TITLE, [*compared, *studied], accuracy)
    return result(config, outcomes, compared, studied)


def networks(config: SiameseConfig) -> tuple[Network, ...]:
    """Networks that are trained in full."""
    if config.scheme is not None:
        return ("mlp",)
    return config.networks if config.claims else ()


def chosen(config: SiameseConfig) -> tuple[Studies, list[tuple[str, Study[Job, Outcome]]]]:
    """Those of the schemes, and the further ones with their names."""
    named = [(s, study) for s in STUDY if s in config.studies for study in STUDY[s](config)]
    return schemes(config), named


def claimed(config: SiameseConfig, network: Network, chip: int) -> dict[str, Job]:
    """The trainings whose test accuracy is claimed."""
    epochs = config.epochs if network == "mlp" else config.cnn.epochs
    names = config.claimed if network == "mlp" else ("float", "falling threshold")
    names = names if config.scheme is None else (config.scheme,)
    job = Job("", epochs, config.hardware, network, chip, tested=True)
    return {scheme: job._replace(scheme=scheme) for scheme in names}
