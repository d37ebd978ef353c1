"""What users hand in by mistake: taken where the meaning is plain, else refused in one sentence.

Every argument of every public function, class and method, and every field of every record, is given
something of every other kind; below that stand mistakes one by one, with the words that help.
"""

import copy
import importlib
import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mho
from builders.public_calls import CALLS, FIELDS, RECORDS
from builders.wrong_values import CELL, HARDWARE, VALUES, X, Y, chip, model
from mho.config import Config
from mho.errors import Failed, InvalidInput, NotReady

MODULES = (
    *("mho", "mho.cells", "mho.circuits", "mho.data", "mho.devices", "mho.dynamics", "mho.fit"),
    *(
        "mho.hardware",
        "mho.instruments",
        "mho.interchange",
        "mho.nn",
        "mho.prices",
        "mho.rules",
        "mho.sweep",
    ),
    "mho.tasks",
)
NOT_CALLED = (
    *(
        "Batches",
        "Dataset",
        "Samples",
        "Source",
        "Cost",
        "Ledger",
        "LayerLedger",
        "TrainingAccount",
    ),
    *(
        "OperatingPoint",
        "Fit",
        "FreeRun",
        "Goodness",
        "Parameter",
        "Picture",
        "Rival",
        "Series",
        "Table",
    ),
    *("Plan", "PointRecord", "Records"),
    *("Update", "Synapses"),  # given back, or handed to a rule
    *("Crossbar", "Mapping", "Tiling", "Dense", "ArrayLayer", "GeneratorNoise"),
    *("Convolution", "TransposedConvolution"),
)
"""What mho makes and gives back, and the parts of a chip that it makes of checked settings."""

TORCHS_OWN = {"load_state_dict of a network": "Expected state_dict to be dict-like"}
"""Methods of torch, which refuse an argument before anything of mho is asked."""

NO_DATA = ("a tensor without numbers", "a sparse tensor")
"""What modules without weights on arrays pass on to torch, which may have an answer or none."""

PARTS = {
    "hardware": "Hardware|Cell|Preset", "trained_on": "Hardware", "preset": "Preset",
    "loader": "labels|input", "inputs": "input|targets|label|gradient",
    "data": "field|Hardware|IDX|dataset",
    "changes": "field|Hardware", "text": "field|Hardware|csv|TOML", "path": "file|config|sweep",
    "wire_resistance": "Wires", "wires": "Wires", "limits": "Limits", "conduction": "family",
    "net": "chips|Hardware|input", "model": "chips", "name": "unknown|known",
    "prices": "price list|Prices", "threshold": "layer", "split": "unknown",
    "dataset": "unknown|data",
    "file": "unknown", "datasets": "dataset", "kind": "unknown", "v": "g", "g": "v|on",
    "state": "field|family|names|layer|entries", "volts": "read", "targets": "target|cells",
    "counts": "cells", "factor": "full_scale", "first": "read", "times": "volts", "host": "address",
    "port": "address",
    "label": "IDX", "cells": "cell", "table": "file|csv", "x": "input", "w": "input",
    "state_dict": "crossbar|weight|_extra_state", "v_read": "csv", "levels": "csv",
    "family": "csv", "groups": "classes", "method": "family", "source": "Source",
    "out": "engine", "settings": "engine", "told": "plan", "experiment": "unknown",
    "single": "field|setting",
    "device_file": "file|preset|device", "config": "file|config", "zips": "zip|field|axis|axes",
    "grid": "field|axis|axes", "waveform": "family", "train": "trains|family", "noise": "noise",
}  # fmt: skip
"""Other words by which a sentence names an argument: its parts, or what it is made of."""


@contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def remembered(*things: Any) -> list[Any]:
    """All state of networks, write steps, generators and of random numbers."""
    found: list[Any] = [torch.get_rng_state()]
    for thing in things:
        if isinstance(thing, nn.Module):
            found += [thing.state_dict(), [m.training for m in thing.modules()]]
        elif isinstance(thing, torch.Generator):
            found.append(thing.get_state())
        elif hasattr(thing, "state_dict") and not isinstance(thing, type):
            found.append(thing.state_dict())
    return _plain(found)


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape), value.detach().contiguous().view(-1).numpy().tobytes()
    if isinstance(value, dict):
        return [(key, _plain(each)) for key, each in value.items()]
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


MADE: dict[str, Any] = {}
"""Wrong values that have been refused so far, and so are as they were made."""


