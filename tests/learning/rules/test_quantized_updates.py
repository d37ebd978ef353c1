"""Rivals: every scheme moves from level to level, in the window, and can be resumed."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from builders.rule_steps import FULL, STEP, movements, tiki_taka, update, walk
from mho import Hardware, WriteStep
from mho.cells import MultiLevel
from mho.learning.layers.layer import memristive_layers
from mho.learning.rules.rule import Synapses, Update, UpdateRule

RIVALS: dict[str, Callable[[], UpdateRule]] = {
    "stochastic rounding": lambda: mho.rules.StochasticRounding(seed=3),
    "sign update": lambda: mho.rules.SignUpdate(0.1),
    "accumulate": lambda: mho.rules.Accumulate(),
    "accumulate, early": lambda: mho.rules.Accumulate(0.7),
    "accumulate, late": lambda: mho.rules.Accumulate(2.5),
    "stochastic sparse": lambda: mho.rules.StochasticSparse(0.1, seed=3),
    "tiki-taka": lambda: tiki_taka(gain=0.5, seed=3),
    "tiki-taka, in phases": lambda: tiki_taka(transfer_every=3, gain=2.0, read_noise=0.01),
}
every_rival = pytest.mark.parametrize("name", RIVALS)


# ------------------------------------------------------------------ what every rival does


@every_rival
@pytest.mark.parametrize("shape", [(), (7,), (6, 5), (4, 2, 3, 3)])
def test_weights_go_from_level_to_level_within_the_window(
    name: str, shape: tuple[int, ...], generator: torch.Generator
) -> None:
    rule, start = RIVALS[name](), torch.randn(shape, generator=generator)
    state = rule.init(start)
    path = walk(rule, state, start, movements(generator, shape))
    for weight in path:
        torch.testing.assert_close(weight / STEP, (weight / STEP).round(), rtol=0, atol=1e-5)
        assert (weight.abs() <= FULL + 1e-6).all()
        assert weight.shape == shape
        assert weight.dtype == torch.float32
    assert not shape or any((weight != path[0]).any() for weight in path)
    rule.consolidate(Synapses(path[-1], STEP, FULL), state)
    assert all(isinstance(t, Tensor) and t.dtype != torch.float64 for t in state.values())


@every_rival
@pytest.mark.parametrize("gradient", [None, torch.zeros(50)])
def test_no_movement_writes_nothing(
    name: str, gradient: Tensor | None, generator: torch.Generator
) -> None:
    rule = RIVALS[name]()
    levels = torch.randint(-4, 5, (50,), generator=generator) * STEP
    state = rule.init(levels)
    for _ in range(5):
        change = update(levels, torch.zeros(50), gradient)
        rule.apply(change, state)
        assert not change.delta.any()
    assert not state.get("pulses", torch.zeros(1)).any()


@every_rival
def test_the_gradient_may_be_missing(name: str, generator: torch.Generator) -> None:
    rule, weight = RIVALS[name](), torch.zeros(200)
    state = rule.init(weight)
    for delta in movements(generator, (200,), 5):
        change = update(weight, delta)
        rule.apply(change, state)
        weight = weight + change.delta
    assert weight.any() == (name != "sign update")


@every_rival
def test_the_same_seed_and_a_saved_state_give_the_same_weights(
    name: str, generator: torch.Generator
) -> None:
    deltas = movements(generator, (6, 5))
    rule, start = RIVALS[name](), torch.zeros(6, 5)
    state = rule.init(start)
    first = walk(rule, state, start, deltas[:17])
    saved = copy.deepcopy(state)
    rest = walk(rule, state, first[-1], deltas[17:])
    global_state = torch.random.get_rng_state()
    again = RIVALS[name]()
    whole = walk(again, again.init(start), start, deltas)
    resumed = walk(RIVALS[name](), saved, first[-1], deltas[17:])
    assert torch.equal(torch.stack(whole), torch.stack(first + rest))
    assert torch.equal(torch.stack(resumed), torch.stack(rest))
    assert torch.equal(torch.random.get_rng_state(), global_state)


@pytest.mark.parametrize(
    "kind", [mho.rules.StochasticRounding, mho.rules.StochasticSparse, mho.rules.TikiTaka]
)
def test_another_seed_gives_other_weights(kind: type, generator: torch.Generator) -> None:
    deltas, start = movements(generator, (200,), 10), torch.zeros(200)
    options = {"share": 0.1} if kind is mho.rules.StochasticSparse else {}
    ends = []
    for seed in (1, 2):
        rule = kind(**options, seed=seed)
        state = rule.init(start)
        ends.append(torch.stack([*walk(rule, state, start, deltas), state.get("fast", start)]))
    assert not torch.equal(*ends)


def blobs(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Three separable classes in eight dimensions."""
    labels = torch.arange(300) % 3
    centres = 2.0 * torch.eye(3, 8)
    return centres[labels] + 0.3 * torch.randn(300, 8, generator=generator), labels


