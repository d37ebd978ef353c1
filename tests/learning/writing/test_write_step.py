"""The write step: which weights it writes, what it reports, and what it leaves behind."""

import copy

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.cells import FIVE_LEVELS, PULSED_CELL
from builders.networks import mapped, move, train
from mho import WriteStep
from mho.cells import OpenLoop, Verify
from mho.hardware import MAPPINGS
from mho.hardware.writes import Stale, plan
from mho.learning.layers.layer import memristive_layers
from mho.learning.layers.quantizer import level_index
from mho.rules import IntervalRule, PathImportance

DEVICE = FIVE_LEVELS.replace(sigma=(6e-6,), device_spread=0.03, stuck_off=0.03)
every_mapping = pytest.mark.parametrize("name", MAPPINGS)


def network(name: str = "differential", chips: int = 2, **options: object) -> nn.Module:
    settings = {"device": DEVICE, "mapping": name, "programming": Verify()}
    return mapped(chips, **(settings | options))


def indices(net: nn.Module) -> list[Tensor]:
    """Level index of every weight, as the programmed levels stand for."""
    layers = memristive_layers(net).values()
    return [level_index(x.target, x.full_scale, x.hardware.levels) for x in layers]


@every_mapping
def test_what_is_reported_is_what_changed(name: str, generator: torch.Generator) -> None:
    net = network(name)
    sizes = sum(layer.weight.numel() for layer in memristive_layers(net).values())
    for size in (0.1, 0.5, 2.0):
        before, book = indices(net), mho.ledger(net)
        move(net, size, generator)
        written = mho.write(net, widen=1)
        changed = sum(int((a != b).sum()) for a, b in zip(before, indices(net), strict=True))
        assert written[:2] == (changed, sizes)
        assert 0 < changed < sizes
        cells = mho.ledger(net).writes_per_cell() - book.writes_per_cell()
        own = memristive_layers(net)["net.0"].hardware.cells.cells_per_weight
        assert 2 * changed <= int(cells.sum()) <= 2 * own * changed  # on two chips
        # The shadow is now at its nearest level, everywhere.
        for layer, index in zip(memristive_layers(net).values(), indices(net), strict=True):
            nearest = level_index(layer.matrix(), layer.full_scale, layer.hardware.levels)
            assert torch.equal(index, nearest)


@every_mapping
def test_the_cells_written_are_those_whose_level_changed(
    name: str, generator: torch.Generator
) -> None:
    net = network(name)
    layers = memristive_layers(net).values()
    level = [layer.crossbar.level.clone() for layer in layers]
    writes = [layer.crossbar.writes.clone() for layer in layers]
    move(net, 0.7, generator)
    mho.write(net)
    for layer, old, count in zip(layers, level, writes, strict=True):
        changed = (layer.crossbar.level != old).int()
        assert changed.any()
        assert torch.equal(layer.crossbar.writes - count, changed.expand_as(count))


@every_mapping
def test_sparse_writes_leave_what_a_refresh_would(name: str, generator: torch.Generator) -> None:
    net = network(name)
    for _ in range(4):
        move(net, 0.4, generator)
        mho.write(net)
    for layer in memristive_layers(net).values():
        effective, target = layer.effective.clone(), layer.target.clone()
        layer.refresh()
        assert torch.equal(layer.effective, effective)
        torch.testing.assert_close(layer.target, target, rtol=0, atol=1e-6 * layer.full_scale)


def test_nothing_moved_nothing_written(generator: torch.Generator) -> None:
    net = network()
    move(net, 1.0, generator)
    mho.write(net)
    state = copy.deepcopy(net.state_dict())
    assert mho.write(net).weights == 0
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0, equal_nan=True)


def test_weights_that_do_not_exist_are_refused_and_nothing_is_written() -> None:
    net = network(programming=OpenLoop())
    layers = list(memristive_layers(net).values())
    before = [layer.crossbar.level.clone() for layer in layers]
    for layer, level in zip(layers, before, strict=True):
        stale = Stale(torch.tensor([0, layer.weight.numel()]), torch.zeros(2))
        with pytest.raises(IndexError):
            plan(layer.store, layer.weight, stale, rewrite=True)
        assert torch.equal(layer.crossbar.level, level)


