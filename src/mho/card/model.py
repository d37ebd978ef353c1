"""The card of a dynamic model: a hysteresis loop, and the conductance under pulses."""

from __future__ import annotations

import numpy as np
import torch

from mho.card.numbers import NOT_GIVEN, text
from mho.physics.dynamics import (
    Adaptive,
    DynamicModel,
    PulseTrain,
    Sine,
    Trace,
    pulse_train,
    transient,
)
from mho.results.card import Card, Curve, Panel
from mho.results.units import quantity

ROUGH = Adaptive(tolerance=1e-3)
"""Steps for a picture."""
SLOWEST = 1e-3
"""Lowest frequency that is tried [Hz]."""
PUSH = 0.8
"""Amplitude of pulses over that of the loop."""
PULSES = 30
"""SET pulses that a card shows, and as many RESET pulses."""


def of_model(name: str, model: DynamicModel) -> Card:
    """The card of the median device, driven so that it switches; the drive is chosen here."""
    peak = model.set_voltage
    hertz, loop = _loop(model, peak)
    given = model.interval is not None
    still = "not given: at 0 V " + ("only noise moves the state" if given else "nothing moves")
    return Card(
        name=name,
        levels=Panel("Programmed conductance", missing="not given: the state is continuous"),
        response=_response(model, peak, hertz),
        current=Panel(
            "I-V", "V [V]", "I [A]", [Curve(loop.v.numpy(), loop.i.numpy())],
            remark=f"sine of {quantity(abs(peak), 'V')}, {quantity(hertz, 'Hz')}, second period",
        ),
        retention=Panel("Retention", missing=still),
        noise=Panel("Read noise"),
        numbers=[
            ("model", model.family),
            *((entry.name, text(entry)) for entry in model.datasheet()),
            ("endurance", NOT_GIVEN),
            ("DOI", model.doi or NOT_GIVEN),
        ],
        note=model.note,
    )  # fmt: skip


def _loop(model: DynamicModel, peak: float) -> tuple[float, Trace]:
    """The highest power of ten as a frequency at which the second period moves the state through
    half of its range; and that period. In the first, a device may only SET."""
    off, on = model.ends({})
    hertz, swing = 1e10, 0.0
    while swing < 0.5 and hertz > SLOWEST:
        hertz /= 10
        swing = _swing(_second(model, peak, hertz, 20)) / abs(on - off)
    return hertz, _second(model, peak, hertz, 200)


def _second(model: DynamicModel, peak: float, hertz: float, samples: int) -> Trace:
    """The second period of a sine."""
    wave = Sine(amplitude=peak, frequency=hertz, cycles=2)
    times = torch.linspace(1 / hertz, 2 / hertz, samples + 1, dtype=torch.float64)
    return transient(model, wave, samples=times, method=ROUGH)


def _swing(trace: Trace) -> float:
    return (trace.state.max() - trace.state.min()).item()


def _response(model: DynamicModel, peak: float, hertz: float) -> Panel:
    """Equal SET pulses, then equal RESET pulses, each just long enough to switch in all."""
    off, on = model.ends({})
    state = torch.tensor(off + 0.05 * (on - off), dtype=torch.float64)
    curves, told = [], []
    for label, volts in (("SET", PUSH * peak), ("RESET", -PUSH * peak)):
        width = _width(model, volts, state, 1e-2 / hertz)
        train = PulseTrain(
            amplitude=volts, width=width, rise=width / 10, rest=width / 10, count=PULSES
        )
        curve = pulse_train(model, train, state=state, method=ROUGH)
        state = curve.state
        n = np.arange(PULSES + 1) + PULSES * len(curves)
        curves.append(Curve(n, curve.g.numpy(), label))
        told.append(f"{label} {quantity(volts, 'V')}, {quantity(width, 's')}")
    remark = "median device; " + "; ".join(told)
    return Panel("Pulse response", "pulses", "G [S]", curves, remark=remark)


def _width(model: DynamicModel, volts: float, state: torch.Tensor, shortest: float) -> float:
    """The shortest, in steps of half a decade, of which `PULSES` move the state by half of its
    range; the longest that is tried where none does [s]."""
    off, on = model.ends({})
    whole = shortest
    for _ in range(12):
        pulse = PulseTrain(amplitude=volts, width=whole, rise=whole / 100, rest=whole / 100)
        end = transient(model, pulse, samples=1, state=state, method=ROUGH).state[..., -1]
        if abs((end - state).item()) > 0.5 * abs(on - off):
            break
        whole *= 10**0.5
    return whole / PULSES
