"""A receiver of alerts, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request


class Receiver(AnsweringServer):
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
        super().__init__()

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"{self.address}/services/T0/B0/secret-path")

    def answer(self, request: Request) -> Answer | None:
        text = json.loads(request.body)["text"]
        if self.silent.is_set():
            self.unanswered.append(text)
            self.released.wait(30)
            return None
        if self.status == 200:
            self.texts.append(text)
        return Answer(self.status, b"ok", {"Location": self.location} if self.location else {})

    def close(self) -> None:
        self.released.set()
        super().close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running
