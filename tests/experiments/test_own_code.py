"""A rule, a network and data of the user's own, in any experiment that takes them."""

import json
from pathlib import Path

import pytest

from mho.cli import main
from mho.data.stand_in import stand_ins
from mho.experiments import EXPERIMENTS

GOOD = """
import torch
from torch import nn


class Tiring:
    stored = ("path",)

    def init(self, weight):
        return {"path": torch.zeros_like(weight)}

    def apply(self, update, state):
        update.delta.div_(1 + state["path"])
        state["path"] += update.delta.abs() / update.step

    def consolidate(self, synapses, state):
        pass


class Wrong(Tiring):
    def apply(self, update, state):
        update.delta.div_(torch.ones(3, 5, 7))


class Short:
    stored = ()

    def init(self, weight):
        return {}


class Needs(Tiring):
    def __init__(self, strength):
        self.strength = strength


class Net(nn.Sequential):
    def __init__(self, shape, classes):
        super().__init__(nn.Flatten(), nn.Linear(shape[1] * shape[2] * shape[0], 8), nn.ReLU(),
                         nn.Linear(8, classes))


class Residual(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.first, self.second = nn.Linear(784, 16), nn.Linear(16, 16)
        self.last = nn.Linear(16, classes)

    def forward(self, x):
        x = self.first(x.flatten(1)).relu()
        return self.last(x + self.second(x).relu())


class Narrow(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 3))


class Other(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(100, 10))


class Digital(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :10]


def load():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(40) % 2
    samples = torch.rand(40, 1, 12, 12, generator=generator) + labels[:, None, None, None]
    return samples, labels, samples[:10], labels[:10]


def three():
    return load()[:3]


def fails():
    raise OSError("no such cable")


number = 7
"""

SMALL = ("--chips", "1", "--processor", "cpu", "--set", "per_class=10", "--set", "epochs=1")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("my.py").write_text(GOOD)
    Path("bad.py").write_text("import torch\nx = = 3\n")
    return tmp_path


def ids(folder: Path) -> dict[str, float]:
    found = json.loads((folder / "result.json").read_text())["claims"]
    return {each["id"]: each["ours"] for each in found}


@pytest.mark.parametrize(
    "words",
    [
        ["siamese", "--rule", "my.py:Tiring", "--set", "hidden=8"],
        ["metaplastic", "--rule", "my.py:Tiring", "--set", "hidden=[8, 8]"],
        ["siamese", "--network", "my.py:Net", "--scheme", "falling threshold"],
        ["siamese", "--data", "my.py:load", "--scheme", "falling threshold", "--set", "hidden=8",
         "--set", "batch=8"],
        ["siamese", "--rule", "my.py:Tiring", "--network", "my.py:Residual"],
        ["siamese", "--network", "my.py:Residual", "--only", "claims"],
        ["siamese", "--only", "schemes", "--set", 'schemes=["falling threshold", "my.py:Tiring"]'],
    ],
)  # fmt: skip
def test_ones_own_is_run_and_kept(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with stand_ins():
        status = main(["run", *words, *SMALL, "--out", "r"])
    assert status == 0, capsys.readouterr().err
    assert ids(Path("r"))
    (kept,) = Path("r/own").iterdir()
    assert kept.read_text() == GOOD
    data = json.loads(Path("r/env.json").read_text())["data"]
    assert any(key.startswith("my.py:") for key in data)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["siamese", "--rule", "my.py:Tirign"], "unknown name in my.py 'Tirign': did you mean"),
        (["siamese", "--rule", "none.py:Rule"], "there is no file none.py"),
        (["siamese", "--rule", "bad.py:Rule"], "a file that Python can run (SyntaxError"),
        (["siamese", "--rule", "Tiring"], "FILE.py:NAME"),
        (["siamese", "--rule", "my.py:Short"], "Short lacks apply, consolidate"),
        (["siamese", "--rule", "my.py:Needs"], "code that works when called (TypeError"),
        (["siamese", "--rule", "my.py:number"], "it is a int"),
        (["siamese", "--rule", "my.py:Wrong"], "my.py:Wrong does not work in siamese"),
        (["metaplastic", "--rule", "my.py:Wrong"], "my.py:Wrong does not work in metaplastic"),
        (["siamese", "--network", "my.py:Narrow"], "for samples (2, 1, 28, 28), not (2, 3)"),
        (["siamese", "--network", "my.py:Other"], "takes samples (2, 1, 28, 28)"),
        (["siamese", "--network", "my.py:Digital"], "layer"),
        (["siamese", "--network", "my.py:Tiring"], "a torch network"),
        (["siamese", "--data", "my.py:three"], "train_x, train_y, test_x, test_y"),
        (["siamese", "--data", "my.py:fails"], "OSError: no such cable"),
        (["siamese", "--rule", "my.py:Tiring", "--scheme", "float"], "nothing with --scheme"),
        *(([name, f"--{what}", "my.py:X"], f"nothing: {name} takes none")
          for what, names in (("rule", ("bmcnn", "wires", "sensitivity")),
                              ("network", ("bmcnn", "metaplastic", "wires", "sensitivity")),
                              ("data", ("metaplastic", "wires", "sensitivity")))
          for name in names),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_the_run(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hidden = "hidden=[8, 8]" if "metaplastic" in words else "seed=0"
    with stand_ins():
        assert main(["run", *words, *SMALL, "--set", hidden]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1
    assert not Path("runs").exists()


def test_a_resume_with_changed_code_names_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    run = ["run", "siamese", "--rule", "my.py:Tiring", *SMALL, "--set", "hidden=8", "--out", "r"]
    with stand_ins():
        assert main(run) == 0
        Path("r/result.json").unlink()
        assert main([*run, "--resume"]) == 0
        Path("r/result.json").unlink()
        Path("my.py").write_text(GOOD + "\n# changed\n")
        assert main([*run, "--resume"]) == 2
    assert "SHA-256 of 'my.py:Tiring'" in capsys.readouterr().err


def test_a_training_depends_on_the_code_of_its_rule() -> None:
    def trained() -> list[str]:
        config = EXPERIMENTS["siamese"].preset("quick").replace(scheme="my.py:Tiring")
        return [each.id for each in EXPERIMENTS["siamese"].trainings(config)]

    before = trained()
    Path("my.py").write_text(GOOD + "\n# changed\n")
    assert trained() != before
