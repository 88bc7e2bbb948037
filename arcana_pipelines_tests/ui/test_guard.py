"""No web page of somebody else reads or does anything in the UI; its own pages and programs do everything."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from arcana_pipelines.ui.guard import Guard

UI = "http://localhost:3000"
MUTATION = {"query": "mutation { launchRun }"}
SAME = {"Origin": UI, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
CROSS = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}

ODD_SCHEMES = [
    "ftp://localhost:3000",
    "chrome-extension://localhost:3000",
    "//localhost:3000",
    "http://[::1",
    "http://[",
]


async def reached(request: Request) -> PlainTextResponse:
    return PlainTextResponse("reached")


async def subscriptions(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("reached")
    await socket.close()


APP = Starlette(
    routes=[
        WebSocketRoute("/graphql", subscriptions),
        Route("/{path:path}", reached, methods=["GET", "POST", "PUT", "DELETE", "HEAD"]),
    ]
)


@pytest.fixture
def ui() -> TestClient:
    return TestClient(Guard(APP, ["arcana.example.com"]), base_url=UI)


class TestLetsThrough:
    def test_its_own_pages(self, ui: TestClient) -> None:
        assert ui.get("/overview").text == "reached"
        assert ui.post("/graphql", json=MUTATION, headers=SAME).text == "reached"

    def test_programs_that_are_no_browser(self, ui: TestClient) -> None:
        assert ui.post("/graphql", json=MUTATION).text == "reached"
        assert ui.get("/server_info").text == "reached"

    @pytest.mark.parametrize(
        "host", ["localhost", "LOCALHOST:3000", "127.0.0.1:3000", "[::1]:3000", "192.168.7.7", "arcana.example.com"]
    )
    def test_its_own_names_and_addresses_in_numbers(self, ui: TestClient, host: str) -> None:
        assert ui.get("/", headers={"Host": host}).status_code == 200

    def test_a_link_to_it_that_somebody_follows(self, ui: TestClient) -> None:
        followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert ui.get("/runs/1", headers=followed).text == "reached"

    def test_a_proxy_that_speaks_https_outside(self, ui: TestClient) -> None:
        headers = {**SAME, "Host": "arcana.example.com", "Origin": "https://arcana.example.com"}
        assert ui.post("/graphql", json=MUTATION, headers=headers).text == "reached"

    def test_the_subscriptions_of_its_own_pages(self, ui: TestClient) -> None:
        with ui.websocket_connect("/graphql", headers={"Host": "localhost:3000", "Origin": UI}) as socket:
            assert socket.receive_text() == "reached"


class TestRefuses:
    @pytest.mark.parametrize("path", ["/graphql", "/graphql/", "//graphql", "/prefix/graphql"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_query_in_the_address(self, ui: TestClient, path: str, method: str) -> None:
        refused = ui.request(method, f"{UI}{path}?a=1&query=mutation%7BstopSensor%7D", headers={
            "Content-Type": "application/json"
        })  # fmt: skip
        assert refused.status_code == 403

    @pytest.mark.parametrize(
        "origin", ["http://evil.example", "null", "http://localhost:3001", "file://", "", *ODD_SCHEMES]
    )
    def test_another_origin(self, ui: TestClient, origin: str) -> None:
        assert ui.post("/graphql", json=MUTATION, headers={"Origin": origin}).status_code == 403

    def test_a_page_that_came_unencrypted_where_the_server_is_encrypted(self) -> None:
        ui = TestClient(Guard(APP, ["arcana.example.com"]), base_url="https://arcana.example.com")
        for scheme, status in (("https", 200), ("http", 403)):
            headers = {"Origin": f"{scheme}://arcana.example.com"}
            assert ui.post("/graphql", json=MUTATION, headers=headers).status_code == status
        with ui.websocket_connect(
            "wss://arcana.example.com/graphql", headers={"Origin": "https://arcana.example.com"}
        ) as socket:
            assert socket.receive_text() == "reached"
        http = {"Origin": "http://arcana.example.com"}
        with pytest.raises(WebSocketDisconnect), ui.websocket_connect("wss://arcana.example.com/graphql", headers=http):
            pass

    @pytest.mark.parametrize(
        "host",
        [
            "rebind.attacker.example",
            "rebind.attacker.example:3000",
            "localhost.attacker.example",
            "",
            "127.0.0.1.nip.io",
        ],
    )
    def test_another_name(self, ui: TestClient, host: str) -> None:
        assert ui.get("/", headers={"Host": host}).status_code == 403
        assert ui.post("/graphql", json=MUTATION, headers={"Host": host, "Origin": f"http://{host}"}).status_code == 403

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_what_a_page_of_another_site_loads_or_sends(self, ui: TestClient, site: str) -> None:
        for mode, kind in (("no-cors", "image"), ("navigate", "iframe"), ("no-cors", "script"), ("cors", "empty")):
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": kind}
            assert ui.get("/overview", headers=headers).status_code == 403
            assert ui.post("/graphql", json=MUTATION, headers=headers).status_code == 403
        followed = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert ui.get("/graphql", headers=followed).status_code == 403

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    def test_what_a_form_can_send(self, ui: TestClient, kind: str, method: str) -> None:
        sent = ui.request(method, "/graphql", content=b'{"query": "mutation { x }"}', headers={"Content-Type": kind})
        assert sent.status_code == 403

    @pytest.mark.parametrize(
        "headers", [{"Host": "localhost:3000", "Origin": "http://evil.example"}, {"Host": "evil.example:3000"}]
    )
    def test_a_subscription_from_elsewhere(self, ui: TestClient, headers: dict[str, str]) -> None:
        with pytest.raises(WebSocketDisconnect), ui.websocket_connect("/graphql", headers=headers):
            pass


def test_no_page_may_frame_it(ui: TestClient) -> None:
    headers = ui.get("/overview").headers
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
