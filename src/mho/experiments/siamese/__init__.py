"""Write rarely: in-situ training of multi-level networks that writes only what must change.

A reconstruction of Tan et al., "Enhancing in-situ updates of quantized memristor neural networks: a
Siamese network learning approach", Cognitive Neurodynamics 2024 (10.1007/s11571-024-10069-1). The
twin networks are the array, through which every forward pass goes, and its float shadow, which
takes the gradients; a cell is written when its shadow has moved far enough from its level.
Networks, levels, device and optimizer are not in the text we could read: they are settings.

config: settings. schemes: when a cell is written. training: one training. studies: which trainings.
result, with figures and tables: what is made of them.
"""

from __future__ import annotations

from typing import Any

from mho.experiments.run import Run
from mho.experiments.siamese.config import PRESETS, SiameseConfig
from mho.experiments.siamese.result import Outcomes, result
from mho.experiments.siamese.studies import STUDY, Points, check, claimed, schemes
from mho.experiments.siamese.training import Job, train

__all__ = ["PRESETS", "SiameseConfig", "run"]


def run(config: SiameseConfig, run: Run) -> dict[str, Any]:
    """Train the claimed networks, compare all schemes, study imperfections; returns the result."""
    check(config)

    known: dict[Job, dict[str, Any]] = {}

    def done(points: Points, group: str) -> dict[str, Any]:
        """Outcomes by name; a training that several studies ask for is done once."""
        for name, job in points.items():
            if job not in known:
                known[job] = run.once(f"{group}: {name}", lambda j=job: train(config, run, j))
        return {name: known[job] for name, job in points.items()}

    by_network = {
        network: [done(claimed(config, network, c), f"{network} {c}") for c in range(config.chips)]
        for network in config.networks
    }
    outcomes: Outcomes = {
        network: {scheme: [chip[scheme] for chip in chips] for scheme in chips[0]}
        for network, chips in by_network.items()
    }
    compared = done(schemes(config), "scheme")
    studies = {study: done(STUDY[study](config), study) for study in config.studies}
    return result(config, outcomes, compared, studies)
