"""`mho list`: what there is to choose from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from mho.cli import names
from mho.cli.listing import Listing
from mho.cli.names import SUBJECTS
from mho.cli.options import Argument
from mho.cli.terminal import columns, say
from mho.documented import first_sentence
from mho.errors import invalid, unknown

if TYPE_CHECKING:
    from mho.config import Config


@dataclass(frozen=True)
class List:
    """Show what there is to choose from, and what can be set.

    mho list alone says what can be listed. mho list NAME shows the parts of an experiment, and mho
    list NAME --set its settings.
    """

    what: Annotated[str, Argument("WHAT", names.listed)] = ""
    """experiments, studies, schemes, rules, mitigations, devices, dynamics, prices, datasets or
    layers; or the name of an experiment, a device, a dynamic model or a price list."""
    word: Annotated[str, Argument("WORD")] = ""
    """Show only rows with this word."""
    set: bool = False
    """Show the settings of an experiment or a device, as --set takes them: key, value, meaning."""
    long: bool = False
    """Show all that is known, in full."""
    json: bool = False
    """Print JSON, for programs."""

    def run(self) -> None:
        """Print a table."""
        listing = self._listing()
        if self.word:
            listing = listing.with_word(self.word)
            if not listing.rows:
                raise invalid("WORD", self.word, f"a word in a row of mho list {self.what}")
        elif self.set and not self.long and not self.json:
            listing = _in_short(self.what, listing)
        if self.json:
            say(listing.json())
        else:
            say(listing.in_full(columns()) if self.long else listing.table(columns()))

    def _listing(self) -> Listing:
        if not self.what:
            rows = [*SUBJECTS.items(), *names.EXPERIMENTS.items()]
            after = ["mho list NAME shows the parts of an experiment; --set, --long and --json "
                     "show more."]  # fmt: skip
            return Listing(("what", "is"), rows, after=after)
        if self.set:
            from mho.physics.devices import PRESETS

            if (preset := PRESETS.get(self.what)) is not None:
                return _settings(preset.cell, "hardware.device.")
            return _settings(_record(self.what))
        tables: dict[str, Callable[[bool], Listing]] = {
            "experiments": _experiments, "studies": _studies, "schemes": _schemes,
            "rules": _rules, "mitigations": _mitigations, "devices": _devices,
            "dynamics": _dynamics, "prices": _prices, "datasets": _datasets, "layers": _layers,
        }  # fmt: skip
        if self.what in tables:
            return tables[self.what](self.long)
        if self.what in names.EXPERIMENTS:
            return _parts(self.what)
        return _settings(_record(self.what))


def _record(name: str) -> Config:
    """The settings of an experiment, a device, a dynamic model or a price list."""
    from mho.experiments import EXPERIMENTS
    from mho.hardware.price_lists import PRICES
    from mho.physics.devices import PRESETS
    from mho.physics.dynamics import MODELS

    if name in EXPERIMENTS:
        return EXPERIMENTS[name].preset("quick")
    for table in (PRESETS, MODELS, PRICES):
        if name in table:
            return table[name]
    known = [*EXPERIMENTS, *PRESETS, *MODELS, *PRICES]
    raise unknown("name of what is listed", name, [*SUBJECTS, *known])


def _experiments(_long: bool) -> Listing:
    from mho.experiments import EXPERIMENTS

    rows = [
        (name, ", ".join(EXPERIMENTS[name].presets), what)
        for name, what in names.EXPERIMENTS.items()
    ]
    return Listing(("name", "presets", "what"), rows, short=("name", "what"))


def _parts(name: str) -> Listing:
    """What an experiment is made of."""
    from mho.experiments import EXPERIMENTS

    experiment = EXPERIMENTS[name]
    quick = experiment.preset("quick")
    kinds = {
        "parts, for --only": quick.parts_there(),
        "schemes, for --scheme": quick.all_schemes,
    }
    rows = [
        ("what", names.EXPERIMENTS[name]),
        ("presets", ", ".join(experiment.presets)),
        *((kind, ", ".join(each)) for kind, each in kinds.items() if each),
        ("settings", f"{len(quick.settings())}; mho list {name} --set shows them"),
    ]
    return Listing(("part", "of " + name), rows)


def _settings(record: Config, prefix: str = "") -> Listing:
    """Every setting, and its value in the preset quick; below a table, what could stand in its
    place, and the settings of that."""
    from mho.choices import choices

    others: dict[str, list[dict[str, str]]] = {}
    for key, at, kind, value, what in choices(record, prefix):
        of, own = f"{at}={kind}", what if key == f"{at}={kind}" else f"of {kind}: {what}"
        row = {"setting": key, "value": value, "what": own.replace(UNITLESS, ""), "of": of}
        others.setdefault(at, []).append(row)
    records = [
        {"setting": key, "value": value, "what": what.replace(UNITLESS, "")}
        for key, value, what in record.settings(prefix)
    ]
    for at in sorted(others, key=lambda at: -at.count(".")):  # what is within a table comes first
        named = (f"{each['setting']}." for each in records)
        last = max(n for n, name in enumerate(named) if name.startswith(f"{at}."))
        records[last + 1 : last + 1] = others[at]
    rows = [(each["setting"], each["value"], each["what"]) for each in records]
    return Listing(("setting", "value", "what"), rows, records)


def _in_short(name: str, whole: Listing) -> Listing:
    """Settings in a line each, of experiments those of tables within tables left out."""
    from mho.experiments import EXPERIMENTS

    rows = [
        (key, value if len(value) <= MOST else f"{value[: MOST - 3]}...", first_sentence(what))
        for (key, value, what), record in zip(whole.rows, whole.records, strict=True)
        if name not in EXPERIMENTS or (key.count(".") <= DEEPEST and "of" not in record)
    ]
    left = len(whole.rows) - len(rows)
    more = f"; also the {left} in tables within tables and of other kinds" if left else ""
    after = [
        f"mho list {name} WORD --set shows all with a word in their name, mho list {name} --set "
        f"--long all in full{more}."
    ]
    return Listing(whole.columns, rows, after=after, cut=True)


MOST = 14
"""Characters of a value in a short table."""
DEEPEST = 1
"""Tables that a setting is in, in a short table."""
UNITLESS = " [1]"
"""Unit of what has none."""


def _studies(_long: bool) -> Listing:
    from mho.experiments import EXPERIMENTS

    rows = [
        (study, name, what)
        for name, experiment in EXPERIMENTS.items()
        for study, what in experiment.studies.items()
    ]
    return Listing(("study", "of", "what"), rows)


def _mitigations(_long: bool) -> Listing:
    from mho.experiments.bmcnn.mitigation import PARTS

    rows = [
        (name, "before mapping" if part.act is None else "on mapped chips",
         "yes" if part.measures else "no", "yes" if part.labels else "no", part.what)
        for name, part in PARTS.items()
    ]  # fmt: skip
    names = ("part", "when", "calibration images", "labels", "what")
    after = ['Parts compose: "placement + 2 copies + batch norm".']
    return Listing(names, rows, after=after, short=("part", "when", "what"))


def _schemes(_long: bool) -> Listing:
    from mho.experiments.siamese.schemes import SCHEMES

    return Listing(("scheme", "what is written"), [(n, each.what) for n, each in SCHEMES.items()])


def _rules(_long: bool) -> Listing:
    from mho.experiments.metaplastic.schemes import SCHEMES

    rows = [(name, each.what) for name, each in SCHEMES.items()]
    return Listing(("scheme", "what protects old tasks"), rows)


def _devices(_long: bool) -> Listing:
    from mho.card.numbers import known, numbers
    from mho.physics.devices import PRESETS

    rows = []
    for name, preset in PRESETS.items():
        cell = preset.device
        assert cell is not None
        told = dict(numbers(preset))
        rows.append((name, str(cell.states), told["window"].partition(", ")[0],
                     told["endurance"].removesuffix(" pulses"), told.get("spread", ""), cell.doi,
                     ", ".join(known(preset)) or "-"))  # fmt: skip
    records = [{"name": name, **preset.to_dict()} for name, preset in PRESETS.items()]
    named = ("name", "levels", "window", "endurance", "spread", "DOI", "known besides")
    after = ["mho show NAME shows one, mho list NAME --set its numbers as settings."]
    return Listing(named, rows, records, after,
                   short=("name", "levels", "window", "endurance", "known besides"))  # fmt: skip


def _dynamics(_long: bool) -> Listing:
    from mho.physics.dynamics import MODELS

    rows = [
        (name, model.family, f"{model.read_voltage:g}", model.doi,
         "not given" if model.interval is None else "given")
        for name, model in MODELS.items()
    ]  # fmt: skip
    records = [{"name": name, **model.to_dict()} for name, model in MODELS.items()]
    named = ("name", "model", "read at [V]", "DOI", "noise of cycles")
    short = ("name", "model", "read at [V]", "noise of cycles")
    return Listing(named, rows, records, short=short)


def _datasets(_long: bool) -> Listing:
    from mho.data import SOURCES as DATA

    rows = [(name, each.title, each.doi or each.home, each.licence) for name, each in DATA.items()]
    return Listing(("name", "what", "DOI or home", "licence"), rows,
                   short=("name", "what", "licence"))  # fmt: skip


def _prices(_long: bool) -> Listing:
    from mho.hardware.price_lists import PRICES

    records = [{"name": name, **prices.to_dict()} for name, prices in PRICES.items()]
    settings = {name: prices.settings() for name, prices in PRICES.items()}
    keys = [
        key for key, _, _ in next(iter(settings.values())) if key not in ("note", "assumptions")
    ]
    rows = [
        (name, *(value for key, value, _ in settings[name] if key in keys),
         first_sentence(prices.note))
        for name, prices in PRICES.items()
    ]  # fmt: skip
    after = ["mho show NAME says what each number is, and where it comes from."]
    return Listing(("name", *keys, "what"), rows, records, after, short=("name", "what"))


def _layers(_long: bool) -> Listing:
    from mho.learning.twins import TWINS, TWINS_BY_NAME

    rows = [(f"torch.nn.{kind.__name__}", twin.__name__) for kind, twin in TWINS.items()]
    rows += [(name, twin.__name__) for name, twin in TWINS_BY_NAME.items()]
    return Listing(("layer", "on arrays"), rows, after=[
        "mho.coverage(net) says which layers of a network are converted, and why others stay."
    ])  # fmt: skip
