"""How fast tickets are counted, listed and written: `python benchmarks/tickets.py`.

    python benchmarks/tickets.py                 # 1,000,000 tickets of 20 companies, then as many of one; 5 minutes
    python benchmarks/tickets.py --scale 0.1     # a tenth: a look

The largest of the 20 companies has 200,000. Counts are asked as the repository asks them, as the server acts for a
company, and for comparison of the tickets themselves. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from index_build import fill_documents, installation, met, percentile
from machine import print_machine
from tenants import as_role, processor_ms

from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.tickets.records import store_records
from arcana_pipelines.tickets.repository import SyncTicketRepository
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.companies import company_named

COMPANIES, TICKETS, OF_LARGEST = 20, 1_000_000, 200_000
ROUNDS = 20
MOST_MS = 100.0
_FILL = """
INSERT INTO tickets (
    company_id, platform, workspace_id, ticket_id, title, description, status, priority, assignee_email, is_processed,
    created_at, updated_at)
SELECT company_id, platform, workspace_id, n::text, 'Ticket ' || n, repeat('word ', 60),
       (ARRAY['Open', 'Pending', 'Resolved', 'Closed', 'Waiting on Customer'])[1 + least(4, (random() * 6)::int)],
       (ARRAY['Low', 'Medium', 'High', 'Urgent'])[1 + least(3, (random() * 5)::int)],
       'agent' || n %% 50 || '@example.com', random() < 0.7, now() - n * interval '1 minute',
       now() - n * interval '1 minute'
FROM workspace, generate_series(1, %(tickets)s) n WHERE slug = %(slug)s
"""
_COUNT = """
SELECT status, priority, is_processed, count(*) FROM tickets
WHERE company_id = %s AND platform = 'freshdesk' AND removed_at IS NULL GROUP BY 1, 2, 3
"""
_INDEX = (
    "CREATE INDEX counted ON tickets (company_id, platform, status) INCLUDE (priority, is_processed, workspace_id) "
    "WHERE removed_at IS NULL"
)
# What was read of a ticket, as a sync has it when it stores a hundred at once: another status, and three messages.
_READ = """
UPDATE source_page p SET kind = 'ticket', record = jsonb_build_object(
    'ticket_id', t.ticket_id, 'description', t.description || '!', 'priority', t.priority, 'tags', t.tags,
    'status', CASE t.status WHEN 'Open' THEN 'Closed' ELSE 'Open' END, 'custom_fields', t.custom_fields,
    'created_at', t.created_at, 'updated_at', now(), 'conversations', (
        SELECT jsonb_agg(jsonb_build_object(
            'conversation_id', n::text, 'content', repeat('word ', 60), 'message_type', 'public',
            'author_type', 'agent', 'attachments', jsonb_build_array(), 'created_at', t.created_at))
        FROM generate_series(1, 3) n))
FROM workspace w, tickets t
WHERE w.slug = %s AND p.workspace_id = w.workspace_id AND t.workspace_id = w.workspace_id
  AND t.ticket_id = p.external_id
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of 1,000,000 tickets (%(default)s)")
    scale = parser.parse_args().scale
    print_machine()
    with installation() as database:
        served = as_role(database, lease.SERVER, serves=True)
        of_others = int((TICKETS - OF_LARGEST) * scale / (COMPANIES - 1))
        sizes = [int(OF_LARGEST * scale), *[of_others] * (COMPANIES - 1)]
        companies = [filled(database, f"desk-{number}", size) for number, size in enumerate(sizes)]
        print(f"\n## {sum(sizes):,} tickets of {COMPANIES} companies, {sizes[0]:,} of the largest\n")
        is_met = counted(database, served, companies[0])
        is_met &= listed(database, companies[0])
        written(database, "desk-0")
        alone = filled(database, "alone", int(TICKETS * scale))
        print(f"\n## {int(TICKETS * scale):,} tickets of one company\n")
        is_met &= counted(database, served, alone)
        is_met &= listed(database, alone)
        served.close()
    return 0 if is_met else 1


def filled(database: Database, slug: str, tickets: int) -> UUID:
    """A company with a workspace and so many tickets."""
    with database.connection() as connection:
        company = company_named(connection, f"Company {slug}")
        connection.execute(
            "INSERT INTO workspace (company_id, slug, name, platform, storage_path) "
            "VALUES (%s, %s, %s, 'freshdesk', %s)",
            [company, slug, slug, slug],
        )
        connection.execute(_FILL, {"slug": slug, "tickets": tickets})
        connection.execute("ANALYZE tickets")
        connection.execute("ANALYZE ticket_counts")
    return company


