"""Objects have the fields that recordings of the real API have: no more, no fewer, in the same order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml
from notion_client import Client

from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, serve
from arcana_pipelines.testing.notion_server.model.objects import DataSource
from arcana_pipelines_tests.testing.conftest import notion_client
from arcana_pipelines_tests.testing.everything import Everything, fill
from arcana_pipelines_tests.testing.shared_data import shared_file

Json = dict[str, Any]

# The recordings were made with this version; they cover few objects of 2026-03-11.
RECORDED_VERSION = "2025-09-03"
CASSETTES = (
    "test_pages_retrieve",
    "test_data_sources_retrieve",
    "test_databases_retrieve",
    "test_blocks_retrieve",
    "test_blocks_children_list",
    "test_comments_list",
    "test_search",
    "test_users_me",
    "test_users_list",
    "test_pages_retrieve_markdown",
    "test_pages_properties_retrieve",
    "test_build_request_error_integration",
    "test_api_response_error",
)


@pytest.fixture(scope="module")
def recorded() -> list[Json]:
    folder = shared_file("notion-cassettes")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = []
    for name in CASSETTES:
        cassette = yaml.load((folder / f"{name}.yaml").read_text(), Loader=loader)
        for exchange in cassette["interactions"]:
            found.append(json.loads(exchange["response"]["body"]["string"]))
    return found


@pytest.fixture(scope="module")
def shapes() -> dict[str, dict[str, Json]]:
    """Samples by section and name; those that the file cuts short are left out."""
    sections: dict[str, dict[str, Json]] = {}
    current: dict[str, Json] = {}
    for line in shared_file("notion-shapes.txt").read_text().splitlines():
        if line.startswith("== "):
            current = sections.setdefault(line.removeprefix("== "), {})
        elif " | " in line:
            name, _, sample = line.partition(" | ")
            try:
                current[name] = json.loads(sample)
            except ValueError:
                continue
    return sections


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[NotionWorld, Everything, NotionServer]]:
    world = NotionWorld()
    made = fill(world)
    with serve(world) as server:
        yield world, made, server


def objects(answer: Any) -> Iterator[Json]:
    """The answer and the objects in its list."""
    yield answer
    if answer.get("object") == "list":
        yield from answer["results"]


def ours(served: tuple[NotionWorld, Everything, NotionServer], version: str) -> list[Json]:
    _, made, server = served
    with notion_client(server, version) as client:
        return _all_answers(client, made)


def _all_answers(client: Client, made: Everything) -> list[Json]:
    answers = [
        client.pages.retrieve(made.root),
        client.data_sources.retrieve(made.tasks.data_source_id),
        client.databases.retrieve(made.tasks.database_id),
        client.blocks.children.list(made.page),
        client.comments.list(block_id=made.page),
        client.search(),
        client.users.me(),
        client.users.list(),
        client.pages.retrieve_markdown(made.page),
        client.pages.properties.retrieve(made.root, "title"),
    ]
    block = client.blocks.children.list(made.page)["results"][0]["id"]
    return [*answers, client.blocks.retrieve(block)]


def _kind(item: Json) -> str:
    return f"{item['object']}/{item.get('type', '')}"


@pytest.mark.parametrize(
    "kind", ["page", "data_source", "database", "block", "comment", "list", "user", "page_markdown"]
)
def test_objects_have_the_recorded_fields_in_the_recorded_order(
    kind: str, recorded: list[Json], served: tuple[NotionWorld, Everything, NotionServer]
) -> None:
    def fields(answers: list[Json]) -> dict[str, set[tuple[str, ...]]]:
        found: dict[str, set[tuple[str, ...]]] = {}
        for answer in answers:
            for item in objects(answer):
                if item["object"] == kind:
                    names = tuple(name for name in item if name != "request_id")
                    found.setdefault(_kind(item), set()).add(names)
        return found

    real, made = fields(recorded), fields(ours(served, RECORDED_VERSION))
    compared = real.keys() & made.keys()
    assert compared
    for name in compared:
        assert made[name] == real[name], name


def test_errors_have_the_recorded_words(
    recorded: list[Json], served: tuple[NotionWorld, Everything, NotionServer]
) -> None:
    world, _, server = served
    real = {(item["code"]): item for item in recorded if item["object"] == "error"}

    def refused(path: str, token: str = world.token) -> Json:
        answer = httpx.get(
            f"{server.base_url}/v1/{path}",
            headers={"Authorization": f"Bearer {token}", "Notion-Version": RECORDED_VERSION},
        )
        return dict(answer.json())

    missing = refused("pages/00000000-0000-0000-0000-000000000000")
    expected = real["object_not_found"]["message"].replace("notion-sdk-py", world.bot.name)
    assert missing["message"] == expected
    assert list(missing) == list(real["object_not_found"])
    assert missing["additional_data"] == {"integration_id": world.bot.id}
    assert _words(refused("invalid")) == _words(real["invalid_request_url"])
    assert _words(refused("users", "ntn_wrong")) == _words(real["unauthorized"])


def _words(error: Json) -> Json:
    return {name: value for name, value in error.items() if name != "request_id"}


def test_blocks_have_the_payload_fields_of_the_samples(
    shapes: dict[str, dict[str, Json]], served: tuple[NotionWorld, Everything, NotionServer]
) -> None:
    world, _, server = served
    made: dict[str, list[Json]] = {}
    with notion_client(server) as client:
        for node_id, node in world.nodes.items():
            if not isinstance(node, DataSource):
                block = client.blocks.retrieve(node_id)
                made.setdefault(block["type"], []).append(block[block["type"]])
    missing = shapes["BLOCK"].keys() - made.keys()
    assert not missing
    for kind, sample in shapes["BLOCK"].items():
        wanted = set(sample[kind]) - {"external"}
        for payload in made[kind]:
            if kind == "link_to_page" and payload["type"] != sample[kind]["type"]:
                continue
            extra = set(payload) - wanted - {"external", "file", "width_ratio"}
            assert wanted <= set(payload), kind
            assert not extra, kind


def test_properties_have_the_fields_of_the_samples(
    shapes: dict[str, dict[str, Json]], served: tuple[NotionWorld, Everything, NotionServer]
) -> None:
    _, made, server = served
    with notion_client(server) as client:
        values = client.pages.retrieve(made.row)["properties"].values()
        schema = client.data_sources.retrieve(made.tasks.data_source_id)["properties"].values()
    for value in values:
        names = [value["type"], f"{value['type']}.{_result_type(value)}"]
        samples = [shapes["PROP"][name] for name in names if name in shapes["PROP"]]
        for sample in samples:
            assert list(value) == list(sample), value["type"]
            inner, real = value[value["type"]], sample[value["type"]]
            if isinstance(inner, dict) and isinstance(real, dict):
                # The sample's author is a bot, ours a person.
                assert set(inner) - {"person"} == set(real) - {"bot"}, value["type"]
    for column in schema:
        sample = shapes["SCHEMA"].get(column["type"])
        if sample is not None:
            assert list(column) == list(sample), column["type"]
            assert set(column[column["type"]]) == set(sample[column["type"]]), column["type"]


def _result_type(value: Json) -> str:
    inner = value[value["type"]]
    return str(inner.get("type")) if isinstance(inner, dict) else ""


def test_mentions_have_the_fields_of_the_samples(
    shapes: dict[str, dict[str, Json]], served: tuple[NotionWorld, Everything, NotionServer]
) -> None:
    _, made, server = served
    with notion_client(server) as client:
        text = client.blocks.children.list(made.page)["results"][0]["paragraph"]["rich_text"]
    compared = 0
    for segment in text:
        if segment["type"] == "mention" and segment["mention"]["type"] in shapes["MENTION"]:
            sample = shapes["MENTION"][segment["mention"]["type"]]
            assert list(segment) == list(sample)
            kind = segment["mention"]["type"]
            assert set(segment["mention"][kind]) == set(sample["mention"][kind])
            assert (segment["href"] is None) == (sample["href"] is None)
            compared += 1
    assert compared == 5
