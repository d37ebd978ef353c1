"""Transients of many devices: cost of a device-step, and accuracy for it, adaptive against fixed.

The floor of a step: the plain torch work of its equations, three rates and the sums of the
Runge-Kutta step, written out for this one model at a constant voltage, on tensors of that shape.
What ours adds: the waveform, which an adaptive step evaluates device by device, stops, traits by
name, the error and who goes on how. Processor time of one thread, medians of rounds in turn.
Run: python benchmarks/transient.py [--devices 1000 10000 100000] [--rounds 5]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import Tensor

from mho.physics import dynamics
from mho.physics.dynamics import Adaptive, DynamicModel, Fixed, Sine, Triangle, Waveform, transient
from timing import in_turn, seconds

STEPS, SAMPLES = 100, 4
HP = dynamics.get("tio2-hp")


def traits(count: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """Two parameters that spread, as of any chip."""
    spread = 1 + 0.05 * torch.randn(2, count, dtype=dtype)
    return {"r_off": HP.r_off * spread[0], "mobility": HP.mobility * spread[1]}


def plain(own: dict[str, Tensor], steps: int) -> Callable[[], None]:
    """`steps` steps of linear ion drift, nothing around them."""
    r_off, mobility = own["r_off"], own["mobility"]
    v, h = 1.0, 0.5 / steps

    def rate(x: Tensor) -> Tensor:
        return mobility * HP.r_on / HP.depth**2 * (v / (r_off - (r_off - HP.r_on) * x))

    def run() -> None:
        x = torch.full_like(r_off, HP.start)
        k1 = rate(x)
        for _ in range(steps):
            k2 = rate(x + 0.5 * h * k1)
            k3 = rate(x + 0.75 * h * k2)
            x = (x + h * (2 * k1 + 3 * k2 + 4 * k3) / 9).clamp(0.0, 1.0)
            k1 = rate(x)

    return run


def per_step(counts: list[int], rounds: int) -> None:
    """Table: cost of a step of a device, few of which are kept."""
    wave = Sine(amplitude=3.0, frequency=2.0)
    head = f"{'devices':>8}{'':>9}{'floor [ns]':>12}{'fixed [ns]':>12}{'ratio':>7}"
    print(head + f"{'adaptive [ns]':>15}{'ratio':>7}   per device and step")
    for count in counts:
        for dtype in (torch.float64, torch.float32):
            own = traits(count, dtype)
            row = f"{count:8}{str(dtype)[6:]:>9}"
            for method in (Fixed(substeps=STEPS // SAMPLES), Adaptive(tolerance=1e-6)):

                def ours(own: dict[str, Tensor] = own, method: Fixed | Adaptive = method) -> Tensor:
                    return transient(HP, wave, samples=SAMPLES, traits=own, method=method).steps

                taken = int(ours().sum())
                base, cost, _ = in_turn(plain(own, STEPS), ours, rounds)
                floor, cost = 1e9 * base / count / STEPS, 1e9 * cost / taken
                row += (
                    f"{floor:12.1f}{cost:12.1f}" if isinstance(method, Fixed) else f"{cost:15.1f}"
                )
                row += f"{cost / floor:7.1f}"
            print(row, flush=True)


def for_an_error(count: int) -> None:
    """Table: error and cost of both methods, on a soft and on a hard case."""
    soft = (HP, Sine(amplitude=4.0, frequency=2.0), (1, 2, 4, 8))
    hard = (
        dynamics.get("tiox-hfox-1.7nm"),
        Triangle(amplitude=1.3, frequency=1e4),
        (1, 10, 100, 1000),
    )
    for name, (model, wave, substeps) in {"linear drift": soft, "TiOx/HfOx": hard}.items():
        drive = {"drive": torch.linspace(0.95, 1.05, count, dtype=torch.float64)}
        off, on = model.ends({})

        def states(
            method: Adaptive | Fixed,
            model: DynamicModel = model,
            wave: Waveform = wave,
            drive: dict[str, Tensor] = drive,
        ) -> tuple[Tensor, float]:
            trace = transient(model, wave, samples=20, traits=drive, method=method)
            return trace.state, trace.steps.double().mean().item()

        truth, _ = states(Adaptive(tolerance=1e-10))
        print(f"\n{name}, {count} devices: largest error of the state, as a share of its range")
        print(f"{'method':>28}{'steps':>9}{'error':>10}{'time [ms]':>11}")
        methods = [Adaptive(tolerance=10.0**-k) for k in (3, 4, 5, 6, 7)]
        for method in [*methods, *(Fixed(substeps=k) for k in substeps)]:
            spent = min(seconds(lambda m=method: states(m)) for _ in range(2))
            x, steps = states(method)
            error = ((x - truth).abs().max() / abs(on - off)).item()
            label = (
                f"adaptive, tolerance {method.tolerance:.0e}"
                if isinstance(method, Adaptive)
                else f"fixed, {method.substeps} between samples"
            )
            print(f"{label:>28}{steps:9.0f}{error:10.1e}{1e3 * spent:11.1f}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    per_step(options.devices, options.rounds)
    for_an_error(100)


if __name__ == "__main__":
    main()
