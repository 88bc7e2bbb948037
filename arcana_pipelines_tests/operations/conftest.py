"""A receiver of alerts, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr


class Receiver:
    """Keeps what it was posted. `status` is what it answers from now on; `silent`, it takes the post and is mute.

    `unanswered` is what it was posted while it was mute.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.unanswered: list[str] = []
        self.status = 200
        self.location: str | None = None
        self.silent = threading.Event()
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if receiver.silent.is_set():
                    receiver.unanswered.append(body["text"])
                    receiver.released.wait(30)
                    return
                if receiver.status == 200:
                    receiver.texts.append(body["text"])
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            do_GET = do_POST

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/secret-path")

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.close()
