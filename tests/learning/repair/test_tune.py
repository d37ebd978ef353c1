"""Tuning the read-out brings chips closer to what was meant, and writes no cell."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import mho
from mho import Hardware
from mho.cells import MultiLevel, Resistance, Spread, TwoState
from mho.learning.layers.chip_pass import chips_folded
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.learning.repair.uses import Pass, in_order, uses_of

ANALOG = MultiLevel(g_min=10e-6, g_max=90e-6, levels=9, sigma=(5e-6,), device_spread=0.08)
BINARY = TwoState(
    r_on=Resistance(mean=10e3, device=Spread(cov=0.3)),
    r_off=Resistance(mean=60e3, device=Spread(cov=0.5)),
)
HARDWARE = {
    "analog": Hardware(device=ANALOG, tile=(24, 16), programming=mho.cells.OpenLoop()),
    "binary": Hardware(
        device=BINARY, tile=(24, 16), programming=mho.cells.OpenLoop(), weight_levels=2
    ),
    "per tile": Hardware(device=ANALOG, tile=(24, 16), mapping="offset", adc_bits=10, dac_bits=10),
}
every_hardware = pytest.mark.parametrize("hw", HARDWARE.values(), ids=HARDWARE.keys())


def model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 10), nn.ReLU(),
            nn.Linear(10, 4),
        )  # fmt: skip


def made(hw: Hardware, chips: int = 6) -> nn.Module:
    net = mho.convert(model(), hw, chips, generator=torch.Generator().manual_seed(4))
    return mho.calibrate(net, images(5)).eval()


def images(seed: int, n: int = 200) -> Tensor:
    return torch.randn(n, 2, 6, 6, generator=torch.Generator().manual_seed(seed))


def reference(net: nn.Module, weight: str) -> nn.Module:
    """The digital network with the weights that the read-out is tuned towards."""
    plain = mho.to_digital(net).eval()
    layers = memristive_layers(net.net)
    for name, layer in layers.items():
        matrix = layer.target if weight == "target" else layer.store.expected()
        plain.get_submodule(name).weight.data.copy_(matrix.view_as(layer.weight))
    return plain


def error(net: nn.Module, goal: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return (net(x) - goal(x)).square().mean((1, 2)).sqrt()


@pytest.mark.parametrize("goal", ["target", "expected"])
@every_hardware
def test_tuning_lowers_the_error_on_unseen_inputs(hw: Hardware, goal: str) -> None:
    net, unseen = made(hw), images(7)
    wanted = reference(net, goal)
    before = error(net, wanted, unseen)
    mho.tune(net, images(6), per="layer", trained_on=hw if goal == "expected" else None)
    layer = error(net, wanted, unseen)
    mho.tune(net, images(6), per="column", trained_on=hw if goal == "expected" else None)
    column = error(net, wanted, unseen)
    assert (column < before).all()
    assert layer.mean() < before.mean()
    assert column.mean() < layer.mean()


@every_hardware
def test_tuning_writes_no_cell_and_untuning_restores(hw: Hardware) -> None:
    net, x = made(hw), images(7)
    writes = mho.ledger(net).totals()
    before = net(x)
    cells = {k: v.clone() for k, v in net.state_dict().items() if "crossbar" in k and "_" in k}
    mho.tune(net, images(6))
    assert not torch.allclose(net(x), before)
    after = mho.ledger(net).totals()
    for name in ("writes", "set_pulses", "reset_pulses", "verify_reads"):
        assert after[name] == writes[name]
    for name, value in net.state_dict().items():
        if name in cells and "_extra_state" not in name:
            assert torch.equal(value, cells[name])
    mho.untune(net)
    assert torch.equal(net(x), before)


def test_gain_and_offset_belong_to_a_layer_or_a_column() -> None:
    net = made(HARDWARE["analog"])
    for per in ("layer", "column"):
        mho.tune(net, images(6), per=per)
        for layer in memristive_layers(net).values():
            same = torch.equal(layer.gain, layer.gain[:, :1].expand_as(layer.gain))
            assert same == (per == "layer")
            assert layer.gain.shape == layer.offset.shape == (6, layer.target.shape[0])


def test_a_linear_readout_is_undone_exactly() -> None:
    """Where a chip differs from its target by a gain and an offset, tuning finds both."""
    ideal = MultiLevel(g_min=1e-6, g_max=1e-4, levels=4096)
    net = made(Hardware(device=ideal, tile=(24, 16)), chips=2)
    wanted, x = reference(net, "target"), images(7)
    layers = list(memristive_layers(net).values())
    for layer in layers:
        layer.effective.mul_(torch.tensor([0.7, 1.6]).view(2, 1, 1))
    assert (error(net, wanted, x) > 0.05).all()
    mho.tune(net, images(6), per="layer")
    assert (error(net, wanted, x) < 2e-3).all()
    torch.testing.assert_close(
        layers[0].gain, (1 / torch.tensor([[0.7], [1.6]])).expand(2, 6), rtol=1e-3, atol=0
    )


def test_least_squares_is_least() -> None:
    """No gain or offset near the fitted ones does better on the batch they were fitted on."""
    net, x = made(HARDWARE["analog"]), images(6)
    wanted = reference(net, "target")
    head = net.net[5]
    mho.tune(net, x)
    each: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _, args: each.append(args[0]))
    net(x)  # chip by chip, as there is a hook
    handle.remove()
    inputs = torch.cat(each)
    goal = nn.functional.linear(inputs, wanted[5].weight, wanted[5].bias)

    def loss() -> float:
        with chips_folded():
            return (head(inputs) - goal).double().square().sum().item()

    best = loss()
    for parameter in (head.gain, head.offset):
        for change in (1e-2, -1e-2):
            parameter.add_(change)
            assert loss() > best
            parameter.sub_(change)


class Twice(nn.Module):
    """Uses a layer for inputs of different means and spreads."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + self.layer(3.0 * x.square() + 2.0)


