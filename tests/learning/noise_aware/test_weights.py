"""The weight as chips would hold it, drawn once a pass."""

import copy

import pytest
import torch
from torch import nn

import mho
from mho.learning.noise_aware.noise_aware import noise_aware

PCM = mho.Hardware(device="pcm-gst")


def test_recurrent_layers_draw_each_weight_once_a_pass_and_keep_none() -> None:
    lstm = noise_aware(nn.LSTM(3, 4, 2), PCM)
    chips = [steps[0] for steps in lstm.parametrizations.values()]
    x = torch.randn(5, 2, 3)
    for passes in (1, 2, 3):
        lstm(x)[0].sum().backward()
        assert [int(chip.step) for chip in chips] == [passes] * 4
    copy.deepcopy(lstm)(x)
    lstm.double()(x.double())
    assert [int(chip.step) for chip in chips] == [4] * 4


def test_recurrent_layers_in_eval_mode_are_those_of_their_levels() -> None:
    lstm = noise_aware(nn.LSTM(3, 4, 2, bidirectional=True), PCM, clip=None).eval()
    plain = nn.LSTM(3, 4, 2, bidirectional=True)
    with torch.no_grad():
        for name, weight in plain.named_parameters():
            weight.copy_(getattr(lstm, name))
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(lstm(x)[0], plain(x)[0])


def test_reads_of_layers_without_columns_are_noisy_in_their_weights() -> None:
    cell = mho.cells.MultiLevel(g_min=1e-6, g_max=9e-5, levels=9, read_noise=0.02)
    gru = noise_aware(nn.GRU(20, 30), mho.Hardware(device=cell))
    drawn = torch.stack([gru.weight_ih_l0.detach() for _ in range(200)])
    edge = gru.parametrizations.weight_ih_l0[0].edge
    assert drawn.std(0).mean().item() == pytest.approx(0.02 * 2**0.5 * edge.item(), rel=0.05)


def test_blocks_of_attention_have_full_scales_of_their_own() -> None:
    attention = nn.MultiheadAttention(8, 2)
    with torch.no_grad():
        attention.in_proj_weight[8:16] *= 10
    net = noise_aware(attention, PCM, clip=None).eval()
    w, held = attention.in_proj_weight.detach(), net.in_proj_weight.detach()
    for part in (slice(0, 8), slice(8, 16), slice(16, 24)):
        step = w[part].abs().max() / 15
        assert (held[part] - w[part]).abs().max() <= 0.51 * step


def test_no_noise_is_only_quantized() -> None:
    net = noise_aware(nn.Linear(9, 4), PCM, weight_noise=0.0)
    assert torch.equal(net.weight, net.eval().weight)
