"""Noise-aware training: any layer, any loop; and what becomes of it."""

import copy
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import mho
from builders.networks import small_model
from builders.weighted_layers import LAYERS, first, made
from mho.cells import MultiLevel, OpenLoop
from mho.learning.hardware_by_layer import ByLayer
from mho.learning.layers.composite import Composite
from mho.learning.layers.layer import memristive_layers
from mho.learning.layers.replace import holder_of
from mho.learning.noise_aware.array_view import ArrayView
from mho.learning.noise_aware.noise_aware import noise_aware
from mho.learning.twins import parts_of, twin_of

CELL = MultiLevel(g_min=10e-6, g_max=90e-6, levels=9, sigma=(2e-6,), read_noise=0.01)
NOISY = mho.Hardware(device=CELL, programming=OpenLoop(), dac_bits=8, adc_bits=8)
EXACT = mho.Hardware(device=CELL.replace(sigma=(0.0,), read_noise=0.0, levels=4096))
SINGLE = mho.Hardware(device=CELL, programming=OpenLoop(), mapping="single", adc_bits=7)

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")
each_layer = pytest.mark.parametrize("which", LAYERS)


def trainee(
    model: nn.Module, hardware: ByLayer = NOISY, seed: int = 1, **options: object
) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    return noise_aware(model, hardware, generator=generator, **options)  # type: ignore[arg-type]


def steps(net: nn.Module, optimizer: torch.optim.Optimizer, first_step: int, last: int) -> None:
    for k in range(first_step, last):
        x = torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(k))
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()


def near(got: Tensor | None, expected: Tensor | None) -> None:
    """Equal but for the steps between very fine levels."""
    assert got is not None
    assert expected is not None
    assert (got - expected).norm() <= 3e-3 * expected.norm() + 1e-6


# ---------------------------------------------------------------- every layer


@each_layer
def test_without_noise_it_is_the_layer_itself(which: str) -> None:
    """Fine levels, exact converters: outputs and both gradients."""
    layer, inputs = made(which)
    net = trainee(layer, EXACT, clip=None)
    for left, right in ((layer.train(), net.train()), (layer.eval(), net.eval())):
        mine, theirs = ([x.clone().requires_grad_() for x in inputs] for _ in range(2))
        expected, got = first(left(*theirs)), first(right(*mine))
        torch.testing.assert_close(got, expected, atol=2e-3, rtol=2e-3)
        for y in (expected, got):
            (y.flatten() * torch.linspace(-1, 1, y.numel())).sum().backward()
        for x, like in zip(mine, theirs, strict=True):
            torch.testing.assert_close(x.grad, like.grad, atol=2e-2, rtol=2e-2)
    plain = dict(layer.named_parameters())
    trained = {
        name.replace("parametrizations.", "").replace(".original", ""): p
        for name, p in net.named_parameters()
    }
    for name, p in plain.items():
        near(trained[name].grad, p.grad)


@each_layer
def test_every_layer_trains_is_noisy_in_train_mode_alone_and_goes_back(which: str) -> None:
    layer, inputs = made(which)
    before = copy.deepcopy(layer.state_dict())
    hardware = NOISY.replace(adc_range="column")
    for settings in (NOISY, hardware, SINGLE):
        net = trainee(layer, settings, output_noise=0.01)
        one = first(net(*inputs))
        one.square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
        assert not torch.equal(one, first(net(*inputs)))
        net.eval()
        assert torch.equal(first(net(*inputs)), first(net(*inputs)))
        copied = copy.deepcopy(net)
        assert torch.equal(first(copied(*inputs)), first(net(*inputs)))
        plain = mho.to_digital(net)
        assert type(plain) is type(layer)
        assert plain.state_dict().keys() == before.keys()
        torch.testing.assert_close(first(plain(*inputs)), first(layer.eval()(*inputs)))
        assert torch.equal(first(copied(*inputs)), first(net(*inputs)))
        layer.train()
    assert all(torch.equal(before[name], t) for name, t in layer.state_dict().items())


