"""Cells that programming cannot bring to their level are given up, and left alone from then on."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.cells import FIVE_LEVELS, PULSED_CELL
from mho import Hardware
from mho.cells import MultiLevel, OpenLoop, PulseResponse, TwoState, Verify
from mho.hardware import Crossbar
from mho.hardware.crossbar import HEALTHY, UNFORMED
from mho.hardware.programming import place, program_all, program_cells
from mho.hardware.tiling import Tiling

NOISY = FIVE_LEVELS.replace(sigma=(8e-6,), device_spread=0.05)
CELLS: dict[str, MultiLevel | PulseResponse | TwoState] = {
    "stuck": NOISY.replace(stuck_off=0.1, stuck_on=0.1),
    "worn": NOISY.replace(endurance=30.0, endurance_spread=0.5),
    "closing": NOISY.replace(endurance=40.0, endurance_spread=0.5, closing=(0.3, 0.3)),
    "pulsed": PULSED_CELL.replace(pulses=60, stuck_off=0.1, stuck_on=0.1),
    "two states": mho.devices.get("two-state-10k-100k").replace(stuck_off=0.1, stuck_on=0.1),
}
"""Ways for a cell to refuse."""
every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
every_way = pytest.mark.parametrize(
    "way", [Verify(), Verify(max_pulses=7, give_up_after=20)], ids=["default", "sooner"]
)
either = pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "torch"])


def arrays(cell: MultiLevel | PulseResponse | TwoState, way: Verify | OpenLoop) -> Crossbar:
    """Two chips of three tiles."""
    hardware = Hardware(device=cell, tile=(4, 8), programming=way)
    return Crossbar(Tiling(11, 4, (4, 8), hardware.cells), hardware, range(2), 3)


def closed_loop(xb: Crossbar, steps: int, change: float, seed: int = 0) -> None:
    """Program all cells at every step; a share of them to other levels than they had."""
    generator = torch.Generator().manual_seed(seed)
    used = xb.tiling.used().flatten().nonzero().squeeze(1)
    states = xb.hardware.device.states
    for _ in range(steps):
        held = xb.level.flatten()[used].clamp(min=0)
        other = torch.randint(states, held.shape, generator=generator)
        moves = torch.rand(held.shape, generator=generator) < change
        program_cells([(xb, used, torch.where(moves, other, held))])


def state(xb: Crossbar) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in xb.state_dict().items()}


@either
@every_way
@every_cell
def test_no_cell_that_fails_is_programmed_for_ever(
    cell: MultiLevel | PulseResponse | TwoState, way: Verify, compiled: bool
) -> None:
    xb = arrays(cell, way)
    with nullcontext() if compiled else mho.kernels.off():
        _leaves_alone(xb)


def _leaves_alone(xb: Crossbar) -> None:
    closed_loop(xb, 40, 0.3)
    given_up = xb.given_up
    assert given_up.any()
    pulses, writes, reads = xb.pulses.clone(), xb.writes.clone(), xb.reads.clone()
    held = xb.conductance.clone()
    cells = given_up.any(0).flatten().nonzero().squeeze(1)
    for level in range(xb.hardware.device.states):
        program_cells([(xb, cells, torch.full_like(cells, level))])
        assert (xb.level.flatten()[cells] == level).all()
    assert torch.equal(xb.pulses[given_up], pulses[given_up])
    assert torch.equal(xb.writes[given_up], writes[given_up])
    assert torch.equal(xb.conductance[given_up], held[given_up])
    all_chips = given_up.all(0).flatten().nonzero().squeeze(1)
    if len(all_chips):
        reads = xb.reads.clone()
        program_cells([(xb, all_chips, torch.zeros_like(all_chips))])
        assert torch.equal(xb.reads, reads)


@pytest.mark.parametrize("name", ["stuck", "pulsed", "two states"])
def test_cells_that_obey_never_know_of_the_others(name: str) -> None:
    """Same noise, same conductances, same pulses, whether cells beside them are given up or not."""
    one, other = arrays(CELLS[name], Verify()), arrays(CELLS[name], Verify(give_up_after=0))
    for xb in (one, other):
        closed_loop(xb, 25, 0.5)
    alike = ~one.given_up
    for what in ("conductance", "pulses", "writes", "fault"):
        assert torch.equal(getattr(one, what)[alike], getattr(other, what)[alike])
    assert torch.equal(one.level, other.level)
    assert not other.given_up.any()
    assert one.given_up.any()
    assert one.pulses.sum() < other.pulses.sum()


@every_cell
def test_kernels_and_torch_give_the_same_bits(cell: MultiLevel | PulseResponse | TwoState) -> None:
    one, other = arrays(cell, Verify()), arrays(cell, Verify())
    closed_loop(one, 25, 0.4)
    with mho.kernels.off():
        closed_loop(other, 25, 0.4)
    for name, value in state(one).items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_only_failures_in_a_row_count() -> None:
    xb = arrays(CELLS["stuck"], Verify())
    assert xb.failures == 3
    where = torch.tensor([int((xb.fault[0] == 2).flatten().nonzero()[0])])  # stuck on
    highest = xb.hardware.device.states - 1

    def program(level: int) -> int:
        program_cells([(xb, where, torch.tensor([level]))])
        return int(xb.misses[0].flatten()[where])

    found = [program(level) for level in (0, 0, highest, 0, 0, 0, highest, 0)]
    assert found == [1, 2, 0, 1, 2, 3, 3, 3]
    assert xb.given_up[0].flatten()[where]
    pulses = int(xb.pulses[0].flatten()[where])
    assert pulses == 5 * 20 + 1  # five failures, and one attempt that met its level


@pytest.mark.parametrize("way", [OpenLoop(), Verify(give_up_after=0)], ids=["open", "never"])
def test_who_does_not_look_or_is_told_not_to_gives_nothing_up(way: OpenLoop | Verify) -> None:
    xb = arrays(CELLS["stuck"], way)
    closed_loop(xb, 10, 0.2)
    assert not xb.given_up.any()
    used = xb.level != UNFORMED
    assert (xb.writes[:, used] == 10).all()


def test_the_map_comes_back_with_the_state_and_life_goes_on_alike() -> None:
    one, other = (arrays(CELLS["stuck"], Verify()) for _ in range(2))
    closed_loop(one, 2, 0.3)
    other.load_state_dict(one.state_dict())
    for xb in (one, other):
        closed_loop(xb, 9, 0.3, seed=7)
    assert one.given_up.any()
    for name, value in state(one).items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_a_state_of_before_there_were_maps_loads() -> None:
    one, other = (arrays(CELLS["stuck"], Verify()) for _ in range(2))
    closed_loop(one, 9, 0.3)
    before = {name: value for name, value in one.state_dict().items() if name != "misses"}
    closed_loop(other, 9, 0.3)
    assert other.given_up.any()
    other.load_state_dict(before)
    assert not other.given_up.any()
    assert torch.equal(other.pulses, one.pulses)
    with pytest.raises(RuntimeError, match="conductance"):
        other.load_state_dict({k: v for k, v in before.items() if k != "conductance"})


def test_a_map_belongs_to_the_devices_that_placement_moves() -> None:
    cell = CELLS["stuck"]
    hardware = Hardware(device=cell, tile=(11, 16), placement=mho.Placement())
    xb = Crossbar(Tiling(11, 4, (11, 16), hardware.cells), hardware, range(2), 3)
    place(xb, torch.zeros(1, 11, 4, dtype=torch.int64))
    # Both surveys failed on nobody or once on what is stuck: it did not reach one of the ends.
    stuck = (xb.fault != HEALTHY) & (xb.misses > 0)
    assert torch.equal(xb.misses > 0, stuck)
    program_all(xb, torch.full_like(xb.level, 2))
    assert (xb.misses[stuck] >= 1).all()


def test_users_see_which_cells_were_given_up(generator: torch.Generator) -> None:
    cell = CELLS["stuck"]
    model = nn.Sequential(nn.Linear(9, 4), nn.ReLU(), nn.Linear(4, 2))
    net = mho.convert(model, Hardware(device=cell, tile=(4, 8)), 2, generator=generator)
    step = mho.WriteStep(net, threshold=0)
    spent = []
    for _ in range(8):
        before = mho.ledger(net).totals()
        assert step().weights == 9 * 4 + 4 * 2  # cells given up count as written
        after = mho.ledger(net).totals()
        spent.append(after["verify_reads"] - before["verify_reads"])
    assert spent[-1] < spent[0]
    found, book = mho.hardware.fault_map(net), mho.ledger(net)
    crossbars = [m for m in net.modules() if isinstance(m, Crossbar)]
    assert list(found) == [layer.name for layer in book.layers]
    for layer, xb in zip(book.layers, crossbars, strict=True):
        places = found[layer.name]
        assert places.shape == (int(layer.given_up.sum()), 4)
        assert (xb.fault[tuple(places.T)] != HEALTHY).all()
        assert torch.equal(places[:, 0].bincount(minlength=2), layer.given_up)
    assert book.totals()["given_up"] == sum(map(len, found.values())) > 0
    with pytest.raises(ValueError, match="memristive"):
        mho.hardware.fault_map(model)


@either
@pytest.mark.parametrize("way", [OpenLoop(), Verify()], ids=["open", "verify"])
def test_a_counter_that_is_full_is_refused_before_anything_is_written(
    way: OpenLoop | Verify, compiled: bool
) -> None:
    xb = arrays(NOISY, way)
    closed_loop(xb, 1, 0.3)
    near = torch.iinfo(torch.int32).max - 3 * way.most_pulses(NOISY)
    xb.pulses[0, 0, 0, 0] = near
    xb.load_state_dict(xb.state_dict())
    before = state(xb)
    with nullcontext() if compiled else mho.kernels.off():
        closed_loop(xb, 2, 0.3)
        xb.load_state_dict(before)
        xb.pulses[0, 0, 0, 0] += 3 * way.most_pulses(NOISY)
        xb.load_state_dict(xb.state_dict())
        before = state(xb)
        with pytest.raises(OverflowError, match="its counter holds no"):
            closed_loop(xb, 1, 0.3)
    for name, value in before.items():
        assert torch.equal(value, xb.state_dict()[name]), name
    assert (xb.pulses >= 0).all()


@pytest.mark.parametrize("way", [OpenLoop(), Verify(give_up_after=0)], ids=["open", "never"])
def test_another_way_to_program_takes_over_a_state(way: OpenLoop | Verify) -> None:
    one, other = arrays(CELLS["stuck"], Verify()), arrays(CELLS["stuck"], way)
    closed_loop(one, 9, 0.3)
    other.load_state_dict(one.state_dict())
    assert not other.given_up.any()
    one.load_state_dict(other.state_dict())
    assert torch.equal(one.pulses, other.pulses)
    assert not one.given_up.any()
