"""Conversion gives a new network and touches nothing else."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.networks import only_layer
from mho import Hardware
from mho.cells import MultiLevel, Verify
from mho.learning.layers.layer import memristive_layers
from mho.nn import Chips, Levels, MemristiveConv2d, MemristiveLinear, Variation

IDEAL = MultiLevel(g_min=1e-6, g_max=1e-4, levels=4096)
REAL = MultiLevel(g_min=10e-6, g_max=90e-6, levels=9, sigma=(4e-6,), stuck_on=0.02)


def hardware(device: MultiLevel = REAL, **options: object) -> Hardware:
    return Hardware(**{"device": device, "tile": (16, 16), "programming": Verify()} | options)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)).relu()


class Net(nn.Module):
    """Nested, with batch normalization, dropout and a layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.block = Block()
        self.body = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 8), nn.ReLU())
        self.twice = nn.Linear(8, 8)
        self.again = self.twice

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(self.block(x))
        return self.again(self.twice(x).relu())


@pytest.fixture
def model(generator: torch.Generator) -> Net:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = Net()
        net(torch.randn(16, 2, 4, 4, generator=generator))  # running statistics of its own
    return net.eval()


@pytest.fixture
def batch(generator: torch.Generator) -> Tensor:
    return torch.randn(6, 2, 4, 4, generator=generator)


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_a_network_on_ideal_cells_computes_as_before(model: Net, batch: Tensor) -> None:
    net = mho.convert(model, hardware(IDEAL))
    torch.testing.assert_close(net(batch), model(batch), rtol=0, atol=2e-3)
    chips = mho.convert(model, hardware(IDEAL), 3)
    assert isinstance(chips, Chips)
    torch.testing.assert_close(chips(batch), model(batch).expand(3, -1, -1), rtol=0, atol=2e-3)


@pytest.mark.parametrize("training", [False, True])
def test_the_model_and_all_global_state_stay_untouched(
    model: Net, training: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    model.train(training)
    model.body[1].train(not training)
    before, modes = snapshot(model), [m.training for m in model.modules()]
    types = [type(m) for m in model.modules()]
    versions = [p._version for p in model.parameters()]
    state = (torch.get_rng_state(), torch.get_default_dtype(), torch.get_num_threads())
    grad = torch.is_grad_enabled()
    net = mho.convert(model, hardware(), 2, generator=torch.Generator())
    mho.to_digital(net)
    mho.to_digital(net, 1)
    assert torch.equal(torch.get_rng_state(), state[0])
    assert (torch.get_default_dtype(), torch.get_num_threads()) == state[1:]
    assert torch.is_grad_enabled() == grad
    assert capsys.readouterr() == ("", "")
    assert [type(m) for m in model.modules()] == types
    assert [m.training for m in model.modules()] == modes
    assert [m.training for m in net.net.body] == [m.training for m in model.body]
    assert net.net.twice.training == training
    after = snapshot(model)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert [p._version for p in model.parameters()] == versions
    with torch.no_grad():  # and nothing is shared
        for p in net.parameters():
            p.zero_()
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())


def test_layers_become_their_twins_and_the_rest_is_copied(model: Net) -> None:
    net = mho.convert(model, hardware())
    assert type(net) is Net
    assert type(net.block.conv) is MemristiveConv2d
    assert type(net.body[2]) is MemristiveLinear
    assert net.twice is net.again  # what was shared stays shared
    assert net.block.norm is not model.block.norm
    assert torch.equal(net.block.norm.running_var, model.block.norm.running_var)
    assert list(memristive_layers(net)) == ["block.conv", "body.2", "twice"]


def test_a_single_layer_is_a_network() -> None:
    plain = nn.Linear(4, 3)
    layer = mho.convert(plain, hardware())
    assert type(layer) is MemristiveLinear
    assert torch.equal(layer.weight, plain.weight)


def test_layers_without_hardware_stay_digital(model: Net) -> None:
    net = mho.convert(model, {"body.*": hardware(), "*": None})
    assert list(memristive_layers(net)) == ["body.2"]
    assert type(net.block.conv) is nn.Conv2d


