"""`mho run`: one experiment, or all of them, into a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from mho.cli import names
from mho.cli.options import Argument, Option
from mho.cli.terminal import columns, say, tell, waiting
from mho.errors import invalid, unknown
from mho.files import check_output

OWN = ("rule", "network", "data")
"""What may be the user's own."""

TENSORBOARD = "tensorboard"

LINES, LINES_OF_SEVERAL = 22, 9
"""Lines of a result at the end of a run, and of each of several."""


@dataclass(frozen=True)
class Run:
    """Run a published system on simulated chips.

    mho list experiments says which systems there are.
    """

    name: Annotated[str, Argument("NAME", names.experiments_and_all)]
    """bmcnn, siamese, metaplastic, wires or sensitivity; all runs all of these but sensitivity."""
    preset: Annotated[str, Option("SIZE", complete=names.sizes)] = "quick"
    """Size of the run: quick (minutes), standard, or paper (hours)."""
    seed: Annotated[int | None, Option("N")] = None
    """Seed of everything random; if not given, that of the preset, 0."""
    chips: Annotated[int | None, Option("N")] = None
    """Simulated chips; if not given, as many as the preset has."""
    processor: Annotated[str | None, Option("WHERE", complete=names.processors)] = None
    """Where to compute: auto, cpu, cuda or cuda:N."""
    prices: Annotated[str | None, Option("LIST", complete=names.prices)] = None
    """Price list, of mho list prices or of a .toml file; if not given, that of the preset."""
    config: Annotated[Path | None, Option("FILE.toml")] = None
    """TOML file with settings that replace the preset's; config.toml of a run folder is one."""
    device_file: Annotated[Path | None, Option("FILE.toml")] = None
    """Preset of mho fit whose cell replaces that of the chips, before --set; siamese, metaplastic
    and sensitivity, as the others describe their cells themselves."""
    chip: Annotated[str | None, Option("ADDRESS")] = None
    """Train on the chip of an instrument, as mho serve-chip has one, at HOST:PORT, [::1]:6047 or
    unix:PATH; siamese alone, one network under one scheme. Settings chip.NAME say more. Its token:
    --set chip.token_file=FILE, or the environment variable MHO_CHIP_TOKEN."""
    set: Annotated[tuple[str, ...], Option("KEY=VALUE", complete=names.settings)] = ()
    """One setting, with dots between tables: --set hardware.adc_bits=6. mho list NAME --set shows
    all settings."""
    only: Annotated[str | None, Option("PART", complete=names.parts)] = None
    """Run one part alone: claims, schemes, a study, or a system of wires and sensitivity. mho list
    NAME names them."""
    scheme: Annotated[str | None, Option("NAME", complete=names.schemes)] = None
    """Run one scheme alone, of siamese or metaplastic: trained in full on all chips, and tested."""
    rule: Annotated[str | None, Option("FILE.py:NAME")] = None
    """Train under an update rule of your own, as one scheme; all but bmcnn, which writes each cell
    once."""
    network: Annotated[str | None, Option("FILE.py:NAME")] = None
    """Train a network of your own, in place of the perceptron, and of the binarized network; for
    metaplastic one with batch normalization, and with mho.nn.Gate where units are gated."""
    data: Annotated[tuple[str, ...], Option("DATA", complete=names.datasets)] = ()
    """Learn other data: a name of mho list datasets, a .npz file, a folder of images, or
    FILE.py:NAME, a function that gives them; of metaplastic several, tasks in turn."""
    log: Annotated[str | None, Option("WHERE", complete=names.loggers)] = None
    """Also give what is measured, as it comes, to tensorboard, in a folder of that name in the run
    folder; or to FILE.py:NAME, which gives an object with log(values, step) and close()."""
    out: Annotated[Path | None, Option("DIR")] = None
    """Run folder; if not given, runs/NAME-SIZE-SEED."""
    resume: bool = False
    """Continue the run in the folder, if there is one."""

    def run(self) -> None:
        """Run, print the claims, write the report."""
        from mho.experiments import processes

        with processes.joined() as this:
            configs, folders, digests, out = processes.by_first(self._plan)
            for config in configs.values():
                config.check_processes(this.count)
            for name, config in configs.items():
                self._run_one(name, config, folders[name], digests[name])
            if this.leads:
                _show(folders, out)

    def _plan(self) -> _Plan:
        """What is to be run and where; refuses what cannot work."""
        from mho import experiments
        from mho.experiments import EXPERIMENTS
        from mho.experiments.checkpoint import exists
        from mho.experiments.own_data import check_data
        from mho.results import id_of

        if self.name not in (*EXPERIMENTS, "all"):
            raise unknown("experiment", self.name, (*EXPERIMENTS, "all"))
        among_all = [name for name, experiment in EXPERIMENTS.items() if experiment.among_all]
        names = among_all if self.name == "all" else [self.name]
        of_one = ("config", "set", "device_file", "chip", "only", "scheme", *OWN)
        if self.name == "all" and (given := [each for each in of_one if getattr(self, each)]):
            flags = ", ".join(f"--{each.replace('_', '-')}" for each in given)
            allowed = f"one experiment where {flags} is given"
            raise invalid("name", "all", allowed)
        configs = {name: self._configure(name) for name in names}
        seed = next(iter(configs.values())).seed
        alone = self.only or (self.rule or "").rpartition(":")[2]
        alone = alone or next(iter(configs.values())).scheme
        part = f"-{id_of(alone)}" if alone else ""
        out = self.out or Path("runs") / f"{self.name}{part}-{self.preset}-{seed}"
        folders = {name: out / name if self.name == "all" else out for name in names}
        for name, folder in folders.items():
            check_output(folder, folder=True)
            begun = exists(folder) or (folder / "result.json").exists()
            if begun and not self.resume:
                allowed = "a new folder, or --resume to continue this run"
                raise invalid("out", str(folder), allowed)
            if not begun:
                with waiting(f"mho: trying the settings of {name} in small"):
                    experiments.get(name).check(configs[name])
            self._check_log(folder)
        digests = {name: check_data(config) for name, config in configs.items()}
        return _Plan(configs, folders, digests, out)

    def _with_own(self, config: Any) -> Any:
        """The settings with the user's own rule, network and data."""
        from mho.files.code import WANTED, is_code

        for what in OWN:
            if not (given := getattr(self, what)):
                continue
            if what != "data" and not is_code(given):
                raise invalid(what, given, WANTED)
            config = getattr(config, f"with_{what}")(given)
        return config

    def _run_one(self, name: str, config: Any, folder: Path, digests: dict[str, str]) -> None:
        """One run, or nothing where it is finished."""
        from mho.experiments import processes
        from mho.experiments.execution import execute, finished

        if not processes.by_first(lambda: self.resume and finished(folder, config, digests)):
            with self._logged(folder) as take:
                execute(name, config, folder, resume=self.resume, digests=digests, listener=take)
        elif processes.here().leads:
            tell(f"{name} finished earlier in {folder}")

    def _check_log(self, folder: Path) -> None:
        """Refuse what takes no numbers."""
        from mho.files.code import WANTED, is_code, load_code
        from mho.interchange import TensorBoard

        if self.log == TENSORBOARD:
            TensorBoard(folder / TENSORBOARD)
        elif self.log is not None:
            if not is_code(self.log):
                raise invalid("log", self.log, f"{TENSORBOARD}, or {WANTED}")
            load_code("log", self.log)

    @contextmanager
    def _logged(self, folder: Path) -> Iterator[Any]:
        """What takes the lines of a run as they come; None: nothing does."""
        from mho.experiments import processes
        from mho.files.code import call_code
        from mho.interchange import TensorBoard
        from mho.interchange.loggers import listener

        if self.log is None or not processes.here().leads:
            yield None
            return
        if self.log == TENSORBOARD:
            for before in (folder / TENSORBOARD).glob("events.out.tfevents.*"):
                before.unlink()  # all that is known is given anew
            logger: Any = TensorBoard(folder / TENSORBOARD)
        else:
            logger = call_code("log", self.log)
        take = listener(logger)
        try:
            yield take
        finally:
            logger.close()

    def _configure(self, name: str) -> Any:
        """The preset, with a file, then single settings, then options laid over it."""
        from mho import experiments
        from mho.experiments.settings import key_and_value, settings_of

        preset = experiments.get(name).preset(self.preset)
        settings = settings_of(
            name, preset, file=self.config,
            device_file=self.device_file, chip=self.chip,
            single=map(key_and_value, self.set),
        )  # fmt: skip
        options = {
            "seed": self.seed, "chips": self.chips, "processor": self.processor,
            "prices": self.prices, "only": self.only, "scheme": self.scheme,
        }  # fmt: skip
        given = {name: value for name, value in options.items() if value is not None}
        config = self._with_own(settings.over(given.items()).config(tell))
        config.torch_device()
        return config


class _Plan(NamedTuple):
    """Runs by the name of their experiment."""

    configs: dict[str, Any]
    folders: dict[str, Path]
    digests: dict[str, dict[str, str]]
    """SHA-256 of their data, by name."""
    out: Path
    """Folder of all of them."""


def _show(folders: dict[str, Path], out: Path) -> None:
    """The page, then what was found, on one screen."""
    from mho import report
    from mho.experiments.setup import write_page
    from mho.results import Result, load

    try:
        page = write_page(out)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"the run is finished; mho report {out} writes its page") from None
    lines = LINES if len(folders) == 1 else LINES_OF_SEVERAL
    for folder in folders.values():
        result, more = load(Result, folder / "result.json"), f"mho report {folder} --long"
        say(*report.outcome(result, width=columns() or 80, lines=lines, more=more))
    say(str(page))
