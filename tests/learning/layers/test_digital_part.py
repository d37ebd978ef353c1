"""Matrices that stay digital beside others of their layer that are on arrays."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize, prune

import mho
from builders.as_torch import EXACT, NOISY, check_as_torch, check_chips, check_state, converted
from builders.weighted_layers import LAYERS, first, made
from mho.learning.layers.digital_part import DigitalPart
from mho.learning.twins import parts_of
from mho.nn import memristive_layers

SEVERAL = [which for which in LAYERS if parts_of(made(which)[0])]
each_of_several = pytest.mark.parametrize("which", SEVERAL)
PCM = mho.Hardware(device="pcm-gst", dac_bits=8, adc_bits=8)


def halves(which: str) -> tuple[set[str], set[str]]:
    """Every second part of a layer, the last one among them, and the others."""
    parts = list(parts_of(made(which)[0]))
    return {*parts[-1::-2]}, {*parts[-2::-2]}


def beside(which: str, hardware: mho.Hardware) -> dict[str, mho.Hardware | None]:
    """Hardware of a layer half of whose parts are digital."""
    return dict.fromkeys(halves(which)[0]) | {"*": hardware}


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@each_of_several
def test_it_computes_as_torch_does_forwards_and_backwards(which: str) -> None:
    model, inputs = made(which)
    net = check_as_torch(model, inputs, hardware=beside(which, EXACT))
    digital, arrays = halves(which)
    assert {*memristive_layers(net)} == arrays
    assert {name for name, m in net.named_modules() if isinstance(m, DigitalPart)} == digital


@each_of_several
def test_several_chips_are_those_one_by_one(which: str) -> None:
    check_chips(*made(which), hardware=beside(which, NOISY))


@each_of_several
def test_states_of_torchs_layer_are_loaded_and_come_back(which: str) -> None:
    model, other = made(which)[0], made(which)[0]
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.25)
    check_state(model, other, beside(which, EXACT))
    net, again = (converted(each, beside(which, NOISY), 2) for each in (model, other))
    again.load_state_dict(net.state_dict())
    mine, theirs = mho.to_digital(net, 1).state_dict(), mho.to_digital(again, 1).state_dict()
    assert all(torch.equal(theirs[name], value) for name, value in mine.items())


@each_of_several
def test_digital_ones_are_exact_on_every_chip_and_count_as_digital(which: str) -> None:
    model, (digital, _) = made(which)[0], halves(which)
    hardware = {f"seq.{part}": None for part in digital} | {"*": NOISY}
    net = converted(nn.ModuleDict({"seq": model}), hardware, 2)
    rows = {row.name.removeprefix("seq."): row for row in mho.coverage(net).rows}
    assert {name for name, row in rows.items() if row.why == "excluded by hardware="} == digital
    assert {name for name, row in rows.items() if row.hardware is None} == digital
    share = sum(row.weights for row in rows.values() if row.on_arrays)
    share /= sum(row.weights for row in rows.values())
    assert mho.coverage(net).share_of_weights == pytest.approx(share)
    mine, exact = mho.to_digital(net, chip=1).get_submodule("seq").state_dict(), model.state_dict()
    parts = {part: entry for part, (*_, entry) in parts_of(model).items()}
    for part, entry in parts.items():
        each = [name for name, theirs in parts.items() if theirs == entry]
        held, wanted = (s[entry].chunk(len(each))[each.index(part)] for s in (mine, exact))
        assert torch.equal(held, wanted) == (part in digital)


@each_of_several
def test_training_tuning_and_ageing_go_on_beside_them(which: str) -> None:
    model, inputs = made(which)
    inputs = tuple(x[:3] for x in inputs)  # as many of each, as batches have them
    hardware = beside(which, mho.Hardware(device="pcm-gst"))
    net = converted(model, hardware)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer = torch.optim.SGD(net.parameters(), 0.1, weight_decay=0.5)
    first(net(*inputs)).square().sum().backward()
    optimizer.step()
    mho.write(net)
    still = {name for name, p in net.named_parameters() if torch.equal(p, before[name])}
    assert not any(name.endswith("weight") for name in still)
    mho.age(net, 3600.0)
    mho.tune(net, [(inputs, None)])
    mho.correct(net, hardware)
    assert all(layer.tuned for layer in memristive_layers(net).values())
    assert first(net(*inputs)).isfinite().all()


def test_pruned_weights_stay_zero_in_digital_ones_too() -> None:
    def pruned() -> nn.MultiheadAttention:
        layer = nn.MultiheadAttention(8, 2)
        prune.random_unstructured(layer, "in_proj_weight", 0.4)
        prune.random_unstructured(layer.out_proj, "weight", 0.4)
        return layer

    torch.manual_seed(0)
    model, other, x = pruned(), pruned(), torch.randn(4, 3, 8)
    net = converted(model, {"v_proj": None, "out_proj": None, "*": EXACT})
    optimizer = torch.optim.AdamW(net.parameters(), 0.05, weight_decay=0.5)
    for each in (model, other):
        if each is other:
            net.load_state_dict(other.state_dict(), strict=False)
            mho.write(net)
        for _ in range(3):
            optimizer.zero_grad()
            net(x, x, x)[0].square().sum().backward()
            optimizer.step()
            mho.write(net)
        plain, masks = mho.to_digital(net).state_dict(), each.state_dict()
        for name in ("in_proj_weight", "out_proj.weight"):
            assert torch.equal(plain[name] != 0, masks[f"{name}_mask"] != 0)


@pytest.mark.parametrize("driven", [False, True])
def test_noise_aware_training_leaves_digital_weights_alone(driven: bool) -> None:
    torch.manual_seed(0)
    model, x = nn.LSTM(5, 6), torch.randn(7, 3, 5)
    digital, arrays = ("ih", "hh") if driven else ("hh", "ih")
    hardware: Any = {f"weight_{digital}_l0": None, "*": PCM}
    net = mho.noise_aware(model, hardware)
    assert parametrize.is_parametrized(net, f"weight_{arrays}_l0")
    assert not parametrize.is_parametrized(net, f"weight_{digital}_l0")
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    net(x)[0].square().sum().backward()
    optimizer.step()
    chips = mho.convert(net.eval(), hardware, 2)
    (layer,) = memristive_layers(chips).values()
    assert layer.name == f"{arrays}_l0"
    assert layer.dac.ready == (not driven)  # the range of the inputs is handed over
    trained = mho.to_digital(chips).state_dict()
    for name, before in model.named_parameters():
        assert not torch.equal(trained[name], before)


@pytest.mark.parametrize(("kdim", "message"), [
    (None, "hardware for 'in_proj_weight' = 'None for a part of it'.*one parameter"),
    (6, "hardware for 'k_proj_weight' = None.*as 'q_proj_weight' has one: the same converters"),
])  # fmt: skip
def test_noise_aware_training_refuses_half_of_a_parameter_or_of_what_inputs_drive(
    kdim: int | None, message: str
) -> None:
    model = nn.MultiheadAttention(8, 2, kdim=kdim)
    with pytest.raises(ValueError, match=message):
        mho.noise_aware(model, {"k_proj": None, "*": PCM})