def test_a_wider_threshold_writes_fewer(generator: torch.Generator) -> None:
    counts = []
    for threshold in (0.5, 0.65, 0.9, 1.5, 100.0):
        net, total = network(), 0
        own = torch.Generator().manual_seed(8)
        for _ in range(10):
            move(net, 0.15, own)
            total += mho.write(net, threshold).weights
        counts.append(total)
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[1] > counts[2] > counts[3]
    assert counts[-1] == 0


def test_hysteresis_leaves_weights_that_stay_near(generator: torch.Generator) -> None:
    net = network()
    move(net, 0.4, generator)
    layers = memristive_layers(net).values()
    targets = [layer.target.clone() for layer in layers]
    mho.write(net, 0.8)
    for layer, target in zip(layers, targets, strict=True):
        clipped = layer.matrix().clamp(-layer.full_scale, layer.full_scale)
        far = (clipped - target).abs() > 0.8 * layer.step
        assert torch.equal(layer.target != target, far)
        assert ((clipped - layer.target).abs() <= 0.8001 * layer.step).all()


def test_thresholds_by_layer(generator: torch.Generator) -> None:
    net = network()
    before = indices(net)
    step = WriteStep(net, threshold={"net.2": 0.5, "": 1000.0})
    move(net, 1.0, generator)
    step()
    same = [torch.equal(a, b) for a, b in zip(before, indices(net), strict=True)]
    assert same == [True, False, True]


@pytest.mark.parametrize("threshold", [0.49, -1.0, float("nan"), {"net.0": 0.4}])
def test_a_threshold_below_half_a_step_is_refused(threshold: float | dict) -> None:
    with pytest.raises(
        ValueError, match=r"WriteStep\.threshold.* = .*: expected (at least|a finite)"
    ):
        WriteStep(network(), threshold=threshold)


def test_a_threshold_may_be_changed_between_steps(generator: torch.Generator) -> None:
    net = network()
    before = indices(net)
    step = WriteStep(net, threshold=1000.0)
    move(net, 1.0, generator)
    assert step().weights == 0
    step.threshold = {"net.2": 0.5, "": 1000.0}
    assert step().weights > 0
    same = [torch.equal(a, b) for a, b in zip(before, indices(net), strict=True)]
    assert same == [True, False, True]
    kept = dict(step.threshold)
    with pytest.raises(ValueError, match=r"at least 0\.5 steps"):
        step.threshold = 0.2
    assert step.threshold == kept
    assert sorted(kept.values()) == [0.5, 1000.0, 1000.0]


def test_an_unknown_layer_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown layer 'net\.22': did you mean 'net\.2'"):
        WriteStep(network(), threshold={"net.22": 0.6})
    with pytest.raises(ValueError, match="net = a Linear: expected a network with memristive"):
        WriteStep(nn.Linear(2, 2))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_not_finite_is_refused_and_nothing_is_written(
    bad: float, generator: torch.Generator
) -> None:
    net, good = network(), network()
    move(net, 1.0, generator)
    last = memristive_layers(net)["net.4"]
    with torch.no_grad():
        for p, q in zip(good.parameters(), net.parameters(), strict=True):
            p.copy_(q)
        place = int((last.target * (-1 if bad < 0 else 1)).argmax())
        last.weight.view(-1)[place] = bad  # an infinite one even where its level is the outermost
    before = copy.deepcopy(net.state_dict())
    targets = [layer.target.clone() for layer in memristive_layers(net).values()]
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^4\.weight = 'nan or inf': expected"):
            mho.write(net)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, equal_nan=True)
    for layer, target in zip(memristive_layers(net).values(), targets, strict=True):
        assert torch.equal(layer.target, target)
    with pytest.raises(RuntimeError, match="arrays were not written"):
        net(torch.zeros(1, 2, 6, 6))
    # Once it is mended, the step that was refused is made in full.
    with torch.no_grad():
        last.weight.copy_(memristive_layers(good)["net.4"].weight)
    assert mho.write(net) == mho.write(good)
    for one, other in zip(
        memristive_layers(net).values(), memristive_layers(good).values(), strict=True
    ):
        assert torch.equal(one.effective, other.effective)
        assert torch.equal(one.target, other.target)


