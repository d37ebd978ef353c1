"""Placement: each chip orders its own devices, which lowers its error and changes nothing else."""

import io
from itertools import permutations, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import mho
from builders.cells import FIVE_LEVELS
from mho import Hardware, Placement
from mho.cells import MultiLevel, OpenLoop, Resistance, Spread, TwoState
from mho.hardware import MAPPINGS, Crossbar, Tiling
from mho.hardware.assignment import sources

IDEAL = FIVE_LEVELS
SPREAD = IDEAL.replace(device_spread=0.2)
STUCK = IDEAL.replace(stuck_off=0.04, stuck_on=0.04)
FRAIL = SPREAD.replace(stuck_off=0.1, endurance=500.0, endurance_spread=0.5)
BINARY = TwoState(
    r_on=Resistance(mean=10e3, device=Spread(distribution="truncated-normal", cov=1.0, lower=0.1)),
    r_off=Resistance(mean=100e3, device=Spread(cov=1.0)),
)
ALONE = {
    "polarity": Placement(columns=False, rows=False),
    "columns": Placement(polarity=False, rows=False),
    "rows": Placement(polarity=False, columns=False),
}
NOTHING = Placement(polarity=False, columns=False, rows=False)

every_mapping = pytest.mark.parametrize("name", MAPPINGS)
every_move = pytest.mark.parametrize("placement", ALONE.values(), ids=ALONE.keys())


def hardware(
    device: MultiLevel | TwoState = SPREAD, placement: Placement | None = None, **options: object
) -> Hardware:
    settings = {"tile": (7, 12), "programming": OpenLoop()} | options
    return Hardware(device=device, placement=placement, **settings)


def network(hw: Hardware, chips: range = range(3), seed: int = 1) -> nn.Module:
    """A layer of 17 inputs and 10 outputs: tiles that it does not fill, along both."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        plain = nn.Linear(17, 10)
    generator = torch.Generator().manual_seed(seed)
    return mho.convert(plain, hw, len(chips), generator=generator, first_chip=chips.start)


def arrays(net: nn.Module) -> Crossbar:
    return net.net.crossbar


def energy(net: nn.Module) -> Tensor:
    """Squared error of each chip (chips,), from what its levels give on average."""
    layer = net.net
    error = (layer.effective - layer.store.expected()) / (layer.store.scale * 80e-6)
    return error.double().square().sum((1, 2))


# ------------------------------------------------------------------ what it is for


@pytest.mark.parametrize("device", [SPREAD, STUCK, FRAIL], ids=["spread", "stuck", "frail"])
@every_mapping
def test_the_error_falls_on_every_chip(name: str, device: MultiLevel) -> None:
    before = energy(network(hardware(device, mapping=name), range(8)))
    after = energy(network(hardware(device, Placement(), mapping=name), range(8)))
    assert (after < before).all()
    assert after.mean() < 0.95 * before.mean()


@every_move
def test_each_move_alone_helps_binary_pairs(placement: Placement) -> None:
    before, after = (
        energy(network(hardware(BINARY, chosen, weight_levels=2), range(8)))
        for chosen in (None, placement)
    )
    together = energy(network(hardware(BINARY, Placement(), weight_levels=2), range(8)))
    assert (after < before).all()
    assert (together < after).all()


@pytest.mark.parametrize("copies", [1, 2])
def test_weights_move_away_from_stuck_cells(copies: int) -> None:
    away = []
    for placement in (None, Placement()):
        layer = network(hardware(STUCK, placement, copies=copies), range(8)).net
        away.append((layer.effective - layer.target).abs().mean((1, 2)))
    assert (away[1] < 0.6 * away[0]).all()


@every_mapping
def test_without_spread_nothing_moves_and_nothing_changes(
    name: str, generator: torch.Generator
) -> None:
    plain, placed = (network(hardware(IDEAL, p, mapping=name)) for p in (None, Placement()))
    torch.testing.assert_close(placed.net.effective, placed.net.target.expand(3, 10, 17))
    x = torch.randn(4, 17, generator=generator)
    assert torch.equal(placed(x), plain(x))


# ------------------------------------------------------------------ which moves are made

sizes = st.integers(1, 9)
surveys = st.fixed_dictionaries(
    {
        "shape": st.tuples(sizes, sizes),
        "tile": st.tuples(st.integers(1, 5), st.integers(6, 9)),
        "mapping": st.sampled_from(list(MAPPINGS)),
        "copies": st.integers(1, 2),
        "levels": st.sampled_from([2, 3, 5]),
        "placement": st.builds(
            Placement, polarity=..., columns=..., rows=..., rounds=st.integers(1, 3)
        ),
        "coarse": st.booleans(),
        "seed": st.integers(0, 2**31),
    }
)


class Survey:
    """Made-up cells of three chips, and the weights that they are to hold."""

    def __init__(self, case: dict) -> None:
        generator = torch.Generator().manual_seed(case["seed"])
        self.placement = case["placement"]
        device = IDEAL.replace(levels=case["levels"])
        names = ("mapping", "copies", "tile")
        self.hardware = hardware(device, **{name: case[name] for name in names})
        self.tiling = Tiling(*case["shape"], self.hardware.tile, self.hardware.cells)
        cells = torch.rand(2, 3, *self.tiling.shape, generator=generator)
        if case["coarse"]:  # stuck cells and good ones: many choices are as good
            cells = cells.round()
        self.low, self.high = cells[0] * 40e-6, 50e-6 + cells[1] * 40e-6
        self.levels = self.hardware.levels
        shape = (self.tiling.out_features, self.tiling.in_features)
        self.matrix = torch.randint(self.levels, shape, generator=generator)
        self.index = self.tiling.cut(self.matrix, -1)

    def sources(self, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
        low, high = self.low if low is None else low, self.high if high is None else high
        args = (self.index, self.tiling, self.hardware, self.placement)
        return sources(low, high, *args)

    def energy(self, source: Tensor) -> Tensor:
        """Squared error of each chip (chips,) once its cells serve as `source` says."""
        tiling, states = self.tiling, self.hardware.device.states
        level = tiling.mapping.levels(self.index.clamp(min=0), self.levels, states).double()
        low, high = (
            g.double().flatten(1).gather(1, source.flatten(1)).view_as(g)
            for g in (self.low, self.high)
        )
        g = low + level / (states - 1) * (high - low)
        window = self.hardware.device.window
        mean = self.hardware.writing.mean(self.hardware.device, level)
        error = tiling.mapping.fold(g, tiling.cols, window)
        error = tiling.join(error - tiling.mapping.fold(mean, tiling.cols, window)) / 80e-6
        return error.square().sum((1, 2))

    def identity(self) -> Tensor:
        return torch.arange(self.low[0].numel()).view(1, *self.tiling.shape).expand_as(self.low)

    def moves(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Where rows (chips, tiles, rows) and cell columns (chips, tiles, width) come from."""
        row, column = source % (self.tiling.rows * self.tiling.width), source % self.tiling.width
        row = row // self.tiling.width
        assert torch.equal(row, row[..., :1].expand_as(row))
        assert torch.equal(column, column[:, :, :1].expand_as(column))
        return row[..., 0], column[:, :, 0]