def test_seeds_make_chips(model: Net, batch: Tensor) -> None:
    def outputs(seed: int, **options: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return mho.convert(model, hardware(), generator=generator, **options)(batch)

    ten = outputs(1, chips=10)
    assert torch.equal(ten, outputs(1, chips=10))
    assert not torch.equal(ten, outputs(2, chips=10))
    torch.testing.assert_close(ten[4:7], outputs(1, chips=3, first_chip=4), atol=1e-5, rtol=0)
    assert len({tuple(chip.flatten().tolist()) for chip in ten}) == 10
    torch.manual_seed(5)
    default = mho.convert(model, hardware())(batch)
    torch.manual_seed(5)
    assert torch.equal(default, mho.convert(model, hardware())(batch))


def test_equal_layers_get_chips_of_their_own() -> None:
    plain = nn.Linear(8, 8)
    net = mho.convert(nn.Sequential(plain, copy.deepcopy(plain)), hardware())
    assert torch.equal(net[0].weight, net[1].weight)
    assert not torch.equal(net[0].effective, net[1].effective)


def test_frozen_parameters_stay_frozen() -> None:
    plain = nn.Linear(4, 3)
    plain.weight.requires_grad_(False)
    plain.bias.requires_grad_(False)
    layer = mho.convert(plain, hardware())
    assert not layer.weight.requires_grad
    assert not layer.bias.requires_grad


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", ["linear", "conv"])
def test_binary_weights_come_out_exactly_two_valued(kind: str, training: bool) -> None:
    plain = nn.Linear(20, 9) if kind == "linear" else nn.Conv2d(3, 5, 3)
    hw = hardware(weight_levels=2)
    mho.nn.quantize(plain, Levels(2), Variation(hw))
    plain.train(training)
    net = mho.convert(plain, hw)
    plain.eval()
    size = plain.parametrizations.weight.original.detach().abs().mean().item()
    assert net.weight.unique().tolist() == pytest.approx([-size, size])
    assert net.target.unique().numel() == 2
    torch.testing.assert_close(net.target.view_as(plain.weight), plain.weight, rtol=1e-6, atol=0)
    assert net.weight.requires_grad
    assert plain.parametrizations.weight[1].step == 0  # no variation was drawn


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chips": 0}, "chips = 0: expected a whole number in"),
        ({"chips": -2}, "chips = -2: expected a whole number in"),
        ({"first_chip": -1}, "first_chip = -1: expected a whole number in"),
    ],
)
def test_impossible_conversions_are_refused(model: Net, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mho.convert(model, hardware(), **options)


def test_impossible_layers_are_refused() -> None:
    broken = nn.Linear(2, 2)
    nn.init.constant_(broken.weight, torch.nan)
    for model, message in (
        (nn.ReLU(), "model = a ReLU: expected"),
        (broken, "MemristiveLinear.weight = 'nan or inf': expected finite"),
        (nn.Sequential(nn.Sequential(broken)), "^0.0.weight = 'nan or inf': expected finite"),
    ):
        with pytest.raises(ValueError, match=message):
            mho.convert(model, hardware())


@pytest.mark.parametrize("chips", [None, 3])
def test_what_is_converted_is_not_converted_again(model: Net, chips: int | None) -> None:
    net = mho.convert(model, hardware(), chips)
    own = nn.Sequential(nn.Linear(3, 4), MemristiveLinear(4, 2, hardware=hardware()))
    for converted in (net, nn.Sequential(net, nn.Linear(8, 2)), own):
        kind = type(converted).__name__
        with pytest.raises(ValueError, match=f"model = a {kind}: expected a network that is not"):
            mho.convert(converted, hardware(), chips)
    assert len(memristive_layers(mho.convert(mho.to_digital(net), hardware(), chips))) == 3


# ------------------------------------------------------------------ and back


def test_the_shadow_comes_back_exactly(model: Net, batch: Tensor) -> None:
    for net in (mho.convert(model, hardware()), mho.convert(model, hardware(), 4)):
        plain = mho.to_digital(net)
        assert type(plain) is Net
        assert plain.state_dict().keys() == model.state_dict().keys()
        for name, value in model.state_dict().items():
            assert torch.equal(plain.state_dict()[name], value), name
        assert torch.equal(plain(batch), model(batch))
        assert plain.twice is plain.again
        assert [type(m) for m in plain.modules()] == [type(m) for m in model.modules()]


@pytest.mark.parametrize("tuned", [False, True])
def test_the_effective_weights_of_a_chip_compute_as_the_chip(
    model: Net, batch: Tensor, tuned: bool, generator: torch.Generator
) -> None:
    del model.again
    model.again = nn.Linear(8, 3, bias=False)
    net = mho.convert(model, hardware(), 3, generator=generator)
    if tuned:
        mho.tune(net, torch.randn(40, 2, 4, 4, generator=generator))
    y = net(batch)
    for k in range(3):
        plain = mho.to_digital(net, k)
        assert not memristive_layers_in(plain)
        torch.testing.assert_close(plain(batch), y[k], rtol=0, atol=1e-5)
    assert torch.equal(net(batch), y)


def memristive_layers_in(net: nn.Module) -> list[nn.Module]:
    return [m for m in net.modules() if isinstance(m, MemristiveLinear | MemristiveConv2d)]


@pytest.mark.parametrize("chip", [3, -1])
def test_a_chip_that_does_not_exist_is_refused(model: Net, chip: int) -> None:
    with pytest.raises(ValueError, match=f"chip = {chip}: expected None or 0 to 2"):
        mho.to_digital(mho.convert(model, hardware(), 3), chip)


# ------------------------------------------------------------------ names in errors


class Deep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4))
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


