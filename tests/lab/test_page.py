"""The lab in a headless browser, as its user meets it."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from builders.browser import Browser, browser, wait
from builders.programs import needed, needed_packages
from mho.cli import main

LARGE = ".number .value"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a lab that is served."""
    needed_packages("nicegui", "websockets")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("lab") / "log"
    command = [sys.executable, "-m", "mho", "lab", "--port", str(port), "--no-browser"]
    env = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    with log.open("w") as file:  # NiceGUI serves nothing where it sees pytest
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=log.parent, env=env)
    address = f"http://127.0.0.1:{port}/"
    try:
        wait(lambda: answers(address), 120, "the lab does not answer")
        yield address
        assert "Traceback" not in log.read_text()
    finally:
        process.terminate()
        process.wait(timeout=30)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address) as found:
            return found.status == 200
    except URLError:
        return False


@pytest.fixture(scope="module")
def one_tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = needed("chromium", "chromium-browser", "google-chrome")
    needed_packages("nicegui", "websockets")
    with browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def page(one_tab: Browser, address: str) -> Browser:
    """The lab, opened afresh, with its first answer."""
    one_tab.look(1280, 900)
    one_tab.open(address)
    one_tab.until("document.querySelector('#said')", 120)
    return one_tab


def accuracy(page: Browser) -> str:
    """As written, in large print."""
    return page.text(LARGE)


def test_a_slider_is_moved_and_the_number_changes(page: Browser) -> None:
    before = float(accuracy(page).removesuffix(" %"))
    assert before > 90
    page.click("#slider-adc .q-slider__thumb")
    for bits in range(7, 2, -1):
        page.key("ArrowLeft")
        page.until(
            f"document.querySelector('.settings').innerText.includes('ADC\\n{bits} bits')", 10
        )
    page.until(f"parseFloat(document.querySelector({LARGE!r}).innerText) < {before - 1}", 30)


def test_a_bad_file_is_dropped_and_the_sentence_is_shown(page: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("colour,smell\nred,sweet\nblue,none\n")
    before = accuracy(page)
    page.drop("#drop", bad)
    page.until("document.querySelector('#refusal')?.offsetHeight > 0")
    said = page.text("#refusal")
    assert said.startswith("bad.csv")
    assert "colour" in said
    assert accuracy(page) == before


def test_a_measured_file_is_dropped_and_is_the_device(page: Browser, tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    rows = [f"{'on' if k % 2 else 'off'},{(10 if k % 2 else 100) + 0.1 * (k // 2)}"
            for k in range(40)]  # fmt: skip
    mine.write_text("\n".join(["state,R [kOhm]", *rows]))
    page.drop("#drop", mine)
    page.until("document.body.innerText.includes('mine.csv: states')")
    page.click("#tell")
    page.until("document.querySelector('.command')")
    assert "mho run siamese --device-file mine.toml" in page.text(".command")
    assert 'family = "two-state"' in page.text(".toml")


def test_a_cell_under_the_pointer_says_its_value(page: Browser) -> None:
    page.until("document.querySelector('.cells canvas')")
    x, y = page.middle(".cells canvas")
    page.hover(x - 3, y)
    page.hover(x, y)
    page.until("/row \\d+, column \\d+: [\\d.]+ .S/.test(document.body.innerText)")


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_comes_from_elsewhere_nothing_is_wider_than_the_window(
    page: Browser, address: str, width: int
) -> None:
    page.look(width, 900)
    page.until("document.querySelector('.device-card svg')")
    assert page.value("document.documentElement.scrollWidth") <= width
    strange = [each for each in page.requests
               if not each.startswith((address, "data:", "blob:", "about:"))]  # fmt: skip
    assert strange == []
    assert page.complaints == []


def test_a_port_that_is_taken_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    needed_packages("nicegui")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["lab", "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert f"port = {port}: expected a free one" in said
    assert said.count("\n") == 1
    assert main(["lab", "--port", "0"]) == 2


def test_without_its_package_the_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nicegui", None)
    assert main(["lab"]) == 2
    assert "pip install 'mho[lab]'" in capsys.readouterr().err
