"""Full scales of awkward layers, and levels where many weights are exactly 0."""

import warnings

import pytest
import torch
from torch import nn

import mho
from builders.networks import only_layer
from mho.hardware.full_scale import column_scales, full_scale_of

CELL = mho.cells.MultiLevel(g_min=10e-6, g_max=90e-6, levels=9)
EVEN = CELL.replace(levels=16)


def linear(weight: torch.Tensor) -> nn.Sequential:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(weight.clone())
    return nn.Sequential(nn.Flatten(), layer)


def sparse(rows: int, cols: int, share: float, generator: torch.Generator) -> torch.Tensor:
    w = 0.05 * torch.randn(rows, cols, generator=generator)
    return w.masked_fill_(torch.rand(rows, cols, generator=generator) < share, 0.0)


# ------------------------------------------------------------------ full scale


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 4)])
@pytest.mark.parametrize("size", [0.3, -0.3])
@pytest.mark.parametrize("deviations", [None, 1.0, 3.0])
def test_equal_weights_are_within_the_window(
    shape: tuple[int, int], size: float, deviations: float | None
) -> None:
    """About their mean they have no deviation at all, about 0 their own size."""
    w = torch.full(shape, size)
    layer = only_layer(mho.convert(linear(w), mho.Hardware(device=CELL, full_scale=deviations)))
    assert layer.full_scale == pytest.approx(0.3 * (deviations or 1.0))
    assert (layer.effective - w).abs().max() <= 0.51 * layer.step


def test_about_a_mean_of_0_it_is_the_standard_deviation(generator: torch.Generator) -> None:
    w = torch.randn(50, 60, generator=generator, dtype=torch.float64)
    w -= w.mean()
    hardware = mho.Hardware(device=CELL, full_scale=2.0)
    assert full_scale_of(w, hardware, "a") == pytest.approx(2 * w.std(correction=0).item())


@pytest.mark.parametrize("mapping", ["differential", "offset", "single"])
@pytest.mark.parametrize("deviations", [None, 3.0])
@pytest.mark.parametrize("size", [0.0, 1e-40])
def test_a_layer_of_zeros_answers_0_and_learns(
    mapping: str, deviations: float | None, size: float, generator: torch.Generator
) -> None:
    hardware = mho.Hardware(device=CELL, mapping=mapping, full_scale=deviations)
    net = mho.convert(linear(torch.full((4, 16), size)), hardware)
    x = torch.rand(64, 16, generator=generator)
    assert net(x).abs().max() < 1e-6
    goal = x @ (0.2 * torch.rand(16, 4, generator=generator))
    optimizer, losses = torch.optim.SGD(net.parameters(), lr=0.1), []
    for _ in range(50):
        optimizer.zero_grad()
        loss = (net(x) - goal).square().mean()
        loss.backward()
        optimizer.step()
        mho.write(net)
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("levels", [2, 16])
def test_a_layer_of_zeros_without_such_a_level_is_harmless_and_said(levels: int) -> None:
    hardware = mho.Hardware(device=EVEN, mapping="single", weight_levels=levels)
    with pytest.warns(
        UserWarning, match=rf"^1\.weight: 100% .* none of the {levels} weight levels"
    ):
        net = mho.convert(linear(torch.zeros(4, 256)), hardware)
    assert net(torch.ones(3, 256)).abs().max() < 1e-3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("deviations", [None, 2.0])
def test_full_scales_do_not_overflow_on_their_way(
    dtype: torch.dtype, deviations: float | None
) -> None:
    """A sum of squares of these is beyond float16."""
    w = torch.full((8, 300), 300.0, dtype=dtype)
    hardware = mho.Hardware(device=CELL, full_scale=deviations)
    assert full_scale_of(w, hardware, "a") == pytest.approx(300.0 * (deviations or 1.0))


@pytest.mark.parametrize(
    ("dtype", "size"), [(torch.float16, 6e4), (torch.float32, 1e36), (torch.float64, 1e300)]
)
def test_weights_that_would_overflow_are_refused(dtype: torch.dtype, size: float) -> None:
    net = linear(torch.full((2, 3), size, dtype=dtype))
    with pytest.raises(ValueError, match=r"^1\.weight( full scale)? = .*: expected at most"):
        mho.convert(net, mho.Hardware(device=CELL, full_scale=2.0))


# ------------------------------------------------------------------ zeros


