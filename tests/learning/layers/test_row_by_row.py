"""Which networks may have chips folded into the batch."""

from collections.abc import Callable

import pytest
from torch import Tensor, nn

import mho
from mho.learning.layers.row_by_row import has_hooks, rows_from

HARDWARE = mho.Hardware(device=mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=9))


class Own(nn.Sequential):
    """Computes something of its own."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).flip(0)


class Named(nn.Sequential):
    """Computes as its parent does."""


def patched() -> nn.Module:
    net = nn.Sequential(nn.Linear(4, 3))
    net.forward = lambda x: x.flip(0)  # type: ignore[method-assign]
    return net


@pytest.mark.parametrize(
    ("make", "least"),
    [
        (lambda: nn.Linear(4, 3), 2),
        (lambda: nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Dropout()), 2),
        (lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)), 4),
        (lambda: nn.Sequential(nn.BatchNorm1d(4).eval(), Named(nn.Linear(4, 3))), 2),
        (lambda: nn.Sequential(nn.Linear(4, 3), nn.Softmax(-1)), 2),
        (lambda: nn.Sequential(nn.Linear(4, 3), nn.Softmax(0)), None),
        (lambda: nn.Sequential(nn.Linear(4, 3), nn.Softmax(-2)), None),
        (lambda: nn.Sequential(nn.Linear(4, 3), nn.Flatten(0)), None),
        (lambda: nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3)), None),
        (lambda: nn.Sequential(nn.BatchNorm1d(4, track_running_stats=False).eval(),
                               nn.Linear(4, 3)), None),
        (lambda: nn.Sequential(nn.Linear(4, 3), nn.GRU(3, 3)), None),
        (lambda: Own(nn.Linear(4, 3)), None),
        (patched, None),
    ],
)  # fmt: skip
def test_chains_of_known_layers(make: Callable[[], nn.Module], least: int | None) -> None:
    chosen = lambda _, module: isinstance(module, nn.Linear | nn.Conv2d)  # noqa: E731
    which = lambda name, module: HARDWARE if chosen(name, module) else None  # noqa: E731
    net = mho.convert(make(), which)
    assert rows_from(net) == least


@pytest.mark.parametrize("where", ["whole", "layer", "digital"])
@pytest.mark.parametrize("kind", ["forward", "forward_pre", "full_backward"])
def test_hooks_may_look_at_other_rows(where: str, kind: str) -> None:
    net = mho.convert(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), HARDWARE)
    module = {"whole": net, "layer": net[0], "digital": net[1]}[where]
    assert not has_hooks(net)
    handle = getattr(module, f"register_{kind}_hook")(lambda *_: None)
    assert has_hooks(net)
    assert rows_from(net) is None
    handle.remove()
    assert rows_from(net) == 2
