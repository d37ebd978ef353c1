"""Every block of code of every document is run by some test, or is listed here with the reason.

Sessions (`>>>`) and docs/extending.md are run by `test_docs.py`, the tutorials by
`test_tutorials.py`. Here: all other Python runs, TOML is read as what it is, commands are parsed
with all their options, settings of runs and sweeps are made of them, and `mho list` prints.
"""

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import nn

import mho
from mho.cli.catalogue import List
from mho.cli.commands import parse
from mho.cli.run import Run
from mho.cli.search import Search
from mho.cli.sweep import Sweep
from mho.experiments import EXPERIMENTS
from mho.sweep import plan
from mho.sweep.objectives import objective
from mho.sweep.search import span_or_choice

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")]
DOCUMENTS += sorted(p for p in (ROOT / "docs").rglob("*.md") if p.parent.name != "generated")
DOCUMENTS += sorted((ROOT / "src").rglob("*.md"))

ELSEWHERE = {"extending.md", "my-device.md", "my-model.md", "my-rule.md"}
"""Documents whose blocks are all run by other tests."""

NEEDS = {
    "layers.md": "model, x = NET, X",
    "noise-aware.md": "model, teacher, net, images = NET, NET, NET, X"
    "; x, y, loader = X, Y, [(X, Y)]",
    "time.md": "import copy; model, images = NET, X",
}
"""Names that the text around a block of Python gives, by document."""

NOT_RUN = {
    ("many-machines.md", "from pathlib"): "reads a sweep of hours; test_records.py loads one",
    ("protocol.md", "from mho.instruments"): "talks to a bench; test_remote.py does with one here",
}
"""Blocks of Python that no test runs, by document and beginning, and why."""

NO_CODE = {
    ("command-line.md", "siamese: training"): "a line of progress",
    ("design.md", "shadow weight ->"): "a drawing",
    ("interchange.md", "from aihwkit"): "Python of aihwkit, which has no build for this one",
    ("many-machines.md", "S/points/"): "a folder",
    ("many-machines.md", "mho: 12 points"): "a line of progress",
    ("many-machines.md", "#SBATCH"): "what mho writes; test_slurm.py holds it",
    ("protocol.md", "S: mho-chip"): "a conversation; test_protocol.py holds it",
    ("wires.md", "V_i -("): "a drawing",
    ("wires.md", "+V_i --"): "a drawing",
    ("wires.md", "V -(source"): "a drawing",
}
"""Blocks that are no code of mho, by document and beginning, and what they are."""

OTHER_PROGRAMS = ("cd", "eval", "git", "pip", "ray", "source", "sqlite3")
"""Commands that are not of mho, and not run."""

NET = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
X, Y = torch.rand(16, 8), torch.arange(16) % 3

OWN = """
import torch
from torch import nn
from mho.rules import StochasticRounding as MyRule

def Net():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

def load():
    x, y = torch.rand(100, 1, 28, 28), torch.arange(100) % 10
    return x, y, x, y
"""


class Block(NamedTuple):
    """A fenced block."""

    document: Path
    language: str
    text: str

    def among(self, listed: dict[tuple[str, str], str]) -> bool:
        """Whether it is in a list of documents and beginnings."""
        name, start = self.document.name, self.text.lstrip()
        return any(name == other and start.startswith(begins) for other, begins in listed)


def blocks() -> Iterator[Block]:
    """All blocks of all documents that no other test runs."""
    for document in DOCUMENTS:
        if document.name in ELSEWHERE:
            continue
        text = document.read_text(encoding="utf-8")
        for language, inside in re.findall(r"^```(\S*)[^\n]*\n(.*?)^```", text, re.M | re.S):
            if not inside.lstrip().startswith(">>> ") and not language.startswith("{"):
                yield Block(document, language, inside)


BLOCKS = list(blocks())


