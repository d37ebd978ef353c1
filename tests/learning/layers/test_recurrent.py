"""RNN, LSTM and GRU on arrays give what torch's give, of sequences of every kind."""

import copy
import pickle
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils import rnn as sequences
from torch.nn.utils.rnn import PackedSequence
from torch.utils.checkpoint import checkpoint

import mho
from builders.as_torch import (
    EXACT,
    NOISY,
    check_as_torch,
    check_chips,
    check_state,
    converted,
)
from mho.nn import (
    MemristiveGRU,
    MemristiveLSTM,
    MemristiveRNN,
    each_chip,
    memristive_layers,
)

KINDS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
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

QUIET = NOISY.replace(device=mho.MultiLevel(g_min=1e-6, g_max=1e-4, levels=16, sigma=(2e-6,)))

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
    net = converted(model, QUIET, 3)
    whole, end = net(x)
    _, state = net(x[:2])
    assert all(each.shape == (3, 2, 4, HIDDEN) for each in _states(state))
    rest, last = net(x[2:], each_chip(state))
    torch.testing.assert_close(rest, whole[:, 2:])
    for mine, other in zip(_states(last), _states(end), strict=True):
        torch.testing.assert_close(mine, other)


@every_kind
def test_a_layer_of_several_chips_alone_is_called_with_chips_around_it(kind: str) -> None:
    model = KINDS[kind](INPUTS, HIDDEN, 2).eval()
    x = torch.randn(STEPS, BATCH, INPUTS)
    net = converted(model, NOISY, 3)
    wanted, last = net(x)
    layer = converted(model, NOISY, 3).get_submodule("net")
    with pytest.raises(
        ValueError, match=r"called outside of its network.*mho\.nn\.Chips\(part, 3\)"
    ):
        layer(x.expand(3, *x.shape))
    y, states = mho.nn.Chips(layer, 3)(x)
    torch.testing.assert_close(y, wanted)
    assert [s.shape for s in _states(states)] == [s.shape for s in _states(last)]


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


# ------------------------------------------------------------------ what is refused


def shaped(*shape: int) -> Tensor:
    return torch.ones(shape)


PACKED = sequences.pack_sequence([shaped(3, INPUTS), shaped(2, INPUTS)])
REFUSED = [
    (
        [shaped(5, 4, 5)],
        r"input, of shape = \(5, 4, 5\): expected \(time, batch, 6\) or \(time, 6",
    ),
    ([shaped(6)], r"input, of shape = \(6,\)"),
    ([shaped(2, 5, 4, 6)], r"input, of shape = \(2, 5, 4, 6\)"),
    ([shaped(0, 4, 6)], r"of one time step or more"),
    ([PACKED._replace(data=shaped(5, 5))], r"of shape = \(5, 5\): expected \(vectors, 6\)"),
    ([shaped(5, 4, 6), shaped(1, 4, 7)], r"hx = .*: expected None, or tensors \(h_0, c_0\)"),
    ([shaped(5, 4, 6), (shaped(1, 4, 7),)], r"hx = .*: expected None, or tensors \(h_0, c_0\)"),
    (
        [shaped(5, 4, 6), (shaped(1, 4, 7), shaped(1, 3, 7))],
        r"c_0, of shape = \(1, 3, 7\): expected",
    ),
    ([shaped(5, 6), (shaped(1, 4, 7),) * 2], r"h_0, of shape = \(1, 4, 7\): expected \(1, 7\)"),
    ([PACKED, (shaped(1, 3, 7),) * 2], r"h_0, of shape = \(1, 3, 7\): expected \(1, 2, 7\)"),
    ([shaped(5, 4, 6), (None, None)], r"h_0"),
    ([[[1.0]]], r"input = \[\[1\.0\]\]"),
    ([shaped(5, 4, 6).long()], r"torch\.float32"),
    ([shaped(5, 4, 6).double()], r"torch\.float32"),
]


@pytest.mark.parametrize(("args", "words"), REFUSED)
def test_what_the_layer_cannot_take_is_refused_by_name(args: list[Any], words: str) -> None:
    one = converted(nn.ModuleDict({"rnn": nn.LSTM(INPUTS, HIDDEN)}))
    with pytest.raises(ValueError, match=rf"rnn.*{words}"):
        one.get_submodule("rnn")(*args)
    many = converted(nn.LSTM(INPUTS, HIDDEN), chips=2)
    with pytest.raises(ValueError, match=rf"MemristiveLSTM.*{words}"):
        many(*args)
    for net in (one, many):
        assert all(x.crossbar.counts.vectors == 0 for x in memristive_layers(net).values())


def test_an_empty_batch_gives_an_empty_answer() -> None:
    for kind in KINDS:
        model, x = KINDS[kind](INPUTS, HIDDEN, 2), torch.ones(5, 0, INPUTS)
        y, last = converted(model, chips=2)(x)
        assert y.shape == (2, 5, 0, HIDDEN)
        assert _states(last)[0].shape == (2, 2, 0, HIDDEN)


