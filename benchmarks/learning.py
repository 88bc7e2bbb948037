"""What it costs to learn from searches: `python benchmarks/learning.py` (a minute).

A thousand answers of ten hits each are noted at once, as the server does every two seconds, and a day of a hundred
thousand is counted by chunk, as the nightly job does. Exit code 1: a target was missed.
"""

from __future__ import annotations

import random
import sys
import time
from uuid import UUID, uuid4

from index_build import installation, met, percentile, registered
from machine import print_machine
from pydantic import SecretStr
from tenants import as_role, processor_ms

from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Database
from arcana_pipelines.learning.answers import Answer, Asked, record
from arcana_pipelines.learning.counts import count_chunks
from arcana_pipelines.learning.questions import kept

ANSWERS, HITS, ROUNDS, DAY = 1_000, 10, 20, 100_000
# Pages of five chunks each, and questions that are asked.
PAGES, QUESTIONS = 2_000, 500
MOST_MILLISECONDS = 100
MOST_SECONDS = 30


def main() -> int:
    print_machine()
    with installation(secret_key=SecretStr("what-keys-the-hashes-of-this-benchmark")) as database:
        workspace_id = registered(database, "asked", 1)
        with database.connection() as connection:
            ((company_id,),) = connection.execute("SELECT company_id FROM workspace").fetchall()
        print(f"\n## {ANSWERS:,} answers of {HITS} hits, noted at once\n")
        noted = notes(database, company_id, workspace_id)
        print(f"\n## A day of {DAY:,} answers, counted by chunk\n")
        counted = counts(database, company_id, workspace_id)
    return 0 if noted and counted else 1


def answers(database: Database, company_id: UUID, workspace_id: UUID, pages: list[str]) -> list[Answer]:
    return [
        Answer(company_id, "abcdefgh", str(uuid4()), Asked(
            workspace_id, "default",
            kept(f"how many days of vacation, the {random.randrange(QUESTIONS)}th", company_id, database.settings),
            tuple((random.choice(pages), random.randrange(5)) for _ in range(HITS)),
            is_answered=random.random() < 0.9, is_cached=False, is_continued=False,
        ))
        for _ in range(ANSWERS)
    ]  # fmt: skip


def notes(database: Database, company_id: UUID, workspace_id: UUID) -> bool:
    server = as_role(database, lease.SERVER, serves=True)
    pages = [str(uuid4()) for _ in range(PAGES)]
    waited, worked = [], []
    for _ in range(ROUNDS):
        rows = answers(database, company_id, workspace_id, pages)
        with server.connection(company_id) as connection:
            before, own, began = processor_ms(connection), time.process_time(), time.perf_counter()
            record(connection, rows)
            waited.append(1000 * (time.perf_counter() - began))
            worked.append(processor_ms(connection) - before + 1000 * (time.process_time() - own))
    server.close()
    print(f"waited {percentile(waited, 50):.0f} ms (p95 {percentile(waited, 95):.0f})")
    return met("ms of a processor, median", percentile(worked, 50), MOST_MILLISECONDS)


def counts(database: Database, company_id: UUID, workspace_id: UUID) -> bool:
    server = as_role(database, lease.SERVER, serves=True)
    pages = [str(uuid4()) for _ in range(PAGES)]
    with server.connection(company_id) as connection:
        for _ in range(DAY // ANSWERS):
            record(connection, answers(database, company_id, workspace_id, pages))
    server.close()
    with database.connection() as connection:
        began = time.perf_counter()
        count_chunks(connection, database.settings)
        seconds = time.perf_counter() - began
        ((chunks, shown),) = connection.execute("SELECT count(*), sum(shown) FROM chunk_analytics").fetchall()
    print(f"{chunks:,} chunks, shown {shown:,} times")
    return met("seconds", seconds, MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
