"""R3: what is sent to the API, however it is meant, ends in an answer, a refusal in words, or a closed connection."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import httpx
import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.retrieval.limits import LONGEST_QUERY, LONGEST_VALUE, MOST_CONDITIONS
from arcana_pipelines.web import server
from arcana_pipelines.web.api import LARGEST_BODY, MOST_K
from arcana_pipelines_tests.requirements.routes import (
    ALL_SCOPES,
    MCP,
    THERE,
    Route,
    ask_tools,
    may_everything,
    routes_with_key,
)
from arcana_pipelines_tests.tenants import Tenant
from arcana_pipelines_tests.web.conftest import Api

SEARCH = "/v1/workspaces/acme/search"
EVIL = "https://evil.example"


def connected(api: Api, sent: bytes) -> socket.socket:
    """A connection over which so much was sent."""
    host, _, port = api.url.removeprefix("http://").partition(":")
    made = socket.create_connection((host, int(port)), timeout=30)
    made.sendall(sent)
    return made


class TestSlowRequests:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "half",
        [
            b"",
            b"POST /v1/workspaces/acme/search HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
            b"POST /v1/workspaces/acme/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{",
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost",
        ],
        ids=["nothing", "headers", "body", "answered and kept", "a second one's headers"],
    )
    def test_r3_hundreds_of_half_sent_ones_keep_out_no_honest_one(self, api: Api, half: bytes) -> None:
        with ExitStack() as held, api.client("search") as client:
            for _ in range(server.MOST_CONNECTIONS + 150):
                held.enter_context(closing(connected(api, half)))
            for _ in range(5):
                assert client.post(SEARCH, json={"query": "vacation"}).status_code == 200
                with api.with_key(None) as new:
                    assert new.get("/healthz").status_code == 200

    @pytest.mark.parametrize(
        ("sent", "answers"),
        [
            (b"GET /healthz HTTP/1.1\r\nHost", 0),
            (b"POST /v1/workspaces HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{", 0),
            (b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\nHost", 1),
        ],
    )
    def test_r3_one_that_does_not_come_whole_in_time_is_ended(
        self, api: Api, monkeypatch: pytest.MonkeyPatch, sent: bytes, answers: int
    ) -> None:
        monkeypatch.setattr(server, "REQUEST_SECONDS", 1.0)
        first, _, second = sent.partition(b"\r\n\r\nGET")
        with closing(connected(api, first + (b"\r\n\r\n" if second else b""))) as connection:
            heard = b""
            if second:
                heard = connection.recv(65_536)
                connection.sendall(b"GET" + second)
            began = time.monotonic()
            try:
                while data := connection.recv(65_536):
                    heard += data
            except ConnectionResetError:
                pass
            assert time.monotonic() - began < 10
        # What is asked for without its body may be refused before that comes.
        assert heard.count(b"200 OK") == answers


class TestPagesInBrowsers:
    """Nothing that a page of another site can send is read, and nothing that is answered can it read."""

    def test_r3_bodies_are_json_alone(self, api: Api) -> None:
        tried = 0
        with api.client(*ALL_SCOPES) as client:
            for route in routes_with_key(api):
                if route.method == "GET":
                    continue
                for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", ""):
                    body = json.dumps(route.body or {"query": "vacation"})
                    path = route.path.replace("{slug}", "acme").replace("{store}", "acme")
                    headers = {"Content-Type": kind} if kind else {}
                    refused = client.request(route.method, path, content=body, headers=headers)
                    assert refused.status_code == 415, f"{route}, {kind or 'no type'}: {refused.text}"
                    tried += 1
            for kind in ("text/plain", "application/x-www-form-urlencoded"):
                assert ask_tools(client, {"Content-Type": kind}).status_code in (400, 415)
                tried += 1
        print(f"{tried} bodies of other kinds, all refused")
        assert tried >= 14

    @pytest.mark.parametrize(
        "origin", [EVIL, "null", "http://127.0.0.1:1", "http://localhost", "https://localhost.evil.example"]
    )
    def test_r3_no_origin_may_read_what_is_answered(self, api: Api, origin: str) -> None:
        said: list[httpx.Response] = []
        with api.client("search", "read") as client, api.with_key(None) as stranger:
            for route in routes_with_key(api):
                said.append(route.ask(client, headers={"Origin": origin}))
                path = route.path.replace("{slug}", "acme").replace("{store}", "acme")
                asked = {"Origin": origin, "Access-Control-Request-Method": route.method,
                         "Access-Control-Request-Headers": "authorization"}  # fmt: skip
                preflight = stranger.options(path, headers=asked)
                assert preflight.status_code == 405, str(route)
                said.append(preflight)
            for path in ("/healthz", "/readyz", "/openapi.json"):
                said.append(stranger.get(path, headers={"Origin": origin}))
        assert not [each for each in said if any(name.startswith("access-control") for name in each.headers)]

    def test_r3_host_and_origin_of_assistants(self, api: Api) -> None:
        port = api.url.rpartition(":")[2]
        hosts = {f"127.0.0.1:{port}": True, "localhost": True, "evil.example": False, "127.0.0.1.evil.example": False,
                 "localhost@evil.example": False, "": False}  # fmt: skip
        origins = {None: True, EVIL: False, "null": False, "http://127.0.0.1:1": False}
        with api.client("search", "read") as client:
            for host, host_is_ours in hosts.items():
                for origin, origin_is_none in origins.items():
                    headers = {"Host": host} | ({"Origin": origin} if origin else {})
                    status = ask_tools(client, headers).status_code
                    if host_is_ours and origin_is_none:
                        assert status == 200, (host, origin)
                    else:
                        assert status in (400, 403, 421), (host, origin)
        print(f"{len(hosts) * len(origins)} pairs of a host and an origin")

    def test_r3_whoever_asks_chooses_no_address_that_is_answered(self, api: Api) -> None:
        headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
        with api.client("search", "read") as client:
            paths = [
                MCP,
                "/healthz",
                "/openapi.json",
                *(route.path.replace("{slug}", "acme") for route in routes_with_key(api)),
            ]
            for path in paths:
                for asked in (path, f"{path}/", f"/{path}"):
                    answer = client.get(asked, headers=headers)
                    assert "evil.example" not in answer.text + str(answer.headers), asked
                    # The page for people sends who has not logged in to its log-in, on whatever host it is.
                    assert not answer.is_redirect or answer.headers["location"].startswith("/log-in"), asked


HOSTILE = (
    "\0", "a\0b", "\ud800", "\udfff", "'; DROP TABLE workspace; --", '"', "\\", "%", "{}", "%(x)s", "{table}",
    "../../etc/passwd", "\u202e", "\x1b[31m", "\x85", "=1+1", "-1", "1e999", "9" * 5000, "é" * 3000, " ", "",
)  # fmt: skip


def fuzzed(route: Route) -> Iterator[tuple[str, dict[str, Any]]]:
    """A route with one hostile value at each place that takes one."""
    for text in HOSTILE:
        encoded = text.encode("utf-8", "surrogatepass")
        escaped = "".join(f"%{byte:02X}" for byte in encoded)
        for name in route.of_path:
            yield (
                name,
                {
                    "there": {
                        "slug": "acme",
                        "store": "acme",
                        "document": "x",
                        "generation": "1",
                        name: escaped or "%20",
                    }
                },
            )
        for name in route.of_query:
            yield name, {"query": {name: encoded}}
        if route.takes_body:
            for changed in places(route.body, text):
                yield "body", {"body": changed}


def places(body: Any, text: str) -> Iterator[Any]:
    """The body with the text, or something else that is hostile, in the place of each value."""
    for value in (text, [text], {text: text}, [[[text]]]):
        for name in body:
            yield {**body, name: value}
        yield {**body, "filters": value}
        yield {**body, "index": value}
    yield {**body, text: 1}


class TestLimits:
    @pytest.mark.slow
    def test_r3_whatever_is_asked_is_answered_or_refused_in_words(self, api: Api) -> None:
        tried, refused = 0, 0
        with may_everything(api) as client:
            for route in routes_with_key(api):
                for where, asked in fuzzed(route):
                    answer = route.ask(client, **asked)
                    tried += 1
                    assert answer.status_code < 500, f"{route}, {where}: {asked!r:.200}: {answer.text}"
                    if answer.status_code >= 400:
                        refused += 1
                        assert "json" in answer.headers["content-type"]
                        require_decent(answer.text)
        print(f"{tried} requests, {refused} refused, none failed")
        assert tried > 1000

    def test_r3_what_is_larger_than_it_may_be_is_refused(self, api: Api) -> None:
        small = {"query": "vacation"}
        condition = {"name": "Status", "operator": "=", "value": "x"}
        at_most = [
            {"query": "a" * LONGEST_QUERY},
            {**small, "k": MOST_K},
        ]
        too_large: list[Any] = [
            {"query": "a" * (LONGEST_QUERY + 1)},
            {"query": "a" * (10 * LONGEST_QUERY)},
            {**small, "k": MOST_K + 1},
            {**small, "k": 10 * MOST_K},
            {**small, "k": 2**63},
            {**small, "k": -1},
            {**small, "filters": {"properties": [condition] * (MOST_CONDITIONS + 1)}},
            {**small, "filters": {"properties": [{**condition, "value": "x" * (LONGEST_VALUE + 1)}]}},
            {**small, "filters": {"below": "x" * (LONGEST_VALUE + 1)}},
        ]
        with api.client("search") as client:
            assert [client.post(SEARCH, json=each).status_code for each in at_most] == [200] * len(at_most)
            for asked in too_large:
                answer = client.post(SEARCH, json=asked)
                assert answer.status_code == 422, f"{asked!r:.100}: {answer.status_code}"
            body = json.dumps(small).encode()
            whole = body + b" " * (LARGEST_BODY - len(body))
            headers = {"Content-Type": "application/json"}
            assert client.post(SEARCH, content=whole, headers=headers).status_code == 200
            for path in (SEARCH, "/v1/vector_stores/acme/search"):
                assert client.post(path, content=whole + b" ", headers=headers).status_code == 413
                assert client.post(path, content=iter([whole, b" "]), headers=headers).status_code == 413
            assert client.post(MCP, content=whole + b" ", headers=headers).status_code == 413

    def test_r3_nothing_of_the_server_waits_for_ever(self, served: Database, ours: Tenant) -> None:
        for company in (None, ours.company):
            with served.connection(company) as connection:
                row = connection.execute(
                    "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'), "
                    "current_setting('idle_in_transaction_session_timeout')"
                ).fetchone()
            assert row == ("30s", "5s", "10min")

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "table",
        [
            "api_keys",
            "document",
            *(pytest.param(table, marks=pytest.mark.long) for table in ("workspace", "rag_indexes")),
        ],
    )
    def test_r3_a_search_waits_five_seconds_behind_a_lock_and_says_when_to_come_again(
        self, api: Api, table: str
    ) -> None:
        with closing(api.acme.superuser()) as locking, locking.transaction(), api.client("search") as client:
            locking.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")  # type: ignore[arg-type]
            began = time.monotonic()
            answer = client.post(SEARCH, json={"query": "vacation"})
            waited = time.monotonic() - began
        assert answer.status_code == 503 and answer.headers["retry-after"] == "5"
        require_decent(answer.text)
        print(f"waited {waited:.1f} s behind a lock of {table}")
        assert waited < 10


# What tells a stranger of the inside: SQL and its driver, code, places, hosts and roles.
FORBIDDEN = re.compile(
    r"traceback|\.py\b|line \d+, in|psycopg|sqlalchemy|pydantic|starlette|fastapi|errors\.pydantic|"
    r"\bselect\b.*\bfrom\b|\binsert into\b|relation \"|column \"|syntax error|permission denied|sqlstate|"
    r"/(?:home|root|tmp|usr|var|opt|srv|work)/|site-packages|postgres|arcana_(?:server|tenant|owner|reader|company)|"
    r"127\.0\.0\.1|localhost|database_url|pg_|0x[0-9a-f]{6}",
    re.IGNORECASE,
)


def require_decent(said: str) -> None:
    """Refuse what no stranger should be told."""
    found = FORBIDDEN.search(said)
    assert found is None, f"{found[0]!r} in {said[:500]}"


class TestErrors:
    @contextmanager
    def _fails(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> Iterator[None]:
        def fail(*_: Any, **__: Any) -> Any:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr("arcana_pipelines.web.gate.access_of", fail)
            yield

    def test_r3_no_fault_of_ours_tells_of_the_inside(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        import psycopg

        from arcana_pipelines import errors

        said = 'relation "api_keys" does not exist: SELECT * FROM api_keys, at /srv/arcana/db.py, line 7, in find'
        kinds = [psycopg.errors.UndefinedTable, ValueError, MemoryError, OSError, RecursionError,
                 *errors.FAULTS_OF_THE_INSTALLATION]  # fmt: skip
        key, routes = api.key("search", "read").key, routes_with_key(api)
        for kind in kinds:
            with self._fails(monkeypatch, kind(said)):
                for ask in (*(route.ask for route in routes), ask_tools):
                    with api.with_key(key) as client:  # one that failed closes its connection
                        answer = ask(client)
                    assert answer.status_code >= 500, f"{kind.__name__}: {answer.text}"
                    require_decent(answer.text)

    def test_r3_a_company_that_the_database_has_no_role_for_is_told_nothing_of_it(self, api: Api) -> None:
        # Not acme's: its company is in every test's database, and roles are the whole server's.
        with closing(api.acme.superuser()) as connection:
            ((role,),) = connection.execute(
                "SELECT 'arcana_company_' || replace(company_id::text, '-', '') FROM workspace WHERE slug = 'globex'"
            ).fetchall()
            client = api.client("search", "read", slug="globex")
            connection.execute(f"REVOKE {role} FROM arcana_server")
            try:
                for route in routes_with_key(api):
                    there = {**THERE, "slug": "globex", "store": "globex", "index": "default"}
                    answer = route.ask(client, there)
                    # What is for administrators alone is refused before anything is looked up, and a body names acme.
                    refusals = (404,) if "workspace" in (route.body or {}) else (403, 500)
                    assert answer.status_code in refusals, f"{route}: {answer.text}"
                    require_decent(answer.text)
            finally:
                connection.execute(f"GRANT {role} TO arcana_server")
                client.close()

    def test_r3_what_is_no_http_is_refused_without_a_word_of_the_server(self, api: Api) -> None:
        for sent in (
            b"\x16\x03\x01\x00\xff",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET http://evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
            b"A" * 100_000,
        ):
            with closing(connected(api, sent)) as connection:
                heard = connection.recv(65_536)
            assert b"uvicorn" not in heard.lower()
            require_decent(heard.decode("latin-1"))
