"""Searches and documents are read from a streaming replica, and nobody notices but by what answers say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from arcana_pipelines.db.embedded import lease
from arcana_pipelines.testing.postgres import DatabaseServer
from arcana_pipelines_tests.db.standby import Standby, standby_of
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import SEARCH, Api, served

_SEQ = "SELECT publish_seq FROM rag_indexes JOIN workspace USING (workspace_id) WHERE slug = 'acme'"
DOCUMENT = "/v1/workspaces/acme/documents/Vacation policy"


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def standby(arcana_server: DatabaseServer) -> Iterator[Standby]:
    """A replica of the run's server: to copy that takes longer than most tests."""
    with standby_of(arcana_server.address("postgres", lease.SUPERUSER)) as standby:
        yield standby


@dataclass
class Replicated:
    """A server of the API with a replica that has all there was when it began."""

    api: Api
    standby: Standby
    client: httpx.Client

    def reads(self) -> dict[str, int]:
        """How reads went."""
        samples = (sample for metric in self.api.metrics.registry.collect() for sample in metric.samples)
        return {
            sample.labels["outcome"]: int(sample.value)
            for sample in samples
            if sample.name == "arcana_replica_reads_total"
        }

    def search(self, least: int | None = None, **asked: Any) -> httpx.Response:
        headers = {} if least is None else {"X-Arcana-Min-Seq": str(least)}
        answer = self.client.post(SEARCH, json={"query": "vacation days", "min_score": 0, **asked}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer

    def edit(self, text: str) -> int:
        """Publish another version of a page; how often the index had changed then."""
        acme = self.api.acme
        page = next(hit["external_id"] for hit in self.search().json()["hits"] if hit["title"] == "Vacation policy")
        acme.world.edit_page(page, blocks=text)
        acme.settle()
        acme.sync()
        (seq,) = acme.rows(
            "SELECT publish_seq FROM rag_indexes i JOIN workspace w USING (workspace_id) WHERE slug = 'acme'"
        )[0]
        return int(seq)


@pytest.fixture
def replicated(companies: Harness, standby: Standby) -> Iterator[Replicated]:
    url = companies.database.settings.database_url
    assert url is not None
    standby.catch_up()
    of_server = url.get_secret_value().replace(f"{lease.WRITER}@", f"{lease.SERVER}@")
    with (
        served(companies, search_database_url=SecretStr(standby.url(of_server))) as api,
        api.client("search", "read") as client,
    ):
        standby.catch_up()
        yield Replicated(api, standby, client)


def test_a_search_and_a_document_are_read_from_the_replica(replicated: Replicated) -> None:
    found = replicated.search()
    document = replicated.client.get(DOCUMENT)
    assert found.json()["hits"][0]["title"] == "Vacation policy"
    assert document.status_code == 200
    assert found.headers["x-arcana-seq"] == document.headers["x-arcana-seq"]
    assert replicated.reads() == {"replica": 2}


def test_an_answer_says_how_old_it_is_and_who_knows_of_a_publish_gets_it(replicated: Replicated) -> None:
    before = int(replicated.search().headers["x-arcana-seq"])
    replicated.standby.pause()
    try:
        now = replicated.edit("Everyone has 31 days of vacation a year.")
        old, new = replicated.search(), replicated.search(least=now)
    finally:
        replicated.standby.resume()
    replicated.standby.catch_up()
    again = replicated.search(least=now)
    assert int(old.headers["x-arcana-seq"]) == before < now
    assert "30 days" in old.json()["hits"][0]["text"]
    assert [int(each.headers["x-arcana-seq"]) for each in (new, again)] == [now, now]
    assert all("31 days" in each.json()["hits"][0]["text"] for each in (new, again))
    assert replicated.reads()["behind"] == 1