def names_it(sentence: str, argument: str) -> bool:
    parts = f"unknown field of|the field is missing|{PARTS.get(argument, argument)}"
    return bool(re.search(f"{argument}|{parts}", sentence))


@pytest.mark.parametrize("name", CALLS)
def test_the_arguments_of_these_calls_are_taken(name: str) -> None:
    called, arguments = CALLS[name]()
    with quiet():
        try:
            called(**arguments)
        except (InvalidInput, mho.circuits.SpiceError) as error:
            if not re.search(r"nowhere|not a deck|ngspice", str(error)):
                raise


@pytest.mark.parametrize(
    ("name", "argument"),
    [(name, argument) for name in CALLS | FIELDS for argument in (CALLS | FIELDS)[name]()[1]],
)
def test_another_kind_is_taken_or_refused_in_one_sentence(name: str, argument: str) -> None:
    make = (CALLS | FIELDS)[name]
    called, arguments = make()
    states = [*arguments.values(), *(getattr(called, n, None) for n in ("__self__", "module"))]
    before = remembered(*states)
    refusals: dict[str, str] = {}
    marked = []
    for what, value in VALUES.items():
        with torch.random.fork_rng():
            wrong = MADE.pop(what) if what in MADE else value()
        try:
            with quiet():
                called(**(arguments | {argument: wrong}))
        except (InvalidInput, Failed, NotReady) as error:
            refusals[what] = str(error) if isinstance(error, InvalidInput) else argument
            marked += [what] if remembered(*states) != before else []
            if what != "an iterator":
                MADE[what] = wrong
            continue
        except Exception as error:
            own = str(error).startswith(TORCHS_OWN.get(name, "\n"))
            if not own and not (name.endswith(".forward") and what in NO_DATA):
                raise AssertionError(f"{argument} = {what}: {error!r}") from error
            refusals[what] = f"{argument}"
        called, arguments = make()
        states = [*arguments.values(), *(getattr(called, n, None) for n in ("__self__", "module"))]
        before = remembered(*states)
    assert not marked, "refused calls changed something"
    for what, sentence in refusals.items():
        assert "\n" not in sentence, f"{what}: {sentence}"
        assert len(sentence) < 700, f"{what}: {sentence}"
        assert names_it(sentence, argument), f"{what}: {sentence}"
    assert len(refusals) > len(VALUES) // 3, "what is wrong is taken"


def public() -> dict[str, Any]:
    """Public functions and classes by name."""
    found = {}
    for module in map(importlib.import_module, MODULES):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                found[f"{module.__name__}.{name}"] = value
    return found


def test_every_public_function_and_class_is_called_here() -> None:
    called = {inspect.unwrap(make()[0]) for make in CALLS.values()}
    called |= {type(record) for record in RECORDS}
    called |= {mho.nn.Coverage, mho.hardware.Share}  # given back
    called |= {mho.nn.Sign, inspect.unwrap(mho.dynamics.pulse_train)}
    called |= {mho.instruments.InstrumentServer, inspect.unwrap(mho.instruments.release)}
    left = {}
    for name, value in public().items():
        given_back = inspect.isclass(value) and (
            issubclass(value, tuple | Exception)  # named tuples
            or inspect.isabstract(value)
            or getattr(value, "_is_protocol", False)
        )
        given_back |= name.rpartition(".")[2] in NOT_CALLED
        if not given_back and inspect.unwrap(value) not in called:
            left[name] = value
    assert not left


