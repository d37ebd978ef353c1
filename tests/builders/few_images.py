"""Trainings measured on a few images, so that a test of a whole experiment is soon over."""

from functools import cache

import pytest

import mho
from mho.data import Samples, Task
from mho.data.stand_in import _made_up


def measure_on_few(monkeypatch: pytest.MonkeyPatch, each: int) -> None:
    """Let splits that are loaded whole to measure accuracies be so many images of each class.

    Training images and subsets that are asked for stay as they are; nothing is loaded twice.
    """
    load, of_task = mho.data.load, Task.load

    def fewer(split: str, per_class: int | None) -> int | None:
        return each if per_class is None and split != "train" else per_class

    @cache
    def few(dataset: str, split: str, per_class: int | None) -> Samples:
        return load(dataset, split, per_class=fewer(split, per_class))

    @cache
    def few_of_task(task: Task, split: str, per_class: int | None) -> Samples:
        return of_task(task, split, fewer(split, per_class))

    def loaded(dataset: str, split: str, *, per_class: int | None = None) -> Samples:
        if _made_up.get():  # these are few
            return load(dataset, split, per_class=per_class)
        return few(dataset, split, per_class)

    def loaded_of_task(task: Task, split: str, per_class: int | None = None) -> Samples:
        if _made_up.get():
            return of_task(task, split, per_class)
        return few_of_task(task, split, per_class)

    monkeypatch.setattr(mho.data, "load", loaded)
    monkeypatch.setattr(Task, "load", loaded_of_task)
