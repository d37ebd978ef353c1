"""Families and laws that the library has never heard of go wherever its own do."""

import math
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

import mho
from mho import card
from mho.config import Config, Range, families
from mho.experiments.sensitivity.config import PRESETS, SensitivityConfig
from mho.experiments.sensitivity.imperfections import chips, imperfections
from mho.instruments import SimulatedInstrument
from mho.physics import (
    Cell,
    Conduction,
    Entry,
    Imperfection,
    LandingCell,
    Noise,
    Present,
    Preset,
    Programmed,
    Programming,
    PulsedCell,
    Quantity,
    Retention,
    Traits,
)
from mho.report.card import save_card


class Uniform(LandingCell):
    """An attempt lands evenly around its level, which leans to one side."""

    family: ClassVar[str] = "uniform"

    top: float = 90e-6
    width: float = 2e-6
    lean: float = 0.02

    @property
    def states(self) -> int:
        return 5

    @property
    def window(self) -> tuple[float, float]:
        return 10e-6, self.top

    def traits(self, noise: Noise) -> Traits:
        return {}

    def draw(self, z: Tensor, level: Tensor, traits: Traits, *, corrected: bool) -> Tensor:
        return self.mean(level) + self.width * (2 * torch.special.ndtr(z) - 1)

    def score(self, g: Tensor, level: Tensor, traits: Traits, *, corrected: bool) -> Tensor:
        u = (1 + (g - self.mean(level)) / self.width) / 2
        return torch.special.ndtri(u.clamp(0, 1))

    def mean(self, level: Tensor) -> Tensor:
        return self.nominal(level) + self.lean * self.step

    def imperfections(self) -> dict[str, Imperfection]:
        return super().imperfections() | {"lean": Imperfection(self.lean, "of all levels")}

    def with_imperfection(self, name: str, value: float) -> "Uniform":
        if name == "lean":
            return self.replace(lean=value)
        return super().with_imperfection(name, value)

    def family_datasheet(self) -> list[Entry]:
        return [Entry("lean", "{} of a step", (Quantity(self.lean, "%"),))]


class Stairs(PulsedCell):
    """Every pulse is a stair of the same height."""

    family: ClassVar[str] = "stairs"

    stairs: Annotated[int, Range(least=1)] = 40

    @property
    def window(self) -> tuple[float, float]:
        return 0.0, 50e-6

    @property
    def crossing(self) -> tuple[float, float]:
        return float(self.stairs), float(self.stairs)

    def respond(self, z: Tensor, g: Tensor, pulses: Tensor, traits: Traits) -> Tensor:
        step = 50e-6 / self.stairs * traits.get("step_factor", 1.0)
        return (g + step * pulses + 0.0 * z).clamp(*self.window)

    def pulses_to(self, target: Tensor, g: Tensor, response: str = "curve") -> Tensor:
        return ((target - g) * self.stairs / 50e-6).round().to(torch.int32)


class Cubic(Conduction):
    """i = g (v + v^3)."""

    family: ClassVar[str] = "cubic"

    def current(self, v: Tensor, g: Tensor) -> Tensor:
        return g * (v + v**3)

    def slope(self, v: Tensor, g: Tensor) -> Tensor:
        return g * (1 + 3 * v**2)

    def spice(self, name: str, u: str, w: str, g: float) -> list[str]:
        return [f"Bg{name} {u} {w} I={g!r}*(V({u},{w})+V({u},{w})**3)"]


class Fading(Retention):
    """g exp(-rate (t - t0)), the same for all cells."""

    family: ClassVar[str] = "fading"

    rate: float = 1e-6

    def rates(self, z: Tensor, g: Tensor) -> Tensor:
        return torch.full_like(z, self.rate)

    def at(self, time: Tensor, g: Tensor, rate: Tensor) -> Tensor:
        return g * torch.exp(-rate * (time - self.t0).clamp(min=0.0))

    def drift(self, seconds: float, window: tuple[float, float]) -> float:
        return -math.expm1(-self.rate * (seconds - self.t0))

    def times(self, factor: float) -> "Fading":
        return self.replace(rate=factor * self.rate)

    def for_conductances(self, scale: float) -> "Fading":
        return self


class Cheating(Programming):
    """Cells are where they should be, for three pulses and no read."""

    family: ClassVar[str] = "cheating"

    @property
    def verifies(self) -> bool:
        return False

    def most_pulses(self, cell: Cell) -> int:
        return 3

    def mean(self, cell: Cell, level: Tensor) -> Tensor:
        return cell.nominal(level)

    def program(
        self,
        cell: Cell,
        level: Tensor,
        traits: Traits,
        noise: Noise,
        present: Present | None = None,
    ) -> Programmed:
        z = noise.normal()
        pulses = torch.full_like(z, 3, dtype=torch.int32)
        return Programmed(cell.nominal(level).to(z).expand_as(z), pulses, torch.zeros_like(pulses))

    def within(self, cell: Cell, level: Tensor, done: Programmed, worn: Tensor) -> Programmed:
        return done

    def stuck(self, cell: Cell, level: Tensor, done: Programmed) -> Programmed:
        return done


WHOLE = Preset(device=Uniform(read_noise=0.01), conduction=Cubic(), retention=Fading())
STAIRS = Preset(device=Stairs(device_spread=0.1, stuck_on=0.01), conduction=Cubic())
either = pytest.mark.parametrize("preset", [WHOLE, STAIRS], ids=["uniform", "stairs"])


