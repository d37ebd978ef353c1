"""Arrays over their life: made once, written rarely, worn always a little more."""

import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from builders.cells import FIVE_LEVELS, PULSED_CELL
from builders.crossbars import program_one
from mho import Hardware
from mho.cells import MultiLevel, OpenLoop, PulseResponse, Verify
from mho.hardware import MAPPINGS, Crossbar, Tiling, mapping
from mho.hardware.crossbar import HEALTHY, STUCK_OFF, STUCK_ON, WORN
from mho.hardware.programming import program_all, program_cells

PLAIN = FIVE_LEVELS
NOISY = PLAIN.replace(sigma=(12e-6,), device_spread=0.05)
BROKEN = NOISY.replace(stuck_off=0.1, stuck_on=0.05)
FRAIL = BROKEN.replace(endurance=12.0, endurance_spread=0.4)
PULSED = PULSED_CELL.replace(
    pulses=100, cycle_spread=0.5, device_spread=0.2, stuck_off=0.05,
    endurance=600.0, endurance_spread=0.4,
)  # fmt: skip
UNEVEN = PULSED_CELL.replace(pulses=60, device_spread=0.2, stuck_off=0.05, stuck_on=0.05)
Device = MultiLevel | PulseResponse
BUFFERS = {"conductance", "level", "fault", "writes", "pulses", "_extra_state"}
BUFFERS |= {"set_pulses", "reads", "row_pulses", "row_reads", "misses", "hardware"}

DEVICES = {"plain": PLAIN, "noisy": NOISY, "frail": FRAIL, "pulsed": PULSED}
SCHEMES = {"open": OpenLoop(), "verify": Verify(tolerance=0.3)}
every_device = pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
every_scheme = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)


def crossbar(
    device: Device = NOISY,
    *,
    chips: range = range(2),
    seed: int = 5,
    shape: tuple[int, int] = (11, 7),
    programming: OpenLoop | Verify | None = None,
    name: str = "differential",
) -> Crossbar:
    hardware = Hardware(
        device=device, mapping=name, tile=(4, 8), programming=programming or Verify(tolerance=0.3)
    )
    return Crossbar(Tiling(*shape, hardware.tile, mapping(name)), hardware, chips, seed)


def random_levels(xb: Crossbar, generator: torch.Generator) -> Tensor:
    return torch.randint(xb.hardware.device.states, xb.tiling.shape, generator=generator)