def test_a_tuned_offset_behind_a_projection_has_no_place_in_torchs_layer() -> None:
    net = converted(nn.LSTM(INPUTS, HIDDEN, proj_size=3), NOISY)
    layer = memristive_layers(net)["hr_l0"]
    layer.offset.fill_(0.1)
    layer.tuned = True
    with pytest.raises(ValueError, match=r"read-out of MemristiveLSTM\.hr_l0 = 'with tuned off"):
        mho.to_digital(net, chip=0)
    assert mho.to_digital(net).proj_size == 3


def test_tuned_offsets_become_biases_of_a_layer_that_had_none() -> None:
    x = torch.randn(STEPS, BATCH, INPUTS)
    net = converted(nn.LSTM(INPUTS, HIDDEN, bias=False), QUIET)
    for layer in memristive_layers(net).values():
        layer.offset.normal_()
        layer.gain.normal_(1.0, 0.1)
        layer.tuned = True
    plain = mho.to_digital(net, chip=0)
    assert plain.bias
    assert plain.bias_hh_l0.any()
    torch.testing.assert_close(net(x), plain(x))


# ------------------------------------------------------------------ torch's world


def test_a_weight_under_a_parametrization_is_taken_as_the_layer_has_it() -> None:
    for kind in KINDS:
        model, x = KINDS[kind](INPUTS, HIDDEN), torch.randn(STEPS, BATCH, INPUTS)
        for name in ("weight_hh_l0", "weight_ih_l0"):
            parametrizations.weight_norm(model, name)
        with torch.no_grad():
            model.parametrizations.weight_hh_l0.original0.mul_(1.7)  # type: ignore[union-attr]
        net = converted(model)
        hh = memristive_layers(net)["hh_l0"]
        torch.testing.assert_close(hh.weight, model.weight_hh_l0)
        torch.testing.assert_close(net(x), model(x), rtol=1e-2, atol=2e-3)


@pytest.mark.parametrize("bias", [True, False])
@every_kind
def test_autocast_is_as_of_a_linear_layer_on_arrays(kind: str, bias: bool) -> None:
    x = torch.randn(STEPS, BATCH, INPUTS)
    model = KINDS[kind](INPUTS, HIDDEN, 2, bias=bias)
    for chips in (None, 2):
        net = converted(model, chips=chips)
        wanted, _ = net(x)
        with torch.autocast("cpu", torch.bfloat16):
            y, last = net(x)
        linear = converted(nn.Linear(INPUTS, HIDDEN, bias=bias))
        with torch.autocast("cpu", torch.bfloat16):
            assert {each.dtype for each in (y, *_states(last))} <= {linear(x[0]).dtype, x.dtype}
        torch.testing.assert_close(y.float(), wanted, rtol=0.02, atol=0.02)
        y.square().mean().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(net(x)[0], y.detach())


@every_kind
def test_a_checkpointed_layer_has_the_same_gradients(kind: str) -> None:
    x = torch.randn(STEPS, BATCH, INPUTS)
    found = []
    for through in (lambda net: net(x), lambda net: checkpoint(net, x, use_reentrant=False)):
        torch.manual_seed(4)
        net = converted(KINDS[kind](INPUTS, HIDDEN, 2))
        y, _ = through(net)
        y.square().mean().backward()
        vectors = {layer.crossbar.counts.vectors for layer in memristive_layers(net).values()}
        assert vectors == {STEPS * BATCH}
        found.append([p.grad for p in net.parameters()])
    torch.testing.assert_close(*found)


@every_kind
def test_copies_and_saved_states_hold_the_same_chips(kind: str) -> None:
    x = torch.randn(STEPS, BATCH, INPUTS)
    net = converted(KINDS[kind](INPUTS, HIDDEN, 2), QUIET, 2)
    other = mho.convert(KINDS[kind](INPUTS, HIDDEN, 2), QUIET, 2)
    other.load_state_dict(net.state_dict())
    for again in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), other):
        torch.testing.assert_close(again(x), net(x))


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@every_kind
def test_made_without_a_network_it_is_torchs_layer_too(kind: str) -> None:
    twin: Any = {"rnn": MemristiveRNN, "lstm": MemristiveLSTM, "gru": MemristiveGRU}[kind]
    o = {"num_layers": 2, "bias": False, "batch_first": True, "dropout": 0.3, "bidirectional": True}
    o |= {"rnn": {"nonlinearity": "relu"}, "lstm": {"proj_size": 3}, "gru": {}}[kind]
    layer = twin(INPUTS, HIDDEN, **o, hardware=EXACT).eval()
    plain = mho.to_digital(layer, chip=0)
    assert str(plain) == str(KINDS[kind](INPUTS, HIDDEN, **o))
    x = torch.randn(BATCH, STEPS, INPUTS)
    torch.testing.assert_close(layer(x), plain(x))
