"""What stands in for a data set has its shape and classes, and reads nothing."""

import pytest

from builders.own_data import SHAPES, arrays
from mho.data import SOURCES, Dataset, load, stream
from mho.data.stand_in import stand_ins


@pytest.mark.parametrize("name", SOURCES)
def test_no_file_of_a_public_one_is_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.data.named.locate", None)
    with stand_ins():
        found = load(name, "train")
        assert found.inputs.shape == (150, *SOURCES[name].shape)
        assert load(name, "validation").labels.bincount().tolist() == [5] * 10
        assert load(name, "test").labels.bincount().tolist() == [5] * 10
        assert len(stream(name, 3)[0].load("train")) == 50


@pytest.mark.parametrize("shape", SHAPES)
def test_own_data_keep_their_shape(shape: str) -> None:
    data = Dataset.of(**arrays(SHAPES[shape], 4))
    with stand_ins():
        assert load(data, "train").inputs.shape == (60, *SHAPES[shape])
        assert 0 <= load(data, "test").inputs.min() < load(data, "test").inputs.max() <= 1
    assert len(load(data, "train")) == 28