WRONG: list[tuple[str, Callable[[], Any], str]] = [
    (
        "a cell for hardware",
        lambda: mho.convert(model(), CELL),
        "hardware = a MultiLevel: expected a mho.Hardware, such as mho.Hardware",
    ),
    (
        "a name for hardware",
        lambda: mho.convert(model(), "hfo2-1t1r"),
        "hardware = 'hfo2-1t1r': expected a mho.Hardware",
    ),
    (
        "the class for hardware",
        lambda: mho.convert(model(), mho.Hardware),
        "hardware = the class Hardware",
    ),
    (
        "the class of a network",
        lambda: mho.convert(nn.Linear, HARDWARE),
        "model = the class Linear: expected a torch network",
    ),
    (
        "a network converted twice",
        lambda: mho.convert(chip(), HARDWARE),
        "model = a Sequential: expected a network that is not converted yet",
    ),
    (
        "a network without layers",
        lambda: mho.convert(nn.ReLU(), HARDWARE),
        "model = a ReLU: expected a network with at least one nn.Linear, nn.Conv2d",
    ),
    (
        "hardware by a function that takes nothing",
        lambda: mho.convert(model(), lambda: HARDWARE),
        "hardware = a function: expected a mho.Hardware",
    ),
    (
        "hardware that leaves nothing",
        lambda: mho.convert(model(), lambda n, m: None),
        "hardware = a function: expected one that puts at least one layer on arrays, such as '0'",
    ),
    (
        "hardware for a layer that is not there",
        lambda: mho.convert(model(), {"1": HARDWARE}),
        "hardware, key = '1': expected names of its layers, such as '0', or patterns such as '*'",
    ),
    (
        "hardware for some layers",
        lambda: mho.convert(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), {"1": HARDWARE}),
        "hardware, in which no key matches layer '0', = a dict of 1: expected one with '*'",
    ),
    (
        "hardware by a function that returns something else",
        lambda: mho.convert(model(), lambda n, m: True),
        "hardware('0', layer) = True: expected a mho.Hardware, or None",
    ),
    (
        "no chips",
        lambda: mho.convert(model(), HARDWARE, 0),
        "chips = 0: expected a whole number in",
    ),
    (
        "chips without end",
        lambda: mho.convert(model(), HARDWARE, 10**12),
        "chips = 1000000000000: expected a whole number in",
    ),
    (
        "hardware for a cell",
        lambda: mho.Hardware(device=HARDWARE),
        "Hardware.device = a Hardware: expected a cell, a preset, or its name",
    ),
    (
        "the class of a cell",
        lambda: mho.Hardware(device=mho.cells.MultiLevel),
        "Hardware.device = the class MultiLevel",
    ),
    (
        "a device that is not known",
        lambda: mho.Hardware(device="hfo2"),
        "unknown device 'hfo2': did you mean",
    ),
    (
        "three numbers for a tile",
        lambda: HARDWARE.replace(tile=(1, 2, 3)),
        "tile = (1, 2, 3): expected one number for both, or a list of two",
    ),
    (
        "a text for a tile",
        lambda: HARDWARE.replace(tile="128"),
        "tile = '128': expected one number for both, or a list of two, each a whole number",
    ),
    ("half a cell", lambda: HARDWARE.replace(tile=0.5), "tile"),
    (
        "a field that is none",
        lambda: HARDWARE.replace(tiles=3),
        "unknown field of Hardware 'tiles': did you mean 'tile'?",
    ),
    ("a table for a record", lambda: mho.Hardware.from_dict([1]), "data = [1]: expected a dict"),
    (
        "a data set that is not known",
        lambda: mho.data.load("m", "test"),
        "unknown dataset 'm': expected one of cifar10, fashion-mnist, mnist",
    ),
    (
        "data sets for one",
        lambda: mho.data.load(["mnist"], "test"),
        "data = ['mnist']: expected a text or the path of a file or a Dataset",
    ),
    (
        "a text for a list of texts",
        lambda: mho.data.sequential("mnist"),
        "datasets = 'mnist': expected a list, each a text",
    ),
    ("a cell's name for a preset's file", lambda: mho.devices.read("pcm-gst"), "pcm-gst"),
    (
        "inputs alone",
        lambda: mho.evaluate(chip(), X),
        "loader = a float32 tensor (8, 12): expected batches",
    ),
    (
        "a loader of nothing",
        lambda: mho.evaluate(chip(), VALUES["a loader of nothing"]()),
        "loader = 'no batch': expected at least one labelled batch",
    ),
    ("empty batches", lambda: mho.evaluate(chip(), [(X[:0], Y[:0])]), "loader = 'empty batches'"),
    (
        "batches of three",
        lambda: mho.evaluate(chip(), [(X, Y, Y)]),
        "loader = 'batches of 3: Tensor, Tensor, Tensor'",
    ),
    ("batches of dicts", lambda: mho.evaluate(chip(), [{"x": X}]), "loader = 'batches of dict'"),
    (
        "labels beyond the classes",
        lambda: mho.evaluate(chip(), [(X, Y + 1)]),
        "labels = '1 to 4': expected 0 to 3, the outputs of the network; give labels - 1",
    ),
    (
        "labels that are no whole numbers",
        lambda: mho.evaluate(chip(), [(X, Y + 0.5)]),
        "labels = [0.5, 1.5, 2.5]: expected whole numbers from 0",
    ),
    (
        "one-hot labels",
        lambda: mho.evaluate(chip(), [(X, nn.functional.one_hot(Y))]),
        "of one-hot labels give labels.argmax(1)",
    ),
    (
        "inputs that are too wide",
        lambda: mho.evaluate(chip(), [(torch.ones(8, 13), Y)]),
        "0 input, of shape = (8, 13): expected (..., 12)",
    ),
    (
        "a plain network, wrong width",
        lambda: mho.evaluate(model(), [(torch.ones(8, 13), Y)]),
        "loader = a float32 tensor (8, 13): expected inputs that the network takes",
    ),
    (
        "a layer for its crossbar",
        lambda: mho.evaluate(VALUES["its crossbar"](), [(X, Y)]),
        "loader = a float32 tensor (8, 12): expected inputs that the network takes",
    ),
    (
        "a network for a layer",
        lambda: mho.nn.netlist_of(chip(), X[0]),
        "layer = a Sequential: expected a memristive layer",
    ),
    (
        "an optimizer for a network",
        lambda: mho.WriteStep(VALUES["an optimizer"]()),
        "WriteStep.net = a SGD: expected a torch network",
    ),
    (
        "the class of a rule",
        lambda: mho.WriteStep(chip(), rules=[mho.rules.Accumulate]),
        "WriteStep.rules[0] = the class Accumulate",
    ),
    (
        "a rule without a list",
        lambda: mho.WriteStep(chip(), rules=mho.rules.Accumulate()),
        "WriteStep.rules = an Accumulate: expected a list",
    ),
    (
        "a network for an optimizer",
        lambda: mho.WriteStep(chip()).attach(chip()),
        "optimizer = a Sequential: expected a torch optimizer",
    ),
    (
        "another network's optimizer",
        lambda: mho.WriteStep(chip()).attach(VALUES["an optimizer"]()),
        "optimizer = a SGD: expected one with the weight of a memristive layer",
    ),
    (
        "a network for a ledger",
        lambda: mho.price(chip(), "hfo2-130nm"),
        "ledger = a Sequential: expected a ledger, mho.ledger(net)",
    ),
    (
        "a price list that is not known",
        lambda: mho.price(mho.ledger(chip()), "hfo2"),
        "unknown price list 'hfo2': did you mean 'hfo2-130nm'?",
    ),
    (
        "a negative time",
        lambda: mho.age(chip(), -1.0),
        "seconds = -1.0: expected a finite number in [0, inf)",
    ),
    (
        "a unit that is none",
        lambda: mho.age(chip(), "3 parsec"),
        "seconds = '3 parsec': expected seconds, or a number and one of",
    ),
    (
        "one column for all",
        lambda: mho.tune(chip(2), X, per="row"),
        "per = 'row': expected 'layer' or 'column'",
    ),
    (
        "a plain network as reference",
        lambda: mho.tune(chip(2), X, reference=model()),
        "tune.reference = a Sequential: expected a copy of the network",
    ),
    ("one bit", lambda: mho.fixed_point(model(), 1, X), "FixedPoint.bits = 1: expected 2 to 32"),
    (
        "labels of 64 bits as numbers",
        lambda: mho.refit(VALUES["a network on chips"](), X, Y),
        "net = a Sequential: expected a network that contains a digital nn.Linear",
    ),
    (
        "a stride of 0",
        lambda: mho.nn.MemristiveConv2d(1, 2, 3, stride=0, hardware=HARDWARE),
        "MemristiveConv2d.stride = 0: expected a whole number in [1, inf)",
    ),
    (
        "padding that is none",
        lambda: mho.nn.MemristiveConv2d(1, 2, 3, padding="full", hardware=HARDWARE),
        "MemristiveConv2d.padding = 'full': expected 'valid' or 'same' or",
    ),
    (
        "a tensor of whole numbers",
        lambda: mho.circuits.operating_point(
            torch.ones(3, 2, dtype=torch.complex64), torch.ones(3), 1.0, 1.0
        ),
        "g = a complex64 tensor (3, 2): expected a tensor (..., rows, cols)",
    ),
    (
        "a port as text",
        lambda: mho.instruments.RemoteInstrument("localhost", "80"),
        "RemoteInstrument.port = '80': expected a whole number",
    ),
    (
        "a whole state for a chip",
        lambda: VALUES["an instrument"]().load_state_dict({}),
        "state = {}: expected a state_dict of a SimulatedInstrument",
    ),
    ("a share of 150 %", lambda: mho.rules.SignUpdate(1.5), "SignUpdate.share = 1.5: expected"),
    (
        "a strength without end",
        lambda: mho.rules.ElasticWeights(float("inf")),
        "ElasticWeights.strength = inf: expected a finite number",
    ),
]
"""What is wrong, the call, and words of the sentence."""


