"""OpenAI's own client searches an index as one of its vector stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest

from arcana_pipelines_tests.web.conftest import Api

STORE = "/v1/vector_stores/acme/search"


@contextmanager
def with_key(api: Api, key: str) -> Iterator[openai.OpenAI]:
    """OpenAI's client, given our address and a key."""
    with httpx.Client(trust_env=False) as own:
        yield openai.OpenAI(base_url=f"{api.url}/v1", api_key=key, http_client=own, max_retries=0)


@pytest.fixture
def client(api: Api) -> Iterator[openai.OpenAI]:
    with with_key(api, api.key("search").key) as client:
        yield client


def test_the_client_finds_what_a_search_finds(client: openai.OpenAI) -> None:
    found = client.vector_stores.search("acme", query="days of vacation", max_num_results=1)
    (hit,) = found.data
    assert hit.filename == "Vacation policy" and hit.content[0].text.endswith(
        "Everyone has 30 days of vacation a year."
    )
    assert hit.attributes is not None and hit.attributes["workspace"] == "acme" and hit.attributes["version"] == 1
    assert 0 < hit.score <= 1 and found.object == "vector_store.search_results.page"


def test_several_queries_are_answered_together_best_first(client: openai.OpenAI) -> None:
    found = client.vector_stores.search("acme.default", query=["days of vacation", "휴가"], max_num_results=5)
    assert {hit.filename for hit in found.data} == {"Vacation policy", "휴가 규정"}
    scores = [hit.score for hit in found.data]
    assert scores == sorted(scores, reverse=True)
    assert len({(hit.file_id, hit.content[0].text) for hit in found.data}) == len(found.data)


def test_conditions_hold(client: openai.OpenAI) -> None:
    pages: Any = {"type": "eq", "key": "kind", "value": "page"}
    rows: Any = {"type": "and", "filters": [{"type": "eq", "key": "kind", "value": "row"}]}
    assert client.vector_stores.search("acme", query="vacation", filters=pages).data
    assert not client.vector_stores.search("acme", query="vacation", filters=rows).data


@pytest.mark.parametrize(
    "asked",
    [
        {"query": ""}, {"query": []}, {"query": ["a"] * 6}, {"query": "a", "max_num_results": 51},
        {"query": "a", "filters": {"type": "or", "filters": []}},
        {"query": "a", "filters": {"type": "in", "key": "kind", "value": ["page"]}},
        {"query": "a", "filters": {"type": "ne", "key": "kind", "value": "page"}},
        {"query": "a", "filters": {"type": "eq", "key": "No such property", "value": "x"}},
        {"query": "a\0"},
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told_as_the_client_reads_it(shared_api: Api, asked: dict[str, Any]) -> None:
    with shared_api.client("search") as own:
        refused = own.post(STORE, json=asked)
    assert refused.status_code == 422 and len(refused.json()["error"]["message"]) > 10


@pytest.mark.parametrize(("body", "status"), [(b"\xff\xfe", 422), (b"{", 422), (b" " * 70_000, 413)])
def test_a_body_that_is_not_read_is_told_likewise(shared_api: Api, body: bytes, status: int) -> None:
    with shared_api.client("search") as own:
        refused = own.post(STORE, content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == status and refused.json()["error"]["message"]


def test_what_the_key_does_not_open_is_not_there(api: Api, client: openai.OpenAI) -> None:
    said = set()
    for store in ("globex", "nowhere", "acme.drafts"):
        with pytest.raises(openai.NotFoundError) as error:
            client.vector_stores.search(store, query="vacation")
        said.add(error.value.message.replace(store, "it").replace("acme", "it"))
    assert len(said) == 2  # of workspaces, and of indexes
    with with_key(api, "sk-x") as wrong, pytest.raises(openai.AuthenticationError):
        wrong.vector_stores.search("acme", query="vacation")
    with with_key(api, api.key("read").key) as reads, pytest.raises(openai.PermissionDeniedError, match="'search'"):
        reads.vector_stores.search("acme", query="vacation")
