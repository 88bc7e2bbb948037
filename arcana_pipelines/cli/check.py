"""`arcana status --check`: the open causes, one a line, and an exit code for a monitor."""

from __future__ import annotations

from arcana_pipelines.alerts.causes import FailedRun, disk_cause
from arcana_pipelines.alerts.check import check, level
from arcana_pipelines.alerts.records import failed_known
from arcana_pipelines.cli.output import local_time, print_json, runnable, say
from arcana_pipelines.db.engine import Database
from arcana_pipelines.operations.disk import disk_of
from arcana_pipelines.workspaces import workspaces


def show_check(database: Database, slug: str | None, as_json: bool) -> int:
    """Print what is open now and return the exit code."""
    with database.connection() as connection:
        if slug:
            workspaces.find(connection, slug)
        known = failed_known(connection)
    failed, elsewhere = _failed_runs(database, known)
    with database.connection() as connection:
        causes = check(
            connection, database.settings.embedding_monthly_budget_usd, failed, elsewhere, slug,
            disk_cause(disk_of(database.settings.home)),
        )  # fmt: skip
    code = level(causes)
    if as_json:
        print_json({"ok": not causes, "exit_code": code, "causes": [cause.as_dict() for cause in causes]})
        return code
    if not causes:
        say("ok: nothing is broken, and nothing waits for a person")
    for cause in causes:
        since = f" since {local_time(cause.since)}" if cause.since else ""
        detail = f" ({cause.detail})" if cause.detail else ""
        say(
            "{}: {}{}: {}{} Next: {}", cause.workspace or "Arcana", cause.cause, since, cause.text,
            detail.replace("\n", " "), runnable(cause.next_step),
        )  # fmt: skip
    return code


def _failed_runs(database: Database, known: dict[tuple[str, str], str]) -> tuple[list[FailedRun], set[str]]:
    from arcana_pipelines.defs.failed_runs import failed_runs
    from arcana_pipelines.defs.instance import open_instance
    from arcana_pipelines.defs.run import our_home

    with open_instance(database) as instance:
        return failed_runs(instance, known, our_home()), {
            run_id for run_id in known.values() if not instance.has_run(run_id)
        }
