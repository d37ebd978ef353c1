"""Arguments and answers: tensors, and what is around them."""

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from mho.learning.layers.structure import Arguments, Structure, each_chip, joined


def test_tensors_are_exchanged_and_the_rest_stays() -> None:
    x, y = torch.zeros(2), torch.ones(3)
    given = Structure({"a": (x, 3), "b": [y, None, "text"]})
    assert given.tensors == [x, y]
    assert given.others == [3, None, "text"]
    assert given.of_chips([x + 1, y])["a"][0].tolist() == [1, 1]
    assert given.filled([y, x])["b"][0] is x
    given.check_plain()
    with pytest.raises(TypeError, match="a set in the answer"):
        Structure({"a": {1}}).check_plain()


def test_packed_sequences_of_chips_become_a_list() -> None:
    packed = pack_sequence([torch.zeros(1), torch.ones(3)], enforce_sorted=False)
    given = Structure({"y": packed})
    made = given.of_chips([torch.stack((each, each)) for each in given.tensors])["y"]
    assert len(made) == 2
    for one in made:
        for mine, wanted in zip(unpack_sequence(one), unpack_sequence(packed), strict=True):
            assert torch.equal(mine, wanted)
    in_order = Structure(pack_sequence([torch.zeros(2)]))
    made = in_order.of_chips([each.unsqueeze(0) for each in in_order.tensors])
    assert made[0].sorted_indices is None


def test_arguments_of_each_chip() -> None:
    x, h = torch.zeros(4), torch.arange(6.0).view(3, 2)
    given = Arguments((x, 2), {"h": each_chip((h, h + 1))}, 3)
    assert given.dims == [None, 0, 0]
    (same, two), kwargs = given.of_chip(1)
    assert same is x
    assert two == 2
    assert [each.tolist() for each in kwargs["h"]] == [[2, 3], [3, 4]]
    for wrong in (h[:2], torch.tensor(1.0)):
        with pytest.raises(ValueError, match=r"each_chip, of shape"):
            Arguments((each_chip(wrong),), {}, 3)


def test_answers_of_chips_are_joined() -> None:
    answers = [Structure({"y": torch.full((2,), float(k)), "n": 3, "k": k}) for k in range(3)]
    made = joined(answers)
    assert made["y"].tolist() == [[0, 0], [1, 1], [2, 2]]
    assert made["n"] == 3
    assert made["k"] == [0, 1, 2]
    with pytest.raises(ValueError, match=r"of shape = .*\(3,\) on chip 1, \(2,\) on chip 0"):
        joined([Structure(torch.zeros(2)), Structure(torch.zeros(3))])
    with pytest.raises(ValueError, match=r"answer = .* on chip 1, .*same structure"):
        joined([Structure(torch.zeros(2)), Structure((torch.zeros(2),))])
    with pytest.raises(ValueError, match=r"answer = .* on chip 1, .*same structure"):
        joined([Structure(torch.zeros(2)), Structure(1)])
