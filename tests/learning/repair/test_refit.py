"""Refitting the digital classifier: convex, each chip its own, no cell is written."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from builders.cells import FIVE_LEVELS
from mho import Hardware
from mho.nn import ChipLinear

DEVICE = FIVE_LEVELS.replace(sigma=(12e-6,))
HARDWARE = Hardware(device=DEVICE, tile=(16, 16), programming=mho.cells.OpenLoop())
CHIPS = 6


def model(bias: bool = True) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.Flatten(),
            nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 5, bias=bias),
        )  # fmt: skip
        net[7].weight.data.mul_(6.0)  # answers that are not all alike
        net(torch.randn(50, 2, 6, 6))
    return net.eval()


def on_chips(net: nn.Module, chips: int | None = CHIPS, first_chip: int = 0) -> nn.Module:
    return mho.convert(
        net, {"7": None, "*": HARDWARE}, chips, first_chip=first_chip,
        generator=torch.Generator().manual_seed(2),
    )  # fmt: skip


@pytest.fixture
def inputs(generator: torch.Generator) -> Tensor:
    return torch.randn(130, 2, 6, 6, generator=generator)


@pytest.fixture
def targets(inputs: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        probabilities = model()(inputs).softmax(1)
    return {"labels": probabilities.argmax(1), "probabilities": probabilities}


every_target = pytest.mark.parametrize("kind", ["labels", "probabilities"])


def losses(net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    with torch.no_grad():
        y = net(inputs)
    return torch.stack([F.cross_entropy(chip, targets) for chip in y.view(-1, *y.shape[-2:])])


@every_target
@pytest.mark.parametrize("pull", [0.0, 1e-3, 0.1])
def test_every_chip_gets_better(
    inputs: Tensor, targets: dict[str, Tensor], kind: str, pull: float
) -> None:
    net = on_chips(model())
    before = losses(net, inputs, targets[kind])
    mho.refit(net, inputs, targets[kind], pull=pull)
    after = losses(net, inputs, targets[kind])
    assert (after < before).all()
    head = net.net[7]
    assert isinstance(head, ChipLinear)
    assert head.weight.shape == (CHIPS, 5, 12)
    assert head.bias.shape == (CHIPS, 5)


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_no_chip_gets_worse_however_few_the_steps(
    inputs: Tensor, targets: dict[str, Tensor], steps: int
) -> None:
    net = on_chips(model())
    net.net[7].weight.data.mul_(4.0)
    before = losses(net, inputs, targets["labels"])
    mho.refit(net, inputs, targets["labels"], steps=steps)
    assert (losses(net, inputs, targets["labels"]) <= before * (1 + 1e-6)).all()


@every_target
@pytest.mark.parametrize("bias", [True, False])
def test_the_objective_is_flat_at_the_solution(
    inputs: Tensor, targets: dict[str, Tensor], kind: str, bias: bool
) -> None:
    """Its gradient is zero, so that it has its minimum there: it is convex."""
    net, pull = on_chips(model(bias).double()), 0.02
    start = [p.detach().clone() for p in net.net[7].parameters()]
    goal = targets[kind]
    x = inputs.double()
    mho.refit(net, x, goal, pull=pull)
    head = net.net[7]
    assert (head.bias is not None) == bias
    y = net(x)
    wanted = goal if kind == "labels" else goal.double()
    for k in range(CHIPS):
        loss = F.cross_entropy(y[k], wanted)
        for parameter, before in zip(head.parameters(), start, strict=True):
            loss = loss + pull / 2 * (parameter[k] - before).square().sum()
        gradients = torch.autograd.grad(loss, list(head.parameters()), retain_graph=True)
        assert all(g.abs().max() < 2e-8 for g in gradients)


def test_a_chip_is_fitted_as_if_alone(inputs: Tensor, targets: dict[str, Tensor]) -> None:
    net, alone, single = (
        on_chips(model()), on_chips(model(), 1, first_chip=3), on_chips(model(), None, first_chip=3)
    )  # fmt: skip
    for network in (net, alone, single):
        mho.refit(network, inputs, targets["labels"])
    weight = net.net[7].weight
    torch.testing.assert_close(weight[3], alone.net[7].weight[0], rtol=0, atol=2e-5)
    torch.testing.assert_close(weight[3], single[7].weight[0], rtol=0, atol=2e-5)
    assert (weight[3] - weight[2]).abs().max() > 0.05
    y = net(inputs)[3]
    torch.testing.assert_close(single(inputs), y, rtol=0, atol=2e-4)


def test_a_strong_pull_leaves_the_weights(inputs: Tensor, targets: dict[str, Tensor]) -> None:
    plain = model()
    distances = []
    for pull in (0.0, 1e-3, 0.1, 10.0, 1e6):
        net = on_chips(plain)
        mho.refit(net, inputs, targets["labels"], pull=pull)
        distances.append((net.net[7].weight - plain[7].weight).norm().item())
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 1.0
    assert distances[-1] < 1e-5


def test_nothing_else_changes(inputs: Tensor, targets: dict[str, Tensor]) -> None:
    net = on_chips(model())
    net.train()
    net.net[1].eval()
    modes = [m.training for m in net.modules()]
    before = {k: v.clone() for k, v in net.state_dict().items() if "_extra_state" not in k}
    totals = mho.ledger(net).totals()
    randomness = torch.get_rng_state()
    mho.refit(net, inputs, targets["labels"])
    assert [m.training for m in net.modules()] == modes
    assert torch.equal(torch.get_rng_state(), randomness)
    after, counted = net.state_dict(), mho.ledger(net).totals()
    for name in ("writes", "set_pulses", "reset_pulses", "verify_reads"):
        assert counted[name] == totals[name]
    for name, value in before.items():
        assert torch.equal(value, after[name]) != name.startswith("net.7."), name


def test_it_repeats_exactly_and_follows_no_grad_mode(
    inputs: Tensor, targets: dict[str, Tensor]
) -> None:
    one, two = on_chips(model()), on_chips(model())
    mho.refit(one, inputs, targets["labels"])
    with torch.no_grad():
        mho.refit(two, inputs, targets["labels"])
    assert torch.equal(one.net[7].weight, two.net[7].weight)
    assert torch.equal(one.net[7].bias, two.net[7].bias)
    assert one.net[7].weight.requires_grad


def test_refitting_again_starts_from_the_present_weights(
    inputs: Tensor, targets: dict[str, Tensor]
) -> None:
    """The pull then is towards them, so that the loss falls further."""
    net = on_chips(model())
    mho.refit(net, inputs, targets["labels"], pull=0.1)
    head, first = net.net[7], losses(net, inputs, targets["labels"])
    weight = head.weight.detach().clone()
    mho.refit(net, inputs, targets["labels"], pull=0.1)
    assert net.net[7] is head
    assert (losses(net, inputs, targets["labels"]) < first).all()
    mho.refit(net, inputs, targets["labels"], pull=1e6)
    assert (head.weight - weight).norm() > 0.1


def test_probabilities_of_the_digital_network_need_no_label(
    inputs: Tensor, generator: torch.Generator
) -> None:
    """Distillation brings the answers to unseen inputs closer to those of the digital network."""
    plain, net = model(), on_chips(model())
    unseen = torch.randn(100, 2, 6, 6, generator=generator)
    with torch.no_grad():
        goal, wanted = plain(inputs).softmax(1), plain(unseen).softmax(1)
    before = losses(net, unseen, wanted)
    mho.refit(net, inputs, goal, pull=0.01)
    assert (losses(net, unseen, wanted) < before).all()


def test_a_network_without_chips_is_refitted_too(
    inputs: Tensor, targets: dict[str, Tensor]
) -> None:
    net = model()
    before = losses(net, inputs, targets["labels"])
    mho.refit(net, inputs, targets["labels"])
    assert losses(net, inputs, targets["labels"]) < before
    assert net[7].weight.shape == (1, 5, 12)


def test_a_parametrized_classifier_is_taken_as_it_is_in_eval_mode(
    inputs: Tensor, targets: dict[str, Tensor]
) -> None:
    plain = model()
    mho.nn.quantize(plain[7], mho.nn.Levels(5))
    weight = plain[7].weight.detach().clone()
    net = on_chips(plain)
    mho.refit(net, inputs, targets["labels"], pull=1e6)
    torch.testing.assert_close(net.net[7].weight[4], weight, rtol=0, atol=1e-5)


def test_state_and_copies_carry_the_weights(inputs: Tensor, targets: dict[str, Tensor]) -> None:
    net, other = on_chips(model()), on_chips(model())
    mho.refit(net, inputs, targets["labels"])
    mho.refit(other, inputs[:20], targets["probabilities"][:20], pull=1.0)
    y = net(inputs)
    assert not torch.equal(other(inputs), y)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(inputs), y)
    twin = copy.deepcopy(net)
    with torch.no_grad():
        net.net[7].weight.zero_()
    assert torch.equal(twin(inputs), y)
    assert twin.to(torch.float64).net[7].weight.dtype == torch.float64


def test_the_plain_network_of_a_chip_has_its_weights(
    inputs: Tensor, targets: dict[str, Tensor]
) -> None:
    plain, net = model(), on_chips(model())
    mho.refit(net, inputs, targets["labels"])
    y = net(inputs)
    for k in range(CHIPS):
        digital = mho.to_digital(net, k)
        assert [type(m) for m in digital.modules()] == [type(m) for m in plain.modules()]
        assert digital.state_dict().keys() == plain.state_dict().keys()
        torch.testing.assert_close(digital(inputs), y[k], rtol=0, atol=2e-4)
    digital[7].weight.data.zero_()
    assert torch.equal(net(inputs), y)
    with pytest.raises(ValueError, match="chip = None: expected a number: a refitted layer"):
        mho.to_digital(net)


class Shared(nn.Module):
    """Its classifier goes by two names."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(8, 6), nn.Linear(6, 3)
        self.same = self.head

    def forward(self, x: Tensor) -> Tensor:
        return self.same(self.body(x).relu())


