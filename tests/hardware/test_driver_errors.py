"""What row drivers with errors apply."""

import pytest
import torch
from torch import Tensor

from mho.hardware import DAC, BinaryDAC, IdealDAC, StringDAC
from mho.hardware.driver_errors import DriverErrors

INPUTS = 7
KINDS = {
    "ideal": IdealDAC(offset=1.5, gain=0.1),
    "string": StringDAC(mismatch=0.1, offset=0.5),
    "binary": BinaryDAC(mismatch=0.1, gain=0.02),
}


def drivers(dac: DAC, bits: int, signed: bool, chips: range = range(3)) -> DriverErrors:
    found = DriverErrors(dac, bits, signed, INPUTS)
    found.belong_to(5, chips)
    return found


def slowly(errors: DriverErrors, codes: Tensor, steps: Tensor) -> Tensor:
    """Driver by driver; codes (chips, n, inputs)."""
    gain, offset, tables = errors.on(torch.device("cpu"))
    out = torch.empty(codes.shape)
    for chip, rows in enumerate(codes):
        for n, row in enumerate(rows):
            for i, code in enumerate(row.tolist()):
                off = tables[chip, i, code - errors.least].item() if tables.shape[2] else 0.0
                value = (code + off) * gain[chip, i].item() + offset[chip, i].item()
                out[chip, n, i] = value * steps[chip].item()
                if errors.by_sign and code == 0:
                    out[chip, n, i] = 0.0
    return out


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("bits", [1, 2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_each_code_is_applied_by_the_driver_of_its_row(kind: str, bits: int, signed: bool) -> None:
    errors, steps = drivers(KINDS[kind], bits, signed), torch.tensor([0.1, 0.2, 0.5])
    most = max(1, 2 ** (bits - 1) - 1) if signed else 2**bits - 1
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(-most if signed else 0, most + 1, (3, 40, INPUTS), generator=generator)
    x = codes * steps.view(-1, 1, 1)
    found = errors.applied(x.flatten(0, 1), steps.double(), slice(None))
    torch.testing.assert_close(found.view_as(x), slowly(errors, codes, steps))
    assert not torch.allclose(found.view_as(x), x)
    one = errors.applied(x[1], steps[1:2].double(), slice(1, 2))
    torch.testing.assert_close(one, found.view_as(x)[1])


def test_nan_stays_and_a_range_of_0_is_an_offset_of_0() -> None:
    errors = drivers(StringDAC(mismatch=0.1, offset=1.0), 4, True, range(1))
    x = torch.zeros(2, INPUTS)
    x[0, 3] = torch.nan
    found = errors.applied(x, torch.tensor([0.1]), slice(None))
    assert found.isnan().nonzero().tolist() == [[0, 3]]
    assert not errors.applied(torch.zeros(2, INPUTS), torch.zeros(1), slice(None)).any()
