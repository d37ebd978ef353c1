"""A store: the same written by kernels and by torch, wherever the memory of its tensors goes."""

import copy
import io
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from math import inf
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.cells import FIVE_LEVELS
from mho import Hardware, kernels
from mho.cells import (
    OfConductance,
    OpenLoop,
    PolynomialOfG,
    PowerOfG,
    SourceWrite,
    TableOfG,
    Verify,
)
from mho.hardware.store import Store
from mho.hardware.writes import find_stale, write_stale
from mho.learning.layers.layer import memristive_layers

CELL = FIVE_LEVELS.replace(sigma=(6e-6,), device_spread=0.03, stuck_off=0.03)
PROGRAMMING = {"open loop": OpenLoop(), "verify": Verify(tolerance=0.3)}

Switch = Callable[[], AbstractContextManager[None]]


def network(chips: int = 2, **options: object) -> nn.Module:
    """Two layers; always the same."""
    settings = {"device": CELL, "tile": (9, 12), "programming": OpenLoop()}
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(48, 7))
    hardware = Hardware(**(settings | options))
    net = mho.convert(model, hardware, chips, generator=torch.Generator().manual_seed(6))
    mho.calibrate(net, torch.ones(2 * chips, 2, 6, 6))
    return net


def train(net: nn.Module, seed: int, steps: int = 3, switch: Switch = nullcontext) -> None:
    """A few steps of training; `switch` is around the write steps."""
    own = torch.Generator().manual_seed(seed)
    write = mho.WriteStep(net, threshold=0.6)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    for _ in range(steps):
        optimizer.zero_grad()
        (net(torch.randn(12, 2, 6, 6, generator=own)) - 1).square().mean().backward()
        optimizer.step()
        with switch():
            write()


def everything(net: nn.Module) -> dict[str, Tensor]:
    """All that training leaves: the state, and what is folded from it."""
    state = dict(net.state_dict())
    for name, layer in memristive_layers(net).items():
        store = layer.store
        state |= {f"{name}.effective": store.effective, f"{name}.target": store.target}
        if store.digits is not None:
            state[f"{name}.digits"] = store.digits
    return {name: value.clone() for name, value in state.items()}


def assert_same(one: dict[str, Tensor], two: dict[str, Tensor]) -> None:
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=0, atol=0, equal_nan=True, msg=name)


# ------------------------------------------------------------------ memory that moves


def queued(tensor: Tensor) -> None:
    """As a `torch.multiprocessing` queue sends it: its storage goes to shared memory."""
    ForkingPickler(io.BytesIO()).dump(tensor)


def grown(tensor: Tensor) -> None:
    """Away and back: what it held is elsewhere."""
    held, shape = tensor.detach().clone(), tensor.shape
    with torch.no_grad():
        tensor.detach().resize_(0)
        tensor.set_(torch.empty_like(held).untyped_storage(), 0, shape)  # type: ignore[call-overload]
        tensor.copy_(held)


def replaced(tensor: Tensor) -> None:
    tensor.data = tensor.detach().clone()


def reset(tensor: Tensor) -> None:
    with torch.no_grad():
        tensor.set_(tensor.detach().clone())  # type: ignore[call-overload]


WAYS: dict[str, Callable[[Tensor], object]] = {
    "queue": queued,
    "share_memory_": lambda t: t.detach().share_memory_(),
    ".data": replaced,
    "set_": reset,
    "resize_": grown,
}
TOUCHED = (
    *("weight", "effective", "target", "cell_levels", "digits"),
    *("crossbar.fault", "crossbar.conductance", "crossbar.level", "crossbar.writes"),
    *("crossbar.pulses", "crossbar.set_pulses", "crossbar.row_pulses", "crossbar.reads"),
    *("crossbar.row_reads", "crossbar.trait_offset"),
)
"""All tensors that kernels of a write step see or change."""


def tensor_of(net: nn.Module, layer: str, name: str) -> Tensor:
    module = memristive_layers(net)[layer]
    owner, _, leaf = name.rpartition(".")
    found = getattr(module.crossbar if owner else module, leaf, None)
    return getattr(module.store, leaf) if found is None else found


@pytest.mark.parametrize("programming", PROGRAMMING.values(), ids=PROGRAMMING.keys())
@pytest.mark.parametrize("name", TOUCHED)
@pytest.mark.parametrize("way", WAYS)
def test_writes_follow_a_tensor_whose_memory_moves(
    way: str, name: str, programming: OpenLoop | Verify
) -> None:
    states = []
    for moves in (False, True):
        net = network(programming=programming, slices=2, adc_bits=8)
        train(net, seed=1)
        for layer in memristive_layers(net) if moves else ():
            WAYS[way](tensor_of(net, layer, name))
            if name == "weight":
                memristive_layers(net)[layer].mark_written()
        trash = [torch.full((1 << k,), 1e9) for k in range(12)]  # where it was
        train(net, seed=2)
        states.append(everything(net))
        del trash
    assert_same(*states)


