"""Every experiment on cells of every family: it starts and runs, or the settings alone refuse it.

The checks that stand before a run are held to all pairs, with all that reads data or trains taken
away; that what they accept runs is held to some of them. `python -m fuzz` goes on.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

import mho
from mho import Preset, experiments
from mho.cells import (
    MultiLevel,
    OpenLoop,
    PolynomialOfG,
    PowerOfG,
    PulseResponse,
    PulseTable,
    Resistance,
    SourceWrite,
    TableOfG,
    TwoState,
)
from mho.errors import InvalidInput
from mho.experiments.cells import fitting, in_words, with_levels
from mho.experiments.rehearsal import Rehearsal
from mho.physics import devices
from mho.sweep import plan
from mho.sweep.check import check
from mho.sweep.folder import SweepFolder

WINDOW = {"g_min": 2e-6, "g_max": 80e-6}
FALLING = TableOfG(g=(2e-6, 80e-6), values=(4e-6, 1e-6))
CELLS: dict[str, mho.cells.Cell] = {
    **{f"{n} levels": MultiLevel(**WINDOW, levels=n, sigma=(1e-6,)) for n in (2, 3, 4, 5, 64)},
    "4096 levels": MultiLevel(**WINDOW, levels=4096),
    "sigma, a table": MultiLevel(**WINDOW, levels=9, sigma=FALLING),
    "sigma, a power": MultiLevel(
        **WINDOW, levels=9, sigma=PowerOfG(factor=2e-6, exponent=0.5, unit=40e-6)
    ),
    "sigma, limited": MultiLevel(
        **WINDOW, levels=16, sigma=PolynomialOfG(coefficients=(1e-6, 0.02), most=2e-6)
    ),
    "noise of G": MultiLevel(
        **WINDOW, levels=9, read_noise=TableOfG(g=(2e-6, 80e-6), values=(0.03, 0.01))
    ),
    "written": MultiLevel(**WINDOW, levels=6, sigma=FALLING, written=SourceWrite(pulses=3)),
    "closing": MultiLevel(**WINDOW, levels=9, endurance=30.0, closing=(0.1, 0.2)),
    "two states": TwoState(r_on=Resistance(mean=1e4), r_off=Resistance(mean=1e5)),
    "two measured states": TwoState(
        r_on=Resistance(mean=1e4), r_off=Resistance(mean=1e5), written=SourceWrite()
    ),
    "two pulsed levels": PulseResponse(**WINDOW, levels=2, pulses=20),
    "even pulses": PulseResponse(**WINDOW, levels=17, pulses=64),
    "few pulses": PulseResponse(**WINDOW, levels=5, pulses=5, nonlinearity=(3.0, 1.0)),
    "one-sided table": PulseTable(
        g=(2e-6, 80e-6), set_step=(9e-6, 1e-6), reset_step=(1e-6, 30e-6),
        set_spread=(2e-6, 1e-6), reset_spread=(1e-6, 9e-6), levels=9,
    ),
}  # fmt: skip
"""Of each family, with few and many levels, numbers that depend on the conductance, wear."""

DEVICES = devices.PRESETS | {name: Preset(device=cell) for name, cell in CELLS.items()}
TAKING = {"siamese": "hardware.device", "metaplastic": "hardware.device", "sensitivity": "cell"}
"""Experiments that take the cells of a file, and where these then stand."""

SMALL: dict[str, dict[str, Any]] = {
    "siamese": {"schemes": ["large threshold with read-back", "Tiki-Taka", "closed loop"]},
    "metaplastic": {"schemes": ["binarized network"], "permuted": {"tasks": 0}},
    "sensitivity": {},
}
"""What makes a run in small short, and yet has what cells may not suit."""


@pytest.fixture
def nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """No data are read, no chip is made, and nothing is trained."""

    def reached(*_: object, **__: object) -> Iterator[int]:
        raise AssertionError("a run had begun")

    monkeypatch.setattr(mho.data, "load", reached)
    monkeypatch.setattr(mho, "convert", reached)
    monkeypatch.setattr(Rehearsal, "steps", reached)
    monkeypatch.setattr(torch.Tensor, "backward", reached)


def on(name: str, preset: str, device: Preset, **changes: Any) -> Any:
    config = experiments.get(name).preset(preset).merged(changes | {"processor": "cpu"})
    return config.on_device(device)[0]


def refusal(name: str, config: Any) -> str:
    """Why the settings alone refuse a run; "": they do not."""
    try:
        experiments.get(name).refuse(config)
    except InvalidInput as error:
        return str(error)
    return ""


@pytest.mark.usefixtures("nothing_begins")
@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("siamese", "quick"),
        ("siamese", "standard"),
        ("metaplastic", "standard"),
        ("sensitivity", "quick"),
    ],
)
def test_cells_are_refused_in_a_sentence_that_leads_on(name: str, preset: str) -> None:
    refused = {}
    for each, device in DEVICES.items():
        if said := refusal(name, on(name, preset, device)):
            refused[each] = said
    for each, said in refused.items():
        assert said.count("\n") == 0
        assert "Config." in said
        assert in_words(DEVICES[each].cell) in said
        assert re.search(r"full_scale = \d|at most [\d.]+ times", said)
    assert len(refused) < len(DEVICES) / 2
    assert ("two states" in refused) == (name != "metaplastic")


@pytest.mark.usefixtures("nothing_begins")
@pytest.mark.parametrize("name", TAKING)
def test_what_a_refusal_advises_is_not_refused(name: str) -> None:
    """A full scale, steps, or one of the published devices that it names."""
    for device in Random(5).sample([*DEVICES.values()], 12):
        config = on(name, "quick", device)
        for _ in range(3):  # one thing after another may be wrong
            if not (said := refusal(name, config)):
                break
            if found := re.search(r"([\w.]*hardware)\.full_scale = (\d+)", said):
                path, value = found[1], float(found[2])
                config = config.merged(nested(f"{path}.full_scale", value))
                for other in re.findall(r"such as ([^()]*) \(mho", said)[0].split(", "):
                    assert "full_scale" not in refusal(name, on(name, "quick", DEVICES[other]))
            elif found := re.search(r"at most ([\d.]+) times", said):
                most = float(found[1])
                kept = [s for s in config.steps if s < most]
                config = config.replace(steps=(*kept, most))
        assert not refusal(name, config)


@pytest.mark.parametrize("name", TAKING)
def test_what_the_settings_do_not_refuse_runs(name: str) -> None:
    accepted = [
        (each, config)
        for each, device in DEVICES.items()
        if not refusal(name, config := on(name, "quick", device, **SMALL[name]))
    ]
    chosen = Random(f"{name}, 4").sample(accepted, 2 if name == "sensitivity" else 3)
    for each, config in chosen:
        try:
            experiments.get(name).check(config)
        except InvalidInput as error:
            raise AssertionError(f"{name} on {each}") from error


@pytest.mark.parametrize(
    ("name", "each"),
    [
        ("siamese", "few pulses"),
        ("siamese", "two measured states"),
        ("metaplastic", "few pulses"),
        ("metaplastic", "sigma, a table"),
    ],
)
def test_all_schemes_and_studies_run_on_cells_that_suit_them(name: str, each: str) -> None:
    """Studies that cannot vary the cells are left out, and said to be."""
    preset = experiments.get(name).preset("standard").replace(processor="cpu")
    config, notes = preset.on_device(DEVICES[each])
    config = config.merged({"hardware": {"full_scale": 3.0}})
    left = set(preset.studies) - set(config.studies)
    assert {note.split()[1] for note in notes if note.startswith("study ")} == left
    assert left == ({"levels"} if each != "sigma, a table" else set())
    few = Random(f"{name}, {each}")
    config = config.replace(
        schemes=few.sample(config.schemes, 3), studies=few.sample(config.studies, 1)
    )
    experiments.get(name).check(config)


@pytest.mark.usefixtures("nothing_begins")
def test_studies_that_cannot_vary_cells_are_refused_where_they_are_asked_for() -> None:
    for name in ("siamese", "metaplastic"):
        config = on(name, "standard", DEVICES["two states"], hardware={"full_scale": 2.0})
        asked = config.replace(studies=("levels",))
        said = refusal(name, asked)
        assert re.match(rf"{type(config).__name__}\.studies = \['levels'\]: expected \[\]", said)
        assert "two-state cells have 2 levels" in said
        assert not refusal(name, config)


@pytest.mark.usefixtures("nothing_begins")
def test_a_blind_burst_is_refused_where_schemes_go_by_what_was_read() -> None:
    config = on("siamese", "quick", DEVICES["even pulses"])
    blind = config.replace(hardware=config.hardware.replace(programming=OpenLoop()))
    said = refusal("siamese", blind)
    assert said.startswith("SiameseConfig.hardware.programming = 'open-loop': expected 'verify'")
    assert "'large threshold with read-back'" in said
    assert "pulse-response cells of 17 levels" in said
    assert not refusal("siamese", blind.replace(schemes=("falling threshold",)))


@pytest.mark.usefixtures("nothing_begins")
def test_systems_inside_of_others_are_asked_too() -> None:
    wires = experiments.get("wires").preset("quick")
    two = {"device": CELLS["two states"].to_dict()}
    said = refusal("wires", wires.merged({"siamese": {"hardware": two | {"weight_levels": 3}}}))
    assert said.startswith("siamese.hardware.device = 'two-state cells of 2 levels': expected")
    assert "siamese.hardware.full_scale = 2" in said
    assert not refusal("wires", wires.merged({"metaplastic": {"hardware": two}}))


@pytest.mark.usefixtures("nothing_begins")
def test_a_sweep_asks_all_points_before_the_first(tmp_path: Path) -> None:
    for name in ("5 levels", "two states"):
        (tmp_path / f"{name}.toml").write_text(DEVICES[name].to_toml())
    files = [str(tmp_path / f"{name}.toml") for name in ("5 levels", "two states")]
    points = plan.make("siamese", grid={"device_file": files}).points()
    with pytest.raises(InvalidInput, match=r"^point .*: SiameseConfig\.hardware\.device = 'two-st"):
        check(points, SweepFolder(tmp_path / "sweep"))
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize("name", ["bmcnn", "wires"])
def test_systems_with_cells_of_their_own_say_so(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} has its own settings for cells.*siamese"):
        on(name, "quick", DEVICES["hfo2-1t1r"])


@pytest.mark.parametrize("each", DEVICES)
def test_noise_aware_training_takes_all_cells(each: str) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(12, 9), torch.nn.ReLU(), torch.nn.Linear(9, 3))
    with mho.errors.silent():
        aware = mho.noise_aware(net, mho.Hardware(device=DEVICES[each]))
    aware(torch.randn(5, 12)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in aware.parameters())


def test_levels_and_studies_of_a_cell() -> None:
    assert with_levels(CELLS["3 levels"], 7).states == 7
    with pytest.raises(InvalidInput, match="two-state cells have 2 levels, not 7"):
        with_levels(CELLS["two states"], 7)
    hardware = mho.Hardware(device=CELLS["two states"])
    varied = {"a": lambda h: [h.replace(device=with_levels(h.device, 7))], "b": lambda h: [h]}
    kept, reasons = fitting(("a", "b", "c"), hardware, varied)
    assert kept == ("b", "c")
    assert [*reasons] == ["a"]


def nested(path: str, value: Any) -> Any:
    for part in reversed(path.split(".")):
        value = {part: value}
    return value
