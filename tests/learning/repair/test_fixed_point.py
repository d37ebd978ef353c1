"""Networks whose digital parts compute in fixed point."""

import copy
import io
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from mho import Hardware
from mho.cells import MultiLevel
from mho.nn import ChipBatchNorm, ChipLinear, FixedPoint

DEVICE = MultiLevel(g_min=10e-6, g_max=90e-6, levels=9, sigma=(8e-6,))
HARDWARE = Hardware(device=DEVICE, tile=(16, 16), programming=mho.cells.OpenLoop())
CHIPS = 4


def clusters(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Inputs (n, 10) around five centres, and which it was."""
    centres = torch.randn(5, 10, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(5, (n,), generator=generator)
    return centres[labels] + 0.7 * torch.randn(n, 10, generator=generator), labels


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    """A classifier with batch normalization."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = nn.Sequential(
            nn.Linear(10, 16, bias=False), nn.BatchNorm1d(16), nn.Linear(16, 16), nn.ReLU(),
            nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 8, bias=False), nn.BatchNorm1d(8),
            nn.ReLU(), nn.Linear(8, 5),
        )  # fmt: skip
        x, y = clusters(600, 2)
        optimizer = torch.optim.Adam(net.parameters(), 5e-3)
        for _ in range(60):
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
    return net.eval()


def unrepaired(net: nn.Module, chips: int | None = CHIPS) -> nn.Module:
    """Arrays at 2 and 6."""
    generator = torch.Generator().manual_seed(3)
    kinds = {"2": HARDWARE, "6": HARDWARE, "*": None}
    return mho.convert(net, kinds, chips, generator=generator)


def on_chips(net: nn.Module, chips: int | None = CHIPS) -> nn.Module:
    """The same, repaired in every way there is."""
    made = unrepaired(net, chips)
    x, y = clusters(200, 4)
    mho.tune(made, x)
    mho.refresh_batchnorm(made, [x])
    mho.refit(made, x, y)
    return made


@pytest.fixture(scope="module")
def net(trained: nn.Module) -> nn.Module:
    return on_chips(trained)


INPUTS, LABELS = clusters(150, 5)


def loss(net: nn.Module) -> Tensor:
    """Cross-entropy of each chip."""
    with torch.no_grad():
        return torch.stack([F.cross_entropy(y, LABELS) for y in net(INPUTS)])


def accuracy(net: nn.Module) -> float:
    return mho.evaluate(net, [(INPUTS, LABELS)]).mean().item()


@pytest.mark.parametrize("chips", [None, 1, CHIPS])
def test_many_bits_give_the_network_back(trained: nn.Module, chips: int | None) -> None:
    net = on_chips(trained, chips)
    with torch.no_grad():
        y, fixed = net(INPUTS), mho.fixed_point(net, 24, INPUTS)(INPUTS)
    torch.testing.assert_close(fixed, y, rtol=0, atol=1e-4)
    assert not torch.equal(fixed, y)


def test_each_bit_less_costs_and_eight_nearly_suffice(net: nn.Module) -> None:
    with torch.no_grad():
        y = net(INPUTS)
        errors = [
            (mho.fixed_point(net, bits, INPUTS)(INPUTS) - y).square().mean().sqrt().item()
            for bits in (16, 12, 8, 4)
        ]
    assert errors == sorted(errors)
    assert errors[0] < 1e-2 * errors[2]
    assert accuracy(net) > 0.9
    assert accuracy(mho.fixed_point(net, 8, INPUTS)) > accuracy(net) - 0.02
    assert accuracy(mho.fixed_point(net, 2, INPUTS)) < accuracy(net) - 0.1


