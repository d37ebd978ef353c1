"""Trainings measured on a few images, so that a test of a whole experiment is soon over."""

from functools import cache

import pytest

import mho
from mho.data import Samples, Task


def measure_on_few(monkeypatch: pytest.MonkeyPatch, each: int) -> None:
    """Let splits that are loaded whole to measure accuracies be so many images of each class.

    Training images and subsets that are asked for stay as they are; nothing is loaded twice.
    """
    load, of_task = mho.data.load, Task.load

    def fewer(split: str, per_class: int | None) -> int | None:
        return each if per_class is None and split != "train" else per_class

    @cache
    def loaded(dataset: str, split: str, *, per_class: int | None = None) -> Samples:
        return load(dataset, split, per_class=fewer(split, per_class))

    @cache
    def loaded_of_task(task: Task, split: str, per_class: int | None = None) -> Samples:
        return of_task(task, split, fewer(split, per_class))

    monkeypatch.setattr(mho.data, "load", loaded)
    monkeypatch.setattr(Task, "load", loaded_of_task)
