"""`mho release-chip`: the operator's way to free a chip."""

from pathlib import Path

import pytest

from builders.instruments import QUICK, chip, serving
from mho.cli import main
from mho.instruments import InstrumentError, RemoteInstrument
from mho.instruments.token import VARIABLE


def test_a_chip_is_released(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "token").write_text("open-sesame\n")
    with (
        serving(chip(), token="open-sesame") as server,
        RemoteInstrument(*server.address, QUICK, token="open-sesame") as instrument,
    ):
        instrument.report()
        address = str(server.address)
        assert main(["release-chip", address]) == 2
        assert "asks for a token: none was given" in capsys.readouterr().err
        assert instrument.report().changes == 0
        assert main(["release-chip", address, "--token-file", str(tmp_path / "token")]) == 0
        assert capsys.readouterr().out == f"mho: the chip at {address} is free\n"
        with pytest.raises(InstrumentError, match="released by an operator"):
            instrument.report()
        monkeypatch.setenv(VARIABLE, "open-sesame")
        assert main(["release-chip", address]) == 0
    capsys.readouterr()
    assert main(["release-chip", address]) == 2
    assert capsys.readouterr().err.startswith(f"mho: {address}: ")


@pytest.mark.parametrize("address", ["", "bench", "bench:0", "unix:", "::1:5"])
def test_bad_usage_is_one_line(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release-chip", address]) == 2
    assert capsys.readouterr().err.count("\n") == 1