@each_layer
def test_clipping_holds_weights_of_layers_and_columns(which: str) -> None:
    layer, inputs = made(which)
    net = trainee(layer, EXACT, clip=1.0, clip_per="column")
    first(net(*inputs)).sum().backward()
    plain = mho.to_digital(net)
    for name, weight in plain.named_parameters():
        whole = layer.get_parameter(name)
        if weight.dim() > 1:
            assert weight.abs().max() < whole.abs().max()
            assert (weight.abs() <= whole.abs() + 1e-6).all()
        else:
            assert torch.equal(weight, whole)


def test_packed_sequences_and_keywords_are_converted_too() -> None:
    lstm = trainee(nn.LSTM(3, 4))
    packed = pack_sequence([torch.randn(5, 3), torch.randn(2, 3)])
    y, _ = lstm(packed)
    assert isinstance(y, PackedSequence)
    assert lstm.conversions.dac.found == packed.data.abs().max()
    attention = trainee(nn.MultiheadAttention(8, 2))
    x = torch.randn(4, 2, 8)
    attention(query=x, key=x, value=x, need_weights=False)
    assert attention.conversions.dac.found == x.abs().max()


# ---------------------------------------------------------------- training


def test_training_goes_on_after_a_checkpoint_as_if_it_had_not_stopped() -> None:
    whole, parts = (trainee(small_model()) for _ in range(2))
    optimizers = [torch.optim.Adam(net.parameters(), 1e-2) for net in (whole, parts)]
    steps(whole, optimizers[0], 0, 6)
    steps(parts, optimizers[1], 0, 3)
    resumed = trainee(small_model())
    optimizer = torch.optim.Adam(resumed.parameters(), 1e-2)
    resumed.load_state_dict(parts.state_dict())
    optimizer.load_state_dict(optimizers[1].state_dict())
    copied = copy.deepcopy(parts)
    steps(resumed, optimizer, 3, 6)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    x = torch.randn(8, 2, 6, 6)
    assert torch.equal(copied(x), parts(x))  # a copy draws what the original draws


def test_a_seed_says_what_is_drawn_and_global_randomness_is_left_alone() -> None:
    x, state = torch.randn(3, 2, 6, 6), torch.get_rng_state()
    one, same, other = (trainee(small_model(), seed=seed)(x) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(state, torch.get_rng_state())


def test_autocast_trains_in_bfloat16() -> None:
    net = trainee(small_model())
    x = torch.randn(8, 2, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        y = net(x)
    assert y.dtype is torch.bfloat16
    y.float().square().mean().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())
    plain = small_model()(x)
    assert (y.float() - plain).norm() < 0.5 * plain.norm()


def test_half_precision_weights_stay_so() -> None:
    net = trainee(small_model()).bfloat16()
    y = net(torch.randn(4, 2, 6, 6).bfloat16())
    y.float().sum().backward()
    assert y.dtype is torch.bfloat16
    assert all(p.grad.dtype is torch.bfloat16 for p in net.parameters())


def test_activation_checkpointing_is_refused() -> None:
    net = trainee(small_model())
    x = torch.randn(4, 2, 6, 6, requires_grad=True)
    y = torch.utils.checkpoint.checkpoint(net, x, use_reentrant=False)
    with pytest.raises(ValueError, match=r"0.* forward pass.*activation checkpointing"):
        y.sum().backward()


def test_what_records_a_pass_is_refused_and_plain_torch_is_named() -> None:
    net = trainee(small_model()).eval()
    x = torch.randn(4, 2, 6, 6)
    with pytest.raises(ValueError, match=r"recorded by torch\.export.*mho\.to_digital"):
        torch.export.export(net, (x,), strict=False)  # the default before torch 2.8: True
    with pytest.raises(ValueError, match=r"transformed by torch\.func"):
        torch.func.vmap(net)(x.unsqueeze(0))
    torch.export.export(mho.to_digital(net), (x,))


def test_weights_beyond_the_clip_come_back_and_go_no_further() -> None:
    linear = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[0.1, 5.0, -0.1, -5.0]]))
    net = trainee(linear, EXACT, clip=1.0)
    original = net.parametrizations.weight.original
    net(torch.tensor([[1.0, 1.0, 1.0, 1.0]])).sum().backward()  # descent lowers all
    assert original.grad.tolist() == [[1.0, 1.0, 1.0, 0.0]]