def some_cells(xb: Crossbar, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Distinct cells, each with a level that it does not have."""
    cells = torch.randperm(xb.level.numel(), generator=generator)[:n]
    levels = (xb.level.flatten()[cells].long() + 1) % xb.hardware.device.states
    return cells, levels


def history(xb: Crossbar, generator: torch.Generator, events: int = 6) -> None:
    """A life: one full programming, then sparse writes."""
    program_all(xb, random_levels(xb, generator))
    for n in range(1, events):
        program_one(xb, *some_cells(xb, 5 * n, generator))


def assert_same(one: Crossbar, two: Crossbar, chip: int | None = None) -> None:
    """Same state; with `chip`, the only chip of `two` is that chip of `one`."""
    mine, theirs = one.state_dict(), two.state_dict()
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        if chip is not None and name == "_extra_state":
            value = value.clone()
            value[4] = one.chips[chip]  # the first chip; all other scalars are the same
        elif chip is not None and name not in ("level", "hardware"):
            value = value[[chip]]
        assert torch.equal(value, theirs[name]), name


@pytest.mark.parametrize("name", MAPPINGS)
@every_device
def test_chip_k_is_the_same_chip_whatever_else_is_simulated(device: Device, name: str) -> None:
    many = crossbar(device, chips=range(6), name=name)
    history(many, torch.Generator().manual_seed(1))
    for k in (0, 3, 5):
        alone = crossbar(device, chips=range(k, k + 1), name=name)
        history(alone, torch.Generator().manual_seed(1))
        assert_same(many, alone, chip=k)


def test_chips_seeds_and_events_differ() -> None:
    one, other = crossbar(seed=5), crossbar(seed=6)
    for xb in (one, other):
        program_all(xb, torch.full(xb.tiling.shape, 2))
    assert not torch.equal(one.trait_offset[0], one.trait_offset[1])
    assert not torch.equal(one.conductance[0], one.conductance[1])
    assert not torch.equal(one.conductance, other.conductance)
    before = one.conductance.clone()
    program_all(one, torch.full(one.tiling.shape, 3))
    program_all(one, torch.full(one.tiling.shape, 2))
    assert (one.conductance != before).double().mean() > 0.99


def test_writes_counted_are_cells_changed(generator: torch.Generator) -> None:
    xb = crossbar()
    first = random_levels(xb, generator)
    program_all(xb, first)
    assert (xb.writes == 1).all()
    second = torch.where(torch.rand(first.shape, generator=generator) < 0.3, first.roll(1), first)
    changed = (second != first).expand_as(xb.writes)
    before = xb.writes.clone(), xb.pulses.clone(), xb.conductance.clone()
    program_all(xb, second)
    assert torch.equal(xb.writes - before[0], changed.int())
    assert ((xb.pulses - before[1]) > 0).eq(changed).all()
    assert torch.equal(xb.conductance[~changed], before[2][~changed])
    assert torch.equal(xb.level, second.short())
    program_all(xb, second)  # nothing differs: nothing happens
    assert int((xb.writes - before[0]).sum()) == int(changed.sum())


def test_a_level_of_minus_one_leaves_the_cell_alone(generator: torch.Generator) -> None:
    xb = crossbar()
    levels = random_levels(xb, generator)
    levels[:, 0] = -1
    program_all(xb, levels)
    assert (xb.level[:, 0] == -1).all()
    assert (xb.conductance[:, :, 0] == 0).all()
    assert (xb.writes[:, :, 0] == 0).all()
    assert (xb.writes[:, :, 1:] == 1).all()


@pytest.mark.parametrize("device", [NOISY, FRAIL], ids=["noisy", "frail"])
def test_wear_only_grows(device: MultiLevel, generator: torch.Generator) -> None:
    xb = crossbar(device)
    names = ("writes", "pulses", "set_pulses")
    program_all(xb, random_levels(xb, generator))
    for _ in range(25):
        before = {name: xb.get_buffer(name).clone() for name in names}
        fault = xb.fault.clone()
        program_one(xb, *some_cells(xb, 30, generator))
        assert all((xb.get_buffer(name) >= before[name]).all() for name in names)
        assert torch.equal(xb.fault[fault != HEALTHY], fault[fault != HEALTHY])
        assert (xb.pulses >= xb.writes).all()
    assert (xb.fault == WORN).any() == (device is FRAIL)


def test_set_pulses_are_those_that_raise_a_level(generator: torch.Generator) -> None:
    xb = crossbar(programming=OpenLoop())
    first = random_levels(xb, generator)
    program_all(xb, first)
    expected = int((first > 0).sum())  # a new cell rests at the lowest level
    for n in (3, 40, 17):
        cells, levels = some_cells(xb, n, generator)
        expected += int((levels > xb.level.flatten()[cells]).sum())
        program_one(xb, cells, levels)
    assert xb.set_pulses.tolist() == [expected, expected]


def test_set_pulses_count_every_attempt() -> None:
    xb = crossbar(programming=Verify(tolerance=0.1))
    program_all(xb, torch.full(xb.tiling.shape, 2))
    assert (xb.pulses > 1).any()
    up = xb.pulses.flatten(1).sum(1)
    assert torch.equal(xb.set_pulses, up)
    program_all(xb, torch.full(xb.tiling.shape, 1))
    assert torch.equal(xb.set_pulses, up)


def test_stuck_cells_never_move(generator: torch.Generator) -> None:
    xb = crossbar(BROKEN, chips=range(40))
    low, high = BROKEN.window
    stuck = {STUCK_OFF: low, STUCK_ON: high}
    n = xb.fault.numel()
    for fault, share in ((STUCK_OFF, 0.1), (STUCK_ON, 0.05)):
        counted = int((xb.fault == fault).sum())
        assert abs(counted - share * n) < 5 * math.sqrt(n * share * (1 - share))
    fault = xb.fault.clone()
    for _ in range(4):
        program_all(xb, random_levels(xb, generator))
        for kind, g in stuck.items():
            assert torch.equal(
                xb.conductance[fault == kind], torch.full((), g).expand(int((fault == kind).sum()))
            )
    assert torch.equal(xb.fault, fault)


def test_a_stuck_cell_costs_all_attempts_unless_it_stands_where_it_should() -> None:
    scheme = Verify(tolerance=0.3, max_pulses=9)
    xb = crossbar(BROKEN.replace(stuck_off=0.5, stuck_on=0.5), programming=scheme)
    program_all(xb, torch.zeros(xb.tiling.shape, dtype=torch.int64))
    assert (xb.pulses[xb.fault == STUCK_OFF] == 1).all()  # it lands within tolerance at once
    assert (xb.pulses[xb.fault == STUCK_ON] == 9).all()
    assert torch.equal(xb.reads, xb.pulses.flatten(1).sum(1))
    pulsed = crossbar(UNEVEN.replace(stuck_off=0.5, stuck_on=0.5), programming=scheme)
    program_all(pulsed, torch.full(pulsed.tiling.shape, UNEVEN.levels - 1))
    assert (pulsed.pulses[pulsed.fault == STUCK_ON] == 0).all()  # read, found right, left alone
    far = pulsed.pulses[pulsed.fault == STUCK_OFF]
    assert (far == 9 * 60).all()  # from the bottom to the top, nine times


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_a_cell_freezes_when_its_endurance_is_spent(
    spread: float, generator: torch.Generator
) -> None:
    device = NOISY.replace(endurance=30.0, endurance_spread=spread)
    xb = crossbar(device, programming=Verify(tolerance=0.3, max_pulses=5))
    stands = xb.budget if spread else torch.full(xb.pulses.shape, 30.0)
    assert (stands.std() > 1) == (spread > 0)
    frozen = torch.zeros(xb.pulses.shape, dtype=torch.bool)
    kept = torch.zeros(xb.pulses.shape)
    for _ in range(25):
        alive = xb.conductance.clone()
        program_one(xb, *some_cells(xb, xb.level.numel() // 2, generator))
        assert torch.equal(xb.conductance[frozen], kept[frozen])
        spent = xb.pulses >= stands
        assert torch.equal(xb.fault == WORN, spent)
        new = spent & ~frozen
        kept[new] = xb.conductance[new]
        frozen = spent
        assert not torch.equal(xb.conductance[~frozen], alive[~frozen]) or frozen.all()
    assert int(frozen.sum()) > 0


def test_endurance_spreads_as_a_lognormal() -> None:
    device = PLAIN.replace(endurance=1e5, endurance_spread=0.5)
    xb = crossbar(device, chips=range(30))
    score = (xb.budget / 1e5).log().flatten() / 0.5
    assert stats.kstest(score.numpy(), "norm").pvalue > 1e-3


@pytest.mark.parametrize("programming", [OpenLoop(), Verify(tolerance=0.2)], ids=["open", "verify"])
def test_sparse_and_dense_writes_land_alike(
    programming: OpenLoop | Verify, generator: torch.Generator
) -> None:
    dense, sparse = (
        crossbar(chips=range(60), seed=seed, programming=programming) for seed in (1, 2)
    )
    target = random_levels(dense, generator)
    program_all(dense, target)
    program_all(sparse, (target + 1) % 5)
    order = torch.randperm(target.numel(), generator=generator)
    for cells in order.split(7):
        program_one(sparse, cells, target.flatten()[cells])
    assert torch.equal(dense.level, sparse.level)
    for level in range(5):
        there = target == level
        ours, theirs = (xb.conductance[:, there].flatten().numpy() for xb in (dense, sparse))
        assert stats.ks_2samp(ours, theirs).pvalue > 1e-3
    once = sparse.writes == 2
    assert once.all()


def test_cells_not_addressed_stay_bit_identical(generator: torch.Generator) -> None:
    xb = crossbar(BROKEN)
    program_all(xb, random_levels(xb, generator))
    cells, levels = some_cells(xb, 13, generator)
    names = ("conductance", "fault", "writes", "pulses")
    before = {name: xb.get_buffer(name).clone() for name in names}
    program_one(xb, cells, levels)
    others = torch.ones(xb.level.numel(), dtype=torch.bool)
    others[cells] = False
    for name in names:
        now = xb.get_buffer(name).flatten(1)[:, others]
        assert torch.equal(now, before[name].flatten(1)[:, others]), name


@every_scheme
@pytest.mark.parametrize("beyond", [0, 10**6])
def test_cells_that_do_not_exist_are_refused_and_nothing_is_programmed(
    scheme: OpenLoop | Verify, beyond: int
) -> None:
    xb = crossbar(PLAIN, programming=scheme)
    with pytest.raises(IndexError):
        program_one(xb, torch.tensor([0, xb.level.numel() + beyond]), torch.tensor([1, 2]))
    assert (xb.level == -1).all()
    assert not xb.writes.any()


def fleet(device: Device) -> list[Crossbar]:
    sizes = ((11, 7), (3, 2), (9, 9))
    return [crossbar(device, seed=k, shape=shape) for k, shape in enumerate(sizes)]


@every_device
def test_writing_together_is_writing_one_after_another(device: Device) -> None:
    together, apart = fleet(device), fleet(device)
    for crossbars in (together, apart):
        generator = torch.Generator().manual_seed(3)
        for xb in crossbars:
            program_all(xb, random_levels(xb, generator))
        for round_ in range(8):
            wanted = [(xb, *some_cells(xb, 8 * (k != round_ % 3), generator))
                      for k, xb in enumerate(crossbars)]  # fmt: skip
            if crossbars is together:
                program_cells(wanted)
            else:
                for xb, cells, levels in wanted:
                    program_one(xb, cells, levels)
    for one, other in zip(together, apart, strict=True):
        assert_same(one, other)
    program_cells([])


def test_chips_of_different_kinds_can_be_written_together(generator: torch.Generator) -> None:
    def pair() -> list[Crossbar]:
        coarse = crossbar(NOISY.replace(g_max=50e-6), seed=1, programming=OpenLoop())
        return [coarse, crossbar(NOISY, seed=2), crossbar(NOISY, seed=3, chips=range(3))]

    together, apart = pair(), pair()
    wanted = [some_cells(xb, 9, generator) for xb in together]
    program_cells([(xb, *want) for xb, want in zip(together, wanted, strict=True)])
    for xb, want in zip(apart, wanted, strict=True):
        program_one(xb, *want)
    for one, other in zip(together, apart, strict=True):
        assert_same(one, other)


def test_state_comes_back_with_counters_and_faults() -> None:
    one = crossbar(FRAIL, seed=5, chips=range(3, 5))
    two = crossbar(FRAIL, seed=6, chips=range(2))
    generator = torch.Generator().manual_seed(2)
    history(one, generator, events=12)
    one.counts.inputs, one.counts.vectors = 7, 77
    assert (one.fault == WORN).any()
    two.load_state_dict(one.state_dict())
    assert_same(one, two)
    assert (two.seed, two.counts) == (5, one.counts)
    assert two.chips == one.chips == range(3, 5)
    for xb in (one, two):  # and they live on alike: same noise, same endurance
        history(xb, torch.Generator().manual_seed(4), events=12)
    assert_same(one, two)


def test_a_state_from_before_there_were_surveys_is_read() -> None:
    one, two = crossbar(seed=5, chips=range(3, 5)), crossbar(seed=6)
    state = one.state_dict()
    state["_extra_state"] = state["_extra_state"][:5]
    two.load_state_dict(state)
    assert_same(one, two)


def test_the_keys_of_the_state_are_frozen() -> None:
    assert set(crossbar(PLAIN).state_dict()) == BUFFERS
    assert set(crossbar(FRAIL).state_dict()) == BUFFERS | {"trait_offset", "budget"}
    assert set(crossbar(UNEVEN).state_dict()) == BUFFERS | {"trait_step_factor"}
    for blind in (OpenLoop(), Verify(give_up_after=0)):
        assert set(crossbar(PLAIN, programming=blind).state_dict()) == BUFFERS - {"misses"}


def test_signed_conductance_is_the_same_dense_and_sparse(generator: torch.Generator) -> None:
    for name in MAPPINGS:
        xb = crossbar(name=name)
        history(xb, generator)
        weights = torch.randperm(77, generator=generator)[:20]
        sparse = xb.signed_at(xb.tiling.cells(weights))
        assert torch.equal(sparse, xb.signed().flatten(1)[:, weights])


def test_state_keeps_its_precision_and_layout_when_the_network_is_cast() -> None:
    one, other = crossbar(FRAIL), crossbar(FRAIL)
    one = one.to(torch.float64).half().to(memory_format=torch.channels_last)
    for xb in (one, other):
        history(xb, torch.Generator().manual_seed(6))
    assert one.conductance.dtype == torch.float32
    assert_same(one, other)
    assert crossbar().to("meta").conductance.is_meta


def test_the_default_dtype_changes_no_chip() -> None:
    one = crossbar(FRAIL)
    history(one, torch.Generator().manual_seed(7))
    torch.set_default_dtype(torch.float64)
    try:
        other = crossbar(FRAIL)
        history(other, torch.Generator().manual_seed(7))
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same(one, other)


def test_pulses_move_a_cell_from_where_it_stands(generator: torch.Generator) -> None:
    """Blind bursts along a path end where a hand with the same noise ends."""
    even = PulseResponse(g_min=10e-6, g_max=90e-6, levels=5, pulses=100)
    xb = crossbar(even, programming=OpenLoop())
    path = [random_levels(xb, generator) for _ in range(3)]
    for levels in path:
        program_all(xb, levels)
    expected = (10e-6 + 20e-6 * path[-1]).expand_as(xb.conductance)
    torch.testing.assert_close(xb.conductance, expected.float(), rtol=1e-5, atol=0)
    moves = zip([torch.zeros_like(path[0]), *path[:-1]], path, strict=True)
    way = sum((25 * (now - then)).abs() for then, now in moves)
    assert torch.equal(xb.pulses, torch.as_tensor(way).int().expand_as(xb.pulses))


def test_a_blind_burst_on_a_stuck_cell_is_no_longer_than_on_any_other() -> None:
    xb = crossbar(PULSED.replace(stuck_off=0.3, endurance=None), programming=OpenLoop())
    program_all(xb, torch.full(xb.tiling.shape, 2))
    assert (xb.fault == STUCK_OFF).any()
    assert (xb.pulses == 50).all()


# ------------------------------------------------------------------ row by row


def most_in_rows(spent: Tensor) -> list[int]:
    """Most of what any cell of a row spent (chips, tiles, rows, width), summed cell by cell."""
    totals = []
    for chip in spent.tolist():
        rows = [row for tile in chip for row in tile]
        totals.append(sum(max(row) for row in rows))
    return totals


@every_scheme
@every_device
def test_row_pulses_are_those_of_the_slowest_cell_of_each_row(
    device: Device, scheme: OpenLoop | Verify, generator: torch.Generator
) -> None:
    xb = crossbar(device, programming=scheme, chips=range(3))
    expected = torch.zeros(3, dtype=torch.int64)

    def event(n: int | None) -> None:
        before, so_far = xb.pulses.clone(), xb.row_pulses.clone()
        if n is None:
            program_all(xb, random_levels(xb, generator))
        else:
            program_one(xb, *some_cells(xb, n, generator))
        spent = xb.pulses - before
        expected.add_(torch.tensor(most_in_rows(spent)))
        assert torch.equal(xb.row_pulses, expected)
        longest = spent.flatten(1).amax(1)
        assert (xb.row_pulses - so_far >= longest).all()

    for n in (None, 1, 7, 40, xb.level.numel(), None):
        event(n)
    assert (xb.row_pulses <= xb.pulses.flatten(1).sum(1)).all()
    assert (xb.row_reads <= xb.reads).all()


@pytest.mark.parametrize("device", [NOISY, BROKEN], ids=["noisy", "broken"])
def test_row_reads_follow_the_pulses_of_cells_that_land(
    device: MultiLevel, generator: torch.Generator
) -> None:
    """A read follows each pulse; without a look none does, and each row takes one pulse."""
    verified, blind = crossbar(device), crossbar(device, programming=OpenLoop())
    touched = 0
    for n in (3, 50, 11):
        cells, levels = some_cells(verified, n, generator)
        program_one(verified, cells, levels)
        program_one(blind, cells, levels)
        touched += (cells // verified.tiling.width).unique().numel()
    assert torch.equal(verified.row_reads, verified.row_pulses)
    assert torch.equal(verified.reads, verified.pulses.flatten(1).sum(1))
    assert blind.row_pulses.tolist() == [touched] * 2
    assert blind.row_reads.tolist() == blind.reads.tolist() == [0, 0]


def test_cells_of_different_rows_save_nothing_and_those_of_one_row_all() -> None:
    xb = crossbar(NOISY, programming=Verify(tolerance=0.1))
    width, rows = xb.tiling.width, xb.tiling.tiles * xb.tiling.rows
    column = torch.arange(rows) * width + 1
    program_one(xb, column, torch.full((rows,), 3))
    assert torch.equal(xb.row_pulses, xb.pulses.flatten(1).sum(1))
    assert torch.equal(xb.row_reads, xb.reads)
    before, pulses = xb.row_pulses.clone(), xb.pulses.clone()
    program_one(xb, width * 2 + torch.arange(width), torch.full((width,), 2))
    longest = (xb.pulses - pulses).flatten(1).amax(1)
    assert torch.equal(xb.row_pulses - before, longest)


def test_a_row_waits_for_its_stuck_cell(generator: torch.Generator) -> None:
    xb = crossbar(UNEVEN, chips=range(4), programming=Verify(tolerance=0.4, max_pulses=7))
    program_all(xb, random_levels(xb, generator))
    off = (xb.conductance - UNEVEN.nominal(xb.level)).abs() > 0.4 * UNEVEN.step
    stuck_rows = ((xb.fault != HEALTHY) & off).any(-1)
    assert (xb.row_pulses >= 7 * stuck_rows.flatten(1).sum(1)).all()
    assert (xb.row_reads >= 7 * stuck_rows.flatten(1).sum(1)).all()
    assert (xb.row_reads <= 7 * stuck_rows[0].numel()).all()


# ------------------------------------------------------------------ cells that remember


def test_verified_pulses_bring_healthy_cells_near(generator: torch.Generator) -> None:
    xb = crossbar(UNEVEN.replace(pulses=200), chips=range(4))
    for _ in range(4):
        program_all(xb, random_levels(xb, generator))
        program_one(xb, *some_cells(xb, 30, generator))
        error = (xb.conductance - UNEVEN.nominal(xb.level)).abs() / UNEVEN.step
        assert (error[xb.fault == HEALTHY] <= 0.3).double().mean() > 0.99


def test_blind_bursts_are_exact_where_the_controller_knows_the_device() -> None:
    """And where it does not, the error of one write is carried into the next."""
    quiet = PulseResponse(g_min=10e-6, g_max=90e-6, levels=5, pulses=4000, nonlinearity=(3.0, 3.0))
    errors = {}
    for name, scheme in {"curve": OpenLoop(assumes="curve"), "linear": OpenLoop()}.items():
        xb = crossbar(quiet, programming=scheme)
        history(xb, torch.Generator().manual_seed(1), events=12)
        errors[name] = (xb.conductance - quiet.nominal(xb.level)).abs().max() / quiet.step
    assert errors["curve"] < 0.02
    assert errors["linear"] > 0.2


def test_a_blind_write_to_the_level_believed_moves_nothing(generator: torch.Generator) -> None:
    xb = crossbar(UNEVEN, programming=OpenLoop())
    program_all(xb, random_levels(xb, generator))
    before, writes = xb.conductance.clone(), xb.writes.clone()
    pulses, row_pulses = xb.pulses.clone(), xb.row_pulses.clone()
    cells = torch.arange(40)
    program_one(xb, cells, xb.level.flatten()[cells])
    assert torch.equal(xb.conductance, before)
    assert torch.equal(xb.pulses, pulses)
    assert torch.equal(xb.row_pulses, row_pulses)
    assert torch.equal(xb.writes, writes)  # no pulse, no write


# ------------------------------------------------------------------ reading back


@pytest.mark.parametrize("name", MAPPINGS)
def test_reading_back_counts_its_cells_and_sees_the_noise_of_one_read(
    name: str, generator: torch.Generator
) -> None:
    device = NOISY.replace(read_noise=0.05)
    xb = crossbar(device, chips=range(3), shape=(60, 50), name=name)
    program_all(xb, random_levels(xb, generator))
    cells = xb.tiling.cells(torch.arange(3000))
    state = {k: v.clone() for k, v in xb.state_dict().items()}
    once = xb.read_back(cells)
    assert once.shape == (3, 3000)
    assert torch.equal(xb.reads - state["reads"], torch.full((3,), cells.numel()))
    assert torch.equal(xb.read_back(cells), once)  # nothing was programmed in between
    rows = xb.tiling.tiles * xb.tiling.rows  # all of them, twice
    assert torch.equal(xb.row_reads - state["row_reads"], torch.full((3,), 2 * rows))
    for key, value in xb.state_dict().items():
        assert key in ("reads", "row_reads") or torch.equal(value, state[key]), key
    error = once - xb.signed_at(cells)
    low, high = device.window
    sigma = 0.05 * (high - low) * xb.tiling.mapping.read_variance**0.5
    for chip in error:
        assert chip.std().item() == pytest.approx(sigma, rel=5 / 6000**0.5)
        assert chip.mean().abs() < 5 * sigma / 3000**0.5
    program_one(xb, *some_cells(xb, 1, generator))
    later = xb.read_back(cells) - xb.signed_at(cells)
    streams = torch.cat([error, later])
    apart = torch.corrcoef(streams / sigma) - torch.eye(6)
    assert apart.abs().max() < 5 / 3000**0.5
    alone = crossbar(device, chips=range(2, 3), shape=(60, 50), name=name)
    common = ("level", "_extra_state", "hardware")
    alone.load_state_dict({k: v if k in common else v[[2]] for k, v in state.items()})
    alone.chips = range(2, 3)
    assert torch.equal(alone.read_back(cells)[0], once[2])


def test_a_quiet_read_is_the_conductance(generator: torch.Generator) -> None:
    xb = crossbar(NOISY)
    program_all(xb, random_levels(xb, generator))
    cells = xb.tiling.cells(torch.arange(9))
    assert torch.equal(xb.read_back(cells), xb.signed_at(cells))
    assert xb.read_back(cells[:0]).shape == (2, 0)