@pytest.mark.parametrize("mapping", ["offset", "single"])
@pytest.mark.parametrize("off", [False, True])
def test_zeros_between_two_levels_cancel(
    mapping: str, off: bool, generator: torch.Generator
) -> None:
    """They went half a step up, all of them: nine times the output."""
    w, x = sparse(64, 256, 0.9, generator), torch.rand(200, 256, generator=generator)
    hardware = mho.Hardware(device=EVEN, mapping=mapping)
    with pytest.warns(UserWarning, match=r"1\.weight: 90% of the weights are 0"):
        net = mho.convert(linear(w), hardware)
    layer = only_layer(net)
    if off:
        with mho.kernels.off():
            mho.write(net, 0.0)
    else:
        mho.write(net, 0.0)
    error = net(x) - x @ w.T
    assert error.mean().abs() < 0.1 * (x @ w.T).std()
    zeros = layer.effective[0][w == 0] / layer.step
    torch.testing.assert_close(zeros.abs(), torch.full_like(zeros, 0.5), rtol=1e-3, atol=0)
    assert zeros.mean().abs() < 0.02


def test_a_write_step_leaves_a_tie_where_the_conversion_put_it(generator: torch.Generator) -> None:
    """Compiled, in torch, and with what read-back and rules make of levels."""
    w = sparse(12, 40, 0.5, generator)
    hardware = mho.Hardware(device=EVEN, mapping="single", transposed=False)
    rules = [mho.rules.Accumulate(), mho.rules.SignUpdate(0.1)]
    for make in (
        lambda net: mho.WriteStep(net),
        lambda net: mho.WriteStep(net, feedback=mho.rules.ReadBack(pull=0.0)),
        *(lambda net, rule=rule: mho.WriteStep(net, rules=[rule]) for rule in rules),
    ):
        for off in (False, True):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                net = mho.convert(linear(w), hardware)
            before = only_layer(net).target.clone()
            step = make(net)
            if off:
                with mho.kernels.off():
                    step()
            else:
                step()
            torch.testing.assert_close(only_layer(net).target, before)


@pytest.mark.parametrize("mapping", ["differential", "offset", "single"])
@pytest.mark.parametrize("levels", [2, 3, 4, 7, 16])
@pytest.mark.parametrize("quiet", [0.0, 0.02, 0.5])
def test_zeros_are_spoken_of_where_no_level_is_0(
    mapping: str, levels: int, quiet: float, generator: torch.Generator
) -> None:
    states = 16 if mapping == "differential" else 1 + 6 * (levels - 1)
    cell = CELL.replace(levels=states)
    hardware = mho.Hardware(device=cell, mapping=mapping)
    fits = (hardware.cells.weight_levels(states) - 1) % (levels - 1) == 0
    if not fits:
        pytest.skip("not a number of levels of these cells")
    w = sparse(40, 50, quiet, generator)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        mho.convert(linear(w), hardware.replace(weight_levels=levels))
    assert bool(said) == (levels % 2 == 0 and quiet > 0.05)
    if said:
        (one,) = said
        assert one.filename == __file__
        instead = str(one.message).partition("; weight_levels=")[2].split(" has")[0]
        for n in map(int, instead.split(" or ")):
            assert n % 2 == 1
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                mho.convert(linear(w), hardware.replace(weight_levels=n))


def test_without_such_a_number_another_mapping_is_named(generator: torch.Generator) -> None:
    hardware = mho.Hardware(device=EVEN, mapping="single", slices=2)
    with pytest.warns(
        UserWarning, match=r"mapping='differential' \(511 levels\) has a level for 0"
    ):
        mho.convert(linear(sparse(6, 20, 0.5, generator)), hardware)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pairs = hardware.replace(mapping="differential")
        mho.convert(linear(sparse(6, 20, 0.5, generator)), pairs)


@pytest.mark.parametrize("levels", [2, 3, 4, 16, 17])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_quantized_layer_keeps_its_outputs(
    levels: int, share: float, generator: torch.Generator
) -> None:
    net = linear(sparse(12, 30, share, generator))
    mho.nn.quantize(net[1], mho.nn.Levels(levels))
    x = torch.rand(5, 30, generator=generator)
    expected = net.eval()(x)
    cell = CELL.replace(levels=1 + 15 * 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chips = mho.convert(net, mho.Hardware(device=cell, weight_levels=levels, mapping="single"))
    torch.testing.assert_close(chips(x), expected, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------ one of each column


@pytest.mark.parametrize("deviations", [None, 2.0])
@pytest.mark.parametrize("cell", [CELL, EVEN])
def test_columns_divided_by_their_scales_have_the_full_scale_of_the_layer(
    deviations: float | None, cell: mho.MultiLevel
) -> None:
    hardware = mho.Hardware(device=cell, full_scale=deviations, mapping="single")
    w = torch.randn(5, 40) * torch.tensor([1.0, 1e-3, 1e6, 0.0, 3.0]).unsqueeze(1)
    scales = column_scales(w, hardware)
    whole = full_scale_of(w, hardware, "layer")
    for column, scale in zip(w, scales, strict=True):
        if column.any():
            own = full_scale_of((column / scale).unsqueeze(0), hardware, "layer")
            assert own == pytest.approx(whole, rel=1e-5)
    assert 0 < scales[3] <= 1  # of nothing
    assert (column_scales(torch.zeros(3, 4), hardware) == 1).all()