def of(*languages: str) -> pytest.MarkDecorator:
    """The blocks of some languages."""
    found = [b for b in BLOCKS if b.language in languages and not b.among(NOT_RUN)]
    assert found
    return pytest.mark.parametrize(
        "block", found, ids=lambda b: f"{b.document.stem}: {b.text.lstrip()[:24]!r}"
    )


def test_every_block_is_of_a_language_that_is_run() -> None:
    assert {block.language for block in BLOCKS} <= {"", "bash", "sh", "console", "python", "text",
                                                    "toml"}  # fmt: skip
    for listed in (NOT_RUN, NO_CODE):
        for name, begins in listed:
            found = [b for b in BLOCKS if b.among({(name, begins): ""})]
            assert len(found) == 1, (name, begins)


@of("python")
def test_python_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"mho": mho, "torch": torch, "NET": NET, "X": X, "Y": Y, "__name__": "__main__"}
    given["hardware"] = mho.Hardware(device="pcm-gst", dac_bits=8, adc_bits=8)
    with torch.random.fork_rng():
        exec(NEEDS.get(block.document.name, ""), given)
        exec(compile(block.text, block.document.name, "exec"), given)


@of("toml")
def test_toml_is_read_as_what_it_is(block: Block, tmp_path: Path) -> None:
    tables = tomllib.loads(block.text)
    file = tmp_path / "block.toml"
    file.write_text(block.text, encoding="utf-8")
    if "experiment" in tables:
        assert plan.read(file).points()
    elif "family" in tables["device"]:
        assert mho.devices.read(file).device is not None
    else:  # a part of the table
        cell = mho.devices.get("hfo2-1t1r")
        assert type(cell).from_dict(cell.to_dict() | tables["device"]) != cell


def commands(block: Block) -> list[list[str]]:
    """The command lines of a block, as words."""
    if block.among(NO_CODE):
        return []
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that commands name."""
    folder = tmp_path_factory.mktemp("files")
    shutil.copy(ROOT / "docs" / "tutorials" / "pulses.csv", folder)
    (folder / "my.py").write_text(OWN, encoding="utf-8")
    preset = mho.devices.preset("hfo2-1t1r")
    (folder / "device.toml").write_text(preset.to_toml(), encoding="utf-8")
    (whole,) = (b for b in BLOCKS if b.language == "toml" and b.text.startswith("experiment"))
    (folder / "plan.toml").write_text(whole.text, encoding="utf-8")
    return folder


@of("", "bash", "sh", "console")
def test_commands_are_understood(
    block: Block, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for program, *words in commands(block):
        if program == "make":
            assert {word for word in words if "=" not in word} <= set(targets), words
        elif program == "python":
            assert (ROOT / words[0]).is_file(), words
        elif program == "torchrun":
            assert words[words.index("-m") + 1] == "mho"
            understood(words[words.index("mho") + 1 :], block)
        elif program == "mho":
            understood(words, block)
        else:
            assert program in OTHER_PROGRAMS, (program, *words)
    capsys.readouterr()


def understood(words: list[str], block: Block) -> None:
    """Parse a command; make the settings of a run and the points of a sweep."""
    asked = parse(words)
    if block.language == "console":  # shows what is refused
        with pytest.raises(ValueError, match=r"did you mean 'hardware\.adc_bits'"):
            asked.run()  # type: ignore[union-attr]
    elif isinstance(asked, Run) and asked.chip is None:
        for name in [asked.name] if asked.name != "all" else EXPERIMENTS:
            assert asked._configure(name).family == name
    elif isinstance(asked, Search):
        known = {"mlp_accuracy", "mlp_writes_per_weight"}
        assert {objective(each)[0] for each in asked.objective} <= known
        for key, values in map(span_or_choice, asked.over):
            ends = getattr(values, "values", None) or (values.low, values.high)  # type: ignore[union-attr]
            assert plan.make(asked.what, grid={key: list(ends)}).points()
    elif isinstance(asked, Sweep):
        assert asked._plan().points()
    elif isinstance(asked, List):
        asked.run()