@pytest.mark.parametrize("per", ["layer", "column"])
def test_weights_of_zero_learn(per: str) -> None:
    linear = nn.Linear(6, 4)
    nn.init.zeros_(linear.weight)
    net = trainee(linear, NOISY.replace(full_scale_per=per))
    net(torch.randn(5, 6)).sum().backward()
    assert net.parametrizations.weight.original.grad.abs().sum() > 0


def test_tied_weights_stay_tied_and_digital_twins_share_them() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(9, 4), nn.Linear(4, 9, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.embed(x))

    net = trainee(Tied(), clip=None)
    assert net.head.parametrizations.weight.original is net.embed.weight
    plain = mho.to_digital(net)
    assert plain.head.weight is plain.embed.weight


def test_hardware_is_given_by_layer_as_for_convert() -> None:
    coarse = NOISY.replace(dac_bits=3)
    net = trainee(small_model(), {"4": None, "0": coarse, "*": NOISY})
    assert type(net[4]) is nn.Linear
    assert net[0].conversions.dac.converter.bits == 3
    with pytest.raises(ValueError, match=r"hardware = .*at least one layer on arrays"):
        trainee(small_model(), {"*": None})
    with pytest.raises(ValueError, match=r"hardware, key = 'five'"):
        trainee(small_model(), {"five": None, "*": NOISY})


def test_a_function_is_asked_of_layers_alone() -> None:
    seen: list[str] = []

    def by_size(name: str, layer: nn.Module) -> mho.Hardware | None:
        seen.append(name)
        return NOISY if layer.weight.numel() > 50 else None

    net = trainee(small_model(), by_size)
    assert seen == [name for name, m in small_model().named_modules() if hasattr(m, "weight")]
    assert any(hasattr(net.get_submodule(name), "conversions") for name in seen)


@each_layer
def test_each_matrix_of_a_layer_is_trained_for_its_own_chips(which: str) -> None:
    layer = made(which)[0]
    entries = list(dict.fromkeys(entry for _, entry in parts_of(layer).values()))[-1::-2]
    if not entries:
        return
    coarse = NOISY.replace(mapping="offset")
    model = nn.ModuleDict({"seq": layer})
    mixed = {f"seq.{entry}": coarse for entry in entries} | {"*": NOISY}
    net, one, two = (trainee(model, kind) for kind in (mixed, NOISY, coarse))
    weights = ArrayView(layer).weights
    assert {*entries} < {*weights}
    for path in weights:
        expected = two if path in entries else one
        mine, theirs = (
            getattr(*holder_of(each.get_submodule("seq"), path)) for each in (net, expected)
        )
        assert torch.equal(mine, theirs), path


def test_matrices_that_torch_has_in_one_parameter_are_trained_for_one_kind() -> None:
    model = nn.ModuleDict({"attn": nn.MultiheadAttention(8, 2)})
    coarse = NOISY.replace(dac_bits=3)
    with pytest.raises(ValueError, match=r"'attn.in_proj_weight'.*one kind for q_proj, k_proj, v"):
        trainee(model, {"attn.q_proj": coarse, "*": NOISY})
    trainee(model, {"attn.?_proj": coarse, "*": NOISY})
    lstm = nn.ModuleDict({"lstm": nn.LSTM(5, 6, 2, bidirectional=True)})
    with pytest.raises(ValueError, match=r"Hardware.dac_bits of lstm = \[3, 8\].*weight_ih_l0, we"):
        trainee(lstm, {"lstm.weight_ih_l0": coarse, "*": NOISY})
    net = trainee(lstm, {"lstm.weight_ih_l0*": coarse, "*": NOISY})
    assert net.lstm.conversions.dac.converter.bits == 3
    net = trainee(lstm, {"lstm.hh_l?": coarse, "*": NOISY})
    assert net.lstm.conversions.dac.converter.bits == 8


