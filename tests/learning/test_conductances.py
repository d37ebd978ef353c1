"""Conductances out of a network and into it: what follows from them is right then."""

import copy
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mho
from builders import wired_network
from builders.networks import mapped, small_model
from mho.errors import InvalidInput
from mho.hardware.crossbar import HEALTHY, STUCK_OFF
from mho.hardware.mapping import level_index
from mho.learning.layers.layer import memristive_layers

CELL = mho.cells.MultiLevel(g_min=1e-5, g_max=9e-5, levels=5, sigma=(2e-6,))
SETTINGS: dict[str, dict[str, object]] = {
    "plain": {"device": CELL},
    "offset": {"device": CELL, "mapping": "offset"},
    "single": {"device": CELL, "mapping": "single"},
    "copies": {"device": CELL, "copies": 2},
    "interleaved": {"device": CELL, "interleaved": True, "wire_resistance": 3.0, "copies": 2},
    "digits": {"device": CELL, "slices": 2, "adc_bits": 6, "tile": (9, 12)},
    "wires": {"device": CELL, "wire_resistance": 3.0},
    "stuck": {"device": CELL.replace(stuck_off=0.1, stuck_on=0.1)},
    "pulsed": {"device": "hfox-stellar", "wire_resistance": 3.0},
    # amplitude of one number: one that depends on what a cell was programmed to is another after
    # it was found drifted
    "over time": {
        "device": "pcm-gst",
        "wire_resistance": 3.0,
        "flicker": mho.cells.Flicker(amplitude=0.0138),
    },
    "disturbed": {"device": CELL, "disturb": mho.cells.Disturb(half_select=1e-3)},
    "traps": {"device": CELL, "telegraph": mho.cells.Telegraph(depth=0.1, full=1.0, empty=1.0)},
}
X = torch.rand(4, 2, 6, 6, generator=torch.Generator().manual_seed(2))


def network(setting: str, chips: int | None = 2) -> nn.Module:
    net = mapped(chips, **SETTINGS[setting])  # type: ignore[arg-type]
    return mho.calibrate(net, X) if "adc_bits" in SETTINGS[setting] else net


def measured(net: nn.Module, seed: int = 3) -> dict[str, Tensor]:
    """Other conductances for all cells in use, anywhere in the window."""
    generator, found = torch.Generator().manual_seed(seed), {}
    for name, held in mho.conductances(net).items():
        low, high = memristive_layers(net)[name].hardware.device.window
        u = torch.rand(held.shape, generator=generator)
        found[name] = torch.where(held.isnan(), math.nan, low + (high - low) * u)
    return found


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(
        torch.equal(a[k].nan_to_num(-1.0), b[k].nan_to_num(-1.0)) for k in a
    )


def counted(net: nn.Module) -> list[Tensor]:
    """All counts of the arrays."""
    crossbars = [layer.crossbar for layer in memristive_layers(net).values()]
    names = ("writes", "pulses", "set_pulses", "reads", "row_pulses", "row_reads")
    counts = [crossbar.get_buffer(name).clone() for crossbar in crossbars for name in names]
    return counts + [crossbar.get_extra_state()[:10] for crossbar in crossbars]


def seen(layer: mho.nn.ArrayLayer) -> Tensor:
    """What is seen of the cells of a layer, from its conductances alone."""
    crossbar = layer.crossbar
    g = crossbar.conductance
    g = g if crossbar.ageing is None else crossbar.ageing.seen(g)
    return crossbar.hardware.wires.seen(g) if crossbar.hardware.wires else g


def weights(layer: mho.nn.ArrayLayer) -> Tensor:
    """The weights that these make."""
    tiling = layer.crossbar.tiling
    folded = tiling.mapping.fold(seen(layer), tiling.cols, layer.hardware.device.window)
    return tiling.join(folded) * layer.scale


