"""Refusals: one sentence with the field, the value and what is allowed, or the nearest name."""

import ast
import copy
import itertools
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mho
from mho.errors import NotConverged, invalid, shown, unknown


def test_a_value_outside_its_range_names_all_three() -> None:
    error = invalid("A.b", -1.0, "[0, inf)")
    assert isinstance(error, ValueError)
    assert str(error) == "A.b = -1.0: expected [0, inf)"


def test_the_nearest_name_is_suggested_where_one_is_near() -> None:
    assert str(unknown("task", "mnits", ["mnist", "cifar"])) == (
        "unknown task 'mnits': did you mean 'mnist'? Expected one of cifar, mnist"
    )
    assert str(unknown("task", "zzz", ["mnist"])) == "unknown task 'zzz': expected mnist"


def test_what_did_not_converge_says_how_far_it_came() -> None:
    error = NotConverged(residual=1e-3, tolerance=1e-9, failed=2, samples=5, iterations=30)
    assert (error.residual, error.tolerance) == (1e-3, 1e-9)
    assert (error.failed, error.samples, error.iterations) == (2, 5, 30)
    assert "residual 0.001, tolerance 1e-09, in 2 of 5 samples after 30 iterations" in str(error)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1.0, "-1.0"),
        ("two\nlines", r"'two\nlines'"),
        ("m" * 5000, f"'{'m' * 200}'... (5000 characters)"),
        (10**5000, "a whole number of 16610 bits"),
        (-(10**30), "-a whole number of 100 bits"),
        (np.float64(0.5), "0.5"),
        (np.float32(0.5), "0.5"),
        ((1, 2), "(1, 2)"),
        ([], "[]"),
        ([torch.ones(3)], "a list of 1"),
        ({"a": [1]}, "{'a': [1]}"),
        (list(range(500)), "a list of 500"),
        (Path("a.csv"), "'a.csv'"),
        (int, "the class int"),
        (math, "the module math"),
        (object(), "an object"),
        (torch.ones(3, 2), "a float32 tensor (3, 2)"),
        (np.ones(3), "a float64 array (3,)"),
        (print, "a builtin_function_or_method"),
    ],
    ids=itertools.count(),
)
def test_a_value_is_shown_in_one_line(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_value_that_holds_itself_is_shown() -> None:
    value: list[object] = [1]
    value.append(value)
    assert shown(value) == "a list of 2"


# ---------------------------------------------------------------- warnings

HARDWARE = mho.Hardware(device=mho.cells.MultiLevel(g_min=10e-6, g_max=90e-6, levels=9))
BITS = {"dac_bits": 8, "adc_bits": 8}
X, Y = torch.linspace(-1, 1, 60).view(20, 3), torch.arange(20) % 2


class Branching(nn.Module):
    """Runs chip by chip, for it looks at a number that it computes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        return y if float(y.detach().sum()) > 0 else -y


class Scaled(nn.Module):
    """Has a matrix of its own, which stays digital."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.eye(3))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.mix


def chain(**options: object) -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    return mho.convert(model, HARDWARE.replace(**options), 2)


def saturating(**options: object) -> nn.Module:
    return mho.calibrate(chain(**BITS, **options), 0.1 * X)


def outgrown() -> nn.Module:
    net = chain(full_scale=2.0)
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(5.0)
    return net


def by_hand(net: nn.Module, repair: Callable[[nn.Module], object] | None = None) -> object:
    return mho.evaluate_over_time(net, [(X, Y)], [0, 10.0, "1 day"], repair)


VERIFIED = {"device": "pcm-gst", "programming": mho.cells.Verify()}

OF_NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], object], int]] = {
    "evaluate": (saturating, lambda net: mho.evaluate(net, [(X, Y)]), 4),
    "confusion": (saturating, lambda net: mho.confusion(net, [(X, Y)]), 4),
    "over time": (lambda: saturating(device="pcm-gst"), by_hand, 4),
    "over time, repaired": (
        lambda: saturating(device="pcm-gst"),
        lambda net: by_hand(net, lambda aged: mho.tune(aged, X, reference=net)),
        4,
    ),
    "over time, nothing ages": (chain, by_hand, 1),
    "age": (chain, lambda net: mho.age(net, 5.0), 1),
    "outgrown": (outgrown, lambda net: mho.write(net), 2),
    "WriteStep": (outgrown, lambda net: mho.WriteStep(net)(), 2),
    "chip by chip": (
        lambda: mho.convert(Branching(), HARDWARE, 2), lambda net: net(X), 1,
    ),
    "chip by chip, evaluated": (
        lambda: mho.convert(Branching(), HARDWARE, 2),
        lambda net: mho.evaluate(net, [(X, Y)]), 1,
    ),
    "chip by chip, over time": (
        lambda: mho.convert(Branching(), mho.Hardware(device="pcm-gst"), 2), by_hand, 1,
    ),
}  # fmt: skip
"""A network, a call that warns of it, and of how many things."""


