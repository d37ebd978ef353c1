"""Attention on arrays, and torch's transformers, which are made of it."""

import random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from builders.as_torch import NOISY, check_as_torch, check_chips, check_state, converted
from mho.nn import MemristiveMultiheadAttention

OPTIONS: dict[str, list[Any]] = {
    "bias": [True, False],
    "add_bias_kv": [False, True],
    "add_zero_attn": [False, True],
    "batch_first": [True, False],
    "own_sizes": [None, "key", "both"],
    "dropout": [0.0, 0.3],
    "batched": [True, False],
    "self_attention": [True, False],
    "attn_mask": [None, "bool", "float", "bool by head", "float by head", "causal"],
    "padding": [None, "bool", "float"],
    "need_weights": [True, False],
    "average_attn_weights": [True, False],
    "training": [True, False],
}
EMBED, HEADS, N, QUERIES, KEYS = 12, 2, 3, 5, 4


def sample(seed: int) -> dict[str, Any]:
    draw = random.Random(seed)
    return {name: draw.choice(values) for name, values in OPTIONS.items()}


def attention(o: dict[str, Any]) -> nn.MultiheadAttention:
    torch.manual_seed(1)
    sizes = {None: {}, "key": {"kdim": 7}, "both": {"kdim": 7, "vdim": 10}}[o["own_sizes"]]
    names = ("dropout", "bias", "add_bias_kv", "add_zero_attn", "batch_first")
    layer = nn.MultiheadAttention(EMBED, HEADS, **sizes, **{n: o[n] for n in names})
    for name, parameter in layer.named_parameters():
        if "bias" in name:  # torch starts them from 0
            nn.init.normal_(parameter)
    return layer.double().train(o["training"])


def given(o: dict[str, Any], layer: nn.MultiheadAttention) -> tuple[list[Tensor], dict[str, Any]]:
    """Inputs and options of a call."""
    torch.manual_seed(2)
    own = not o["self_attention"] or o["own_sizes"] is not None
    keys = KEYS if own else QUERIES
    shapes = [(QUERIES, EMBED), (keys, layer.kdim), (keys, layer.vdim)]
    if o["batched"]:
        shapes = [(N, *s) if o["batch_first"] else (s[0], N, s[1]) for s in shapes]
    x = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    x = x if own else [x[0]] * 3
    n, kind = N if o["batched"] else 1, o["attn_mask"]
    call = {name: o[name] for name in ("need_weights", "average_attn_weights")}
    hidden = torch.rand(n * HEADS, QUERIES, keys) < 0.4
    hidden[:, :, 0] = False  # of no query all keys
    if kind == "causal":
        hidden = torch.ones(QUERIES, keys).triu(1).bool().expand(n * HEADS, -1, -1)
    if kind is not None:
        hidden = hidden if "by head" in kind else hidden[0]
        floats = torch.randn(hidden.shape).double()
        call["attn_mask"] = floats if "float" in kind else hidden
        call["is_causal"] = kind == "causal"
    if o["padding"] is not None:
        padding = torch.rand(n, keys) < 0.4
        padding[:, 0] = False
        padding = padding if o["batched"] else padding[0]
        if o["padding"] == "float" or (kind is not None and "float" in kind):
            padding = torch.randn(padding.shape).double()
            call.update({"attn_mask": call["attn_mask"].double()} if kind is not None else {})
        call["key_padding_mask"] = padding
        if kind is not None and call["attn_mask"].dtype != padding.dtype:
            call["key_padding_mask"] = padding.to(call["attn_mask"].dtype)
    if call.get("is_causal") and (o["add_bias_kv"] or o["add_zero_attn"]):
        call["is_causal"] = False  # torch takes the hint, and hides what the layer adds
    return x, call


@pytest.mark.parametrize("seed", range(40))
def test_attention_is_that_of_torch(seed: int) -> None:
    o = sample(seed)
    layer = attention(o)
    x, call = given(o, layer)
    net = check_as_torch(layer, x, call)
    assert isinstance(net, MemristiveMultiheadAttention)
    n = N if o["batched"] else 1
    keys = x[1].shape[0 if not o["batched"] or not o["batch_first"] else 1]
    for part, rows, inputs in (
        ("q_proj", QUERIES, EMBED),
        ("k_proj", keys, layer.kdim),
        ("v_proj", keys, layer.vdim),
        ("out_proj", QUERIES, EMBED),
    ):
        read = getattr(net, part)
        assert read.crossbar.counts.vectors == 2 * n * rows
        assert (read.in_features, read.out_features) == (inputs, EMBED)
    names = ["q_proj", "k_proj", "v_proj", "out_proj"]
    assert [each.name for each in mho.ledger(net).layers] == names


