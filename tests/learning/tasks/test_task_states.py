"""State of each task: kept, used and put back; gates that leave weights free."""

import io

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import mho
from mho import Hardware
from mho.cells import MultiLevel
from mho.nn import ChipBatchNorm, Gate
from mho.tasks import TaskStates

HARDWARE = Hardware(
    device=MultiLevel(g_min=10e-6, g_max=90e-6, levels=5, sigma=(6e-6,)), tile=(16, 16)
)
NORMS = ("1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked")


def seed(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@pytest.fixture
def model() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), Gate(8), nn.Hardtanh(),
            nn.Linear(8, 3), nn.BatchNorm1d(3, affine=False),
        )  # fmt: skip


@pytest.fixture
def x(generator: torch.Generator) -> Tensor:
    return torch.randn(40, 6, generator=generator)


def learn(net: nn.Module, states: TaskStates, task: str, x: Tensor) -> Tensor:
    """Move everything that a task has; returns the outputs with it."""
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm1d | ChipBatchNorm) and module.weight is not None:
                module.weight.add_(torch.rand(8, generator=seed(len(task))))
                module.bias.sub_(0.2)
    net.train()
    net(x * len(task))
    mho.refresh_batchnorm(net, [x * len(task)])
    states.keep(task)
    return net.eval()(x)


