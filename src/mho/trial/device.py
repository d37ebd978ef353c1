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


LAWS = ("conduction", "retention", "flicker", "telegraph", "disturb")
"""Of a preset, beside its cell."""


class Device(NamedTuple):
    """A device; what `device` gives has a cell."""

    name: str
    preset: Preset
    fitted: str = ""
    """What a measured file held, in a sentence; empty of other sources."""


@checked
def device(source: str, v_read: float | None = None, onto: Device | None = None) -> Device:
    """A device of `mho list devices`, a file of `mho fit`, or a measured file, which is fitted.

    Args:
        source: name or path.
        v_read: read voltage of a measured file's currents [V]; None: its own.
        onto: the device that laws of a file without a cell, such as of retention alone, are put to;
            None: none is, and such a file is refused.

    Raises:
        ValueError: it is none of these, or gives no cell.
    """
    if source in devices.PRESETS:
        return Device(source, devices.preset(source))
    path = Path(source)
    if path.suffix.lower() in MEASURED:
        found = _measured(path, v_read)
    elif path.suffix == ".toml" or path.is_file():
        found = Device(path.stem, devices.read(path))
    else:
        raise unknown("device", source, devices.PRESETS)
    if found.preset.device is not None:
        return found
    laws = {name: law for name in LAWS if (law := getattr(found.preset, name)) is not None}
    if onto is None or not laws:
        allowed = (
            "a file of pulses, of targets or of states, which give a cell, or a preset with a "
            f"table [device]; add its law to a preset: mho fit {path} --out device.toml --add"
        )
        what = " and ".join(laws) or "no law"
        raise invalid("source", f"{path} ({what} alone)", allowed)
    note = f"{onto.preset.note} {' and '.join(laws)}: {path.name}.".strip()
    said = f"{path}: {' and '.join(laws)}, on the cell of {onto.name}"
    name = f"{onto.name} with {path.stem}"
    return Device(name, onto.preset.replace(**laws, note=note), said)


def _measured(path: Path, v_read: float | None) -> Device:
    """What is fitted to a measured file."""
    found = fit.fit(fit.read(path), v_read=v_read)
    preset = Preset().replace(**found.records, note=f"mho fit {path.name}, {found.kind}.")
    said = f"{path}: {found.kind}, {found.goodness.n} points; mho fit shows the fit"
    return Device(path.stem, preset, said)
