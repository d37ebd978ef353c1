"""`mho netlist` as a user meets it: files in, decks and tables out, refusals of one line."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mho
from builders.networks import mapped
from builders.programs import needed
from mho.cli import main
from mho.cli.conductances import Place, read_array
from mho.errors import InvalidInput
from mho.experiments.run import Run

CSV = "# siemens\n1e-3, 2e-4,0\n\n1e-4,1e-5,5e-4  # the last row\n"
G = torch.tensor([[1e-3, 2e-4, 0.0], [1e-4, 1e-5, 5e-4]], dtype=torch.float64)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the same array as .csv and .npy, and two saved networks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.csv").write_text(CSV)
    np.save(tmp_path / "g.npy", G.numpy())
    net = network()
    torch.save(net.state_dict(), tmp_path / "net.pt")
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "digital.pt")
    return tmp_path


def network() -> nn.Module:
    """A small network on two chips; its layers are "0", "2", "4"."""
    return mapped(2, device=mho.devices.get("hfo2-1t1r"), tile=(16, 8))


def deck(*more: str) -> str:
    assert main(["netlist", *more, "--out", "deck.cir", "--overwrite"]) == 0
    return Path("deck.cir").read_text(encoding="utf-8")


def table(said: str) -> list[list[str]]:
    """Rows of a printed table below its heading."""
    return [line.split() for line in said.splitlines()[1:] if line.strip()]


@pytest.mark.parametrize("source", ["g.csv", "g.npy"])
def test_a_matrix_of_a_file(folder: Path, source: str) -> None:
    wires = mho.circuits.Wires(row=2.0, col=3.0, source=4.0, sense=5.0, both_ends=True)
    v = torch.tensor([0.3, -0.1], dtype=torch.float64)
    given = ("--input", "0.3,-0.1", "--wire-resistance", "2", "--r-col", "3")
    ends = ("--r-source", "4", "--r-sense", "5", "--both-ends")
    assert deck(source, *given, *ends) == mho.circuits.netlist(G, v, wires, title=source)
    law = mho.circuits.Transistor(beta=2e-4, overdrive=0.5)
    given = ("--law", "1t1r", "--beta", "2e-4", "--overdrive", "0.5", "--input", "0.1")
    assert deck(source, *given) == mho.circuits.netlist(G, 0 * v + 0.1, None, law, source)
    (folder / "v.csv").write_text("0.3\n-0.1\n")
    np.save(folder / "v.npy", v.numpy())
    for file in ("v.csv", "v.npy"):
        expected = mho.circuits.netlist(G, v, None, mho.circuits.Sinh(v0=0.3), source)
        assert deck(source, "--input", file, "--law", "sinh", "--v0", "0.3") == expected
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith((".", "deck"))) == [
        "deck.cir"
    ]


def test_interleaved_pairs_and_source_lines(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = mho.circuits.Wires(row=2.0, col=2.0, paired=True)
    v = torch.tensor([0.3, -0.3], dtype=torch.float64)
    given = ("--interleaved", "--input", "0.3", "--wire-resistance", "2")
    assert deck("g.csv", *given) == mho.circuits.netlist(G, v, pairs, title="g.csv")
    lines = mho.circuits.Wires(source_line=4.0, col=2.0)
    v = torch.tensor([0.3, 0.0], dtype=torch.float64)
    given = ("--source-line", "4", "--input", "0.3,0", "--wire-resistance", "2")
    assert deck("g.csv", *given) == mho.circuits.netlist(G, v, lines, title="g.csv")
    np.save("odd.npy", np.full((3, 2), 1e-4))
    for wrong, said in (
        (("odd.npy", "--interleaved"), "interleaved = '3 rows': expected an even number"),
        (("g.csv", "--interleaved", "--input", "1,2"), "one for each of the 1 pairs of rows"),
        (("g.csv", "--interleaved", "--source-line", "1"), "source_line"),
        (("g.csv", "--source-line", "1", "--both-ends"), "source_line"),
        (("g.csv", "--source-line", "1", "--law", "sinh", "--run"), "ohmic with --source-line"),
    ):
        assert main(["netlist", *wrong]) == 2
        assert said in capsys.readouterr().err.replace("\n", " ")


def test_without_a_file_the_deck_is_printed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["netlist", "g.csv"]) == 0
    v = torch.full((2,), 0.2, dtype=torch.float64)
    assert capsys.readouterr().out == mho.circuits.netlist(G, v, title="g.csv")


def test_an_array_of_a_saved_network(folder: Path) -> None:
    held = torch.load("net.pt", weights_only=True)
    (key,) = (k for k in held if k.endswith("2.crossbar.conductance"))
    layer = key.removesuffix(".crossbar.conductance")
    said = deck("net.pt", "--layer", layer, "--chip", "1", "--tile", "2")
    v = torch.full((held[key].shape[2],), 0.2, dtype=torch.float64)
    what = f"net.pt, layer {layer}, chip 1, tile 2 of {held[key].shape[1]}"
    assert said == mho.circuits.netlist(held[key][1, 2].double(), v, title=what)
    torch.save(held, "net.pt", _use_new_zipfile_serialization=False)  # as torch before 1.6 did
    assert said == deck("net.pt", "--layer", layer, "--chip", "1", "--tile", "2")


def test_an_array_of_a_run_that_was_broken_off(folder: Path) -> None:
    net = network()
    run = Run(folder / "r", "", resume=False, title="test")
    for _ in run.steps("training", 1, {"net": net}):
        pass
    run.close()
    read, _ = read_array(Path("r/checkpoint.pt"), Place("net/" + next(iter(layers(net))), 1, 0))
    assert torch.equal(read, next(iter(layers(net).values()))[1, 0].double())


def layers(net: nn.Module) -> dict[str, Tensor]:
    end = ".crossbar.conductance"
    return {k.removesuffix(end): v for k, v in net.state_dict().items() if k.endswith(end)}


@pytest.mark.parametrize(
    "law",
    [(), ("--law", "sinh"), ("--r-row", "2"), ("--law", "1t1r", "--r-row", "2"),
     ("--law", "sinh", "--r-row", "2", "--both-ends")],
)  # fmt: skip
def test_ngspice_answers(
    folder: Path, law: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    needed("ngspice")
    assert main(["netlist", "g.csv", *law, "--run", "--out", "deck.cir"]) == 0
    rows = table(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["0", "1", "2"]
    expected = mho.circuits.simulate(Path("deck.cir").read_text())
    assert [float(row[1]) for row in rows] == pytest.approx(expected.tolist(), rel=1e-9)
    assert all(float(row[3]) < 1e-8 for row in rows)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.csv"], "source = 'missing.csv': expected a readable text file"),
        (["missing.pt"], "source = 'missing.pt': expected a readable file (No such file"),
        (["g.txt"], "source = 'g.txt': expected a .csv or .npy file, or a .pt"),
        (["bad.csv"], "bad.csv, line 3, column 2 = 'abc': expected a conductance of 0 S or more"),
        (["negative.csv"], "negative.csv, line 1, column 2 = '-1': expected"),
        (["infinite.csv"], "infinite.csv, line 1, column 1 = '1e999': expected"),
        (["ragged.csv"], "ragged.csv, line 2 = '1 columns': expected 2, as above"),
        (["empty.csv"], "empty.csv': expected at least one line"),
        (["binary.csv"], "binary.csv': expected a readable text file"),
        (["negative.npy"], "negative.npy[1, 0] = -1.0: expected a conductance"),
        (["cube.npy"], "cube.npy = 'float64 (2, 2, 2)': expected real numbers of shape"),
        (["pickle.npy"], "pickle.npy': expected a .npy file of numbers"),
        (["pickle.pt"], "checkpoint saved with torch.save (it is damaged, or holds more than"),
        (["short.pt"], "checkpoint saved with torch.save (its end is missing)"),
        (["bad.csv", "--layer", "0"], "expected a .pt state where a layer"),
        (["digital.pt"], "named *crossbar.conductance"),
        (["net.pt"], "layer = None: expected one of "),
        (["net.pt", "--layer", "LAST"], "tile = 9: expected 0 to "),
        (["net.pt", "--layer", "nine"], "unknown layer 'nine'"),
        (["g.csv", "--input", "1,2,3"], "input = '3 voltages': expected one for each of"),
        (["g.csv", "--input", "nan"], "input = 'nan': expected a finite voltage"),
        (["g.csv", "--input", "1,x"], "input = '1,x': expected numbers with commas"),
        (
            ["g.csv", "--input", "missing.npy"],
            "input = 'missing.npy': expected a readable .npy",
        ),
        (["g.csv", "--wire-resistance", "-1"], "Wires.row = -1.0: expected"),
        (["g.csv", "--law", "sin"], "unknown law 'sin': did you mean 'sinh'?"),
        (["g.csv", "--v0", "1"], "v0 = 1.0: expected nothing: ohmic cells have no such"),
        (["g.csv", "--law", "sinh", "--beta", "1"], "beta = 1.0: expected nothing: sinh cells"),
        (["g.csv", "--law", "sinh", "--v0", "0"], "Sinh.v0 = 0.0: expected"),
        (["g.csv", "--out", "g.csv"], "out = 'g.csv': expected a new file; --overwrite"),
        (["g.csv", "--out", "."], "out = '.': expected the name of a file"),
        (["g.csv", "--out", ""], "out = '.': expected the name of a file"),
        (["g.csv", "--out", os.devnull], "expected the name of a file; this is a device"),
        (["g.csv", "--chip", "x"], "--chip"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    arguments: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_bad(folder)
    if "LAST" in arguments:
        last = list(layers(network()))[-1]
        arguments = ["net.pt", "--layer", last, "--tile", "9"]
    before = sorted(folder.rglob("*"))
    out = [] if "--out" in arguments else ["--out", "deck.cir"]
    assert main(["netlist", *arguments, *out]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("mho: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert sorted(folder.rglob("*")) == before


def make_bad(folder: Path) -> None:
    """Files that hold no array."""
    for name, text in {
        "bad": "1,2\n\n1,abc\n", "negative": "1,-1", "infinite": "1e999", "ragged": "1,2\n1\n",
        "empty": "\n# nothing\n",
    }.items():  # fmt: skip
        (folder / f"{name}.csv").write_text(text)
    (folder / "g.txt").write_text("1")
    (folder / "binary.csv").write_bytes(b"\xff\xfe\x00")
    np.save(folder / "negative.npy", np.array([[1, 1], [-1, 1]]))
    np.save(folder / "cube.npy", np.ones((2, 2, 2)))
    np.save(folder / "pickle.npy", np.array([{}], dtype=object))
    torch.save(nn.Linear(1, 1), folder / "pickle.pt")
    (folder / "short.pt").write_bytes((folder / "net.pt").read_bytes()[:-1])


def test_without_ngspice_nothing_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert main(["netlist", "g.csv", "--run", "--out", "deck.cir"]) == 2
    assert "apt-get install ngspice" in capsys.readouterr().err
    assert not (folder / "deck.cir").exists()


def test_the_last_deck_stands_if_the_next_cannot_be_written(folder: Path) -> None:
    before = deck("g.csv")
    assert main(["netlist", "negative.csv", "--out", "deck.cir"]) == 2
    assert (folder / "deck.cir").read_text() == before


def _claiming(shape: tuple[int, int]) -> bytes:
    """A .npy file whose header claims a shape, with one number."""
    file = io.BytesIO()
    described = {"shape": shape, "fortran_order": False, "descr": "<f8"}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue() + bytes(8)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.csv", b"1_000,2\n", "line 1, column 1 = '1_000'"),
        ("x.csv", b'"162,082",1\n', "line 1, column 1"),
        ("x.csv", b"1e400,2\n", "1e400"),
        ("x.csv", b"1,\x00\n", "line 1, column 2"),
        ("x.npy", _claiming((10**6, 10**6)), "a .npy file of numbers, whole"),
        ("x.npy", _claiming((-1, 5)), "a .npy file of numbers, whole"),
        ("x.npy", b"\x93NUMPY\x09\x00", "a .npy file of numbers, whole"),
        ("x.npy", b"", "a .npy file of numbers, whole"),
        ("folder.csv", None, "it is a folder"),
        ("pipe.npy", None, "it is no regular file"),
    ],
)  # fmt: skip
def test_a_matrix_is_a_bounded_file_of_plain_numbers(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    elif name.startswith("folder"):
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(InvalidInput, match=re.escape(said)):
        read_array(path, Place(None, 0, 0))
