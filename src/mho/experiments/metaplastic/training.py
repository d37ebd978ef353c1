"""One training: tasks one after another, or at once, on one chip, with what they wrote and wore."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import replace
from operator import attrgetter
from statistics import fmean
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

import mho
from mho.data import Task, batches
from mho.experiments.account import account
from mho.experiments.experiment import Lap, check_loss, in_parts, seeded
from mho.experiments.metaplastic.config import MetaplasticConfig, Network
from mho.experiments.metaplastic.network import chips, network, optimizers, states, widths
from mho.experiments.metaplastic.phases import Mixed, Phase, phases
from mho.experiments.metaplastic.schemes import Setting, scheme_of
from mho.experiments.processes import backward
from mho.experiments.run import Run
from mho.experiments.trainings import Training
from mho.files.code import code_in
from mho.hardware.streams import derived_seed

CALIBRATION = 1000
"""Images that the converters are calibrated on, in each batch that refreshes statistics."""
SETTLED = (3, 10, 30)
"""Steps into a task after which converters are calibrated again, as its statistics settle."""
FEW = 3
"""Tasks up to which accuracies are measured after every epoch."""


class Job(NamedTuple):
    """One training."""

    scheme: str
    tasks: tuple[Task, ...]
    config: MetaplasticConfig
    """Settings of this training: those of the run, or changed ones."""
    chip: int = 0
    network: Network = "mlp"
    tested: bool = False
    """Whether the test images are used, at the end."""
    one_state: bool = False
    """Whether all tasks share one batch normalization, whatever the scheme."""


def learn(run: Run, job: Job) -> dict[str, Any]:
    """Learn the tasks of a job and measure all of them; accuracies in percent."""
    return _apart(run, job) if scheme_of(job.scheme).apart else Learner(run, job).learn()


def trainings(job: Job) -> list[Training]:
    """What the trainings of a job depend on: one, or one for each task."""
    if scheme_of(job.scheme).apart:
        return [training(job._replace(tasks=(task,))) for task in job.tasks]
    return [training(job)]


def training(job: Job) -> Training:
    """What one training depends on: of the rules, on what its scheme decides by."""
    config, scheme = job.config, scheme_of(job.scheme)
    names = ["per_class", "epochs", "batch", "transfer", "threshold", "calibrate_every",
             "refreshed", "pause", "rules.hidden_bits"]  # fmt: skip
    names += ["hidden"] if job.network == "mlp" else ["cnn.channels", "cnn.dense"]
    own = scheme.descent and scheme.descent(config.rules)
    names += ["rate"] if own is None or own.digital_rate is None else []
    names += [f"rules.{name}" for name in scheme.decides_by]
    names += [scheme.gates] if scheme.gates else []
    named = {"scheme": job.scheme, "network": config.network if job.network == "mlp" else None}
    return Training.of(
        config, *names, data=tuple(task.dataset for task in job.tasks), scheme=job.scheme,
        network=job.network, chip=job.chip, one_state=job.one_state,
        hardware=chips(config.hardware, scheme, config.rules),
        tasks=[_said(task) for task in job.tasks], code=code_in(named),
    )  # fmt: skip


def initial(job: Job) -> nn.Module:
    """The network of a job before its first step, not on its chip yet."""
    config, scheme = job.config, scheme_of(job.scheme)
    seed = derived_seed(config.seed, "metaplastic", job.chip)
    return seeded(seed, lambda: network(config, job.network, scheme, job.tasks))


def starts(config: MetaplasticConfig) -> list[nn.Module]:
    """The network before its training, in small."""
    return [initial(Job("no protection", mho.data.sequential(config.tasks), config.in_small()))]


def _said(task: Task) -> dict[str, Any]:
    """What a task is, but for its data, as plain values."""
    values = {name: value for name, value in vars(task).items() if name != "dataset"}
    return {name: value for name, value in values.items() if value is not None}


def _falling(plan: list[Phase], step: int) -> float:
    """Factor of the learning rate: along a cosine from 1 to 0 in each phase."""
    phase = next((p for p in plan if step < p.end), plan[-1])
    return (1 + math.cos(math.pi * (step - phase.start) / (phase.end - phase.start))) / 2


def _apart(run: Run, job: Job) -> dict[str, Any]:
    """A network for each task: accuracies side by side; ledger and histograms are the first's."""
    alone = [
        run.once(task.name, lambda t=task: Learner(run, job._replace(tasks=(t,))).learn())
        for task in job.tasks
    ]
    out = alone[0] | {"tasks": [task.name for task in job.tasks], "in_turn": False}
    for block in ("held_out", "test") if job.tested else ("held_out",):
        out[block] = {"told": [o[block]["told"][0] for o in alone]}
    for entry in ("cells", "weights", "programming_energy", "values_for_tasks"):
        out[entry] = sum(o[entry] for o in alone)
    for entry in ("max_writes", "max_pulses", "endurance_used", "writes_999"):
        out[entry] = max(o[entry] for o in alone)
    return out | {"mean_writes": fmean(o["mean_writes"] for o in alone)}


