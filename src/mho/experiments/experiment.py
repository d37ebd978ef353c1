"""What the experiments share: settings, seeded models, plain measurements."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeVar

import torch
from torch import Tensor, nn

import mho
from mho.config import Config, Range, naming_paths, over
from mho.data import Samples, batches, shifted
from mho.errors import InvalidInput, invalid, unknown
from mho.experiments import processes
from mho.experiments.device import DEVICE, Asks, apart, asks, is_preset, refined
from mho.experiments.earlier import by_names_of_today, current, meant_now, moved, renamed
from mho.files import parse_toml
from mho.files.code import is_code
from mho.hardware import price_lists
from mho.hardware.prices import Prices
from mho.physics import Cell, Preset

M = TypeVar("M", bound=nn.Module)
C = TypeVar("C", bound="ExperimentConfig")

N = TypeVar("N", int, float)

PRESET_NAMES = ("quick", "standard", "paper")

UNITS = 24
"""Units of each layer of a run in small: enough that some answer to any image."""
FEW = 3
"""Images of each class of one."""
SLOW = 1e-3
"""Largest learning rate of one, so that it does not diverge."""


class Asked(NamedTuple):
    """So many samples of each class, or all, as a setting asks for them."""

    setting: str
    data: str
    split: str
    per_class: int | None


class ExperimentConfig(Config):
    """Settings that every experiment has."""

    family: ClassVar[str] = ""
    device_key: ClassVar[str] = ""
    """Setting that holds a cell which other settings follow, with dots between tables; empty: there
    is none."""
    all_schemes: ClassVar[tuple[str, ...]] = ()
    """Schemes that can be run alone."""
    all_studies: ClassVar[tuple[str, ...]] = ()
    """Studies that can be run alone."""

    preset: Literal["quick", "standard", "paper"] = "quick"
    """Preset that the settings began from."""
    seed: Annotated[int, Range(least=0, below=2**31)] = 0
    """Seed of everything random in the run."""
    chips: Annotated[int, Range(least=1, most=10_000)] = 1
    """Simulated chips [1]."""
    processor: str = "auto"
    """Where to compute, as torch names it: cpu, cuda or cuda:1; auto takes CUDA if it is there."""
    threads: Annotated[int, Range(least=1, most=256)] | None = None
    """Threads of torch on the CPU [1]; None: torch's own choice."""
    prices: str | Prices = "hfo2-130nm"
    """Price list of mho list prices, or a TOML file of one, whose content is taken."""
    only: str | None = None
    """One part of the run alone: claims, schemes, a study, or a system; mho list NAME names them.
    None: all. Then `studies`, `schemes` and `systems` are those of that part."""
    scheme: str | None = None
    """One scheme alone, trained in full on all chips and tested; mho list NAME names them, and
    FILE.py:NAME is one with a rule of your own. None: all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.only is not None:
            if self.only not in self.parts_there():
                raise unknown(f"part of {self.family}", self.only, self.parts_there())
            if self.scheme is not None:
                raise invalid("only", self.only, "nothing with a scheme: each is one thing alone")
            for name, value in self.narrowed(self.only).items():
                object.__setattr__(self, name, value)
        if self.scheme is not None:
            if not self.all_schemes:
                raise invalid("scheme", self.scheme, f"nothing: {self.family} has no schemes")
            if self.scheme not in self.all_schemes and not is_code(self.scheme):
                meant = meant_now(self.scheme, self.family)
                raise unknown(f"scheme of {self.family}", self.scheme, self.all_schemes, meant)
            for name in ("schemes", "studies"):
                object.__setattr__(self, name, ())
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.processor):
            name = f"{type(self).__name__}.processor"
            raise invalid(name, self.processor, "'auto', 'cpu', 'cuda' or 'cuda:N'")
        found = price_lists.get(self.prices)
        if isinstance(self.prices, str) and self.prices not in price_lists.PRICES:
            object.__setattr__(self, "prices", found)

    def parts_there(self) -> tuple[str, ...]:
        """Parts that can be run alone: what is claimed, all schemes compared, a study."""
        compared = ("schemes",) if self.all_schemes else ()
        return ("claims", *compared, *self.all_studies) if self.all_studies else ()

    def narrowed(self, part: str) -> dict[str, Any]:
        """Settings that leave nothing but a part."""
        alone: dict[str, Any] = {"studies": (part,) if part in self.all_studies else ()}
        if self.all_schemes:
            alone["schemes"] = getattr(self, "schemes", ()) if part == "schemes" else ()
        return alone

    @property
    def claims(self) -> bool:
        """Whether what is claimed is trained."""
        return self.scheme is None and self.only in (None, "claims")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build the settings from a nested dictionary; missing fields keep their defaults, and
        schemes may have the names of an earlier version.

        Raises:
            ValueError: also where a setting has the name of an earlier version; the message says
                where it is now.
        """
        for name, place in moved(data, cls.family):
            raise InvalidInput(f"unknown field of {cls.__name__} {name!r}: it is now {place!r}")
        return super().from_dict(by_names_of_today(data, cls.family))

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read the settings from TOML text, of this version or an earlier one."""
        return cls.from_dict(current(parse_toml(text, cls.__name__), cls.family))

    @property
    def datasets(self) -> tuple[str, ...]:
        """Data sets that the run needs."""
        return ()

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Samples of each class that the settings ask for."""
        return ()

    def check_batch(self) -> None:
        """Refuse batches that do not suit the number of training samples.

        Raises:
            ValueError: as said.
        """

    def torch_device(self) -> torch.device:
        """The processor as torch's device, that of this process where there are several.

        Raises:
            ValueError: CUDA is asked for and is not there, or processes would share one device.
        """
        if self.processor == "auto":
            there = "cuda" if torch.cuda.is_available() else "cpu"
            return processes.here().device(torch.device(there))
        device, there = torch.device(self.processor), torch.cuda.device_count()
        if device.type == "cuda" and (device.index or 0) >= there:
            allowed = f"'cpu' or 'auto': this torch sees {there} CUDA devices"
            raise invalid("processor", self.processor, allowed)
        return processes.here().device(device)

    def check_processes(self, count: int) -> None:
        """Refuse what so many processes cannot do together; asked in each of them.

        Raises:
            ValueError: as said.
        """
        self.torch_device()

    def in_small(self) -> Self:
        """The same settings for a run of seconds: small networks, few images, one epoch, and of
        values that are compared the smallest and the largest."""
        return self.replace(chips=1, processor="cpu")

    def with_rule(self, reference: str) -> Self:
        """The same run under an update rule of the user's own, as its one scheme.

        Raises:
            ValueError: it is none, or no rule has a part in this experiment.
        """
        if not self.all_schemes:
            allowed = (
                f"nothing: {self.family} trains its network first and then writes each cell once; "
                "siamese and metaplastic train on their arrays"
            )
            raise invalid("rule", reference, allowed)
        if self.scheme is not None:
            allowed = "nothing with --scheme: a rule is a scheme of its own"
            raise invalid("rule", reference, allowed)
        return self.replace(scheme=reference)

    def with_network(self, reference: str) -> Self:
        """The same run with a network of the user's own in place of that which is trained.

        Raises:
            ValueError: it cannot stand in its place.
        """
        raise invalid("network", reference, f"nothing: {self.family} takes none")

    def with_data(self, names: tuple[str, ...]) -> Self:
        """The same run on other data, each by name, file, folder or the user's own code.

        Raises:
            ValueError: this experiment does not take so many.
        """
        if len(names) != 1:
            allowed = f"one data set for {self.family}; metaplastic learns several in turn"
            raise invalid("data", names, allowed)
        return self.merged({"data": names[0]})

    def part(self, system: C) -> C:
        """The settings of a system that this run is about, with the run's seed, processor and
        prices."""
        return system.replace(seed=self.seed, processor=self.processor, prices=self.prices)

    def laid_over(self, steps: Iterable[Mapping[str, Any]]) -> tuple[Self, list[str]]:
        """The settings with others laid over them, and what changed with another device, or goes by
        another name today, in words.

        What came with the former device follows the new one (`on_device`), but for what is set by
        hand: in one of the steps, before the device or after it.

        Args:
            steps: tables of settings, the later over the earlier; `device_file` in one is a
                preset of `mho fit`, or its path.

        Raises:
            ValueError: a setting is unknown or its value not allowed; the message names both.
        """
        own: list[dict[str, Any]] = [dict(step) for step in steps]
        for step in own:
            if (given := step.get("preset", self.preset)) != self.preset:
                allowed = f"{self.preset!r}, as the other settings are; --preset {given} takes all"
                raise invalid(f"{type(self).__name__}.preset", given, allowed)
        laid: dict[str, Any] = {}
        notes: list[str] = []
        for name in type(self).__dataclass_fields__:
            part = getattr(self, name)
            if isinstance(part, ExperimentConfig):
                of_part = [step.pop(name) for step in own if isinstance(step.get(name), Mapping)]
                if of_part:
                    laid[name], told = part.laid_over(of_part)
                    notes += [f"{name}: {each}" for each in told]
        for step in own:
            for name, now in renamed(step, self.family).items():
                notes.append(f"the scheme {name!r} is now called {now!r}")
        asked, by_hand = self._asked(own)
        if asked is None:
            config = self.merged(by_hand)
        else:
            config, told = self._on(asked, by_hand)
            notes += [f"{asked.source}: {each}" for each in told]
        return (config.replace(**laid) if laid else config), notes

    def _asked(self, steps: Iterable[dict[str, Any]]) -> tuple[Asks | None, dict[str, Any]]:
        """The device that steps ask for, None: the one that there is; and all else, as one table.

        Steps on fields of the device are part of it, but for those before one that gives a whole
        device.
        """
        given: Asks | None = None
        fields: dict[str, Any] = {}
        by_hand: dict[str, Any] = {}
        for step in steps:
            if (file := step.pop(DEVICE, None)) is not None:
                given, fields = asks(DEVICE, file), {}
            value, rest = apart(step, self.device_key)
            by_hand = over(by_hand, rest)
            if isinstance(value, Mapping) and not is_preset(value):
                fields = over(fields, value)
            elif value is not None:
                given, fields = asks(self.device_key, value), {}
        if fields:
            with naming_paths(type(self)):
                found = refined(given.device if given else self.device_now, fields)
            given = Asks(self.device_key, given.source if given else self.device_key, found)
        return given, by_hand

    def _on(self, asked: Asks, by_hand: Mapping[str, Any]) -> tuple[Self, list[str]]:
        """On a device that was asked for, which a refusal names where it is at fault."""
        try:
            return self.on_device(asked.device, by_hand)
        except ValueError as error:
            try:
                self.on_device(asked.device)
            except ValueError:
                raise asked.refused(error) from error
            raise

    @property
    def device_now(self) -> Cell:
        """The device of these settings, where they have a `device_key`."""
        found: Any = self
        for name in self.device_key.split("."):
            found = getattr(found, name)
        return found

    def on_device(
        self, device: Preset | Cell, by_hand: Mapping[str, Any] | None = None
    ) -> tuple[Self, list[str]]:
        """The same run on the memristors of a preset, which has a cell, and what has changed with
        them or takes no part, in words.

        Args:
            device: the preset, or the run's own cell with some of its fields changed.
            by_hand: further settings, which are laid over it and do not follow the device.

        Raises:
            ValueError: the cells do not suit, or are no setting of this experiment.
        """
        raise InvalidInput(
            f"{self.family} has its own settings for cells, see mho list {self.family}; siamese, "
            "metaplastic and sensitivity take cells from a file"
        )

    def on_instrument(self, address: str) -> Self:
        """The same run on the chip of an instrument at HOST:PORT.

        Raises:
            ValueError: this experiment has none.
        """
        raise invalid("chip", address, f"nothing: {self.family} runs on simulated chips")