@pytest.mark.parametrize("setting", SETTINGS)
def test_weights_and_outputs_are_those_of_what_the_cells_hold(setting: str) -> None:
    net = network(setting)
    old, given = net(X), measured(net)
    counts = counted(net)
    assert mho.load_conductances(net, given) is net
    assert same(mho.conductances(net), given)
    assert all(torch.equal(a, b) for a, b in zip(counted(net), counts, strict=True))
    for layer in memristive_layers(net).values():
        assert torch.allclose(layer.effective, weights(layer), atol=1e-6)
        device, crossbar = layer.hardware.device, layer.crossbar
        used = crossbar.tiling.used()
        stands = device.nominal(crossbar.level[used].float())
        healthy = (crossbar.fault == HEALTHY)[:, used]
        mean = (crossbar.conductance[:, used] * healthy).sum(0) / healthy.sum(0)
        fine = healthy.any(0)
        assert ((stands - mean).abs() <= 0.501 * device.step)[fine].all()
        between = layer.store.index_held()
        assert torch.allclose(
            layer.target.double(), (2 * between / (layer.store.levels - 1) - 1) * layer.full_scale
        )
    y = net(X)
    assert not torch.allclose(y, old)
    # the same cells behind the same wires give the same
    assert torch.allclose(mho.rewire(net, SETTINGS[setting].get("wire_resistance", 0.0))(X), y)  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", SETTINGS)
def test_out_and_in_again_is_exact(setting: str, tmp_path: Path) -> None:
    net = network(setting)
    if mho.Hardware(**SETTINGS[setting]).ages:  # type: ignore[arg-type]
        mho.age(net, "1 h")
    y, held = net(X), mho.conductances(net)
    others = copy.deepcopy(net)
    mho.load_conductances(others, measured(net))
    mho.load_conductances(others, held)
    assert same(mho.conductances(others), held)
    assert torch.allclose(others(X), y, atol=1e-6)
    for name in ("g.npz", "g.safetensors"):
        mho.save_conductances(net, tmp_path / name)
        mho.load_conductances(others, measured(net))
        mho.load_conductances(others, tmp_path / name)
        assert same(mho.conductances(others), held)
    for values in mho.conductances(net).values():
        values.zero_()
    assert same(mho.conductances(net), held)  # a copy


@pytest.mark.parametrize("setting", SETTINGS)
def test_what_follows_goes_on_from_what_was_loaded(setting: str) -> None:
    net = mho.load_conductances(network(setting), measured(network(setting)))
    y = net(X)
    twin, loaded = copy.deepcopy(net), network(setting)
    loaded.load_state_dict(net.state_dict())
    for other in (twin, loaded):
        assert torch.equal(other(X), y)
        assert same(mho.conductances(other), mho.conductances(net))
    if memristive_layers(net)[next(iter(memristive_layers(net)))].hardware.ages:
        held = mho.conductances(net)
        mho.age(net, 0.0)
        for name, g in mho.conductances(net).items():  # no time has passed since
            assert torch.allclose(g.nan_to_num(), held[name].nan_to_num(), rtol=1e-4, atol=0)
        mho.age(net, "1 day")
        for each in (twin, loaded):
            assert torch.equal(mho.age(mho.age(each, 0.0), "1 day")(X), net(X))
    assert mho.write(net).weights > 0
    for layer in memristive_layers(net).values():
        index = layer.store.index_held()
        exact = level_index(layer.matrix(), layer.full_scale, layer.store.levels)
        off = 2.01 if setting == "offset" else 0.51  # nobody writes references
        assert ((index - exact).abs() <= off).all()
    net(X)


def test_a_write_programs_only_weights_that_are_off_their_level() -> None:
    net = mapped(1, device=CELL.replace(sigma=(0.0,)))
    name, layer = next(iter(memristive_layers(net).items()))
    held = mho.conductances(net)
    before = layer.crossbar.writes.clone()
    cells = layer.crossbar.tiling.cells(torch.tensor([5]))[0]
    held[name].flatten()[cells[0]] += 0.3 * CELL.step  # within half a step of its level
    mho.load_conductances(net, held)
    assert mho.write(net).weights == 0
    held[name].flatten()[cells] = CELL.nominal(torch.tensor([4.0, 0.0])).to(held[name])
    target = layer.target.flatten()[5].item()
    assert target < 0.9 * layer.full_scale
    mho.load_conductances(net, held)
    assert layer.target.flatten()[5].item() == pytest.approx(layer.full_scale)
    assert mho.write(net).weights == 1
    assert layer.target.flatten()[5].item() == target
    changed = (layer.crossbar.writes != before).flatten().nonzero().flatten().tolist()
    assert set(changed) <= set(cells.tolist())
    assert changed


