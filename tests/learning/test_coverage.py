"""What is on arrays, what is not and why, and how much that is: in rows, words, warnings."""

from __future__ import annotations

import copy
import pickle
import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

import mho
from mho.learning.layer_table import BETWEEN, EXCLUDED, LOOKUP, NORM, OWN_PARAMETER
from mho.learning.twins import TWINS, kinds, why_not
from mho.nn import memristive_layers

CELL = mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=9, sigma=(2e-6,), read_noise=0.02)
HARDWARE = mho.Hardware(device=CELL, dac_bits=6, adc_bits=6)
BATCH = 4


class Odd(nn.Module):
    """A layer that no torch layer is like."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.rand(6, 6))
        self.shift = nn.Parameter(torch.rand(1, 6))
        self.scale = nn.Parameter(torch.rand(6))

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.shift) @ self.mix * self.scale


class Mixed(nn.Module):
    """One layer of every sort: words to scores."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 6)
        self.odd = Odd()
        self.norm = nn.BatchNorm1d(6)
        self.body = nn.Linear(6, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, words: Tensor) -> Tensor:
        x = self.odd(self.words(words))  # (batch, time, 6)
        x = self.norm((x @ x.mT @ x).flatten(0, 1)).view(x.shape)
        return self.head(torch.relu(self.body(x)).mean(1))


WORDS = torch.randint(11, (BATCH, 7), generator=torch.Generator().manual_seed(0))
CHOICE = {"odd.*": None, "head": None, "*": HARDWARE}


def mixed(chips: int | None = None) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Mixed()
    net = mho.convert(model, CHOICE, chips, generator=torch.Generator().manual_seed(1))
    return net.eval()


@pytest.mark.parametrize("chips", [None, 1, 3])
def test_rows_say_what_is_where_and_why(chips: int | None) -> None:
    table = mho.coverage(mixed(chips))
    rows = [(row.name, row.kind, row.on_arrays, row.why, row.weights) for row in table.rows]
    assert rows == [
        ("words", "Embedding", False, LOOKUP, 66),
        ("odd.mix", "Odd", False, OWN_PARAMETER, 36),
        ("odd.shift", "Odd", False, OWN_PARAMETER, 6),
        ("norm", "BatchNorm1d", False, NORM, 0),
        ("body", "Linear", True, "", 30),
        ("head", "Linear", False, EXCLUDED, 15),
    ]
    assert table.rows[4].hardware == HARDWARE
    assert table.share_of_weights == pytest.approx(30 / (36 + 6 + 30 + 15))
    assert table.share_of_multiplications is None
    assert "not counted" in str(table)


@pytest.mark.parametrize("chips", [None, 1, 3])
def test_multiplications_are_those_of_one_input(chips: int | None) -> None:
    net = mixed(chips)
    table = mho.coverage(net, WORDS)
    rows = {(row.name, row.why): row for row in table.rows}
    found = {key: row.multiplications for key, row in rows.items()}
    assert found == {
        ("words", LOOKUP): 0,
        ("odd.mix", OWN_PARAMETER): 7 * 36,
        ("odd.shift", f"{OWN_PARAMETER}, not multiplied"): 0,
        ("norm", NORM): None,
        ("body", ""): 7 * 30,
        ("head", EXCLUDED): 15,
        ("", BETWEEN): 2 * 7 * 7 * 6,
    }
    assert table.share_of_weights == pytest.approx(30 / (36 + 30 + 15))
    assert table.share_of_multiplications == pytest.approx(210 / (252 + 210 + 15 + 588))
    for given in ((WORDS,), {"words": WORDS}, WORDS[:1]):
        assert mho.coverage(net, given) == table
    assert "20 %" in str(table).splitlines()[-1]