@pytest.mark.parametrize(("call", "words"), [row[1:] for row in WRONG], ids=[r[0] for r in WRONG])
def test_a_mistake_is_answered_in_words_that_help(call: Callable[[], Any], words: str) -> None:
    with quiet(), pytest.raises(InvalidInput) as caught:
        call()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


PASSES: list[tuple[str, Callable[[], Any], str]] = [
    ("too wide", lambda: torch.ones(8, 13), r"input, of shape = \(.*, 13\): expected"),
    ("without dimensions", lambda: torch.ones(()), "input, of shape = "),
    (
        "whole numbers",
        lambda: torch.ones(8, 12, dtype=torch.int64),
        r"input = an int64 tensor \(.*12\): expected a tensor",
    ),
    ("bool", lambda: torch.ones(8, 12, dtype=torch.bool), "input = a bool tensor"),
    (
        "complex numbers",
        lambda: torch.ones(8, 12, dtype=torch.complex64),
        "input = a complex64 tensor",
    ),
    (
        "double precision",
        lambda: torch.ones(8, 12, dtype=torch.float64),
        r"input = a float64 tensor .*: x.to\(torch.float32\)",
    ),
    (
        "half precision",
        lambda: torch.ones(8, 12, dtype=torch.float16),
        r"input = a float16 tensor .*: x.to\(torch.float32\)",
    ),
    (
        "an array",
        lambda: np.ones((8, 12)),
        r"input = a float64 array \(8, 12\): expected a tensor; torch.as_tensor",
    ),
    ("a list", lambda: [[1.0] * 12], r"input = a? ?.*list|input = \[\["),
    ("nothing", lambda: None, "input = None: expected a tensor"),
    ("a text", lambda: "x", "input = 'x': expected a tensor"),
]
NETS: dict[str, Callable[[], nn.Module]] = {
    "one chip": chip,
    "two chips": lambda: chip(2),
    "converters": lambda: mho.calibrate(chip(hardware=HARDWARE.replace(dac_bits=6, adc_bits=6)), X),
    "noise": lambda: chip(hardware=mho.Hardware(device="hfo2-soft-bounds")),
    "tuned": lambda: mho.tune(chip(2), X),
}


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize(("make", "words"), [row[1:] for row in PASSES], ids=[r[0] for r in PASSES])
def test_a_forward_pass_says_what_inputs_it_takes(
    kind: str, make: Callable[[], Any], words: str
) -> None:
    with quiet():
        net = NETS[kind]()
    before = remembered(net)
    with pytest.raises(InvalidInput, match=words) as caught:
        net(make())
    assert "\n" not in str(caught.value)
    assert remembered(net) == before