@pytest.mark.parametrize("seed", range(100, 110))
def test_chips_attend_as_they_do_alone(seed: int) -> None:
    o = {**sample(seed), "training": False}
    layer = attention(o)
    check_chips(layer, *given(o, layer))


@pytest.mark.parametrize("seed", range(200, 206))
def test_states_of_torch_are_loaded_and_come_back(seed: int) -> None:
    o = sample(seed)
    other = attention(o)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(0.7)
    check_state(attention(o), other)


def test_dropout_differs_from_chip_to_chip() -> None:
    layer = nn.MultiheadAttention(8, 2, dropout=0.5)
    x = torch.randn(6, 2, 8)
    y, weights = converted(layer, chips=3)(x, x, x)
    assert not torch.equal(y[0], y[1])
    assert (weights == 0).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"query": torch.ones(5, 2, 7)}, r"query, of shape = \(5, 2, 7\): expected \(length, ba"),
        ({"query": torch.ones(8)}, r"query, of shape = \(8,\)"),
        ({"query": 3}, r"query = 3"),
        ({"value": torch.ones(4, 2, 8)}, r"key and value, of shapes"),
        (
            {"query": torch.ones(5, 3, 8)},
            r"query and key, of shapes = '\(5, 3, 8\) and \(3, 2, 8\)",
        ),
        ({"query": torch.ones(5, 2, 8, dtype=torch.int64)}, r"q_proj input"),
        ({"attn_mask": torch.ones(3, 5)}, r"attn_mask, of shape = \(3, 5\): expected \(5, 3\)"),
        ({"attn_mask": torch.ones(5, 3, dtype=torch.int64)}, "attn_mask = .*: expected None"),
        ({"key_padding_mask": torch.ones(3, 2)}, r"key_padding_mask, of shape = \(3, 2\)"),
        ({"attn_mask": 3}, "attn_mask = 3: expected None, or a tensor of bool"),
        ({"is_causal": True}, "is_causal without attn_mask"),
    ],
)
@pytest.mark.parametrize("chips", [None, 2])
def test_what_attention_cannot_take_is_refused(
    call: dict[str, Any], message: str, chips: int | None
) -> None:
    net = converted(nn.MultiheadAttention(8, 2), chips=chips)
    x = {"query": torch.ones(5, 2, 8), "key": torch.ones(3, 2, 8), "value": torch.ones(3, 2, 8)}
    with pytest.raises(ValueError, match=message):
        net(**{**x, **call})
    assert mho.ledger(net).totals()["vectors"] == 0


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_nested_tensors_are_refused(layout: torch.layout) -> None:
    net = converted(nn.MultiheadAttention(8, 2, batch_first=True)).eval()
    x = torch.nested.nested_tensor([torch.ones(2, 8), torch.ones(3, 8)], layout=layout)
    with pytest.raises(ValueError, match="key_padding_mask says what is padding"), torch.no_grad():
        net(x, x, x)


# ---------------------------------------------------------------- transformers

ACTIVATIONS = ["relu", "gelu", F.silu, nn.GELU(), nn.ReLU()]


