"""Reading back what was written: what the controller believes, and what it does about it."""

import copy

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.cells import FIVE_LEVELS, PULSED_CELL
from builders.networks import mapped, move, train
from mho import Hardware, WriteStep
from mho.cells import MultiLevel, OpenLoop, PulseResponse, Verify
from mho.hardware import MAPPINGS
from mho.hardware.crossbar import HEALTHY
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.learning.rules.rule import State, Synapses, Update
from mho.learning.writing.feedback import ReadBack
from mho.rules import IntervalRule, PathImportance

IDEAL = FIVE_LEVELS
NOISY = IDEAL.replace(sigma=(8e-6,), device_spread=0.03)
STUCK = IDEAL.replace(stuck_off=0.05, stuck_on=0.05)
PULSED = PULSED_CELL.replace(device_spread=0.2, read_noise=0.01, stuck_off=0.02)

every_mapping = pytest.mark.parametrize("name", MAPPINGS)
every_pull = pytest.mark.parametrize("pull", [0.0, 1.0])


def network(device: MultiLevel | PulseResponse, chips: int = 1, **options: object) -> nn.Module:
    return mapped(chips, device=device, **({"programming": OpenLoop()} | options))


def scatter(net: nn.Module, generator: torch.Generator) -> None:
    """Shadows anywhere within the full scale."""
    with torch.no_grad():
        for layer in memristive_layers(net).values():
            share = 2 * torch.rand(layer.weight.shape, generator=generator) - 1
            layer.weight.copy_(share * layer.full_scale)


def far(layer: ArrayLayer) -> Tensor:
    """Weights (out, in) more than half a step from their shadow, and from where it counts."""
    matrix = layer.matrix()
    edge = matrix.clamp(-layer.full_scale, layer.full_scale)
    apart = torch.stack([(w - layer.target).abs() for w in (matrix, edge)])
    return (apart > 0.5 * layer.step).all(0)


def level(layer: ArrayLayer) -> Tensor:
    """Weight (out, in) of the levels that the cells were programmed to."""
    tiling, device = layer.crossbar.tiling, layer.hardware.device
    g = tiling.mapping.fold(device.nominal(layer.crossbar.level), tiling.cols, device.window)
    return tiling.join(g) * layer.scale


def cell_writes(layer: ArrayLayer) -> Tensor:
    """Programming events of each weight's own cells (weights, own)."""
    tiling = layer.crossbar.tiling
    own = tiling.cells(torch.arange(layer.target.numel()))[:, : tiling.mapping.cells_per_weight]
    return layer.crossbar.writes[0].flatten()[own]


def misses(step: WriteStep, name: str) -> Tensor:
    return step.state_dict()["feedback"][name]["misses"]


# ------------------------------------------------------------------ perfect cells


@every_mapping
def test_on_perfect_cells_a_shadow_that_stays_is_no_feedback(
    name: str, generator: torch.Generator
) -> None:
    plain, net = (network(IDEAL, mapping=name) for _ in range(2))
    steps = (
        WriteStep(plain, widen=1),
        WriteStep(net, widen=1, feedback=ReadBack(pull=0.0, retries=1)),
    )
    for _ in range(6):
        state = generator.get_state()
        counts = []
        for model, step in zip((plain, net), steps, strict=True):
            move(model, 0.4, generator.set_state(state))
            counts.append(step())
        assert counts[0] == counts[1]
        assert counts[0].weights > 0
    for a, b in zip(
        memristive_layers(plain).values(), memristive_layers(net).values(), strict=True
    ):
        assert torch.equal(a.weight, b.weight)
        assert torch.equal(a.effective, b.effective)
        assert torch.equal(a.crossbar.writes, b.crossbar.writes)
        torch.testing.assert_close(a.target, b.target, rtol=0, atol=1e-6 * a.full_scale)