def test_what_a_move_lost_is_folded_again() -> None:
    """A thread that copies `effective` elsewhere may miss what is written meanwhile."""
    net = network()
    (layer, *_) = memristive_layers(net).values()
    layer.effective.data = torch.zeros_like(layer.effective)
    train_quietly(net)
    effective = layer.effective.clone()
    layer.refresh()
    assert torch.equal(effective, layer.effective)
    assert effective.abs().sum() > 0


def train_quietly(net: nn.Module) -> None:
    """One write step without a forward pass."""
    with torch.no_grad():
        for layer in memristive_layers(net).values():
            layer.weight.add_(layer.step)
    mho.write(net)


THREADED = """
import random, threading, time, torch, mho, torch.multiprocessing as mp
torch.set_num_threads(1)
def main():
    torch.manual_seed(0)
    hardware = mho.Hardware(
        device=mho.devices.get("hfo2-1t1r"), programming=mho.cells.OpenLoop()
    )
    net = mho.convert(torch.nn.Sequential(torch.nn.Linear(784, 64)), hardware)
    (layer,) = mho.nn.memristive_layers(net).values()
    write, optimizer = mho.WriteStep(net), torch.optim.SGD(net.parameters(), 0.5)
    queue, wait = mp.get_context("spawn").Queue(), random.Random(1)
    def send():
        for tensor in (layer.effective, layer.target, *layer.crossbar.buffers()):
            time.sleep(0.003 * wait.random())
            queue.put(tensor)
    thread = threading.Thread(target=send)
    thread.start()
    for step in range(60):
        optimizer.zero_grad()
        net(torch.rand(16, 784)).square().mean().backward()
        optimizer.step()
        write()
    thread.join()
    time.sleep(0.1)
    with torch.no_grad():
        layer.weight.add_(layer.step)
    write()
    effective = layer.effective.clone()
    layer.refresh()
    assert torch.equal(effective, layer.effective)
    queue.cancel_join_thread()
if __name__ == "__main__":
    main()
"""


def test_a_thread_that_sends_tensors_away_does_not_crash_a_training(tmp_path: Path) -> None:
    script = tmp_path / "send.py"
    script.write_text(THREADED)
    subprocess.run([sys.executable, "-W", "ignore", str(script)], check=True, timeout=600)


WHOLE: dict[str, Callable[[nn.Module], object]] = {
    "share_memory": lambda net: net.share_memory(),
    "load assign": lambda net: net.load_state_dict(copy.deepcopy(net.state_dict()), assign=True),
    "to": lambda net: net.to(torch.float64).to(torch.float32),
    "copy": copy.deepcopy,
}


@pytest.mark.parametrize("programming", PROGRAMMING.values(), ids=PROGRAMMING.keys())
@pytest.mark.parametrize("way", WHOLE)
def test_writes_follow_a_network_that_moves(way: str, programming: OpenLoop | Verify) -> None:
    states = []
    for moves in (False, True):
        net = network(programming=programming)
        train(net, seed=1)
        if moves:
            moved = WHOLE[way](net)
            net = moved if way == "copy" else net
            assert isinstance(net, nn.Module)
        train(net, seed=2)
        states.append(dict(net.state_dict()))
    assert_same(*states)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="pins memory for CUDA")
def test_writes_follow_a_network_in_pinned_memory() -> None:
    net = network()
    train(net, seed=1)
    net._apply(lambda t: t.pin_memory())
    train(net, seed=2)
    other = network()
    train(other, seed=1)
    train(other, seed=2)
    assert_same(everything(net), everything(other))


# ------------------------------------------------------------------ kernels and torch

KINDS = {
    "differential": {},
    "offset": {"mapping": "offset"},
    "single": {"mapping": "single"},
    "copies": {"copies": 3},
    "slices": {"slices": 2, "adc_bits": 8},
    "copies of slices": {"mapping": "offset", "copies": 2, "slices": 2, "adc_bits": 8},
    "exact slices": {"slices": 2},
    "wires": {"wire_resistance": 2.0, "wire_refresh": 2},
    "interleaved": {"wire_resistance": 2.0, "interleaved": True, "copies": 2},
}


