"""The sensor that tells people: what is wrong is found and recorded, and each cause is sent once."""

from __future__ import annotations

import time

import dagster as dg

from arcana_pipelines.alerts.causes import disk_cause, embedder_cause, find_causes
from arcana_pipelines.alerts.deliveries import plan, tell_all
from arcana_pipelines.alerts.records import failed_known, open_alerts, record
from arcana_pipelines.alerts.severity import OF_OUR_ROWS
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.defs.failed_runs import failed_runs
from arcana_pipelines.defs.runs import Home
from arcana_pipelines.defs.ticks import NO_SCHEMA, tick_database
from arcana_pipelines.learning import health
from arcana_pipelines.operations.disk import disk_of

# A tick sends for so long; the rest is sent by the next.
TELL_SECONDS = 15.0
# A provider that answered is asked again after so long; one that did not, at the next tick.
EMBEDDER_PAUSE_SECONDS = 600.0


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Finds what a person should know (failed runs, incomplete listings, waiting removals, a growing "
    "quarantine, a source or provider that does not answer, a full disk, the budget, stale indexes), keeps it in the "
    "table `alert`, and tells each cause once to everyone whom the settings ALERT_… name.",
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
            causes += disk_cause(disk_of(settings.home))
            looked_at, cursor = {*OF_OUR_ROWS, "disk_full"}, context.cursor
            if _is_due(cursor):
                problem = embedder_problem(connection, settings)
                causes += embedder_cause(problem)
                looked_at.add("embedder_unreachable")
                cursor = str(time.time()) if problem is None else None
                state: health.State = "ok" if problem is None else "down"
                seen = health.Seen(health.EMBEDDER, state, problem or "")
                health.record(connection, health.reporter("daemon"), [seen])
            record(connection, causes, looked_at, settings.retention_days)
            told = _tell(database, connection)
            still = len(open_alerts(connection))
    return dg.SensorResult(skip_reason=f"{still} causes are open. {told}", cursor=cursor or "")


def _tell(database: Database, connection: Connection) -> str:
    from arcana_pipelines.alerts.registry import receivers  # brings urllib3

    settings = database.settings
    opened = receivers(settings)
    plan(connection, [each.name for each in opened], settings.routes_of_alerts)
    if not opened:
        return "No one is told: neither ALERT_WEBHOOK_URL, ALERT_EMAIL_TO nor ALERT_PAGERDUTY_KEY is set."
    return " ".join(tell_all(database, opened, TELL_SECONDS))


def _is_due(cursor: str | None) -> bool:
    return not cursor or time.time() - float(cursor) >= EMBEDDER_PAUSE_SECONDS
