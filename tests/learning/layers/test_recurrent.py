"""RNN, LSTM and GRU on arrays give what torch's give, of sequences of every kind."""

import random
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import rnn as sequences
from torch.nn.utils.rnn import PackedSequence

import mho
from builders.as_torch import NOISY, check_as_torch, check_chips, check_state, converted
from mho.nn import memristive_layers

KINDS: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
OPTIONS: dict[str, list[Any]] = {
    "num_layers": [1, 2, 3],
    "bias": [True, False],
    "batch_first": [True, False],
    "bidirectional": [True, False],
    "dropout": [0.0, 0.4],
    "given": ["batch", "one", "packed", "packed, sorted"],
    "states": [True, False],
    "training": [True, False],
}
OWN = {"rnn": {"nonlinearity": ["tanh", "relu"]}, "lstm": {"proj_size": [0, 3]}, "gru": {}}
BATCH, STEPS, INPUTS, HIDDEN = 4, 5, 6, 7
LENGTHS = {False: [3, 5, 1, 3], True: [5, 3, 3, 1]}
"""Of packed sequences, sorted or not."""

every_kind = pytest.mark.parametrize("kind", KINDS)
every_sample = pytest.mark.parametrize("seed", range(12))


def sample(kind: str, seed: int) -> dict[str, Any]:
    draw = random.Random(f"{kind} {seed}")
    o = {name: draw.choice(values) for name, values in (OPTIONS | OWN[kind]).items()}
    if o["num_layers"] == 1:
        o["dropout"] = 0.0
    return o


def layer_of(kind: str, o: dict[str, Any]) -> nn.RNNBase:
    torch.manual_seed(1)
    names = ("num_layers", "bias", "batch_first", "bidirectional", "dropout", *OWN[kind])
    layer = KINDS[kind](INPUTS, HIDDEN, **{name: o[name] for name in names if name in o})
    return layer.double().train(o["training"])


def given(kind: str, o: dict[str, Any]) -> list[Any]:
    """Inputs, and states if there are any."""
    torch.manual_seed(2)
    shape = [BATCH, STEPS] if o["batch_first"] else [STEPS, BATCH]
    places, batch = o["num_layers"] * (1 + o["bidirectional"]), [BATCH]
    x: Any = torch.randn(*shape, INPUTS, dtype=torch.float64)
    if o["given"] == "one":
        x, batch = torch.randn(STEPS, INPUTS, dtype=torch.float64), []
    elif o["given"] != "batch":
        in_order = o["given"] == "packed, sorted"
        how = {"batch_first": o["batch_first"], "enforce_sorted": in_order}
        x = sequences.pack_padded_sequence(x, LENGTHS[in_order], **how)
    if not o["states"]:
        return [x]
    widths = [o.get("proj_size") or HIDDEN, HIDDEN][: 1 + (kind == "lstm")]
    states = [torch.randn(places, *batch, width, dtype=torch.float64) for width in widths]
    return [x, tuple(states) if kind == "lstm" else states[0]]


def vectors_of(o: dict[str, Any]) -> int:
    """Of a pass, in closed form."""
    if o["given"].startswith("packed"):
        return sum(LENGTHS[False])
    return STEPS * (1 if o["given"] == "one" else BATCH)


# ------------------------------------------------------------------ torch's own layer


@every_sample
@every_kind
def test_outputs_and_gradients_are_torchs(kind: str, seed: int) -> None:
    o = sample(kind, seed)
    model = layer_of(kind, o)
    if o["training"] and o["dropout"]:
        model.eval()  # torch draws in an order of its own
    net = check_as_torch(model, given(kind, o))
    # once with gradients, once without
    counts = {name: layer.crossbar.counts for name, layer in memristive_layers(net).items()}
    assert {each.vectors for each in counts.values()} == {2 * vectors_of(o)}


@every_sample
@every_kind
def test_many_chips_are_the_chips_one_by_one(kind: str, seed: int) -> None:
    o = sample(kind, seed)
    if not o["given"].startswith("packed"):
        model = layer_of(kind, o).float().eval()
        check_chips(model, [_float(x) for x in given(kind, o)])


def _float(x: Any) -> Any:
    return tuple(each.float() for each in x) if type(x) is tuple else x.float()


@every_sample
@every_kind
def test_states_of_the_torch_layer_go_in_and_come_back(kind: str, seed: int) -> None:
    o = sample(kind, seed)
    model, other = layer_of(kind, o), layer_of(kind, o)
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    check_state(model, other)


@every_sample
@every_kind
def test_each_layer_and_direction_has_arrays_of_its_own(kind: str, seed: int) -> None:
    o = sample(kind, seed)
    model = layer_of(kind, o)
    wanted = {
        name.removeprefix("weight_"): value.shape
        for name, value in model.named_parameters()
        if name.startswith("weight")
    }
    net = converted(model, NOISY)
    layers = memristive_layers(net)
    assert {name: layer.effective[0].shape for name, layer in layers.items()} == wanted
    out = HIDDEN if not o.get("proj_size") else 3
    ends = 1 + o["bidirectional"]
    ins = [INPUTS] + [out * ends] * (o["num_layers"] - 1)
    gates = GATES[kind] * HIDDEN
    weights = ends * sum(gates * (n + out) + (out * HIDDEN if out != HIDDEN else 0) for n in ins)
    cells = sum(layer.cells for layer in mho.ledger(net).layers)
    assert cells == 2 * weights, "differential: two cells a weight"
