"""Which task an input is from."""

import io

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal

from mho.tasks import TaskRecognizer


def draws(number: int, n: int = 60, features: int = 5) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(number)
    shape = (3, features)
    mean, width = (torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    noise = torch.randn(3, n, features, generator=generator, dtype=torch.float64)
    return dict(zip("abc", mean[:, None] + width[:, None] * noise, strict=True))


def observed(tasks: dict[str, Tensor], floor: float = 0.01) -> TaskRecognizer:
    recognizer = TaskRecognizer(5, floor)
    for task, x in tasks.items():
        recognizer.observe(task, x)
    return recognizer


@given(st.integers(0, 10**6), st.floats(1e-3, 10.0))
def test_the_most_likely_task_is_chosen(number: int, floor: float) -> None:
    tasks = draws(number)
    x = torch.cat(list(tasks.values()))
    mean = torch.stack([t.mean(0) for t in tasks.values()])
    variance = torch.stack([t.var(0, correction=0) for t in tasks.values()])
    width = (variance + floor * variance.mean()).sqrt()
    likely = Normal(mean, width).log_prob(x.unsqueeze(1)).sum(2)
    assert torch.equal(observed(tasks, floor).recognize(x), likely.argmax(1))


@given(st.integers(0, 10**6), st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_batches_pool_to_the_whole(number: int, sizes: list[int]) -> None:
    whole = draws(number, sum(sizes))
    parts = TaskRecognizer(5)
    for batches in zip(*(x.split(sizes) for x in whole.values()), strict=True):
        for task, batch in zip(whole, batches, strict=True):
            parts.observe(task, batch)
    state, other = parts.state_dict(), observed(whole).state_dict()
    assert state["items"].tolist() == [sum(sizes)] * 3
    for entry in ("mean", "variance"):
        torch.testing.assert_close(state[entry], other[entry], rtol=1e-10, atol=1e-12)


def test_neither_unit_nor_offset_of_the_inputs_matters() -> None:
    tasks = draws(1)
    x = torch.cat(list(tasks.values()))
    answer = observed(tasks).recognize(x)
    other = observed({task: 3e3 * t + 1e6 for task, t in tasks.items()})
    assert torch.equal(other.recognize(3e3 * x + 1e6), answer)
    assert (answer == torch.arange(3).repeat_interleave(60)).float().mean() > 0.7


def test_a_value_that_never_varied_does_not_decide_alone() -> None:
    tasks = {task: x.clone() for task, x in draws(2).items()}
    for x in tasks.values():
        x[:, 0] = 0  # always dark
    recognizer = observed(tasks)
    x = tasks["b"].clone()
    before = recognizer.recognize(x)
    x[:, 0] = 1e-3  # a speck
    assert torch.equal(recognizer.recognize(x), before)


def test_images_are_taken_as_they_are() -> None:
    recognizer = TaskRecognizer(784)
    generator = torch.Generator().manual_seed(0)
    dark, light = torch.rand(2, 20, 1, 28, 28, generator=generator)
    recognizer.observe("dark", dark * 0.5)
    recognizer.observe("light", light)
    assert recognizer.names == ("dark", "light")
    assert recognizer.recognize(dark * 0.5).tolist() == [0] * 20
    assert recognizer.recognize(light.flatten(1)).tolist() == [1] * 20
    assert recognizer.values == 1569


def test_what_was_observed_is_saved_and_loaded() -> None:
    tasks, file = draws(3), io.BytesIO()
    recognizer = observed({task: tasks[task] for task in "ab"})
    torch.save(recognizer.state_dict(), file)
    file.seek(0)
    again = TaskRecognizer(5)
    again.observe("other", tasks["c"])
    again.load_state_dict(torch.load(file, weights_only=True))
    for each in (recognizer, again):
        each.observe("c", tasks["c"])
        each.observe("a", tasks["c"])
    assert again.names == ("a", "b", "c")
    x = torch.cat(list(tasks.values()))
    assert torch.equal(again.recognize(x), recognizer.recognize(x))


def test_bad_input_is_named() -> None:
    recognizer = TaskRecognizer(3)
    with pytest.raises(ValueError, match="tasks observed = 0: expected at least one"):
        recognizer.recognize(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="inputs of task 'a' = 'no input'"):
        recognizer.observe("a", torch.zeros(0, 3))
    with pytest.raises(ValueError, match="inputs of task 'a' = 'nan or inf'"):
        recognizer.observe("a", torch.tensor([[0.0, 1.0, torch.nan]]))
    with pytest.raises(ValueError, match="values of an input = 4: expected 3"):
        recognizer.observe("a", torch.zeros(2, 4))
    assert recognizer.names == ()
    recognizer.observe("a", torch.ones(2, 3))
    with pytest.raises(ValueError, match="inputs observed = 'all the same'"):
        recognizer.recognize(torch.zeros(1, 3))
    recognizer.observe("a", torch.zeros(1, 3))
    assert recognizer.recognize(torch.zeros(2, 3)).tolist() == [0, 0]
    state = recognizer.state_dict()
    with pytest.raises(ValueError, match="TaskRecognizer state = "):
        recognizer.load_state_dict({k: v for k, v in state.items() if k != "items"})
    with pytest.raises(
        ValueError, match=r"mean = a float\d+ tensor \(1, 2\): expected a tensor \(1, 3\)"
    ):
        recognizer.load_state_dict(state | {"mean": torch.zeros(1, 2)})
    for floor in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"TaskRecognizer\.floor = "):
            TaskRecognizer(3, floor)
    with pytest.raises(ValueError, match=r"TaskRecognizer\.features = 0"):
        TaskRecognizer(0)
