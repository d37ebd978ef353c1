"""A headless browser that is driven by the Chrome DevTools protocol."""

from __future__ import annotations

import base64
import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip


class Browser:
    """One tab."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._calls = socket, 0
        self.requests: list[str] = []
        """Addresses that the page asked for."""
        self.complaints: list[str] = []
        """What the console says of errors."""
        for domain in ("Page", "Runtime", "Network", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a method of the protocol."""
        self._calls += 1
        self._socket.send(json.dumps({"id": self._calls, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._socket.recv(timeout=60))
            if said.get("id") == self._calls:
                assert "error" not in said, said
                return said["result"]
            self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        if said["method"] == "Network.requestWillBeSent":
            self.requests.append(said["params"]["request"]["url"])
        if said["method"] == "Runtime.exceptionThrown":
            self.complaints.append(str(said["params"]["exceptionDetails"]))
        if said["method"] == "Runtime.consoleAPICalled" and said["params"]["type"] == "error":
            self.complaints.append(str(said["params"]["args"]))

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def look(self, width: int, height: int = 1600, *, dark: bool = False) -> None:
        """Size of the window, and which colours its user prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def value(self, script: str) -> Any:
        """What an expression of JavaScript is; a promise is awaited."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                          awaitPromise=True)  # fmt: skip
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def text(self, selector: str) -> str:
        """What stands in the first element; "" where there is none."""
        return self.value(f"document.querySelector({selector!r})?.innerText ?? ''")

    def until(self, script: str, seconds: float = 60.0) -> None:
        """Wait for an expression to be true."""
        wait(lambda: self.value(f"Boolean({script})"), seconds, script)

    def middle(self, selector: str) -> tuple[float, float]:
        """Of the first element, brought into view."""
        return tuple(self.value(
            f"(() => {{ const e = document.querySelector({selector!r});"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2] })()"
        ))  # fmt: skip

    def click(self, selector: str) -> None:
        self.press(*self.middle(selector))

    def press(self, x: float, y: float) -> None:
        """The left button, at a point."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left",
                      clickCount=1)  # fmt: skip

    def hover(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def key(self, name: str) -> None:
        for kind in ("keyDown", "keyUp"):
            codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name,
                      windowsVirtualKeyCode=codes[name])  # fmt: skip

    def drop(self, selector: str, *files: Path) -> None:
        """Files onto an element."""
        x, y = self.middle(selector)
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            # what an element lays over itself while something is dragged takes the drop
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)
            self.value("new Promise(done => requestAnimationFrame(() => done(1)))")

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """The window, or the whole page, as .png."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def browser(program: str, folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in a folder, closed at the end."""
    from websockets.sync.client import connect

    command = [program, *QUIET, f"--user-data-dir={folder}", "--remote-debugging-port=0",
               "about:blank"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        said = folder / "DevToolsActivePort"
        wait(lambda: said.exists() and said.read_text().count("\n"), 60, "the browser listens")
        port = int(said.read_text().splitlines()[0])
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            pages = [each for each in json.load(answer) if each["type"] == "page"]
        with connect(pages[0]["webSocketDebuggerUrl"], max_size=None, proxy=None) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait(found: Callable[[], Any], seconds: float, what: str) -> None:
    """Look again and again until something is found."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)
