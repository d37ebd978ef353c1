"""Units as people write them."""

import pytest

from mho.fit.reading.units import unit_of


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("uS", ("S", 1e-6)), ("\u00b5S", ("S", 1e-6)), ("\u03bcS", ("S", 1e-6)),
        ("mS", ("S", 1e-3)), ("1/ohm", ("S", 1.0)), (" nA ", ("A", 1e-9)), ("ua", ("A", 1e-6)),
        ("k\u2126", ("ohm", 1e3)), ("M\u03a9", ("ohm", 1e6)), ("Kohm", ("ohm", 1e3)),
        ("ms", ("s", 1e-3)), ("min", ("s", 60.0)), ("h", ("s", 3600.0)),
        ("V vs. Ag/AgCl", ("V", 1.0)), ("10^-6 A", ("A", 1e-6)), ("25 uS", ("S", 25e-6)),
        ("furlong", None), ("", None), ("u", None), ("uA/cm2", None), ("a.u.", None),
    ],
)  # fmt: skip
def test_units_have_prefixes(text: str, unit: tuple[str, float] | None) -> None:
    found = unit_of(text)
    assert (found is None) == (unit is None)
    if found and unit:
        assert found.si == unit[0]
        assert found.factor == pytest.approx(unit[1])


def test_offsets_and_logarithms() -> None:
    celsius, scale, log = unit_of("\u00b0C"), unit_of("5 uS + 20 uS"), unit_of("log10(A)")
    assert celsius is not None
    assert (celsius.si, celsius.offset) == ("K", 273.15)
    assert scale is not None
    assert (scale.factor, scale.offset) == pytest.approx((5e-6, 20e-6))
    assert log is not None
    assert log.log
