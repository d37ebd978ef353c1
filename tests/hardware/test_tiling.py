"""Cutting a matrix into tiles loses nothing, and a weight's cells are where the cut puts them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mho.hardware import MAPPINGS, Mapping, Tiling, mapping

sizes = st.integers(1, 40) | st.sampled_from([1, 2, 31, 37, 97, 128, 129])


def tiling_of(
    in_features: int, outputs: int, groups: int, tile: tuple[int, int], mapping: Mapping
) -> Tiling:
    return Tiling(in_features, groups * outputs, tile, mapping, groups)


tilings = st.builds(
    tiling_of,
    in_features=sizes,
    outputs=sizes,
    groups=st.sampled_from([1, 1, 2, 3, 7]),
    tile=st.tuples(st.integers(1, 40), st.integers(9, 40)),
    mapping=st.builds(Mapping.copied, st.sampled_from(list(MAPPINGS.values())), st.integers(1, 3))
    | st.sampled_from(list(MAPPINGS.values())),
)


@given(tilings, st.sampled_from([(), (2,), (2, 3)]))
def test_cut_and_join_lose_nothing(tiling: Tiling, lead: tuple[int, ...]) -> None:
    shape = (*lead, tiling.out_features, tiling.in_features)
    matrix = 1.0 + torch.arange(torch.Size(shape).numel(), dtype=torch.float32).view(shape)
    tiles = tiling.cut(matrix, fill=-1.0)
    assert tiles.shape == (*lead, tiling.tiles, tiling.rows, tiling.cols)
    assert torch.equal(tiling.join(tiles), matrix)
    assert int((tiles > 0).sum()) == matrix.numel()  # everything else is padding
    assert tiles.is_contiguous()


@given(tilings)
def test_tiles_are_few_balanced_and_fit(tiling: Tiling) -> None:
    (rows, cols), r, c = tiling.tile, tiling.grid[0], tiling.along
    capacity = tiling.mapping.capacity(cols)
    assert tiling.grid[1] == tiling.groups * c
    assert tiling.outputs * tiling.groups == tiling.out_features
    assert tiling.rows <= rows
    assert tiling.width <= cols
    assert (r - 1) * rows < tiling.in_features <= r * rows
    assert (c - 1) * capacity < tiling.outputs <= c * capacity
    # As even as whole numbers allow: one row or column less would not hold the matrix.
    assert (tiling.rows - 1) * r < tiling.in_features <= tiling.rows * r
    assert (tiling.cols - 1) * c < tiling.outputs <= tiling.cols * c


@given(tilings)
def test_an_array_holds_weights_of_one_group(tiling: Tiling) -> None:
    group = torch.arange(tiling.out_features) // tiling.outputs
    tiles = tiling.cut(group.unsqueeze(1).expand(-1, tiling.in_features), -1).flatten(1)
    for tile in tiles:
        assert tile[tile >= 0].unique().numel() == 1


@given(tilings, st.sampled_from([(), (2,), (2, 3)]))
def test_tiles_driven_and_added_give_each_output_its_group(
    tiling: Tiling, lead: tuple[int, ...]
) -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randint(-9, 9, (tiling.out_features, tiling.in_features), generator=generator)
    x = torch.randint(-9, 9, (*lead, tiling.inputs), generator=generator)
    # (..., tiles, rows) and (tiles, rows, cols)
    columns = torch.einsum("...tr,trc->...tc", tiling.driven(x), tiling.cut(matrix, 0))
    y = tiling.added(columns).sum(-2)
    by_group = matrix.unflatten(0, (tiling.groups, -1))
    expected = torch.einsum("...gi,goi->...go", x.unflatten(-1, (tiling.groups, -1)), by_group)
    assert torch.equal(y, expected.flatten(-2))


@given(tilings)
def test_cells_of_a_weight_are_where_the_cut_puts_them(tiling: Tiling) -> None:
    number = torch.arange(tiling.in_features * tiling.out_features)
    cells = tiling.cells(number)
    # Lay the weights' numbers out as the programming does, and look them up at the cells.
    tiles = tiling.cut(number.view(tiling.out_features, tiling.in_features), -1)
    line, column = cells[:, 0] // tiling.width, cells[:, 0] % tiling.width
    columns = tiling.mapping.columns(torch.arange(tiling.cols), tiling.cols)
    weight = torch.empty(tiling.width, dtype=torch.int64)  # weight column of an own cell
    weight[columns[:, 0]] = torch.arange(tiling.cols)
    assert torch.equal(tiles.flatten(0, 1)[line, weight[column]], number)
    # The further terms are on the same row of the same tile, in the mapping's columns.
    assert torch.equal(cells // tiling.width, line.unsqueeze(1).expand_as(cells))
    assert torch.equal(cells % tiling.width, columns[weight[column]])


@given(tilings)
def test_cells_in_use_are_those_that_a_weight_names(tiling: Tiling) -> None:
    named = torch.zeros(torch.Size(tiling.shape).numel(), dtype=torch.bool)
    named[tiling.cells(torch.arange(tiling.in_features * tiling.out_features))] = True
    assert torch.equal(tiling.used().flatten(), named)


def test_an_image_sits_on_full_tiles() -> None:
    tiling = Tiling(784, 10, (128, 128), mapping("differential"))
    assert (tiling.grid, tiling.rows, tiling.cols, tiling.width) == ((7, 1), 112, 10, 20)


@pytest.mark.parametrize(
    ("name", "copies", "least"),
    [("differential", 1, 2), ("offset", 1, 3), ("single", 64, 64), ("offset", 5, 15)],
)
def test_a_tile_that_holds_no_weight_is_refused(name: str, copies: int, least: int) -> None:
    cells = mapping(name).copied(copies)
    message = rf"Hardware\.tile columns = {least - 1}: expected at least {least}, the cells of one"
    with pytest.raises(ValueError, match=message):
        Tiling(4, 4, (8, least - 1), cells)
    assert Tiling(4, 4, (8, least), cells).cols == 1


def test_groups_that_do_not_divide_the_outputs_are_refused() -> None:
    for groups in (0, 3):
        with pytest.raises(ValueError, match=f"groups of a weight matrix = {groups}: expected"):
            Tiling(3, 4, (8, 8), mapping("single"), groups)


def test_an_empty_matrix_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(in, out\) = \(0, 3\): expected at least 1 x 1"):
        Tiling(0, 3, (8, 8), mapping("single"))
