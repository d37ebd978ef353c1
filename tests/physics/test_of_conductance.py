"""Functions of the conductance: each against its formula, all against what every one promises; and
every field that takes one, against the same field with a number."""

import dataclasses
import math
import typing
from typing import Any

import pytest
import torch
from torch import nn

import mho
from mho.config import Config
from mho.physics import OfConductance, PolynomialOfG, PowerOfG, Preset, TableOfG, of_conductance
from mho.physics.of_conductance import check_in_window, in_window, mean, shown, varies, with_mean

WINDOW = (1e-6, 40e-6)
LAWS: dict[str, OfConductance] = {
    "polynomial": PolynomialOfG(coefficients=(0.1, 0.2, -0.05), unit=20e-6),
    "limited": PolynomialOfG(coefficients=(0.0, 1.0), unit=40e-6, least=0.2, most=0.7),
    "power": PowerOfG(factor=0.01, exponent=-0.65, unit=25e-6, most=0.2),
    "root": PowerOfG(factor=0.3, exponent=0.5, unit=10e-6),
    "table": TableOfG(g=(2e-6, 10e-6, 30e-6), values=(0.1, 0.3, 0.2)),
    "log table": TableOfG(g=(2e-6, 20e-6), values=(0.1, 0.05), along="ln g"),
}
laws = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def at(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_the_formulas() -> None:
    g = at(0.0, 1e-6, 5e-6, 20e-6, 1e-3)
    expected = {
        "polynomial": [0.1 + 0.2 * x - 0.05 * x * x for x in (0, 0.05, 0.25, 1.0, 50.0)],
        "limited": [0.2, 0.2, 0.2, 0.5, 0.7],
        "power": [0.2, 0.01 * 25**0.65, 0.01 * 5**0.65, 0.01 * 1.25**0.65, 0.01 * 40**-0.65],
        "root": [0.3 * math.sqrt(x) for x in (0, 0.1, 0.5, 2.0, 100.0)],
        "table": [0.1, 0.1, 0.175, 0.25, 0.2],
        "log table": [0.1, 0.1, 0.1 - 0.05 * math.log10(2.5), 0.05, 0.05],
    }
    for name, values in expected.items():
        torch.testing.assert_close(LAWS[name].at(g), at(*values))


@laws
def test_it_is_elementwise_finite_and_in_the_precision_of_what_is_given(law: OfConductance) -> None:
    g = torch.linspace(0, 50e-6, 24, dtype=torch.float64).view(2, 3, 4).transpose(0, 2)
    found = law.at(g)
    assert found.shape == g.shape
    assert torch.isfinite(found).all()
    torch.testing.assert_close(law.at(g.flatten())[5], found.flatten()[5])
    assert law.at(g.float()).dtype == torch.float32
    torch.testing.assert_close(law.at(g.float()).double(), found, rtol=1e-5, atol=1e-7)


@laws
def test_it_is_made_larger_and_carried_to_other_cells(law: OfConductance) -> None:
    g = at(1e-6, 7e-6, 33e-6)
    torch.testing.assert_close(law.times(3.0).at(g), 3 * law.at(g))
    torch.testing.assert_close(law.times(-2.0).at(g), -2 * law.at(g))
    torch.testing.assert_close(law.times(0.0).at(g), torch.zeros_like(g))
    torch.testing.assert_close(law.for_conductances(5.0).at(5 * g), law.at(g))
    assert mean(with_mean(law, 0.02, WINDOW), WINDOW) == pytest.approx(0.02)
    assert with_mean(law, 0.0, WINDOW) == 0.0
    assert shown(law, WINDOW, "1")[0] == "{} to {}"


def test_a_number_is_itself() -> None:
    assert of_conductance.at(0.3, at(1e-6)) == 0.3
    assert mean(0.3, WINDOW) == 0.3
    assert with_mean(0.3, 0.1, WINDOW) == 0.1
    assert of_conductance.times(0.3, 2.0) == 0.6
    assert of_conductance.for_conductances(0.3, 2.0) == 0.3
    assert torch.equal(in_window(0.3, WINDOW).unique(), at(0.3))


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: PolynomialOfG(coefficients=()), r"PolynomialOfG\.coefficients = 0"),
        (lambda: PolynomialOfG(coefficients=(1.0,), least=2.0, most=1.0), r"\.least = 2\.0: expec"),
        (lambda: PowerOfG(factor=1.0, exponent=-1.0), r"PowerOfG\.most = None: .* 0 S"),
        (lambda: PowerOfG(factor=-1.0, exponent=-1.0, most=1.0), r"PowerOfG\.least = None"),
        (lambda: TableOfG(g=(1e-6,), values=(1.0,)), r"TableOfG\.g = 1: expected 2 to"),
        (lambda: TableOfG(g=(2e-6, 1e-6), values=(1.0, 2.0)), r"TableOfG\.g = .*: expected ris"),
        (lambda: TableOfG(g=(1e-6, 2e-6), values=(1.0,)), r"TableOfG\.values = 1: .*2 values"),
        (lambda: TableOfG(g=(0.0, 2e-6), values=(1.0, 2.0), along="ln g"), r"above 0 where values"),
    ],
)
def test_what_makes_no_function_is_refused(made: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        made()


# ---------------------------------------------------------------- fields that take one

RECORDS: dict[str, Config] = {
    "device": mho.cells.MultiLevel(g_min=1e-6, g_max=40e-6, sigma=(0.5e-6,), read_noise=0.01),
    "pulses": mho.cells.PulseResponse(g_min=1e-6, g_max=40e-6, pulses=50, read_noise=0.01),
    "power law": mho.cells.PowerLaw(nu=0.05, nu_spread=0.01),
    "log time": mho.cells.LogTime(rate=-1e-8, rate_spread=1e-7, start_spread=2e-7),
    "flicker": mho.cells.Flicker(amplitude=0.01),
}


def fields() -> list[tuple[str, str]]:
    """Every field of the records above that takes a function of the conductance."""
    found = []
    for name, record in RECORDS.items():
        hints = typing.get_type_hints(type(record), include_extras=True)
        found += [
            (name, each.name)
            for each in dataclasses.fields(record)  # type: ignore[arg-type]
            if OfConductance in typing.get_args(hints[each.name])
        ]
    return found


def number(record: Config, field: str) -> float:
    value = getattr(record, field)
    return value[0] if isinstance(value, tuple) else value


def preset(name: str, record: Config) -> Preset:
    device = record if isinstance(record, mho.cells.Cell) else RECORDS["device"]
    retention = record if isinstance(record, mho.cells.Retention) else None
    flicker = record if isinstance(record, mho.cells.Flicker) else None
    return Preset(device=device, retention=retention, flicker=flicker)  # type: ignore[arg-type]


def test_these_fields_take_one() -> None:
    assert fields() == [
        ("device", "read_noise"), ("device", "sigma"), ("pulses", "read_noise"),
        ("power law", "nu"), ("power law", "nu_spread"),
        ("log time", "rate"), ("log time", "rate_spread"), ("log time", "start_spread"),
        ("flicker", "amplitude"),
    ]  # fmt: skip


def outputs(known: Preset, mapping: str = "differential") -> torch.Tensor:
    """Of a network a day after it was written."""
    model = nn.Sequential(nn.Linear(5, 4))
    with torch.no_grad():
        for k, parameter in enumerate(model.parameters()):
            parameter.copy_(torch.linspace(-1, 1, parameter.numel()).sin().view_as(parameter) + k)
    hardware = mho.Hardware(device=known, mapping=mapping)
    net = mho.convert(model, hardware, 3, generator=torch.Generator().manual_seed(3))
    if hardware.ages:
        mho.age(net, 86_400.0)
    with torch.no_grad():
        return net(torch.linspace(-1, 1, 60).view(4 * 3, 5))


@pytest.mark.parametrize(("name", "field"), fields())
def test_one_that_is_the_same_everywhere_gives_what_the_number_gives(name: str, field: str) -> None:
    record = RECORDS[name]
    value = number(record, field)
    even = TableOfG(g=(1e-6, 2e-6), values=(value, value))
    same = record.replace(**{field: even})
    assert varies(same)
    assert not varies(record)
    found = [outputs(preset(name, each)) for each in (record, same)]
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("name", "field"), fields())
def test_it_goes_through_files_and_settings(name: str, field: str) -> None:
    value = number(RECORDS[name], field)
    law = PolynomialOfG(coefficients=(value, value / 2), unit=40e-6)
    made = preset(name, RECORDS[name].replace(**{field: law}))
    assert Preset.from_toml(made.to_toml()) == made
    hardware = mho.Hardware(device=made)
    assert mho.Hardware.from_toml(hardware.to_toml()) == hardware
    back = RECORDS[name].replace(**{field: law}).merged({field: getattr(RECORDS[name], field)})
    assert back == RECORDS[name]
    assert mho.card.of_preset("it", made).numbers


@pytest.mark.parametrize(("name", "field"), fields())
def test_values_that_the_number_could_not_have_are_refused_by_name(name: str, field: str) -> None:
    record = RECORDS[name]
    hardware = mho.Hardware(device=preset(name, record))
    place = {"log time": "retention", "power law": "retention", "flicker": "flicker"}
    law = PolynomialOfG(coefficients=(0.0, 1e9), unit=40e-6)
    told = rf"{type(record).__name__}\.{field} = .*: expected "
    with pytest.raises(ValueError, match=told):
        preset(name, record.replace(**{field: law}))
    with pytest.raises(ValueError, match=told):
        hardware.replace(**{place.get(name, "device"): record.replace(**{field: law})})


def test_what_is_fine_in_the_window_is_not_asked_outside() -> None:
    law = mho.cells.PowerLaw(nu=PolynomialOfG(coefficients=(0.0, 1.0), unit=40e-6))
    check_in_window(law, WINDOW)
    with pytest.raises(ValueError, match=r"PowerLaw\.nu = '2\.5 at 0\.0001 S': expected a finite"):
        check_in_window(law, (1e-6, 1e-4))