def narrow(layers: tuple[int, ...]) -> tuple[int, ...]:
    """Units of layers in a run in small, whatever they are in the whole."""
    return (UNITS,) * len(layers)


def ends(values: tuple[N, ...]) -> tuple[N, ...]:
    """The smallest and the largest of some values, as a run in small compares them."""
    return tuple(value for value in values if value in (min(values), max(values)))


def seeded(seed: int, make: Callable[[], M]) -> M:
    """Make a model whose initial weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def plain_accuracy(
    net: nn.Module, samples: Samples, device: torch.device, *, flat: bool = True
) -> float:
    """Accuracy in [0, 1] of a network without a chip dimension, on samples as rows or as they
    are."""
    images = samples.flat if flat else samples.inputs
    pair = (images.to(device), samples.labels.to(device))
    return mho.evaluate(net, batches(pair, 1000, seed=None))[0].item()


def check_loss(loss: Tensor, training: str, step: int, rate: str) -> None:
    """Stop a training whose loss is no number any more; the checkpoint before it stays.

    Args:
        loss: of one step.
        training: which training, in words.
        step: which step of it, from 0.
        rate: the setting to look at first, with its value.

    Raises:
        ValueError: the loss is not finite.
    """
    value = loss.item()
    if not math.isfinite(value):
        raise InvalidInput(
            f"{training} has diverged: the loss of step {step + 1} is {value}; a smaller {rate} "
            "usually helps"
        )


def moved_images(x: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Training samples, each moved by up to so many pixels if they are images (n, channels, height,
    width); others as they are."""
    return shifted(x, pixels, generator) if x.dim() == 4 else x


