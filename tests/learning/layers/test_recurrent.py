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
from mho.learning.layers.structure import each_chip
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


# ------------------------------------------------------------------ packed sequences on many chips


@every_sample
@every_kind
def test_packed_sequences_come_back_chip_by_chip(kind: str, seed: int) -> None:
    o = sample(kind, seed) | {"given": ["packed", "packed, sorted"][seed % 2]}
    model, args = layer_of(kind, o).float().eval(), given(kind, o)
    args = [args[0].to(torch.float32), *map(_float, args[1:])]
    packed, last = converted(model, NOISY, 3)(*args)
    assert len(packed) == 3
    for chip in range(3):
        wanted, theirs = converted(model, NOISY, first_chip=chip)(*args)
        assert isinstance(packed[chip], PackedSequence)
        for mine, other in zip(packed[chip], wanted, strict=True):
            torch.testing.assert_close(mine, other)
        for mine, other in zip(_states(last), _states(theirs), strict=True):
            torch.testing.assert_close(mine[chip], other)


def _states(last: Any) -> tuple[Tensor, ...]:
    return last if isinstance(last, tuple) else (last,)


class Tagger(nn.Module):
    """Packs, runs and unpacks inside, as networks do."""

    def __init__(self, kind: str, batch_first: bool) -> None:
        super().__init__()
        self.first = nn.Linear(5, INPUTS)
        self.rnn = KINDS[kind](INPUTS, HIDDEN, batch_first=batch_first, bidirectional=True)
        self.last, self.batch_first = nn.Linear(2 * HIDDEN, 3), batch_first

    def forward(self, x: Tensor, lengths: list[int]) -> tuple[Tensor, Tensor]:
        how = {"batch_first": self.batch_first}
        packed = sequences.pack_padded_sequence(
            torch.relu(self.first(x)), torch.tensor(lengths), enforce_sorted=False, **how
        )
        self.rnn.flatten_parameters()
        packed, _ = self.rnn(packed)
        y, lengths_again = sequences.pad_packed_sequence(packed, **how)
        return self.last(y), lengths_again


@pytest.mark.parametrize("batch_first", [True, False])
@every_kind
def test_networks_that_pack_inside_run_on_all_chips_at_once(kind: str, batch_first: bool) -> None:
    torch.manual_seed(4)
    x = torch.randn((4, 5, 5) if batch_first else (5, 4, 5))
    check_chips(Tagger(kind, batch_first), [x, LENGTHS[False]])


# ------------------------------------------------------------------ networks over time


class Classifier(nn.Module):
    """Torch's default, time first, between two layers."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.first, self.rnn = nn.Linear(5, INPUTS), KINDS[kind](INPUTS, HIDDEN, 2)
        self.last = nn.Linear(HIDDEN, 3)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        y, state = self.rnn(self.first(x), state)
        return self.last(y), state


@every_kind
def test_time_first_is_no_chip(kind: str) -> None:
    torch.manual_seed(4)
    check_chips(Classifier(kind).eval(), [torch.randn(6, 4, 5)])


@every_kind
def test_states_of_each_chip_go_back_in(kind: str) -> None:
    torch.manual_seed(4)
    model, x = Classifier(kind).eval(), torch.randn(6, 4, 5)
    net = converted(model, NOISY.replace(device=NOISY.device.replace(read_noise=0.0)), 3)
    whole, end = net(x)
    _, state = net(x[:2])
    assert all(each.shape == (3, 2, 4, HIDDEN) for each in _states(state))
    rest, last = net(x[2:], each_chip(state))
    torch.testing.assert_close(rest, whole[:, 2:])
    for mine, other in zip(_states(last), _states(end), strict=True):
        torch.testing.assert_close(mine, other)


@every_kind
def test_a_layer_of_several_chips_alone_takes_chips_first(kind: str) -> None:
    model = KINDS[kind](INPUTS, HIDDEN, 2).eval()
    x = torch.randn(STEPS, BATCH, INPUTS)
    net = converted(model, NOISY, 3)
    wanted, last = net(x)
    layer = net.net
    again = converted(model, NOISY, 3).net
    y, states = again(x.expand(3, *x.shape))
    torch.testing.assert_close(y, wanted)
    assert [s.shape for s in _states(states)] == [s.shape for s in _states(last)]
    with pytest.raises(
        ValueError, match=r"input, of shape = \(5, 4, 6\): allowed is \(3, \.\.\.\)"
    ):
        layer(x)


# ------------------------------------------------------------------ dropout, training


@every_kind
def test_dropout_between_layers_in_training_alone(kind: str) -> None:
    torch.manual_seed(4)
    x, model = torch.rand(STEPS, 50, INPUTS), KINDS[kind](INPUTS, HIDDEN, 2, dropout=0.5)
    net = converted(model, chips=2)
    net.eval()
    assert torch.equal(net(x)[0], net(x)[0])
    net.train()
    one, two = net(x)[0]
    assert not torch.equal(one, two), "each chip draws its own"
    plain = mho.to_digital(net)
    assert (plain.dropout, plain.training) == (0.5, True)


def test_a_dropout_that_does_nothing_was_warned_of_once() -> None:
    with pytest.warns(UserWarning, match="dropout option adds dropout"):
        model = nn.GRU(3, 4, dropout=0.5)
    net = converted(model)
    assert mho.to_digital(net).dropout == 0.5


@pytest.mark.parametrize("options", [{}, {"dac_bits": 8, "adc_bits": 8}], ids=["ideal", "bits"])
@every_kind
def test_a_toy_task_is_learnt_on_arrays(kind: str, options: dict[str, Any]) -> None:
    """Which of two symbols came first; gradients go through time to both matrices."""
    torch.manual_seed(4)
    device = mho.MultiLevel(g_min=1e-6, g_max=1e-4, levels=64, sigma=(1e-6,))
    model = Classifier(kind)
    net = converted(model, mho.Hardware(device=device, **options))
    y = torch.randint(0, 3, (64,))
    x = 0.1 * torch.randn(7, 64, 5)
    x[0, torch.arange(64), y] += 2.0
    step, optimizer = mho.WriteStep(net), torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x)[0][-1], y)
        loss.backward()
        optimizer.step()
        with pytest.raises(mho.errors.NotReady, match=r"mho\.write|WriteStep"):
            net(x)
        step()
    accuracy = (net.eval()(x)[0][-1].argmax(-1) == y).float().mean()
    assert accuracy > 0.9
    written = {name: layer.crossbar.counts for name, layer in memristive_layers(net).items()}
    assert {"first", "rnn.ih_l0", "rnn.hh_l0", "rnn.ih_l1", "rnn.hh_l1", "last"} == set(written)