@pytest.mark.parametrize(
    ("base", "made"),
    [(Cell, Uniform), (Cell, Stairs), (Conduction, Cubic), (Retention, Fading),
     (Programming, Cheating)],
)  # fmt: skip
def test_a_family_is_known_once_it_is_defined(base: type[Config], made: type[Config]) -> None:
    assert made in families(base)
    assert families(made) == [made]


@either
def test_it_survives_toml_in_presets_and_chips(preset: Preset) -> None:
    assert Preset.from_toml(preset.to_toml()) == preset
    assert preset.device is not None
    hardware = mho.Hardware(device=preset.device, programming=Cheating())
    hardware = hardware.over_time(preset)
    assert mho.Hardware.from_toml(hardware.to_toml()) == hardware
    with pytest.raises(ValueError, match=r"unknown family for Hardware\.device 'unifrm': did you"):
        mho.Hardware.from_dict({"device": {"family": "unifrm"}})
    with pytest.raises(ValueError, match=r"Hardware\.device = 3: expected a cell, a preset"):
        mho.Hardware(device=3)  # type: ignore[arg-type]


@either
def test_it_has_a_card(preset: Preset, tmp_path: Path) -> None:
    found = card.of_preset("made up", preset)
    numbers = dict(found.numbers)
    assert preset.device is not None
    assert numbers["cell"] == preset.device.family
    assert numbers["I-V"] == "cubic"
    if preset is WHOLE:
        assert numbers["lean"] == "2 % of a step"
        assert "spread" not in numbers
        assert numbers["retention"] == "fading"
        assert found.retention.curves
        assert found.response.missing
    else:
        assert numbers["spread"] == "devices 10 %"
        assert numbers["pulses across"] == "SET 40, RESET 40"
        assert len(found.response.curves) == 2
    assert found.current.curves
    save_card(found, tmp_path / "card.png", "png")


def analysed(preset: Preset) -> SensitivityConfig:
    return PRESETS["quick"].replace(cell=preset)


@either
def test_its_sensitivity_can_be_analysed(preset: Preset) -> None:
    config = analysed(preset)
    for system in config.systems:
        known = imperfections(config, system)
        extra = {"lean"} if preset is WHOLE and system != "bmcnn" else set()
        own = {"device spread"} if preset is STAIRS else set()
        every = {"read noise", "stuck cells", "drift", "wires", "converters"}
        assert set(known) == every | extra | own
        ideal = chips(config, system, dict.fromkeys(known, 0.0))
        assert not any(each.value for name, each in ideal.device.imperfections().items()
                       if name in known)  # fmt: skip
        twice = chips(config, system, dict.fromkeys(known, 2.0))
        for name in {"read noise", "stuck cells"} | extra | own:
            found = twice.device.imperfections()[name].value
            assert found == pytest.approx(2 * known[name].value)
    if preset is WHOLE:
        assert known["drift"].given
        assert twice.retention == Fading(rate=2e-6)


@either
@pytest.mark.parametrize("scheme", [mho.cells.OpenLoop(), mho.cells.Verify(), Cheating()])
def test_networks_are_converted_trained_and_evaluated(
    preset: Preset, scheme: Programming, generator: torch.Generator
) -> None:
    assert preset.device is not None
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    hardware = mho.Hardware(
        device=preset.device.replace(read_noise=0.0, stuck_on=0.0), programming=scheme,
        retention=Fading(),
    )  # fmt: skip
    twin = mho.convert(net, hardware, chips=2, generator=generator)
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.5)
    write = mho.WriteStep(twin)
    x, y = torch.randn(32, 6, generator=generator), torch.arange(32) % 3
    written = 0
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(twin(x).flatten(0, 1), y.repeat(2)).backward()
        optimizer.step()
        written += write().weights
    assert written > 0
    accuracy = mho.evaluate(twin, mho.data.batches((x, y), 32, seed=None))
    assert accuracy.shape == (2,)
    mho.age(twin, 3600.0)
    assert (mho.ledger(twin).pulses_per_cell().sum(1) > 0).all()


@either
def test_it_lies_on_an_instrument(preset: Preset) -> None:
    assert preset.device is not None
    hardware = mho.Hardware(device=preset.device, tile=(4, 4), programming=mho.cells.Verify())
    chip = SimulatedInstrument(hardware, 1, seed=2)
    cells = torch.tensor([[0, 0, 0], [0, 1, 1]], dtype=torch.int32)
    done = chip.program(cells, torch.tensor([chip.describe().low, chip.describe().high]))
    assert done.pulses.shape == (2,)
    counts = torch.tensor([3, -3], dtype=torch.int32)
    if preset is WHOLE:
        with pytest.raises(mho.instruments.InstrumentRefused, match="uniform cells land afresh"):
            chip.pulse(cells, counts)
    else:
        chip.pulse(cells, counts)
        assert chip.report().reset_pulses >= 3


def test_a_law_of_conduction_is_solved_and_written_down() -> None:
    g, v = torch.full((2, 2), 1e-4), torch.tensor([0.1, 0.2])
    point = mho.circuits.operating_point(g, v, 1.0, 1.0, conduction=Cubic())
    ohmic = mho.circuits.operating_point(g, v, 1.0, 1.0).output_current
    assert (point.output_current > ohmic).all()
    assert "Bg0_0" in mho.circuits.netlist(g, v, conduction=Cubic())


def test_mappings_name_a_family_that_there_is(tmp_path: Path) -> None:
    data: dict[str, Any] = {"family": "uniform", "width": 1e-6}
    (tmp_path / "mine.toml").write_text('family = "uniform"\nwidth = 1e-6\n')
    assert mho.devices.read(tmp_path / "mine.toml").device == Uniform.from_dict(data)
