"""Plans: which points there are, and what is refused."""

from pathlib import Path

import pytest

import mho
from mho.sweep import plan
from mho.sweep.points import Point, varied

PLAN = """
experiment = "siamese"
seeds = [3, 5]
[set]
epochs = 2
[grid]
"hardware.adc_bits" = [4, 6]
[grid.writes]
fixed_threshold = [0.6, 0.7, 0.8]
[[zip]]
batch = [50, 100]
rate = [1e-3, 2e-3]
"""


def written(folder: Path, text: str = PLAN) -> Path:
    (folder / "plan.toml").write_text(text)
    return folder / "plan.toml"


def test_points_are_all_combinations_and_settings_of_a_zip_go_together(tmp_path: Path) -> None:
    read = plan.read(written(tmp_path))
    points = read.points()
    assert len(points) == read.size == 2 * 3 * 2 * 2
    assert len({point.id for point in points}) == len(points)
    assert {(p.config.batch, p.settings["rate"]) for p in points} == {
        (50, 1e-3), (100, 2e-3)}  # fmt: skip
    assert {p.settings["epochs"] for p in points} == {2}
    expected = {"hardware.adc_bits", "writes.fixed_threshold", "batch", "rate", "seed"}
    assert set(varied(points)) == set(read.varied) == expected


def test_a_plan_of_the_command_line_is_that_of_a_file(tmp_path: Path) -> None:
    made = plan.make(
        "siamese", single=[("epochs", 2)], seeds=[3, 5],
        grid=dict([plan.values_of("hardware.adc_bits=4,6"),
                   plan.values_of("writes.fixed_threshold=0.6,0.7,0.8")]),
        zips=[dict([plan.values_of("batch=50,100"), plan.values_of("rate=1e-3,2e-3")])],
    )  # fmt: skip
    assert made.points() == plan.read(written(tmp_path)).points()


def test_files_of_a_plan_are_taken_with_their_content(tmp_path: Path) -> None:
    """So that a file that is changed gives other points, and none that there are changes."""
    cell = mho.cells.MultiLevel(g_min=1e-6, g_max=90e-6, levels=16)
    prices = mho.prices.get("hfo2-130nm")
    for name, sigma in (("a", 1e-6), ("b", 2e-6)):
        preset = mho.Preset(device=cell.replace(sigma=(sigma,)))
        (tmp_path / f"{name}.toml").write_text(preset.to_toml())
    (tmp_path / "prices.toml").write_text(prices.to_toml())
    text = """
        experiment = "metaplastic"
        set.prices = "prices.toml"
        grid.device_file = ["a.toml", "b.toml"]
    """
    points = plan.read(written(tmp_path, text)).points()
    assert [p.config.hardware.device.sigma for p in points] == [(1e-6,), (2e-6,)]
    assert varied(points) == ["hardware.device.sigma"]
    alone = plan.make("metaplastic", device_file=tmp_path / "a.toml",
                      single=[("prices", str(tmp_path / "prices.toml"))])  # fmt: skip
    assert alone.points() == points[:1]
    assert Point.of_toml(points[0].config.to_toml(), "config.toml").id == points[0].id
    (tmp_path / "prices.toml").write_text(prices.replace(set_energy=2e-12).to_toml())
    changed = {p.id for p in plan.read(written(tmp_path, text)).points()}
    (tmp_path / "a.toml").write_text((tmp_path / "b.toml").read_text())
    with pytest.raises(ValueError, match=r"device_file = .*expected values that give different"):
        plan.read(written(tmp_path, text)).points()
    assert not changed & {p.id for p in points}
    (tmp_path / "b.toml").write_text("[device]\nfamily = 'multi-level'\ng_min = -1.0\n")
    with pytest.raises(ValueError, match=r"point device_file = .*b\.toml: .*MultiLevel\.g_m"):
        plan.read(written(tmp_path, text)).points()


def test_a_point_is_named_by_its_settings_alone() -> None:
    first, second = (plan.make("bmcnn", grid={"chips": [n, 7]}).points() for n in (3, 5))
    assert {p.id for p in first} & {p.id for p in second} == {first[1].id}
    elsewhere = Point("bmcnn", first[0].config.replace(processor="cpu", threads=3))
    assert elsewhere.id == first[0].id