@pytest.mark.parametrize("chips", [None, 3])
def test_nothing_of_the_network_changes(chips: int | None) -> None:
    """The reads after it, with their noise, are those of a network that was not looked at."""
    net, other = mixed(chips), mixed(chips)
    for each in (net, other):
        mho.calibrate(each, WORDS)
        each.train()
    torch.manual_seed(3)
    before = copy.deepcopy(net.state_dict())
    mho.coverage(net, WORDS)
    random = torch.rand(1)
    for (name, value), now in zip(before.items(), net.state_dict().values(), strict=True):
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(now)), name
    assert all(module.training for module in net.modules())
    layers = [memristive_layers(each) for each in (net, other)]
    for one, two in zip(*(each.values() for each in layers), strict=True):
        assert one.crossbar.counts == two.crossbar.counts
    assert torch.equal(net(WORDS), other(WORDS))
    torch.manual_seed(3)
    assert torch.equal(random, torch.rand(1))


ON_ARRAYS: dict[str, tuple[Callable[[], nn.Module], Tensor]] = {
    "Linear": (lambda: nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3)), torch.rand(BATCH, 6)),
    "Linear of sequences": (lambda: nn.Linear(6, 4), torch.rand(BATCH, 5, 6)),
    "Conv2d": (
        lambda: nn.Sequential(nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.Conv2d(3, 2, 2)),
        torch.rand(BATCH, 2, 9, 8),
    ),
}