def test_a_shared_layer_stays_shared(generator: torch.Generator) -> None:
    net = mho.convert(Shared(), {"body": HARDWARE, "*": None}, 2)
    x, y = torch.randn(40, 8, generator=generator), torch.arange(40) % 3
    before = losses(net, x, y)
    mho.refit(net, x, y)
    assert net.net.head is net.net.same
    assert (losses(net, x, y) < before).all()


# ------------------------------------------------------------------ the layer


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("middle", [(), (3,)])
def test_a_chip_linear_is_as_many_linear_layers(
    bias: bool, middle: tuple[int, ...], generator: torch.Generator
) -> None:
    layer = ChipLinear(nn.Linear(4, 2, bias=bias), 3)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    x = torch.randn(3, 5, *middle, 4, generator=generator)
    y = layer(x.flatten(0, 1)).unflatten(0, (3, 5))
    for k in range(3):
        torch.testing.assert_close(y[k], layer.of_chip(k)(x[k]))
    with pytest.raises(ValueError, match="input rows = 4: expected a multiple of the 3 chips"):
        layer(torch.zeros(4, 4))


def test_a_chip_linear_of_one_chip_serves_many(generator: torch.Generator) -> None:
    plain = nn.Linear(4, 2)
    layer = ChipLinear(plain, 1)
    x = torch.randn(15, 4, generator=generator)
    y = layer(x)
    assert torch.equal(y, plain(x))
    layer.spread(3)
    assert layer.weight.shape == (3, 2, 4)
    torch.testing.assert_close(layer(x), y)
    assert "in_features=4, out_features=2, bias=True, chips=3" in repr(layer)
    with pytest.raises(ValueError, match=r"ChipLinear\.chips = 0: expected at least 1"):
        ChipLinear(plain, 0)


