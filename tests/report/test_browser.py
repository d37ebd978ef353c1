"""The page opened by a real browser: no console message, and something to see."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from builders.programs import needed
from builders.sweeps import made_up
from mho.report import write_overview
from mho.sweep import load
from mho.sweep.overview import overview

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def chromium() -> str:
    return needed(*NAMES)


QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--enable-logging=stderr",
)  # fmt: skip


def opened(chromium: str, page: Path, folder: Path, *options: str) -> str:
    """What the browser writes on standard output; it has no complaint about the page."""
    command = [chromium, *QUIET, f"--user-data-dir={folder / 'profile'}", *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    return done.stdout


@pytest.fixture(scope="session")
def sweep_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a sweep, written once and only read."""
    folder = tmp_path_factory.mktemp("sweep")
    return write_overview(overview(load(made_up(folder).path), ["accuracy"]), folder)


@pytest.mark.parametrize("kind", ["one_page", "sweep_page"])
@pytest.mark.parametrize("width", [1200, 500])
def test_the_page_opens_without_a_complaint(
    chromium: str, kind: str, tmp_path: Path, width: int, request: pytest.FixtureRequest
) -> None:
    shot, page = tmp_path / "shot.png", request.getfixturevalue(kind)
    opened(chromium, page, tmp_path, f"--window-size={width},1600", f"--screenshot={shot}")
    pixels = imread(shot)
    assert pixels.shape[:2] == (1600, width)
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 50


def test_a_click_on_the_head_of_a_column_sorts_by_it(
    chromium: str, sweep_page: Path, tmp_path: Path
) -> None:
    found = []
    for clicks in (1, 2):
        click = "document.querySelectorAll('#settings ~ div th button')[3].click();" * clicks
        page = tmp_path / f"{clicks}.html"
        page.write_text(f"{sweep_page.read_text()}<script>{click}</script>")
        text = opened(chromium, page, tmp_path, "--dump-dom")
        table = text.partition('id="settings"')[2].partition("</table>")[0]
        rows = table.partition("<tbody>")[2].split("</tr>")[:4]
        found.append([float(re.findall(r'data-value="([^"]*)"', row)[3]) for row in rows])
    assert found[0] == sorted(found[0]) == found[1][::-1]
    assert len(set(found[0])) > 2
