"""Every experiment has its question, and an answer whose claims exist."""

import re

import pytest

from mho.experiments import EXPERIMENTS
from mho.report.story import STORIES


def test_every_experiment_has_a_story() -> None:
    assert set(STORIES) == set(EXPERIMENTS)


@pytest.mark.parametrize("name", STORIES)
def test_a_question_is_one_and_an_answer_has_numbers(name: str) -> None:
    story = STORIES[name]
    assert story.question.endswith("?")
    assert story.question.count("?") == 1
    assert all(re.search(r"\{[\w*]+\}", sentence) for sentence in story.answer)
