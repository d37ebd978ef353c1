"""Published devices by name, and those of files.

mho.Hardware(device="hfo2-1t1r")    # a chip of a published device: all that is known of it
mho.devices.get("hfo2-1t1r")        # the cell alone
mho.devices.preset("pcm-gst")       # the cell with what is known of it over time
mho.devices.read("device.toml")     # a preset that `mho fit` wrote
"""

from mho.physics.devices import DEVICES, PRESETS, get, preset, read

__all__ = ["DEVICES", "PRESETS", "get", "preset", "read"]
