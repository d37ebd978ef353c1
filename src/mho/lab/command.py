"""The settings of a question as commands, and as the file that they read."""

from __future__ import annotations

from shlex import quote

from mho.lab.question import Question

FULL_SCALE = 10.0
"""Window of weights of the write-rarely system, in their standard deviations. With few levels a
narrower one, so that levels are at most two deviations apart: else all weights would be 0."""


def file_name(question: Question) -> str:
    """Name of the file of the device."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in question.name)
    return f"{kept.strip('.-') or 'device'}.toml"


def device_toml(question: Question) -> str:
    """The device as `mho fit` writes one, for `file_name`."""
    return question.device.to_toml()


def commands(question: Question) -> dict[str, str]:
    """Commands on the device's file, by what they do."""
    file, levels = file_name(question), question.hardware.levels
    given = {
        "tile": f"[{question.tile},{question.tile}]",
        "dac_bits": question.dac_bits,
        "adc_bits": question.adc_bits,
        "wire_resistance": question.wire_resistance,
        "weight_levels": levels,
        "full_scale": min(FULL_SCALE, levels - 1.0),
    }
    settings = " ".join(
        f"--set {quote(f'hardware.{name}={value}')}" for name, value in given.items()
    )
    return {
        "trains a network on such chips": f"mho run siamese --device-file {file} "
        f"--prices {question.prices} {settings}",
        "says what limits the device": f"mho try {file}",
    }
