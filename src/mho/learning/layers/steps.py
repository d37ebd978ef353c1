"""Steps of recurrent layers, what is digital in them, and how one follows another.

A step takes what the arrays give for its inputs and for the state before, biases included, and that
state, and gives the next one; of any shape (..., gates * hidden) and (..., hidden), the gates in
torch's order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

State = tuple[Tensor, ...]
"""Hidden state, and what else goes from step to step, (..., hidden)."""

Step = Callable[[Tensor, Tensor, State], State]
"""From products with the inputs and with the state before, and that state, to the next one."""


def through_time(
    given: Sequence[Tensor], first: State, advance: Callable[[Tensor, State], State], back: bool
) -> tuple[Tensor, State]:
    """Hidden states of all steps, one after another, (chips, all vectors, hidden), and last states
    (chips, batch, ...).

    Args:
        given: products with the inputs of each step (chips, sequences that run, ...), which are the
            first ones of the batch.
        first: states before the first step (chips, batch, ...).
        advance: from such products and the states of as many sequences to their next ones.
        back: from the last step to the first.
    """
    state = tuple(each[:, : given[-1 if back else 0].shape[1]] for each in first)
    outputs: list[Tensor] = []
    ended: list[State] = []
    for products in reversed(given) if back else given:
        running, now = state[0].shape[1], products.shape[1]
        if now < running:  # the shortest sequences are over
            ended.append(tuple(each[:, now:] for each in state))
            state = tuple(each[:, :now] for each in state)
        elif now > running:  # back in time, they begin later
            both = zip(state, first, strict=True)
            state = tuple(torch.cat((each, of[:, running:now]), 1) for each, of in both)
        state = advance(products, state)
        outputs.append(state[0])
    if back:
        outputs.reverse()
    if ended:
        state = tuple(torch.cat(each, 1) for each in zip(state, *reversed(ended), strict=True))
    return torch.cat(outputs, 1), state


def tanh_step(given: Tensor, back: Tensor, state: State) -> State:
    """`h = tanh(given + back)` (Elman 1990)."""
    return (_own(given + back, torch.tanh, torch.tanh_),)


def relu_step(given: Tensor, back: Tensor, state: State) -> State:
    """`h = relu(given + back)`."""
    return (_own(given + back, torch.relu, torch.relu_),)


def lstm_step(given: Tensor, back: Tensor, state: State) -> State:
    """`c = f c + i g`, `h = o tanh(c)` of input, forget and output gates i, f, o and candidate g
    (Hochreiter and Schmidhuber 1997; Gers et al. 2000)."""
    i, f, g, o = (given + back).chunk(4, -1)
    c = _sigmoid(f) * state[1]
    c = _add_product(c, _sigmoid(i), _own(g, torch.tanh, torch.tanh_))
    return _sigmoid(o) * torch.tanh(c), c


def gru_step(given: Tensor, back: Tensor, state: State) -> State:
    """`h' = (1 - z) n + z h` with `n = tanh(given_n + r back_n)`, of reset and update gates r, z
    (Cho et al. 2014, with r behind the product)."""
    (h,) = state
    hidden = h.shape[-1]
    sizes = (2 * hidden, hidden)
    (given_rz, given_n), (back_rz, back_n) = given.split(sizes, -1), back.split(sizes, -1)
    r, z = _sigmoid(given_rz + back_rz).chunk(2, -1)
    n = torch.addcmul(given_n, r, back_n)
    n = _own(n, torch.tanh, torch.tanh_)
    return (torch.addcmul(n, z, h - n),)


def _sigmoid(x: Tensor) -> Tensor:
    return _own(x, torch.sigmoid, torch.sigmoid_)


def _own(x: Tensor, fn: Callable[[Tensor], Tensor], in_place: Callable[[Tensor], Tensor]) -> Tensor:
    """A function of what nobody else holds, in place where no gradient needs it."""
    return fn(x) if torch.is_grad_enabled() else in_place(x)


def _add_product(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`x + a * b`, x being nobody else's."""
    return torch.addcmul(x, a, b) if torch.is_grad_enabled() else x.addcmul_(a, b)
