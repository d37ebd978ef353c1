"""A rule, a network and data of the user's own, in any experiment that takes them."""

import json
from pathlib import Path
from typing import Any

import pytest

from mho import Hardware
from mho.cli import main
from mho.data import dataset
from mho.data.stand_in import stand_ins
from mho.errors import InvalidInput
from mho.experiments import EXPERIMENTS
from mho.experiments.bmcnn.config import Architecture
from mho.experiments.bmcnn.network import by_layer, network
from mho.files.code import code_in
from mho.interchange import replay
from mho.results import Result

GOOD = """
import json
from pathlib import Path

import mho
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


class Breaking(Tiring):
    def apply(self, update, state):
        if update.delta.shape[0] == 8 and Path("broken").exists():
            raise ZeroDivisionError("no more")
        super().apply(update, state)


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


class Normed(nn.Sequential):
    def __init__(self, shape, classes):
        super().__init__(nn.Flatten(), nn.Linear(shape[1] * shape[2] * shape[0], 8),
                         nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, classes))


class Gated(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(shape[1] * shape[2] * shape[0], 8),
                                    nn.BatchNorm1d(8), mho.nn.Gate(8), nn.Hardtanh())
        self.last = nn.Linear(8, classes)

    def forward(self, x):
        return self.last(self.hidden(x))


class Narrow(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 3))


class Single(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))


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


class Recorder:
    def log(self, values, step):
        with open("log.jsonl", "a") as file:
            print(json.dumps([step, values]), file=file)

    def close(self):
        Path("closed").touch()


def more():
    samples, labels, *test = load()
    return samples.flip(2), labels, test[0].flip(2), test[1]


def sets():
    from torch.utils.data import TensorDataset
    x, y, *test = load()
    return TensorDataset(x, y), TensorDataset(*test)


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


@pytest.mark.filterwarnings("ignore:layer .* saturate")
@pytest.mark.parametrize(
    "words",
    [
        ["siamese", "--rule", "my.py:Tiring", "--set", "hidden=8"],
        ["metaplastic", "--rule", "my.py:Tiring", "--set", "hidden=[8, 8]"],
        ["siamese", "--network", "my.py:Net", "--scheme", "falling threshold"],
        ["siamese", "--data", "my.py:load", "--scheme", "falling threshold", "--set", "hidden=8",
         "--set", "batch=8"],
        ["siamese", "--data", "my.py:sets", "--scheme", "falling threshold", "--set", "hidden=8",
         "--set", "batch=8"],
        ["siamese", "--rule", "my.py:Tiring", "--network", "my.py:Residual"],
        ["siamese", "--network", "my.py:Residual", "--only", "claims"],
        ["siamese", "--only", "schemes", "--set", 'schemes=["falling threshold", "my.py:Tiring"]'],
        ["metaplastic", "--network", "my.py:Gated", "--only", "claims",
         "--set", "permuted.tasks=2"],
        ["metaplastic", "--network", "my.py:Normed", "--scheme", "path importance"],
        ["metaplastic", "--data", "my.py:load", "--data", "my.py:more", "--scheme",
         "no protection", "--set", "hidden=[8]", "--set", "batch=20"],
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
        (["siamese", "--rule", "my.py:Wrong"], "my.py:Wrong does not work in siamese: my.py, line"),
        (["metaplastic", "--rule", "my.py:Wrong"], "my.py:Wrong does not work in metaplastic"),
        (["siamese", "--network", "my.py:Narrow"], "for samples (2, 1, 28, 28), not (2, 3)"),
        (["siamese", "--network", "my.py:Other"], "takes samples (2, 1, 28, 28)"),
        (["siamese", "--network", "my.py:Digital"], "layer"),
        (["siamese", "--network", "my.py:Tiring"], "a torch network"),
        (["metaplastic", "--network", "my.py:Net"], "one with batch normalization"),
        (["metaplastic", "--network", "my.py:Normed"], "one with mho.nn.Gate(units)"),
        (["metaplastic", "--network", "my.py:Normed", "--only", "convolution"], "trains another"),
        (["bmcnn", "--network", "my.py:Narrow"], "not (2, 3)"),
        (["bmcnn", "--network", "my.py:Single"], "two or more linear or convolutional layers"),
        (["bmcnn", "--network", "my.py:Normed", "--only", "networks"], "it compares others"),
        (["siamese", "--data", "mnist", "--data", "fashion-mnist"], "one data set for siamese"),
        (["siamese", "--log", "tensorbord"], "tensorboard, or FILE.py:NAME"),
        (["siamese", "--log", "my.py:Recoder"], "did you mean"),
        (["siamese", "--data", "my.py:three"], "train_x, train_y, test_x, test_y"),
        (["siamese", "--data", "my.py:fails"], "OSError: no such cable"),
        (["siamese", "--rule", "my.py:Tiring", "--scheme", "float"], "nothing with --scheme"),
        (["bmcnn", "--rule", "my.py:Tiring"], "bmcnn trains its network first"),
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


SYSTEMS = {"bmcnn": "Normed", "siamese": "Net", "metaplastic": "Gated"}


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("what", ["rule", "network", "data"])
def test_every_experiment_takes_ones_own_or_says_why_not(name: str, what: str) -> None:
    for system, net in SYSTEMS.items():
        config = EXPERIMENTS[name].preset("quick")
        if name in SYSTEMS and name != system:
            continue
        if name not in SYSTEMS:
            config = config.replace(only=system)
        own: Any = {"rule": "my.py:Tiring", "network": f"my.py:{net}", "data": ("my.py:load",)}
        give = getattr(config, f"with_{what}")
        if what == "rule" and system == "bmcnn":
            with pytest.raises(InvalidInput, match="writes each cell once"):
                give(own[what])
        else:
            (named,) = code_in(give(own[what]).to_dict())
            assert named in (own[what], *own[what])


@pytest.mark.parametrize(
    ("name", "system", "what"),
    [
        ("bmcnn", None, "network"), ("sensitivity", "bmcnn", "network"),
        ("sensitivity", "siamese", "rule"), ("wires", "metaplastic", "network"),
    ],
)  # fmt: skip
def test_ones_own_works_in_a_run_in_small(name: str, system: str | None, what: str) -> None:
    own = "my.py:Tiring" if what == "rule" else f"my.py:{SYSTEMS[system or name]}"
    config = EXPERIMENTS[name].preset("quick").replace(only=system)
    config = getattr(config, f"with_{what}")(own)
    with stand_ins():
        found = EXPERIMENTS[name].check(config)
    assert found is None or isinstance(found, Result)


def test_a_failure_in_the_middle_is_told_by_its_file_and_line_and_the_run_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = ["run", "siamese", "--rule", "my.py:Breaking", *SMALL, "--set", "hidden=8"]
    with stand_ins():
        assert main([*run, "--out", "whole"]) == 0
        Path("broken").touch()
        capsys.readouterr()
        assert main([*run, "--out", "r"]) == 2
        first, *trace = capsys.readouterr().err.splitlines()[-100:]
        while not first.startswith("mho: "):  # progress
            first, *trace = trace
        line = GOOD[: GOOD.index("raise ZeroDivisionError")].count("\n") + 1
        assert first.startswith(f"mho: my.py, line {line}, in apply: ZeroDivisionError: no more; r")
        assert trace[0].startswith("Traceback")
        assert "--resume" in first
        Path("broken").unlink()
        assert main([*run, "--out", "r", "--resume"]) == 0
    assert ids(Path("r")) == ids(Path("whole"))


def test_a_binarized_network_of_ones_own_has_its_classifier_apart() -> None:
    for classifier, names in (("float", ["1"]), ("binary", ["1", "4"])):
        own = Architecture.from_dict({"network": "my.py:Normed", "classifier": classifier})
        net = network(own, dataset("mnist"))
        kinds = by_layer(own, net, Hardware(device="hfo2-1t1r"))
        assert [n for n, each in net.named_modules() if kinds(n, each) is not None] == names


def test_what_is_measured_is_logged_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    """All of it, also after a run that was broken off."""
    run = [
        "run",
        "siamese",
        "--scheme",
        "falling threshold",
        *SMALL,
        "--set",
        "hidden=8",
        "--out",
        "r",
    ]
    with stand_ins():
        assert main([*run, "--log", "my.py:Recorder"]) == 0, capsys.readouterr().err
    assert Path("closed").exists()
    given = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    known = Known()
    replay("r", known)
    assert given == known.lines
    assert any("validation" in name for _, values in given for name in values)
    Path("r/result.json").unlink()
    Path("log.jsonl").unlink()
    with stand_ins():
        assert main([*run, "--log", "my.py:Recorder", "--resume"]) == 0
        assert [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()] == given
        Path("r/result.json").unlink()
        assert main([*run, "--log", "tensorboard", "--resume"]) == 0
    assert [*Path("r/tensorboard").glob("events.out.tfevents.*")]


class Known:
    """A logger that keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def log(self, values: dict[str, float], step: int) -> None:
        self.lines.append([step, dict(values)])

    def close(self) -> None:
        pass


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
