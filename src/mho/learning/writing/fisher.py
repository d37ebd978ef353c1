"""Measuring Fisher information for the rules that ask for it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Int64, Shaped
from torch import Tensor, nn

from mho.arguments import checked
from mho.errors import invalid
from mho.learning.batches import taking
from mho.learning.evaluate import evaluating
from mho.learning.labels import check_classes
from mho.learning.layers.chips import chip_count
from mho.learning.layers.layer import memristive_layers
from mho.learning.writing.write_step import WriteStep


@torch.enable_grad()
@checked
def measure_fisher(
    net: nn.Module,
    write: WriteStep,
    inputs: Shaped[Tensor, "_ ..."],
    labels: Int64[Tensor, " _"],
) -> None:
    """Show the rules the gradient of each sample alone: empirical Fisher information.

    One pass a sample in eval mode, the gradient of the cross-entropy with its true label; no weight
    moves, nothing is written, reads are counted. Afterwards the network has no gradients. If it
    fails the rules have seen none.

    Args:
        net: a classifier on one chip.
        write: its write step, with a rule that observes, such as `ElasticWeights`.
        inputs: (samples, ...); as many as are to be averaged over.
        labels: int64 (samples,).

    Raises:
        ValueError: a network of several chips, whose gradients are sums; no sample; not one label
            a sample; a gradient that is not finite.
    """
    if [*memristive_layers(net).values()] != [*write.layers]:
        raise invalid("write", write, "the WriteStep of this network: mho.WriteStep(net, ...)")
    if (chips := chip_count(net)) > 1:
        raise invalid("chips", chips, "1, so that each gradient is one chip's own")
    if not len(inputs) or len(inputs) != len(labels):
        given = (len(inputs), len(labels))
        raise invalid("samples in inputs and labels", given, "at least 1, and as many labels")
    with evaluating(net), write.observing():
        for x, label in zip(inputs.split(1), labels.split(1), strict=True):
            net.zero_grad(set_to_none=True)
            with taking(inputs, "inputs"):
                scores = net(x)
            scores = scores.flatten(0, -2)
            check_classes(label, scores.shape[-1])
            F.cross_entropy(scores, label).backward()
            write.observe()
    net.zero_grad(set_to_none=True)
