"""Every mapping, and copies of it, against every property: on ideal cells a level is exact."""

from fractions import Fraction

import pytest
import torch
from torch import Tensor

from mho import Hardware
from mho.hardware import MAPPINGS, Copies, Crossbar, Mapping, Tiling, mapping
from mho.physics import MultiLevel

STATES = (2, 3, 4, 9, 16, 33)
COPIES = (1, 2, 3)
MEMBERS = MAPPINGS | {f"{n} x{k}": Copies(m, k) for n, m in MAPPINGS.items() for k in COPIES[1:]}

every_mapping = pytest.mark.parametrize("cells", MEMBERS.values(), ids=MEMBERS.keys())
every_states = pytest.mark.parametrize("states", STATES)


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


@every_states
@every_mapping
def test_ideal_cells_give_the_weight_on_its_grid(cells: Mapping, states: int) -> None:
    for n in legal(cells, states):
        index = torch.arange(n).repeat(3, 1)
        level = cells.levels(index, n, states)
        assert level.shape == (3, cells.width(n))
        assert level.dtype == index.dtype
        assert level.min() >= 0
        assert level.max() <= states - 1
        g, window = conductance(states, level)
        weight = cells.fold(g, n, window) / (cells.reach * (window[1] - window[0]))
        grid = (2 * torch.arange(n, dtype=torch.float64) - (n - 1)) / (n - 1)
        torch.testing.assert_close(weight, grid.expand(3, n), rtol=0, atol=1e-12)


@every_states
@every_mapping
def test_own_cells_are_those_of_the_layout(cells: Mapping, states: int) -> None:
    n = cells.weight_levels(states)
    index = torch.arange(n).flip(0).repeat(2, 1)
    level = cells.levels(index, n, states)
    columns = cells.columns(torch.arange(n), n)
    own = level[:, columns[:, : cells.cells_per_weight]]
    assert torch.equal(cells.own(index, n, states), own)


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


@every_states
@every_mapping
def test_flipping_its_own_cells_negates_a_weight(
    cells: Mapping, states: int, generator: torch.Generator
) -> None:
    if cells.flip is None:
        return
    n, own = cells.weight_levels(states), cells.cells_per_weight
    index, flip = torch.arange(n), list(cells.flip)
    assert sorted(flip) == list(range(own))
    negated = cells.own(n - 1 - index, n, states)
    assert torch.equal(negated[:, flip], cells.own(index, n, states))
    g = torch.rand(5, cells.columns(index, n).shape[1], generator=generator)
    flipped = torch.cat((g[:, :own][:, flip], g[:, own:]), dim=1)
    assert torch.equal(cells.combine(flipped, (0.0, 1.0)), -cells.combine(g, (0.0, 1.0)))


@pytest.mark.parametrize("name", MAPPINGS)
def test_only_pairs_can_be_flipped(name: str) -> None:
    assert (mapping(name).flip is not None) == (name == "differential")
    assert (Copies(mapping(name), 2).flip is not None) == (name == "differential")


@pytest.mark.parametrize("copies", COPIES)
@pytest.mark.parametrize("name", MAPPINGS)
def test_incremental_writes_give_what_full_programming_gives(
    name: str, copies: int, generator: torch.Generator
) -> None:
    cell = MultiLevel(g_min=7e-6, g_max=93e-6, levels=5)
    hardware = Hardware(device=cell, mapping=name, copies=copies, tile=(4, 13))
    tiling, n = Tiling(11, 7, hardware.tile, hardware.cells), hardware.levels
    before, after = torch.randint(n, (2, 7, 11), generator=generator)
    full, incremental = (Crossbar(tiling, hardware, range(2), seed=3) for _ in range(2))
    for xb, index in ((full, after), (incremental, before)):
        xb.program(tiling.mapping.levels(tiling.cut(index, 0), n, cell.states))
    changed = (after != before).flatten().nonzero().squeeze(1)
    cells = tiling.cells(changed)[:, : tiling.mapping.cells_per_weight]
    levels = tiling.mapping.own(after.flatten()[changed], n, cell.states)
    incremental.write(cells.flatten(), levels.flatten())
    assert torch.equal(incremental.level, full.level)
    assert torch.equal(incremental.conductance, full.conductance)
    sparse = incremental.signed_at(tiling.cells(torch.arange(77)))
    assert torch.equal(sparse, full.signed().flatten(1))


@every_mapping
def test_capacity_is_the_most_that_fits(cells: Mapping) -> None:
    for width in range(3, 40):
        fits = cells.capacity(width)
        assert cells.width(fits) <= width < cells.width(fits + 1)


@every_mapping
def test_read_variance_counts_the_cells_of_a_weight(
    cells: Mapping, generator: torch.Generator
) -> None:
    noise = torch.randn(200_000, cells.width(1), generator=generator)
    seen = cells.fold(noise, 1, (0.0, 0.0)).var().item()
    assert seen == pytest.approx(cells.read_variance, rel=5 * (2 / 200_000) ** 0.5)


@every_states
@every_mapping
def test_legal_weight_levels_are_those_on_cell_levels(cells: Mapping, states: int) -> None:
    most = cells.weight_levels(states)
    index = torch.arange(most).view(1, -1)
    g = cells.levels(index, most, states).to(torch.int64)
    # Twice the signed conductance in cell steps: an integer for every mapping.
    signed = cells.fold(2.0 * g, most, (0.0, 2.0 * (states - 1))).flatten()
    span = int(signed.max())
    reachable = {Fraction(int(v), span) for v in signed}
    assert len(reachable) == most
    expected = [
        n
        for n in range(2, most + 1)
        if {Fraction(2 * k - (n - 1), n - 1) for k in range(n)} <= reachable
    ]
    assert legal(cells, states) == expected


@pytest.mark.parametrize("n", [0, 1, 4, 18])
def test_illegal_weight_levels_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"weight_levels = {n}: allowed is one of 2, 3, 5, 9, 17$"):
        mapping("differential").check_levels(n, 9)


def test_an_unknown_mapping_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown mapping 'diferential': did you mean 'diff"):
        mapping("diferential")
