"""Switching loops: voltages with spread, compliance, resistances, the law of each branch."""

import numpy as np
import pytest
import torch

from builders.measurements import csv, loop
from mho.errors import InvalidInput
from mho.fit import fit, parse
from mho.physics import Ohmic, Sinh, TwoState


def loops(seed: int, n: int = 20, forming: float | None = None, limit: float = 6e-5) -> str:
    rng = np.random.default_rng(seed)
    cycle: list[int] = []
    v: list[float] = []
    i: list[float] = []
    for k in range(n):
        at = 0.6 + 0.05 * rng.standard_normal()
        one = loop(forming if forming and k == 0 else at, -0.5 + 0.04 * rng.standard_normal(), 0.02)
        cycle += [k] * len(one[0])
        v += one[0]
        i += [min(x, limit) * (1 + 0.01 * rng.standard_normal()) for x in one[1]]
    return csv("cycle,V [V],I [A]", cycle, v, i)


def test_voltages_compliance_and_resistances_come_out() -> None:
    found = fit(parse(loops(0), "x"))
    assert found.kind == "switching"
    assert found["V_SET"].value == pytest.approx(0.6, abs=0.04)
    assert found["V_SET spread"].covers(0.05)
    assert found["V_RESET"].value == pytest.approx(-0.5, abs=0.04)
    assert found["compliance"].value == pytest.approx(6e-5, rel=0.02)
    record = found.record
    assert isinstance(record, TwoState)
    assert record.r_on.mean == pytest.approx(1e4, rel=0.01)
    assert record.r_off.mean == pytest.approx(2e5, rel=0.01)
    assert isinstance(found.further["conduction"], Ohmic)
    assert list(found.records) == ["device", "conduction"]


def test_branches_that_are_named_are_the_same_loops() -> None:
    lines = loops(1, n=1).splitlines()
    v = [float(line.split(",")[1]) for line in lines[1:]]
    turns = np.cumsum(np.diff(np.sign(np.diff([0.0, *v, 0.0]))) != 0)
    named = [lines[0]] + [f"{t},{x.partition(',')[2]}" for t, x in zip(turns, lines[1:],
                                                                        strict=True)]  # fmt: skip
    found = fit(parse("\n".join(named) + "\n", "x"))
    assert found.kind == "switching"
    assert found["V_SET"].value == pytest.approx(0.6, abs=0.15)


def test_forming_is_told_apart() -> None:
    found = fit(parse(loops(2, forming=0.95), "x"))
    assert found["V_forming"].value == pytest.approx(0.94, abs=0.03)
    assert found["V_SET"].high is not None
    assert found["V_SET"].high < 0.66


def test_the_current_at_the_read_voltage_is_that_which_was_read() -> None:
    lines = loops(3, n=3, limit=1.0).splitlines()
    rows = [[float(x) for x in line.split(",")] for line in lines[1:]]
    bent = [(int(k), v, i * 0.15 * np.sinh(v / 0.15) / v) for k, v, i in rows]
    found = fit(parse(csv("cycle,V [V],I [A]", *zip(*bent, strict=True)), "x"), v_read=0.2)
    law = found.further["conduction"]
    assert isinstance(law, Sinh)
    assert law.v0 == pytest.approx(0.15, rel=0.05)
    assert isinstance(found.record, TwoState)
    i = law.current(torch.tensor(0.2), torch.tensor(1 / found.record.r_off.mean))
    assert float(i) == pytest.approx(0.15 * np.sinh(0.2 / 0.15) / 2e5, rel=0.03)


def test_one_state_alone_is_refused_as_a_loop() -> None:
    with pytest.raises(InvalidInput, match="--kind iv"):
        fit(parse(csv("V [V],I [A]", *loop(9.0, -9.0)), "x"), "switching")


FILES = 8
"""Of sampled truths; 5 of 8 intervals of 95 % hold but in one case of 3,000."""


def test_sampled_voltages_spreads_and_resistances_come_back() -> None:
    """Loops whose SET and RESET voltages, resistances and their spread differ from file to file."""
    held: dict[str, int] = {}
    for seed in range(FILES):
        rng = np.random.default_rng(seed)
        at = {"V_SET": rng.uniform(0.45, 0.75), "V_RESET": -rng.uniform(0.35, 0.65)}
        wide = {name: rng.uniform(0.02, 0.06) for name in at}
        on, ratio, cov = 10 ** rng.uniform(3.5, 4.5), rng.uniform(10, 60), rng.uniform(0.02, 0.2)
        rows: list[tuple[int, float, float]] = []
        for k in range(20):
            switch = [at[n] + wide[n] * rng.standard_normal() for n in at]
            v, i = loop(switch[0], switch[1], 0.02)
            r = np.exp(cov * rng.standard_normal(2)) * (on, on * ratio)
            for x, y in zip(v, i, strict=True):
                state = 0 if y / x > 5e-5 else 1
                rows.append((k, x, x / r[state] * (1 + 0.005 * rng.standard_normal())))
        found = fit(parse(csv("cycle,V [V],I [A]", *zip(*rows, strict=True)), "x"), v_read=0.1)
        assert found.kind == "switching"
        truth = {**at, **{f"{n} spread": wide[n] for n in at}, "r_on.mean": on * np.exp(cov**2 / 2),
                 "r_off.mean": on * ratio * np.exp(cov**2 / 2), "r_on.cycle.cov": cov,
                 "r_off.cycle.cov": cov}  # fmt: skip
        for name, value in truth.items():
            held[name] = held.get(name, 0) + found[name].covers(value)
    assert min(held.values()) >= 5, held


@pytest.mark.parametrize("seed", range(6))
def test_a_sampled_compliance_comes_back(seed: int) -> None:
    limit = 10 ** np.random.default_rng(seed).uniform(-4.6, -4.2)
    found = fit(parse(loops(seed, limit=limit), "x"))
    assert found["compliance"].value == pytest.approx(limit, rel=0.02)