@given(surveys)
def test_the_expected_error_never_rises(case: dict) -> None:
    survey = Survey(case)
    before, after = (survey.energy(s) for s in (survey.identity(), survey.sources()))
    assert (after <= before + 1e-6).all()


@given(surveys)
def test_only_allowed_moves_are_made_alike_in_all_tiles(case: dict) -> None:
    survey = Survey(case)
    tiling, chosen, source = survey.tiling, survey.placement, survey.sources()
    for chip in source:  # an order of the chip's cells, tile by tile
        assert torch.equal(chip.flatten(1).sort(1).values.flatten(), torch.arange(chip.numel()))
    row, column = (moves.unflatten(1, tiling.grid) for moves in survey.moves(source))
    assert torch.equal(row, row[:, :, :1].expand_as(row))
    assert torch.equal(column, column[:, :1].expand_as(column))
    assert chosen.rows or torch.equal(row, torch.arange(tiling.rows).expand_as(row))
    mapping = tiling.mapping
    terms = mapping.columns(torch.arange(tiling.cols), tiling.cols)
    own, references = terms[:, : mapping.cells_per_weight], terms[:, mapping.cells_per_weight :]
    assert torch.equal(column[..., references], references.expand_as(column[..., references]))
    # The cells of a weight column come together from one weight column, in order or flipped.
    cells = column[..., own]
    place = (cells[..., :1, None] == own).any(-1).long().argmax(-1)
    straight, flip = own[place], mapping.flip
    flipped = straight[..., list(flip)] if flip is not None else straight
    same = (cells == straight).all(-1)
    assert (same | (cells == flipped).all(-1)).all()
    assert same.all() or (chosen.polarity and flip is not None)
    assert chosen.columns or torch.equal(place, torch.arange(tiling.cols).expand_as(place))