def counted(database: Database, served: Database, company: UUID) -> bool:
    """Milliseconds to count the tickets of a company."""
    tickets = SyncTicketRepository(served.for_company(company), company)
    stats, took = timed(tickets.get_ticket_stats)
    met_it = met("get_ticket_stats, as the server acts for the company: median, ms", percentile(took, 50), MOST_MS)
    print(f"slowest {max(took):.2f} ms; {stats.total_tickets:,} tickets, {stats.status_distribution}\n")
    with served.connection(company=company) as connection:
        statement = tickets._statement("ticket_stats", tickets._within)
        explain(connection, statement, tickets._within)
    with database.connection() as connection:
        connection.execute(_INDEX)
        connection.execute("VACUUM (ANALYZE) tickets")
        rows, took = timed(lambda: connection.execute(_COUNT, [company]).fetchall())
        assert sum(row[3] for row in rows) == stats.total_tickets, "the counts are those of the tickets"
        told = f"median {percentile(took, 50):.1f} ms, slowest {max(took):.1f} ms"
        print(f"For comparison, of the tickets themselves, by an index that holds all, just vacuumed: {told}")
        explain(connection, _COUNT, [company])
        connection.execute("DROP INDEX counted")
    return met_it


def listed(database: Database, company: UUID) -> bool:
    """Milliseconds to list 50 tickets, the first and a later page."""
    tickets = SyncTicketRepository(database, company)
    newest = tickets.get_tickets(limit=1).tickets[0].updated_at
    deep = (
        tickets.get_tickets(limit=1, offset=30_000).cursor
        if tickets.get_ticket_stats().total_tickets > 40_000
        else None
    )
    asked: dict[str, dict[str, Any]] = {
        "all": {}, "status": {"status": "Open"}, "priority": {"priority": "Urgent"},
        "assignee": {"assignee_email": "agent7@example.com"}, "without a summary": {"is_processed": False},
        "status and priority": {"status": "Pending", "priority": "Urgent"},
        "a status that none has": {"status": "Lost"},
        "a week": {"date_range": (newest - timedelta(days=14), newest - timedelta(days=7))},
        "behind 30,000, by its cursor": {"after": deep}, "behind 30,000, by offset": {"offset": 30_000},
    }  # fmt: skip
    print("\n| 50 tickets | median, ms | slowest |\n| --- | --- | --- |")
    slowest = 0.0
    for name, filters in asked.items():
        _, took = timed(lambda filters=filters: tickets.get_tickets(**filters))  # type: ignore[misc]
        print(f"| {name} | {percentile(took, 50):.1f} | {max(took):.1f} |")
        slowest = max(slowest, percentile(took, 50) if "offset" not in filters else 0.0)
    print()
    return met("the slowest of them but by offset, median, ms", slowest, MOST_MS)


def written(database: Database, slug: str) -> None:
    """Milliseconds to store a hundred tickets that were read, with and without the triggers that count."""
    numbers = [str(number) for number in range(1, 101)]
    took: dict[str, list[float]] = {"DISABLE": [], "ENABLE": []}
    with database.connection() as connection:
        fill_documents(connection, slug, ((number, f"Ticket {number}", "Text") for number in numbers))
        connection.execute(_READ, [slug])
        workspace = workspaces.find(connection, slug)
        for _ in range(ROUNDS):
            for how, times in took.items():
                with connection.transaction(force_rollback=True):
                    connection.execute(f"ALTER TABLE tickets {how} TRIGGER USER")  # type: ignore[arg-type]
                    before = processor_ms(connection)
                    assert store_records(connection, workspace.workspace_id, numbers) == {}
                    times.append(processor_ms(connection) - before)
    without, with_ = (percentile(took[how], 50) for how in ("DISABLE", "ENABLE"))
    print(f"\n100 tickets stored as a sync does: {without:.1f} ms of a processor, and {with_:.1f} ms counted (median)")


def timed(function: Callable[[], Any]) -> tuple[Any, list[float]]:
    """What it gives, and the milliseconds of each call but the first."""
    took = []
    for _ in range(ROUNDS + 1):
        before = time.perf_counter_ns()
        given = function()
        took.append((time.perf_counter_ns() - before) / 1e6)
    return given, took[1:]


def explain(connection: Connection, statement: Any, parameters: Any) -> None:
    """Print how a statement is executed."""
    text = statement.as_string(connection) if hasattr(statement, "as_string") else statement
    print("```")
    for (line,) in connection.execute("EXPLAIN (ANALYZE, COSTS OFF) " + text, parameters):
        print(line)
    print("```")


if __name__ == "__main__":
    sys.exit(main())