@pytest.mark.parametrize("programming", PROGRAMMING.values(), ids=PROGRAMMING.keys())
@pytest.mark.parametrize("chips", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_kernels_and_torch_write_the_same_bits(
    kind: str, chips: int, programming: OpenLoop | Verify
) -> None:
    states = []
    for switch in (nullcontext, kernels.off):
        net = network(chips, programming=programming, **KINDS[kind])
        train(net, seed=1, steps=5, switch=switch)
        states.append(everything(net))
    assert_same(*states)


def test_switched_off_no_kernel_sees_a_store() -> None:
    (layer, *_) = memristive_layers(network()).values()
    assert layer.store.views(layer.weight) is not None
    with kernels.off():
        assert layer.store.views(layer.weight) is None
        with kernels.off():
            pass
        assert layer.store.views(layer.weight) is None
    assert layer.store.views(layer.weight) is not None


# ------------------------------------------------------------------ finding what moved


def bare(w: Tensor, target: Tensor, edge: float) -> Store:
    """The store of a layer with a target and a full scale that are given."""
    net = mho.convert(nn.Linear(*reversed(w.shape)), Hardware(device=CELL)).to(w.dtype)
    store = next(iter(memristive_layers(net).values())).store
    store.target, store.full_scale = target, edge
    return store


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_stale_weights_are_those_of_a_plain_comparison(
    dtype: torch.dtype, generator: torch.Generator
) -> None:
    given = torch.randn(300, 700, generator=generator).to(dtype)  # several blocks
    w = given.float()  # what is compared, whatever the weight's type
    target = w + 0.1 * torch.randn(w.shape, generator=generator)
    store = bare(given, target, 10.0)
    found, shadow, outside = find_stale(store, given, 0.15 / store.step)
    expected = (w - target).abs() > 0.15 / store.step * store.step
    assert torch.equal(found, expected.flatten().nonzero().squeeze(1))
    assert found.dtype == torch.int64
    assert torch.equal(shadow, w[expected])
    assert outside == 0
    edge = w.abs().max().item() / 2
    cut = bare(given, target, edge)
    found, _, outside = find_stale(cut, given, 0.15 / cut.step)
    assert outside == int((expected & (w.abs() > edge)).sum()) > 0
    expected &= (w.clamp(-edge, edge) - target).abs() > 0.15 / cut.step * cut.step
    assert torch.equal(found, expected.flatten().nonzero().squeeze(1))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("threshold", [0.5, 1e9, 0.0])
@pytest.mark.parametrize("switch", [nullcontext, kernels.off])
def test_a_shadow_that_is_not_finite_is_refused(
    switch: Switch, threshold: float, bad: float
) -> None:
    net = network()
    (layer, *others) = memristive_layers(net).values()
    before = everything(net)
    with torch.no_grad():
        layer.weight.view(-1)[7] = bad
    pairs = [(x.store, x.weight) for x in (*others, layer)]
    if bad == torch.inf and threshold == 1e9:
        return  # it is clamped to the edge of the window, which is near enough
    with switch(), pytest.raises(ValueError, match=r"^0\.weight = 'nan or inf'"):
        write_stale(pairs, [threshold] * 2, False, [inf] * 2)
    after = everything(net)
    for name, value in before.items():
        if "extra_state" not in name and name != "net.0.weight":
            assert torch.equal(value, after[name]), name


OF_G = {
    "polynomial": (6e-6, -0.2, 2e3),
    "limited": PolynomialOfG(coefficients=(1e-6, 2e-6), unit=20e-6, most=4e-6),
    "power": PowerOfG(factor=3e-6, exponent=0.7, unit=50e-6),
    "falling": PowerOfG(factor=1e-6, exponent=-0.4, unit=50e-6, most=5e-6),
    "table": TableOfG(g=(5e-6, 30e-6, 90e-6), values=(1e-6, 7e-6, 2e-6)),
    "table in ln g": TableOfG(g=(5e-6, 30e-6, 90e-6), values=(1e-6, 7e-6, 2e-6), along="ln g"),
}
"""Spreads that depend on the conductance."""


@pytest.mark.parametrize("sigma", OF_G.values(), ids=OF_G)
def test_spreads_of_the_conductance_are_compiled_to_the_same_bits(
    sigma: tuple[float, ...] | OfConductance,
) -> None:
    states = []
    for switch in (nullcontext, kernels.off):
        with switch():
            net = network(device=CELL.replace(sigma=sigma))
        assert all(x.crossbar.landing is not None for x in memristive_layers(net).values())
        train(net, seed=1, switch=switch)
        states.append(everything(net))
    assert_same(*states)


def test_whole_writes_are_the_same_compiled_and_in_torch() -> None:
    """Also as cells die of the pulses that each write takes."""
    cell = CELL.replace(written=SourceWrite(pulses=4, reads=5), endurance=14.0)
    states = []
    for switch in (nullcontext, kernels.off):
        net = network(device=cell, programming=None)
        train(net, seed=1, steps=5, switch=switch)
        states.append(everything(net))
        totals = mho.ledger(net).totals()
        assert totals["set_pulses"] + totals["reset_pulses"] == 4 * totals["writes"]
        assert totals["verify_reads"] == 5 * totals["writes"]
        assert totals["worn"] > 0
    assert_same(*states)