@every_rival
def test_a_small_network_learns(name: str, generator: torch.Generator) -> None:
    x, y = blobs(generator)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 3))
    device = MultiLevel(g_min=10e-6, g_max=90e-6, levels=9, sigma=(1e-6,))
    hardware = Hardware(device=device, programming=mho.cells.OpenLoop(), full_scale=3.0)
    net = mho.convert(model, hardware)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    step = WriteStep(net, rules=[RIVALS[name]()])
    written = 0
    for i in range(150):
        rows = torch.arange(20) + 20 * (i % 15)
        optimizer.zero_grad()
        F.cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
        written += step().weights
    accuracy = (net(x).argmax(1) == y).float().mean().item()
    assert accuracy > 0.8  # chance: 1 / 3
    assert written > 0
    for layer in memristive_layers(net).values():
        torch.testing.assert_close(layer.weight.detach(), layer.target)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mho.rules.SignUpdate(0.0), r"SignUpdate\.share = 0\.0"),
        (lambda: mho.rules.SignUpdate(1.5), r"SignUpdate\.share = 1\.5"),
        (lambda: mho.rules.Accumulate(0.5), r"Accumulate\.threshold = 0\.5: expected above 0\.5"),
        (lambda: mho.rules.Accumulate(math.nan), r"Accumulate\.threshold = nan"),
        (lambda: mho.rules.StochasticSparse(0.0), r"StochasticSparse\.share = 0\.0"),
        (lambda: mho.rules.StochasticSparse(1.1), r"StochasticSparse\.share = 1\.1"),
        (lambda: mho.rules.StochasticSparse(0.1, 1.0), r"StochasticSparse\.momentum = 1\.0"),
        (lambda: mho.rules.TikiTaka(granularity=0.0), r"TikiTaka\.granularity = 0\.0"),
        (
            lambda: mho.rules.TikiTaka(window=0.001),
            r"window = 0\.001: expected at least the granu",
        ),
        (lambda: mho.rules.TikiTaka(transfer_every=0), r"TikiTaka\.transfer_every = 0"),
        (lambda: mho.rules.TikiTaka(gain=-1.0), r"TikiTaka\.gain = -1\.0"),
        (lambda: mho.rules.TikiTaka(cycle_noise=-0.1), r"TikiTaka\.cycle_noise = -0\.1"),
        (lambda: mho.rules.TikiTaka(read_noise=math.nan), r"TikiTaka\.read_noise = nan"),
    ],
)
def test_impossible_rivals_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# ------------------------------------------------------------------ StochasticRounding, SignUpdate


def test_random_rounding_keeps_the_mean() -> None:
    rule = mho.rules.StochasticRounding(seed=3)
    state = rule.init(torch.zeros(4))
    before = torch.tensor([-0.5, 0.0, 0.25, 0.5]).repeat(4000)
    delta = torch.tensor([0.05, -0.1, 0.3, 0.01]).repeat(4000)
    change = update(before, delta)
    rule.apply(change, state)
    mean = change.delta.view(-1, 4).mean(0)
    torch.testing.assert_close(mean, delta[:4], rtol=0, atol=0.01)
    other = update(before, delta)
    rule.apply(other, state)
    assert not torch.equal(change.delta, other.delta)


def test_small_movements_mostly_round_to_nothing(generator: torch.Generator) -> None:
    rule, start = mho.rules.StochasticRounding(1), torch.zeros(1000)
    deltas = 0.02 * STEP * torch.randn(30, 1000, generator=generator)
    path = torch.stack([start, *walk(rule, rule.init(start), start, deltas)])
    moved = (path.diff(dim=0) != 0).sum().item()
    assert 0 < moved < 0.03 * deltas.numel()


def test_the_sign_rule_moves_the_largest_gradients_by_one_step() -> None:
    gradient = torch.tensor([3.0, -2.0, 0.1, 0.0])
    change = update(torch.tensor([0.25, 1.0, 0.5, 0.1]), torch.ones(4), gradient)
    mho.rules.SignUpdate(0.5).apply(change, {})
    after = change.before + change.delta
    torch.testing.assert_close(after, torch.tensor([0.0, 1.0, 0.5, 0.0]))


# ------------------------------------------------------------------ Accumulate


@pytest.mark.parametrize("threshold", [0.6, 1.0, 2.0, 3.5])
def test_nothing_is_lost_within_the_window(threshold: float, generator: torch.Generator) -> None:
    rule, start = mho.rules.Accumulate(threshold), torch.zeros(500)
    wide = 100.0
    state, weight, total = rule.init(start), start, torch.zeros(500)
    for delta in STEP * 0.7 * torch.randn(60, 500, generator=generator):
        change = Update(weight, delta.clone(), None, STEP, wide)
        rule.apply(change, state)
        weight, total = weight + change.delta, total + delta
        assert (state["gathered"].abs() <= threshold).all()
    torch.testing.assert_close(weight + STEP * state["gathered"], total, rtol=0, atol=1e-3)


