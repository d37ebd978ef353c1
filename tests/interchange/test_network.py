"""Networks as .safetensors files: back to the bit, whole or not at all."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

import mho
from builders.as_torch import NOISY
from builders.networks import mapped, small_model
from mho.errors import InvalidInput
from mho.interchange import describe, load_network, load_state, save_network

X = torch.rand(4, 2, 6, 6, generator=torch.Generator().manual_seed(2))
CELL = mho.cells.MultiLevel(g_min=1e-5, g_max=9e-5, levels=5, sigma=(2e-6,))


class Memory(nn.Module):
    """A layer of several matrices, a digital one and buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.GRU(6, 5, batch_first=True)
        self.norm = nn.BatchNorm1d(5)
        self.out = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.norm(self.memory(x.flatten(1, 2))[0][:, -1]))


def memory() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Memory().eval()


def converted(model: nn.Module, hardware: Any, chips: int | None) -> nn.Module:
    return mho.convert(model, hardware, chips, generator=torch.Generator().manual_seed(6))


def used(chips: int | None) -> nn.Module:
    """Calibrated, tuned, trained a little, aged."""
    net = mapped(chips, device="pcm-gst", dac_bits=6, adc_bits=6)
    mho.tune(mho.calibrate(net, X), X)
    with torch.no_grad():
        for layer in mho.nn.memristive_layers(net).values():
            layer.weight.mul_(0.9)
    mho.write(net)
    return mho.age(net, "1 h").eval()


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[], nn.Module]]] = {
    "of its own": (small_model, lambda: mapped(None, device=CELL)),
    "on chips": (small_model, lambda: mapped(2, device=CELL)),
    "used": (small_model, lambda: used(2)),
    "used, one chip": (small_model, lambda: used(None)),
    "one layer": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 4)),
        lambda: converted(nn.Sequential(nn.Flatten(), nn.Linear(72, 4)), NOISY, 2),
    ),
    "some layers digital": (
        small_model, lambda: converted(small_model(), {"2": NOISY, "*": None}, 2),
    ),
    "two kinds of chips": (
        small_model,
        lambda: converted(small_model(), {"0": mho.Hardware(device=CELL), "*": NOISY}, 2),
    ),
    "several matrices": (memory, lambda: converted(memory(), NOISY, 2)),
    "matrices on two kinds": (
        memory,
        lambda: converted(
            memory(), {"memory.hh_l0": mho.Hardware(device=CELL), "*": NOISY}, None
        ),
    ),
}  # fmt: skip
each_network = pytest.mark.parametrize("which", NETWORKS)


def same(a: nn.Module, b: nn.Module) -> bool:
    mine, theirs = a.state_dict(), b.state_dict()
    return mine.keys() == theirs.keys() and all(
        torch.equal(mine[k].nan_to_num(), theirs[k].nan_to_num()) for k in mine
    )


@each_network
def test_a_network_comes_back_to_the_bit(which: str, tmp_path: Path) -> None:
    model, make = NETWORKS[which]
    net, path = make().eval(), tmp_path / "net.safetensors"
    save_network(net, path)
    again = load_network(model(), path).eval()
    assert same(again, net)
    assert repr(mho.ledger(again)) == repr(mho.ledger(net))
    third = load_state(make(), str(path))
    assert same(third, net)
    assert torch.equal(again(X), net(X))


@each_network
def test_the_file_says_how_the_network_was_converted(which: str, tmp_path: Path) -> None:
    net, path = NETWORKS[which][1](), tmp_path / "net.safetensors"
    save_network(net, path)
    saved = describe(path)
    layers = mho.nn.memristive_layers(net)
    assert saved.version == mho.__version__
    assert saved.chips == getattr(net, "chips", None)
    prefix = "" if saved.chips is None else "net."
    assert {prefix + name: kind for name, kind in saved.hardware.items() if kind} == {
        name: layer.hardware for name, layer in layers.items()
    }
    with safetensors.safe_open(path, "pt") as file:
        text = file.metadata()["hardware"]
    assert mho.Hardware.from_toml(text) == next(iter(layers.values())).hardware


