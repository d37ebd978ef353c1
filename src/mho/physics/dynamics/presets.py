"""Published parameters of dynamic models: numbers in SI units, a DOI, and what of it is chosen."""

from __future__ import annotations

from mho.arguments import checked
from mho.errors import unknown
from mho.physics.dynamics.ion_drift import IonDrift
from mho.physics.dynamics.jart import JartVcm
from mho.physics.dynamics.model import Variation
from mho.physics.dynamics.stanford_pku import StanfordPku
from mho.physics.dynamics.vteam import Vteam
from mho.physics.dynamics.windows import Joglekar
from mho.physics.spread import Spread


def _bilayer(
    hfox: float, gaps: tuple[float, float], gamma: tuple[float, float], beta: tuple[float, float]
) -> StanfordPku:
    """TiOx / HfOx of Jiang et al.; pairs are SET, RESET."""
    return StanfordPku(
        gap_min=gaps[0],
        gap_max=gaps[1],
        current_scale=0.2e-3,
        gap_scale=0.15e-9,
        voltage_scale=0.35,
        velocity=5e6,
        activation=1.24,
        hop=0.25e-9,
        thickness=5e-9 + hfox,
        gamma_set=gamma[0],
        gamma_reset=gamma[1],
        beta_set=beta[0],
        beta_reset=beta[1],
        alpha=1.0,
        ambient=300.0,
        thermal_resistance=5e5,
        doi="10.1109/TED.2016.2545412",
        note="Bilayer of 5 nm TiOx and HfOx, fitted to DC sweeps: table I and section IV-A of the "
        "source. R_th is read here as 500 K/mW: printed is about 500 K, for a cell at 400 K under "
        "100 uA. Noise of the gap is not given.",
    )


def _within(parameter: str, cov: float, limit: float) -> Variation:
    """Normal, cut at a share `limit` off."""
    spread = Spread(distribution="truncated-normal", cov=cov, lower=1 - limit, upper=1 + limit)
    return Variation(parameter=parameter, spread=spread)


MODELS: dict[str, IonDrift | Vteam | StanfordPku | JartVcm] = {
    "tio2-hp": IonDrift(
        r_on=100.0,
        r_off=16e3,
        mobility=1e-14,
        depth=10e-9,
        start=0.1,
        doi="10.1038/nature06932",
        note="Pt / TiO2 / Pt in the source's figure 2b: R_off / R_on = 160, 10 nm, 1e-10 cm^2/V/s. "
        "No window. The start is chosen here.",
    ),
    "tio2-joglekar": IonDrift(
        r_on=1e3,
        r_off=100e3,
        mobility=1e-14,
        depth=10e-9,
        window=Joglekar(p=1.0),
        start=(100e3 - 80e3) / (100e3 - 1e3),
        doi="https://www.radioeng.cz/fulltexts/2009/09_02_210_214.pdf",
        note="Defaults of the SPICE model of Biolek et al. (Radioengineering 18 (2009) 210), 80 "
        "kohm at the start.",
    ),
    "vteam-1k-300k": Vteam(
        r_on=1e3,
        r_off=300e3,
        w_on=0.0,
        w_off=3e-9,
        k_on=-216.2,
        k_off=0.091,
        v_on=-1.5,
        v_off=0.3,
        alpha_on=4.0,
        alpha_off=4.0,
        doi="10.1109/TNANO.2016.2570248",
        note="Numbers used for logic in memory, as the source and circuit simulators after it have "
        "them. No window, linear form.",
    ),
    "vteam-50-1k": Vteam(
        r_on=50.0,
        r_off=1e3,
        w_on=0.0,
        w_off=3e-9,
        k_on=-10.0,
        k_off=5e-4,
        v_on=-0.2,
        v_off=0.02,
        alpha_on=3.0,
        alpha_off=1.0,
        doi="10.1016/j.neucom.2022.02.043",
        note="Defaults of the source's simulator for neural networks. No window, linear form.",
    ),
    "stanford-pku": StanfordPku(
        gap_min=0.2e-9,
        gap_max=1.7e-9,
        current_scale=1e-3,
        gap_scale=0.25e-9,
        voltage_scale=0.25,
        velocity=10.0,
        activation=0.6,
        hop=0.25e-9,
        thickness=12e-9,
        gamma_set=16.0,
        gamma_reset=16.0,
        beta_set=0.8,
        beta_reset=0.8,
        alpha=3.0,
        field_min=1.4e9,
        ambient=298.0,
        thermal_resistance=2.1e3,
        noise=0.02,
        noise_temperature=450.0,
        noise_smoothing=500.0,
        noise_interval=1e-9,
        doi="10.4231/D37H1DN48",
        note="Defaults of the Verilog-A code, version 1.0.0, noise as in its dynamic mode; the "
        "interval is its bound on a time step. Its manual has gap_max = 1.8 nm.",
    ),
    "jart-vcm-v1b": JartVcm(
        n_min=0.008,
        n_max=20.0,
        n_plug=20.0,
        radius=45e-9,
        nominal_radius=45e-9,
        disc_length=0.4e-9,
        cell_length=3e-9,
        mobility=4e-6,
        barrier=0.18,
        band_offset=0.1,
        permittivity=17.0,
        image_permittivity=5.5,
        hop=0.25e-9,
        attempts=2e13,
        activation=1.35,
        ambient=293.0,
        thermal_resistance=15.72e6,
        reset_heating=0.27,
        oxide_resistance=650.0,
        line_resistance=719.2437,
        line_coefficient=3.92e-3,
        line_thermal_resistance=90471.47,
        read_voltage=0.2,
        variations=(
            _within("n_min", 0.25, 0.5),
            _within("n_max", 0.05, 0.1),
            _within("radius", 0.11, 0.1),
            _within("disc_length", 0.1, 0.1),
        ),
        doi="10.1109/TCSI.2020.3018502",
        note="Pt / HfO2 / TiOx / Ti of 10.1063/1.5108654: parameters of the Verilog-A code of the "
        "source, 10.26165/JUELICH-DATA/FERGKU. Radius, length and n_max vary between devices "
        "within 10 %, as 10.1109/SMACD58065.2023.10192107 takes from it; standard deviations are "
        "those that users of the code draw with. Chosen here: n_min within 50 %, reads at 0.2 V. "
        "The source's spread from cycle to cycle is left out.",
    ),
    "tiox-hfox-1.7nm": _bilayer(1.7e-9, (0.16e-9, 1.21e-9), (16.8, 20.1), (1.1, 12.6)),
    "tiox-hfox-2.1nm": _bilayer(2.1e-9, (0.20e-9, 1.15e-9), (17.8, 21.3), (1.2, 14.5)),
    "tiox-hfox-3.3nm": _bilayer(3.3e-9, (0.34e-9, 1.09e-9), (20.8, 24.9), (4.8, 19.0)),
}


@checked
def get(name: str) -> IonDrift | Vteam | StanfordPku | JartVcm:
    """The model of a name.

    Raises:
        ValueError: the name is unknown; the message suggests the nearest.
    """
    if name not in MODELS:
        raise unknown("dynamic model", name, MODELS)
    return MODELS[name]