class Learner:
    """A network on its chip, what it keeps for each task, and what was measured so far."""

    def __init__(self, run: Run, job: Job) -> None:
        self.run, self.job = run, job
        self.config = config = job.config
        self.scheme = scheme = scheme_of(job.scheme)
        self.one_state = scheme.one_state or job.one_state
        self.device = config.torch_device()
        self.seed = derived_seed(config.seed, "metaplastic", job.chip)
        model = initial(job).to(self.device)
        generator = torch.Generator().manual_seed(self.seed)
        hardware = chips(config.hardware, scheme, config.rules)
        self.net = mho.convert(model, hardware, generator=generator, first_chip=job.chip)
        rules = scheme.rules(Setting(config.rules, config.batch, self.seed))
        every = config.transfer // config.batch
        pauses = [mho.rules.Every(every)] if every > 1 else []
        # Where the scheme has a full scale of its own, weights settle beyond it, and may.
        widen = 0.05 if scheme.weights is None else 1.0
        self.write = mho.WriteStep(
            self.net, rules=rules, threshold=config.threshold, policies=pauses, widen=widen
        )
        self.optimizers = optimizers(config, self.net, scheme)
        self.write.attach(self.optimizers[0])
        self.states = mho.tasks.TaskStates(self.net)
        self.recognizer = mho.tasks.TaskRecognizer(widths(config, job.tasks)[0])
        self.history = Lap()

    def learn(self) -> dict[str, Any]:
        """Learn all tasks, then measure them."""
        job, history, scheme = self.job, self.history, self.scheme
        plan = phases(self.config, job.tasks, scheme.joint)
        schedules = [
            torch.optim.lr_scheduler.LambdaLR(each, lambda step: _falling(plan, step))
            for each in self.optimizers
        ]
        state = {
            "net": self.net, "write": self.write, "states": self.states,
            "recognizer": self.recognizer, "history": history,
        }  # fmt: skip
        for which, optimizer, schedule in zip(
            ("", "digital "), self.optimizers, schedules, strict=False
        ):
            state |= {f"{which}optimizer": optimizer, f"{which}schedule": schedule}
        self.net.train()
        phase = feed = None
        kept = ("net", "states", "recognizer", "history")
        for step in self.run.steps("train", plan[-1].end, state, keep=kept, of=training(job)):
            if phase is None or feed is None or step >= phase.end:
                phase = next(p for p in plan if step < p.end)
                feed = phase.feed(self.config, self.seed, self.device)
            if step == phase.start:
                self._begin(phase)
            since = step - phase.start
            if since in SETTLED or since % self.config.calibrate_every == 0:
                mho.calibrate(self.net, feed.sample(CALIBRATION))
            x, y = feed.at(since)
            loss = backward(self.net, x, y)
            check_loss(loss, self._name(phase), step, self._rates())
            for optimizer, schedule in zip(self.optimizers, schedules, strict=True):
                optimizer.step()
                schedule.step()
            history.add("written", self.write().weights)
            if step + 1 == phase.end:
                self._end(phase, feed)
            if phase.ends_epoch(step):
                self._note(phase, step)
        outcome: dict[str, Any] = {
            "tasks": [task.name for task in job.tasks],
            "epochs": self.config.epochs,
            "history": history.rows,
            "held_out": self._measure("validation"),
            "values_for_tasks": self._kept(),
            "in_turn": not scheme.joint,
            "states": states(chips(self.config.hardware, scheme, self.config.rules)),
            "stored": [name for rule in self.write.rules for name in rule.stored],
        }
        if job.tested:
            outcome["test"] = self._measure("test")
        return outcome | account(self.net, self.config.prices)

    def _name(self, phase: Phase) -> str:
        """The training in words."""
        tasks = " and ".join(task.name for task in phase.tasks)
        return f"training {self.job.network}, {self.job.scheme}, chip {self.job.chip}, on {tasks}"

    def _rates(self) -> str:
        """The learning rate in words."""
        if self.scheme.descent is not None:
            own = self.scheme.descent(self.config.rules)
            return f"{own.setting}.rate (it is {own.rate:g})"
        return f"rate (it is {self.config.rate:g})"

    def _begin(self, phase: Phase) -> None:
        """A new task: a fresh optimizer and, unless all tasks share one, a fresh state."""
        first = phase.number == 0
        if not (first or self.one_state):
            self.history.append("before", self.accuracy(phase.tasks[0], "validation"))
        for optimizer in self.optimizers:
            optimizer.state.clear()
        if first or not self.one_state:
            gates = self.scheme.gates
            share = attrgetter(gates)(self.config) if gates else 1.0
            generator = torch.Generator().manual_seed(
                derived_seed(self.seed, "gates", phase.number)
            )
            self.states.begin(generator, share)
        if first and not self.one_state:
            for task in self.job.tasks:
                self.history.append("initial", self.accuracy(task, "validation"))

    def _end(self, phase: Phase, feed: Mixed) -> None:
        """The end of a task: refresh what is kept for it, consolidate."""
        mho.calibrate(self.net, feed.sample(CALIBRATION))
        x = feed.sample(self.config.refreshed)
        mho.refresh_batchnorm(self.net, in_parts(x, CALIBRATION))
        if not self.one_state:
            for task, (x, y) in zip(phase.tasks, feed.apart(self.config.refreshed), strict=True):
                self.states.keep(task.name)
                for label in y.unique().tolist():
                    self.recognizer.observe(f"{task.name}, class {label}", x[y == label])
        if self.scheme.fisher:
            x, y = feed.labelled(self.config.rules.fisher)
            mho.rules.measure_fisher(self.net, self.write, x, y)
        self.write.consolidate()
        mho.age(self.net, self.config.pause)

    def _note(self, phase: Phase, step: int) -> None:
        """Accuracies after an epoch; at the end of a task those of all tasks so far."""
        history, tasks = self.history, self.job.tasks
        written = history.take("written")
        history.append("written", written)
        over, few = step + 1 == phase.end, len(tasks) <= FEW
        row: list[float | None] = [None] * len(tasks)
        if over or few:
            for k, task in enumerate(tasks[: phase.number + len(phase.tasks)]):
                present = task in phase.tasks
                if present or not self.job.one_state:
                    state = None if present or self.one_state else task.name
                    row[k] = self.accuracy(task, "validation", state)
        for k, value in enumerate(row):
            if few:
                history.append(f"task {k}", value)
            if over:
                history.append(f"end, task {k}", value)
        self.run.log(
            step=step + 1, task=phase.tasks[-1].name, weights_written=written, validation=row
        )

    def _measure(self, split: Literal["validation", "test"]) -> dict[str, list[float]]:
        """Accuracy on every task: told which it is, by what the image itself says, as the last."""
        tasks = self.job.tasks
        if self.one_state:
            distinct = dict.fromkeys(replace(task, name="", part=None) for task in tasks)
            found = {task: self.accuracy(task, split) for task in distinct}
            return {"told": [found[replace(task, name="", part=None)] for task in tasks]}
        out: dict[str, list[float]] = {"told": [], "recognized": [], "last": [], "right": []}
        kinds = [name.rsplit(", class ", 1)[0] for name in self.recognizer.names]
        number = torch.tensor([self.states.names.index(task) for task in kinds])
        for task in tasks:
            samples = task.load(split)
            guess = number[self.recognizer.recognize(samples.inputs)]
            right = 0
            for k, name in enumerate(self.states.names):
                some = guess == k
                if some.any():
                    with self.states.using(name):
                        right += self._right(samples.inputs[some], samples.labels[some])
            own = self.states.names.index(task.name)
            out["recognized"].append(100 * right / len(samples))
            out["right"].append(100 * (guess == own).double().mean().item())
            out["told"].append(self.accuracy(task, split, task.name))
            out["last"].append(self.accuracy(task, split, tasks[-1].name))
        return out

    def _kept(self) -> int:
        """Values kept for all tasks together."""
        recognizer = self.recognizer.values * len(self.recognizer.names)
        return recognizer + self.states.values * max(1, len(self.states.names))

    def accuracy(self, task: Task, split: str, state: str | None = None) -> float:
        """Percent right on a task, in the state kept for one, or in the present one."""
        samples = task.load(split)
        with self.states.using(state) if state else nullcontext():
            return 100 * self._right(samples.inputs, samples.labels) / len(samples)

    def _right(self, images: Tensor, labels: Tensor) -> int:
        pair = (images.to(self.device), labels.to(self.device))
        counts = mho.confusion(self.net, batches(pair, 1000, seed=None))
        return int(counts[0].diagonal().sum())
