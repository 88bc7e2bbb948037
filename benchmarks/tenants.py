"""What it costs to keep companies apart: `python benchmarks/tenants.py`.

    python benchmarks/tenants.py                 # ten companies with 10,000 chunks each, about ten minutes on two cores
    python benchmarks/tenants.py --scale 0.1     # a tenth: a look

The same questions are asked without policies (as before there were any), by the operator with policies, and for a
company as the server. Then documents are made and moved with and without triggers and policies. Exit code 1: a target
was missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from index_build import (
    CHUNKS,
    CHUNKS_OF_A_DOCUMENT,
    Writer,
    installation,
    made_up,
    met,
    percentile,
    registered_with,
    run_stages,
)
from machine import print_machine
from pydantic import SecretStr
from search_speed import filters, mark, questions

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.models.rules import GUARDED
from arcana_pipelines.embedding import local_small
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.settings import Settings

TENANTS = 10
ROUNDS = 5
QUESTIONS = 12  # of a kind in a round
MOST = 1.15


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of 100,000 chunks (%(default)s)")
    given = parser.parse_args()
    documents = int(CHUNKS * given.scale / CHUNKS_OF_A_DOCUMENT / TENANTS)
    print_machine()
    with installation() as database:
        index = IndexSettings(SMALL_MODEL, local_small.DIMENSIONS, ChunkerSettings(), "auto")
        workspaces = {}
        for number in range(TENANTS):
            slug = f"tenant-{number}"
            texts = made_up("speed", documents, Writer(number))
            workspaces[slug] = registered_with(database, slug, texts, index, company=f"Company {number}")
            run_stages(database, slug)
            with database.connection() as connection:
                mark(connection, workspaces[slug])
        with database.connect() as connection:
            connection.execute("VACUUM ANALYZE")
            tenants = dict(connection.execute("SELECT workspace_id, company_id FROM workspace").fetchall())
            (chunks,) = connection.execute("SELECT count(*) FROM document_chunk").fetchone() or (0,)
        print(f"\n## Searches of {TENANTS} companies with {chunks:,} chunks\n")
        is_met = searches(database, tenants, documents)
        bulk(database, documents * TENANTS)
    return 0 if is_met else 1


def as_role(database: Database, role: str, **options: Any) -> Database:
    """The same database for another role."""
    url = database.url.replace(f"{lease.WRITER}@", f"{role}@")
    return Database(database.settings.model_copy(update={"database_url": SecretStr(url)}), **options)


@contextmanager
def without_policies(database: Database) -> Iterator[None]:
    """As before there were any."""

    def switch(how: str) -> None:
        with database.connection() as connection, connection.transaction():
            for table in GUARDED:
                connection.execute(f"ALTER TABLE {table} {how} ROW LEVEL SECURITY")  # type: ignore[arg-type]

    switch("DISABLE")
    try:
        yield
    finally:
        switch("ENABLE")


class Clock:
    """Milliseconds of searches as a caller waits, and those that a processor worked: the latter bear other load."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.worked: list[float] = []

    def search(self, connection: Connection, workspace_id: UUID, settings: Settings, request: SearchRequest) -> None:
        """Search once, over a connection whose server process is on this machine."""
        before, own, started = processor_ms(connection), time.process_time_ns(), time.perf_counter_ns()
        ConnectionSearcher(connection, settings, workspace_id).search(request)
        self.waited.append((time.perf_counter_ns() - started) / 1e6)
        own = time.process_time_ns() - own
        self.worked.append(processor_ms(connection) - before + own / 1e6)