def encoder(seed: int, depth: int = 2) -> tuple[nn.Module, list[Tensor], dict[str, Any]]:
    """A stack of encoder layers, or one, with inputs and masks for it."""
    draw = random.Random(seed)
    torch.manual_seed(seed)
    batch_first, single = draw.random() < 0.6, draw.random() < 0.3
    layer = nn.TransformerEncoderLayer(
        8,
        2,
        10,
        dropout=0.0,
        activation=draw.choice(ACTIVATIONS),
        batch_first=batch_first,
        norm_first=draw.random() < 0.5,
        bias=draw.random() < 0.8,
    )
    model: nn.Module = layer
    call: dict[str, Any] = {}
    if not single:
        norm = nn.LayerNorm(8) if draw.random() < 0.5 else None
        fused = layer.activation_relu_or_gelu and batch_first and not layer.norm_first
        fused = bool(fused and layer.self_attn.in_proj_bias is not None)
        model = nn.TransformerEncoder(layer, depth, norm, enable_nested_tensor=fused)
    kind = draw.choice([None, "mask", "padding", "both"])
    if kind in ("mask", "both"):
        name = "src_mask" if single else "mask"
        call[name] = nn.Transformer.generate_square_subsequent_mask(4, dtype=torch.float64)
        call["is_causal"] = draw.random() < 0.5
    if kind in ("padding", "both"):
        padding = torch.zeros(3, 4)
        padding[1, 2:] = -torch.inf
        call["src_key_padding_mask"] = padding.double() if kind == "both" else padding == -torch.inf
    shape = (3, 4, 8) if batch_first else (4, 3, 8)
    training = draw.random() < 0.5
    return model.double().train(training), [torch.randn(shape, dtype=torch.float64)], call


@pytest.fixture
def _unfused() -> Any:
    """Torch's own layers compute padded positions too, which their fused path leaves at 0."""
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(True)


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.usefixtures("_unfused")
def test_encoders_are_those_of_torch(seed: int) -> None:
    model, x, call = encoder(seed)
    net = check_as_torch(model, x, call)
    torch.backends.mha.set_fastpath_enabled(True)
    with torch.no_grad():
        fused = net(*x, **call)
    torch.testing.assert_close(fused, net(*x, **call))
    attends = [m for m in net.modules() if isinstance(m, MemristiveMultiheadAttention)]
    assert len(mho.ledger(net).layers) == 6 * len(attends), "and two of the feed-forward part"


@pytest.mark.parametrize("seed", range(50, 58))
def test_encoders_on_chips_are_those_of_each_chip(seed: int) -> None:
    model, x, call = encoder(seed)
    check_chips(model, x, call)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
def test_whole_transformers_are_those_of_torch(batch_first: bool, norm_first: bool) -> None:
    torch.manual_seed(0)
    options = {"batch_first": batch_first, "norm_first": norm_first, "dropout": 0.0}
    model = nn.Transformer(8, 2, 1, 1, 10, **options).double().eval()
    model.encoder.use_nested_tensor = False
    x = [torch.randn((2, n, 8) if batch_first else (n, 2, 8)).double() for n in (5, 4)]
    call = {"tgt_mask": nn.Transformer.generate_square_subsequent_mask(4, dtype=torch.float64)}
    call["memory_key_padding_mask"] = torch.randn(2, 5).double()
    check_as_torch(model, x, call)
    check_chips(model, x, call)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")  # once a process
@pytest.mark.parametrize("enable_nested_tensor", [True, False])
@pytest.mark.parametrize("padded", [True, False])
def test_transformers_come_back_as_fused_as_they_were(
    enable_nested_tensor: bool, padded: bool
) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 10, batch_first=True)
    model = nn.TransformerEncoder(layer, 1, enable_nested_tensor=enable_nested_tensor).eval()
    net = converted(model)
    back = mho.to_digital(net)
    for module in (model, back):
        assert isinstance(module, nn.TransformerEncoder)
        assert module.use_nested_tensor is enable_nested_tensor
        assert module.get_submodule("layers.0").activation_relu_or_gelu == 1
    x = torch.randn(3, 4, 8)
    mask = torch.tensor([[False] * 4, [False, False, True, True], [False] * 4])
    with torch.no_grad():
        call = {"src_key_padding_mask": mask if padded else None}
        torch.testing.assert_close(back(x, **call), model(x, **call))
        mine = net(x, **call)
    theirs = model(x, **call)
    kept = ~mask if padded else slice(None)
    torch.testing.assert_close(mine[kept], theirs[kept], rtol=1e-2, atol=1e-2)


def test_attention_left_digital_keeps_its_parts_digital() -> None:
    model = nn.TransformerEncoderLayer(8, 2, 10, batch_first=True).eval()
    net = mho.convert(model, {"self_attn": None, "*": NOISY}).eval()
    assert [each.name for each in mho.ledger(net).layers] == ["linear1", "linear2"]
    with torch.no_grad():
        net(torch.randn(2, 3, 8))
    assert mho.ledger(net).totals()["vectors"] == 12