def test_a_threshold_of_one_is_the_mixed_precision_rule(generator: torch.Generator) -> None:
    """Slow truth: n = trunc(chi / epsilon), chi <- chi - n epsilon, one weight after the other."""
    deltas = movements(generator, (8,))
    rule, start = mho.rules.Accumulate(), torch.zeros(8)
    path = walk(rule, rule.init(start), start, deltas)
    for i in range(8):
        chi, weight = 0.0, 0.0
        for delta, ours in zip(deltas[:, i].tolist(), path, strict=True):
            chi += delta
            n = math.trunc(chi / STEP)
            chi -= n * STEP
            weight = min(max(weight + n * STEP, -FULL), FULL)
            assert ours[i].item() == pytest.approx(weight, abs=1e-5)


def test_a_higher_threshold_writes_less(generator: torch.Generator) -> None:
    deltas = movements(generator, (500,), 80) / 4
    counts = []
    for threshold in (0.6, 1.0, 1.5, 2.0, 3.0, 5.0):
        rule, start = mho.rules.Accumulate(threshold), torch.zeros(500)
        path = torch.stack([start, *walk(rule, rule.init(start), start, deltas)])
        counts.append((path.diff(dim=0) != 0).sum().item())
    assert counts == sorted(set(counts), reverse=True)


# ------------------------------------------------------------------ StochasticSparse


@pytest.mark.parametrize("share", [0.002, 0.1, 0.5, 1.0])
def test_the_share_moves_on_average(share: float, generator: torch.Generator) -> None:
    rule, weight = mho.rules.StochasticSparse(share), torch.zeros(4000)
    state = rule.init(weight)
    moved = 0
    for delta in torch.randn(20, 4000, generator=generator).pow_(3):  # a heavy tail: some are sure
        change = update(weight, delta)
        rule.apply(change, state)
        moved += int((change.delta != 0).sum())
        assert (change.delta.abs() <= STEP + 1e-6).all()
    size = 20 * 4000
    assert abs(moved - share * size) <= 4 * math.sqrt(share * (1 - share) * size)


def test_the_mean_movement_is_along_the_velocity(generator: torch.Generator) -> None:
    velocity = torch.tensor([0.5, -1.0, 2.0, 0.0]).repeat(5000)
    rule = mho.rules.StochasticSparse(0.1, momentum=0.0)
    change = update(torch.zeros(20_000), velocity)
    rule.apply(change, rule.init(velocity))
    mean = change.delta.view(-1, 4).mean(0) / STEP
    expected = 0.1 * velocity[:4] / velocity[:4].abs().mean()
    torch.testing.assert_close(mean, expected, rtol=0, atol=0.02)


def test_a_move_spends_the_velocity_and_the_rest_is_kept() -> None:
    rule = mho.rules.StochasticSparse(0.5, momentum=0.5)
    state = rule.init(torch.zeros(100))
    change = update(torch.zeros(100), torch.ones(100))
    rule.apply(change, state)
    moved = change.delta != 0
    assert 20 < moved.sum() < 80
    assert torch.equal(state["velocity"], (~moved).float())


def test_few_weights_with_velocity_all_move() -> None:
    delta = torch.zeros(100)
    delta[:3] = torch.tensor([1e-6, -1e-3, 1.0])
    change = update(torch.zeros(100), delta)
    rule = mho.rules.StochasticSparse(0.1)
    rule.apply(change, rule.init(delta))
    torch.testing.assert_close(change.delta, STEP * delta.sign())


# ------------------------------------------------------------------ draws, grains, thresholds


def test_layers_of_one_size_draw_their_own_numbers() -> None:
    rule = mho.rules.StochasticRounding(seed=3)
    moved = []
    for layer in ("a", "b"):
        before = torch.zeros(30, 30)
        update = Update(
            before=before, delta=torch.full((30, 30), 0.05), gradient=None, step=0.1,
            full_scale=1.0, layer=layer,
        )  # fmt: skip
        rule.apply(update, rule.init(before))
        moved.append(update.delta)
    assert not torch.equal(*moved)


def test_coarse_rounding_keeps_the_mean_and_moves_by_whole_grains() -> None:
    rule = mho.rules.StochasticRounding(seed=1, granularity=3)
    before = torch.zeros(200, 200)
    update = Update(
        before=before, delta=torch.full((200, 200), 0.02), gradient=None, step=0.1, full_scale=1.0
    )
    rule.apply(update, rule.init(before))
    grains = update.delta / 0.3
    torch.testing.assert_close(grains, grains.round(), rtol=0, atol=1e-4)
    assert update.delta.mean().item() == pytest.approx(0.02, rel=0.1)
    with pytest.raises(ValueError, match="granularity"):
        mho.rules.StochasticRounding(granularity=0)


def test_rules_that_land_on_levels_need_a_threshold_below_a_step() -> None:
    hw = Hardware(device=mho.devices.get("hfo2-1t1r"))
    net = mho.convert(nn.Linear(4, 3), hw)
    with pytest.raises(ValueError, match="below 1 step with rules"):
        WriteStep(net, rules=[mho.rules.Accumulate()], threshold=1.5)
    WriteStep(net, rules=[mho.rules.IntervalRule(1.0)], threshold=1.5)