@every_mapping
def test_on_perfect_cells_full_pull_sets_the_shadow_to_its_level(
    name: str, generator: torch.Generator
) -> None:
    """What feedback then forgets is the part of the shadow below one level, and nothing else."""
    by_hand, net = (network(IDEAL, mapping=name) for _ in range(2))
    step = WriteStep(net, widen=1, feedback=ReadBack(pull=1.0, retries=1))
    for _ in range(6):
        state = generator.get_state()
        move(by_hand, 0.4, generator.set_state(state))
        move(net, 0.4, generator.set_state(state))
        layers = memristive_layers(by_hand).values()
        before = [layer.target.clone() for layer in layers]
        count = mho.write(by_hand, widen=1)
        assert step() == count
        with torch.no_grad():
            for layer, old in zip(layers, before, strict=True):
                new = torch.where(layer.target != old, layer.target, layer.matrix())
                layer.weight.copy_(new.view_as(layer.weight))
    mho.write(by_hand, widen=1)
    for a, b in zip(
        memristive_layers(by_hand).values(), memristive_layers(net).values(), strict=True
    ):
        assert torch.equal(a.effective, b.effective)
        assert torch.equal(a.crossbar.writes, b.crossbar.writes)
        torch.testing.assert_close(a.weight, b.weight, rtol=0, atol=1e-5 * a.full_scale)


# ------------------------------------------------------------------ the shadow and the standing


@pytest.mark.parametrize("threshold", [0.5, 0.8])
@pytest.mark.parametrize("scheme", [OpenLoop(), Verify()], ids=["open", "verify"])
def test_full_pull_leaves_nothing_stale(
    scheme: OpenLoop | Verify, threshold: float, generator: torch.Generator
) -> None:
    device = NOISY.replace(stuck_off=0.05, read_noise=0.05)
    net = network(device, programming=scheme)
    step = WriteStep(net, widen=1, threshold=threshold, feedback=ReadBack(pull=1.0))
    for size in (0.3, 1.0, 3.0):
        move(net, size, generator)
        assert step().weights > 0
        if size < 3.0:  # nothing can have been given up yet
            assert step().weights == 0
        net(torch.zeros(1, 2, 6, 6))  # the arrays are up to date


@pytest.mark.parametrize("pull", [0.0, 0.3, 1.0])
def test_the_shadow_takes_its_share_of_the_error(pull: float, generator: torch.Generator) -> None:
    net = network(NOISY.replace(read_noise=0.02))
    step = WriteStep(net, widen=1, feedback=ReadBack(pull=pull))
    for _ in range(3):
        move(net, 0.7, generator)
        layers = memristive_layers(net).values()
        before = [(a.matrix().clone(), cell_writes(a)) for a in layers]
        step()
        for layer, (w, count) in zip(layers, before, strict=True):
            written = (cell_writes(layer) > count).any(1).view_as(w)
            expected = torch.where(written, w + pull * (layer.target - w), w)
            torch.testing.assert_close(layer.matrix(), expected, rtol=0, atol=1e-6)
            assert not torch.equal(layer.target[written], layer.effective[0][written])


@every_mapping
def test_no_pull_writes_again_until_the_weight_is_where_it_should_be(
    name: str, generator: torch.Generator
) -> None:
    net = network(NOISY, mapping=name)
    step = WriteStep(net, widen=1, feedback=ReadBack(pull=0.0, retries=1000))
    move(net, 1.0, generator)
    step()
    layers = memristive_layers(net).values()
    kept = [layer.matrix().clone() for layer in layers]
    again = []
    while True:
        wanted = [far(layer) for layer in layers]
        writes = [cell_writes(a) for a in layers]
        again.append(step().weights)
        for layer, off, before in zip(layers, wanted, writes, strict=True):
            # all cells of a weight that is off, though their levels stay, and no other
            assert torch.equal(cell_writes(layer) - before, off.view(-1, 1).expand_as(before).int())
        if again[-1] == 0:
            break
    assert len(again) > 3
    for layer, w in zip(layers, kept, strict=True):
        assert torch.equal(layer.matrix(), w)
        measured = (layer.target - level(layer)).abs() > 1e-5 * layer.step
        torch.testing.assert_close(layer.target[measured], layer.effective[0][measured])
        assert not far(layer).any()


