"""Cells that nobody asked for are not kept, and are the same when somebody does."""

import copy
import io
import math
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from mho.cells import Flicker, Telegraph, Verify
from mho.hardware import Crossbar, untouched
from mho.hardware.programming import FirstWrite
from mho.hardware.untouched import Untouched, by_parts
from mho.nn import ArrayLayer

CHIPS = 5
CELLS = mho.devices.get("hfo2-1t1r")
STUCK = CELLS.replace(stuck_off=0.02, stuck_on=0.01)
HARDWARE: dict[str, dict[str, Any]] = {
    "plain": {"device": CELLS, "tile": (16, 16)},
    "stuck": {"device": STUCK, "mapping": "offset"},
    "spread": {"device": STUCK.replace(device_spread=0.05), "tile": (8, 12)},
    "worn out": {"device": STUCK.replace(endurance=1.0, endurance_spread=1.0)},
    "verified": {"device": STUCK.replace(written=None), "programming": Verify(give_up_after=1)},
    "pulsed": {"device": "hfo2-soft-bounds"},
    "ageing": {"device": "pcm-gst", "tile": (16, 16)},
    "disturbed": {"device": CELLS, "disturb": mho.cells.Disturb(half_select=0.1)},
    "slow noise": {
        "device": CELLS,
        "flicker": Flicker(amplitude=0.01),
        "telegraph": Telegraph(depth=0.1, full=1.0, empty=1.0),
    },
    "interleaved": {"device": CELLS, "wire_resistance": 2.0, "interleaved": True},
    "wires": {"device": CELLS, "wire_resistance": 2.0, "tile": (16, 16)},
    "placed": {"device": STUCK.replace(device_spread=0.05), "placement": mho.Placement()},
    "sliced": {"device": CELLS, "slices": 2, "adc_bits": 8, "copies": 2},
}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 4)).eval()


def converted(kind: str = "plain", chips: int = CHIPS, **changes: Any) -> nn.Module:
    hardware = mho.Hardware(**HARDWARE[kind] | changes)
    return mho.convert(network(), hardware, chips, generator=torch.Generator().manual_seed(1))


def arrays(net: nn.Module) -> list[Crossbar]:
    return [m.crossbar for m in net.modules() if isinstance(m, ArrayLayer)]


