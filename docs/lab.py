"""The picture of docs/lab.md: the lab in a headless Chromium.

Run: PYTHONPATH=tests python docs/lab.py     # half a minute; needs chromium and mho[lab]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from urllib.error import URLError

from builders.browser import browser, wait

PORT = 8048
ADDRESS = f"http://127.0.0.1:{PORT}/"
WIDTH, HEIGHT = 1280, 1700


def answers() -> bool:
    """Whether the page is there."""
    try:
        with urllib.request.urlopen(ADDRESS) as found:
            return found.status == 200
    except URLError:
        return False


def main() -> None:
    """Serve, open, wait for the card of the device, and take the picture."""
    program = shutil.which("chromium") or "chromium"
    command = [sys.executable, "-m", "mho", "lab", "pcm-gst", f"--port={PORT}", "--no-browser"]
    served = subprocess.Popen(command)
    try:
        wait(answers, 60, "the lab answers")
        with tempfile.TemporaryDirectory() as folder, browser(program, Path(folder)) as page:
            page.look(WIDTH, HEIGHT)
            page.open(ADDRESS)
            page.until("document.querySelector('#said')")
            page.until("document.querySelector('.device-card svg')")
            page.until("document.querySelector('.cells canvas')")
            page.click("#slider-wires .q-slider__thumb")
            for ohms in ("0.25", "0.5"):
                page.key("ArrowRight")
                page.until(f"document.querySelector('.settings').innerText.includes('{ohms} ')")
            page.until("!document.querySelector('.busy')")
            page.value("new Promise(done => setTimeout(done, 1000))")
            page.picture(Path(__file__).with_suffix(".png"))
    finally:
        served.terminate()
        served.wait(timeout=30)


if __name__ == "__main__":
    main()
