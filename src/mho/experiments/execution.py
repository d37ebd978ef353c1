"""One run from its settings to its result, in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from mho import experiments
from mho.errors import invalid
from mho.experiments import processes, provenance
from mho.experiments.earlier import check_same
from mho.experiments.experiment import ExperimentConfig
from mho.experiments.own_data import check_data
from mho.experiments.progress import Progress
from mho.experiments.run import FINISHED, Listener, Run
from mho.experiments.sharing import SharingRun
from mho.files import check_sums, naming, read_text, write_bytes
from mho.files.code import code_in, file_of, own_code_named, text_of


def finished(folder: Path, config: ExperimentConfig, digests: Mapping[str, str]) -> bool:
    """Whether the folder holds the whole run with these settings.

    Args:
        folder: of the run.
        config: its settings.
        digests: SHA-256 of its data and code, as `check_data` gives them.

    Raises:
        ValueError: it holds another run, one on other data, or files that were changed since.
    """
    if not (folder / "result.json").exists():
        return False
    check_sums(folder, "result.json", *FINISHED)
    check_same(folder, read_text(folder / "config.toml"), config.to_toml())
    provenance.check_same_data(folder, digests)
    return True


def keep_code(folder: Path, config: ExperimentConfig) -> None:
    """Copy the files of the user's own code into the run folder: own/NAME-DIGEST.py."""
    for reference, digest in code_in(config.to_dict()).items():
        own = folder / "own" / f"{file_of(reference).stem}-{digest[:8]}.py"
        with naming(own):
            own.parent.mkdir(exist_ok=True)
        write_bytes(own, text_of(reference))


def execute(
    name: str,
    config: ExperimentConfig,
    folder: Path,
    *,
    resume: bool,
    digests: Mapping[str, str],
    progress: Progress | None = None,
    trainings: Path | None = None,
    place: Mapping[str, str] | None = None,
    listener: Listener | None = None,
) -> None:
    """Do a run, or the rest of it, and write its result.

    Args:
        name: of the experiment.
        config: its settings.
        folder: the run folder.
        resume: go on with the run in the folder, if there is one.
        digests: SHA-256 of its data, as `check_data` gives them.
        progress: shows how far it is; None: on standard error.
        trainings: folder of those that it shares with other runs; None: it makes all itself.
        place: where it is done, for `env.json`: the host and the engine of a sweep.
        listener: is given all that the run has logged and logs.

    Raises:
        KeyboardInterrupt: it was interrupted; a checkpoint is written.
        ValueError, OSError: as `Run`.
    """
    if not processes.here().leads and (own := check_data(config)) != digests:
        raise invalid("SHA-256 of the data in this process", own, f"{digests}, as in process 0")
    device = config.torch_device()
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    toml, experiment = config.to_toml(), experiments.get(name)
    if progress is None:
        progress = Progress(name, shown=processes.here().leads)
        progress.plan(experiment.trainings(config), in_all=not experiment.measures)
    if trainings is None:
        run = Run(folder, toml, resume=resume, title=name, progress=progress)
    else:
        run = SharingRun(folder, toml, resume=resume, title=name, progress=progress,
                         trainings=trainings)  # fmt: skip
    try:
        now = provenance.environment(device, config.seed, dict(digests)) | dict(place or {})
        if changed := processes.by_first(lambda: provenance.record(folder, now)):
            run.progress.note(f"not as the session before: {'; '.join(changed)}")
        processes.by_first(lambda: keep_code(folder, config))
        if listener is not None:
            run.listened_by(listener)
        kept = (
            f"{folder} is kept, and --resume goes on from its last checkpoint if the file is as it "
            "was; with a changed one start anew"
        )
        with run.interruptible(), own_code_named(kept):
            result = experiment.run(config, run)
        run.finish(result)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("go on with --resume") from None
    finally:
        run.close()
