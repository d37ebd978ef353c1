"""The device that a name or a file stands for."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mho import fit
from mho.arguments import checked
from mho.errors import invalid, unknown
from mho.physics import Preset, devices

MEASURED = (".csv", ".txt", ".tsv", ".dat", ".xlsx", ".xls", ".mat")
"""Endings of measured files, which are fitted first."""


class Device(NamedTuple):
    """A device with a cell."""

    name: str
    preset: Preset
    fitted: str = ""
    """What a measured file held, in a sentence; empty of other sources."""


@checked
def device(source: str, v_read: float | None = None) -> Device:
    """A device of `mho list devices`, a file of `mho fit`, or a measured file, which is fitted.

    Args:
        source: name or path.
        v_read: read voltage of a measured file's currents [V]; None: its own.

    Raises:
        ValueError: it is none of these, or gives no cell.
    """
    if source in devices.PRESETS:
        return Device(source, devices.preset(source))
    path = Path(source)
    if path.suffix.lower() in MEASURED:
        return _measured(path, v_read)
    if path.suffix == ".toml" or path.is_file():
        return Device(path.stem, devices.read(path))
    raise unknown("device", source, devices.PRESETS)


def _measured(path: Path, v_read: float | None) -> Device:
    """What is fitted to a measured file."""
    found = fit.fit(fit.read(path), v_read=v_read)
    if "device" not in found.records:
        allowed = (
            "a file of pulses, of targets or of states, which give a cell; "
            f"add its law to a preset: mho fit {path} --out device.toml --add"
        )
        raise invalid("source", f"{path} ({found.kind})", allowed)
    preset = Preset().replace(**found.records, note=f"mho fit {path.name}, {found.kind}.")
    said = f"{path}: {found.kind}, {found.goodness.n} points; mho fit shows the fit"
    return Device(path.stem, preset, said)