class AndAgain(nn.Module):
    """Uses a layer on what it gave, and one between."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.between = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.between(self.layer(x)).relu() + 1.0)


class Sizes(nn.Module):
    """Uses a convolution on maps of two sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        small = nn.functional.max_pool2d(x, 2) * 4.0
        return self.layer(x).mean((2, 3)) + self.layer(small).mean((2, 3))


class Reader(nn.Module):
    """A recurrent layer, of which all steps count."""

    def __init__(self, kind: str = "LSTM", **options: object) -> None:
        super().__init__()
        self.rnn = getattr(nn, kind)(5, 6, **options)
        self.head = nn.Linear(12 if "bidirectional" in options else 6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0])


class Packed(Reader):
    """A recurrent layer of sequences of other lengths, the first one short."""

    def forward(self, x: Tensor) -> Tensor:
        lengths = (torch.arange(len(x)) * 2 + 1) % x.shape[1] + 1
        rows = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.head(pad_packed_sequence(self.rnn(rows)[0], batch_first=True)[0])


class Attention(nn.Module):
    """Attention over the first dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class Steps(nn.Module):
    """A cell, step after step."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(5, 6)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), 6)
        for step in x.unbind(1):
            h = self.cell(step, h)
        return h


class Experts(nn.Module):
    """Each input is seen by one of two layers; the first one by the second."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.head = nn.Linear(5, 4), nn.Linear(5, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        which = x[:, 0] > x[0, 0]
        if not which.any():
            return self.head(self.two(x))
        y = x.new_zeros(len(x), 4)
        y[which], y[~which] = self.one(x[which]), self.two(x[~which])
        return self.head(y)


USES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int | None]] = {
    "a linear layer, twice": (Twice, (60, 8), 3),
    "a linear layer on its own output": (AndAgain, (60, 8), 3),
    "a convolution of maps of two sizes": (Sizes, (20, 2, 8, 8), 2),
    "time first": (Reader, (7, 9, 5), 2),
    "time first, two layers, two ways": (
        lambda: Reader("GRU", num_layers=2, bidirectional=True), (7, 9, 5), 2,
    ),
    "batch first": (lambda: Reader("RNN", batch_first=True), (9, 7, 5), 2),
    "packed": (lambda: Packed("LSTM", batch_first=True), (6, 7, 5), 2),
    "packed, both ways": (
        lambda: Packed("GRU", batch_first=True, bidirectional=True), (6, 7, 5), 2,
    ),
    "a cell": (Steps, (9, 7, 5), 2),
    "attention, time first": (Attention, (7, 9, 8), 2),
    "some inputs only": (Experts, (30, 5), None),
}  # fmt: skip


def fitted(layer: ArrayLayer, inputs: list[Tensor], outputs: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Gain and offset (chips, out) of each column, by least squares on all uses together."""
    seen, wanted = [], []
    for x, y in zip(inputs, outputs, strict=True):
        if isinstance(layer, nn.Conv2d):
            goal = nn.functional.conv2d(x, layer.target.view_as(layer.weight)).movedim(1, -1)
            y = y.movedim(1, -1)
        else:
            goal = x @ layer.target.mT
        for values, into in ((y - layer.bias, seen), (goal, wanted)):
            into.append(values.unflatten(0, (layer.chips, -1)).flatten(1, -2))
    y, goal = (torch.cat(each, 1).mT.double() for each in (seen, wanted))  # (chips, out, samples)
    matrix = torch.stack((y, torch.ones_like(y)), -1)
    return torch.linalg.lstsq(matrix, goal.unsqueeze(-1)).solution.squeeze(-1).unbind(-1)


