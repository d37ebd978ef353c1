"""Published devices by name, and those of files.

mho.devices.get("hfo2-1t1r")        # the cell
mho.devices.preset("pcm-gst")       # the cell with what is known of it over time
mho.devices.read("device.toml")     # a preset that `mho fit` wrote
"""

from mho.physics.devices import DEVICES, PRESETS, get, preset, read

__all__ = ["DEVICES", "PRESETS", "get", "preset", "read"]