def untouched_in(net: nn.Module) -> set[bool]:
    return {crossbar.untouched for crossbar in arrays(net)}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return one.dtype == other.dtype and torch.equal(one.nan_to_num(), other.nan_to_num())
    return list(one) == list(other) and all(same(one[name], other[name]) for name in one)


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def apart(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chip is made on its own."""
    monkeypatch.setattr(untouched, "_CELLS", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: request.param)


@pytest.mark.usefixtures("apart")
@pytest.mark.filterwarnings("ignore:.*spread of the device")
@pytest.mark.parametrize("kind", HARDWARE)
def test_cells_are_those_of_chips_made_at_once(kind: str) -> None:
    net = converted(kind)
    assert untouched_in(net) == {True}
    for layer in (m for m in net.modules() if isinstance(m, ArrayLayer)):
        crossbar = layer.crossbar
        kept = Crossbar(crossbar.tiling, crossbar.hardware, crossbar.chips, crossbar.seed)
        assert isinstance(crossbar._first, FirstWrite)
        crossbar._first(kept)
        kept.solve_all()
        weights = kept.signed() * layer.scale
        assert torch.equal(layer.effective, weights)
        assert crossbar.counts.programmings == kept.counts.programmings
        assert crossbar.counts.surveys == kept.counts.surveys
        assert crossbar.counts.margin <= kept.counts.margin
        assert crossbar.counts.room <= kept.counts.room
        assert (crossbar.broken, crossbar.failing) == (kept.broken, kept.failing)
        state = crossbar.state_dict()
        assert not crossbar.untouched
        assert same(state, kept.state_dict())
        assert (crossbar.landing is None) == (kept.landing is None)


@pytest.mark.parametrize("kind", ["plain", "ageing", "wires", "sliced"])
def test_what_reads_the_arrays_needs_no_cells(kind: str) -> None:
    net, x = converted(kind), torch.rand(6, 20)
    labels = torch.arange(6) % 4
    mho.evaluate(net, [(x, labels)])
    mho.calibrate(net, x)
    with torch.inference_mode():
        net(x)
    net(x).sum().backward()
    mho.tune(net, x, per="column")
    assert untouched_in(net) == {True}


@pytest.mark.parametrize("kind", ["plain", "stuck", "placed", "verified"])
@pytest.mark.filterwarnings("ignore:.*spread of the device")
def test_what_is_said_of_cells_is_said_without_keeping_them(kind: str) -> None:
    net, kept = converted(kind), converted(kind)
    for crossbar in arrays(kept):
        crossbar.restore()

    def told(each: nn.Module) -> tuple[Any, ...]:
        g = mho.conductances(each)
        return str(mho.ledger(each)), mho.ledger(each).pulses_per_cell().tolist(), g

    *one, g = told(net)
    *other, held = told(kept)
    assert one == other
    assert same(g, held)
    faults = mho.hardware.fault_map(net), mho.hardware.fault_map(kept)
    assert same(*faults)
    mho.coverage(net)
    repr(net)
    mho.to_digital(net, chip=1)
    assert (untouched_in(net), untouched_in(kept)) == ({True}, {False})


def test_a_converted_chip_takes_less_than_8_bytes_a_cell_and_its_weights() -> None:
    for kind, chips in (("plain", 32), ("ageing", 32), ("wires", 32), ("plain", 1)):
        hardware = mho.Hardware(**HARDWARE[kind])
        model = nn.Sequential(nn.Linear(128, 96, bias=False))
        net = mho.convert(model, hardware, chips)
        cells = chips * math.prod(arrays(net)[0].tiling.shape)
        shadow, weights = 4 * 128 * 96, 4 * 128 * 96 * chips
        kept = len(pickle.dumps(net)) - shadow - weights
        assert kept < 8 * cells
        if chips > 1:
            assert kept < (5 if kind == "wires" else 1) * cells


Touch = Callable[[nn.Module], object]


@pytest.mark.parametrize(
    "touch",
    [
        lambda net: net.state_dict(),
        lambda net: [*net.buffers()],
        lambda net: net.load_state_dict(net.state_dict()),
        lambda net: mho.age(net, 1.0),
        lambda net: mho.rewire(net, 1.0),
        lambda net: mho.load_conductances(net, mho.conductances(net)),
        lambda net: [c.fault for c in arrays(net)],
        lambda net: [c._apply(lambda t: t.share_memory_()) for c in arrays(net)],
        lambda net: [c.ageing for c in arrays(net)],
        lambda net: [c.get_buffer("writes") for c in arrays(net)],
        lambda net: net.to("meta"),
    ],
)
def test_what_asks_for_cells_has_them(touch: Touch) -> None:
    net = converted("ageing")
    touch(net)
    assert untouched_in(net) == {False}


def test_a_write_goes_on_from_the_first() -> None:
    nets = [converted("verified", programming=mho.cells.OpenLoop()) for _ in range(2)]
    for crossbar in arrays(nets[1]):
        crossbar.restore()
    for net in nets:
        layer = next(m for m in net.modules() if isinstance(m, ArrayLayer))
        with torch.no_grad():
            layer.weight.mul_(-0.7)
        mho.write(net)
    assert False in untouched_in(nets[0])
    assert same(nets[0].state_dict(), nets[1].state_dict())


def test_copies_and_files_are_untouched_too() -> None:
    net = converted("ageing")
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    others = [copy.deepcopy(net), torch.load(file, weights_only=False)]
    net.double()
    net.float()
    assert {each for other in (net, *others) for each in untouched_in(other)} == {True}
    for other in others:
        assert arrays(other)[0] is not arrays(net)[0]
        assert same(other.state_dict(), net.state_dict())


def test_cells_asked_for_in_inference_mode_can_be_written_outside_of_it() -> None:
    net = converted()
    with torch.inference_mode():
        assert arrays(net)[0].conductance.sum() > 0
    arrays(net)[0].conductance.mul_(0.5)


def test_threads_that_ask_at_once_are_given_the_same_cells() -> None:
    crossbar, found = arrays(converted())[0], []
    asking = [threading.Thread(target=lambda: found.append(crossbar.writes)) for _ in range(4)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert len({id(each) for each in found}) == 1


def test_names_are_known_before_the_buffers() -> None:
    crossbar = arrays(converted("stuck"))[0]
    buffers = crossbar.__dict__["_buffers"]
    assert isinstance(buffers, Untouched)
    assert "fault" in buffers
    assert "weight" not in buffers
    assert not hasattr(crossbar, "weight")
    assert buffers.get("weight") is None
    with pytest.raises(KeyError):
        buffers["weight"]
    assert next(iter(buffers)) == "conductance"
    assert len(buffers) == len([*buffers])
    assert crossbar.untouched
    buffers["other"] = torch.zeros(1)
    assert "other" in crossbar._buffers
    del buffers["other"]
    assert not crossbar.untouched


def test_parts_come_in_order_and_leave_the_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = torch.get_num_threads()
    cpu = torch.device("cpu")
    for n in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda n=n: n)
        parts = by_parts(lambda part: part, 10, untouched._CELLS // 4, cpu)
        assert parts == [slice(0, 4), slice(4, 8), slice(8, 10)]
    monkeypatch.undo()
    torch.set_num_threads(threads)
    assert torch.get_num_threads() == threads