# ------------------------------------------------------------------ refusals


LABELS = torch.zeros(10, dtype=torch.int64)
EVEN = torch.full((10, 5), 0.2)


def with_entry(tensor: Tensor, value: float) -> Tensor:
    changed = tensor.clone()
    changed.view(-1)[0] = value
    return changed


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (LABELS[:9], r"targets = 'torch\.int64 \(9,\)': expected int64 labels \(10,\) or class"),
        (LABELS.int(), r"targets = 'torch\.int32 \(10,\)': expected int64 labels"),
        (LABELS.float(), r"targets = 'torch\.float32 \(10,\)'"),
        (EVEN[:, :4], r"targets = 'torch\.float32 \(10, 4\)'.* probabilities \(10, 5\)"),
        (EVEN.long(), r"targets = 'torch\.int64 \(10, 5\)'"),
        (torch.tensor(1), r"targets = 'torch\.int64 \(\)'"),
        (with_entry(LABELS, 5), r"targets label = 5: expected 0 to 4"),
        (with_entry(LABELS, -1), r"targets label = -1: expected 0 to 4"),
        (with_entry(EVEN, math.nan), r"targets = 'nan or inf': expected finite"),
        (1.01 * EVEN, r"sum to 1"),
        (with_entry(EVEN, 0.3), r"targets sum = 1\.1\d*: expected probabilities that sum to 1"),
        (with_entry(EVEN, -0.1), r"targets = -0\.1\d*: expected probabilities of at least 0"),
    ],
)
def test_unusable_targets_are_refused(
    targets: Tensor, message: str, generator: torch.Generator
) -> None:
    x = torch.randn(10, 2, 6, 6, generator=generator)
    with pytest.raises(ValueError, match=message):
        mho.refit(on_chips(model()), x, targets)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pull": -0.1}, r"refit\.pull = -0\.1: expected at least 0"),
        ({"pull": math.nan}, r"pull = nan: expected a finite number"),
        ({"pull": math.inf}, r"pull = inf: expected a finite number"),
        ({"steps": 0}, r"refit\.steps = 0: expected at least 1"),
        ({"inputs": torch.zeros(0, 2, 6, 6)}, r"refit\.inputs = 'an empty batch'"),
        ({"inputs": torch.full((10, 2, 6, 6), math.nan)}, r"refit\.inputs = 'nan or inf'"),
    ],
)
def test_unusable_settings_are_refused(options: dict[str, object], message: str) -> None:
    given = {"inputs": torch.zeros(10, 2, 6, 6), "targets": LABELS} | options
    net = on_chips(model())
    with pytest.raises(ValueError, match=message):
        mho.refit(net, **given)
    assert type(net.net[7]) is nn.Linear


def test_a_network_must_end_in_a_digital_linear_layer() -> None:
    x, y = torch.ones(10, 4), LABELS
    body = nn.Linear(4, 5)
    for net, found in (
        (mho.convert(nn.Sequential(body), HARDWARE, 2), "Chips"),
        (mho.convert(nn.Sequential(body), HARDWARE), "Sequential"),
        (nn.Linear(4, 5), "Linear"),
    ):
        with pytest.raises(ValueError, match=f"net = a {found}: .* contains a digital nn.Linear"):
            mho.refit(net, x, y)
    head = nn.Linear(5, 5)
    array = mho.convert(nn.Linear(5, 5), HARDWARE)
    for net in (
        nn.Sequential(body, head, nn.ReLU(), nn.Softmax(1)),
        nn.Sequential(body, nn.ReLU(), array),
        nn.Sequential(body, head, nn.ReLU(), head),
    ):
        with pytest.raises(ValueError, match="output is that of its last digital"):
            mho.refit(net, x, y)
