"""A network on an instrument: what the simulated layer computes, through measured currents."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from builders.instruments import CELL, QUICK, chip, serving
from mho.hardware import MAPPINGS
from mho.instruments import (
    Instrument,
    InstrumentError,
    InstrumentLost,
    Outcome,
    RemoteInstrument,
    SimulatedInstrument,
)
from mho.learning.layers.layer import memristive_layers

IDEAL = mho.cells.MultiLevel(g_min=50e-6, g_max=225e-6, levels=16)
HARDWARE = mho.Hardware(
    device=CELL, tile=(16, 12), transposed=False, dac_bits=8, adc_bits=8, full_scale=3.0
)


def small() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 3))


def convolutional() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Unflatten(1, (1, 4, 5)),
            nn.Conv2d(1, 3, 3, stride=(1, 2), padding=1),
            nn.ReLU(),
            nn.Conv2d(3, 2, 2, padding="same"),
            nn.Flatten(),
            nn.Linear(24, 3),
        )


def images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(30, 20, generator=generator), torch.arange(30) % 3


def mapped(make: Callable[[], nn.Module], hardware: mho.Hardware) -> nn.Module:
    return mho.convert(make(), hardware, generator=torch.Generator().manual_seed(5))


class Training:
    """A few steps of the Siamese loop."""

    def __init__(self, net: nn.Module, **options: Any) -> None:
        self.net, (self.x, self.y) = net, images()
        self.write = mho.WriteStep(net, **({"threshold": 0.65, "widen": 1} | options))
        self.optimizer = torch.optim.SGD(net.parameters(), 0.3, 0.9)

    def step(self) -> tuple[float, int]:
        """Loss and weights written."""
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.net(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss.item(), self.write().weights

    def steps(self, n: int) -> list[tuple[float, int]]:
        mho.calibrate(self.net, self.x)
        return [self.step() for _ in range(n)]


def on(instrument: Instrument, hardware: mho.Hardware = HARDWARE, **options: Any) -> Training:
    net = mapped(small, hardware)
    mho.attach(net, instrument)
    return Training(net, **options)


@pytest.mark.parametrize(
    "programming", [mho.cells.OpenLoop(), mho.cells.Verify()], ids=["blind", "verified"]
)
def test_writes_reach_the_instrument(programming: Any) -> None:
    instrument = chip(IDEAL)
    exact = HARDWARE.replace(device=IDEAL, programming=programming, dac_bits=None, adc_bits=None)
    training = on(instrument, exact, threshold=0.5)
    (first, _), before = memristive_layers(training.net).values(), instrument.report().changes
    assert sum(written for _, written in training.steps(3)) > 0
    assert instrument.report().changes > before
    stands = F.linear(training.x, first.target, first.bias)
    torch.testing.assert_close(first(training.x), stands, rtol=1e-4, atol=1e-4)


# ------------------------------------------------------------------ the same layer

VARIANTS: dict[str, dict[str, Any]] = {
    **{name: {"mapping": name} for name in MAPPINGS},
    "exact": {"dac_bits": None, "adc_bits": None},
    "tiles add up": {"adc_per_tile": False},
    "slices": {"slices": 2, "tile": (16, 24)},
    "copies": {"copies": 2, "tile": (16, 24)},
    "bit by bit": {"serial_inputs": True, "dac_bits": 4},
}


@pytest.mark.parametrize("make", [small, convolutional])
@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS.keys())
def test_ideal_cells_train_as_the_simulated_layer(
    make: Callable[[], nn.Module], options: dict[str, Any]
) -> None:
    hardware = HARDWARE.replace(**({"device": IDEAL, "full_scale": None} | options))
    simulated, measured = mapped(make, hardware), mapped(make, hardware)
    instrument = chip(IDEAL, tile=hardware.tile, arrays=24)
    mho.attach(measured, instrument)
    told = [Training(net).steps(4) for net in (simulated, measured)]
    # A converter may round a value at the edge between two codes the other way.
    apart = 1e-5 if hardware.adc_bits is None else 2e-3
    for (a, written), (b, as_many) in zip(*told, strict=True):
        assert a == pytest.approx(b, abs=apart)
        assert written == pytest.approx(as_many, abs=1 + 0.02 * written)
    assert sum(written for _, written in told[0]) > 20
    counts = [mho.ledger(net).totals() for net in (simulated, measured)]
    for name in ("cells", "vectors", "cell_reads", "adc_conversions", "dac_conversions"):
        assert counts[0][name] == counts[1][name]
    report = instrument.report()
    assert counts[1]["set_pulses"] == report.set_pulses
    assert counts[1]["reset_pulses"] == report.reset_pulses
    assert counts[1]["verify_reads"] == report.verify_reads


def test_exact_reads_are_products_with_the_cells() -> None:
    exact = HARDWARE.replace(dac_bits=None, adc_bits=None)
    instrument = chip(CELL.replace(read_noise=0.0))
    net = mapped(small, exact)
    mho.attach(net, instrument)
    x, _ = images()
    first = memristive_layers(net)["0"]
    # What a verifying chip reported is what it holds.
    torch.testing.assert_close(first(x), F.linear(x, first.effective[0], first.bias))


# ------------------------------------------------------------------ over the socket


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("make", [small, convolutional])
def test_exactly_the_outputs_that_depend_on_nan_are_nan(
    make: Callable[[], nn.Module], variant: str
) -> None:
    hardware = HARDWARE.replace(**{"device": IDEAL} | VARIANTS[variant])
    net = mapped(make, hardware).eval()
    mho.attach(net, chip(IDEAL, tile=hardware.tile, arrays=24))
    x, _ = images()
    mho.calibrate(net, x)
    y = net(x)
    x[3, 2] = torch.nan
    found = net(x)
    assert found.isnan().all(1).nonzero().flatten().tolist() == [3]
    clean = torch.arange(len(x)) != 3
    torch.testing.assert_close(found[clean], y[clean], rtol=1e-4, atol=1e-4)


def test_training_over_the_socket_ends_with_the_same_numbers() -> None:
    in_process = on(chip()).steps(6)
    faults = [*[""] * 5, "cut", *[""] * 9, "deaf", "mute", *[""] * 4, "noise"]
    with (
        serving(chip(), faults=faults) as server,
        RemoteInstrument(*server.address, QUICK) as instrument,
    ):
        assert on(instrument).steps(6) == in_process
        assert instrument.repeats == 4
    assert sum(written for _, written in in_process) > 20


def test_a_step_that_failed_is_finished_when_the_chip_is_back() -> None:
    unbroken = on(chip()).steps(6)
    with (
        serving(chip()) as server,
        RemoteInstrument(*server.address, QUICK.replace(attempts=1)) as instrument,
    ):
        training = on(instrument)
        told = training.steps(2)
        for _ in range(4):
            training.optimizer.zero_grad()
            loss = F.cross_entropy(training.net(training.x), training.y)
            loss.backward()
            training.optimizer.step()
            # The first layer is written; the answer to the second is lost.
            server.faults = ["", "cut"]
            with pytest.raises(InstrumentLost):
                training.write()
            with pytest.raises(RuntimeError, match="arrays were not written"):
                training.net(training.x)
            training.write()
            told.append((loss.item(), 0))
    # Cells of the second layer were programmed twice, so that its numbers are others.
    assert [loss for loss, _ in told[:3]] == [loss for loss, _ in unbroken[:3]]
    assert [a for a, _ in told] == pytest.approx([a for a, _ in unbroken], abs=0.05)
    for layer in memristive_layers(training.net).values():
        steps = (layer.weight.detach() - layer.target).abs() / layer.step
        inside = layer.weight.detach().abs() < layer.full_scale
        assert steps[inside].max() <= 0.65 + 1e-4


def test_a_layer_half_of_which_was_written_knows_it() -> None:
    few = chip(IDEAL)
    few._chip = few._chip.replace(cells=5)
    training = on(few, HARDWARE.replace(device=IDEAL), threshold=0.5)
    training.steps(3)
    plain, calls = few.program, iter(range(100))

    def program(cells: Tensor, targets: Tensor) -> Any:
        if next(calls) == 2:
            raise InstrumentLost("unplugged")
        return plain(cells, targets)

    few.program = program  # type: ignore[method-assign]
    before = few.report().changes
    with pytest.raises(InstrumentLost):
        training.step()
    assert few.report().changes == before + 2
    assert training.write().weights > 0
    for layer in memristive_layers(training.net).values():
        weight = layer.weight.detach().clamp(-layer.full_scale, layer.full_scale)
        assert ((weight - layer.target).abs() / layer.step).max() <= 0.5 + 1e-4
        torch.testing.assert_close(layer.effective[0], layer.target)


def test_a_chip_that_takes_few_at_a_time_changes_nothing_else() -> None:
    few = chip(IDEAL)
    few._chip = few._chip.replace(vectors=7, cells=5)
    hardware = HARDWARE.replace(device=IDEAL)
    whole = on(chip(IDEAL), hardware)
    parts = on(few, hardware)
    assert parts.steps(3) == whole.steps(3)
    assert few.report().changes > 60


# ------------------------------------------------------------------ cells that refuse


def test_cells_that_refuse_are_retried_then_left_alone() -> None:
    stuck = CELL.replace(stuck_off=0.03, stuck_on=0.03)
    instrument = chip(stuck)
    net = mapped(small, HARDWARE)
    attached = mho.attach(net, instrument, retries=1)
    training = Training(net)
    losses = [loss for loss, _ in training.steps(12)]
    assert losses[-1] < losses[0] - 0.1
    given_up = attached.refused()
    assert sum(map(len, given_up.values())) > 3
    fault = instrument.crossbar.fault[0]
    assert all(fault[cell] > 0 for cells in given_up.values() for cell in cells)
    for name, layer in memristive_layers(net).items():
        assert int((layer.crossbar.fault > 0).sum()) == len(given_up[name])
    # Two tries of as many pulses as the chip spends, however long training goes on.
    most = 2 * mho.cells.Verify().max_pulses
    for cell in given_up["0"]:
        assert instrument.crossbar.pulses[(0, *cell)] <= most + 12


# ------------------------------------------------------------------ reading cells, states


def test_read_back_reads_the_chip() -> None:
    quiet = CELL.replace(read_noise=0.0)
    instrument = chip(quiet, programming=mho.cells.OpenLoop())
    net = mapped(small, HARDWARE)
    mho.attach(net, instrument)
    layer = memristive_layers(net)["0"]
    believed = layer.target.flatten()
    held = layer.store.read_back(torch.arange(160))
    assert (held - believed).abs().max() > 0.01 * layer.full_scale
    g = instrument.crossbar.conductance
    where = layer.crossbar.arrays.addresses(
        layer.crossbar.tiling.cells(torch.arange(160)).flatten()
    )
    plus, minus = g[0][tuple(where.long().T)].view(160, 2).T
    torch.testing.assert_close(held, (plus - minus) * layer.scale)
    training = Training(net, feedback=mho.rules.ReadBack())
    losses = [loss for loss, _ in training.steps(8)]
    assert losses[-1] < losses[0]


def test_a_state_goes_on_exactly_unless_the_chip_was_changed() -> None:
    instrument = chip()
    training = on(instrument)
    training.steps(3)
    attached = mho.attach(copy.deepcopy(training.net), instrument, program=False)
    state = {
        "net": training.net.state_dict(),
        "write": training.write.state_dict(),
        "optimizer": copy.deepcopy(training.optimizer.state_dict()),
        "chip": attached.state_dict(),
    }
    state = copy.deepcopy(state)
    kept = instrument.state_dict()
    kept = copy.deepcopy(kept)
    unbroken = [training.step() for _ in range(2)]

    def resumed(chip: SimulatedInstrument) -> tuple[Training, Any]:
        net = mapped(small, HARDWARE)
        attached = mho.attach(net, chip, program=False)
        again = Training(net)
        net.load_state_dict(state["net"])
        again.write.load_state_dict(state["write"])
        again.optimizer.load_state_dict(state["optimizer"])
        attached.load_state_dict(state["chip"])
        return again, attached

    before = chip()
    before.load_state_dict(kept)
    again, attached = resumed(before)
    assert not attached.surveyed
    assert [again.step() for _ in range(2)] == unbroken

    again, attached = resumed(instrument)
    assert attached.surveyed
    layer = memristive_layers(again.net)["0"]
    held = instrument.crossbar.conductance[0, 0, :10, :8]
    noise = 5 * 0.01 * (CELL.g_max - CELL.g_min)
    assert (layer.crossbar.conductance[0, 0] - held).abs().max() < noise
    for loss, _ in [again.step() for _ in range(3)]:
        assert loss < unbroken[0][0] + 0.1


def test_a_copy_of_a_network_runs_on_the_same_arrays() -> None:
    training = on(chip(IDEAL), HARDWARE.replace(device=IDEAL, adc_bits=None, dac_bits=None))
    twin = copy.deepcopy(training.net)
    assert torch.equal(twin(training.x), training.net(training.x))
    layer = memristive_layers(twin)["0"]
    assert layer.crossbar.arrays is memristive_layers(training.net)["0"].crossbar.arrays
    with pytest.raises(InstrumentError, match="save its state_dict"):
        pickle.dumps(twin)


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"transposed": True}, "Hardware.transposed = True"),
        ({"wire_resistance": 1.0}, "Hardware.wire_resistance = 1.0"),
        ({"placement": mho.Placement()}, "Hardware.placement"),
        ({"retention": mho.cells.PowerLaw(nu=0.1)}, "Hardware.retention"),
        ({"device": IDEAL.replace(g_max=200e-6)}, "window, high = 0.0002: expected 0.000225"),
        ({"device": IDEAL.replace(levels=9)}, "levels = 9: .*the 16 levels of the chip"),
        ({"tile": (20, 12)}, "20 x 8"),
        ({"tile": (4, 4)}, "arrays needed = [0-9]+: expected at most the 8"),
    ],
)
def test_a_network_that_does_not_fit_the_chip_is_refused(
    changes: dict[str, Any], said: str
) -> None:
    net = mapped(small, HARDWARE.replace(**changes))
    before = [layer.crossbar for layer in memristive_layers(net).values()]
    with pytest.raises(ValueError, match=said):
        mho.attach(net, chip())
    assert [layer.crossbar for layer in memristive_layers(net).values()] == before


def test_one_chip_and_no_wires_of_ours() -> None:
    with pytest.raises(ValueError, match="chips = 2"):
        mho.attach(mho.convert(small(), HARDWARE, 2), chip())
    with pytest.raises(ValueError, match="retries = -1"):
        mho.attach(mapped(small, HARDWARE), chip(), retries=-1)
    with pytest.raises(ValueError, match="an instrument has wires of its own"):
        mho.rewire(on(chip()).net, 5.0)


def test_a_window_that_is_outgrown_is_widened_on_the_instrument() -> None:
    instrument = chip(IDEAL)
    exact = HARDWARE.replace(device=IDEAL, dac_bits=None, adc_bits=None, full_scale=None)
    training = on(instrument, exact, threshold=0.5, widen=0.05)
    (first, *_) = memristive_layers(training.net).values()
    before, changes, edge = first.target.clone(), instrument.report().changes, first.full_scale
    with torch.no_grad():
        first.weight.mul_(3)
    assert training.write().widened == ("0",)
    assert first.full_scale in (2 * edge, 4 * edge)
    assert instrument.report().changes > changes
    stands = F.linear(training.x, first.target, first.bias)
    torch.testing.assert_close(first(training.x), stands, rtol=1e-4, atol=1e-4)
    assert (first.target - 3 * before).abs().max() <= first.step


@pytest.mark.parametrize(
    "odd",
    [
        lambda o: o._replace(conductance=o.conductance[:-1]),
        lambda o: o._replace(conductance=-o.conductance),
        lambda o: o._replace(conductance=o.conductance / 0),
        lambda o: o._replace(pulses=-1 - o.pulses),
        lambda o: o._replace(reads=-1 - o.reads),
        lambda o: o._replace(refused=o.refused.view(-1, 1)),
    ],
)
def test_an_answer_that_cannot_be_is_not_recorded(odd: Callable[[Outcome], Outcome]) -> None:
    instrument = chip()
    training = on(instrument)
    (layer, *_) = memristive_layers(training.net).values()
    before = {name: value.clone() for name, value in layer.crossbar.named_buffers()}
    program = instrument.program
    instrument.program = lambda *given: odd(program(*given))  # type: ignore[method-assign]
    with torch.no_grad():
        layer.weight.mul_(-1.0)
    with pytest.raises(InstrumentError, match="cells"):
        mho.write(training.net)
    after = dict(layer.crossbar.named_buffers())
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_currents_of_another_shape_are_no_answer() -> None:
    instrument = chip()
    training = on(instrument)
    mho.calibrate(training.net, training.x)
    read = instrument.read
    instrument.read = lambda *given: read(*given)[..., :-1]  # type: ignore[method-assign]
    with torch.no_grad(), pytest.raises(InstrumentError, match="currents"):
        training.net(training.x)
