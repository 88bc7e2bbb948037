"""The sensor that tells people: what is wrong is found and recorded, and each cause is sent once."""

from __future__ import annotations

import time

import dagster as dg

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.defs.failed_runs import failed_runs
from arcana_pipelines.defs.runs import Home
from arcana_pipelines.defs.ticks import NO_SCHEMA, tick_database
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.learning import health
from arcana_pipelines.operations.alerts import (
    OF_OUR_ROWS,
    embedder_cause,
    failed_known,
    find_causes,
    open_alerts,
    record,
    tell,
)
from arcana_pipelines.settings import Settings

# A tick sends for so long; the rest is sent by the next.
TELL_SECONDS = 15.0
# A provider that answered is asked again after so long; one that did not, at the next tick.
EMBEDDER_PAUSE_SECONDS = 600.0


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Finds what a person should know (failed runs, incomplete listings, waiting removals, a growing "
    "quarantine, a source or provider that does not answer, the budget, stale indexes), keeps it in the table `alert`, "
    "and posts each cause once to ALERT_WEBHOOK_URL when that is set.",
)
def alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Evaluates all causes and tells what is new or over. The cursor is when the provider last answered."""
    from arcana_pipelines.operations.embedding_provider import embedder_problem  # brings urllib3

    with tick_database() as database:
        if database is None:
            return dg.SkipReason(NO_SCHEMA)
        settings = database.settings
        with database.connection() as connection:
            failed = failed_runs(context.instance, failed_known(connection), Home.of(context))
            causes = find_causes(connection, settings.embedding_monthly_budget_usd, failed)
            looked_at, cursor = set(OF_OUR_ROWS), context.cursor
            if _is_due(cursor):
                problem = embedder_problem(connection, settings)
                causes += embedder_cause(problem)
                looked_at.add("embedder_unreachable")
                cursor = str(time.time()) if problem is None else None
                state: health.State = "ok" if problem is None else "down"
                seen = health.Seen("embedding provider", state, problem or "")
                health.record(connection, health.reporter("daemon"), [seen])
            record(connection, causes, looked_at, settings.retention_days)
            told = _tell(connection, settings)
            still = len(open_alerts(connection))
    return dg.SensorResult(skip_reason=f"{still} causes are open. {told}", cursor=cursor or "")


def _tell(connection: Connection, settings: Settings) -> str:
    from arcana_pipelines.operations.webhook import sender

    url = settings.alert_webhook_url
    if url is None:
        return "No one is told: ALERT_WEBHOOK_URL is not set."
    send = sender(url, settings.arcana_ui_url)
    started, told = time.monotonic(), 0
    try:
        while time.monotonic() - started < TELL_SECONDS and tell(connection, send):
            told += 1
    except ArcanaError as error:
        return f"{told} were told. {error}"
    return f"{told} were told."


def _is_due(cursor: str | None) -> bool:
    return not cursor or time.time() - float(cursor) >= EMBEDDER_PAUSE_SECONDS
