"""What other tools write, read; and what they read, written.

mho.interchange.save_network(net, "net.safetensors")
net = mho.interchange.load_network(model, "net.safetensors")
"""

from __future__ import annotations

from mho.interchange.aihwkit_device import from_aihwkit
from mho.interchange.aihwkit_state import load_aihwkit
from mho.interchange.crosssim import from_crosssim
from mho.interchange.loggers import JsonLines, Logger, TensorBoard, replay
from mho.interchange.network import (
    SavedNetwork,
    describe,
    load_network,
    load_state,
    save_network,
)
from mho.interchange.onnx_network import from_onnx

__all__ = [
    "JsonLines",
    "Logger",
    "SavedNetwork",
    "TensorBoard",
    "describe",
    "from_aihwkit",
    "from_crosssim",
    "from_onnx",
    "load_aihwkit",
    "load_network",
    "load_state",
    "replay",
    "save_network",
]