def test_a_digital_network_computes_as_integers_do(trained: nn.Module) -> None:
    """The same by hand: products and sums of integers, shifted and rounded once a part."""
    plain = nn.Sequential(trained[0], trained[1], nn.ReLU(), nn.Linear(16, 3))
    net = mho.fixed_point(plain, 8, INPUTS)
    assert isinstance(net[0], ChipLinear)
    assert isinstance(net[1], ChipBatchNorm)
    points = {name: tuple(map(int, q[1:].split("."))) for name, q in mho.formats(net).items()}

    def code(name: str, x: Tensor) -> Tensor:
        return (x.double() * 2.0 ** points[name][1]).round().clamp(-128, 127)

    def value(name: str, k: Tensor) -> Tensor:
        return k * 2.0 ** -points[name][1]

    x = INPUTS.double()
    h = value(
        "0.output", code("0.output", x @ value("0.weight", code("0.weight", plain[0].weight)).T)
    )
    norm = plain[1]
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * scale
    h = h * value("1.scale", code("1.scale", scale)) + value("1.shift", code("1.shift", shift))
    h = value("1.output", code("1.output", h)).relu()
    w, b = (value(f"3.{k}", code(f"3.{k}", getattr(plain[3], k))) for k in ("weight", "bias"))
    y = value("3.output", code("3.output", h @ w.T + b))
    with torch.no_grad():
        got = net(INPUTS).double()
    step = 2.0 ** -points["3.output"][1]
    assert torch.equal((got / step).round() * step, got)
    same = (got - y).abs() == 0  # float32 sums may fall on the other side of a tie
    assert same.double().mean() > 0.98
    assert (got - y).abs().max() <= 4 * step


def test_formats_follow_constants_and_what_the_inputs_give() -> None:
    plain = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, eps=0.0))
    with torch.no_grad():
        plain[0].weight.copy_(torch.tensor([[0.7, 0.1], [-0.2, 0.3]]))
        plain[0].bias.copy_(torch.tensor([0.0, -5.0]))
        plain[1].running_mean.copy_(torch.tensor([0.0, -5.0]))
        plain[1].running_var.copy_(torch.tensor([0.25, 100.0]))
    x = torch.tensor([[1.0, 0.0], [20.0, 20.0], [0.0, -1.0]])
    net = mho.fixed_point(plain.eval(), 8, x)
    assert mho.formats(net) == {
        "0.weight": "Q0.7",  # 0.7
        "0.bias": "Q3.4",  # -5
        "0.output": "Q5.2",  # 16, beyond 15.875
        "1.scale": "Q2.5",  # 1 / 0.5
        "1.shift": "Q0.7",  # 5 / 10
        "1.output": "Q6.1",  # 32
    }
    less = mho.fixed_point(plain, 12, x[:1])
    assert mho.formats(less)["0.weight"] == "Q0.11"
    assert mho.formats(less)["0.output"] == "Q3.8"


def test_every_digital_number_has_a_format(net: nn.Module) -> None:
    found = mho.formats(mho.fixed_point(net, 8, INPUTS))
    wanted = {
        "0": ["weight"], "1": ["scale", "shift"], "2": ["gain", "offset", "bias"],
        "4": ["weight", "bias"], "6": ["gain", "offset"], "7": ["scale", "shift"],
        "9": ["weight", "bias"],
    }  # fmt: skip
    assert list(found) == [
        f"net.{layer}.{name}" for layer, names in wanted.items() for name in [*names, "output"]
    ]
    for q in found.values():
        m, n = map(int, q[1:].split("."))
        assert 1 + m + n == 8


def test_outputs_of_all_parts_lie_on_their_grids(net: nn.Module) -> None:
    fixed = mho.fixed_point(net, 6, INPUTS[:50])
    found, seen = mho.formats(fixed), {}
    for name, module in fixed.named_modules():
        if f"{name}.output" in found:
            module.register_forward_hook(lambda _, __, y, name=name: seen.update({name: y}))
    with torch.no_grad():
        fixed(10 * INPUTS)  # far beyond what it was calibrated for
    assert len(seen) == 7
    for name, y in seen.items():
        n = int(found[f"{name}.output"].split(".")[1])
        codes = y * 2.0**n
        assert torch.equal(codes.round(), codes)
        assert codes.min() >= -32
        assert codes.max() <= 31
    for name in ("gain", "offset", "bias"):
        kept = getattr(fixed.net[2], name)
        codes = kept * 2.0 ** int(found[f"net.2.{name}"].split(".")[1])
        assert torch.equal(codes.round(), codes)