@pytest.mark.parametrize("chips", [None, 3])
@pytest.mark.parametrize("case", ON_ARRAYS)
def test_arrays_multiply_as_often_as_the_ledger_counts(case: str, chips: int | None) -> None:
    make, x = ON_ARRAYS[case]
    net = mho.convert(make(), mho.Hardware(device=CELL), chips).eval()
    net(x)
    table = mho.coverage(net, x)
    closed = [layer.vectors * layer.weights // BATCH for layer in mho.ledger(net).layers]
    assert [row.multiplications for row in table.rows] == closed
    assert table.share_of_multiplications == table.share_of_weights == 1.0


def test_a_network_that_is_not_converted_has_all_to_gain() -> None:
    table = mho.coverage(Mixed())
    assert table.share_of_weights == 0.0
    assert {row.why for row in table.rows if row.kind == "Linear"} == {
        "not converted; see mho.convert"
    }


def test_weights_that_two_layers_share_count_once() -> None:
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    model[2].weight = model[0].weight
    for net in (
        model,
        mho.convert(model, HARDWARE),
        mho.convert(model, {"2": None, "*": HARDWARE}),
    ):
        rows = mho.coverage(net, torch.rand(2, 6)).rows
        assert [row.counts for row in rows] == [True, False]
        assert [row.multiplications for row in rows] == [36, 36]


class Tied(nn.Module):
    """Scores words by the weights that look them up."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.body = nn.Embedding(11, 6), nn.Linear(6, 6)

    def forward(self, words: Tensor) -> Tensor:
        return nn.functional.linear(self.body(self.words(words)), self.words.weight)


def test_a_lookup_that_is_multiplied_elsewhere_counts() -> None:
    net = mho.convert(Tied(), HARDWARE)
    with pytest.warns(UserWarning, match=r"mho.coverage: words \(Embedding: .*elsewhere\) stay"):
        table = mho.coverage(net, WORDS[:, 0])
    assert table.rows[0].multiplications == table.rows[0].weights == 66
    assert table.share_of_weights == pytest.approx(36 / 102)
    assert "multiplied elsewhere" in table.rows[0].why


class Doubled(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


DIGITAL: dict[str, Callable[[], nn.Module]] = {
    "Doubled": lambda: Doubled(6, 6),
    **{
        kind.__name__: make
        for kind, make in (
            (nn.Conv1d, lambda: nn.Conv1d(1, 1, 1)), (nn.GRU, lambda: nn.GRU(6, 6)),
            (nn.LSTMCell, lambda: nn.LSTMCell(6, 6)), (nn.Bilinear, lambda: nn.Bilinear(6, 6, 6)),
            (nn.MultiheadAttention, lambda: nn.MultiheadAttention(6, 2)),
            (nn.ConvTranspose2d, lambda: nn.ConvTranspose2d(1, 1, 1)),
        )
        if kind not in TWINS
    },
    "Odd": Odd,
}  # fmt: skip


@pytest.mark.parametrize("case", DIGITAL)
def test_what_stays_digital_is_said_once_with_its_reason(case: str) -> None:
    model = nn.Sequential(nn.Linear(6, 6), DIGITAL[case]())
    reason = OWN_PARAMETER if case == "Odd" else why_not(model[1])
    with pytest.warns(UserWarning, match=r"mho.convert: 1.*strict=True") as said:
        net = mho.convert(model, HARDWARE)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert reason in str(said[0].message)
    assert reason in repr(net)
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match="would stay digital"):
        mho.convert(model, HARDWARE, strict=True)
    with pytest.raises(ValueError, match=rf"at least one {re.escape(kinds())}; this one has"):
        mho.convert(model[1], HARDWARE)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("case", DIGITAL)
def test_what_was_excluded_is_not_warned_of(case: str) -> None:
    model = nn.Sequential(nn.Linear(6, 6), DIGITAL[case]())
    for hardware in ({"1": None, "1.*": None, "*": HARDWARE}, {"0": HARDWARE, "*": None}):
        keys = {k: v for k, v in hardware.items() if case == "Odd" or k != "1.*"}
        mho.convert(model, keys, strict=True)  # warnings are errors here
    mho.convert(model, lambda name, layer: HARDWARE if name == "0" else None, strict=True)


def test_networks_all_on_arrays_are_not_warned_of() -> None:
    model = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.PReLU(6), nn.Linear(6, 3))
    net = mho.convert(model, HARDWARE, 2, strict=True)
    assert repr(net).splitlines()[1].strip() == "on arrays: 100 % of the weights, 2 of 2 layers"


class Adapted(nn.Linear):
    """A layer with others inside, which its own forward calls."""

    def __init__(self) -> None:
        super().__init__(6, 6)
        self.down, self.up = nn.Linear(6, 2), nn.Linear(2, 6)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + self.up(self.down(input))


def test_layers_inside_of_a_layer_of_ones_own_are_on_arrays() -> None:
    net = mho.convert(nn.Sequential(Adapted()), {"0": None, "*": HARDWARE})
    rows = mho.coverage(net, torch.rand(2, 6)).rows
    found = [(row.name, row.on_arrays, row.weights, row.multiplications) for row in rows]
    assert found == [("0", False, 36, 36), ("0.down", True, 12, 12), ("0.up", True, 12, 12)]


def test_a_function_is_asked_of_what_makes_a_difference() -> None:
    asked = []
    model = nn.Sequential(nn.Embedding(3, 6), nn.Linear(6, 6), nn.BatchNorm1d(6), nn.ReLU())
    mho.convert(model, lambda name, layer: asked.append((name, layer)) or HARDWARE)
    assert asked == [("1", model[1])]


PARAMETRIZED: dict[str, Callable[[], nn.Module]] = {
    "weight norm": lambda: weight_norm(nn.Linear(6, 5)),
    "quantized": lambda: mho.nn.quantize(nn.Linear(6, 5), mho.nn.Levels(3)),
}


@pytest.mark.parametrize("case", PARAMETRIZED)
def test_parametrized_layers_have_their_weights_once(case: str) -> None:
    model = nn.Sequential(nn.Linear(6, 6), PARAMETRIZED[case]())
    net = mho.convert(model, {"1": None, "*": HARDWARE})
    row = mho.coverage(net, torch.rand(2, 6)).rows[1]
    assert (row.kind, row.weights, row.multiplications) == ("Linear", 30, 30)


@pytest.mark.parametrize("chips", [None, 2])
def test_the_summary_stays_with_copies_and_goes_with_the_arrays(chips: int | None) -> None:
    net = mixed(chips)
    line = "on arrays: 34 % of the weights, 1 of 4 layers; digital: odd.mix (Odd: "
    assert line in repr(net)
    for made in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert repr(made) == repr(net)
    del made
    assert "on arrays" not in repr(mho.to_digital(net))
    assert repr(mho.convert(nn.Linear(2, 2), HARDWARE)).startswith("MemristiveLinear")


def test_inputs_that_the_network_does_not_take_are_refused() -> None:
    with pytest.raises(ValueError, match=r"coverage.inputs = .*: expected what the network takes"):
        mho.coverage(mixed(), torch.rand(2, 3))
    with pytest.raises(ValueError, match="an empty batch"):
        mho.coverage(mixed(), WORDS[:0])


# -------------------------------------------------------------------- what ledgers say


def _evaluated(net: nn.Module) -> None:
    mho.evaluate(net, [(WORDS, WORDS[:, 0] % 3)])


def _calibrated(net: nn.Module) -> None:
    mho.calibrate(net, WORDS)


def _looked_at(net: nn.Module) -> None:
    mho.coverage(net, WORDS)


@pytest.mark.parametrize("use", [_evaluated, _calibrated, _looked_at])
@pytest.mark.parametrize("chips", [None, 3])
def test_a_ledger_knows_its_share(chips: int | None, use: Callable[[Any], None]) -> None:
    """Of the weights at first; of the multiplications once an input was seen."""
    net = mixed(chips)
    before = mho.ledger(net).share
    assert (before.of, before.on_arrays) == ("weights", pytest.approx(30 / 87))
    use(net)
    share = pytest.approx(210 / (252 + 210 + 15 + 588))
    for each in (net, copy.deepcopy(net), mho.rewire(net, 1.0)):
        counts = mho.ledger(each)
        cost = mho.price(counts, "hfo2-130nm")
        account = mho.prices.training_account(counts, "hfo2-130nm")
        for found in (counts.share, cost.share, account.share):
            assert (found.of, found.on_arrays) == ("multiplications", share)
        assert str(counts).endswith(
            "events of 20 % of the multiplications; the rest is digital and not counted"
        )
        assert str(cost).endswith(
            "energy of 20 % of the multiplications; the rest is digital and not priced"
        )
        assert counts.to_dict()["share"] == "20 % of the multiplications"


def test_what_was_counted_of_another_network_is_forgotten() -> None:
    net = mixed()
    _evaluated(net)
    net.head = nn.Linear(5, 9)
    assert mho.ledger(net).share.of == "weights"


def test_a_ledger_of_all_says_nothing() -> None:
    net = mho.convert(nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3)), HARDWARE)
    mho.calibrate(net, torch.rand(4, 6))
    counts = mho.ledger(net)
    assert counts.share.whole
    for shown in (str(counts), str(mho.price(counts, "hfo2-130nm"))):
        assert "of the multiplications" not in shown
        assert "of the weights" not in shown
    assert "share" not in counts.to_dict()


def test_activations_multiplied_make_the_share_less_than_all() -> None:
    """All weights on arrays, and still not all of the work."""

    class Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(6, 6), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            y = self.body(x)
            return self.head((y @ y.mT @ y).mean(1))

    net = mho.convert(Scores(), HARDWARE, 2, strict=True)
    x = torch.rand(4, 5, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mho.evaluate(net, [(x, torch.zeros(4, dtype=torch.int64))])
    share = mho.ledger(net).share
    assert share.of == "multiplications"
    assert share.on_arrays == pytest.approx((5 * 36 + 18) / (5 * 36 + 18 + 2 * 25 * 6))


class Sharing(nn.Module):
    """Two layers of one weight, and a lookup of another one that is multiplied too."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(7, 4)
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.out = nn.Linear(4, 7, bias=False)
        self.out.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.second(self.first(self.words(x))))


