"""A server of the API that reads from a replica, and what of it a test looks at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.replica import Replica
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import SEARCH, Api, served

DOCUMENT = "/v1/workspaces/acme/documents/Vacation policy"
_SEQ = "SELECT publish_seq FROM rag_indexes JOIN workspace USING (workspace_id) WHERE slug = 'acme'"


@dataclass
class Replicated:
    """The server, and a client with a key to search and read."""

    api: Api
    client: httpx.Client

    @property
    def replica(self) -> Replica:
        """As the server has it."""
        assert self.api.reads.replica is not None
        return self.api.reads.replica

    def reads(self) -> dict[str, int]:
        """How reads went."""
        samples = (sample for metric in self.api.metrics.registry.collect() for sample in metric.samples)
        return {
            sample.labels["outcome"]: int(sample.value)
            for sample in samples
            if sample.name == "arcana_replica_reads_total"
        }

    def search(self, least: int | None = None, **asked: Any) -> httpx.Response:
        """A search that is answered; `least`: by what was published then."""
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
        return int(acme.rows(_SEQ)[0][0])


def address_of_server(database: Database) -> str:
    """The database as the server is given it."""
    url = database.settings.database_url
    assert url is not None
    return url.get_secret_value().replace(f"{lease.WRITER}@", f"{lease.SERVER}@")


@contextmanager
def replicated_at(companies: Harness, url: str) -> Iterator[Replicated]:
    """A server with the replica at an address."""
    with served(companies, search_database_url=SecretStr(url)) as api, api.client("search", "read") as client:
        yield Replicated(api, client)
