"""The stand-in keeps files as Notion does: at signed addresses that end, change at each read, and give ranges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, blocks, seed_world, serve
from arcana_pipelines.testing.notion_server.model.objects import Block

DATA = bytes(range(256)) * 64
http = urllib3.PoolManager(retries=False)


@pytest.fixture
def world() -> NotionWorld:
    return NotionWorld()


@pytest.fixture
def server(world: NotionWorld) -> Iterator[NotionServer]:
    with serve(world) as running:
        yield running
    http.clear()


def get(url: str, **headers: str) -> urllib3.BaseHTTPResponse:
    return http.request("GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()})


def api(server: NotionServer, path: str) -> Any:
    headers = {"Authorization": f"Bearer {server.world.token}", "Notion-Version": "2026-03-11"}
    return http.request("GET", f"{server.base_url}/v1/{path}", headers=headers).json()


@pytest.fixture
def url(world: NotionWorld, server: NotionServer) -> str:
    block = world.add_file(world.add_page("Handbook"), "pdf", "연차 규정.pdf", DATA)
    address: str = api(server, f"blocks/{block}")["pdf"]["file"]["url"]
    return address


def test_an_address_gives_the_bytes_and_is_another_one_at_each_read_with_the_same_path(
    world: NotionWorld, server: NotionServer
) -> None:
    page = world.add_page("Handbook")
    block = world.add_file(page, "file", "a b.txt", "Text.")
    first, second = (api(server, f"blocks/{block}")["file"]["file"] for _ in range(2))
    assert set(first) == {"url", "expiry_time"}
    assert first["url"] != second["url"]
    assert first["url"].partition("?")[0] == second["url"].partition("?")[0]
    markdown = api(server, f"pages/{page}/markdown")["markdown"]
    assert first["url"].partition("?")[0] in markdown
    assert get(first["url"]).data == get(second["url"]).data == b"Text."
    assert [request.status for request in server.file_requests] == [200, 200]
    assert server.file_requests[0].path.endswith("/a b.txt")


def test_properties_and_covers_have_such_addresses_too(world: NotionWorld, server: NotionServer) -> None:
    table = world.add_database("Contracts", schema={"Name": "title", "Files": "files"})
    row = world.add_row(table.data_source_id, "Acme", {"Files": [world.upload("deal.pdf", b"deal"), "by-name.txt"]})
    world.set_cover(row, world.upload("cover.png", b"png"))
    page = api(server, f"pages/{row}")
    assert [get(file["file"]["url"]).data for file in page["properties"]["Files"]["files"]] == [
        b"deal",
        b"The file by-name.txt.\n",
    ]
    assert set(page["cover"]) == {"type", "file"}
    assert get(page["cover"]["file"]["url"]).data == b"png"


def test_an_address_ends_after_an_hour(world: NotionWorld, url: str) -> None:
    world.clock.advance(3600)
    assert get(url).status == 200
    world.clock.advance(1)
    assert get(url).status == 403


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X-Amz-Date=2026", "X-Amz-Date=2027"),
        ("Expires=3600", "Expires=7200"),
        ("Signature=", "Signature=0"),
    ],
)
def test_a_changed_address_is_refused(url: str, old: str, new: str) -> None:
    assert get(url.replace(old, new)).status == 403


def test_the_signature_is_for_get_alone_and_for_no_second_credential(url: str, server: NotionServer) -> None:
    assert http.request("HEAD", url).status == 403
    assert get(url, Authorization=f"Bearer {server.world.token}").status == 400


def test_ranges_are_given_of_the_same_bytes_alone(url: str) -> None:
    whole = get(url)
    assert (whole.status, whole.headers["accept-ranges"]) == (200, "bytes")
    rest = get(url, Range="bytes=1000-", If_Range=whole.headers["etag"])
    assert (rest.status, rest.headers["content-range"]) == (206, f"bytes 1000-{len(DATA) - 1}/{len(DATA)}")
    assert rest.data == DATA[1000:]
    assert get(url, Range="bytes=1000-", If_Range='"another"').data == DATA
    assert get(url, Range=f"bytes={len(DATA)}-").status == 416


def test_a_replaced_file_has_another_path_and_its_page_is_edited(world: NotionWorld, server: NotionServer) -> None:
    page = world.add_page("Handbook")
    block = world.add_file(page, "pdf", "plan.pdf", b"old")
    before = api(server, f"blocks/{block}")["pdf"]["file"]["url"]
    world.clock.advance(120)
    world.replace_file(block, b"new")
    after = api(server, f"blocks/{block}")["pdf"]["file"]["url"]
    assert before.partition("?")[0] != after.partition("?")[0]
    assert (get(before).data, get(after).data) == (b"old", b"new")
    assert api(server, f"pages/{page}")["last_edited_time"] == "2026-01-05T09:02:00.000Z"


def test_one_file_may_stand_on_several_pages(world: NotionWorld, server: NotionServer) -> None:
    kept = world.upload("plan.pdf", DATA)
    pages = [world.add_page(title, blocks=[blocks.pdf(hosted=kept)]) for title in ("One", "Two")]
    texts = [api(server, f"pages/{page}/markdown")["markdown"].partition("?")[0] for page in pages]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("fault", ["broken", "larger", "drop"])
def test_connections_break(url: str, server: NotionServer, fault: str) -> None:
    server.file_faults.add(fault)
    with pytest.raises(urllib3.exceptions.HTTPError):
        get(url)
    assert get(url).data == DATA


def test_other_faults(url: str, server: NotionServer) -> None:
    server.file_faults.add("503", retry_after=7)
    server.file_faults.add("html")
    server.file_faults.add("short", keep=10)
    refused, page, short = get(url), get(url), get(url)
    assert (refused.status, refused.headers["retry-after"]) == (503, "7")
    assert page.headers["content-type"].startswith("text/html")
    assert short.data == DATA[:10]
    with pytest.raises(ValueError):
        server.file_faults.add("unheard of")


def test_requests_for_files_are_none_of_the_apis(url: str, server: NotionServer) -> None:
    server.reset_log()
    server.faults.add("", "500", times=None)
    assert get(url).status == 200
    assert (len(server.requests), len(server.file_requests)) == (0, 1)


def test_a_seeded_world_has_files_where_they_are_asked_for_and_is_the_same_otherwise() -> None:
    without, with_files = seed_world(5, 2), seed_world(5, 2, files=6)
    again = seed_world(5, 2, files=6)
    assert set(without.nodes) < set(with_files.nodes)
    assert with_files.nodes.keys() == again.nodes.keys()
    added = [with_files.nodes[node_id] for node_id in with_files.nodes.keys() - without.nodes.keys()]
    files = [node for node in added if isinstance(node, Block)]
    assert len(files) == len(added) >= 6 and {node.type for node in files} == {"file"}