TIES: dict[str, tuple[Any, list[str], float, float]] = {
    "on arrays": (HARDWARE, ["", "", "first", "words"], 1.0, 1.0),
    "one digital": ({"second": None, "*": HARDWARE}, ["", "", "first", "words"], 1.0, 44 / 60),
    "digital": ({"out": None, "*": HARDWARE}, ["", "", "first", "words"], 16 / 44, 32 / 60),
    "all of it digital": (
        {"first": None, "second": None, "*": HARDWARE}, ["", "", "first", "words"],
        28 / 44, 28 / 60,
    ),
}  # fmt: skip


@pytest.mark.parametrize("chips", [None, 2])
@pytest.mark.parametrize("case", TIES)
def test_rows_say_whose_weights_they_share(case: str, chips: int | None) -> None:
    hardware, shared, weights, products = TIES[case]
    net = mho.convert(Sharing(), hardware, chips)
    table = mho.coverage(net, torch.tensor([[1, 2]]))
    assert [row.name for row in table.rows] == ["words", "first", "second", "out"]
    assert [row.shares for row in table.rows] == shared
    assert str(table).count("; weights of first") == str(table).count("; weights of words") == 1
    assert table.share_of_weights == pytest.approx(weights)
    assert table.share_of_multiplications == pytest.approx(products)


