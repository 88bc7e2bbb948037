"""Reads all figures at one moment: a handful of statements, in a transaction that changes nothing."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import arcana_pipelines
from arcana_pipelines.alerts.records import open_alerts
from arcana_pipelines.alerts.severity import severity_of
from arcana_pipelines.db.engine import Connection, Database, snapshot
from arcana_pipelines.db.query import rows, scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.indexes.targets.targets import all_targets
from arcana_pipelines.monitoring.sample import Sample
from arcana_pipelines.monitoring.statements import SLOW_SECONDS, slowest
from arcana_pipelines.operations.disk import disk_of
from arcana_pipelines.taxonomy.counts import ORIGINS, topic_counts
from arcana_pipelines.tickets.summaries.counts import summary_counts

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# A figure that takes longer is not worth a server's time.
_TIMEOUT = "SELECT set_config('statement_timeout', '20s', true)"


def read(database: Database) -> list[Sample]:
    """Every figure now. Where the database does not answer: that, and the disk. `database`: as the application."""
    began = time.monotonic()
    samples = [Sample("arcana_build_info", (arcana_pipelines.__version__,), 1), *_of_disk(database)]
    try:
        with database.connection() as connection, snapshot(connection):
            connection.execute(_TIMEOUT)
            samples.extend(_of_database(connection, database.settings.embedding_monthly_budget_usd))
    except ArcanaError as error:
        log.warning("figures are not read: %s", type(error).__name__)
        samples.append(Sample("arcana_database_up", (), 0))
    else:
        samples.append(Sample("arcana_database_up", (), 1))
    samples.append(Sample("arcana_read_timestamp_seconds", (), datetime.now(UTC).timestamp()))
    samples.append(Sample("arcana_read_seconds", (), time.monotonic() - began))
    return samples


def _of_disk(database: Database) -> Iterator[Sample]:
    if (disk := disk_of(database.settings.home)) is not None:
        yield Sample("arcana_home_free_bytes", (), disk.free_bytes)
        yield Sample("arcana_home_disk_bytes", (), disk.bytes)


def _of_database(connection: Connection, monthly_budget: Decimal | None) -> Iterator[Sample]:
    for row in rows(connection, _Row, load_sql("figures"), {"monthly_budget": monthly_budget}):
        yield Sample(row.name, tuple(row.labels), row.value)
    for row in rows(connection, _Row, load_sql("server")):
        yield Sample(row.name, tuple(row.labels), row.value)
    if scalar(connection, "SELECT to_regclass('dagster.runs') IS NOT NULL"):
        for row in rows(connection, _Row, load_sql("dagster")):
            yield Sample(row.name, tuple(row.labels), row.value)
    yield from _of_statements(connection)
    yield from _of_alerts(connection)
    yield from _of_targets(connection)
    yield from _of_topics(connection)
    yield from _of_summaries(connection)


def _of_statements(connection: Connection) -> Iterator[Sample]:
    counted = slowest(connection)
    if counted is None:
        return
    slow = [each for each in counted if each.mean_seconds >= SLOW_SECONDS]
    yield Sample("arcana_statements_slow", (), len(slow))
    yield Sample("arcana_statement_slowest_seconds", (), max((each.mean_seconds for each in counted), default=0))


def _of_alerts(connection: Connection) -> Iterator[Sample]:
    open_now = Counter((alert.cause, alert.workspace) for alert in open_alerts(connection))
    for (cause, workspace), number in open_now.items():
        yield Sample("arcana_alerts", (cause, severity_of(cause), workspace), number)


def _of_targets(connection: Connection) -> Iterator[Sample]:
    for target in all_targets(connection):
        names = (target.slug, target.name, target.kind)
        yield Sample("arcana_target_lag_seconds", names, target.lag_seconds)
        yield Sample("arcana_target_documents_waiting", names, target.waiting)
        yield Sample("arcana_target_documents_parked", names, target.parked)
        yield Sample("arcana_target_failures", names, target.failures)
        yield Sample("arcana_target_live", names, target.state == "live")


def _of_topics(connection: Connection) -> Iterator[Sample]:
    for each in topic_counts(connection):
        names = (each.workspace,)
        for origin in ORIGINS:
            yield Sample("arcana_topics", (each.workspace, origin), each.assigned.get(origin, 0))
        since = each.waits_since
        yield Sample("arcana_topics_waiting", names, each.waiting)
        yield Sample(
            "arcana_topics_waiting_seconds", names, (datetime.now(UTC) - since).total_seconds() if since else 0
        )
        yield Sample("arcana_topic_unknown_paths", names, each.unknown_paths)
        if each.coverage is not None:
            yield Sample("arcana_topic_coverage_ratio", names, each.coverage)
    for limits in rows(connection, _TopicLimits, load_sql("topic_limits")):
        if limits.known:
            yield Sample("arcana_topic_assigned_ratio", (limits.workspace,), limits.assigned / limits.known)
        yield Sample("arcana_topic_matched_ratio", (limits.workspace,), limits.matched / limits.brought)


def _of_summaries(connection: Connection) -> Iterator[Sample]:
    for each in summary_counts(connection):
        for state in ("made", "failed", "waiting", "under_way"):
            yield Sample("arcana_summaries", (each.workspace, state), getattr(each, state))
        yield Sample("arcana_summary_tokens_today", (each.workspace,), each.tokens_today)


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    labels: list[str]
    value: float


@dataclass(frozen=True, slots=True)
class _TopicLimits:
    workspace: str
    brought: int
    known: int
    assigned: int
    matched: int
