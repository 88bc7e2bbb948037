"""Where requests to Notion go: to the server itself, or through the proxy that the environment names."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import SourceUnavailable
from arcana_pipelines.sources.notion.api import NotionApi, Patience, fingerprint
from arcana_pipelines.sources.notion.limiter import RateLimiter

BODY = b'{"object": "user", "id": "1"}'


class Recorder(ThreadingHTTPServer):
    """Answers everything like Notion and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Recorder

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test prints what it needs."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_proxy_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


Ask = Callable[[str], None]


@pytest.fixture
def ask(database: Database) -> Ask:
    """Asks a server once who we are."""

    def ask(base_url: str) -> None:
        token = SecretStr("ntn_secret")
        api = NotionApi(
            token, base_url, RateLimiter(database, fingerprint(token), 0), Patience(attempts=1, timeout=5.0)
        )
        try:
            assert api.call("GET", "users/me", query={"page_size": 100})["id"] == "1"
        finally:
            api.close()

    return ask


def test_without_a_proxy_the_server_itself_is_asked(recorder: Recorder, ask: Ask) -> None:
    ask(f"http://{recorder.address}/")
    assert recorder.asked == ["/v1/users/me?page_size=100"]
    assert recorder.headers[0]["authorization"] == "Bearer ntn_secret"
    assert recorder.headers[0]["notion-version"] == "2026-03-11"


def test_the_environments_proxy_is_asked_in_its_place(
    recorder: Recorder, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://user:p%40ss@{recorder.address}")
    ask("http://notion.invalid")
    assert recorder.asked == ["http://notion.invalid/v1/users/me?page_size=100"]
    login = base64.b64encode(b"user:p@ss").decode()
    assert recorder.headers[0]["proxy-authorization"] == f"Basic {login}"


def test_a_host_that_needs_no_proxy_is_asked_itself(
    recorder: Recorder, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    ask(f"http://{recorder.address}")
    assert recorder.asked == ["/v1/users/me?page_size=100"]


def test_a_host_that_is_not_there_is_named_without_the_token(ask: Ask) -> None:
    with pytest.raises(SourceUnavailable, match="GET users/me: the connection failed") as raised:
        ask("http://notion.invalid")
    assert "ntn_secret" not in str(raised.value)
