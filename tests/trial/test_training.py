import pytest

from mho.data.stand_in import stand_ins
from mho.trial import training
from mho.trial.network import network


@pytest.mark.parametrize("binary", [False, True])
def test_a_training_makes_what_the_files_hold(
    binary: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "EPOCHS", {False: 1, True: 1})
    with stand_ins():
        state = training.trained(binary).state_dict()
    kept = network(binary).state_dict()
    assert {name: value.shape for name, value in state.items()} == {
        name: value.shape for name, value in kept.items()
    }
    assert (len(state["1.weight"].abs().unique()) == 1) == binary
