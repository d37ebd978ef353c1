"""The numbers of a card: every family and law in words, and what is not given."""

import pytest

import mho
from mho.card.numbers import NOT_GIVEN, known, numbers, text
from mho.physics import Entry, Preset, Quantity


def plain(preset: Preset) -> dict[str, str]:
    """Numbers by name, blanks as one types them."""
    return {k: v.replace("\xa0", " ").replace("\u202f", " ") for k, v in numbers(preset)}


TWO_STATE = mho.cells.TwoState(
    r_on=mho.cells.Resistance(
        mean=1e4, device=mho.cells.Spread(cov=0.05), cycle=mho.cells.Spread(cov=0.02)
    ),
    r_off=mho.cells.Resistance(mean=1e5, device=mho.cells.Spread(distribution="normal", cov=0.1)),
    stuck_off=0.01, stuck_on=0.002, endurance=1e6, doi="10.1/x",
)  # fmt: skip
LEVELS = mho.cells.MultiLevel(
    g_min=0.0, g_max=80e-6, levels=5, sigma=(1e-6, 0.05), device_spread=0.03
)
PULSES = mho.cells.PulseResponse(
    g_min=10e-6, g_max=90e-6, pulses=20, nonlinearity=(2.0, 1.0), reset_ratio=2.0, cycle_spread=0.4
)
TABLE = mho.cells.PulseTable(
    g=(10e-6, 90e-6), set_step=(2e-6, 2e-6), reset_step=(4e-6, 4e-6), reset_spread=(3e-7,),
    device_spread=0.125,
)  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (TWO_STATE, {
            "cell": "two-state", "window": "10 µS to 100 µS, ratio 10", "levels": "2, 90 µS apart",
            "spread": "R_ON 5 % lognormal, cycles 2 % lognormal; R_OFF 10 % normal",
            "stuck cells": "1 % off, 0.2 % on", "endurance": "1 000 000 pulses", "DOI": "10.1/x",
        }),
        (LEVELS, {
            "window": "0 S to 80 µS", "levels": "5, 20 µS apart",
            "spread": "1 µS to 5 µS a pulse; devices 3 % of the window",
            "stuck cells": NOT_GIVEN, "endurance": NOT_GIVEN, "DOI": NOT_GIVEN,
        }),
        (PULSES, {
            "spread": "0.4 mean steps a pulse", "pulses across": "SET 20, RESET 10",
            "non-linearity": "SET 2, RESET 1",
        }),
        (TABLE, {
            "spread": "up to 300 nS a pulse; devices 12.5 %", "pulses across": "SET 40, RESET 20",
        }),
        (TWO_STATE.replace(r_off=mho.cells.Resistance(mean=1e5, cycle=mho.cells.Spread(cov=0.3))), {
            "spread": "R_ON 5 % lognormal, cycles 2 % lognormal; R_OFF no spread, cycles 30 % "
            "lognormal",
        }),
    ],
)  # fmt: skip
def test_a_cell_in_its_numbers(cell: mho.physics.Cell, told: dict[str, str]) -> None:
    found = plain(Preset(device=cell))
    assert {name: found[name] for name in told} == told


@pytest.mark.parametrize(
    ("laws", "told"),
    [
        (Preset(conduction=mho.circuits.Ohmic()), {"I-V": "ohmic"}),
        (Preset(conduction=mho.circuits.Sinh(v0=0.4)), {"I-V": "sinh, v0 = 400 mV"}),
        (Preset(conduction=mho.circuits.Transistor(beta=3e-4, overdrive=0.75)),
         {"I-V": "1T1R, beta = 300 µA/V^2, overdrive 750 mV"}),
        (Preset(retention=mho.cells.PowerLaw(t0=20.0, nu=0.049, nu_spread=0.008)),
         {"retention": "(t / 20 s)^-nu, nu = 0.049 ± 0.008"}),
        (Preset(retention=mho.cells.LogTime(rate=-8.9e-8, rate_spread=4.2e-8)),
         {"retention": "\N{MINUS SIGN}89 nS ± 42 nS in a factor e of time"}),
        (Preset(flicker=mho.cells.Flicker(amplitude=0.0138)),
         {"1/f noise": "1.38 % of G in a factor e of frequency"}),
        (Preset(telegraph=mho.cells.Telegraph(depth=0.5, full=0.5, empty=1.25)),
         {"telegraph noise": "up to 50 % of G; full 500 ms, empty 1.25 s"}),
        (Preset(disturb=mho.cells.Disturb(read=0.001, half_select=0.02)),
         {"disturb": "0.001 a read, 0.02 a half select"}),
        (Preset(device=LEVELS.replace(read_noise=0.0022)), {"white noise": "0.22 % of the window"}),
    ],
)  # fmt: skip
def test_a_law_in_its_numbers(laws: Preset, told: dict[str, str]) -> None:
    found = plain(laws)
    assert {name: found[name] for name in told} == told
    assert known(laws) == list(told)
    others = {"I-V", "retention", "white noise", "1/f noise", "telegraph noise", "disturb"}
    assert all(found[name] == NOT_GIVEN for name in others - set(told))


def test_a_preset_without_a_cell_says_so() -> None:
    found = plain(Preset(conduction=mho.circuits.Ohmic()))
    assert found["cell"] == NOT_GIVEN
    assert not {"window", "levels", "DOI"} & set(found)


def test_numbers_stand_in_the_order_of_a_data_sheet() -> None:
    names = [name for name, _ in numbers(Preset(device=PULSES))]
    assert names[:6] == ["cell", "window", "levels", "spread", "pulses across", "non-linearity"]
    assert names[6:8] == ["stuck cells", "endurance"]
    assert names[-1] == "DOI"


def test_a_line_is_filled_in() -> None:
    entry = Entry("x", "{} and {}: {}", (Quantity(1e-6, "S"), Quantity(0.5, "%"),
                                         Quantity(1234.5, "1")))  # fmt: skip
    assert text(entry).replace("\xa0", " ").replace("\u202f", " ") == "1 µS and 50 %: 1 230"
    assert text(Entry("x")) == NOT_GIVEN