def in_parts(inputs: Tensor, most: int) -> tuple[Tensor, ...]:
    """Inputs in batches of at most so many, of equal size but for one."""
    return inputs.tensor_split(-(-len(inputs) // most))


def imperfect(hardware: mho.Hardware, what: str, value: float) -> mho.Hardware:
    """The same chips with one of their cells' imperfections taken anew, as even as can be.

    Args:
        what: name of the imperfection, see `Cell.imperfections`.
        value: how much of it.
    """
    without = hardware.device.with_imperfection(what, 0.0)
    return hardware.replace(device=without.with_imperfection(what, value))


class Lap:
    """Counts and lists that belong to the state of a training."""

    def __init__(self) -> None:
        self.rows: dict[str, list[float | None]] = {}
        self.counts: dict[str, int] = {}

    def add(self, name: str, value: int) -> None:
        """Add to a count."""
        self.counts[name] = self.counts.get(name, 0) + value

    def take(self, name: str) -> int:
        """A count, set back to 0."""
        return self.counts.pop(name, 0)

    def append(self, name: str, value: float | None) -> None:
        """Append to a list; None: not measured."""
        self.rows.setdefault(name, []).append(value)

    def state_dict(self) -> dict[str, Any]:
        """Both, as plain values."""
        return {"rows": {k: list(v) for k, v in self.rows.items()}, "counts": dict(self.counts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them back."""
        self.rows = {k: list(v) for k, v in state["rows"].items()}
        self.counts = dict(state["counts"])


class Feed:
    """Training batches by step number, over all epochs; the order depends on the seed alone."""

    def __init__(
        self, images: Tensor, labels: Tensor, batch: int, seed: int, device: torch.device
    ) -> None:
        self._data = (images.to(device), labels.to(device))
        self._batch, self._seed = batch, seed
        self._epoch, self._batches = 0, batches(self._data, batch, seed=seed)
        self.images, self.device = len(labels), device
        """Images in one epoch, and where they are."""
        self.epoch_steps = len(self._batches)
        """Steps in one epoch."""

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and labels of a step, counted from the start of training."""
        epoch, at = divmod(step, self.epoch_steps)
        if epoch != self._epoch:
            self._epoch = epoch
            self._batches = batches(self._data, self._batch, seed=self._seed, epoch=epoch)
        return self._batches.at(at)

    def ends_epoch(self, step: int) -> bool:
        """Whether a step is the last one of its epoch."""
        return (step + 1) % self.epoch_steps == 0

    def sample(self, n: int) -> Tensor:
        """The first n training inputs, for calibration."""
        return self._data[0][:n]