def test_a_single_layer_that_is_the_network(tmp_path: Path) -> None:
    for chips in (None, 2):
        net = converted(nn.Linear(4, 3), NOISY, chips)
        save_network(net, tmp_path / "net.safetensors")
        assert same(load_network(nn.Linear(4, 3), tmp_path / "net.safetensors"), net)


def test_plain_networks_and_files_of_others(tmp_path: Path) -> None:
    path, model = tmp_path / "model.safetensors", memory()
    save_network(model, path)
    other = load_state(Memory(), path)
    assert same(other, model)
    assert describe(path) == (mho.__version__, {}, None)
    with pytest.raises(InvalidInput, match="a file that names its hardware"):
        load_network(memory(), path)
    safetensors.torch.save_file(small_model().state_dict(), path)
    assert describe(path).version == ""
    net = load_state(mapped(None, device=CELL), path, strict=False)  # weights alone
    for name, layer in mho.nn.memristive_layers(net).items():
        assert torch.equal(
            layer.to_torch(layer.weight), small_model().state_dict()[f"{name}.weight"]
        )


def test_shared_weights_come_back_shared(tmp_path: Path) -> None:
    def tied() -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(1)
            net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        net[1].weight = net[0].weight
        return net

    net = converted(tied(), NOISY, 2)
    save_network(net, tmp_path / "net.safetensors")
    again = load_network(tied(), tmp_path / "net.safetensors")
    assert same(again, net)
    first, second = mho.nn.memristive_layers(again).values()
    assert first.weight is second.weight


def others() -> dict[str, Callable[[], nn.Module]]:
    wide = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(48, 8), nn.ReLU())
    return {
        "other hardware": lambda: mapped(2, device=CELL.replace(levels=6)),
        "another number of chips": lambda: mapped(3, device=CELL),
        "no chips": lambda: mapped(None, device=CELL),
        "another shape": lambda: converted(wide, mho.Hardware(device=CELL), 2),
        "more layers": lambda: converted(
            nn.Sequential(*small_model(), nn.Linear(4, 4)),
            mho.Hardware(device=CELL, tile=(9, 6)),
            2,
        ),
        "fewer layers": lambda: converted(
            small_model()[:3], mho.Hardware(device=CELL, tile=(9, 6)), 2
        ),
        "a plain network": small_model,
        "one of nothing": nn.ReLU,
    }


@pytest.mark.parametrize("which", others())
def test_a_state_of_another_network_is_refused_and_changes_nothing(
    which: str, tmp_path: Path
) -> None:
    path, net = tmp_path / "net.safetensors", others()[which]()
    save_network(mapped(2, device=CELL), path)
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(InvalidInput) as refusal:
        load_state(net, path)
    assert "\n" not in str(refusal.value)
    after = net.state_dict()
    assert all(torch.equal(after[k].nan_to_num(), before[k].nan_to_num()) for k in before)


class Odd(nn.Linear):
    """A layer whose state is no tensor."""

    def get_extra_state(self) -> object:
        return {"steps": 3}


def test_what_cannot_be_saved_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"state_dict\['_extra_state'\] = .*torch\.save"):
        save_network(Odd(2, 2), tmp_path / "net.safetensors")
    with pytest.raises(InvalidInput, match=r"expected the name of a \.safetensors file"):
        save_network(small_model(), tmp_path / "net.pt")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("words", [{"layers": "3"}, {"layers": '["0"]'}, {"chips": "two"}])
def test_texts_that_are_none_of_mhos_are_refused(words: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    safetensors.torch.save_file({"a": torch.ones(1)}, path, words)
    with pytest.raises(InvalidInput, match="whose texts are those of a network of mho"):
        describe(path)
