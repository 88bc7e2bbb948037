"""What goes through to Dagster's web server and back is what it needs, and the rest stays where it is."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from arcana_pipelines.cli.commands import doctor
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.http_server import drop
from arcana_pipelines.web.dagster_ui.upstream import LARGEST_BODY
from arcana_pipelines.web.people.sentences import in_korean
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import Api, served
from arcana_pipelines_tests.web.dagster_ui.conftest import new_key
from arcana_pipelines_tests.web.dagster_ui.dagster import CSP, GRAPHQL, PAGE, Dagster, operation
from arcana_pipelines_tests.web.people.conftest import Visit, Visitor, seen

QUERY = operation("query Assets { assets { key } }")


@pytest.fixture
def key(ui: Api, dagster: Dagster) -> str:
    return new_key(ui).key


def said(ui: Api, *lines: str, body: str = "") -> bytes:
    """What the server answers to a request as it is written, up to its end."""
    port = urlsplit(ui.url).port
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", body]).encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


class TestThere:
    def test_go_neither_cookies_nor_keys_nor_who_asks(self, ui: Api, admin: Visitor, dagster: Dagster) -> None:
        theirs = {
            "X-Forwarded-For": "10.0.0.7", "X-Forwarded-Proto": "https", "X-Real-Ip": "10.0.0.7", "Forwarded": "for=x",
            "Origin": ui.url.replace("http", "https"),
            "Referer": f"{ui.url}/?query=secret", "Sec-Fetch-Site": "same-origin", "TE": "trailers",
            "X-Http-Method-Override": "DELETE", "Dagster-Cloud-Api-Token": "x", "Idempotency-Key": "7",
        }  # fmt: skip
        admin.client.headers["Cookie"] = f"__Host-arcana={admin.client.cookies['arcana']}; other=1"
        assert admin.client.post(GRAPHQL, json=QUERY, headers=theirs).status_code == 200
        with ui.with_key(new_key(ui).key) as program:
            assert program.post(GRAPHQL, json=QUERY).status_code == 200
        known = {"host", "accept", "accept-encoding", "user-agent", "content-type", "content-length"}
        for asked in dagster.asked:
            assert asked.headers.keys() - {"accept-language"} == known
            assert asked.headers["host"] == urlsplit(dagster.address).netloc
            assert json.loads(asked.body) == QUERY

    def test_goes_what_a_browser_keeps_and_reads(self, program: httpx.Client, dagster: Dagster) -> None:
        headers = {"Accept": "text/css", "Accept-Language": "ko", "If-None-Match": '"1"', "If-Modified-Since": "then"}
        program.get(f"{PAGE}/a%20b;c=1?x=%2F&y=a+b&y=%ED%9C%B4&%26", headers=headers)
        (asked,) = dagster.asked
        assert asked.target == f"{PAGE}/a%20b;c=1?x=%2F&y=a+b&y=%ED%9C%B4&%26"
        assert {name: asked.headers[name.lower()] for name in headers} == headers

    def test_goes_a_large_operation_and_none_that_is_too_large(self, program: httpx.Client, dagster: Dagster) -> None:
        names = operation("mutation LaunchBackfill { x }", names=["p" * 40] * 100_000)
        assert program.post(GRAPHQL, json=names).status_code == 200
        assert len(dagster.asked[0].body) > 4_000_000
        much: Any = b" " * (LARGEST_BODY + 1)
        for body in (much, iter([much])):  # told beforehand, or not
            refused = program.post(GRAPHQL, content=body, headers={"Content-Type": "application/json"})
            assert refused.status_code == 413 and refused.json()["type"] == "urn:arcana:problem:too-large"
        assert len(dagster.asked) == 1

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[1]", b'"mutation"', b"[" * 100_000, b"\xff\xfe{", b"mutation { x }"]
    )
    def test_goes_nothing_of_which_nobody_can_say_what_it_does(
        self, program: httpx.Client, dagster: Dagster, body: bytes
    ) -> None:
        answer = program.post(GRAPHQL, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422 and dagster.asked == []

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
    def test_go_no_other_methods(self, program: httpx.Client, dagster: Dagster, method: str) -> None:
        answer = program.request(method, PAGE)
        assert (answer.status_code, answer.headers["allow"], dagster.asked) == (405, "GET, POST", [])


class TestPaths:
    @pytest.mark.parametrize(
        "target",
        [
            "/dagster/../v1/keys", "/dagster/%2e%2e/v1/keys", "/dagster/.%2E/x", "/dagster/./x", "/dagster/a/..",
            "/dagster/a%2fb", "/dagster/a%2F..%2Fb", "/dagster%2fgraphql", "/dagster//graphql", "//dagster/graphql",
            "/dagster/a%5cb", "/dagster/a\\b", "/dagster/%00", "/dagster/%0d%0aX-A:b", "/dagster/%7f", "/dagsters",
            "/Dagster/x", "/dagster;x/y", "/v1/../dagster/x", "http://evil.example/dagster/x", "/dagster/<x>",
        ],
    )  # fmt: skip
    def test_that_may_be_read_as_others_lead_nowhere(self, ui: Api, dagster: Dagster, key: str, target: str) -> None:
        answer = said(ui, f"GET {target} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key}")
        assert answer.split()[1] in (b"404", b"400") and dagster.asked == []

    @pytest.mark.parametrize(
        "lines",
        [
            ("Host: localhost", "Host: evil.example"),
            ("Host: localhost", "Content-Length: 2", "Content-Length: 3"),
            ("Host: localhost", "Content-Length: +2"),
            ("Host: localhost", "Transfer-Encoding: gzip, chunked"),
            ("Host: localhost", "Transfer-Encoding : chunked"),
            (),
        ],
    )
    def test_with_headers_of_two_meanings_are_refused(
        self, ui: Api, dagster: Dagster, key: str, lines: tuple[str, ...]
    ) -> None:
        sent = ("Content-Type: application/json", f"Authorization: Bearer {key}", *lines)
        answer = said(ui, f"POST {GRAPHQL} HTTP/1.1", *sent, body="{}")
        assert answer.split()[1] in (b"400", b"403", b"501") and dagster.asked == []

    def test_hide_no_second_request_in_a_body(self, ui: Api, dagster: Dagster, key: str) -> None:
        hidden = f"POST {GRAPHQL} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        body = f"{len('{}'):x}\r\n{{}}\r\n0\r\n\r\n"
        headers = ("Host: localhost", "Content-Type: application/json", f"Authorization: Bearer {key}")
        answer = said(
            ui, f"POST {GRAPHQL} HTTP/1.1", *headers, "Transfer-Encoding: chunked", f"Content-Length: {len(body)}",
            body=body + hidden,
        )  # fmt: skip
        assert answer.count(b"HTTP/1.1 ") == len(dagster.asked) or dagster.asked == []
        assert all(each.body == b"{}" and "transfer-encoding" not in each.headers for each in dagster.asked)

    def test_are_the_same_under_whatever_name_it_is_asked(self, ui: Api, dagster: Dagster, key: str) -> None:
        headers = ("Host: search.example.com", f"Authorization: Bearer {key}")
        assert said(ui, f"GET {PAGE} HTTP/1.1", *headers).startswith(b"HTTP/1.1 200")
        assert dagster.asked[0].headers["host"] == urlsplit(dagster.address).netloc


class TestBack:
    def test_comes_nothing_that_sets_cookies_opens_it_to_others_or_says_who_answers(
        self, program: httpx.Client, dagster: Dagster
    ) -> None:
        theirs = {
            "Set-Cookie": "arcana=stolen; Path=/", "Access-Control-Allow-Origin": "*", "Clear-Site-Data": '"*"',
            "Access-Control-Allow-Credentials": "true", "Server": "uvicorn", "X-Dagster-Call-Counts": "{}",
            "Refresh": "0; url=http://evil.example", "Link": "<http://evil.example>; rel=preload", "Alt-Svc": "h3",
            "X-Frame-Options": "ALLOWALL", "Service-Worker-Allowed": "/", "WWW-Authenticate": "Basic",
            "Strict-Transport-Security": "max-age=1", "Content-Location": "/x", "Connection": "close, x-a", "X-A": "b",
            "ETag": '"1"', "Content-Security-Policy": CSP, "Cache-Control": "no-store",
        }  # fmt: skip
        dagster.answers[PAGE] = PlainTextResponse("there", headers=theirs)
        answer = program.get(PAGE)
        assert answer.text == "there" and answer.headers["etag"] == '"1"'
        theirs_first, ours, unframed = answer.headers.get_list("content-security-policy")
        assert (theirs_first, unframed) == (CSP, "frame-ancestors 'none'") and ours.startswith("default-src 'self' ")
        assert (answer.headers["x-frame-options"], answer.headers["cache-control"]) == ("DENY", "no-store")
        assert answer.headers["x-content-type-options"] == "nosniff"
        kept = {"etag", "content-security-policy", "cache-control", "x-frame-options"}
        assert not answer.headers.keys() & ({name.lower() for name in theirs} - kept)

    def test_is_kept_by_browsers_alone_and_asked_for_anew(self, program: httpx.Client, dagster: Dagster) -> None:
        assert program.get(f"{PAGE}/log").headers["cache-control"] == "private, no-cache"
        hashed = "/dagster/_next/static/chunks/a-1.js"
        assert program.get(hashed).headers["cache-control"] == "private, max-age=86400"
        dagster.answers[hashed] = PlainTextResponse("none", 404)
        assert program.get(hashed).headers["cache-control"] == "private, no-cache"

    def test_comes_as_it_was_packed_or_not_at_all_where_it_has_not_changed(
        self, program: httpx.Client, dagster: Dagster
    ) -> None:
        packed = gzip.compress(b"x" * 100_000)
        dagster.answers[PAGE] = Response(packed, headers={"Content-Encoding": "gzip"}, media_type="text/css")
        answer = program.get(PAGE)
        assert answer.text == "x" * 100_000 and answer.headers["content-length"] == str(len(packed))
        dagster.answers[PAGE] = Response(status_code=304, headers={"ETag": '"1"'})
        assert program.get(PAGE, headers={"If-None-Match": '"1"'}).status_code == 304
        assert program.head(PAGE).status_code == 304 and dagster.asked[-1].method == "HEAD"

    def test_comes_what_is_wrong_there(self, program: httpx.Client, dagster: Dagster) -> None:
        dagster.answers[GRAPHQL] = JSONResponse({"errors": ["no such field"]}, 400)
        answer = program.post(GRAPHQL, json=QUERY)
        assert (answer.status_code, answer.json()) == (400, {"errors": ["no such field"]})

    def test_comes_piece_by_piece(self, program: httpx.Client, dagster: Dagster) -> None:
        goes_on = asyncio.Event()
        loops = []

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            loops.append(asyncio.get_running_loop())
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            await goes_on.wait()
            await send({"type": "http.response.body", "body": b"second"})

        dagster.answers[PAGE] = answer
        with program.stream("GET", PAGE) as stream:
            parts = stream.iter_raw()
            assert next(parts) == b"first"
            loops[0].call_soon_threadsafe(goes_on.set)
            assert b"".join(parts) == b"second"

    def test_is_not_ended_as_if_it_were_whole_where_it_breaks_off(
        self, program: httpx.Client, dagster: Dagster
    ) -> None:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            await drop(send, at_once=False)

        dagster.answers[PAGE] = answer
        with pytest.raises(httpx.RemoteProtocolError), program.stream("GET", PAGE) as stream:
            assert b"".join(stream.iter_raw()) == b"half"

    def test_is_asked_for_no_longer_than_somebody_waits_for_it(self, program: httpx.Client, dagster: Dagster) -> None:
        is_over = threading.Event()

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
            is_over.set()

        dagster.answers[PAGE] = answer
        with program.stream("GET", PAGE) as stream:
            assert next(stream.iter_raw()) == b"first"
        assert is_over.wait(30)

    @pytest.mark.parametrize("to", ["{0}/dagster/", "/dagster/", "/dagster/a?b=c#d", "../dagster/assets?x=1"])
    def test_come_redirects_within_it(self, program: httpx.Client, dagster: Dagster, to: str) -> None:
        dagster.answers["/dagster"] = RedirectResponse(to.format(dagster.address))
        answer = program.get("/dagster")
        assert answer.status_code == 307 and answer.headers["location"].startswith("/dagster/")

    @pytest.mark.parametrize(
        "to",
        [
            "http://evil.example/dagster/", "//evil.example/dagster/", "https://127.0.0.1/dagster/", "/", "/v1/keys",
            "/dagster/../log-out", "/dagster/%2e%2e/x", "/\\evil.example", "javascript:alert(1)", "http://[",
            "{0}@evil.example/dagster/",
        ],
    )  # fmt: skip
    def test_come_no_redirects_to_elsewhere(self, program: httpx.Client, dagster: Dagster, to: str) -> None:
        dagster.answers["/dagster"] = Response(status_code=302, headers={"Location": to.format(dagster.address)})
        answer = program.get("/dagster")
        assert answer.status_code == 502 and "location" not in answer.headers
        assert in_korean(answer.json()["detail"])


class TestWhereItIsAway:
    def test_it_says_so_until_it_is_there_again(self, ui: Api, acme: Harness, dagster: Dagster, visit: Visit) -> None:
        with Dagster() as gone:
            port = urlsplit(gone.address).port
        assert port is not None
        with served(acme, dagster_ui_url=gone.address) as api, api.with_key(new_key(api).key) as client:
            answer = client.get(PAGE)
            assert answer.status_code == 502 and answer.headers["content-type"] == "application/problem+json"
            told = answer.json()
            assert told["type"] == "urn:arcana:problem:bad-gateway" and "arcana doctor" in told["detail"]
            assert str(port) not in answer.text
            visitor = visit(api, language="ko")
            visitor.log_in(new_key(api).key)
            page = visitor.client.get(PAGE, headers={"Accept": "text/html"})
            assert page.status_code == 502 and "Dagster 웹 서버가 응답하지 않습니다" in seen(page.text)
            with Dagster(port=port):
                assert client.get(PAGE).status_code == 200

    def test_another_server_in_its_place_is_told_from_it(self, acme: Harness, dagster: Dagster) -> None:
        others: list[tuple[Response, str]] = [
            (PlainTextResponse("This host name is not one of this server's.", 403), "ARCANA_UI_HOSTS"),
            *((other, "--path-prefix /dagster") for other in (
                HTMLResponse("<title>Dagster</title>"), JSONResponse([]), JSONResponse({"name": "another"}),
                PlainTextResponse("no", 404), PlainTextResponse("x" * 200_000),
            )),
        ]  # fmt: skip
        with served(acme, dagster_ui_url=dagster.address) as api, api.with_key(new_key(api).key) as client:
            for dagster.info, wanted in others:
                answer = client.get(PAGE)
                told = answer.json()["detail"]
                assert answer.status_code == 502 and wanted in told and in_korean(told)
        assert dagster.asked == []


class TestDoctor:
    def test_asks_it_what_it_is(self, dagster: Dagster) -> None:
        assert "has it below /dagster" in doctor._dagster_ui(Settings(), dagster.address)
        dagster.info = HTMLResponse("<title>Dagster</title>")
        with pytest.raises(ArcanaError, match="--path-prefix /dagster"):
            doctor._dagster_ui(Settings(), dagster.address)
        with Dagster() as gone:
            pass
        with pytest.raises(ArcanaError, match="does not answer at DAGSTER_UI_URL"):
            doctor._dagster_ui(Settings(), gone.address)

    def test_says_that_no_server_has_it(self, dagster: Dagster) -> None:
        with pytest.raises(ArcanaError, match="SERVE_DATABASE_URL is not set"):
            doctor._dagster_ui(Settings(database_url=SecretStr("postgresql://x@localhost/x")), dagster.address)

    def test_waits_no_longer_than_it_says(self, dagster: Dagster, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "SECONDS", 0.1)
        with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ArcanaError, match="does not answer"):
            doctor._dagster_ui(Settings(), f"http://127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize("url", ["http://x:3000/dagster", "http://u:p@x", "http://x?y", "ftp://x", "x:3000", "http://"])
def test_the_address_is_a_server_s_and_no_page_s(url: str) -> None:
    with pytest.raises(ValidationError):
        Settings(dagster_ui_url=url)


def test_the_address_may_end_as_people_write_it() -> None:
    assert Settings(dagster_ui_url="http://127.0.0.1:3000/").dagster_ui_url == "http://127.0.0.1:3000"
