"""Look-up tables of CrossSim: the cell moves as their rule moves it, and damage is refused."""

from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import torch

import mho
from mho.errors import InvalidInput
from mho.interchange import from_crosssim

G = np.linspace(1e-3, 3e-3, 101)
SHARE = np.linspace(0, 1, 201)
NORMAL = np.array([NormalDist().inv_cdf(p) for p in SHARE.clip(1e-3, 1 - 1e-3)])


def rise(g: np.ndarray) -> np.ndarray:
    return 4e-5 * np.exp(-1.5 * (g - G[0]) / (G[-1] - G[0]))


def fall(g: np.ndarray) -> np.ndarray:
    return -3e-5 * np.exp(-2.0 * (G[-1] - g) / (G[-1] - G[0]))


def table(step: Callable[[np.ndarray], np.ndarray], spread: float) -> np.ndarray:
    """Changes (probabilities, conductances) [S]: normal, narrower where steps are smaller."""
    return step(G) + spread * np.abs(step(G)) * NORMAL[:, None]


def write(path: Path, changes: np.ndarray, g: np.ndarray = G, share: np.ndarray = SHARE) -> Path:
    """A file as CrossSim 2.0 writes it, with an empty line before the changes."""
    rows = [", ".join(f"{x:.16e}" for x in row) for row in (g, share)]
    header = "1st Row = Gbins, 2nd Row = CDF Points, 3rd row onward =  dG matrix \n"
    lines = [",".join(f"{x:.18e}" for x in row) for row in changes]
    path.write_text(header + "\n".join([*rows, "", *lines]) + "\n")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "dG_increasing.txt", table(rise, 0.8))
    write(tmp_path / "dG_decreasing.txt", table(fall, 0.5))
    return tmp_path


def cell_of(path: Path, **options: object) -> mho.cells.PulseTable:
    cell = from_crosssim(path, **options).cell  # type: ignore[arg-type]
    assert isinstance(cell, mho.cells.PulseTable)
    return cell


def walked(
    changes: np.ndarray, g0: float, pulses: int, n: int = 20_000
) -> tuple[np.floating, np.floating]:
    """Mean and spread of n cells after pulses one at a time, each as CrossSim draws it: at the
    nearest conductance and probability of the table; clipped to its ends."""
    rng, g = np.random.default_rng(1), np.full(n, g0)
    for _ in range(pulses):
        at = np.rint((g - G[0]) / (G[1] - G[0])).astype(int)
        row = np.rint(rng.random(n) / SHARE[1]).astype(int)
        g = (g + changes[row, at]).clip(G[0], G[-1])
    return g.mean(), g.std()


@pytest.mark.parametrize("pulses", [1, 10, 40])
@pytest.mark.parametrize(
    ("step", "spread", "start", "sign"), [(rise, 0.8, 1.3e-3, 1), (fall, 0.5, 2.7e-3, -1)]
)
def test_cells_move_as_the_tables_say(
    folder: Path, step: Callable, spread: float, start: float, sign: int, pulses: int
) -> None:
    cell, n = cell_of(folder), 20_000
    z = torch.randn(n, generator=torch.Generator().manual_seed(2))
    counts = torch.full((n,), sign * pulses, dtype=torch.int32)
    g = cell.respond(z, torch.full((n,), start), counts, {}).double()
    mean, deviation = walked(table(step, spread), start, pulses)
    assert g.mean() - start == pytest.approx(mean - start, rel=0.04)
    assert g.std() == pytest.approx(deviation, rel=0.04)


def test_mean_and_spread_are_those_of_the_tables(folder: Path) -> None:
    cell = cell_of(folder)
    assert cell.g == pytest.approx(G)
    assert cell.set_step == pytest.approx(rise(G), rel=1e-9)
    assert cell.reset_step == pytest.approx(-fall(G), rel=1e-9)
    assert np.array(cell.set_spread) / np.array(cell.set_step) == pytest.approx(0.8, rel=0.02)
    assert cell.levels == 9
    uniform = np.linspace(0, 1, 11)  # quantiles of steps from 0 to twice the mean
    write(folder / "dG_increasing.txt", 2 * rise(G) * uniform[:, None], share=uniform)
    assert cell_of(folder).set_spread == pytest.approx(rise(G) / np.sqrt(3), rel=1e-9)


