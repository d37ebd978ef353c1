"""Every mapping, its copies and slices, against every property: on ideal cells a level is exact."""

from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from builders.crossbars import program_one
from mho import Hardware
from mho.hardware import MAPPINGS, Crossbar, Mapping, Tiling, mapping
from mho.hardware.programming import program_all
from mho.physics import MultiLevel

STATES = (2, 3, 4, 9, 16, 33)
COPIES = (1, 2, 3)
MEMBERS = MAPPINGS | {f"{n} x{k}": m.copied(k) for n, m in MAPPINGS.items() for k in COPIES[1:]}

RADICES = {2: (1, 2, 4), 3: (2, 3), 4: (2, 3), 9: (2,)}
"""Slices whose weight levels are few enough to try them all, by the levels of a cell."""
SLICED = {
    (f"{n} in {k} base {radix}", radix): m.sliced(k, radix)
    for n, m in (MAPPINGS | {"offset x2": mapping("offset").copied(2)}).items()
    for radix, slices in RADICES.items()
    for k in slices
}
CASES = [(m, s) for m in MEMBERS.values() for s in STATES]
CASES += [(m, s) for (_, s), m in SLICED.items()]
NAMES = [f"{n}-{s}" for n in MEMBERS for s in STATES] + [name for name, _ in SLICED]

of_cells = pytest.mark.parametrize(("cells", "states"), CASES, ids=NAMES)
EVERY = MEMBERS | {name: m for (name, _), m in SLICED.items()}
every_mapping = pytest.mark.parametrize("cells", EVERY.values(), ids=EVERY.keys())


def legal(cells: Mapping, states: int) -> list[int]:
    most = cells.weight_levels(states)
    out = []
    for n in range(2, most + 1):
        try:
            cells.check_levels(n, states)
        except ValueError:
            continue
        out.append(n)
    return out


def conductance(states: int, level: Tensor) -> tuple[Tensor, tuple[float, float]]:
    cell = MultiLevel(g_min=7e-6, g_max=93e-6, levels=states)
    return cell.nominal(level.double()), cell.window


@of_cells
def test_ideal_cells_give_the_weight_on_its_grid(cells: Mapping, states: int) -> None:
    for n in legal(cells, states):
        index = torch.arange(n).repeat(3, 1)
        level = cells.levels(index, n, states)
        assert level.shape == (3, cells.width(n))
        assert level.dtype == index.dtype
        assert level.min() >= 0
        assert level.max() <= states - 1
        g, window = conductance(states, level)
        weight = cells.fold(g, n, window) / (cells.span * (window[1] - window[0]))
        grid = (2 * torch.arange(n, dtype=torch.float64) - (n - 1)) / (n - 1)
        torch.testing.assert_close(weight, grid.expand(3, n), rtol=0, atol=1e-12)


@of_cells
def test_own_cells_are_those_of_the_layout(cells: Mapping, states: int) -> None:
    n = cells.weight_levels(states)
    index = torch.arange(n).flip(0).repeat(2, 1)
    level = cells.levels(index, n, states)
    columns = cells.columns(torch.arange(n), n)
    own = level[:, columns[:, : cells.cells_per_weight]]
    assert torch.equal(cells.own_levels(index, n, states), own)


@every_mapping
def test_combine_is_fold_for_single_weights(cells: Mapping, generator: torch.Generator) -> None:
    cols, window = 6, (1e-6, 9e-5)
    g = torch.rand(2, 3, 4, cells.width(cols), generator=generator) * 1e-4
    columns = cells.columns(torch.arange(cols), cols)
    assert columns.max() < cells.width(cols)
    each = cells.combine(g[..., columns], window)
    assert torch.equal(each, cells.fold(g, cols, window))


@every_mapping
def test_no_two_weights_share_an_own_cell(cells: Mapping) -> None:
    own = cells.columns(torch.arange(9), 9)[:, : cells.cells_per_weight].flatten()
    assert own.unique().numel() == own.numel()