def twice_verified() -> mho.Hardware:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mho.Hardware(**VERIFIED)  # type: ignore[arg-type]


def sparse() -> nn.Module:
    layer = nn.Linear(3, 8)
    with torch.no_grad():
        layer.weight[:4] = 0
    return nn.Sequential(layer, nn.Linear(8, 2))


def zeroed() -> nn.Module:
    net = chain(weight_levels=2)
    with torch.no_grad():
        next(net.parameters()).zero_()
    return net


def far_above() -> object:
    net = chain()
    cells = mho.conductances(net)
    cells["net.0"][0, 0, 0, 0] = 1.0
    return mho.load_conductances(net, cells)


TOLD = twice_verified()

OF_CALLS: dict[str, Callable[[], object]] = {
    "Hardware": lambda: mho.Hardware(**VERIFIED),  # type: ignore[arg-type]
    "Hardware.replace": lambda: HARDWARE.replace(**VERIFIED),
    "Hardware.from_toml": lambda: mho.Hardware.from_toml(TOLD.to_toml()),
    "convert": lambda: mho.convert(nn.Sequential(nn.Linear(3, 3), Scaled()), HARDWARE),
    "convert, zeros": lambda: mho.convert(sparse(), HARDWARE.replace(weight_levels=2)),
    "restart": lambda: mho.restart(zeroed()),
    "load_conductances": far_above,
    "SimulatedInstrument": lambda: mho.instruments.SimulatedInstrument(
        mho.Hardware(device="pcm-gst")
    ),
}
"""Calls that warn."""


def heard(call: Callable[[], object]) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        call()
    return said


@pytest.mark.parametrize("name", OF_NETWORKS)
def test_a_network_is_warned_of_once_at_the_users_line(name: str) -> None:
    make, call, things = OF_NETWORKS[name]
    torch.manual_seed(0)
    net = make()
    twin = copy.deepcopy(net)
    said = heard(lambda: call(net))
    assert 0 < len({str(each.message) for each in said}) == len(said) <= things
    assert {each.filename for each in said} <= {__file__}
    assert not heard(lambda: call(net))
    assert not heard(lambda: call(copy.deepcopy(twin)))


@pytest.mark.parametrize("name", OF_CALLS)
def test_a_call_warns_at_the_users_line(name: str) -> None:
    said = heard(OF_CALLS[name])
    assert len(said) == 1
    assert said[0].filename == __file__


def test_what_is_made_of_a_users_record_is_told_with_that_record_alone() -> None:
    assert not heard(lambda: mho.convert(sparse(), TOLD, 2))
    assert not heard(lambda: mho.noise_aware(sparse(), TOLD))
    said = heard(lambda: mho.instruments.SimulatedInstrument(TOLD))
    assert all("Hardware.programming" not in str(each.message) for each in said)


def test_nothing_else_warns() -> None:
    """One function finds the user's line."""
    package = Path(mho.__file__).parent
    for file in package.rglob("*.py"):
        calls = [
            node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)
        ]
        own = file.relative_to(package).as_posix() == "errors.py"
        assert own or not any(ast.unparse(call.func) == "warnings.warn" for call in calls), file