# ------------------------------------------------------------------ with rules


class Halve:
    """A rule that a test can check by hand."""

    def __init__(self) -> None:
        self.tasks = 0

    def init(self, weight: Tensor) -> dict[str, Tensor]:
        return {"seen": torch.zeros_like(weight)}

    def apply(self, update: mho.learning.rules.rule.Update, state: dict[str, Tensor]) -> None:
        state["seen"].add_(update.delta)
        update.delta.mul_(0.5)

    def consolidate(self, synapses: object, state: dict[str, Tensor]) -> None:
        self.tasks += 1


def test_rules_see_the_optimizers_movement_and_change_it(generator: torch.Generator) -> None:
    net = network()
    rule = Halve()
    step = WriteStep(net, rules=[rule, rule])
    layers = memristive_layers(net)
    start = {name: layer.weight.detach().clone() for name, layer in layers.items()}
    move(net, 2.0, generator)
    moved = {name: layer.weight.detach() - start[name] for name, layer in layers.items()}
    step()
    for name, layer in layers.items():
        expected = start[name] + 0.25 * moved[name]
        torch.testing.assert_close(layer.weight.detach(), expected, rtol=0, atol=1e-6)
        first, second = step.state_dict()["rules"][name]
        torch.testing.assert_close(first["seen"], moved[name])
        torch.testing.assert_close(second["seen"], 0.5 * moved[name])
    net(torch.zeros(1, 2, 6, 6))  # the arrays are up to date
    step.consolidate()
    assert rule.tasks == 2 * len(layers)


def rules() -> list[mho.learning.rules.rule.UpdateRule]:
    return [IntervalRule(1.0), PathImportance(0.5, 0.01)]


def test_the_rules_state_comes_back() -> None:
    net = network()
    step = WriteStep(net, rules=rules(), threshold=0.6)
    train(net, step, 3, seed=1)
    step.consolidate()
    train(net, step, 2, seed=2)
    saved = copy.deepcopy((net.state_dict(), step.state_dict()))
    future = train(net, step, 4, seed=3)

    again = network()
    resumed = WriteStep(again, rules=rules(), threshold=0.6)
    again.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert train(again, resumed, 4, seed=3) == future
    assert sum(future) > 0
    x = torch.ones(2, 2, 6, 6)
    assert torch.equal(again(x), net(x))


def test_the_state_of_other_layers_is_refused() -> None:
    step = WriteStep(network(), rules=rules())
    with pytest.raises(ValueError, match=r"WriteStep state = .*'a': .*: expected the entries"):
        step.load_state_dict({"rules": {"a": []}, "policies": [], "feedback": {}})


def test_metaplastic_rules_write_less() -> None:
    plain, metaplastic = network(), network()
    free = train(plain, WriteStep(plain, widen=1), 12, seed=4)
    bound = train(
        metaplastic, WriteStep(metaplastic, widen=1, rules=[IntervalRule(2.0)]), 12, seed=4
    )
    assert 0 < sum(bound) < sum(free)


# ------------------------------------------------------------------ finding what moved


def test_a_shadow_beyond_the_full_scale_is_written_once(generator: torch.Generator) -> None:
    """It stays far from its level, but that level stays the nearest: nothing more to write."""
    net = network()
    layer = next(iter(memristive_layers(net).values()))
    with torch.no_grad():
        layer.weight.view(-1)[:5] = 4.0 * layer.full_scale
    assert 0 < mho.write(net, widen=1).weights <= 5
    with torch.no_grad():
        layer.weight.view(-1)[:5] = 5.0 * layer.full_scale
    assert mho.write(net, widen=1).weights == 0
    assert layer.target.view(-1)[:5].tolist() == pytest.approx([layer.full_scale] * 5)