def test_a_point_comes_back_from_its_toml() -> None:
    for point in plan.make("metaplastic", grid={"epochs": [1, 2]}).points():
        assert Point.of_toml(point.config.to_toml(), "here") == point


def test_values_may_be_names_and_lists() -> None:
    assert plan.values_of("a=1,2") == ("a", [1, 2])
    assert plan.values_of("a=pcm-gst,rram") == ("a", ["pcm-gst", "rram"])
    assert plan.values_of("a=[1,2],[3,4]") == ("a", [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("experiment = 'siames'", "did you mean 'siamese'"),
        ("grid = {}", "experiment"),
        ("experiment = 'siamese'\ngird = {}", "did you mean 'grid'"),
        ("experiment = 'siamese'\nseeds = 0", "seeds"),
        ("experiment = 'siamese'\nseeds = [1, 1]", "twice"),
        ("experiment = 'siamese'\nseeds = 1.5", "seeds"),
        ("experiment = 'siamese'\n[grid]\nseed = [1]", "seed"),
        ("experiment = 'siamese'\n[grid]\nepochs = []", "at least one"),
        ("experiment = 'siamese'\n[grid]\nepochs = 3", "a list"),
        ("experiment = 'siamese'\n[grid]\nthreads = [1, 2]", "not where"),
        ("experiment = 'siamese'\n[[zip]]\nepochs = [1, 2]\nbatch = [1]", "as many values"),
        ("experiment = 'siamese'\n[grid]\nepochs = [1]\n[[zip]]\nepochs = [2]", "once"),
        ("experiment = 'siamese'\n[grid]\n'writes.a' = [1]\n[grid.writes]\na = [2]", "twice"),
        ("experiment = 'siamese'\n[set]\n'writes.a' = 1\n[set.writes]\na = 2", "twice"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plan.read(written(tmp_path, text))


@pytest.mark.parametrize("values", [["hardware.adc_bit=4"], ["epochs=-1"], ["epochs=many"]])
def test_a_point_that_cannot_be_is_refused_by_name(values: list[str]) -> None:
    key, _, value = values[0].partition("=")
    with pytest.raises(ValueError, match=f"point {key} = {value}"):
        plan.make("siamese", grid=dict(map(plan.values_of, values))).points()


@pytest.mark.parametrize(
    "grid",
    [
        {"rate": [1, 1.0]},
        {"scheme": ["hysteresis", "fixed threshold"]},
        {"hardware.adc_bits": [4, 6], "hardware": [{"adc_bits": 8}, {"adc_bits": 7}]},
    ],
)
def test_values_that_make_no_difference_are_refused(grid: dict[str, list]) -> None:
    """Two spellings of one value, its earlier name, and what another axis replaces."""
    with pytest.raises(ValueError, match=f"{min(grid, key=len)}.* = .*different settings") as said:
        plan.make("siamese", grid={**grid, "epochs": [1, 2]}).points()
    assert "epochs" not in str(said.value)


def test_files_that_settings_name_are_those_beside_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the command runs, so that one plan gives one set of points."""
    folder = tmp_path / "plans"
    (folder / "photos").mkdir(parents=True)
    device = mho.Preset(device=mho.cells.MultiLevel(g_min=1e-6, g_max=90e-6, levels=16))
    (folder / "cell.toml").write_text(device.to_toml())
    written(folder, """
        experiment = "metaplastic"
        set.hardware.device = "cell.toml"
        set.study.split = "own.npz"
        [[zip]]
        network = ["net.py:Net", "net.py:Other"]
        tasks = [["./photos", "mnist"], ["own.npz"]]
    """)  # fmt: skip
    found = []
    for where, name in ((tmp_path, "plans/plan.toml"), (folder, "plan.toml")):
        monkeypatch.chdir(where)
        found.append(plan.read(Path(name)).points())
    assert found[0] == found[1]
    first, second = (point.config for point in found[0])
    assert first.network == f"{folder}/net.py:Net"
    assert first.tasks == (f"{folder}/photos", "mnist")
    assert second.tasks == (f"{folder}/own.npz",)
    assert first.study.split == f"{folder}/own.npz"
    assert first.hardware.device.levels == 16
    assert plan.make("metaplastic", grid={"network": ["net.py:Net"]}).points() == (
        plan.make("metaplastic", grid={"network": [f"{folder}/net.py:Net"]}).points())  # fmt: skip