def searches(database: Database, tenants: dict[UUID, UUID], documents: int) -> bool:
    """Ask everybody the same, in any order, and print a table."""
    operator, server = as_role(database, lease.READER, only_searches=True), as_role(database, lease.SERVER, serves=True)
    writer = Writer(11)
    kinds = questions(writer)
    clocks: dict[str, dict[str, Clock]] = {}

    def ask(who: str, kind: str, workspace_id: UUID, request: SearchRequest) -> None:
        company = tenants[workspace_id] if who == "company" else None
        with (server if company else operator).connection(company=company) as connection:
            clock = clocks.setdefault(kind, {}).setdefault(who, Clock())
            clock.search(connection, workspace_id, database.settings, request)

    for number in range(ROUNDS + 1):
        asked = []
        for kind, make in kinds.items():
            asked += [(kind, SearchRequest(make())) for _ in range(QUESTIONS)]
        for name in filters(documents, writer):
            asked += [
                (f"where {name}", SearchRequest(writer.query(), filters=filters(documents, writer)[name]))
                for _ in range(QUESTIONS // 2)
            ]
        asked += [("a slip in a word", SearchRequest(make_slip(writer))) for _ in range(QUESTIONS // 2)]
        places = [(kind, request, writer.random.choice(list(tenants))) for kind, request in asked]
        for kind, request, workspace_id in places:
            ask("warm", kind, workspace_id, request)
        with without_policies(database):
            for kind, request, workspace_id in places:
                ask("before", kind, workspace_id, request)
        for kind, request, workspace_id in places:
            for who in writer.random.sample(("operator", "company"), 2):
                ask(who, kind, workspace_id, request)
        if number == 0:
            clocks.clear()  # caches are warm
    print("| p50, ms | before | operator | for a company | ratio | processor: before | operator | company | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    everything = {who: Clock() for who in ("before", "operator", "company")}
    for kind, held in clocks.items():
        print(row(kind, held))
        if kind in kinds:
            for who, clock in everything.items():
                clock.waited += held[who].waited
                clock.worked += held[who].worked
    print(row("all without filters", everything))
    print()
    medians = {who: percentile(clock.waited, 50) for who, clock in everything.items()}
    return met("p50 of a search for a company, of before", medians["company"] / medians["before"], MOST)


def make_slip(writer: Writer) -> str:
    """A word that no text has, near one that some have."""
    word = max(writer.query().split(), key=len)
    return word[:2] + "q" + word[2:] + "a"


def row(kind: str, held: dict[str, Clock]) -> str:
    """A line of the table."""
    cells = [kind]
    for attribute in ("waited", "worked"):
        before, operator, company = (
            percentile(getattr(held[who], attribute), 50) for who in ("before", "operator", "company")
        )
        cells += [f"{before:.2f}", f"{operator:.2f}", f"{company:.2f}", f"{company / before:.2f}"]
    return f"| {' | '.join(cells)} |"


MAKE = """
WITH made AS (
    SELECT workspace_id, company_id, platform, user_id, number, gen_random_uuid() AS document_id,
           gen_random_uuid() AS content_id
    FROM workspace, generate_series(1, %(documents)s) AS number WHERE slug = 'tenant-0'
), d AS (
    INSERT INTO document (document_id, workspace_id, company_id, platform, user_id, path, latest_content_id)
    SELECT document_id, workspace_id, company_id, platform, user_id, text2ltree('b.p' || number), content_id FROM made
)
INSERT INTO document_content (document_content_id, document_id, contents, version)
SELECT content_id, document_id, jsonb_build_object('text', repeat('word ', 200)), 1 FROM made
"""
MOVE = "UPDATE document SET path = text2ltree('c') || path, updated_at = now() WHERE path <@ 'b'"


def bulk(database: Database, documents: int) -> None:
    """Seconds that a processor works to make and to move documents."""
    print(f"\n## {documents:,} documents are made, and moved\n")
    print("| | made, s of a processor | moved |\n| --- | --- | --- |")
    taken: dict[str, tuple[list[float], list[float]]] = {}
    for _ in range(5):
        for name, triggers, policies in (
            ("before", "DISABLE", "DISABLE"), ("policies", "DISABLE", "ENABLE"),
            ("triggers", "ENABLE", "DISABLE"), ("both", "ENABLE", "ENABLE"),
        ):  # fmt: skip
            with database.connection() as connection:
                for table in ("document", "document_content"):
                    connection.execute(f"ALTER TABLE {table} {triggers} TRIGGER USER")  # type: ignore[arg-type]
                    connection.execute(f"ALTER TABLE {table} {policies} ROW LEVEL SECURITY")  # type: ignore[arg-type]
                for place, statement in enumerate((MAKE, MOVE)):
                    before = processor_ms(connection)
                    connection.execute(statement, {"documents": documents} if place == 0 else None)
                    taken.setdefault(name, ([], []))[place].append((processor_ms(connection) - before) / 1000)
                connection.execute("DELETE FROM document WHERE path <@ 'c'")
            with database.connect() as connection:
                connection.execute("VACUUM document, document_content")
    for name, (made, moved) in taken.items():
        print(f"| {name} | {percentile(made, 50):.3f} | {percentile(moved, 50):.3f} |")


def processor_ms(connection: Connection) -> float:
    """Milliseconds that a processor has worked for the server process of a connection, on this machine."""
    return int(Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text().split()[0]) / 1e6


if __name__ == "__main__":
    sys.exit(main())
