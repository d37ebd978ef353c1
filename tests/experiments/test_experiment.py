"""What experiments share: where they compute, and what measured devices change of them."""

from pathlib import Path

import pytest
import torch

import mho
from mho import experiments
from mho.errors import InvalidInput
from mho.experiments.experiment import ExperimentConfig, check_loss


@pytest.mark.parametrize("processor", ["tpu", "cuda:", "cuda:x", "CPU", ""])
def test_a_processor_is_named_as_torch_does(processor: str) -> None:
    with pytest.raises(ValueError, match=r"ExperimentConfig\.processor = .*'auto', 'cpu', 'cuda'"):
        ExperimentConfig(processor=processor)


def test_a_processor_that_is_there_is_torchs_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    found = {
        name: str(ExperimentConfig(processor=name).torch_device())
        for name in ("auto", "cpu", "cuda", "cuda:1")
    }
    assert found == {"auto": "cuda", "cpu": "cpu", "cuda": "cuda", "cuda:1": "cuda:1"}
    with pytest.raises(ValueError, match=r"processor = 'cuda:2': .* sees 2 CUDA devices"):
        ExperimentConfig(processor="cuda:2").torch_device()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="processor = 'cuda'"):
        ExperimentConfig(processor="cuda").torch_device()


def test_a_part_computes_where_the_whole_does() -> None:
    whole = experiments.get("wires").preset("quick").replace(seed=7, processor="cpu")
    part = whole.part(whole.siamese)
    assert (part.seed, part.processor, part.hidden) == (7, "cpu", whole.siamese.hidden)


@pytest.mark.parametrize("name", ["bmcnn", "wires"])
def test_an_experiment_that_describes_its_cells_takes_no_others(name: str) -> None:
    config = experiments.get(name).preset("quick")
    with pytest.raises(ValueError, match=f"{name} has its own settings for cells"):
        config.on_device(mho.devices.preset("hfo2-1t1r"))
    with pytest.raises(ValueError, match=f"{name} runs on simulated chips"):
        config.on_instrument("localhost:1")


def test_studies_that_cannot_vary_the_cells_are_left_out() -> None:
    config = experiments.get("siamese").preset("standard")
    on, notes = config.on_device(mho.devices.preset("two-state-10k-100k"))
    assert set(config.studies) - set(on.studies) == {"levels"}
    assert any(note.startswith("study levels left out") for note in notes)
    same, _ = config.on_device(mho.devices.preset("hfo2-1t1r"))
    assert same.studies == config.studies


def test_prices_of_a_file_are_kept_with_the_settings(tmp_path: Path) -> None:
    mine = mho.prices.get("hfo2-130nm").replace(set_energy=3e-12)
    (file := tmp_path / "mine.toml").write_text(mine.to_toml())
    config = experiments.get("wires").preset("quick").replace(prices=str(file))
    file.unlink()
    assert config.prices == mine
    assert config.part(config.siamese).prices == mine
    again = type(config).from_toml(config.to_toml())
    assert again == config
    assert again.merged({"prices": "neurosim-rram"}).prices == "neurosim-rram"
    assert again.merged({"prices": {"set_energy": 4e-12}}).prices == mine.replace(set_energy=4e-12)
    assert config.replace(prices="hfo2-130nm").prices == "hfo2-130nm"
    with pytest.raises(ValueError, match=r"Prices\.pulse_time"):  # no list with all else unknown
        ExperimentConfig().merged({"prices": {"set_energy": 4e-12}})


def test_laws_that_take_no_part_are_named() -> None:
    config = experiments.get("sensitivity").preset("quick")
    preset = mho.devices.preset("hfo2-1t1r").replace(
        conduction=mho.circuits.Sinh(), flicker=mho.cells.Flicker(amplitude=0.01)
    )
    on, notes = config.on_device(preset)
    assert on.cell == preset
    assert notes == ["[conduction] is not used", "[flicker] is not used"]


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_training_whose_loss_is_no_number_stops(loss: float) -> None:
    check_loss(torch.tensor(2.3), "training x,", 0, "rate (it is 0.1)")
    said = (
        rf"training x, has diverged: the loss of step 8 is {loss}; a smaller rate \(it is 0\.1\) "
    )
    with pytest.raises(InvalidInput, match=said):
        check_loss(torch.tensor(loss), "training x,", 7, "rate (it is 0.1)")