def test_a_nan_reaches_no_rule(generator: torch.Generator) -> None:
    net = network()
    step = WriteStep(net, rules=[PathImportance(damping=1.0, pull=0.1)])
    train(net, step, 3, seed=1)
    layers = list(memristive_layers(net).values())
    before = {n: [{k: v.clone() for k, v in s.items()} for s in states]
              for n, states in step.state_dict()["rules"].items()}  # fmt: skip
    kept = layers[-1].weight.detach().clone()
    with torch.no_grad():
        layers[-1].weight.view(-1)[0] = torch.nan
    with pytest.raises(ValueError, match="finite numbers only"):
        step()
    for name, states in step.state_dict()["rules"].items():
        for now, then in zip(states, before[name], strict=True):
            assert all(torch.equal(now[k], then[k]) for k in then)
    with torch.no_grad():
        layers[-1].weight.copy_(kept)
    step()
    assert torch.isfinite(torch.cat([a.weight.flatten() for a in layers])).all()


# ------------------------------------------------------------------ closed loop


def wanted_writes(layer: mho.learning.layers.layer.ArrayLayer) -> Tensor:
    """Cells (tiles, rows, width) that a closed loop programs next, weight by weight."""
    hardware, crossbar = layer.hardware, layer.crossbar
    level = crossbar.level.flatten()
    expected = torch.zeros_like(level, dtype=torch.int32)
    index = level_index(layer.matrix().flatten(), layer.full_scale, hardware.levels)
    for weight, k in enumerate(index):
        own = hardware.cells.own_levels(k, hardware.levels, hardware.device.states)
        cells = crossbar.tiling.cells(torch.tensor([weight]))[0, : len(own)]
        changed = own != level[cells]
        expected[cells if not changed.any() else cells[changed]] += 1
    return expected.view(crossbar.level.shape)


@pytest.mark.parametrize("copies", [1, 2])
@every_mapping
def test_a_closed_loop_programs_every_weight_at_every_step(
    name: str, copies: int, generator: torch.Generator
) -> None:
    net = network(name, copies=copies, tile=(9, 12))
    step = WriteStep(net, widen=1, threshold=0)
    layers = list(memristive_layers(net).values())
    for size in (0.0, 0.3, 5.0, 0.0):
        move(net, size, generator)
        writes = [layer.crossbar.writes.clone() for layer in layers]
        expected = [wanted_writes(layer) * ~layer.crossbar.given_up for layer in layers]
        own_cells = [wanted_writes(layer) > 0 for layer in layers]
        count = step()
        assert count.weights == count.of
        for layer, before, more, cells in zip(layers, writes, expected, own_cells, strict=True):
            done = layer.crossbar.writes - before
            assert torch.equal(done, more)
            if size == 0.0:  # nothing moved: all own cells
                own = layer.hardware.cells.cells_per_weight
                assert int(cells.sum()) == own * layer.weight.numel()
            effective = layer.effective.clone()
            layer.refresh()
            assert torch.equal(layer.effective, effective)
    net(torch.zeros(2, 2, 6, 6))


def test_layers_mix_closed_loops_and_thresholds(generator: torch.Generator) -> None:
    mixed, plain = network(), network()
    steps = (
        WriteStep(mixed, widen=1, threshold={"net.2": 0, "net.4": 0.8}),
        WriteStep(plain, widen=1, threshold={"net.4": 0.8}),
    )
    for _ in range(4):
        state = generator.get_state()
        counts = []
        for net, step in zip((mixed, plain), steps, strict=True):
            move(net, 0.4, generator.set_state(state))
            counts.append(step().weights)
        assert counts[0] > 48 * 7
        assert counts[0] > counts[1]
    one, other = memristive_layers(mixed), memristive_layers(plain)
    for name in ("net.0", "net.4"):  # the loop around net.2 is none of their business
        for key, value in one[name].crossbar.state_dict().items():
            assert torch.equal(value, other[name].crossbar.state_dict()[key]), (name, key)
        assert torch.equal(one[name].effective, other[name].effective)
    assert torch.equal(one["net.2"].crossbar.level, other["net.2"].crossbar.level)
    assert one["net.2"].crossbar.writes.sum() > other["net.2"].crossbar.writes.sum()


