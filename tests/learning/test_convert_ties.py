"""Parameters that several layers share stay one, each layer with arrays of its own."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.as_torch import EXACT, converted
from mho.nn import memristive_layers

CELL = mho.Hardware(device=mho.MultiLevel(g_min=1e-6, g_max=1e-4, levels=17))


class Language(nn.Module):
    """An output layer that shares its weight with the embedding, and with a second one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.out, self.other = nn.Linear(8, 12, bias=False), nn.Linear(8, 12)
        self.lookup = nn.Embedding(12, 8)
        self.out.weight = self.other.weight = self.lookup.weight

    def forward(self, i: Tensor) -> Tensor:
        x = self.lookup(i)
        return self.out(x) + self.other(x)


class Attention(nn.Module):
    """Two attention layers with the same projections."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.MultiheadAttention(8, 2), nn.MultiheadAttention(8, 2)
        self.b.in_proj_weight = self.a.in_proj_weight
        self.b.out_proj.weight = self.a.out_proj.weight

    def forward(self, i: Tensor) -> Tensor:
        x = nn.functional.one_hot(i, 8).float().unsqueeze(1)
        return self.b(*[self.a(x, x, x)[0]] * 3)[0]


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.ConvTranspose1d(3, 3, 2), nn.ConvTranspose1d(3, 3, 2, stride=2)
        self.b.weight = self.a.weight

    def forward(self, i: Tensor) -> Tensor:
        return self.b(self.a(i.float().expand(1, 3, -1)))


SHARED: dict[str, tuple[Callable[[], nn.Module], tuple[tuple[str, ...], ...]]] = {
    "output layers and embedding": (
        Language, (("out.weight", "other.weight", "lookup.weight"),),
    ),
    "attention": (
        Attention,
        (("a.in_proj_weight", "b.in_proj_weight"), ("a.out_proj.weight", "b.out_proj.weight")),
    ),
    "transposed convolutions": (Convolutions, (("a.weight", "b.weight"),)),
}  # fmt: skip
INPUTS = torch.tensor([1, 4, 0, 7, 2])


def many(net: nn.Module) -> int:
    return len([*net.parameters()])


def train(net: nn.Module, step: mho.WriteStep, rounds: int = 3) -> None:
    optimizer = torch.optim.Adam(net.parameters(), 0.03)
    step.attach(optimizer)
    for _ in range(rounds):
        optimizer.zero_grad()
        (net(INPUTS) - 1).square().mean().backward()
        optimizer.step()
        step()


def check_shared(plain: nn.Module, groups: tuple[tuple[str, ...], ...]) -> None:
    for first, *others in groups:
        for other in others:
            assert plain.get_parameter(other) is plain.get_parameter(first)


@pytest.mark.parametrize("kind", SHARED)
def test_shared_parameters_stay_shared(kind: str) -> None:
    make, groups = SHARED[kind]
    model = make()
    net = converted(model)
    split = 3 if kind == "attention" else 0  # each becomes three parameters
    assert many(net) == many(model) + split * 2
    for each in (net, copy.deepcopy(net)):
        assert many(each) == many(net)
        check_shared(mho.to_digital(each), groups)
        assert many(mho.to_digital(each)) == many(model)
    mine, theirs = mho.to_digital(net).state_dict(), model.state_dict()
    assert all(torch.equal(mine[name], value) for name, value in theirs.items())
    torch.testing.assert_close(net(INPUTS), model(INPUTS), rtol=1e-2, atol=1e-2)
    seeds = {layer.crossbar.seed for layer in memristive_layers(net).values()}
    assert len(seeds) == len(memristive_layers(net)), "arrays of its own for each"
    mho.to_digital(net, chip=0)(INPUTS)


@pytest.mark.parametrize("kind", SHARED)
def test_shared_weights_are_trained_as_one_and_written_to_all(kind: str) -> None:
    make, groups = SHARED[kind]
    net = converted(make(), CELL)
    train(net, mho.WriteStep(net))
    check_shared(mho.to_digital(net), groups)
    for layer in memristive_layers(net).values():
        off = layer.target.view_as(layer.weight) - layer.weight.clamp(
            -layer.full_scale, layer.full_scale
        )
        assert off.abs().max() <= 0.501 * layer.step
    net(INPUTS)


@pytest.mark.parametrize("kind", SHARED)
def test_gradients_are_those_of_torch(kind: str) -> None:
    model = SHARED[kind][0]()
    net = converted(model)
    for each in (net, model):
        each(INPUTS).square().mean().backward()
    mine = [p.grad for p in net.parameters() if p.grad is not None]
    theirs = [p.grad for p in model.parameters() if p.grad is not None]
    a, b = (sum(g.square().sum().item() for g in each) for each in (mine, theirs))
    assert a == pytest.approx(b, rel=2e-2)


class Seen:
    """A rule that halves movements, and remembers them."""

    needs_gradient = False
    stored = ()

    def __init__(self) -> None:
        self.moved: list[tuple[str, Tensor]] = []

    def init(self, weight: Tensor) -> dict[str, Tensor]:
        return {}

    def apply(self, update: mho.learning.rules.rule.Update, state: dict[str, Tensor]) -> None:
        self.moved.append((update.layer, update.delta.clone()))
        update.delta.mul_(0.5)

    def consolidate(self, synapses: object, state: dict[str, Tensor]) -> None: ...


def test_rules_see_a_shared_weight_once() -> None:
    net, rule = converted(Language(), CELL), Seen()
    step = mho.WriteStep(net, rules=[rule])
    for _ in range(2):
        before = net.get_parameter("out.weight").detach().clone()
        with torch.no_grad():
            net.get_parameter("out.weight").add_(0.1)
        step()
        torch.testing.assert_close(net.get_parameter("out.weight").detach(), before + 0.05)
    assert [name for name, _ in rule.moved] == ["out", "out"]
    assert all(torch.allclose(delta, torch.tensor(0.1)) for _, delta in rule.moved)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("kind", SHARED)
def test_states_are_loaded_into_all(kind: str, plain: bool) -> None:
    make, groups = SHARED[kind]
    trained = converted(make(), CELL)
    train(trained, mho.WriteStep(trained))
    net = converted(make(), CELL)
    step = mho.WriteStep(net, rules=[Seen()])
    if plain:
        net.load_state_dict(mho.to_digital(trained).state_dict(), strict=False)
        mho.write(net)
    else:
        net.load_state_dict(trained.state_dict())
        assert torch.equal(net(INPUTS), trained(INPUTS)), "nothing is left to be written"
    net(INPUTS)
    assert many(net) == many(trained)
    check_shared(mho.to_digital(net), groups)
    assert step().weights == 0


def test_a_part_of_a_state_leaves_the_rest_to_be_written() -> None:
    net = converted(Language(), CELL)
    net.load_state_dict(net.state_dict())
    net.get_submodule("lookup").load_state_dict({"weight": torch.ones(12, 8)})
    with pytest.raises(RuntimeError, match=r"call mho.write\(net\)"):
        net(INPUTS)


def test_layouts_that_differ_are_refused() -> None:
    linear, attention = nn.Linear(8, 24), nn.MultiheadAttention(8, 2)
    linear.weight = attention.in_proj_weight
    for order in ([linear, attention], [attention, linear]):
        with pytest.raises(ValueError, match="in_proj_weight = 'shared with "):
            mho.convert(nn.ModuleList(order), EXACT)


def test_a_layer_in_several_places_is_one() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = self.b = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x))

    for net in (
        converted(Twice()),
        copy.deepcopy(converted(Twice())),
        mho.to_digital(converted(Twice())),
    ):
        assert net.a is net.b