def test_a_weight_that_reads_off_is_mended_by_a_later_gradient() -> None:
    """Full pull: the shadow starts from where the weight is; half a step on, it is written."""
    net = network(IDEAL.replace(sigma=(16e-6,)))
    step = WriteStep(net, widen=1, feedback=ReadBack())
    move(net, 1.0, torch.Generator().manual_seed(1))
    step()
    layers = memristive_layers(net)
    goal = {name: level(layer) for name, layer in layers.items()}
    off = {
        name: (layer.target - goal[name]).abs() > 0.6 * layer.step for name, layer in layers.items()
    }
    writes = {name: cell_writes(layer) for name, layer in layers.items()}
    with torch.no_grad():
        for name, layer in layers.items():
            layer.weight.copy_(goal[name].view_as(layer.weight))
    step()
    for name, layer in layers.items():
        again = (cell_writes(layer) > writes[name]).all(1).view_as(off[name])
        assert again[off[name]].all()
        assert torch.equal(level(layer), goal[name])
    assert sum(int(o.sum()) for o in off.values()) > 10


# ------------------------------------------------------------------ stuck cells


@pytest.mark.parametrize("retries", [1, 3])
@every_mapping
def test_stuck_weights_are_given_up_and_healthy_ones_are_not(
    name: str, retries: int, generator: torch.Generator
) -> None:
    net = network(STUCK, mapping=name)
    step = WriteStep(net, widen=1, feedback=ReadBack(pull=0.0, retries=retries))
    scatter(net, generator)
    step()
    layers = memristive_layers(net)
    missed = {key: misses(step, key) == 1 for key in layers}
    again = sum(int((far(layer).flatten() & missed[key]).sum()) for key, layer in layers.items())
    assert again > 5
    counts = [step().weights for _ in range(retries + 2)]
    assert counts == [again] * (retries - 1) + [0] * 3
    for key, layer in layers.items():
        missed[key] = misses(step, key) == retries
        off = (layer.effective[0] - level(layer)).abs().flatten() > 0.5 * layer.step
        assert off[missed[key]].all()
        stuck = (layer.crossbar.fault[0] != HEALTHY).flatten()
        assert stuck[layer.crossbar.tiling.cells(missed[key].nonzero()[:, 0])].any(1).all()
    writes = {key: cell_writes(layer) for key, layer in layers.items()}
    for _ in range(3):  # as long as that level is the nearest
        move(net, 0.01, generator)
        step()
    for key, layer in layers.items():
        assert ((cell_writes(layer) - writes[key])[missed[key]] == 0).all()
    for _ in range(6):
        scatter(net, generator)
        step()
    for key, layer in layers.items():  # another level, another try
        more = (cell_writes(layer) - writes[key]).amax(1)
        assert (more > 0).double().mean() > 0.95


def test_healthy_weights_are_not_lost_to_noise(generator: torch.Generator) -> None:
    """Cells that land most of a step off miss often, but no weight is given up for good."""
    net = network(IDEAL.replace(sigma=(0.05 * 80e-6,), device_spread=0.05))
    step = WriteStep(net, widen=1, threshold=0.65, feedback=ReadBack(pull=0.0))
    scatter(net, generator)
    for _ in range(6):
        step()
    layers = memristive_layers(net)
    assert sum(int((misses(step, key) >= 3).sum()) for key in layers) > 0
    before = {key: cell_writes(layer) for key, layer in layers.items()}
    for _ in range(10):
        scatter(net, generator)
        step()
    for key, layer in layers.items():
        assert ((cell_writes(layer) - before[key]).sum(1) > 0).all()


def test_only_misses_in_a_row_count() -> None:
    """All cells stand at the top: at the top a weight hits, anywhere else it misses."""
    net = network(IDEAL.replace(stuck_on=1.0), mapping="single")
    step = WriteStep(net, widen=1, threshold=0, feedback=ReadBack(pull=0.0, retries=3))
    layers = memristive_layers(net)
    seen = []
    for sign in (-1, -1, 1, -1, -1, -1, 1, -1):
        with torch.no_grad():
            for layer in layers.values():
                layer.weight.fill_(sign * layer.full_scale)
        count = step()
        seen.append(int(misses(step, "net.2").max()))
        assert count.weights == count.of
    assert seen == [1, 2, 0, 1, 2, 3, 0, 1]
    assert step().weights == step().weights == count.of
    assert step().weights == 0


