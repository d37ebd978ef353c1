"""The ledger's integers against counting by hand."""

import pytest
import torch
from torch import nn

import mho
from builders.cells import FIVE_LEVELS, PULSED_CELL
from mho import Hardware, WriteStep
from mho.cells import MultiLevel, OpenLoop, PulseResponse, Verify
from mho.learning.writing.feedback import ReadBack

DEVICE = FIVE_LEVELS.replace(sigma=(12e-6,), stuck_off=0.05, stuck_on=0.05)


class Counting(nn.Module):
    """A small network with a convolution, on tiles that do not divide it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 5, 3)
        self.head = nn.Linear(5 * 4 * 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.conv(x).relu().flatten(1))


def network(generator: torch.Generator, chips: int = 3, **options: object) -> nn.Module:
    settings = {"device": DEVICE, "tile": (7, 8), "programming": Verify(tolerance=0.3)} | options
    return mho.convert(Counting(), Hardware(**settings), chips, generator=generator)


def test_totals_are_what_counting_by_hand_gives(generator: torch.Generator) -> None:
    net = network(generator, dac_bits=8, adc_bits=8)
    x = torch.randn(4, 2, 6, 6, generator=generator)
    mho.calibrate(net, x)
    net(x[:3])
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator))
    mho.write(net)
    net(x)
    book = mho.ledger(net)
    conv, head = net.net.conv.crossbar, net.net.head.crossbar
    vectors = {"net.conv": (4 + 3 + 4) * 16, "net.head": 4 + 3 + 4}
    weights = {"net.conv": 18 * 5, "net.head": 80 * 3}
    tiles = {"net.conv": 3, "net.head": 12}  # along the inputs
    rows = {"net.conv": 18, "net.head": 80}
    columns = {"net.conv": 5, "net.head": 3}
    for layer, xb in zip(book.layers, (conv, head), strict=True):
        name = layer.name
        cells = 2 * weights[name]
        assert layer.weights == weights[name]
        assert layer.cells == cells
        assert layer.tiles[0] == tiles[name]
        assert layer.vectors == vectors[name]
        assert layer.cell_reads == vectors[name] * cells
        assert layer.adc_conversions == vectors[name] * tiles[name] * columns[name]
        assert layer.dac_conversions == vectors[name] * rows[name]
        assert layer.writes_per_cell.shape == layer.pulses_per_cell.shape == (3, cells)
        assert layer.writes.tolist() == xb.writes.flatten(1).sum(1).tolist()
        assert torch.equal(layer.verify_reads, xb.pulses.flatten(1).sum(1))
        assert torch.equal(layer.set_pulses + layer.reset_pulses, layer.pulses_per_cell.sum(1))
        used = xb.level >= 0
        assert layer.stuck_off.tolist() == (xb.fault[:, used] == 1).sum(1).tolist()
        assert layer.stuck_on.tolist() == (xb.fault[:, used] == 2).sum(1).tolist()
    total = book.totals()
    assert all(type(count) is int for count in total.values())
    assert total["weights"] == 90 + 240
    assert total["cells"] == 3 * 2 * (90 + 240)
    assert total["vectors"] == 3 * sum(vectors.values())
    assert total["writes"] == int(conv.writes.sum() + head.writes.sum())
    assert total["set_pulses"] + total["reset_pulses"] == int(conv.pulses.sum() + head.pulses.sum())
    assert book.pulses_per_cell().sum() == total["verify_reads"]
    assert book.writes_per_cell().shape == (3, 2 * (90 + 240))
    table = book.to_dict()
    assert table["total"] == total
    assert table["once"] == ["weights", "weight_updates"]
    assert [row["layer"] for row in table["layers"]] == ["net.conv", "net.head"]
    assert sum(row["writes"] for row in table["layers"]) == total["writes"]


def test_what_is_not_there_is_not_counted(generator: torch.Generator) -> None:
    net = network(generator, programming=OpenLoop())
    net(torch.randn(2, 2, 6, 6, generator=generator))
    total = mho.ledger(net).totals()
    assert total["verify_reads"] == total["adc_conversions"] == total["dac_conversions"] == 0
    assert total["writes"] == total["set_pulses"] + total["reset_pulses"] == 3 * 660


def test_one_converter_for_all_tiles_of_a_column(generator: torch.Generator) -> None:
    net = network(generator, adc_bits=8, adc_per_tile=False)
    mho.calibrate(net, torch.randn(2, 2, 6, 6, generator=generator))
    conv, head = mho.ledger(net).layers
    assert (conv.conversions_per_vector, head.conversions_per_vector) == (5, 3)


def test_references_are_cells_in_use(generator: torch.Generator) -> None:
    conv, head = mho.ledger(network(generator, mapping="offset")).layers
    assert conv.cells == 18 * (5 + 2)
    assert head.cells == 80 * (3 + 2)


def test_a_ledger_does_not_change_when_the_chip_lives_on(generator: torch.Generator) -> None:
    net = network(generator)
    book = mho.ledger(net)
    before = book.totals()
    with torch.no_grad():
        for p in net.parameters():
            p.neg_()
    mho.write(net)
    assert book.totals() == before
    assert mho.ledger(net).totals()["writes"] > before["writes"]


@pytest.mark.parametrize("chips", [1, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dac_bits": 8, "adc_bits": 8},
        {"dac_bits": 8, "adc_bits": 8, "adc_per_tile": False},
        {"dac_bits": 4, "adc_bits": 8, "serial_inputs": True},
        {"dac_bits": 8, "adc_bits": 8, "slices": 2},
        {"dac_bits": 8, "adc_bits": 8, "transposed": False},
        {"transposed": False},
    ],
    ids=["exact", "by tile", "whole columns", "serial", "sliced", "float twin", "exact twin"],
)
def test_a_backward_pass_is_what_counting_by_hand_gives(
    options: dict[str, object], chips: int, generator: torch.Generator
) -> None:
    net = network(generator, chips, **options)
    x = torch.randn(2, 2, 6, 6, generator=generator)
    mho.calibrate(net, x)
    start = mho.ledger(net)
    for _ in range(2):
        net(x).square().sum().backward()
    conv, head = mho.ledger(net).layers
    through = options.get("transposed", True)
    # Nothing asks for the gradient to the images.
    assert (conv.backward_vectors, head.backward_vectors) == (0, 4 if through else 0)
    assert (conv.gradient_vectors, head.gradient_vectors) == (4 * 16, 4)
    assert conv.gradient_products == 4 * 16 * 90
    assert head.backward_cell_reads == head.backward_vectors * head.cells
    slices = options.get("slices", 1)
    along = head.tiles[1] if options.get("adc_per_tile", True) else 1
    converters = (80 * along * slices, 3 * slices) if "adc_bits" in options else (0, 0)
    assert head.backward_adc_conversions == head.backward_vectors * converters[0]
    assert head.backward_dac_conversions == head.backward_vectors * converters[1]
    assert [each.updates for each in (conv, head)] == [0, 0]
    before, after = start.totals(), mho.ledger(net).totals()
    assert after["backward_cell_reads"] == chips * head.backward_cell_reads
    for name in ("writes", "verify_reads", "set_pulses"):
        assert after[name] == before[name]


def test_a_backward_pass_counts_what_it_is_asked_for(generator: torch.Generator) -> None:
    net = network(generator, adc_bits=None)
    x = torch.randn(2, 2, 6, 6, generator=generator, requires_grad=True)
    net(x).sum().backward()
    conv, head = mho.ledger(net).layers
    assert (conv.backward_vectors, head.backward_vectors) == (2 * 16, 2)
    for p in net.parameters():
        p.requires_grad_(False)
    y = net(x).sum()
    y.backward(retain_graph=True)
    y.backward()  # read again
    conv, head = mho.ledger(net).layers
    assert (conv.backward_vectors, head.backward_vectors) == (6 * 16, 6)
    assert (conv.gradient_vectors, head.gradient_vectors) == (2 * 16, 2)
    with torch.no_grad():
        net(x)
    assert mho.ledger(net).layers[1].backward_vectors == 6


def test_updates_are_the_write_steps_after_a_movement(generator: torch.Generator) -> None:
    net = network(generator)
    step = WriteStep(net, rules=[mho.rules.IntervalRule(m=3.0)])
    step()
    assert mho.ledger(net).totals()["weight_updates"] == 0
    for _ in range(3):
        with torch.no_grad():
            net.net.head.weight.mul_(0.9)
        step()
    total = mho.ledger(net).totals()
    assert total["weight_updates"] == 3 * 240


def test_counts_of_the_way_back_come_back_with_the_state(generator: torch.Generator) -> None:
    net, other = network(generator), network(generator)
    net(torch.randn(2, 2, 6, 6, generator=generator, requires_grad=True)).sum().backward()
    with torch.no_grad():
        net.net.head.weight.mul_(0.9)
    mho.write(net)
    other.load_state_dict(net.state_dict())
    assert mho.ledger(other).totals() == mho.ledger(net).totals()
    assert mho.ledger(other).totals()["weight_updates"] == 240


def test_a_network_without_arrays_is_refused() -> None:
    with pytest.raises(ValueError, match="net = a Linear: expected a network with memristive"):
        mho.ledger(nn.Linear(2, 2))


PULSED = PULSED_CELL.replace(pulses=60, stuck_on=0.02)


@pytest.mark.parametrize("device", [DEVICE, PULSED], ids=["landing", "pulsed"])
@pytest.mark.parametrize("scheme", [OpenLoop(), Verify(tolerance=0.3)], ids=["open", "verify"])
def test_a_row_at_once_takes_no_longer_than_cell_by_cell(
    device: MultiLevel | PulseResponse, scheme: OpenLoop | Verify, generator: torch.Generator
) -> None:
    net = network(generator, device=device, programming=scheme)
    prices = mho.prices.get("hfo2-130nm").replace(pulse_time=3.0, verify_time=0.7)
    for size in (0.0, 0.05, 0.5):
        with torch.no_grad():
            for p in net.parameters():
                p.add_(size * torch.randn(p.shape, generator=generator))
        mho.write(net)
        book = mho.ledger(net)
        crossbars = [m for m in net.modules() if isinstance(m, mho.hardware.Crossbar)]
        for layer, xb in zip(book.layers, crossbars, strict=True):
            assert torch.equal(layer.row_pulses, xb.row_pulses)
            assert torch.equal(layer.row_reads, xb.row_reads)
            assert (layer.row_pulses <= layer.pulses_per_cell.sum(1)).all()
            assert (layer.row_reads <= layer.verify_reads).all()
            assert (layer.row_pulses >= layer.pulses_per_cell.amax(1)).all()
            # at best a row holds its width of cells, all equally slow
            assert (layer.row_pulses * xb.tiling.width >= layer.pulses_per_cell.sum(1)).all()
        total, cost = book.totals(), mho.price(book, prices)
        assert total["row_pulses"] == sum(int(xb.row_pulses.sum()) for xb in crossbars)
        assert total["row_reads"] == sum(int(xb.row_reads.sum()) for xb in crossbars)
        pulses = total["set_pulses"] + total["reset_pulses"]
        serial = 3.0 * pulses + 0.7 * total["verify_reads"]
        rows = 3.0 * total["row_pulses"] + 0.7 * total["row_reads"]
        assert cost.programming_time_serial == pytest.approx(serial / 3)
        assert cost.programming_time_rows == pytest.approx(rows / 3)
        assert 0 < cost.programming_time_rows < cost.programming_time_serial


def test_reads_to_verify_and_to_read_back_are_counted_together(generator: torch.Generator) -> None:
    net = network(generator, chips=1)
    book = mho.ledger(net)
    step = WriteStep(net, feedback=ReadBack(pull=0.0))
    with torch.no_grad():
        for p in net.parameters():
            p.neg_()
    written = step().weights
    after = mho.ledger(net)
    assert written > 0
    pulses = after.pulses_per_cell().sum() - book.pulses_per_cell().sum()
    reads = after.totals()["verify_reads"] - book.totals()["verify_reads"]
    assert reads == pulses + 2 * written
    # Each pulse is verified, and each row with a written weight is read once more.
    again = after.totals()["row_reads"] - after.totals()["row_pulses"]
    rows = sum(layer.rows * layer.tiles[1] for layer in after.layers)
    assert 0 < again <= min(written, rows)