def test_weight_norm_stays_beneath() -> None:
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(6, 4)), nn.ReLU())
    net, x = trainee(model), torch.randn(5, 6)
    net(x).sum().backward()
    plain = mho.to_digital(net.eval())
    torch.testing.assert_close(plain(x), model(x))


# ---------------------------------------------------------------- onto chips


def test_trained_ranges_and_weights_go_onto_chips() -> None:
    net = trainee(small_model())
    steps(net, torch.optim.Adam(net.parameters(), 1e-2), 0, 5)
    chips = mho.convert(net, NOISY, 3)
    plain = mho.to_digital(net)
    for name, layer in memristive_layers(chips).items():
        trained, name = net.get_submodule(name.removeprefix("net.")), name.removeprefix("net.")
        assert torch.equal(layer.weight, plain.get_submodule(name).weight)
        edge = trained.parametrizations.weight[0].clipped(layer.weight).abs().max().item()
        assert layer.full_scale == pytest.approx(edge)
        dac, adc = layer.dac.ranges, layer.adc.ranges
        assert dac.tolist() == pytest.approx(trained.conversions.dac.ranges.tolist() * 3)
        assert adc.tolist() == pytest.approx(trained.conversions.adc.ranges.tolist() * 3)
    x = torch.randn(8, 2, 6, 6)
    before = [layer.dac.ranges for layer in memristive_layers(chips).values()]
    mho.calibrate(chips, 10 * x)
    after = [layer.dac.ranges for layer in memristive_layers(chips).values()]
    assert all(map(torch.equal, before, after))


@pytest.mark.parametrize("full_scale_per", ["layer", "column"])
@pytest.mark.parametrize("clip_per", ["layer", "column"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"adc_range": "column"}, {"dac_bits": None}, {"mapping": "single"}, {"adc_range": 0.4}],
    ids=str,
)
def test_a_perfect_chip_gives_what_eval_mode_gives(
    changes: dict[str, Any], clip_per: Literal["layer", "column"], full_scale_per: str
) -> None:
    changes = changes | {"full_scale_per": full_scale_per}
    perfect = NOISY.replace(device=CELL.replace(sigma=(0.0,), read_noise=0.0), **changes)
    net = trainee(small_model(), perfect, clip=1.5, clip_per=clip_per)
    steps(net, torch.optim.Adam(net.parameters(), 1e-2), 0, 5)
    x = torch.randn(8, 2, 6, 6)
    got, expected = mho.convert(net, perfect)(x), net.eval()(x)
    # but for what lies next to the middle between two codes, which rounding may take either way
    assert got.isclose(expected, rtol=1e-4, atol=1e-5).float().mean() >= 0.9
    torch.testing.assert_close(got, expected, rtol=0.0, atol=0.1 * expected.abs().max().item())


@pytest.mark.parametrize("mapping", ["differential", "offset", "single"])
@pytest.mark.parametrize("full_scale_per", ["layer", "column"])
def test_outputs_have_the_mean_and_the_spread_of_those_of_chips(
    mapping: str, full_scale_per: Literal["layer", "column"]
) -> None:
    """Of every read, programming and read noise together; no converters."""
    hardware = NOISY.replace(
        mapping=mapping, dac_bits=None, adc_bits=None, full_scale_per=full_scale_per
    )
    model, n = nn.Linear(12, 5), 2000
    with torch.no_grad():
        model.weight[2] *= 0.2
    x = torch.randn(1, 12)
    net = trainee(model, hardware, clip=None)
    with torch.no_grad():
        chips = mho.convert(model, hardware, n)(x).squeeze(1)
        trained = torch.cat([net(x) for _ in range(n)])
    error = 5 * ((chips.var(0) + trained.var(0)) / n).sqrt()
    assert ((chips.mean(0) - trained.mean(0)).abs() <= error).all()
    torch.testing.assert_close(trained.std(0), chips.std(0), rtol=0.1, atol=0.0)