@every_pull
def test_a_closed_loop_gives_up_no_weight_for_being_a_little_off(
    pull: float, generator: torch.Generator
) -> None:
    for device in (IDEAL, IDEAL.replace(sigma=(1e-6,), read_noise=0.005)):
        net = network(device)
        step = WriteStep(net, widen=1, threshold=0, feedback=ReadBack(pull=pull, retries=1))
        for _ in range(5):
            move(net, 0.2, generator)
            count = step()
            assert count.weights == count.of


# ------------------------------------------------------------------ reads


@pytest.mark.parametrize("copies", [1, 2])
@every_mapping
def test_reads_counted_are_the_cells_of_the_weights_written(
    name: str, copies: int, generator: torch.Generator
) -> None:
    terms = copies * {"differential": 2, "offset": 3, "single": 1}[name]
    for scheme in (OpenLoop(), Verify(tolerance=0.3)):
        hardware = {"mapping": name, "copies": copies, "tile": (9, 12), "programming": scheme}
        net = network(NOISY, **hardware)
        step = WriteStep(net, widen=1, feedback=ReadBack(pull=0.0))
        written = 0
        for _ in range(4):
            move(net, 0.6, generator)
            written += step().weights
        total = mho.ledger(net).totals()
        pulses = total["set_pulses"] + total["reset_pulses"]
        verifying = pulses if scheme.verifies else 0  # a read follows each pulse
        assert total["verify_reads"] == verifying + terms * written
        assert written > 100


@pytest.mark.parametrize("copies", [1, 4])
@every_mapping
def test_what_is_read_carries_the_noise_of_one_read(name: str, copies: int) -> None:
    device = IDEAL.replace(read_noise=0.03)
    hardware = Hardware(device=device, mapping=name, copies=copies, programming=OpenLoop())
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = mho.convert(nn.Linear(90, 80, bias=False), hardware)
    (layer,) = memristive_layers(net).values()
    step = WriteStep(net, widen=1, threshold=0, feedback=ReadBack(pull=0.0))
    errors = []
    for _ in range(2):
        with torch.no_grad():
            layer.weight.mul_(0.99)
        step()
        torch.testing.assert_close(layer.effective[0], level(layer), rtol=0, atol=1e-6)
        errors.append((layer.target - level(layer)).flatten() / layer.scale)
    low, high = device.window
    cells = {"differential": 2.0, "offset": 1.5, "single": 1.0}[name] / copies
    sigma = 0.03 * (high - low) * cells**0.5
    for error in errors:
        assert error.mean().abs().item() < 5 * sigma / 7200**0.5
        assert error.std().item() == pytest.approx(sigma, rel=5 / (2 * 7200) ** 0.5)
    assert torch.corrcoef(torch.stack(errors))[0, 1].abs() < 5 / 7200**0.5


# ------------------------------------------------------------------ with the rest of the library


class Watch:
    """A rule that changes nothing and remembers what it was shown."""

    def init(self, weight: Tensor) -> State:
        return {"delta": torch.zeros_like(weight)}

    def apply(self, update: Update, state: State) -> None:
        state["delta"].copy_(update.delta)

    def consolidate(self, synapses: Synapses, state: State) -> None:
        pass


@every_pull
def test_rules_are_not_shown_the_pull(pull: float, generator: torch.Generator) -> None:
    net = network(NOISY)
    step = WriteStep(net, widen=1, rules=[Watch()], feedback=ReadBack(pull=pull))
    layers = memristive_layers(net)
    for _ in range(3):
        before = {name: layer.weight.detach().clone() for name, layer in layers.items()}
        move(net, 1.0, generator)
        moved = {name: layer.weight.detach() - before[name] for name, layer in layers.items()}
        step()
        for name, layer in layers.items():
            (state,) = step.state_dict()["rules"][name]
            assert torch.equal(state["delta"], moved[name])
            if pull == 0:
                assert torch.equal(layer.weight, before[name] + moved[name])


