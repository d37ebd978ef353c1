"""Quantities that a measured file may hold: their units and the names that headings give them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """What a column may hold."""

    what: str
    """In words, for the documents."""
    unit: str | None
    """SI unit; None: it has none."""
    names: tuple[str, ...]
    """Headings that mean it: lower case, single blanks, without unit."""
    words: bool = False
    """Whether its values may be words."""
    example: str = ""
    """A unit as files give it, for messages."""


QUANTITIES = {
    "target": Quantity("conductance or resistance that was aimed at", "S", (
        "target", "g target", "target g", "goal", "setpoint", "desired", "r target", "target r",
        "target conductance", "conductance target", "target resistance", "resistance target",
        "target range", "range", "target current", "i target", "target i", "g goal", "g desired",
        "desired g", "target state", "aim", "programmed target", "target value"), example="uS"),
    "target_low": Quantity("lower end of a range that was aimed at", "S", (
        "target min", "min target", "target low", "target lo", "low target", "target lower",
        "lower target", "g min target", "g target min", "r target min", "range min", "range low",
        "range lo", "g lo", "target g min", "target r min", "lower bound", "target from",
        "range start", "target lower bound", "target range min"), example="uS"),
    "target_high": Quantity("upper end of a range that was aimed at", "S", (
        "target max", "max target", "target high", "target hi", "high target", "target upper",
        "upper target", "g max target", "g target max", "r target max", "range max", "range high",
        "range hi", "g hi", "target g max", "target r max", "upper bound", "target to",
        "range end", "range stop", "target upper bound", "target range max"), example="uS"),
    "v_read": Quantity("voltage of a read", "V", (
        "v read", "read voltage", "read v", "u read", "meas v", "v meas read", "read bias",
        "measuring voltage", "vr", "readout voltage", "reading voltage", "v readout",
        "lesespannung", "read level", "v rd"), example="V"),
    "v_pulse": Quantity("amplitude of a pulse", "V", (
        "v pulse", "pulse voltage", "amplitude", "pulse amplitude", "v prog", "v write",
        "write voltage", "pulse v", "amp", "pulse height", "prog voltage", "programming voltage",
        "program voltage", "v program", "write v", "v amp", "amplitude v", "pulse level",
        "v p", "v pul", "v set reset", "write amplitude", "pulsspannung", "write pulse voltage",
        "write pulse amplitude", "pulse amp", "stimulus voltage", "update voltage",
        "pulse peak"), example="V"),
    "pulse_width": Quantity("duration of a pulse", "s", (
        "pulse width", "width", "pulse duration", "pulsewidth", "pw", "t pulse", "duration",
        "pulse length", "t width", "write time", "programming time", "pulse time", "t p",
        "pulse w", "pulsdauer", "t pw", "tp", "t write", "t prog", "write width",
        "pulse on time"), example="us"),
    "compliance": Quantity("current limit of the instrument", "A", (
        "compliance", "compliance current", "current compliance", "icc", "i cc", "i comp",
        "i compliance", "cc", "current limit", "i limit", "limit current", "compl",
        "i max limit", "ilimit"), example="uA"),
    "conductance": Quantity("conductance as read", "S", (
        "g", "conductance", "g read", "read g", "leitwert", "read back", "readback", "read",
        "measured", "g meas", "measured g", "measured conductance", "read conductance", "g cell",
        "g final", "final g", "weight", "synaptic weight", "cond", "g value", "g sd", "g device",
        "channel conductance", "g ch", "final conductance", "g actual", "actual",
        "conductance value", "g after", "readout"), example="uS"),
    "resistance": Quantity("resistance as read", "ohm", (
        "r", "resistance", "r read", "r meas", "resistivity", "widerstand", "measured resistance",
        "read resistance", "r cell", "res", "r final", "final r", "final resistance", "r value",
        "device resistance", "r device", "resistance value", "r dut", "r actual", "r after",
        "resistances", "read r", "cell resistance", "static resistance"), example="kOhm"),
    "current": Quantity("current as read, or of a sweep", "A", (
        "i", "current", "i read", "read current", "strom", "id", "i meas", "measured current",
        "i cell", "i d", "drain current", "ids", "i ds", "ai", "a i", "anode i", "anode current",
        "drain i", "meas i", "i measured", "current measured", "device current", "i device",
        "dut current", "i dut", "i te", "te current", "sense current", "i sense", "currents",
        "absolute current", "we current", "synaptic current", "postsynaptic current", "psc",
        "epsc", "read i", "im", "readings", "cell current", "i out", "output current",
        "i value"), example="uA"),
    "voltage": Quantity("voltage of a sweep", "V", (
        "v", "voltage", "u", "bias", "spannung", "v bias", "applied voltage", "v d", "vd", "av",
        "a v", "anode v", "anode voltage", "vds", "v ds", "drain voltage", "drain v",
        "voltage applied", "potential", "potential applied", "applied potential", "e", "ewe",
        "source voltage", "v source", "source v", "v applied", "force v", "v force", "v meas",
        "measured voltage", "v measured", "te voltage", "v te", "top electrode voltage",
        "device voltage", "v device", "v dut", "dut voltage", "sweep voltage", "v sweep",
        "bias voltage", "vf", "volts", "voltages", "v app", "v in", "input voltage", "v cell",
        "cell voltage", "we potential", "set voltage applied", "source value", "sourcevalues",
        "voltage source",
        "voltage bias", "bias v"), example="V"),
    "pulse": Quantity("number of the pulse, counted on or from the last change of polarity", None, (
        "pulse", "pulse number", "pulses", "pulse no", "pulse nr", "pulse index", "n pulse",
        "n pulses", "number of pulses", "pulse count", "n", "puls", "pulse num", "no of pulses",
        "num pulses", "pulse id", "pulse step", "num pulse", "of pulses", "pulsnummer",
        "cumulative pulses", "total pulses", "pulse idx", "p", "spike number", "spikes")),
    "burst": Quantity("pulses that were given before the read", None, (
        "num applied", "pulses applied", "number applied", "n applied", "applied pulses",
        "pulses per read", "pulses per step", "pulses per burst", "burst", "burst length",
        "pulses since last read", "pulses between reads", "n burst", "pulses per point")),
    "polarity": Quantity("SET or RESET, + or -", None, (
        "polarity", "direction", "operation", "op", "pulse type", "type", "sign", "set reset",
        "ltp ltd", "ltp or ltd", "set or reset", "pulse polarity", "p d", "pot dep",
        "potentiation depression"), words=True),
    "time": Quantity("time of the read", "s", (
        "time", "t", "elapsed", "elapsed time", "zeit", "delay", "retention time", "time after",
        "timestamp", "time stamp", "timestamps", "rel time", "relative time", "reltime",
        "test time", "meas time", "read time", "t read", "wait time", "clock", "date", "datetime",
        "date time", "time elapsed", "times", "bake time", "time since programming",
        "time after programming", "storage time", "aging time", "ageing time", "waiting time",
        "wait", "delay time", "t wait", "t ret", "t bake", "measurement time", "time of day",
        "utc", "local time", "record time", "epoch time", "unix time", "zeitstempel"),
        example="s"),
    "temperature": Quantity("temperature", "K", (
        "temperature", "temp", "tempearture", "t stage", "chuck temperature", "stage temperature",
        "bake temperature", "t bake temp", "t chuck", "temperatur", "t amb", "oven temperature",
        "ambient temperature", "anneal temperature", "t sample", "sample temperature"),
        example="degC"),
    "device": Quantity("which cell", None, (
        "device", "cell", "dut", "sample", "device id", "cell id", "dev", "device no",
        "device number", "bauteil", "address", "addr", "cell no", "cell number", "device name",
        "cell name", "cell address", "device index", "cell index", "zelle", "dev id", "rram",
        "memristor", "device label", "cell addr", "dev no", "synapse", "junction"), words=True),
    "row": Quantity("row of the cell; with its column: which cell", None, (
        "row", "wordline", "word line", "wl", "row index", "row no", "wl index", "row id",
        "row number", "wl no", "row addr", "row address", "cell row", "device row"), words=True),
    "column": Quantity("column of the cell", None, (
        "col", "column", "bitline", "bit line", "bl", "col index", "col no", "bl index",
        "column index", "col id", "column number", "bl no", "col addr", "column address",
        "cell col", "cell column", "device col"), words=True),
    "die": Quantity("die, chip or wafer of the cell", None, (
        "die", "chip", "wafer", "die id", "chip id", "wafer id", "module", "array", "tile",
        "macro", "die no", "chip no", "lot", "site", "subsite", "bank", "block"), words=True),
    "x": Quantity("place of the cell along x", None, (
        "x", "die x", "x die", "pos x", "x pos", "x coordinate", "chip x", "x index", "sl",
        "source line", "sourceline"), words=True),
    "y": Quantity("place of the cell along y", None, (
        "y", "die y", "y die", "pos y", "y pos", "y coordinate", "chip y", "y index"), words=True),
    "cycle": Quantity("number of the cycle, sweep or train", None, (
        "cycle", "repetition", "run", "loop", "sweep", "cycle no", "cycle number", "trial",
        "zyklus", "train", "cycles", "cycle index", "scan", "scan number", "sweep number",
        "sweep no", "number of cycles", "n cycles", "cycle count", "switching cycle",
        "endurance cycle", "endurance cycles", "cycle nr", "cycle num", "cycle id", "iteration",
        "epoch", "ramp", "curve", "sweep index", "loop number", "loop index", "run number",
        "switching cycles", "cyclenumber", "cycle idx", "n cycle", "trace", "of cycles",
        "no of cycles", "repeat index", "sweep id", "half cycle"), words=True),
    "repeat": Quantity("number of a repeated read of one state", None, (
        "repeat", "repeats", "read no", "read number", "read index", "repeat no", "rep",
        "read repeat", "repeated read", "read id", "repeat number", "read cycle", "read nr",
        "read count", "read num"), words=True),
    "branch": Quantity("branch of a sweep", None, (
        "branch", "sweep direction", "sweep branch", "segment", "sweep dir", "half sweep"),
        words=True),
    "state": Quantity("LRS or HRS", None, (
        "state", "lrs hrs", "on off", "bit", "resistance state", "zustand", "hrs lrs",
        "device state", "cell state", "memory state", "lrs or hrs", "logic state"), words=True),
    "level": Quantity("number of the level", None, (
        "level", "target level", "level index", "level no", "level number", "target index")),
}  # fmt: skip
"""In the order in which documents show them."""

WORDS = tuple(name for name, each in QUANTITIES.items() if each.words)
"""Columns that may hold words."""

UNITS = {name: each.unit for name, each in QUANTITIES.items() if each.unit}
"""SI unit of each quantity that has one."""

NAMED = {name: quantity for quantity in QUANTITIES for name in QUANTITIES[quantity].names}
"""Quantity of each name."""

NOUNS = {
    "voltage": "voltage", "v": "voltage", "volt": "voltage", "volts": "voltage", "u": "voltage",
    "potential": "voltage", "bias": "voltage", "voltages": "voltage", "spannung": "voltage",
    "current": "current", "i": "current", "currents": "current", "strom": "current",
    "conductance": "conductance", "g": "conductance", "conductances": "conductance",
    "leitwert": "conductance", "resistance": "resistance", "r": "resistance", "res": "resistance",
    "resistances": "resistance", "widerstand": "resistance", "temperature": "temperature",
    "temp": "temperature", "time": "time", "zeit": "time", "timestamp": "time", "times": "time",
}  # fmt: skip
"""Words that tell the quantity of a heading whatever else it says."""

NOT = frozenset({
    "range", "density", "ratio", "count", "max", "min", "std", "stdev", "err", "error", "sigma",
    "status", "offset", "noise", "norm", "normalized", "normalised", "step", "charge", "power",
    "capacitance", "median", "mean", "average", "avg", "variance", "var", "cov", "limit",
    "threshold", "th", "delta", "diff", "derivative", "slope", "fit", "fitted", "model",
    "simulated", "sim", "simulation", "window", "leakage", "gate", "vg", "vgs", "gs", "ig", "igs",
    "gm", "bulk", "substrate", "well", "frequency", "freq", "phase", "impedance", "energy",
    "tag", "mode", "type", "unit", "units", "name", "number", "index", "no", "num", "state",
    "reference", "counter", "ce", "vth", "vt", "change", "change%", "percent", "q", "rate",
    "start", "stop", "end", "ramp", "settling", "integration", "aperture", "hold", "period",
    "rise", "fall", "delay", "field", "area", "thickness", "d", "di", "dv", "dt", "dr", "sd",
    "success", "attempts", "pulses", "tries", "flag", "pass", "fail", "log",
})  # fmt: skip
"""Words with which a heading means something else than its noun."""

POLARITIES = {
    "ltp": "SET", "potentiation": "SET", "pot": "SET", "set": "SET", "potentiate": "SET",
    "ltd": "RESET", "depression": "RESET", "dep": "RESET", "reset": "RESET", "rst": "RESET",
    "depress": "RESET",
}  # fmt: skip
STATES = {"lrs": "LRS", "on": "LRS", "hrs": "HRS", "off": "HRS"}
BRANCHES = {"forward": "forward", "fwd": "forward", "backward": "backward", "bwd": "backward",
            "reverse": "backward", "rev": "backward", "back": "backward"}  # fmt: skip
BEFORE = frozenset({"before", "initial", "init", "pre", "fresh", "asprogrammed", "t0"})
MEASURED = ("conductance", "resistance", "current")