# ---------------------------------------------------------------- what cannot be


def test_what_cannot_be_is_refused_and_named() -> None:
    model = small_model()
    cases = [
        (mho.convert(model, NOISY), NOISY, {}, "model = .*before mho.convert"),
        (trainee(model), NOISY, {}, "not noise-aware yet"),
        (nn.ReLU(), NOISY, {}, "model = a ReLU: .*at least one nn.Linear"),
        (model, NOISY.replace(full_scale=3.0), {}, "Hardware.full_scale = 3.0: .*clip="),
        (model, NOISY.replace(adc_bits=None), {"output_noise": 0.1}, "output_noise"),
        (nn.LazyLinear(3), NOISY, {}, "weight = 'not initialized'"),
        (prune.random_unstructured(nn.Linear(3, 2), "weight", 1), NOISY, {}, "prune.remove"),
    ]
    for bad, hardware, options, message in cases:
        with pytest.raises(ValueError, match=message):
            trainee(bad, hardware, **options)
    nan = small_model()
    nan[2].weight.data[0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"2\.weight = 'nan or inf'"):
        trainee(nan)
    assert not any(hasattr(m, "conversions") for m in nan.modules())


def test_eval_mode_before_any_training_says_what_is_missing() -> None:
    net = trainee(small_model()).eval()
    with pytest.raises(mho.errors.NotReady, match="0: the DAC has 8 bits and no range yet"):
        net(torch.randn(2, 2, 6, 6))


def test_distillation_and_training_improve_on_the_noise() -> None:
    """A whole little training: the loss that chips show falls."""
    torch.manual_seed(0)
    x = torch.randn(256, 10)
    teacher = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
    net = trainee(teacher, NOISY.replace(device=CELL.replace(sigma=(10e-6,))))
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)

    def loss() -> float:
        chips = mho.convert(net, NOISY.replace(device=CELL.replace(sigma=(10e-6,))), 20)
        mho.calibrate(chips, x)
        with torch.no_grad():
            return F.mse_loss(chips(x), teacher(x).expand(20, -1, -1)).item()

    net(x)
    before = loss()
    for _ in range(150):
        optimizer.zero_grad()
        mho.distillation_loss(net(x), teacher(x)).backward()
        optimizer.step()
    with torch.no_grad():
        agree = (net.eval()(x).argmax(1) == teacher(x).argmax(1)).float().mean()
    assert agree > 0.8
    assert before > 0


def is_composite(which: str) -> bool:
    twin = twin_of(made(which)[0])
    return twin is not None and issubclass(twin, Composite)


@pytest.mark.parametrize("which", [which for which in LAYERS if is_composite(which)])
def test_ranges_of_inputs_go_to_the_parts_that_read_them(which: str) -> None:
    layer, inputs = made(which)
    net = trainee(layer)
    first(net(*inputs)).square().sum().backward()
    trained = net.conversions.dac.ranges.item()
    chips = mho.convert(net, NOISY, 2)
    parts = memristive_layers(chips)
    read_inputs = {f"net.{part}" for part in chips.net.driven()}
    assert set() < read_inputs <= parts.keys()
    for name, part in parts.items():
        assert part.dac.fixed is (name in read_inputs)
        assert part.adc.ranges is None
        if part.dac.fixed:
            assert part.dac.ranges.tolist() == [pytest.approx(trained)] * 2
        else:
            assert part.dac.ranges is None


def test_other_ranges_of_a_recurrent_layer_are_calibrated() -> None:
    lstm = trainee(nn.LSTM(3, 4))
    x = torch.randn(5, 2, 3)
    lstm(x)[0].sum().backward()
    chip = mho.convert(lstm, NOISY)
    mho.calibrate(chip, x)
    assert chip.ih_l0.dac.ranges.item() == pytest.approx(x.abs().max().item())
    assert 0 < chip.hh_l0.dac.ranges.item() < 1
    y, expected = chip.eval()(x)[0], lstm.eval()(x)[0]
    assert (y - expected).norm() < 0.3 * expected.norm()