def test_stuck_cells_stay_where_they_are_put_and_do_not_move_the_levels_of_others() -> None:
    net = mapped(2, device=CELL)
    layer = next(iter(memristive_layers(net).values()))
    layer.crossbar.fault[1, 0, 0, 0] = STUCK_OFF
    held, level = mho.conductances(net), layer.crossbar.level.clone()
    name = next(iter(held))
    held[name][1, 0, 0, 0] = 3.7e-5
    mho.load_conductances(net, held)
    assert layer.crossbar.level[0, 0, 0] == level[0, 0, 0]
    state = net.state_dict()
    net.load_state_dict(state)  # sees the fault
    with torch.no_grad():
        layer.weight.neg_()
    mho.write(net)
    assert mho.conductances(net)[name][1, 0, 0, 0].item() == pytest.approx(3.7e-5)


def test_arrays_that_were_not_written_since_the_weights_came_are_read_as_measured() -> None:
    net = mapped(None, device=CELL)
    net.load_state_dict(small_model().state_dict(), strict=False)
    with pytest.raises(RuntimeError, match="moved"):
        net(X)
    given = measured(net)
    mho.load_conductances(net, given)
    net(X)
    assert same(mho.conductances(net), given)


def test_calibration_and_tuning_stay() -> None:
    net = mho.calibrate(mapped(2, device=CELL, dac_bits=6, adc_bits=6), X)
    mho.tune(net, X)
    layer = next(iter(memristive_layers(net).values()))
    kept = layer.gain.clone(), layer.dac.state(), layer.adc.state(), layer.full_scale
    mho.load_conductances(net, measured(net))
    now = layer.gain, layer.dac.state(), layer.adc.state(), layer.full_scale
    assert all(
        torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(kept, now, strict=True)
    )
    mho.tune(net, X)


# ------------------------------------------------------------------ forms


def test_shapes_for_one_chip_for_all_and_for_one_tile(tmp_path: Path) -> None:
    net = mho.convert(nn.Linear(4, 3), mho.Hardware(device=CELL), chips=2)
    (name,) = mho.conductances(net)
    g = torch.rand(4, 6, dtype=torch.float64) * 8e-5 + 1e-5
    forms = {
        "a cell at a time": g.expand(2, 1, 4, 6), "all chips alike": g.view(1, 4, 6), "one tile": g,
        "NumPy": g.numpy(), "half a turn": g.float().t().contiguous().t(),
    }  # fmt: skip
    for form in forms.values():
        mho.load_conductances(net, {name: measured(net)[name]})
        mho.load_conductances(net, {name: form})
        assert torch.equal(mho.conductances(net)[name], g.float().expand(2, 1, 4, 6))
    np.savetxt(tmp_path / f"{name}.csv", g.numpy(), delimiter=",")
    for source in (tmp_path, tmp_path / f"{name}.csv", str(tmp_path)):
        mho.load_conductances(net, {name: measured(net)[name]})
        mho.load_conductances(net, source)  # type: ignore[arg-type]
        assert torch.equal(mho.conductances(net)[name], g.float().expand(2, 1, 4, 6))


def test_numbers_of_cells_without_a_weight_are_left_alone(tmp_path: Path) -> None:
    net = mho.convert(nn.Linear(5, 3), mho.Hardware(device=CELL, tile=(3, 8)))
    (held,) = mho.conductances(net).values()
    assert held.isnan().any()
    assert torch.equal(held.isnan()[0], ~memristive_layers(net)[""].crossbar.tiling.used())
    before = memristive_layers(net)[""].crossbar.conductance.clone()
    for filler in (math.nan, 1e9, -1.0, math.inf):
        mho.load_conductances(net, {"": held.nan_to_num(filler, posinf=math.inf)})
        assert torch.equal(memristive_layers(net)[""].crossbar.conductance, before)


def test_some_layers_alone() -> None:
    net = network("plain")
    old, given = mho.conductances(net), measured(net)
    name = [*given][1]
    mho.load_conductances(net, {name: given[name]})
    assert same(mho.conductances(net), old | {name: given[name]})


# ------------------------------------------------------------------ refusals


def wrong(change: Callable[[dict[str, Tensor]], object]) -> Callable[[dict[str, Tensor]], object]:
    def make(given: dict[str, Tensor]) -> object:
        change(given)
        return given

    return make


