"""The receiver of webhooks faces the Internet: whose key it takes, and what strangers can make it do."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from pydantic import SecretStr
from starlette.testclient import TestClient

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import DatabaseUnreachable, WrongUse
from arcana_pipelines.settings import Settings
from arcana_pipelines.web import handshake, receiver, webhooks
from arcana_pipelines.web.webhooks import PATH, make_app

KEY = "secret_of_the_subscription"
EVENT = {"id": "e1", "type": "page.created", "workspace_id": "11111111-1111-4111-8111-111111111111"}
NO_KEYS: list[Any] = [
    "", " ", "secret_", "secret_" + "x" * 15, "secret_" + "x" * 257, "attacker" * 4, "\ud800",
    "secret_\ud800" + "x" * 20,
    "secret_" + "é" * 20, "secret_" + "x" * 20 + "\n", "secret_ " + "x" * 20, "secret_" + "x\x00" * 10, 7, None, [], {},
    True, "비밀" * 20,
]  # fmt: skip
CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "hostile" / "webhook-handshake"


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    with TestClient(make_app(database)) as client:
        yield client


def greet(client: TestClient, key: Any) -> int:
    return client.post(PATH, content=json.dumps({"verification_token": key}).encode()).status_code


def signed(client: TestClient, key: str, body: bytes | None = None) -> int:
    body = json.dumps(EVENT).encode() if body is None else body
    signature = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return client.post(PATH, content=body, headers={"X-Notion-Signature": signature}).status_code


class TestHandshake:
    def test_is_refused_while_nobody_asks_for_it(self, client: TestClient, settings: Settings) -> None:
        assert greet(client, KEY) == 404
        assert not handshake.key_file(settings).exists()
        assert signed(client, KEY) == signed(client, "") == 404

    def test_is_taken_once_when_a_person_asks_and_kept_where_only_its_owner_reads_it(
        self, client: TestClient, settings: Settings
    ) -> None:
        handshake.invite(settings)
        assert greet(client, KEY) == 200
        path = handshake.key_file(settings)
        assert path.read_text() == KEY and path.stat().st_mode & 0o077 == 0
        assert [each.name for each in path.parent.iterdir()] == [path.name], "nothing half written is left"
        assert greet(client, "secret_of_somebody_else") == 401
        assert path.read_text() == KEY
        assert signed(client, KEY) == 200

    def test_a_new_subscription_takes_the_place_of_the_old_one(self, client: TestClient, settings: Settings) -> None:
        for key in (KEY, KEY + "_2"):
            handshake.invite(settings)
            assert greet(client, key) == 200
            assert signed(client, key) == 200
        assert signed(client, KEY) == 401

    def test_a_key_that_is_none_is_refused_and_a_proper_one_is_still_taken(
        self, client: TestClient, settings: Settings
    ) -> None:
        for key in NO_KEYS:
            handshake.invite(settings)
            assert greet(client, key) == 400, repr(key)
            assert not handshake.key_file(settings).exists(), repr(key)
            assert signed(client, "") == 401, repr(key)
            assert greet(client, KEY) == 200, repr(key)
            handshake.key_file(settings).unlink()

    def test_comes_too_late_after_ten_minutes(
        self, client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        handshake.invite(settings)
        later = time.time() + handshake.OPEN_SECONDS + 1
        monkeypatch.setattr(time, "time", lambda: later)
        assert greet(client, KEY) == 404

    def test_of_many_at_once_one_is_taken(self, settings: Settings) -> None:
        handshake.invite(settings)
        taken: list[bool] = []
        threads = [
            threading.Thread(target=lambda n=n: taken.append(handshake.take(settings, f"{KEY}_{n}"))) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == [False] * 7 + [True]

    def test_a_disk_that_fails_leaves_no_key(
        self, client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        handshake.invite(settings)

        def full(handle: int) -> None:
            raise OSError("no space left")

        monkeypatch.setattr("os.fsync", full)
        assert greet(client, KEY) == 503
        monkeypatch.undo()
        assert list(settings.storage_root.iterdir()) == [], "nothing is left of it"
        assert signed(client, "") == 404


def test_while_the_database_is_away_an_event_is_to_be_sent_again(
    client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise DatabaseUnreachable("The database at db.internal cannot be used.")

    handshake.invite(settings)
    assert greet(client, KEY) == 200
    monkeypatch.setattr("arcana_pipelines.web.webhooks.inbox.receive", away)
    assert signed(client, KEY) == 503


class TestKeys:
    @pytest.mark.parametrize("kept", ["", " ", "\n", "secret_", "abc", "secret_" + "x" * 300])
    def test_a_file_without_a_key_refuses_everything(self, client: TestClient, settings: Settings, kept: str) -> None:
        handshake.key_file(settings).parent.mkdir(parents=True)
        handshake.key_file(settings).write_text(kept)
        assert signed(client, kept.strip()) == 404
        assert signed(client, "") == 404

    @pytest.mark.parametrize("given", ["", " ", "\t\n"])
    def test_a_blank_variable_refuses_everything(
        self, database: Database, monkeypatch: pytest.MonkeyPatch, given: str
    ) -> None:
        settings = database.settings.model_copy(update={"notion_webhook_token": SecretStr(given)})
        monkeypatch.setattr(database, "settings", settings)
        with TestClient(make_app(database)) as client:
            assert signed(client, "") == signed(client, given) == 404
            assert greet(client, KEY) == 404

    def test_the_variables_key_is_the_key_and_no_handshake_is_asked_for(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = database.settings.model_copy(update={"notion_webhook_token": SecretStr(KEY)})
        monkeypatch.setattr(database, "settings", settings)
        with pytest.raises(WrongUse, match="NOTION_WEBHOOK_TOKEN"):
            handshake.invite(settings)
        with TestClient(make_app(database)) as client:
            assert signed(client, KEY) == 200


class TestHandedBodies:
    def test_are_all_refused_and_a_proper_handshake_is_taken(self, client: TestClient, settings: Settings) -> None:
        if not CASES.is_dir():
            pytest.skip(f"SKIPPED LOUDLY: no {CASES}; nothing was tried here")
        handshake.invite(settings)
        for path in sorted(CASES.glob("*.json")):
            status = client.post(PATH, content=path.read_bytes()).status_code
            assert status in (400, 401), path.name
            assert not handshake.key_file(settings).exists()
            assert signed(client, "", path.read_bytes()) in (400, 401), path.name
        assert greet(client, KEY) == 200
        for name in ("signed-nul-id", "signed-lone-surrogate-id"):
            assert signed(client, KEY, (CASES / f"{name}.json").read_bytes()) == 400


class TestLimits:
    def test_a_body_that_is_too_large_is_not_read_to_its_end(self, client: TestClient) -> None:
        assert client.post(PATH, content=b" " * (webhooks.LARGEST_BODY + 1)).status_code == 413

    def test_more_requests_than_anybody_needs_are_refused(
        self, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(webhooks, "MOST_UNSIGNED", 3)
        monkeypatch.setattr(webhooks, "WINDOW_SECONDS", 3600.0)
        statuses = [client.post(PATH, content=b"{}").status_code for _ in range(5)]
        assert statuses == [404, 404, 404, 429, 429]

    @pytest.mark.parametrize("signature", [None, "", "sha256=", "sha256=" + "0" * 64, "한"])
    def test_events_are_taken_however_many_requests_without_a_signature_come(
        self, database: Database, monkeypatch: pytest.MonkeyPatch, signature: str | None
    ) -> None:
        monkeypatch.setattr(webhooks, "MOST_UNSIGNED", 3)
        monkeypatch.setattr(webhooks, "WINDOW_SECONDS", 3600.0)
        settings = database.settings.model_copy(update={"notion_webhook_token": SecretStr(KEY)})
        monkeypatch.setattr(database, "settings", settings)
        headers = {} if signature is None else {"X-Notion-Signature": signature.encode()}
        with TestClient(make_app(database)) as client:
            for _ in range(5):
                statuses = [client.post(PATH, content=b"{}", headers=headers).status_code for _ in range(2)]
                assert signed(client, KEY) == 200
            assert statuses == [429, 429]

    @pytest.fixture
    def address(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
        """The receiver on a port, in a great hurry."""
        monkeypatch.setattr(receiver, "HEADER_SECONDS", 0.3)
        monkeypatch.setattr(receiver, "CONNECTION_SECONDS", 1.5)
        monkeypatch.setattr(webhooks, "BODY_SECONDS", 0.3)
        sock = receiver.listen("127.0.0.1", 0)
        server = uvicorn.Server(receiver.config(make_app(database)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        yield sock.getsockname()
        server.should_exit = True
        thread.join(10)
        sock.close()

    def read(self, address: tuple[str, int], sent: bytes) -> bytes:
        """What comes back over one connection until the receiver ends it."""
        with socket.create_connection(address, 10) as connection:
            connection.sendall(sent)
            answer = b""
            while True:
                try:
                    piece = connection.recv(65536)
                except ConnectionResetError:
                    return answer
                if not piece:
                    return answer
                answer += piece

    @pytest.mark.parametrize("sent", [b"", b"POST", b"POST /webhooks/notion HTTP/1.1\r\nHost: x\r\nX-Half: "])
    def test_half_a_request_is_not_waited_for(self, address: tuple[str, int], sent: bytes) -> None:
        assert self.read(address, sent) == b""

    def test_half_a_body_is_not_waited_for(self, address: tuple[str, int]) -> None:
        head = b"POST /webhooks/notion HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
        assert b" 408 " in self.read(address, head + b"{")

    def test_a_connection_serves_one_request(self, address: tuple[str, int]) -> None:
        one = b"POST /webhooks/notion HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        answer = self.read(address, one + b"POST /webhooks/notion HTTP/1.1\r\nX-Half: ")
        assert answer.count(b"HTTP/1.1 ") == 1 and b" 404 " in answer and b"connection: close" in answer.lower()

    @pytest.mark.parametrize(
        "half",
        [
            b"",
            b"POST /webhooks/notion HTTP/1.1\r\nHost: x\r\nX-Half: ",
            b"POST /webhooks/notion HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
            b"POST /webhooks/notion HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        ],
    )
    def test_whole_requests_are_answered_while_all_connections_are_held_by_halves(
        self, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch, half: bytes
    ) -> None:
        monkeypatch.setattr(receiver, "MOST_CONNECTIONS", 20)
        monkeypatch.setattr(receiver, "HEADER_SECONDS", 60.0)
        monkeypatch.setattr(receiver, "CONNECTION_SECONDS", 60.0)
        monkeypatch.setattr(webhooks, "BODY_SECONDS", 60.0)
        one = b"POST /webhooks/notion HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        held = []
        for _ in range(6):
            for _ in range(10):
                held.append(connection := socket.create_connection(address, 10))
                connection.sendall(half)
            assert b" 404 " in self.read(address, one)
        for connection in held:
            connection.close()

    def test_an_address_that_holds_many_connections_loses_its_own(
        self, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(receiver, "MOST_CONNECTIONS", 20)
        monkeypatch.setattr(receiver, "HEADER_SECONDS", 60.0)
        monkeypatch.setattr(receiver, "CONNECTION_SECONDS", 60.0)
        one = b"POST /webhooks/notion HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        with socket.create_connection(address, 10, source_address=("127.0.0.2", 0)) as slow:
            slow.sendall(one[:40])
            held = [socket.create_connection(address, 10) for _ in range(60)]
            slow.sendall(one[40:])
            assert b" 404 " in slow.recv(65536)
        for connection in held:
            connection.close()

    def test_honest_callers_are_served_beside_many_idle_ones(
        self, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(receiver, "MOST_CONNECTIONS", 20)
        idle = [socket.create_connection(address, 10) for _ in range(60)]
        for connection in idle:
            connection.settimeout(10)
            try:
                assert connection.recv(1) == b""
            except ConnectionResetError:
                continue
        one = b"POST /webhooks/notion HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        assert b" 404 " in self.read(address, one)
        for connection in idle:
            connection.close()