@pytest.mark.parametrize("name", ["features.0", "features.2", "head"])
@pytest.mark.parametrize("chips", [None, 3])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_weight_that_is_not_finite_is_named_with_its_layer(
    name: str, chips: int | None, bad: float
) -> None:
    message = rf"^{name}\.weight = 'nan or inf': expected finite numbers only$"
    broken = Deep()
    with torch.no_grad():
        broken.get_submodule(name).weight[0, 0] = bad
    with pytest.raises(ValueError, match=message):
        mho.convert(broken, hardware(), chips)
    for rules in ([], [mho.rules.IntervalRule(1.0)]):
        net = mho.convert(Deep(), hardware(), chips)
        step = mho.WriteStep(net, rules=rules)
        layer = next(x for x in memristive_layers(net).values() if x.name == name)
        with torch.no_grad():
            layer.weight[0, 0] = bad
        with pytest.raises(ValueError, match=message):
            step()
        with pytest.raises(ValueError, match=message):
            copy.deepcopy(layer).move_to(layer.crossbar)
    with pytest.raises(RuntimeError, match=rf"^{name}: the shadow weight moved"):
        net(torch.zeros(1, 3))


def test_layers_of_ones_own_get_their_name_from_the_write_step() -> None:
    own = nn.Sequential(nn.Flatten(), MemristiveLinear(4, 2, hardware=hardware()))
    step = mho.WriteStep(own)
    nn.init.constant_(own[1].weight, torch.nan)
    with pytest.raises(ValueError, match=r"^1\.weight = 'nan or inf'"):
        step()


@pytest.mark.parametrize("chips", [2.0, 3, None])
def test_whole_chips_are_taken(chips: float | None) -> None:
    shape = mho.convert(Deep(), hardware(), chips)(torch.zeros(5, 3)).shape  # type: ignore[arg-type]
    assert shape == ((5, 2) if chips is None else (int(chips), 5, 2))


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Linear(4, 2), (4,)),
        (lambda: nn.Conv2d(4, 2, 3), (4, 8, 8)),
        (lambda: nn.Conv2d(3, 2, 3), (3, 8, 8)),
    ],
)
def test_one_input_without_a_batch_is_taken_on_many_chips_too(
    make: Callable[[], nn.Module], shape: tuple
) -> None:
    model, x = make(), torch.zeros(shape)
    alone = mho.convert(model, hardware())
    assert alone(x).shape == model(x).shape
    assert mho.convert(model, hardware(), 3)(x).shape == (3, *model(x).shape)
    assert mho.convert(model, hardware(), 3)(x[None]).shape == (3, 1, *model(x).shape)


SPREAD = mho.Hardware(
    device=mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=9, device_spread=0.05)
)


@pytest.mark.parametrize(
    "make",
    [
        lambda: mho.convert(nn.Sequential(nn.Linear(60, 20)), SPREAD),
        lambda: mho.convert(nn.Sequential(nn.Conv2d(3, 20, 5)), SPREAD, 2),
        lambda: mho.nn.MemristiveLinear(60, 20, hardware=SPREAD),
        lambda: mho.nn.MemristiveConv2d(3, 20, 5, hardware=SPREAD, chips=2),
    ],
    ids=["linear", "conv", "linear alone", "conv alone"],
)
def test_chips_differ_unless_a_seed_is_given_twice(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(3)
    crossbars = [only_layer(make()).crossbar for _ in range(3)]
    torch.manual_seed(3)
    again = only_layer(make()).crossbar
    assert len({c.seed for c in crossbars}) == 3
    spread = torch.stack([c.get_buffer("trait_offset").flatten() for c in crossbars])
    others = torch.corrcoef(spread) - torch.eye(3)
    assert others.abs().max() < 5 / spread.shape[1] ** 0.5
    assert again.seed == crossbars[0].seed
    assert torch.equal(again.get_buffer("trait_offset").flatten(), spread[0])


@pytest.mark.parametrize("seed", [2**63, -(2**63) - 1, 2**64])
def test_a_seed_that_no_state_can_hold_is_refused(seed: int) -> None:
    def adopted(seed: int) -> MemristiveLinear:
        layer = MemristiveLinear(4, 3, hardware=SPREAD)
        layer._install(SPREAD, range(1), seed)
        return layer

    with pytest.raises(ValueError, match="seed"):
        adopted(seed)
    for good in (-(2**63), 2**63 - 1):
        layer = adopted(good)
        other = adopted(0)
        other.load_state_dict(layer.state_dict())
        assert other.crossbar.seed == good
