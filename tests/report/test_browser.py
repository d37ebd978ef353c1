"""The page opened by a real browser: no console message, and something to see."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from builders.programs import needed

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def chromium() -> str:
    return needed(*NAMES)


@pytest.mark.parametrize("width", [1200, 500])
def test_the_page_opens_without_a_complaint(
    chromium: str, one_page: Path, tmp_path: Path, width: int
) -> None:
    shot = tmp_path / "shot.png"
    done = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr",
            f"--window-size={width},1600",
            f"--screenshot={shot}",
            one_page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    pixels = imread(shot)
    assert pixels.shape[:2] == (1600, width)
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 50
