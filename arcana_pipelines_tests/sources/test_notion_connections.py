"""Where requests to Notion go: to the server itself, or through the proxy that the environment names; odd answers."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest
from pydantic import SecretStr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import ArcanaError, InvalidSetting, PageRejected, PageUnavailable, SourceUnavailable
from arcana_pipelines.net.certificates import trusted_certificates
from arcana_pipelines.sources.client import Patience, fingerprint
from arcana_pipelines.sources.limiter import RateLimiter
from arcana_pipelines.sources.notion.api import NotionApi
from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request

BODY = b'{"object": "user", "id": "1"}'


class Recorder(AnsweringServer):
    """Answers everything like Notion and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        super().__init__()
        self.host = self.address.removeprefix("http://")

    def answer(self, request: Request) -> Answer:
        self.asked.append(request.target)
        self.headers.append(request.headers)
        return Answer(200, BODY)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_proxy_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


Ask = Callable[..., None]


@pytest.fixture
def ask(database: Database) -> Ask:
    """Asks a server once who we are."""

    def ask(base_url: str, timeout: float = 5.0) -> None:
        token = SecretStr("ntn_secret")
        patience = Patience(attempts=1, throttled_attempts=1, timeout=timeout)
        api = NotionApi(token, base_url, RateLimiter(database, fingerprint(token), 0), patience)
        try:
            assert api.request("users/me", "GET", query={"page_size": 100})["id"] == "1"
        finally:
            api.close()

    return ask


def test_without_a_proxy_the_server_itself_is_asked(recorder: Recorder, ask: Ask) -> None:
    ask(f"http://{recorder.host}/")
    assert recorder.asked == ["/v1/users/me?page_size=100"]
    assert recorder.headers[0]["authorization"] == "Bearer ntn_secret"
    assert recorder.headers[0]["notion-version"] == "2026-03-11"


def test_the_environments_proxy_is_asked_in_its_place(
    recorder: Recorder, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://user:p%40ss@{recorder.host}")
    ask("http://notion.invalid")
    assert recorder.asked == ["http://notion.invalid/v1/users/me?page_size=100"]
    login = base64.b64encode(b"user:p@ss").decode()
    assert recorder.headers[0]["proxy-authorization"] == f"Basic {login}"


def test_a_host_that_needs_no_proxy_is_asked_itself(
    recorder: Recorder, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    ask(f"http://{recorder.host}")
    assert recorder.asked == ["/v1/users/me?page_size=100"]


def test_a_proxy_without_a_scheme_is_asked_by_http(
    recorder: Recorder, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", recorder.host)
    ask("http://notion.invalid")
    assert recorder.asked == ["http://notion.invalid/v1/users/me?page_size=100"]


def test_a_host_and_port_that_need_no_proxy_are_asked_themselves(
    recorder: Recorder, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", recorder.host)
    ask(f"http://{recorder.host}")
    assert recorder.asked == ["/v1/users/me?page_size=100"]


def test_a_proxy_of_another_kind_is_named_without_its_password(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:secret@127.0.0.1:1080")
    with pytest.raises(InvalidSetting, match="socks5 proxy for notion") as raised:
        ask("http://notion.invalid")
    assert "secret" not in str(raised.value)


def test_certificates_that_are_not_there_are_said_to_be(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted_certificates.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/authorities.pem")
    with pytest.raises(InvalidSetting, match="SSL_CERT_FILE"):
        ask("https://notion.invalid")


def test_a_host_that_is_not_there_is_named_without_the_token(ask: Ask) -> None:
    with pytest.raises(SourceUnavailable, match="GET users/me: the connection failed") as raised:
        ask("http://notion.invalid")
    assert "ntn_secret" not in str(raised.value)


class Odd(AnsweringServer):
    """Answers everything with what the test says."""

    def __init__(self) -> None:
        self.status = 200
        self.body = BODY
        # Of a body that comes byte by byte, for as long as somebody reads.
        self.pause: float | None = None
        self._ended = threading.Event()
        super().__init__()

    def answer(self, request: Request) -> Answer:
        if self.pause is None:
            return Answer(self.status, self.body)
        return Answer(self.status, self._trickle(self.pause), {"Content-Length": str(10**9)})

    def _trickle(self, pause: float) -> Iterator[bytes]:
        while not self._ended.wait(pause):
            yield b" "

    def close(self) -> None:
        self._ended.set()
        super().close()


@pytest.fixture
def odd() -> Iterator[Callable[..., str]]:
    """Makes the server odd, and returns its address."""
    with Odd() as server:

        def is_odd(**what: object) -> str:
            for name, value in what.items():
                setattr(server, name, value)
            return server.address

        yield is_odd


def test_an_answer_that_trickles_in_is_given_up(odd: Callable[..., str], ask: Ask) -> None:
    with pytest.raises(SourceUnavailable, match="it timed out"):
        ask(odd(pause=0.02), timeout=0.2)


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500])
def test_what_an_error_says_can_be_kept_and_printed(odd: Callable[..., str], ask: Ask, status: int) -> None:
    details = {"message": "not \0 so \ud800 fast", "additional_data": {"rate_limit_reason": "\0\ud800"}}
    with pytest.raises(ArcanaError) as raised:
        ask(odd(status=status, body=json.dumps(details).encode()))
    said = str(raised.value)
    assert "\0" not in said and said.encode()


@pytest.mark.parametrize("status", [301, 404])
def test_what_a_gateway_says_in_notions_place_is_said_of_no_page(
    odd: Callable[..., str], ask: Ask, status: int
) -> None:
    with pytest.raises(SourceUnavailable, match=str(status)):
        ask(odd(status=status, body=b"<html>Not Found</html>"))


def test_only_notion_says_that_a_page_is_not_there(odd: Callable[..., str], ask: Ask) -> None:
    details = {"object": "error", "status": 404, "code": "object_not_found", "message": "Could not find it."}
    with pytest.raises(PageUnavailable, match="object_not_found"):
        ask(odd(status=404, body=json.dumps(details).encode()))


@pytest.mark.parametrize("spelling", ["..", "%2e%2e", "%2E.", "a/../../users"])
def test_an_id_that_leads_to_another_path_is_never_asked_for(database: Database, spelling: str) -> None:
    api = NotionApi(SecretStr("ntn_x"), "http://127.0.0.1:9", RateLimiter(database, "x", 0), Patience(attempts=1))
    with pytest.raises(PageRejected, match="not a path of Notion"):
        api.pages.properties.retrieve("1f7effb2-9211-800a-af32-c10cd6f51abc", spelling)
