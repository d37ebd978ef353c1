"""The loss of a student, against its formula."""

import math

import pytest
import torch
import torch.nn.functional as F

import mho

S, T = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(1)).unbind()
Y = torch.tensor([0, 1, 2, 3, 0, 1])


def test_it_is_the_formula_written_out() -> None:
    t, weight = 3.0, 0.7
    p, q = (T / t).softmax(-1), (S / t).softmax(-1)
    soft = (p * (p / q).log()).sum(-1).mean()
    hard = -S.softmax(-1).log()[range(6), Y].mean()
    expected = weight * t**2 * soft + (1 - weight) * hard
    torch.testing.assert_close(mho.distillation_loss(S, T, Y, t, weight), expected)
    torch.testing.assert_close(mho.distillation_loss(S, T, None, t), t**2 * soft)


def test_a_student_like_its_teacher_loses_nothing_and_a_teacher_gets_no_gradient() -> None:
    student, teacher = S.clone().requires_grad_(), S.clone().requires_grad_()
    loss = mho.distillation_loss(student, teacher)
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert teacher.grad is None
    assert student.grad is not None


def test_at_a_high_temperature_it_is_half_the_mean_squared_difference_of_centred_scores() -> None:
    """Hinton et al. 2015, section 2.1: T^2 times the gradient tends to that of the logits."""
    centred = (S - S.mean(-1, keepdim=True)) - (T - T.mean(-1, keepdim=True))
    expected = centred.square().mean(-1).mean() / 2
    got = mho.distillation_loss(S.double(), T.double(), None, 1e3)
    assert got.item() == pytest.approx(expected.item(), rel=1e-2)


def test_chips_share_a_teacher_and_labels() -> None:
    chips = torch.stack([S, T, S + 1])
    each = torch.stack([mho.distillation_loss(chip, T, Y) for chip in chips])
    torch.testing.assert_close(mho.distillation_loss(chips, T, Y), each.mean())


def test_half_precision_is_computed_in_single() -> None:
    got = mho.distillation_loss(S.bfloat16(), T.bfloat16(), Y)
    assert got.dtype is torch.float32
    wide = mho.distillation_loss(S.bfloat16().float(), T.bfloat16().float(), Y)
    torch.testing.assert_close(got, wide)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((S, T[:, :3]), "teacher_logits, of shape"),
        ((S, T[:5]), "teacher_logits, of shape"),
        ((S.long(), T), "student_logits"),
        ((S, T, Y[:5]), "labels, of shape"),
        ((S, T, Y.float()), "labels"),
        ((S, T, Y, 0.0), "temperature"),
        ((S, T, Y, 1.0, 1.5), "weight"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mho.distillation_loss(*arguments)


def test_a_weight_of_zero_is_cross_entropy() -> None:
    got = mho.distillation_loss(S, T, Y, 2.0, 0.0)
    torch.testing.assert_close(got, F.cross_entropy(S, Y))
    assert math.isfinite(got)