@given(surveys)
def test_the_choice_for_a_chip_is_its_own(case: dict) -> None:
    survey = Survey(case)
    together = survey.sources()
    for chip in range(3):
        low, high = survey.low[[chip]], survey.high[[chip]]
        assert torch.equal(survey.sources(low, high), together[[chip]])


@given(surveys)
def test_what_is_placed_stays(case: dict) -> None:
    survey = Survey(case | {"placement": case["placement"].replace(rounds=20)})
    source = survey.sources().flatten(1)
    low, high = (g.flatten(1).gather(1, source).view_as(g) for g in (survey.low, survey.high))
    assert torch.equal(survey.sources(low, high), survey.identity())


def test_ties_are_resolved_alike_whatever_else_is_simulated() -> None:
    """Equal cells, some of them stuck, on large tiles: sums whose order would show in last bits."""
    equal = TwoState(r_on=Resistance(mean=10e3), r_off=Resistance(mean=100e3))
    device = equal.replace(stuck_off=0.02, stuck_on=0.02)
    hw = Hardware(device=device, weight_levels=2, programming=OpenLoop(), placement=Placement())
    plain = nn.Linear(800, 64, bias=False)
    nn.init.normal_(plain.weight, generator=torch.Generator().manual_seed(0))

    def faults(first: int, chips: int) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        net = mho.convert(plain, hw, chips, generator=generator, first_chip=first)
        return arrays(net).fault

    together = faults(0, 3)
    assert torch.equal(torch.cat([faults(k, 1) for k in range(3)]), together)


@pytest.mark.parametrize("weights", [1, 300])
def test_chips_worked_on_in_parts_are_the_same(
    weights: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = arrays(network(hardware(FRAIL, Placement()), range(5)))
    monkeypatch.setattr("mho.hardware.assignment._TOGETHER", weights)
    in_parts = arrays(network(hardware(FRAIL, Placement()), range(5)))
    assert torch.equal(in_parts.trait_offset, together.trait_offset)


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.sampled_from(["rows", "columns", "polarity"]))
def test_the_least_error_of_all_is_found(seed: int, move: str) -> None:
    """One tile, one kind of move: compared with trying every one."""
    placement = Placement(rows=False) if move == "columns" else ALONE[move]
    survey = Survey(
        {
            "shape": (4, 3), "tile": (4, 6), "mapping": "differential", "copies": 1, "levels": 3,
            "placement": placement, "coarse": False, "seed": seed,
        }
    )  # fmt: skip
    cell, size = survey.identity().view(3, 4, 3, 2), 4 if move == "rows" else 3
    signs = product([False, True], repeat=3) if move != "rows" else [(False,) * 3]
    orders = permutations(range(size)) if move != "polarity" else [(0, 1, 2)]
    tried = []
    for order, sign in product(orders, signs):
        moved = cell[:, list(order)] if move == "rows" else cell[:, :, list(order)]
        moved = torch.where(torch.tensor(sign).unsqueeze(1), moved.flip(-1), moved)
        tried.append(survey.energy(moved.reshape(3, 1, 4, 6)))
    best = torch.stack(tried).amin(0)
    torch.testing.assert_close(survey.energy(survey.sources()), best, rtol=0, atol=1e-7)


def test_spare_places_are_used() -> None:
    """17 inputs on tiles of 6 leave a spare row: it takes the place of a broken one."""
    survey = Survey(
        {
            "shape": (17, 3), "tile": (7, 6), "mapping": "differential", "copies": 1, "levels": 5,
            "placement": ALONE["rows"], "coarse": False, "seed": 0,
        }
    )  # fmt: skip
    survey.low[:], survey.high[:] = IDEAL.window
    assert (survey.tiling.grid, survey.tiling.rows) == ((3, 1), 6)
    survey.high[:, 2, 1] = survey.low[:, 2, 1]
    row, _ = survey.moves(survey.sources())
    assert (row[:, 2, 5] == 1).all()
    assert torch.equal(row[:, :2], torch.arange(6).expand(3, 2, 6))
    torch.testing.assert_close(survey.energy(survey.sources()), torch.zeros(3).double())


# ------------------------------------------------------------------ what is counted and kept


