"""Price lists of mho, and those of files."""

from pathlib import Path

import pytest

import mho
from mho.hardware.price_lists import PRICES, get
from mho.hardware.prices import Prices


@pytest.mark.parametrize("name", PRICES)
def test_each_number_of_a_list_has_a_source(name: str) -> None:
    entry = get(name)
    assert entry.doi.startswith("10.")
    assert entry.note
    numbers = {
        field for field in entry.to_dict()
        if isinstance(getattr(entry, field), float) and field not in ("activity",)
        and getattr(entry, field) != Prices.__dataclass_fields__[field].default
    }  # fmt: skip
    assert numbers <= {line.split(": ")[0] for line in entry.assumptions}


def test_an_unknown_price_list_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown price list 'hfo2-130': did you mean 'hfo2-130nm"):
        get("hfo2-130")


@pytest.mark.parametrize("name", PRICES)
def test_a_list_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(get(name).to_toml())
    assert get(str(file)) == Prices.read(file) == get(name)
    assert get(str(file)).to_toml() == get(name).to_toml()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pulse_time = 1e-6\nadc_enregy = 1e-12", "mine.toml.*adc_enregy.*adc_energy"),
        ("pulse_time = -1.0", r"mine.toml.*Prices\.pulse_time = -1.0"),
        ("adc_energy = 1e-12", r"mine.toml.*Prices\.pulse_time.*missing"),
        ("pulse_time = 1e-6\nadc = 'pipeline'", r"mine.toml.*Prices\.adc = 'pipeline'.*'flash'"),
        ("pulse_time = ", "mine.toml"),
        (None, "mine.toml"),
    ],
)
def test_what_is_no_list_is_refused_by_file_and_field(
    text: str | None, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    if text is not None:
        file.write_text(text)
    for take in (get, lambda name: mho.price(mho.ledger(net()), name)):
        with pytest.raises(ValueError, match=words) as refusal:
            take(str(file))
        assert "\n" not in str(refusal.value)


def net() -> mho.nn.MemristiveLinear:
    import torch

    return mho.convert(torch.nn.Linear(3, 2), mho.Hardware(device="hfo2-1t1r"))  # type: ignore[return-value]
