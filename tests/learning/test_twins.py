"""Which layers are on arrays: those that compute as the kinds that can be."""

import re
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear
from torch.nn.utils import parametrizations

import mho
from builders.as_torch import EXACT, converted
from mho.learning.layers.composite import Composite
from mho.learning.twins import TWINS, TWINS_BY_NAME, twin_of, why_not
from mho.nn import MemristiveLinear

MAKE: dict[type[nn.Module], tuple[object, ...]] = {
    nn.Linear: (4, 3),
    nn.Conv2d: (2, 3, 1),
    nn.ConvTranspose1d: (2, 3, 1),
    nn.MultiheadAttention: (4, 2),
    nn.Bilinear: (2, 3, 4),
}
"""Arguments for a layer of each kind, or of one derived of it."""


def made(kind: type[nn.Module], of: type[nn.Module]) -> nn.Module:
    return kind(*MAKE[of])


@pytest.mark.parametrize("kind", MAKE)
def test_a_layer_that_computes_as_its_parent_has_its_twin(kind: type[nn.Module]) -> None:
    class Mine(kind):  # type: ignore[misc, valid-type]
        def extra_repr(self) -> str:
            return "mine"

        def norm(self) -> Tensor:
            return next(self.parameters()).norm()

    for layer in (made(kind, kind), made(Mine, kind)):
        assert twin_of(layer) is TWINS[kind]
        assert why_not(layer) == ""
        net = converted(nn.Sequential(layer))
        assert type(net.get_submodule("0")) is TWINS[kind]


@pytest.mark.parametrize("kind", MAKE)
def test_a_layer_with_a_forward_of_its_own_stays_digital(kind: type[nn.Module]) -> None:
    class Mine(kind):  # type: ignore[misc, valid-type]
        def forward(self, *args: object, **kwargs: object) -> object:
            return super().forward(*args, **kwargs)

    class Heir(Mine):
        pass

    patched, bound = made(kind, kind), made(kind, kind)
    patched.forward = lambda *x: x[0]  # type: ignore[method-assign]
    bound.forward = types.MethodType(lambda self, *x: x[0], bound)  # type: ignore[method-assign]
    for layer in (made(Mine, kind), made(Heir, kind), patched, bound):
        assert twin_of(layer) is None
        assert "forward" in why_not(layer)
        assert kind.__name__ in why_not(layer)
        other = nn.Linear(4, 4)
        with pytest.warns(UserWarning, match="stay digital"):
            net = converted(nn.ModuleList([layer, other]))
        layers = [m for m in net.modules() if isinstance(m, (mho.nn.ArrayLayer, Composite))]
        assert len(layers) == 1, "the other, and no part of this one"
        assert type(net.get_submodule("0")) is type(layer)


def test_other_methods_that_compute_count_too() -> None:
    class Standardized(nn.Conv2d):
        def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            return super()._conv_forward(input, weight - weight.mean(), bias)

    patched = nn.Conv2d(2, 3, 1)
    patched._conv_forward = lambda *x: x[0]  # type: ignore[method-assign]
    for layer in (Standardized(2, 3, 1), patched):
        assert twin_of(layer) is None
        assert "_conv_forward" in why_not(layer)

    class Called(nn.Linear):
        def __call__(self, *x: Tensor) -> Tensor:
            return 2 * super().__call__(*x)

    assert twin_of(Called(2, 2)) is None
    assert "__call__" in why_not(Called(2, 2))


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (nn.EmbeddingBag(3, 2), "no layer on arrays stands for EmbeddingBag"),
        (nn.Linear(2, 2, dtype=torch.complex64), "complex"),
    ],
)
def test_what_has_no_twin_says_why(layer: nn.Module, words: str) -> None:
    assert twin_of(layer) is None
    assert words in why_not(layer)


def test_torch_own_subclasses_are_on_arrays() -> None:
    assert twin_of(NonDynamicallyQuantizableLinear(2, 2)) is MemristiveLinear
    assert twin_of(parametrizations.weight_norm(nn.Linear(2, 2))) is MemristiveLinear

    class Mine(nn.Linear):
        pass

    assert twin_of(parametrizations.weight_norm(Mine(2, 2))) is MemristiveLinear


def test_a_weight_that_is_computed_is_taken_as_it_is() -> None:
    class Standardized(nn.Linear):
        """Its weight is a property, of which its parent's forward knows nothing."""

        def __init__(self) -> None:
            super().__init__(6, 3)
            self.raw = self._parameters.pop("weight")

        @property
        def weight(self) -> Tensor:  # pyright: ignore[reportIncompatibleVariableOverride]
            assert self.raw is not None
            return self.raw - self.raw.mean(1, keepdim=True)

        @weight.setter
        def weight(self, value: Tensor) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
            pass

    layer, x = nn.Sequential(Standardized()), torch.randn(5, 6)
    torch.testing.assert_close(converted(layer)(x), layer(x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda: nn.LazyLinear(3), r"0.weight = 'not initialized'"),
        (lambda: nn.Linear(4, 3, device="meta"), r"0.weight = \"on the device 'meta'\""),
    ],
)
def test_parameters_without_values_are_refused(layer: Callable[[], nn.Module], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        mho.convert(nn.Sequential(layer()), EXACT)


def test_a_lazy_layer_that_was_run_is_a_layer() -> None:
    model, x = nn.Sequential(nn.LazyLinear(3)), torch.randn(5, 6)
    y = model(x)
    torch.testing.assert_close(converted(model)(x), y, rtol=1e-3, atol=1e-3)


def test_a_user_kind_is_seen_through_its_subclasses_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Scaled(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * F.linear(input, self.weight, self.bias)

    class Heir(Scaled):
        pass

    assert twin_of(Heir(2, 2)) is None
    monkeypatch.setitem(TWINS, Scaled, MemristiveLinear)
    assert twin_of(Heir(2, 2)) is MemristiveLinear


def test_the_table_in_the_docs_names_every_kind() -> None:
    text = (Path(__file__).parents[2] / "docs/layers.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`nn\.(\w+)`", row.split("|")[1])}
    made_of_others = {"Transformer", "TransformerEncoderLayer", "TransformerDecoderLayer"}
    assert named - made_of_others == {kind.__name__ for kind in TWINS}
    for name in TWINS_BY_NAME:
        assert any(f"`{name.rpartition('.')[2]}`" in row for row in rows)
