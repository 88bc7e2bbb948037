"""`arcana status --check`: the open causes, one a line, and an exit code for a monitor."""

from __future__ import annotations

from arcana_pipelines.alerts.causes import Cause, FailedRun, disk_cause
from arcana_pipelines.alerts.check import OpenCause, check, level
from arcana_pipelines.alerts.records import failed_known
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.operational import in_a_line
from arcana_pipelines.cli.output import local_time, print_json, runnable, say
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import ArcanaError, OnlySearches, UnknownWorkspace
from arcana_pipelines.operations.disk import disk_of
from arcana_pipelines.settings import Settings, load_settings
from arcana_pipelines.workspaces import workspaces

# What asking who starts runs may take.
SECONDS = 3.0


def show_check(slug: str | None, as_json: bool) -> int:
    """Print what is open now and return the exit code.

    That no database answers, or no installation is here, is a cause, too: a monitor is to call somebody.

    Raises:
        WrongUse: a setting has a value that cannot be used, there is no such workspace, or this user may only search.
    """
    load_settings()
    try:
        causes = _open_causes(slug)
    except (UnknownWorkspace, OnlySearches):
        raise
    except ArcanaError as error:
        causes = [_out_of_reach(str(error))]
    except Exception as error:
        said = in_a_line(error)
        if said is None:
            raise
        causes = [_out_of_reach(said)]
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
            "{}: {}{}: {}{} Next: {}", cause.workspace or "Arcana", cause.cause, since, runnable(cause.text),
            detail.replace("\n", " "), runnable(cause.next_step),
        )  # fmt: skip
    return code


def _open_causes(slug: str | None) -> list[OpenCause]:
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        if slug:
            workspaces.find(connection, slug)
        known = failed_known(connection)
    failed, elsewhere = _failed_runs(database, known)
    with database.connection() as connection:
        return check(
            connection, database.settings.embedding_monthly_budget_usd, failed, elsewhere, slug,
            [*disk_cause(disk_of(database.settings.home)), *_launcher_cause(database.settings)],
        )  # fmt: skip


def _launcher_cause(settings: Settings) -> list[Cause]:
    """The cause that no run could begin now, or none; whoever starts runs is asked, where it is not the code server."""
    if settings.run_launcher == "local":
        return []
    from arcana_pipelines.defs.instance import check_home
    from arcana_pipelines.defs.launcher_check import looked_at

    try:
        looked_at(settings, check_home(settings), SECONDS)
    except ArcanaError as error:
        text = "no run can begin now, so nothing is synced. What was published is served."
        return [Cause("runs_not_started", "", text, "arcana doctor", str(error))]
    return []


def _out_of_reach(said: str) -> OpenCause:
    return OpenCause("installation_unreachable", "", said, "", "arcana doctor", None, None)


def _failed_runs(database: Database, known: dict[tuple[str, str], str]) -> tuple[list[FailedRun], set[str]]:
    from arcana_pipelines.defs.failed_runs import failed_runs
    from arcana_pipelines.defs.instance import open_instance
    from arcana_pipelines.defs.run import our_home

    with open_instance(database) as instance:
        return failed_runs(instance, known, our_home()), {
            run_id for run_id in known.values() if not instance.has_run(run_id)
        }