def test_on_perfect_cells_a_closed_loop_only_costs(generator: torch.Generator) -> None:
    device = DEVICE.replace(sigma=(0.0,), device_spread=0.0)
    closed, once = network(device=device), network(device=device)
    for _ in range(3):
        state = generator.get_state()
        for net, threshold in ((closed, 0), (once, 0.5)):
            move(net, 0.4, generator.set_state(state))
            mho.write(net, threshold, widen=1)
    for a, b in zip(*(memristive_layers(n).values() for n in (closed, once)), strict=True):
        assert torch.equal(a.effective, b.effective)
    costs = [mho.ledger(net).totals()["writes"] for net in (closed, once)]
    assert costs[0] > 2 * costs[1]


def test_a_policy_thins_a_closed_loop_out(generator: torch.Generator) -> None:
    net = network()
    step = WriteStep(
        net, widen=1, threshold=0, policies=[mho.rules.Every(2), mho.rules.Budget(20, 2)]
    )
    counts = []
    for _ in range(4):
        move(net, 0.1, generator)
        counts.append(step().weights)
    assert counts == [0, 20, 0, 20]


# ------------------------------------------------------------------ cells that remember

PULSED = PULSED_CELL.replace(device_spread=0.2, stuck_off=0.02)
SCHEMES = {
    "linear": OpenLoop(),
    "curve": OpenLoop(assumes="curve"),
    "verify": Verify(tolerance=0.2),
}


@pytest.mark.parametrize("threshold", [0.6, 0])
@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_a_training_on_pulse_response_cells_is_kept_and_resumed(
    scheme: OpenLoop | Verify, threshold: float
) -> None:
    def start() -> tuple[nn.Module, WriteStep]:
        net = network(device=PULSED, programming=scheme)
        return net, WriteStep(net, widen=1, threshold=threshold)

    if threshold == 0 and not scheme.verifies:
        with pytest.raises(ValueError, match="a blind burst does nothing"):
            start()
        return
    net, step = start()
    train(net, step, 4, seed=1)
    saved = copy.deepcopy((net.state_dict(), step.state_dict()))
    future = train(net, step, 4, seed=2)
    assert sum(future) > 0
    again, resumed = start()
    again.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert train(again, resumed, 4, seed=2) == future
    for name, value in net.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0, equal_nan=True)
    for layer in memristive_layers(net).values():
        effective = layer.effective.clone()
        layer.refresh()
        assert torch.equal(layer.effective, effective)


def test_who_looks_at_remembering_cells_stays_near_their_levels() -> None:
    """Blind bursts add their errors up over a training; verified ones do not."""
    errors = {}
    for name, scheme in SCHEMES.items():
        net = network(device=PULSED.replace(stuck_off=0.0), programming=scheme)
        step = WriteStep(net, widen=1)
        own = torch.Generator().manual_seed(3)
        for _ in range(12):
            move(net, 1.0, own)
            step()
        layers = memristive_layers(net).values()
        apart = [((a.effective - a.target) / a.step).abs().flatten() for a in layers]
        errors[name] = torch.cat(apart).mean().item()
    assert errors["verify"] < 0.5 * errors["curve"]
    assert errors["curve"] < errors["linear"]


@pytest.mark.parametrize("programming", [mho.cells.OpenLoop(), Verify(tolerance=0.3)])
def test_a_policy_that_leaves_everything_changes_nothing(
    programming: mho.cells.OpenLoop | Verify,
) -> None:
    states = []
    for policies in ([], [mho.rules.Every(1)]):
        net = network(programming=programming)
        train(net, WriteStep(net, threshold=0.6, widen=1, policies=policies), 4, seed=1)
        states.append(net.state_dict())
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=0, atol=0, equal_nan=True)


def test_there_is_room_for_more_writes_than_expected(generator: torch.Generator) -> None:
    written = []
    for threshold in (0.5, 0.0):  # the second writes all weights, of which few are expected
        net = network(programming=mho.cells.OpenLoop())
        step = WriteStep(net, widen=1, threshold=threshold)
        move(net, 2.0, torch.Generator().manual_seed(1))
        written.append(step())
    assert written[0].weights > written[0].of / 2
    assert written[1].weights == written[1].of