@of_cells
def test_flipping_its_own_cells_negates_a_weight(
    cells: Mapping, states: int, generator: torch.Generator
) -> None:
    if cells.flip is None:
        return
    n, own = cells.weight_levels(states), cells.cells_per_weight
    index, flip = torch.arange(n), list(cells.flip)
    assert sorted(flip) == list(range(own))
    negated = cells.own_levels(n - 1 - index, n, states)
    assert torch.equal(negated[:, flip], cells.own_levels(index, n, states))
    g = torch.rand(5, cells.columns(index, n).shape[1], generator=generator)
    flipped = torch.cat((g[:, :own][:, flip], g[:, own:]), dim=1)
    assert torch.equal(cells.combine(flipped, (0.0, 1.0)), -cells.combine(g, (0.0, 1.0)))


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("copies", COPIES)
@pytest.mark.parametrize("name", MAPPINGS)
def test_incremental_writes_give_what_full_programming_gives(
    name: str, copies: int, slices: int, generator: torch.Generator
) -> None:
    cell = MultiLevel(g_min=7e-6, g_max=93e-6, levels=5)
    tile = (4, 13 if slices == 1 else 31)
    hardware = Hardware(device=cell, mapping=name, copies=copies, slices=slices, tile=tile)
    tiling, n = Tiling(11, 7, hardware.tile, hardware.cells), hardware.levels
    before, after = torch.randint(n, (2, 7, 11), generator=generator)
    full, incremental = (Crossbar(tiling, hardware, range(2), seed=3) for _ in range(2))
    for xb, index in ((full, after), (incremental, before)):
        program_all(xb, tiling.mapping.levels(tiling.cut(index, 0), n, cell.states))
    changed = (after != before).flatten().nonzero().squeeze(1)
    cells = tiling.cells(changed)[:, : tiling.mapping.cells_per_weight]
    levels = tiling.mapping.own_levels(after.flatten()[changed], n, cell.states)
    program_one(incremental, cells.flatten(), levels.flatten())
    assert torch.equal(incremental.level, full.level)
    assert torch.equal(incremental.conductance, full.conductance)
    sparse = incremental.signed_at(tiling.cells(torch.arange(77)))
    assert torch.equal(sparse, full.signed().flatten(1))


@every_mapping
def test_the_parts_add_up_to_the_whole(cells: Mapping, generator: torch.Generator) -> None:
    cols, window = 5, (1e-6, 9e-5)
    g = torch.rand(2, 4, cells.width(cols), generator=generator, dtype=torch.float64) * 1e-4
    parts = cells.fold_digits(g, cols, window)
    whole = sum(f * part for f, part in zip(cells.factors, parts, strict=True))
    torch.testing.assert_close(whole, cells.fold(g, cols, window), rtol=1e-12, atol=0)
    assert sum(cells.factors) == pytest.approx(1.0)
    ratios = [b / a for a, b in pairwise(cells.factors)]
    assert ratios == pytest.approx([cells.radix or 1] * len(ratios))
    columns = cells.columns(torch.arange(cols), cols)
    for sparse, part in zip(cells.combine_digits(g[..., columns], window), parts, strict=True):
        assert torch.equal(sparse, part)
    noise = torch.randn(100_000, cells.width(1), generator=generator)
    for part in cells.fold_digits(noise, 1, (0.0, 0.0)):
        assert part.var().item() == pytest.approx(cells.part_variance, rel=0.03)


@every_mapping
def test_capacity_is_the_most_that_fits(cells: Mapping) -> None:
    for width in range(cells.width(1), cells.width(1) + 40):
        fits = cells.capacity(width)
        assert cells.width(fits) <= width < cells.width(fits + 1)


@every_mapping
def test_read_variance_counts_the_cells_of_a_weight(
    cells: Mapping, generator: torch.Generator
) -> None:
    noise = torch.randn(200_000, cells.width(1), generator=generator)
    seen = cells.fold(noise, 1, (0.0, 0.0)).var().item()
    assert seen == pytest.approx(cells.read_variance, rel=5 * (2 / 200_000) ** 0.5)


@of_cells
def test_legal_weight_levels_are_those_on_cell_levels(cells: Mapping, states: int) -> None:
    most = cells.weight_levels(states)
    index = torch.arange(most).view(1, -1)
    g = cells.levels(index, most, states).to(torch.int64)
    # Twice the signed conductance in cell steps of the least digit: an integer for every mapping.
    signed = cells.fold(2.0 * g.double(), most, (0.0, 2.0 * (states - 1))).flatten()
    signed = (signed / cells.factors[0]).round()
    span = int(signed.max())
    reachable = {Fraction(int(v), span) for v in signed}
    assert len(reachable) == most
    expected = [
        n
        for n in range(2, most + 1)
        if {Fraction(2 * k - (n - 1), n - 1) for k in range(n)} <= reachable
    ]
    assert legal(cells, states) == expected
