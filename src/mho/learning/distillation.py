"""Learning from the answers of another network."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mho.arguments import checked
from mho.config import Range
from mho.errors import invalid


@checked
def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor | None = None,
    temperature: Annotated[float, Range(least=1e-2, most=1e3)] = 4.0,
    weight: Annotated[float, Range(least=0.0, most=1.0)] = 0.9,
) -> Float[Tensor, ""]:
    """Loss of a student that is to answer as a teacher does, and as the labels say.

        weight T^2 KL(softmax(teacher / T) || softmax(student / T))
            + (1 - weight) cross_entropy(student, labels)

    averaged over the samples; the teacher gets no gradient. Of noise-aware training the float
    network is a good teacher. Source: Hinton, Vinyals and Dean 2015, arXiv:1503.02531, section 2.

    Args:
        student_logits: scores (..., classes).
        teacher_logits: scores of the same samples, (..., classes) or what broadcasts to it, such as
            (batch, classes) for a student on chips, (chips, batch, classes).
        labels: classes (...), int64, or what broadcasts to that; None: the first term alone, whole.
        temperature: T [1]; the higher, the more the small scores count.
        weight: of the teacher's answers [1].

    Returns:
        The loss (), float32 at least.

    Raises:
        ValueError: shapes that do not go together, or labels that are no whole numbers.
    """
    for name, logits in (("student_logits", student_logits), ("teacher_logits", teacher_logits)):
        if logits.dim() < 1 or not logits.is_floating_point():
            raise invalid(name, logits, "scores (..., classes), a tensor of floating-point numbers")
    precise = torch.promote_types(student_logits.dtype, torch.float32)
    student, teacher = student_logits.to(precise), teacher_logits.detach().to(precise)
    if teacher.shape[-1] != student.shape[-1] or not _broadcasts(teacher, student):
        allowed = f"{tuple(student.shape)}, as student_logits, or what broadcasts to it"
        raise invalid("teacher_logits, of shape", tuple(teacher.shape), allowed)
    classes = student.shape[-1]
    log_student = F.log_softmax(student / temperature, -1)
    soft = F.softmax(teacher / temperature, -1).expand_as(student)
    each = F.kl_div(log_student, soft, reduction="none").sum(-1)
    learnt = temperature**2 * each.mean()
    if labels is None:
        return learnt
    if labels.is_floating_point() or labels.is_complex():
        raise invalid("labels", labels, "whole numbers from 0 to classes - 1")
    if not _broadcasts(labels, each):
        allowed = f"{tuple(each.shape)}, one for each sample, or what broadcasts to it"
        raise invalid("labels, of shape", tuple(labels.shape), allowed)
    wanted = labels.long().expand_as(each).flatten()
    told = F.cross_entropy(student.reshape(-1, classes), wanted)
    return weight * learnt + (1 - weight) * told


def _broadcasts(x: Tensor, like: Tensor) -> bool:
    """Whether a tensor expands to the shape of another."""
    last = like.shape[max(0, like.dim() - x.dim()) :]
    return x.dim() <= like.dim() and all(n in (1, m) for n, m in zip(x.shape, last, strict=True))