def tensors(net: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers; events that were counted are not among them."""
    return {**dict(net.named_parameters()), **dict(net.named_buffers())}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@given(st.integers(1, 40), st.floats(0, 1, exclude_min=True), st.integers(0, 2**40))
def test_a_gate_opens_its_share(features: int, share: float, number: int) -> None:
    gate = Gate(features)
    gate.draw(share, seed(number))
    assert gate.open.sum() == max(1, round(share * features))
    assert set(gate.open.tolist()) <= {0.0, 1.0}
    first = gate.open.clone()
    gate.draw(share, seed(number))
    assert torch.equal(gate.open, first)


def test_every_unit_is_opened_alike() -> None:
    gate, generator, seen = Gate(10), seed(0), torch.zeros(10)
    for _ in range(1000):
        gate.draw(0.3, generator)
        seen += gate.open
    assert seen.sum() == 3000
    assert (seen - 300).abs().max() < 75  # five deviations


@pytest.mark.parametrize("size", [(), (4, 5)])
def test_a_gate_works_on_units_and_on_channels(size: tuple[int, ...]) -> None:
    gate = Gate(6)
    x = torch.rand(3, 6, *size)
    assert torch.equal(gate(x), x)
    gate.draw(0.5, seed(0))
    y = gate(x)
    assert torch.equal(y[:, gate.open == 1], x[:, gate.open == 1])
    assert y.count_nonzero() == 9 * max(1, torch.Size(size).numel())


@pytest.mark.parametrize("converted", [False, True])
def test_weights_of_closed_units_feel_no_gradient(
    model: nn.Sequential, x: Tensor, converted: bool
) -> None:
    net = mho.convert(model, HARDWARE, generator=seed(0)) if converted else model
    net[2].draw(0.4, seed(0))
    closed = net[2].open == 0
    net.train()(x).square().mul(torch.arange(3)).sum().backward()
    into, out_of = net[0].weight.grad, net[4].weight.grad
    assert not into[closed].any()
    assert not out_of[:, closed].any()
    assert into[~closed].abs().sum(1).min() > 0
    assert out_of[:, ~closed].abs().sum(0).min() > 0


def test_begin_makes_all_fresh_in_place(model: nn.Sequential, x: Tensor) -> None:
    fresh = {name: value.clone() for name, value in model.state_dict().items()}
    states = TaskStates(model)
    weight = model[1].weight
    learn(model, states, "a", x)
    model[2].draw(0.1, seed(0))
    states.begin(seed(3))
    assert same(model.state_dict(), fresh)
    assert model[1].weight is weight
    states.begin(seed(3), share=0.5)
    drawn = model[2].open.clone()
    assert drawn.sum() == 4
    states.begin(seed(4), share=0.5)
    assert not torch.equal(model[2].open, drawn)
    states.begin(seed(3), share=0.5)
    assert torch.equal(model[2].open, drawn)


def test_a_chips_own_normalization_starts_fresh_too(model: nn.Sequential, x: Tensor) -> None:
    net = mho.convert(model, HARDWARE, 3, generator=seed(0))
    states = TaskStates(net)
    learn(net, states, "abc", x)
    states.begin(seed(0))
    norm = net.net[1]
    assert isinstance(norm, ChipBatchNorm)
    for tensor in (norm.mean, norm.bias, norm.items):
        assert not tensor.any()
    assert (norm.variance == 1).all()
    assert (norm.weight == 1).all()


@pytest.mark.parametrize("chips", [None, 2])
def test_each_task_finds_its_own_state(model: nn.Sequential, x: Tensor, chips: int | None) -> None:
    net = mho.convert(model, HARDWARE, chips, generator=seed(0))
    states, outputs = TaskStates(net), {}
    for task in ("a", "bb", "ccc"):
        states.begin(seed(len(task)), share=0.5)
        outputs[task] = learn(net, states, task, x)
    assert states.names == ("a", "bb", "ccc")
    states.begin(seed(9))
    present = {name: value.clone() for name, value in tensors(net).items()}
    for task in ("bb", "a", "ccc", "a"):
        with states.using(task):
            assert torch.equal(net(x), outputs[task])
        assert same(tensors(net), present)
    assert not torch.allclose(outputs["a"], outputs["bb"])


def test_the_present_state_comes_back_after_a_failure(model: nn.Sequential, x: Tensor) -> None:
    states = TaskStates(model)
    learn(model, states, "a", x)
    states.begin(seed(0))
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def fail() -> None:
        with states.using("a"):
            model[1].weight.data.fill_(7)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert same(model.state_dict(), before)
    with states.using("a"):  # what was done inside is lost
        assert not (model[1].weight == 7).any()


def test_what_is_kept_does_not_follow_the_network(model: nn.Sequential, x: Tensor) -> None:
    states = TaskStates(model)
    y = learn(model, states, "a", x)
    learn(model, states, "bb", x)
    learn(model, states, "bb", x)
    with states.using("a"):
        assert torch.equal(model(x), y)


def test_a_state_from_before_the_chips_had_their_own_is_every_chips(
    model: nn.Sequential, x: Tensor
) -> None:
    net = mho.convert(model, HARDWARE, 2, generator=seed(0))
    states = TaskStates(net)
    net.train()(x)
    states.keep("shared")
    y = net.eval()(x)
    with states.using("shared"):  # the modules are exchanged inside
        mho.refresh_batchnorm(net, [x])
        assert not torch.allclose(net(x), y, atol=1e-3)
    assert isinstance(net.net[1], ChipBatchNorm)
    torch.testing.assert_close(net(x), y)
    mho.refresh_batchnorm(net, [x])
    with states.using("shared"):
        torch.testing.assert_close(net(x), y)


def test_only_the_state_of_tasks_is_kept_and_counted(model: nn.Sequential) -> None:
    states = TaskStates(model)
    states.keep("a")
    entries = {*NORMS, "2.open", "5.running_mean", "5.running_var", "5.num_batches_tracked"}
    assert states.state_dict()["a"].keys() == entries
    assert states.values == 4 * 8 + 1 + 8 + 2 * 3 + 1
    assert TaskStates(nn.BatchNorm1d(2)).values == 9


@pytest.mark.parametrize("chips", [None, 2])
def test_states_are_saved_and_loaded(model: nn.Sequential, x: Tensor, chips: int | None) -> None:
    net = mho.convert(model, HARDWARE, chips, generator=seed(0))
    states, file = TaskStates(net), io.BytesIO()
    y = learn(net, states, "a", x)
    states.begin(seed(1), share=0.5)
    learn(net, states, "bb", x)
    torch.save(states.state_dict(), file)
    file.seek(0)
    again = TaskStates(net)
    again.keep("forgotten")
    again.load_state_dict(torch.load(file, weights_only=True))
    assert again.names == ("a", "bb")
    with again.using("a"):
        assert torch.equal(net(x), y)


def test_a_state_that_does_not_fit_is_refused(model: nn.Sequential) -> None:
    states = TaskStates(model)
    states.keep("a")
    good = states.state_dict()["a"]
    less = {name: value for name, value in good.items() if name != "1.bias"}
    for bad, message in (
        (less, r"state of task 'b' = 'no 1\.bias': expected the entries"),
        ({name: value for name, value in good.items() if name != "1.running_var"}, "running_var"),
        (good | {"9.open": torch.ones(2)}, r"unknown 9\.open"),
        (good | {"1.extra": torch.ones(2)}, r"unknown 1\.extra"),
        (good | {"2.open": torch.ones(9)}, r"2\.open of shape \(9,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            states.load_state_dict({"a": good, "b": bad})
    assert states.names == ("a",)


def test_bad_input_is_named(model: nn.Sequential) -> None:
    states = TaskStates(model)
    states.keep("mnist")
    with (
        pytest.raises(ValueError, match="unknown task 'mnits': did you mean 'mnist'"),
        states.using("mnits"),
    ):
        pass
    before = model[2].open.clone()
    for share in (0.0, -0.5, 1.5, float("nan")):
        with pytest.raises(ValueError, match=r"share = .*: expected (above 0, at most 1|a finite)"):
            states.begin(seed(0), share)
        with pytest.raises(ValueError, match=r"share = .*: expected (above 0, at most 1|a finite)"):
            model[2].draw(share, seed(0))
    assert torch.equal(model[2].open, before)
    with pytest.raises(ValueError, match="net = a Linear: expected a network with batch"):
        TaskStates(nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"Gate\.features = 0"):
        Gate(0)
