"""Errors that parts of a layer are made with: drawn for each chip when first asked for, and always
the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from mho.hardware.philox import normals
from mho.hardware.streams import key

E = TypeVar("E", bound=NamedTuple)
"""Tensors that hold the errors."""


class OwnErrors(ABC, Generic[E]):
    """Errors of converters of one kind, by seed and chip alone."""

    kind: ClassVar[str]
    """Of the converters; part of the keys of their numbers."""

    def __init__(self) -> None:
        self._seed, self._chips = 0, range(0)
        self._made: dict[torch.device, E] = {}

    def belong_to(self, seed: int, chips: range) -> None:
        """Say whose they are: those of the same seed and chip are the same."""
        if (seed, chips) != (self._seed, self._chips):
            self._seed, self._chips, self._made = seed, chips, {}

    def on(self, device: torch.device) -> E:
        """Errors of all chips, on a device."""
        if device not in self._made:
            made = self._made.get(torch.device("cpu")) or self._drawn()
            self._made[torch.device("cpu")] = made
            self._made[device] = made._make(t.to(device) for t in made)
        return self._made[device]

    @abstractmethod
    def _drawn(self) -> E:
        """Errors of all chips, drawn."""

    def _normal(self, what: str, count: int) -> Float[Tensor, "chips n"]:
        """Standard normal numbers of each chip for one sort of error, float64."""
        keys = [key(self._seed, chip, self.kind, what) for chip in self._chips]
        return normals(keys, count, torch.device("cpu")).view(len(keys), count).double()