class Bare(nn.Module):
    """Multiplies inputs with what it holds itself."""

    def __init__(self, call: Callable[[nn.Module, Tensor], Tensor], **held: Any) -> None:
        super().__init__()
        self.layer, self.call = nn.Linear(4, 4), call
        for name, each in held.items():
            setattr(self, name, each if isinstance(each, nn.Module) else nn.Parameter(each))

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self, self.layer(x))


SQUARE = torch.eye(4)
BARE: dict[str, tuple[nn.Module, str, int, bool]] = {
    "x @ w": (Bare(lambda m, x: x @ m.w, w=SQUARE), "w", 16, True),
    "F.linear": (Bare(lambda m, x: F.linear(x, m.w), w=SQUARE), "w", 16, True),
    "torch.einsum": (
        Bare(lambda m, x: torch.einsum("bi,oi->bo", x, m.w), w=SQUARE), "w", 16, True,
    ),
    "F.conv1d": (
        Bare(lambda m, x: F.conv1d(x.unsqueeze(1), m.w).mean(1), w=torch.ones(3, 1, 1)),
        "w", 12, True,
    ),
    "in a list": (
        Bare(lambda m, x: x @ m.w[0], w=nn.ParameterList([SQUARE])), "w.0", 16, True,
    ),
    "a vector": (Bare(lambda m, x: x @ m.w, w=torch.ones(4)), "w", 4, False),
    "an embedding": (
        Bare(lambda m, x: x @ m.w.weight.t(), w=nn.Embedding(5, 4)), "w", 20, False,
    ),
}  # fmt: skip
"""A network, the row and multiplications of its own parameter, and whether that is known before
any input is."""


@pytest.mark.parametrize("chips", [None, 2])
@pytest.mark.parametrize("case", BARE)
def test_parameters_that_a_forward_multiplies_are_shown_and_warned_of(
    case: str, chips: int | None
) -> None:
    model, name, many, known = BARE[case]
    x = torch.randn(3, 4)
    with warnings.catch_warnings(record=True) as first:
        warnings.simplefilter("always")
        net = mho.convert(model, HARDWARE, chips)
    assert bool(first) == known
    with warnings.catch_warnings(record=True) as then:
        warnings.simplefilter("always")
        mho.evaluate(net, (x, torch.zeros(3))) if case != "a vector" else mho.coverage(net, x)
        table = mho.coverage(net, x)
        mho.coverage(copy.deepcopy(net), x)
    assert bool(then) != known
    assert len(first) + len(then) == 1
    assert name in str((first + then)[0].message)
    row = next(row for row in table.rows if row.name == name)
    assert row.left_digital
    assert row.multiplications == many
    assert table.share_of_multiplications == pytest.approx(16 / (16 + many))
    assert table.share_of_weights < 1.0


def test_an_excluded_lookup_is_not_warned_of() -> None:
    model = BARE["an embedding"][0]
    net = mho.convert(model, {"w": None, "*": HARDWARE})
    assert mho.coverage(net, torch.randn(2, 4)).share_of_multiplications == pytest.approx(16 / 36)
