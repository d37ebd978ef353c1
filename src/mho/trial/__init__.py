"""A device tried out on a small network that was trained beforehand: what it would do, in seconds.

found = mho.trial.of_preset("pcm-gst", mho.devices.preset("pcm-gst"))   # import mho.trial
found.accuracy["after repair"]                                          # (times, chips)

network: the two networks. training: how they were made. limits: what stands in the way.
trial: all of it together.
"""

from mho.trial.trial import TIMES, of_preset, steps

__all__ = ["TIMES", "of_preset", "steps"]
