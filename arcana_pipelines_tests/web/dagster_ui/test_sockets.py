"""A page of Dagster's UI hears of runs by a WebSocket, for as long as whoever opened it may."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.responses import RedirectResponse
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from arcana_pipelines.errors import DatabaseUnreachable
from arcana_pipelines.keys import keys
from arcana_pipelines.web import server
from arcana_pipelines.web.dagster_ui import sockets
from arcana_pipelines.web.dagster_ui.door import Door
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import Api, served
from arcana_pipelines_tests.web.dagster_ui.conftest import new_key
from arcana_pipelines_tests.web.dagster_ui.dagster import GRAPHQL, Dagster
from arcana_pipelines_tests.web.people.conftest import Visit, Visitor

PROTOCOLS = [Subprotocol("graphql-ws")]


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "LOOK_SECONDS", 0.05)


@contextmanager
def opened(api: Api, headers: dict[str, str], **options: Any) -> Iterator[ClientConnection]:
    options = {"subprotocols": PROTOCOLS, "proxy": None, **options}
    with connect(f"ws{api.url.removeprefix('http')}{GRAPHQL}", additional_headers=headers, **options) as socket:
        yield socket


def with_key(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def with_session(visitor: Visitor) -> dict[str, str]:
    return {"Cookie": f"arcana={visitor.client.cookies['arcana']}"}


def refused(api: Api, headers: dict[str, str], **options: Any) -> int:
    """The status of what is answered in place of a WebSocket."""
    with pytest.raises(InvalidStatus) as answer, opened(api, headers, **options):
        pass
    return answer.value.response.status_code


def is_let_in(api: Api, headers: dict[str, str]) -> bool:
    try:
        with opened(api, headers):
            return True
    except InvalidStatus:
        return False


def has_come_about(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether it does, within so many seconds."""
    deadline = time.monotonic() + seconds
    while not (has := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return has


def closed_with(socket: ClientConnection) -> int | None:
    """The code with which the server ends it."""
    with pytest.raises(ConnectionClosed) as end:
        socket.recv(30)
    return end.value.rcvd.code if end.value.rcvd else None


def away(*_: object) -> None:
    """In place of a question to a database that does not answer."""
    raise DatabaseUnreachable("The database does not answer.")


class TestOpens:
    def test_to_whoever_has_logged_in_and_says_what_both_say(self, ui: Api, admin: Visitor, dagster: Dagster) -> None:
        with opened(ui, with_session(admin), origin=Origin(ui.url)) as socket:
            assert socket.subprotocol == "graphql-ws"
            for text in ('{"type": "connection_init"}', "휴가", "x" * 500_000):
                socket.send(text)
                assert socket.recv(30) == text
        (asked,) = dagster.asked
        assert not asked.headers.keys() & {"cookie", "authorization", "origin", "user-agent"}

    def test_behind_a_proxy_that_ends_tls(self, ui: Api, admin: Visitor, dagster: Dagster) -> None:
        headers = {"Cookie": f"__Host-arcana={admin.client.cookies['arcana']}", "X-Forwarded-Proto": "https"}
        page = ui.url.replace("http", "https")
        with opened(ui, headers, origin=Origin(page)) as socket:
            socket.send("asked")
            assert socket.recv(30) == "asked"
        assert refused(ui, headers, origin=Origin(ui.url)) == 403  # a page that came unencrypted may be anybody's
        assert refused(ui, {**headers, **with_session(admin)}, origin=Origin(page)) == 401

    def test_to_a_program_with_a_key(self, ui: Api, dagster: Dagster) -> None:
        with opened(ui, with_key(new_key(ui).key)) as socket:
            socket.send("asked")
            assert socket.recv(30) == "asked"

    def test_for_longer_than_a_request_may_take(
        self, ui: Api, dagster: Dagster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server, "REQUEST_SECONDS", 0.5)
        with opened(ui, with_key(new_key(ui).key)) as socket:
            with pytest.raises(TimeoutError):
                socket.recv(1.2)  # until it was looked at, after a second
            socket.send("still there")
            assert socket.recv(30) == "still there"


class TestStaysShut:
    def test_without_a_key_that_opens_the_ui(self, ui: Api, dagster: Dagster, visit: Visit) -> None:
        reader = visit(ui)
        reader.log_in(new_key(ui, "search", "read").key)
        assert refused(ui, {}) == refused(ui, {"Cookie": "arcana=x"}) == refused(ui, with_key("x")) == 401
        assert refused(ui, with_session(reader)) == refused(ui, with_key(ui.key("admin").key)) == 403
        assert dagster.asked == []

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost"])
    def test_to_pages_of_others(self, ui: Api, admin: Visitor, dagster: Dagster, origin: str) -> None:
        assert refused(ui, with_session(admin), origin=Origin(origin)) == 403
        for site in ("cross-site", "same-site"):
            assert refused(ui, {**with_session(admin), "Sec-Fetch-Site": site}) == 403
        assert dagster.asked == []

    def test_to_other_protocols(self, ui: Api, admin: Visitor, dagster: Dagster) -> None:
        for protocols in (None, [Subprotocol("mqtt")]):
            assert refused(ui, with_session(admin), subprotocols=protocols) == 400
        assert dagster.asked == []

    def test_where_there_are_as_many_as_may_be(
        self, ui: Api, admin: Visitor, dagster: Dagster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sockets, "MOST", 1)
        with opened(ui, with_session(admin)) as socket:
            assert refused(ui, with_session(admin)) == 503
            socket.send("still there")
            assert socket.recv(30) == "still there"
        # The server learns a moment later that the page is gone.
        assert has_come_about(lambda: is_let_in(ui, with_session(admin)))

    def test_while_nobody_knows_who_may(
        self, ui: Api, admin: Visitor, dagster: Dagster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with opened(ui, with_session(admin)) as socket:
            monkeypatch.setattr(Door, "_require", away)
            assert closed_with(socket) == 1013
        assert refused(ui, with_session(admin)) == 503
        page = admin.client.get("/dagster/assets", headers={"Accept": "text/html"})
        assert page.status_code == admin.client.get("/dagster/assets").status_code == 503

    def test_at_other_paths(self, ui: Api, admin: Visitor, dagster: Dagster) -> None:
        for path in ("/", "/mcp", "/v1/events", "/dagster/", "/dagster/assets", "/dagster/x/graphql"):
            url = f"ws{ui.url.removeprefix('http')}{path}"
            headers = with_session(admin)
            with (
                pytest.raises(InvalidStatus),
                connect(url, additional_headers=headers, subprotocols=PROTOCOLS, proxy=None),
            ):
                pass
        assert dagster.asked == []


class TestEnds:
    def test_with_the_key(self, ui: Api, dagster: Dagster) -> None:
        made = new_key(ui)
        with opened(ui, with_key(made.key)) as socket:
            with ui.acme.database.connection() as connection:
                keys.revoke(connection, made.key_id)
            assert closed_with(socket) == 1008

    def test_with_the_session_s_key(self, ui: Api, dagster: Dagster, visit: Visit) -> None:
        made, visitor = new_key(ui), visit(ui)
        visitor.log_in(made.key)
        with opened(ui, with_session(visitor)) as socket:
            with ui.acme.database.connection() as connection:
                keys.revoke(connection, made.key_id)
            assert closed_with(socket) == 1008

    def test_with_the_log_out(self, ui: Api, admin: Visitor) -> None:
        with opened(ui, with_session(admin)) as socket:
            admin.send("/log-out", admin.get("/"))
            assert closed_with(socket) == 1008

    def test_where_another_company_comes(self, acme: Harness, dagster: Dagster) -> None:
        with served(acme, dagster_ui_url=dagster.address) as api, opened(api, with_key(new_key(api).key)) as socket:
            Harness.register(acme.database, acme.world, acme.server, "globex", "Globex")
            assert closed_with(socket) == 1008

    def test_as_dagster_ends_it(self, ui: Api, admin: Visitor, dagster: Dagster) -> None:
        async def serve(socket: WebSocket) -> None:
            await socket.accept("graphql-ws")
            await socket.close(4400, "Not of GraphQL.")

        dagster.serve_socket = serve
        with opened(ui, with_session(admin)) as socket:
            assert closed_with(socket) == 4400

    @pytest.mark.parametrize(
        ("send", "code"), [(lambda it: it.send(b"\x00"), 1003), (lambda it: it.send("x" * 2**21), 1009)]
    )
    def test_where_a_page_says_what_none_says(
        self, ui: Api, admin: Visitor, send: Callable[[ClientConnection], None], code: int
    ) -> None:
        with opened(ui, with_session(admin)) as socket:
            send(socket)
            assert closed_with(socket) == code

    def test_with_the_server_at_once(self, acme: Harness, dagster: Dagster) -> None:
        with served(acme, dagster_ui_url=dagster.address) as api:
            socket = connect(
                f"ws{api.url.removeprefix('http')}{GRAPHQL}", additional_headers=with_key(new_key(api).key),
                subprotocols=PROTOCOLS, proxy=None,
            )  # fmt: skip
        with socket:
            assert closed_with(socket) == 1012


class TestWhereDagsterIsAway:
    def test_it_is_told(self, acme: Harness) -> None:
        with Dagster() as gone:
            pass
        with served(acme, dagster_ui_url=gone.address) as api:
            assert refused(api, with_key(new_key(api).key)) == 502

    def test_nobody_is_led_elsewhere(self, ui: Api, admin: Visitor, dagster: Dagster) -> None:
        with Dagster() as elsewhere:

            async def serve(socket: WebSocket) -> None:
                await socket.send_denial_response(
                    RedirectResponse(f"ws{elsewhere.address.removeprefix('http')}{GRAPHQL}")
                )

            dagster.serve_socket = serve
            assert refused(ui, with_session(admin)) == 502
            assert elsewhere.asked == []