@pytest.mark.parametrize("case", USES)
@pytest.mark.parametrize("parts", [1, 2])
def test_a_layer_is_fitted_on_all_its_uses(case: str, parts: int) -> None:
    """All time steps, all sizes of maps, all batches, each vector counting once."""
    make, shape, chips = USES[case]
    torch.manual_seed(1)
    net = mho.convert(make().eval(), HARDWARE["analog"], chips)
    torch.manual_seed(2)
    batches = [torch.randn(shape) for _ in range(parts)]
    mho.tune(net, batches)
    layers = memristive_layers(net)
    order = in_order([Pass(x, uses_of(net, x)) for x in batches])
    assert {*order} == {*layers.values()}
    found = {layer: (layer.gain.clone(), layer.offset.clone()) for layer in order}
    mho.untune(net)
    for layer in order:
        inputs: list[Tensor] = []
        outputs: list[Tensor] = []

        def keep(_layer: ArrayLayer, x: Tensor, y: Tensor, into=(inputs, outputs)) -> None:
            into[0].append(x)
            into[1].append(y)

        with torch.no_grad(), layer.observed(keep):
            for x in batches:
                net(x)
        gain, offset = fitted(layer, inputs, outputs)
        torch.testing.assert_close(found[layer][0], gain.float(), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(found[layer][1], offset.float(), rtol=1e-3, atol=1e-4)
        layer.gain.copy_(found[layer][0])
        layer.offset.copy_(found[layer][1])
        layer.tuned = True


def test_time_first_is_tuned_as_batch_first() -> None:
    """The same chips, and sequences, in either order; also in batches of other lengths."""
    x = [torch.randn(9, 7, 5), torch.randn(4, 7, 5), torch.randn(4, 5, 5)]
    nets = []
    for batch_first in (True, False):
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(3)
        model = Reader("LSTM", batch_first=batch_first)
        net = mho.convert(model, HARDWARE["analog"], 2, generator=generator)
        given = x if batch_first else [each.transpose(0, 1) for each in x]
        nets.append(memristive_layers(mho.tune(net, given)))
    for name, layer in nets[0].items():
        assert layer.tuned
        torch.testing.assert_close(layer.gain, nets[1][name].gain)
        torch.testing.assert_close(layer.offset, nets[1][name].offset)


def test_a_network_whose_passes_are_never_alike_is_refused() -> None:
    class Changing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.passes = nn.Linear(4, 4), 0

        def forward(self, x: Tensor) -> Tensor:
            self.passes += 1
            for _ in range(self.passes):
                x = self.layer(x)
            return x

    net = mho.convert(Changing(), HARDWARE["analog"])
    with pytest.raises(ValueError, match=r"tune.net = .*layer 'layer' now more, now less often"):
        mho.tune(net, torch.randn(5, 4))
    assert not net.layer.tuned


def test_unknown_choices_are_refused() -> None:
    net = made(HARDWARE["analog"], chips=1)
    with pytest.raises(ValueError, match=r"per = 'row': expected 'layer' or 'column'"):
        mho.tune(net, images(6), per="row")
    with pytest.raises(ValueError, match="net = a Linear"):
        mho.tune(nn.Linear(2, 2), torch.ones(1, 2))


def test_moments_give_each_column_the_wanted_mean_and_spread() -> None:
    net, x = made(HARDWARE["binary"]), images(6)
    wanted = reference(net, "target")
    mho.tune(net, x, per="column", method="moments")
    first = next(iter(memristive_layers(net).values()))
    with torch.no_grad():
        seen = mho.nn.Chips(first, 6)(x)
        goal = wanted[0](x)
    dims = (1, 3, 4)
    torch.testing.assert_close(
        seen.mean(dims), goal.mean((0, 2, 3)).expand(6, -1), rtol=1e-3, atol=1e-3
    )
    torch.testing.assert_close(
        seen.std(dims), goal.std((0, 2, 3)).expand(6, -1), rtol=1e-2, atol=1e-3
    )


def test_least_squares_shrinks_where_moments_do_not() -> None:
    """Regression dilution: the noisier a column, the smaller its least-squares gain."""
    least, moments = made(HARDWARE["binary"]), made(HARDWARE["binary"])
    mho.tune(least, images(6), per="column")
    mho.tune(moments, images(6), per="column", method="moments")
    pairs = zip(memristive_layers(least).values(), memristive_layers(moments).values(), strict=True)
    first, second = next(iter(pairs))
    assert (first.gain < second.gain).all()


def test_the_closed_form_gain_undoes_the_mean_of_the_spread() -> None:
    """Over many chips the corrected weights are the wanted ones on average."""
    cell = TwoState(
        r_on=Resistance(mean=10e3, device=Spread(cov=0.5)),
        r_off=Resistance(mean=60e3, device=Spread(cov=0.5)),
    )
    hw = Hardware(device=cell, programming=mho.cells.OpenLoop(), weight_levels=2)
    net = made(hw, chips=400)
    mho.correct(net)
    for layer in memristive_layers(net).values():
        realized = (layer.effective * layer.gain.unsqueeze(2)).mean(0)
        ratio = (realized * layer.target).sum() / layer.target.square().sum()
        assert ratio.item() == pytest.approx(1.0, abs=0.02)
        assert layer.gain.unique().item() == pytest.approx(1 / 1.25, rel=1e-3)
        assert not layer.offset.any()
    mho.correct(net, trained_on=hw)
    for layer in memristive_layers(net).values():
        assert layer.gain.unique().item() == pytest.approx(1.0)


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(ValueError, match=r"method = 'mean': expected 'least-squares'"):
        mho.tune(made(HARDWARE["analog"], chips=1), images(6), method="mean")


@every_hardware
def test_a_reference_undoes_what_time_did_to_the_gain(hw: Hardware) -> None:
    """Where all cells lose the same share, the network is what it was before."""
    drift = mho.cells.PowerLaw(nu=0.06)
    net = made(hw.replace(retention=drift, mapping="differential", adc_bits=None, dac_bits=None))
    fresh, x = copy.deepcopy(net), images(7)
    mho.age(net, 1e7)
    assert (error(net, fresh, x) > 0.1 * fresh(x).std()).all()
    mho.tune(net, images(6), reference=fresh)
    torch.testing.assert_close(net(x), fresh(x), rtol=1e-3, atol=1e-3)


def test_a_reference_of_other_layers_is_refused() -> None:
    net = made(HARDWARE["analog"])
    with pytest.raises(ValueError, match=r"tune.reference = a .*same layers and chips; 'net.0'"):
        mho.tune(net, images(6), reference=made(HARDWARE["analog"], 2))