@pytest.mark.parametrize("programming", [OpenLoop(), mho.cells.Verify(tolerance=0.2)])
def test_the_survey_is_written_read_and_counted(programming: OpenLoop | mho.cells.Verify) -> None:
    device = STUCK.replace(sigma=(8e-6,))
    net = network(hardware(device, Placement(), programming=programming))
    xb, used = arrays(net), arrays(net).tiling.used()
    assert (xb.counts.surveys, xb.counts.programmings) == (2, 3)
    # A cell that is to rest at the lowest level is there already after the survey.
    assert torch.equal(xb.writes, (2 + (xb.level > 0).int()).expand_as(xb.writes))
    assert (xb.writes[:, ~used] == 2).all()
    assert (xb.level[~used] == 0).all()
    (layer,) = mho.ledger(net).layers
    pulses = xb.pulses.flatten(1).sum(1)
    assert (used.sum(), xb.level.numel()) == (340, 360)
    assert layer.cells == 340
    assert torch.equal(layer.writes, xb.writes.flatten(1).sum(1))
    assert torch.equal(layer.set_pulses + layer.reset_pulses, pulses)
    assert torch.equal(layer.verify_reads, pulses * programming.verifies + 2 * 360)
    unplaced = mho.ledger(network(hardware(device, programming=programming))).layers[0]
    assert torch.equal(
        unplaced.verify_reads, unplaced.pulses_per_cell.sum(1) * programming.verifies
    )
    assert unplaced.writes.tolist() == [340] * 3


def test_devices_move_as_wholes() -> None:
    """The traits, faults and endurances of a tile are those it was made with, in another order."""
    plain, placed = (arrays(network(hardware(FRAIL, p), range(4))) for p in (None, Placement()))

    def devices(xb: Crossbar) -> list[list[tuple[float, ...]]]:
        made = torch.stack((xb.trait_offset, xb.budget, (xb.fault == 1).float()), -1)
        return [sorted(map(tuple, tile.tolist())) for tile in made.flatten(2, 3).flatten(0, 1)]

    assert devices(placed) == devices(plain)
    assert not torch.equal(placed.trait_offset, plain.trait_offset)
    assert torch.equal(placed.level[placed.tiling.used()], plain.level[placed.tiling.used()])


@pytest.mark.parametrize("device", [FRAIL, STUCK], ids=["frail", "stuck"])
def test_chip_k_is_the_same_chip_whatever_else_is_simulated(device: MultiLevel) -> None:
    many = arrays(network(hardware(device, Placement()), range(6)))
    for k in (0, 2, 5):
        alone = arrays(network(hardware(device, Placement()), range(k, k + 1)))
        assert torch.equal(alone.set_pulses, many.set_pulses[[k]])
        for name, value in alone.named_buffers():
            if value.dim() == 4:
                assert torch.equal(value, many.get_buffer(name)[[k]]), name


@every_mapping
@pytest.mark.parametrize("copies", [1, 2])
def test_writes_go_on_as_on_any_chip(name: str, copies: int, generator: torch.Generator) -> None:
    net = network(hardware(IDEAL, Placement(), mapping=name, copies=copies))
    layer = net.net
    for _ in range(3):
        with torch.no_grad():
            layer.weight.copy_(torch.randn(10, 17, generator=generator) / 4)
        mho.write(net)
        torch.testing.assert_close(layer.effective, layer.target.expand(3, 10, 17))
    assert arrays(net).counts.surveys == 2


def test_state_comes_back_and_nothing_is_placed_again(generator: torch.Generator) -> None:
    hw = hardware(FRAIL.replace(read_noise=0.02), Placement())
    one, other = network(hw, range(3, 6)), network(hw, range(3), seed=9)
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    x = torch.randn(4, 17, generator=generator)
    for _ in range(2):
        assert torch.equal(one(x), other(x))
        traits = arrays(one).trait_offset.clone()
        for net in (one, other):
            with torch.no_grad():
                net.net.weight.neg_()
            net.net.program()
        assert torch.equal(arrays(one).trait_offset, traits)
        for name, value in arrays(one).named_buffers():
            assert torch.equal(value, arrays(other).get_buffer(name)), name
    assert arrays(one).counts.surveys == arrays(other).counts.surveys == 2


def test_a_survey_that_may_move_nothing_moves_nothing() -> None:
    plain, surveyed = (arrays(network(hardware(FRAIL, p))) for p in (None, NOTHING))
    assert torch.equal(surveyed.trait_offset, plain.trait_offset)
    assert surveyed.counts.surveys == 2


def test_convolutions_are_placed_too(generator: torch.Generator) -> None:
    plain, x = nn.Conv2d(3, 5, 3), torch.randn(2, 3, 6, 6, generator=generator)
    hw = hardware(STUCK, weight_levels=3)
    nets = [
        mho.convert(plain, hw.replace(placement=p), 4, generator=torch.Generator().manual_seed(1))
        for p in (None, Placement())
    ]
    before, after = (energy(net) for net in nets)
    assert (after < before).all()
    assert nets[1](x).shape == (4, 2, 5, 4, 4)
