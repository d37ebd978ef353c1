"""What tells points apart."""

from pathlib import Path

import pytest
import tomli_w

from mho.experiments import EXPERIMENTS
from mho.experiments.earlier import as_before
from mho.files import flat, parse_toml
from mho.sweep import plan
from mho.sweep.folder import SweepFolder
from mho.sweep.points import WHERE, Point, id_of, settings_of, varied


def test_the_seed_comes_last() -> None:
    points = plan.make("siamese", seeds=2, grid={"writes.fixed_threshold": [0.6, 0.7]}).points()
    assert varied(points) == ["writes.fixed_threshold", "seed"]
    assert varied(points[:1]) == []


def test_a_setting_that_only_some_have_varies() -> None:
    points = plan.make("siamese", grid={"hardware.adc_bits": [4, 6]}).points()
    without = plan.make("siamese").points()
    assert "hardware.adc_bits" in varied([*points, *without])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_settings_that_give_a_point_its_name_are_those_of_its_configuration(name: str) -> None:
    for point in plan.make(name, grid={"chips": [1, 2]}, seeds=2).points():
        for _ in range(2):
            found = settings_of(point.config.to_toml(), "config.toml", point.id)
            assert found == point.settings


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("batch = 64", "batch = 65", None),
        ("batch = 64", "batch = 0", "batch"),
        ("batch = 64", "batch = ", "TOML"),
        ("batch = 64", "[batch", "TOML"),
        ("hidden", "hiden", "did you mean 'hidden'"),
        ('family = "siamese"', 'family = "x"', "family"),
        ('family = "siamese"', "", "family"),
    ],
)
def test_settings_that_were_changed_are_checked(old: str, new: str, said: str | None) -> None:
    (point,) = plan.make("siamese").points()
    assert settings_of(point.config.to_toml(), "config.toml", point.id) == point.settings
    text = point.config.to_toml().replace(old, new, 1)
    assert text != point.config.to_toml()
    if said is None:
        found = settings_of(text, "config.toml", point.id)
        assert found == Point.of_toml(text, "config.toml").settings
        assert found["batch"] == 65
    else:
        with pytest.raises(ValueError, match=said):
            settings_of(text, "config.toml", point.id)


def test_settings_of_an_earlier_version_are_told_as_those_of_today() -> None:
    (point,) = plan.make("siamese").points()
    lines = point.config.to_toml().splitlines()
    former = "\n".join(["hysteresis = 0.61", *(x for x in lines if "fixed_threshold =" not in x)])
    known = {k: v for k, v in flat(parse_toml(former, "x")).items() if k not in WHERE}
    found = settings_of(former, "config.toml", id_of("siamese", known))
    assert found["writes.fixed_threshold"] == 0.61


def test_schemes_are_told_by_their_names_of_today() -> None:
    (point,) = plan.make("metaplastic", single=[("schemes", ["no protection"])]).points()
    assert settings_of(point.config.to_toml(), "config.toml", point.id)["schemes"] == [
        "no protection"
    ]
    former = point.config.to_toml().replace('"no protection"', '"none"')
    known = {k: v for k, v in flat(parse_toml(former, "x")).items() if k not in WHERE}
    assert known["schemes"] == ["none"]
    assert settings_of(former, "config.toml", id_of("metaplastic", known)) == point.settings


@pytest.mark.parametrize("name", ["siamese", "metaplastic", "wires"])
def test_the_folder_that_an_earlier_version_made_of_a_point_is_taken(
    name: str, tmp_path: Path
) -> None:
    (point,) = plan.make(name).points()
    sweep = SweepFolder(tmp_path)
    settings = as_before(point.config.to_dict(), name)
    known = {k: v for k, v in flat(settings).items() if k not in WHERE}
    (before := tmp_path / "points" / id_of(name, known)).mkdir(parents=True)
    (before / "config.toml").write_text(tomli_w.dumps(settings))
    assert [each.path for each in sweep.add([point])] == [before]
    assert len(sweep.points()) == 1
    (before / "config.toml").write_text(tomli_w.dumps({**settings, "seed": 5}))
    (made,) = sweep.add([point])  # the one there is of another point
    assert made.path.name == point.id
