"""Weights that a hook computes before each pass are programmed as the next pass would have them."""

import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune, weight_norm

import mho
from builders.as_torch import EXACT, converted
from builders.computed_weights import LAYERS, WRAPS, model_of
from mho.learning.layers.recomputed import mask_of, recomputed


@pytest.fixture(autouse=True)
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        yield


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("kind", LAYERS)
def test_a_state_that_was_loaded_is_programmed(kind: str, wrap: str, training: bool) -> None:
    trained, fresh = model_of(kind, wrap, 1), model_of(kind, wrap, 2).train(training)
    for name, value in trained.state_dict().items():
        if not name.endswith("_mask"):
            value.mul_(1.5)
    fresh.load_state_dict(trained.state_dict())
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    held = vars(fresh.layer).get(LAYERS[kind][1])
    net, x = converted(fresh), torch.randn(LAYERS[kind][2])
    assert all(torch.equal(before[name], value) for name, value in fresh.state_dict().items())
    assert vars(fresh.layer).get(LAYERS[kind][1]) is held
    wanted = trained.eval()(x)
    torch.testing.assert_close(net(x), wanted, rtol=1e-2, atol=2e-2)
    assert all(p.requires_grad for p in net.parameters())
    assert not any("_orig" in name or "_g" in name for name, _ in net.named_parameters())
    back = mho.to_digital(net)
    torch.testing.assert_close(back(x), wanted, rtol=1e-4, atol=1e-4)


def test_frozen_weights_stay_frozen() -> None:
    layer = weight_norm(nn.Linear(3, 2))
    layer.requires_grad_(False)
    layer(torch.ones(1, 3))
    net = converted(nn.Sequential(layer))
    assert not any(p.requires_grad for p in net.parameters())


def test_a_weight_computed_from_inputs_is_refused() -> None:
    layer = nn.Linear(3, 2)
    raw = layer._parameters.pop("weight")
    assert raw is not None
    layer.register_parameter("raw", raw)
    layer.weight = raw * 1  # type: ignore[assignment]
    layer.register_forward_pre_hook(lambda m, x: setattr(m, "weight", m.raw * x[0].mean()))
    with pytest.raises(ValueError, match=r"0.weight = 'a tensor': expected a parameter; it is c"):
        mho.convert(nn.Sequential(layer), EXACT)


def test_a_layer_that_stays_digital_is_copied_with_its_hook() -> None:
    class Mine(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    for wrap in WRAPS.values():
        model = nn.Sequential(nn.Linear(4, 4), wrap(Mine(4, 3), "weight")).eval()
        with pytest.warns(UserWarning, match="Mine has a forward of its own"):
            net = converted(model)
        x = torch.randn(5, 4)
        torch.testing.assert_close(net(x), model(x), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("passed", [False, True])
@pytest.mark.parametrize("wrap", WRAPS)
def test_a_digital_layer_whose_hook_has_computed_its_weight_is_copied(
    wrap: str, passed: bool
) -> None:
    x, y = torch.randn(5, 4), torch.arange(5) % 3
    digital = WRAPS[wrap](nn.Linear(4, 4), "weight")
    model = nn.Sequential(digital, nn.Linear(4, 3))
    if passed:
        model(x)
    which = {"0": None, "*": EXACT}
    net = mho.convert(model, which, 2)
    if passed:
        net(x)
    net.eval()
    calls = {
        "to_digital": lambda: mho.to_digital(net),
        "coverage": lambda: mho.coverage(net, x),
        "evaluate_over_time": lambda: mho.evaluate_over_time(net, (x, y), [0]),
        "noise_aware": lambda: mho.noise_aware(model, which),
    }
    for call in calls.values():
        call()
        net(x)


def test_masks_are_found() -> None:
    layer = nn.Linear(4, 3)
    assert mask_of(layer, "weight") is None
    prune.l1_unstructured(layer, "weight", 5)
    mask = mask_of(layer, "weight")
    assert mask is not None
    assert mask.sum() == 7
    assert mask_of(layer, "bias") is None


def test_hooks_that_compute_nothing_are_not_called() -> None:
    layer, called = prune.l1_unstructured(nn.Linear(4, 3), "weight", 2), []
    layer.register_forward_pre_hook(lambda m, given: called.append(given[0].shape))
    with recomputed("layer", layer) as hooks:
        assert len(hooks) == 1
    net = converted(nn.Sequential(layer))
    assert called == []
    net(torch.ones(2, 4))
    assert called == [torch.Size([2, 4])]
