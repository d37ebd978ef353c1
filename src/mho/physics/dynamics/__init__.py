"""Devices under voltages that change with time: models with a state, waveforms, transients.

model = mho.dynamics.get("stanford-pku")
trace = mho.dynamics.transient(model, mho.dynamics.Triangle(amplitude=-2.0, frequency=1e3))
curve = mho.dynamics.pulse_train(model, train)    # conductance after each pulse
"""

from mho.physics.dynamics.ion_drift import IonDrift
from mho.physics.dynamics.jart import JartVcm
from mho.physics.dynamics.model import DynamicModel, Variation
from mho.physics.dynamics.presets import MODELS, get
from mho.physics.dynamics.pulse_curve import PulseCurve, pulse_train
from mho.physics.dynamics.source import Source
from mho.physics.dynamics.stanford_pku import StanfordPku
from mho.physics.dynamics.stepper import Adaptive, Fixed, Method
from mho.physics.dynamics.transient import Trace, transient
from mho.physics.dynamics.vteam import Vteam
from mho.physics.dynamics.waveform import PulseTrain, Samples, Sine, Triangle, Waveform
from mho.physics.dynamics.windows import Biolek, Joglekar, Window

__all__ = [
    "MODELS",
    "Adaptive",
    "Biolek",
    "DynamicModel",
    "Fixed",
    "IonDrift",
    "JartVcm",
    "Joglekar",
    "Method",
    "PulseCurve",
    "PulseTrain",
    "Samples",
    "Sine",
    "Source",
    "StanfordPku",
    "Trace",
    "Triangle",
    "Variation",
    "Vteam",
    "Waveform",
    "Window",
    "get",
    "pulse_train",
    "transient",
]