def test_tables_without_noise_and_without_the_outermost_probabilities(folder: Path) -> None:
    write(folder / "dG_increasing.txt", table(rise, 0.0))
    write(folder / "dG_decreasing.txt", table(fall, 0.5)[1:-1], share=SHARE[1:-1])
    cell = cell_of(folder)
    assert cell.set_spread == (0.0,)
    assert cell.reset_step == pytest.approx(-fall(G), rel=1e-9)


def test_files_of_any_name_a_window_and_levels(folder: Path) -> None:
    up = (folder / "dG_increasing.txt").rename(folder / "a.txt")
    down = (folder / "dG_decreasing.txt").rename(folder / "b.txt")
    cell = from_crosssim(str(up), str(down), window=(1.5e-3, 2.5e-3), levels=20).cell
    assert cell.window == pytest.approx((1.5e-3, 2.5e-3))
    assert cell.states == 20
    with pytest.raises(InvalidInput, match=r"levels = 4000: expected at most \d+: a SET pulse"):
        from_crosssim(up, down, levels=4000)
    with pytest.raises(InvalidInput, match="decreasing = None: expected the file of decreases"):
        from_crosssim(up)


def test_the_preset_trains_a_network(folder: Path) -> None:
    preset = mho.Preset.from_toml(from_crosssim(folder).to_toml())
    assert preset == from_crosssim(folder)
    net = mho.convert(torch.nn.Linear(4, 3), mho.Hardware(device=preset), chips=2)
    with torch.no_grad():
        mho.nn.memristive_layers(net)["net"].weight.mul_(0.5)
    assert mho.write(net).weights > 0


def replaced(old: str, new: str) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p.write_text("1,2\n3,4\n"), r"path = .*: expected a look-up table: words"),
        (lambda p: p.unlink(), "expected a file that can be read"),
        (lambda p: p.write_text("\n".join(p.read_text().splitlines()[:-1])),
         r"rows of changes = 200: expected 201"),
        (lambda p: p.write_text(p.read_text() + "1e-5,1e-5\n"), "rows of changes = 202"),
        (lambda p: p.write_text("\n".join([*p.read_text().splitlines()[:-1], "1e-5,1e-5"])),
         r"line 205: changes = 2: expected 101"),
        (replaced("1.0200000000000001e-03", "..."), r"line 2, column 2 = '\.\.\.'"),
        (replaced("1.0200000000000001e-03", "nan"), r"line 2, column 2 = 'nan'"),
        (replaced("1.0200000000000001e-03", "1e-2"), "conductances = .*: expected two or more"),
        (lambda p: write(p, table(rise, 0.8), share=SHARE * 100), "probabilities = '0 to 100'"),
        (lambda p: write(p, table(rise, 0.8)[:, :50], g=G[:50]), "a table of the conductances of"),
        (lambda p: write(p, table(fall, 0.5)), r"mean step by a SET.* at 0\.001 S"),
        (lambda p: write(p, table(lambda g: rise(g) - 2e-5, 0.8)),
         r"at 0\.0019\d* S \[S\] = .*, as with window=\(0\.001, 0\.0019\d*\)"),
        (lambda p: write(p, np.where(G < 2e-3, rise(G), table(rise, 0.8))),
         r"spread of a SET pulse at 0\.001 S \[S\] = 0\.0: expected above 0 at all"),
        (lambda p: write(p, 1e3 * table(rise, 0.8)), r"tables of a cell \(PulseTable\.set_step"),
    ],
)  # fmt: skip
def test_what_is_no_such_table_is_refused(
    folder: Path, change: Callable[[Path], object], said: str
) -> None:
    change(folder / "dG_increasing.txt")
    with pytest.raises(InvalidInput, match=said) as refusal:
        from_crosssim(folder)
    assert "\n" not in str(refusal.value)


def test_swapped_files_are_refused(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="these two are swapped"):
        from_crosssim(folder / "dG_decreasing.txt", folder / "dG_increasing.txt")
    with pytest.raises(InvalidInput, match=r"window = .*: expected two or more of the table's"):
        from_crosssim(folder, window=(1.0, 2.0))