def put(name: str, cell: tuple[int, ...], value: float) -> Callable[[dict[str, Tensor]], object]:
    return wrong(lambda given: given[name].__setitem__(cell, value))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda given: {}, r"source = \{\}: expected conductances of one layer or more: 'net.0'"),
        (lambda given: given | {"net.7": given["net.0"]}, "layer = 'net.7': expected one of"),
        (lambda given: given | {"net.4": given["net.4"][0, 0, :2]},
         r"source\['net.4'\], of shape = \(2, \d+\): expected \(2, 2, 7, 4\) \(chips, tiles, "),
        (lambda given: given | {"net.4": given["net.4"][:1]}, r"of shape = \(1, "),
        (lambda given: given | {"net.2": given["net.2"][0, 0]}, r"of shape = \(8, 6\)"),
        (lambda given: given | {"net.4": "here"}, r"source\['net.4'\] = 'here': expected a"),
        (lambda given: given | {"net.4": given["net.4"] * (1 + 0j)}, "expected a tensor"),
        (put("net.4", (1, 0, 2, 3), math.nan), r"'net.4'\], cell .* \(1, 0, 2, 3\) = nan: expec"),
        (put("net.4", (0, 0, 0, 0), math.inf), r"\(0, 0, 0, 0\) = inf"),
        (put("net.4", (0, 0, 0, 0), -1e-9), r"= -9.99\S+e-10: expected a finite conductance"),
        (wrong(lambda given: given["net.4"].mul_(1e6)),
         r"'net.4'\], largest conductance.* = 8\d\..*: expected in siemens: .* 1e-05 to 9e-05 S"),
        (wrong(lambda given: given["net.4"].mul_(1e3)), "expected in siemens"),
        (lambda given: given["net.0"], "source = a float32 tensor"),
        (lambda given: "nowhere",
         "source = 'nowhere': expected a dict, a .npz or .safetensors file, a folder"),
        (lambda given: "nowhere.npz", "source = 'nowhere.npz': expected a readable .npz file"),
        (lambda given: "nowhere.safetensors",
         "source = 'nowhere.safetensors': expected a readable .safetensors file"),
        (lambda given: "nowhere.csv", "source = 'nowhere.csv': expected a dict"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(
    change: Callable[[dict[str, Tensor]], object], said: str
) -> None:
    net = network("plain")
    held, y = mho.conductances(net), net(X)
    with pytest.raises(InvalidInput, match=said):
        mho.load_conductances(net, change(measured(net)))  # type: ignore[arg-type]
    assert same(mho.conductances(net), held)
    assert torch.equal(net(X), y)


def test_files_that_cannot_be_are_refused(tmp_path: Path) -> None:
    net = network("plain")
    with pytest.raises(
        InvalidInput, match=r"a folder with a LAYER\.csv: 'net.0', 'net.2', 'net.4'"
    ):
        mho.load_conductances(net, tmp_path)
    (tmp_path / "net.9.csv").write_text("1e-5\n")
    with pytest.raises(InvalidInput, match=r"source: layer = 'net.9'"):
        mho.load_conductances(net, tmp_path)
    (tmp_path / "net.9.csv").rename(tmp_path / "net.4.csv")
    (tmp_path / "net.4.csv").write_text("1e-5,x\n")
    with pytest.raises(InvalidInput, match=r"net\.4\.csv, line 1, column 2 = 'x'"):
        mho.load_conductances(net, tmp_path)
    with pytest.raises(InvalidInput, match=r"expected the name of a \.npz or \.safetensors file"):
        mho.save_conductances(net, tmp_path / "g.csv")


def test_cells_far_from_the_window_are_warned_of() -> None:
    net = network("plain")
    given = mho.conductances(net)
    given["net.4"][0, 0, 0, 0] = 2e-3  # a short
    with pytest.warns(
        UserWarning, match=r"'net.4' has 1 of \d+ cells far above the window, up to 0.002"
    ):
        mho.load_conductances(net, given)
    assert mho.conductances(net)["net.4"][0, 0, 0, 0].item() == pytest.approx(2e-3)
    with pytest.warns(UserWarning, match=r"all cells of layer 'net.4' are far below .* in siemens"):
        mho.load_conductances(net, {"net.4": given["net.4"] * 1e-9})


def test_a_chip_of_its_own_refuses_and_tells_what_the_host_knows() -> None:
    cell = CELL.replace(sigma=(0.0,))
    hardware = mho.Hardware(device=cell, transposed=False, tile=(16, 12))
    net = mho.convert(nn.Linear(4, 3), hardware)
    mho.attach(net, mho.instruments.SimulatedInstrument(hardware, arrays=1))
    held = mho.conductances(net)
    assert held[""].shape == (1, 1, 4, 6)
    with pytest.raises(InvalidInput, match="the cells of an instrument are what they are"):
        mho.load_conductances(net, held)


# ------------------------------------------------------------------ through a state


SOURCES = ("conductance", "ageing.wander", "ageing.full", "seen")
EDITS = [
    (setting, part)
    for setting in SETTINGS
    for part in SOURCES
    if any(name.endswith(f".crossbar.{part}") for name in network(setting).state_dict())
]


@pytest.mark.parametrize(("setting", "part"), EDITS)
def test_a_state_that_was_edited_gives_what_it_says(setting: str, part: str) -> None:
    """Whatever of a state is changed, what is derived from it follows."""
    net = network(setting)
    with torch.no_grad():
        for layer in memristive_layers(net).values():  # estimates behind wires, not solved
            layer.weight.neg_()
    mho.write(net)
    state = copy.deepcopy(net.state_dict())
    generator = torch.Generator().manual_seed(5)
    for name, value in state.items():
        if name.endswith(f".crossbar.{part}") and value.dtype == torch.bool:
            value.logical_not_()
        elif name.endswith(f".crossbar.{part}"):
            value *= 0.5 + torch.rand(value.shape, generator=generator)
    net.load_state_dict(state)
    for layer in memristive_layers(net).values():
        assert torch.allclose(layer.crossbar.conductance_seen, seen(layer), rtol=1e-5)
        assert torch.allclose(layer.effective, weights(layer), atol=1e-6)
    again = network(setting)
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(X), net(X))
    layers = memristive_layers(net).items()
    held = {name: layer.crossbar.conductance.clone() for name, layer in layers}
    if next(iter(memristive_layers(net).values())).hardware.retention is not None:
        mho.age(net, 0.0)
    for name, layer in layers:
        assert torch.equal(held[name], state[f"{name}.crossbar.conductance"])
        assert torch.allclose(layer.crossbar.conductance, held[name], rtol=1e-4)