@pytest.mark.parametrize("training", [False, True])
def test_the_network_given_stays_untouched(net: nn.Module, training: bool) -> None:
    given = copy.deepcopy(net).train(training)
    given.net[1].eval()
    types, modes = [type(m) for m in given.modules()], [m.training for m in given.modules()]
    before = {k: v.clone() for k, v in given.state_dict().items()}
    randomness = torch.get_rng_state()
    fixed = mho.fixed_point(given, 8, INPUTS)
    assert [type(m) for m in given.modules()] == types
    assert [m.training for m in given.modules()] == modes
    assert torch.equal(torch.get_rng_state(), randomness)
    assert [fixed.net[k].training for k in range(10)] == [given.net[k].training for k in range(10)]
    with torch.no_grad():
        for tensor in [*fixed.parameters(), *fixed.buffers()]:
            tensor.zero_()
    after = given.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.allclose(v, after[k], 0, 0, equal_nan=True) for k, v in before.items())
    totals, mine = mho.ledger(fixed).totals(), mho.ledger(given).totals()
    assert totals["vectors"] > mine["vectors"]


def test_it_is_calibrated_alike_however_often(net: nn.Module) -> None:
    one, two = mho.fixed_point(net, 8, INPUTS), mho.fixed_point(net, 8, INPUTS)
    with torch.no_grad():
        assert torch.equal(one(INPUTS), two(INPUTS))
    again = mho.fixed_point(one, 12, INPUTS)
    assert (
        mho.formats(again)["net.4.weight"]
        == mho.formats(mho.fixed_point(net, 12, INPUTS))["net.4.weight"]
    )
    assert [again.net[k].arithmetic is not None for k in (2, 6)] == [True, True]
    assert not any(m._forward_hooks for m in again.net)


def test_state_and_copies_carry_the_formats(net: nn.Module) -> None:
    fixed, other = mho.fixed_point(net, 8, INPUTS), mho.fixed_point(net, 6, INPUTS / 20)
    with torch.no_grad():
        y = fixed(INPUTS)
        assert not torch.equal(other(INPUTS), y)
        stored = io.BytesIO()
        torch.save(fixed.state_dict(), stored)
        stored.seek(0)
        other.load_state_dict(torch.load(stored))
        assert mho.formats(other) == mho.formats(fixed)
        assert torch.equal(other(INPUTS), y)
        twin = copy.deepcopy(fixed)
        fixed.net[4].weight.zero_()
        assert torch.equal(twin(INPUTS), y)


@pytest.mark.parametrize("chips", [None, CHIPS])
def test_batch_normalization_is_refreshed_in_fixed_point(
    trained: nn.Module, chips: int | None
) -> None:
    """Before or after is the same up to rounding; until calibrated anew, results may saturate."""
    one = unrepaired(trained, chips)
    other = mho.fixed_point(one, 22, INPUTS)
    norm, prefix = other.get_submodule("net.7" if chips else "7"), "net." if chips else ""
    assert norm.chips == 1
    stale, before = norm.variance.clone(), mho.formats(other)
    mho.refresh_batchnorm(one, [INPUTS])
    mho.refresh_batchnorm(other, [INPUTS])
    assert norm.chips == (chips or 1)
    assert not torch.allclose(norm.variance, stale.expand_as(norm.variance), rtol=1e-2)
    after = mho.formats(other)
    assert {name for name in before if after[name] != before[name]} <= {
        f"{prefix}{k}.{name}" for k in (1, 7) for name in ("scale", "shift")
    }
    with torch.no_grad():
        # torch's running variance is the unbiased one.
        tolerance = 1e-3 if chips else 5e-2
        near = (other(INPUTS) - one(INPUTS)).abs() < tolerance
        assert near.double().mean() > 0.99
        anew = mho.fixed_point(other, 22, INPUTS)
        torch.testing.assert_close(anew(INPUTS), one(INPUTS), rtol=0, atol=tolerance)


def test_the_classifier_is_refitted_in_fixed_point(trained: nn.Module) -> None:
    fixed = mho.fixed_point(unrepaired(trained), 10, INPUTS)
    head, before, present = fixed.net[9], mho.formats(fixed), loss(fixed)
    assert head.chips == 1
    mho.refit(fixed, INPUTS, LABELS)
    assert fixed.net[9] is head
    assert head.chips == CHIPS
    assert mho.formats(fixed)["net.9.output"] == before["net.9.output"]
    assert (loss(fixed) < present).all()


