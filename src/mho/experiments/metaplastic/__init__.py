"""Write for life: one multi-level network learns task after task and keeps them all.

A reconstruction of D'Agostino et al., "Synaptic metaplasticity with multi-level memristive devices"
(AICAS 2023, arXiv 2306.12142): weights in multi-level cells, a hidden high-precision state in a
digital unit beside the array, which decides how easily a synapse may still change. Widths, levels,
activation, optimizer and the exact rule are not public: they are settings. Beside the interval rule
(our reading of the paper's) stand path importance, gates, and others' rules on the same network.

config: settings. schemes: what protects old tasks. phases: which images come when. training: one
training. studies: which trainings. measures, result, figures, tables: what is made of them.
"""

from __future__ import annotations

from typing import Any

from mho.experiments.metaplastic import studies
from mho.experiments.metaplastic.config import PRESETS, MetaplasticConfig
from mho.experiments.metaplastic.measures import Trained
from mho.experiments.metaplastic.result import result
from mho.experiments.metaplastic.studies import check
from mho.experiments.metaplastic.training import Job, learn
from mho.experiments.run import Jobs, Run
from mho.results import Result

__all__ = ["PRESETS", "MetaplasticConfig", "check", "run"]


def run(config: MetaplasticConfig, run: Run) -> Result:
    """Train the claimed networks, compare all schemes, study settings; returns the result."""
    check(config)
    done = Jobs[Job](run, lambda job: learn(run, job)).outcomes

    def on_chips(group: str, points: Any) -> dict[str, list[dict[str, Any]]]:
        """Outcomes by scheme, one a chip."""
        each = [done(points(config, c), f"{group} {c}") for c in range(config.chips)]
        return {scheme: [chip[scheme] for chip in each] for scheme in each[0]}

    trained = Trained(
        claimed=on_chips("claimed", studies.claimed),
        reverse=on_chips("reverse", studies.reverse),
        permuted=on_chips("permuted", studies.permuted),
        schemes=done(studies.schemes(config), "scheme"),
        studies={s: done(studies.STUDY[s](config), s) for s in config.studies},
    )
    return result(config, trained)
