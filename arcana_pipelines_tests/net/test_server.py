"""Other people's servers, at their worst: an answer is whole within its time and its size, or it is an error."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding.openai import client as openai_client
from arcana_pipelines.embedding.openai.embedder import OpenAIEmbedder
from arcana_pipelines.errors import (
    EmbeddingFailed,
    PageRejected,
    RerankingFailed,
    SourceError,
    SourcePaused,
    SourceUnavailable,
)
from arcana_pipelines.net import post as requests_for_alerts
from arcana_pipelines.net.answer_size import AnswerTooLarge
from arcana_pipelines.net.http_client import Server
from arcana_pipelines.retrieval.reranking import endpoint as reranking_endpoint
from arcana_pipelines.retrieval.reranking.registry import open_reranker
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources import client as source_client
from arcana_pipelines.sources.client import Patience, fingerprint
from arcana_pipelines.sources.limiter import RateLimiter
from arcana_pipelines.sources.notion import api
from arcana_pipelines.sources.notion.api import NotionApi

pytestmark = pytest.mark.slow

MIB = 2**20
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Talk = Callable[[socket.socket, threading.Event], None]


class Hostile:
    """A server that reads one request a connection and then says what the test wants, while anybody listens."""

    def __init__(self) -> None:
        self.talk: Talk = lambda connection, ended: None
        self.requests: list[bytes] = []
        self._ended = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                self.requests.append(connection.recv(MIB))
                self.talk(connection, self._ended)
            except OSError:
                return

    def close(self) -> None:
        self._ended.set()
        self._socket.close()


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    server = Hostile()
    yield server
    server.close()


def says(answer: bytes) -> Talk:
    return lambda connection, ended: connection.sendall(answer)


def trickles(piece: bytes, first: bytes = b"") -> Talk:
    def talk(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(first)
        while not ended.wait(0.01):
            connection.sendall(piece)

    return talk


def packed(data: bytes, times: int = 1) -> bytes:
    for _ in range(times):
        data = gzip.compress(data)
    coding = b", ".join([b"gzip"] * times)
    return HEAD + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(data)) + data


def in_chunks(data: bytes) -> bytes:
    data = zlib.compress(data)
    head = HEAD + b"Content-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n" % len(data) + data + b"\r\n0\r\n\r\n"


BOMB = b" " * (40 * MIB)
TOO_LARGE: dict[str, Talk] = {
    "plain": says(HEAD + b"Content-Length: %d\r\n\r\n" % len(BOMB) + BOMB),
    "gzip": says(packed(BOMB)),
    "twice": says(packed(BOMB, 2)),
    "chunks": says(in_chunks(BOMB)),
    "until_the_end": says(HEAD + b"Connection: close\r\n\r\n" + BOMB),
}
# A few bytes each, and as objects many times that.
MANY = {
    "lists": b"[]", "objects": b"{}", "numbers": b"1", "strings": b'""', "pairs": b'{"":0,"b":[]}',
    "nested": b"[[[[]]]]", "escaped": b'"\\""', "nulls": b"null",
}  # fmt: skip
ENDLESS: dict[str, Talk] = {
    "body": trickles(b" ", HEAD + b"Content-Length: 1000000\r\n\r\n"),
    "chunks": trickles(b"1\r\n \r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
    "one header": trickles(b"a", HEAD + b"X-Long: "),
    "headers": trickles(b"X-One-More: of many\r\n", HEAD),
    "continue": trickles(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "status": trickles(b"H"),
    "nothing": lambda connection, ended: ended.wait() and None,
}


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_an_answer_that_is_too_large_is_refused_before_it_is_in_memory(hostile: Hostile, kind: str) -> None:
    hostile.talk = TOO_LARGE[kind]
    server = Server(hostile.url, timeout=5, seconds=30, most_bytes=MIB)
    sizes: list[int] = []
    with pytest.raises(AnswerTooLarge, match="more than 1 MiB"):
        sizes.extend(map(len, server.pieces(server.open("GET", hostile.url))))
    assert sum(sizes) <= MIB and max(sizes) <= MIB // 8, "it comes in small pieces"
    server.close()


@pytest.mark.parametrize("kind", ENDLESS)
def test_an_answer_has_one_deadline_from_its_first_byte_to_its_last(hostile: Hostile, kind: str) -> None:
    hostile.talk = ENDLESS[kind]
    server = Server(hostile.url, timeout=0.2, seconds=0.4, most_bytes=MIB)
    with pytest.raises(HTTPError):
        server.send("GET", hostile.url)
    server.close()


def test_a_connection_is_used_again_and_its_time_begins_anew(hostile: Hostile) -> None:
    def talk(connection: socket.socket, ended: threading.Event) -> None:
        for _ in range(3):
            connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
            hostile.requests.append(connection.recv(MIB))

    hostile.talk = talk
    server = Server(hostile.url, timeout=5, seconds=0.5, most_bytes=MIB)
    for number in range(3):
        assert server.send("GET", f"{hostile.url}/{number}").data == b"{}"
    assert [request.split()[1] for request in hostile.requests[:3]] == [b"/0", b"/1", b"/2"]
    server.close()


def test_a_redirect_is_an_answer_and_not_an_order(hostile: Hostile) -> None:
    elsewhere = Hostile()
    hostile.talk = says(b"HTTP/1.1 307 X\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n" % elsewhere.url.encode())
    server = Server(hostile.url, timeout=5, seconds=5, most_bytes=MIB)
    assert server.send("POST", hostile.url, b"secret text").status == 307
    assert elsewhere.requests == []
    elsewhere.close()
    server.close()


class TestNotion:
    def ask(self, hostile: Hostile, database: Database, timeout: float = 5.0, path: str = "users/me") -> Any:
        token = SecretStr("ntn_secret")
        patience = Patience(attempts=1, throttled_attempts=1, timeout=timeout)
        notion = NotionApi(token, hostile.url, RateLimiter(database, fingerprint(token), 0), patience)
        try:
            return notion.request(path, "GET")
        finally:
            notion.close()

    def test_an_answer_that_unpacks_to_too_much_is_refused(
        self, hostile: Hostile, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert (api.MOST_BYTES, api.MOST_MARKDOWN_BYTES) == (16 * MIB, 64 * MIB)
        monkeypatch.setattr(api, "MOST_BYTES", MIB)
        hostile.talk = TOO_LARGE["gzip"]
        with pytest.raises(PageRejected, match="more than 1 MiB"):
            self.ask(hostile, database)

    @pytest.mark.parametrize("kind", MANY)
    @pytest.mark.parametrize("status", [b"200", b"400", b"429"])
    def test_an_answer_of_too_many_values_is_refused_before_they_are_made(
        self, hostile: Hostile, database: Database, monkeypatch: pytest.MonkeyPatch, kind: str, status: bytes
    ) -> None:
        monkeypatch.setattr(source_client, "MOST_VALUES", 1000)
        read: list[int] = []
        monkeypatch.setattr(source_client, "_finite", lambda digits: read.append(1))
        body = b'{"object": "list", "first": 0.5, "results": [%s]}' % b",".join([MANY[kind]] * 1000)
        hostile.talk = says(HEAD.replace(b"200", status) + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        with (
            pytest.raises(PageRejected, match="more than 1,000 values")
            if status == b"200"
            else pytest.raises(SourceError)
        ):
            self.ask(hostile, database)
        assert read == []

    @pytest.mark.parametrize("asked", ["1e308", "9" * 300, "1e999", "inf", "Fri, 31 Dec 9999 23:59:59 GMT"])
    @pytest.mark.parametrize("where", ["header", "body"])
    def test_a_pause_of_any_length_is_a_short_sentence(
        self, hostile: Hostile, database: Database, asked: str, where: str
    ) -> None:
        said = {"object": "error", "status": 429, "code": "rate_limited", "additional_data": {"retry_after": asked}}
        body = json.dumps(said if where == "body" else {}).encode()
        head = HEAD.replace(b"200", b"429") + (f"Retry-After: {asked}\r\n".encode() if where == "header" else b"")
        hostile.talk = says(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        with pytest.raises(SourcePaused, match="asks to wait 86400 s"):
            self.ask(hostile, database)

    @pytest.mark.parametrize("status", [b"400", b"401", b"403", b"404", b"409", b"429", b"500"])
    def test_an_error_of_any_length_is_a_short_sentence(
        self, hostile: Hostile, database: Database, status: bytes
    ) -> None:
        long = "x" * 100_000
        said = {"object": "error", "code": long, "message": long, "additional_data": {"rate_limit_reason": long}}
        body = json.dumps(said).encode()
        hostile.talk = says(HEAD.replace(b"200", status) + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        with pytest.raises(SourceError) as raised:
            self.ask(hostile, database)
        assert len(str(raised.value)) < 1000

    @pytest.mark.parametrize(
        "text", [",[{" * 5000, '\\",[' * 5000, "쉼표, [대괄호], {중괄호}" * 500, "\\" * 9999 + ","]
    )
    def test_signs_in_a_text_are_no_values(
        self, hostile: Hostile, database: Database, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setattr(source_client, "MOST_VALUES", 100)
        body = json.dumps({"object": "page_markdown", "markdown": text}).encode()
        hostile.talk = says(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert self.ask(hostile, database)["markdown"] == text

    def test_only_markdown_may_be_as_long_as_a_page(
        self, hostile: Hostile, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(api, "MOST_BYTES", MIB)
        body = json.dumps({"object": "page_markdown", "markdown": "a" * 2 * MIB}).encode()
        hostile.talk = says(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert len(self.ask(hostile, database, path="pages/0/markdown")["markdown"]) == 2 * MIB
        with pytest.raises(PageRejected, match="more than 1 MiB"):
            self.ask(hostile, database, path="blocks/0/children")

    def test_large_answers_are_read_one_after_the_other(
        self, hostile: Hostile, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reading: list[int] = []
        most = []

        def slow(data: bytes) -> Any:
            reading.append(1)
            most.append(len(reading))
            time.sleep(0.05)
            reading.pop()
            return json.loads(data)

        monkeypatch.setattr(source_client, "read_json", slow)
        for large, together in ((10, False), (10**6, True)):
            monkeypatch.setattr(source_client, "_LARGE", large)
            most.clear()
            body = b'{"object": "user"}'
            hostile.talk = says(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            with ThreadPoolExecutor(4) as threads:
                list(threads.map(lambda _: self.ask(hostile, database), range(4)))
            assert (max(most) > 1) == together

    @pytest.mark.parametrize("kind", ENDLESS)
    def test_an_answer_without_an_end_is_given_up(self, hostile: Hostile, database: Database, kind: str) -> None:
        hostile.talk = ENDLESS[kind]
        with pytest.raises(SourceUnavailable):
            self.ask(hostile, database, timeout=0.2)


class TestEmbedder:
    def embedder(self, hostile: Hostile, **more: Any) -> OpenAIEmbedder:
        settings = {
            "openai_base_url": f"{hostile.url}/v1", "openai_api_key": SecretStr("sk-secret"), "openai_max_retries": 0,
            "openai_organization": "acme", **more,
        }  # fmt: skip
        return OpenAIEmbedder(Settings().model_copy(update=settings), "m", 2, patience=1)

    def answered(self, hostile: Hostile, body: bytes) -> None:
        hostile.talk = says(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def test_an_answer_that_unpacks_to_too_much_is_asked_for_once(
        self, hostile: Hostile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert openai_client.MOST_BYTES == 32 * MIB
        monkeypatch.setattr(openai_client, "MOST_BYTES", MIB)
        hostile.talk = TOO_LARGE["gzip"]
        with pytest.raises(EmbeddingFailed, match="more than 1 MiB"):
            self.embedder(hostile, openai_max_retries=5).embed(["text"])
        assert len(hostile.requests) == 1

    @pytest.mark.parametrize("kind", ENDLESS)
    def test_an_answer_without_an_end_is_given_up(self, hostile: Hostile, kind: str) -> None:
        hostile.talk = ENDLESS[kind]
        with pytest.raises(EmbeddingFailed):
            self.embedder(hostile, openai_timeout=0.2).embed(["text"])

    @pytest.mark.parametrize("kind", MANY)
    def test_an_answer_of_too_many_values_is_asked_for_once(
        self, hostile: Hostile, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        monkeypatch.setattr(openai_client, "MOST_VALUES", 1000)
        self.answered(hostile, b'{"data": [%s]}' % b",".join([MANY[kind]] * 1000))
        with pytest.raises(EmbeddingFailed, match="more than 1,000 values"):
            self.embedder(hostile, openai_max_retries=5).embed(["text"])
        assert len(hostile.requests) == 1

    def test_a_file_of_answers_without_an_end_is_given_up(
        self, hostile: Hostile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(openai_client, "MOST_FILE_SECONDS", 0.4)
        hostile.talk = ENDLESS["body"]
        client = self.embedder(hostile, openai_timeout=0.2).client

        def download(sdk: Any) -> None:
            with sdk.files.with_streaming_response.content("file-1") as response:
                list(response.iter_bytes())

        with pytest.raises(EmbeddingFailed, match="next sync goes on"):
            client.ask(download, "the file", client.files)

    def test_a_redirect_takes_texts_nowhere_else(self, hostile: Hostile) -> None:
        elsewhere = Hostile()
        hostile.talk = says(
            b"HTTP/1.1 307 X\r\nLocation: %s/v1/embeddings\r\nContent-Length: 0\r\n\r\n" % elsewhere.url.encode()
        )
        with pytest.raises(EmbeddingFailed, match="307"):
            self.embedder(hostile).embed(["secret text"])
        assert elsewhere.requests == []
        elsewhere.close()

    @pytest.mark.parametrize("indexes", [[0, 0], [1, 2], [-1, 0], ["0", "1"], [0, None], [0.0, 1.0], [True, False]])
    def test_rows_that_do_not_say_whose_they_are_are_refused(self, hostile: Hostile, indexes: list[Any]) -> None:
        rows = [{"index": index, "embedding": [0.5, 0.5]} for index in indexes]
        self.answered(hostile, json.dumps({"data": rows, "usage": {"total_tokens": 2}}).encode())
        with pytest.raises(EmbeddingFailed):
            self.embedder(hostile).embed(["one", "두 번째"])

    @pytest.mark.parametrize("tokens", ["-1000000000", "1e999", "9" * 23, '"12"', "true", "[1]", "2.5", "100000"])
    def test_counts_that_would_undo_a_budget_are_refused(self, hostile: Hostile, tokens: str) -> None:
        data = [{"index": 0, "embedding": [0.5, 0.5]}]
        self.answered(hostile, f'{{"data": {json.dumps(data)}, "usage": {{"total_tokens": {tokens}}}}}'.encode())
        with pytest.raises(EmbeddingFailed):
            self.embedder(hostile).embed(["text"])

    @pytest.mark.parametrize("usage", ["null", "{}", '{"total_tokens": 0}', '{"total_tokens": null}'])
    def test_an_endpoint_that_counts_nothing_is_counted_for(self, hostile: Hostile, usage: str) -> None:
        self.answered(hostile, b'{"data": [{"index": 0, "embedding": [0.5, 0.5]}], "usage": %s}' % usage.encode())
        assert self.embedder(hostile).embed(["some text"]).tokens > 0

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 100_000,
            b'{"data": ' + b"[" * 100_000,
            b'{"data": [{"index": 0, "embedding": ' + b"[" * 500 + b"]" * 500 + b"}]}",
            b'{"data": [{"index": 0, "embedding": [1' + b"0" * 400 + b", 1]}]}",
            b'{"data": [{"index": 0, "embedding": "not base64"}]}',
            b'{"data": {"index": 0}}',
            b'{"data": [null]}',
            b"null",
            b"<html>",
        ],
    )
    def test_odd_answers_are_errors_of_the_provider(self, hostile: Hostile, body: bytes) -> None:
        self.answered(hostile, body)
        with pytest.raises(EmbeddingFailed):
            self.embedder(hostile).embed(["text"])


class TestReranker:
    @pytest.mark.parametrize("kind", MANY)
    def test_an_answer_of_too_many_values_is_refused(
        self, hostile: Hostile, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        monkeypatch.setattr(reranking_endpoint, "MOST_VALUES", 1000)
        body = b'{"results": [%s]}' % b",".join([MANY[kind]] * 1000)
        hostile.talk = says(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        reranker = open_reranker(Settings(reranker_url=hostile.url))
        assert reranker is not None
        with pytest.raises(RerankingFailed, match="more than 1,000 values"):
            reranker.scores("q", ["a"])

    def test_an_answer_that_unpacks_to_too_much_is_refused(
        self, hostile: Hostile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert reranking_endpoint.MOST_BYTES == 16 * MIB
        monkeypatch.setattr(reranking_endpoint, "MOST_BYTES", MIB)
        hostile.talk = TOO_LARGE["gzip"]
        reranker = open_reranker(Settings(reranker_url=hostile.url))
        assert reranker is not None
        with pytest.raises(RerankingFailed, match="more than 1 MiB"):
            reranker.scores("q", ["a"])

    @pytest.mark.parametrize("kind", ENDLESS)
    def test_an_answer_without_an_end_is_given_up(
        self, hostile: Hostile, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reranking_endpoint, "DEADLINE_SECONDS", 0.3)
        hostile.talk = ENDLESS[kind]
        reranker = open_reranker(Settings(reranker_url=hostile.url))
        assert reranker is not None
        with pytest.raises(RerankingFailed):
            reranker.scores("q", ["a"])


class TestAlerts:
    @pytest.mark.parametrize("kind", ["one header", "headers", "continue", "status", "nothing"])
    def test_an_answer_without_an_end_is_given_up(
        self, hostile: Hostile, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(requests_for_alerts, "DEADLINE_SECONDS", 0.4)
        hostile.talk = ENDLESS[kind]
        with pytest.raises(requests_for_alerts.NoAnswer) as raised:
            requests_for_alerts.status_of(f"{hostile.url}/services/secret", {}, b"{}")
        assert "secret" not in str(raised.value)

    @pytest.mark.parametrize("kind", TOO_LARGE)
    def test_nobody_reads_what_else_is_said(self, hostile: Hostile, kind: str) -> None:
        hostile.talk = TOO_LARGE[kind]
        assert requests_for_alerts.status_of(hostile.url, {}, b"{}") == 200