def test_gradients_pass_through_all_parts(net: nn.Module) -> None:
    fixed = mho.fixed_point(net, 8, INPUTS).train()
    F.cross_entropy(fixed(INPUTS).flatten(0, 1), LABELS.repeat(CHIPS)).backward()
    for k in (0, 2, 4, 6, 9):
        assert fixed.net[k].weight.grad.abs().max() > 0
    assert fixed.net[1].weight.grad.abs().max() > 0


def test_an_untuned_readout_without_bias_computes_nothing(trained: nn.Module) -> None:
    names = list(mho.formats(mho.fixed_point(unrepaired(trained), 8, INPUTS)))
    assert "net.2.bias" in names
    assert "net.2.output" in names
    assert not [name for name in names if "gain" in name or "net.6" in name]


class Unused(nn.Module):
    """One of its parts is never run, one is run twice and goes by two names."""

    def __init__(self, extra: nn.Module | None = None) -> None:
        super().__init__()
        self.twice = nn.Linear(4, 4)
        self.again = self.twice
        self.extra = extra

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.twice(x).relu() * 8)


def test_a_shared_part_stays_shared_and_has_one_format(generator: torch.Generator) -> None:
    x, plain = torch.randn(30, 4, generator=generator), Unused()
    net = mho.fixed_point(plain, 8, x)
    assert net.twice is net.again
    with torch.no_grad():
        first = plain.twice(x)
        second = plain.again(first.relu() * 8)
    largest = torch.stack([first.abs().max(), second.abs().max()])
    assert mho.formats(net)["twice.output"] == str(FixedPoint(8).format(largest))


def test_a_parametrized_layer_is_taken_as_it_is_in_eval_mode() -> None:
    layer = mho.nn.quantize(nn.Linear(4, 4), mho.nn.StochasticSign())
    net = mho.fixed_point(nn.Sequential(layer), 16, torch.ones(2, 4))
    assert layer.parametrizations.weight[0].step == 0
    layer.eval()
    torch.testing.assert_close(net[0].weight[0], layer.weight, rtol=0, atol=1e-4)


def test_a_fixed_point_network_has_no_plain_one(net: nn.Module) -> None:
    with pytest.raises(ValueError, match="net = 'in fixed point': expected the network that mho"):
        mho.to_digital(mho.fixed_point(net, 8, INPUTS), 1)


@pytest.mark.parametrize(
    ("net", "bits", "inputs", "message"),
    [
        (nn.Sequential(nn.Linear(4, 2)), 1, torch.ones(2, 4), r"FixedPoint\.bits = 1"),
        (nn.Linear(4, 2), 8, torch.ones(0, 4), r"fixed_point\.inputs = 'an empty batch'"),
        (nn.Linear(4, 2), 8, torch.full((2, 4), math.nan), "'nan or inf'"),
        (nn.ReLU(), 8, torch.ones(2, 4), "net = a ReLU: expected a network with digital parts"),
        (
            nn.Sequential(nn.Conv2d(1, 1, 1)), 8, torch.ones(2, 1, 2, 2),
            "net = \"Conv2d '0'\": expected networks whose digital parts are nn.Linear",
        ),
        (
            nn.BatchNorm1d(4, track_running_stats=False), 8, torch.ones(2, 4),
            "net = a BatchNorm1d: expected batch normalization with running statistics",
        ),
        (
            Unused(nn.Linear(4, 4)), 8, torch.ones(2, 4),
            r"fixed_point\.inputs = \"none that reach 'extra'\"",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(
    net: nn.Module, bits: int, inputs: Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        mho.fixed_point(net, bits, inputs)


def test_only_fixed_point_networks_have_formats(net: nn.Module) -> None:
    with pytest.raises(ValueError, match="net = a Chips: expected a network in fixed point"):
        mho.formats(net)
    single = mho.fixed_point(nn.Linear(4, 2), 8, torch.ones(2, 4))
    assert set(mho.formats(single)) == {"weight", "bias", "output"}
