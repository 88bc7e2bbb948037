"""A browser: Chromium, driven over its own protocol (https://chromedevtools.github.io/devtools-protocol/)."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PATIENCE = 60.0
_KEYS = {"Tab": 9, "Enter": 13, "Space": 32}


def find_chromium() -> str | None:
    """Where the browser is, if there is one."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


class Tab:
    """One page of a browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._sent = 0
        self.errors: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; what the page's console says meanwhile is kept in `errors`."""
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while True:
            heard = json.loads(self._socket.recv(PATIENCE))
            if heard.get("id") == self._sent:
                assert "error" not in heard, f"{method}: {heard['error']}"
                answer: dict[str, Any] = heard["result"]
                return answer
            if heard.get("method") == "Log.entryAdded":
                self.errors.append(heard["params"]["entry"]["text"])
            elif heard.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(heard["params"]))

    def run(self, script: str) -> Any:
        """What an expression of the page's is worth."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Until an expression of the page's is true."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                if self.run(script):
                    return
            except AssertionError:  # the page goes away just now
                pass
            time.sleep(0.05)
        raise AssertionError(f"never came: {script} at {self.run('location.href')}")

    def go(self, url: str) -> None:
        """Open an address."""
        self.run("window.isLeft = true")
        self.ask("Page.navigate", url=url)
        self.wait("!window.isLeft && document.readyState === 'complete'")

    def press(self, key: str, shift: bool = False) -> None:
        """Press a key, as a person does."""
        text = {"Enter": "\r", "Space": " "}.get(key)
        named: dict[str, Any] = {
            "key": " " if key == "Space" else key, "code": key, "windowsVirtualKeyCode": _KEYS[key],
            "modifiers": 8 if shift else 0,
        }  # fmt: skip
        self.ask("Input.dispatchKeyEvent", type="keyDown", **named, **({"text": text} if text else {}))
        self.ask("Input.dispatchKeyEvent", type="keyUp", **named)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.ask("Input.insertText", text=text)

    def size(self, width: int, height: int, scale: float = 1, dark: bool = False) -> None:
        """Give the window a size, and a colour scheme."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media="screen", features=[scheme])

    def picture(self, path: Path) -> None:
        """Keep what is seen."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser(language: str = "en") -> Iterator[Tab]:
    """A tab of a browser that knows nothing of others."""
    found = find_chromium()
    assert found is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [found, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0", f"--accept-lang={language}",
             f"--user-data-dir={folder}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            with connect(_address(process, Path(folder)), max_size=None, proxy=None) as socket:
                yield Tab(socket)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[bytes], folder: Path) -> str:
    import httpx

    deadline = time.monotonic() + PATIENCE
    told = folder / "DevToolsActivePort"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            port = told.read_text().splitlines()[0]
            tabs = httpx.get(f"http://127.0.0.1:{port}/json", trust_env=False).json()
            return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
        except (OSError, IndexError, httpx.HTTPError, StopIteration):
            time.sleep(0.1)
    raise AssertionError("Chromium did not start")