def test_cells_that_were_not_edited_relax_on() -> None:
    net = mapped(2, device="pcm-gst")
    mho.age(net, "1 h")
    with torch.no_grad():
        for layer in memristive_layers(net).values():
            layer.weight.flatten()[::3].neg_()
    mho.write(net)
    mho.age(net, "2 h", temperature=None)
    state, twin = copy.deepcopy(net.state_dict()), copy.deepcopy(net)
    name = next(n for n in state if n.endswith("crossbar.conductance"))
    state[name][1, 0, 0, 0] *= 1.5
    net.load_state_dict(state)
    end = "ageing.since".join(name.rsplit("conductance", 1))
    assert (net.state_dict()[end] != twin.state_dict()[end]).nonzero().tolist() == [[1, 0, 0, 0]]
    mho.age(net, "1 day")
    mho.age(twin, "1 day")
    a, b = net.state_dict()[name], twin.state_dict()[name]
    assert (a != b).nonzero().tolist() == [[1, 0, 0, 0]]


def test_conductances_alone_in_a_state() -> None:
    net = wired_network.mapped(wired_network.hardware(), 2)
    given = measured(net)
    state = {name: each for name, each in net.state_dict().items() if "crossbar" not in name}
    state |= {f"{name}.crossbar.conductance": g.nan_to_num() for name, g in given.items()}
    net.load_state_dict(state, strict=False)
    layer = wired_network.first(net)
    assert same(mho.conductances(net), given)
    assert wired_network.off(layer) < 1e-5


def test_estimates_behind_wires_are_kept_by_a_state_that_fits_itself() -> None:
    net = wired_network.mapped(wired_network.hardware(wire_refresh=100), 2)
    wired_network.move(net)
    mho.write(net)
    assert wired_network.off(wired_network.first(net)) > 1e-4
    y = net(torch.ones(2, 37))
    again = wired_network.mapped(wired_network.hardware(wire_refresh=100), 2, seed=4)
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(torch.ones(2, 37)), y)
    end = "crossbar._extra_state"  # as an earlier version saved it
    old = {k: v[:10] if k.endswith(end) else v for k, v in net.state_dict().items()}
    again.load_state_dict(old)
    assert torch.equal(again(torch.ones(2, 37)), y)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e-5])
def test_conductances_that_cannot_be_are_refused_in_a_state(value: float) -> None:
    net = network("plain")
    state, y = copy.deepcopy(net.state_dict()), net(X)
    name = next(n for n in state if n.endswith("crossbar.conductance"))
    state[name][0, 0, 0, 0] = value
    with pytest.raises(
        InvalidInput, match=rf"{name} .*expected finite conductances of 0 S or more"
    ):
        net.load_state_dict(state)
    assert torch.equal(net(X), y)
