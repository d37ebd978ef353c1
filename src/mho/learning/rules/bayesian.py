"""Bayesian synapses: what is certain moves little, and certainty fades."""

from __future__ import annotations

import torch
from torch import Tensor

from mho.arguments import checked
from mho.errors import invalid
from mho.learning.rules.rule import State, Synapses, Update


class BayesianSteps:
    """Metaplasticity from the uncertainty of each synapse, without task boundaries.

    A synapse stores beside its mean W how much surer than the prior it is, the relative precision
    r = sigma_prior^2 / sigma^2, 1 at first. With the mean gradient g of `batch` samples,

        delta <- delta / r - W / (memory r)
        r     <- r + (1 - r) / memory + sigma_prior^2 h,   h = batch g^2

    each line with the r before. This is the rule of Bonnet et al. (2023, arXiv 2312.10153; 2025,
    10.1038/s41467-025-64601-w), sigma^2 x gradient and a pull of `sigma^2 (0 - W) / (memory
    sigma_prior^2)`, its equation for sigma written for 1 / sigma^2: there it is linear, stable for
    any h, and r stays at least 1. The cost of a step is the mean over its batch. A
    reconstruction, without sampling: the weights are their means, and the curvature h, which the
    paper has from sampled weights, is estimated by the squared gradient. Meant for plain SGD, whose
    learning rate is that of an entirely uncertain synapse: sigma_prior^2 in the paper, free here.

    Args:
        sigma: uncertainty of the prior, whose mean is 0, in units of the full scale.
        memory: steps N over which the past is forgotten, at least 1.
        batch: samples whose mean gradient a step sees.
    """

    needs_gradient = True
    stored = ("precision",)

    @checked
    def __init__(self, sigma: float, memory: float, batch: int = 1) -> None:
        if not sigma > 0:
            raise invalid("BayesianSteps.sigma", sigma, "above 0")
        if not memory >= 1:
            raise invalid("BayesianSteps.memory", memory, "at least 1 step")
        if batch < 1:
            raise invalid("BayesianSteps.batch", batch, "at least 1")
        self.sigma, self.memory, self.batch = sigma, memory, batch

    def init(self, weight: Tensor) -> State:
        """Relative precision: the prior's."""
        return {"precision": torch.ones_like(weight)}

    def apply(self, update: Update, state: State) -> None:
        """Move by uncertainty, back to the prior a little; learn from the gradient, and forget."""
        precision, kept = state["precision"], 1 - 1 / self.memory
        update.delta.div_(precision).addcdiv_(update.before, precision, value=-1 / self.memory)
        precision.mul_(kept).add_(1 - kept)
        if (gradient := update.gradient) is not None:
            prior = (self.sigma * update.full_scale) ** 2
            precision.addcmul_(gradient, gradient, value=self.batch * prior)

    def consolidate(self, synapses: Synapses, state: State) -> None:
        """Nothing: there are no tasks."""