@pytest.mark.parametrize("device", [NOISY.replace(read_noise=0.02, stuck_on=0.1), PULSED],
                         ids=["landing", "pulsed"])  # fmt: skip
@pytest.mark.parametrize("threshold", [0.6, {"net.2": 0, "": 0.5}], ids=["far", "mixed"])
@pytest.mark.parametrize("rules", [False, True], ids=["alone", "rules"])
@every_pull
def test_a_resumed_training_is_the_unbroken_one(
    device: MultiLevel | PulseResponse, threshold: float | dict, rules: bool, pull: float
) -> None:
    def start() -> tuple[nn.Module, WriteStep]:
        net = network(device, programming=Verify(tolerance=0.6))
        chain = [IntervalRule(0.5), PathImportance(0.5, 0.01)] if rules else []
        policies = [mho.rules.Budget(1000, 3)] if rules else []
        feedback = ReadBack(pull=pull, retries=2)
        parts = {"rules": chain, "policies": policies, "feedback": feedback}
        return net, WriteStep(net, threshold=threshold, widen=1, **parts)

    net, step = start()
    train(net, step, 4, seed=1, rate=0.3)
    step.consolidate()
    saved = copy.deepcopy((net.state_dict(), step.state_dict()))
    future = train(net, step, 4, seed=2, rate=0.3)
    assert sum(future) > 0
    again, resumed = start()
    again.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert train(again, resumed, 4, seed=2, rate=0.3) == future
    mine, theirs = net.state_dict(), again.state_dict()
    for name, value in mine.items():
        torch.testing.assert_close(theirs[name], value, rtol=0, atol=0, equal_nan=True)
    for a, b in zip(
        memristive_layers(net).values(), memristive_layers(again).values(), strict=True
    ):
        assert torch.equal(a.target, b.target)
        assert torch.equal(a.effective, b.effective)


def test_the_state_tells_feedback_from_none() -> None:
    net = network(IDEAL)
    state = WriteStep(net, widen=1, feedback=ReadBack()).state_dict()
    assert set(state["feedback"]) == set(memristive_layers(net))
    with pytest.raises(ValueError, match="WriteStep state"):
        WriteStep(net, widen=1).load_state_dict(state)


@every_pull
def test_pulses_toward_the_level_under_feedback(pull: float) -> None:
    """Read-back and verify together bring a training on pulse-response cells to its end."""
    net = network(PULSED, programming=Verify(tolerance=0.6))
    step = WriteStep(net, widen=1, feedback=ReadBack(pull=pull))
    x = torch.randn(32, 2, 6, 6, generator=torch.Generator().manual_seed(3))
    before = (net(x) - 1).square().mean().item()
    assert sum(train(net, step, 30, seed=3, rate=0.3)) > 0
    assert (net(x) - 1).square().mean().item() < 0.5 * before


def test_the_memory_format_changes_nothing(generator: torch.Generator) -> None:
    plain, net = network(NOISY), network(NOISY).to(memory_format=torch.channels_last)
    state = generator.get_state()
    for model in (plain, net):
        step = WriteStep(model, widen=1, feedback=ReadBack(pull=0.5))
        generator.set_state(state)
        for _ in range(3):
            move(model, 0.5, generator)
            step()
    for a, b in zip(plain.parameters(), net.parameters(), strict=True):
        assert torch.equal(a, b)


def test_several_chips_are_refused() -> None:
    with pytest.raises(ValueError, match="chips = 2: expected 1 with read-back"):
        WriteStep(network(IDEAL, chips=2), feedback=ReadBack())


@pytest.mark.parametrize("pull", [-0.1, 1.1, float("nan")])
def test_a_pull_outside_of_0_to_1_is_refused(pull: float) -> None:
    with pytest.raises(ValueError, match=r"ReadBack\.pull = .*: expected (from 0 to 1|a finite)"):
        ReadBack(pull=pull)


@pytest.mark.parametrize("retries", [0, -1, 40_000])
def test_retries_that_cannot_be_counted_are_refused(retries: int) -> None:
    with pytest.raises(ValueError, match=r"ReadBack\.retries = .*: expected from 1 to 32767"):
        ReadBack(retries=retries)