@pytest.mark.parametrize("kind", NETS)
def test_an_empty_batch_gives_an_empty_output(kind: str) -> None:
    with quiet():
        net = NETS[kind]()
    assert net(X[:0]).shape == (*((2,) if kind in ("two chips", "tuned") else ()), 0, 4)


STATES: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "of more chips": (
        lambda: chip(2).state_dict(), "those of this network, on as many chips; 0.weight is not",
    ),
    "of no network": (dict, "state_dict = 'no entries'"),
    "of other hardware": (
        lambda: chip(hardware=mho.Hardware(device="pcm-gst")).state_dict(), "device",
    ),
    "of a wider network": (
        lambda: mho.convert(nn.Sequential(nn.Linear(13, 4)), HARDWARE).state_dict(),
        r"weight.*\(4, 13\)|13",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", STATES)
def test_a_state_of_another_network_is_refused(kind: str) -> None:
    make, words = STATES[kind]
    with quiet():
        state = copy.deepcopy(make())
    net = chip()
    before = remembered(net)
    with quiet(), pytest.raises(InvalidInput, match=words):
        net.load_state_dict(state)
    assert remembered(net) == before


@pytest.mark.parametrize("name", [n for n in CALLS if "forward" not in n and "." not in n])
def test_missing_and_unknown_arguments_are_pythons_own_errors(name: str) -> None:
    called, arguments = CALLS[name]()
    if inspect.unwrap(called) is called and not inspect.isclass(called):
        pytest.skip("takes what it is given")
    with pytest.raises((TypeError, InvalidInput), match=r"'oops'"):
        called(**arguments, oops=1)


def test_a_record_is_not_changed_by_what_it_refuses() -> None:
    for record in RECORDS:
        assert isinstance(record, Config)
        with pytest.raises(InvalidInput, match=r"unknown field of .* 'oops'"):
            record.replace(oops=1)
