"""What is wrong now: causes, found in rows at every evaluation, so that a lost tick loses nothing.

What is kept of them belongs to `records.py`, and who is told to `deliveries.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from arcana_pipelines.alerts.message import shorten
from arcana_pipelines.alerts.records import open_alerts
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.targets.targets import is_gone
from arcana_pipelines.operations.disk import Disk
from arcana_pipelines.operations.reports import removal_command
from arcana_pipelines.taxonomy.labels import spell_path
from arcana_pipelines.workspaces.workspaces import active_slugs

load_sql = statements_beside(__file__)

MOST_TITLE = 60
MOST_PATH = 200
# What `FailedRun.error` says of a run that Dagster gave up before it began.
NOT_STARTED = "NotStarted"
# What fails a run by these stands outside of its workspace: the same command once more fails as well.
_OF_THE_INSTALLATION = ("ModelMissing", NOT_STARTED)


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that is wrong now.

    Attributes:
        cause: its kind, a key of `severity.LEVELS`.
        workspace: the slug; empty where it is the installation's.
        text: what is wrong and what that means for readers, in our words.
        next_step: what a person does about it: a command, as a rule.
        detail: what the source, the provider or the failed run said of it, as it came (`records.record` shortens it);
            empty where there is nothing.
        subject: what of the workspace it is about, where there may be several: of a failed run its purpose, of a target
            its name, of a topic its version and the key of its path; else empty.
        run_id: of the run in Dagster that shows it; None where no run does.
    """

    cause: str
    workspace: str
    text: str
    next_step: str
    detail: str = ""
    subject: str = ""
    run_id: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same cause at the next evaluation."""
        return self.cause, self.workspace, self.subject


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that failed, and nothing has succeeded since that was to do the same.

    Attributes:
        workspace: the slug; empty for what is done for the whole installation.
        purpose: what it was to do: `sync`, `stage`, `fill`, `quality`, `rebuild`, `promote` or `rollback`; what is done
            for the whole installation goes by the name of its job.
        run_id: its id in Dagster.
        error: the class of the exception that was at the root of it, without its module; empty where none is recorded,
            `NOT_STARTED` of a run that did not begin.
        message: the words of that exception, or what Dagster says of the run; of a nightly check the names of the
            checks that failed.
    """

    workspace: str
    purpose: str
    run_id: str
    error: str
    message: str


def find_causes(connection: Connection, monthly_budget: Decimal | None, failed: Iterable[FailedRun]) -> list[Cause]:
    """What is wrong now, by our own rows, the runs that failed, and the files of targets on this machine."""
    recorded = connection.execute(load_sql("alert_causes"), {"monthly_budget": monthly_budget}).fetchall()
    active = active_slugs(connection)
    known = {alert.key for alert in open_alerts(connection)}
    of_runs = [_of_run(run) for run in failed if not run.workspace or run.workspace in active]
    failing = {cause.workspace for cause in of_runs}
    causes = {cause.key: cause for cause in of_runs}
    for name, workspace, facts in recorded:
        cause = _CAUSES[name](workspace, facts)
        if cause is None:
            continue
        # A source that cannot be reached and so fails the sync is told once, by the failed run; unless it came first.
        if name == "source_unreachable" and workspace in failing and cause.key not in known:
            continue
        causes.setdefault(cause.key, cause)
    # One that was lost is behind, too, until it is filled again.
    for _, workspace, target in [key for key in causes if key[0] == "target_wiped"]:
        causes.pop(("target_behind", workspace, target), None)
    return list(causes.values())


def stale_workspaces(connection: Connection) -> list[Cause]:
    """The active workspaces whose index nothing has compared with its source for more than a day."""
    return [cause for cause in find_causes(connection, None, []) if cause.cause == "stale"]


def embedder_cause(problem: str | None) -> list[Cause]:
    """The cause that the embedding provider does not answer, or none."""
    if problem is None:
        return []
    return [
        Cause(
            "embedder_unreachable",
            "",
            "the embedding provider does not answer. Syncs without new texts stay green; searches go by words alone.",
            "arcana doctor",
            problem,
        )
    ]


def disk_cause(disk: Disk | None) -> list[Cause]:
    """The cause that the disk of ARCANA_HOME is nearly full, or none; none, too, where it is not of this machine."""
    if disk is None or not disk.is_nearly_full:
        return []
    return [
        Cause(
            "disk_full",
            "",
            f"{disk.said} on the disk of ARCANA_HOME. Once it is full nothing is synced, and the embedded PostgreSQL "
            "may stop.",
            'make room there (docs/incidents.md, "The disk is full"), then arcana doctor',
        )
    ]


_OF_PURPOSE = {
    "sync": ("the last sync failed. What was published stays, and the sensors try again by themselves.", "sync {}"),
    "fill": ("a new build of an index could not be filled. The old one serves.", "index list {}"),
    "quality": ("the golden questions could not be asked, or are answered worse than the baseline.", "eval {}"),
    "stage": ("the estimate of a sync failed.", "sync {} --estimate"),
    "rebuild": ("the job rebuild_index failed. The index that served goes on.", "index list {}"),
    "promote": ("the job promote_index failed. The index that served goes on.", "index list {}"),
    "rollback": ("the job rollback_index failed. The index that served goes on.", "index list {}"),
    "parse": ("the job parse_files failed. Nothing was forgotten of what was read of files.", "file retry {}"),
    "check_installation": ("the nightly check of the schema and of all workspaces failed.", "doctor"),
    "back_up": ("the nightly backup failed, or what was restored of it is not equal to what was backed up.", "doctor"),
    "ship_changes": (
        "the database's log of changes does not reach the place of backups. The server keeps a part of it meanwhile.",
        "doctor",
    ),
    "summarise_tickets": (
        "no summaries of tickets are made: the chat model fails. Syncs and searches go on.",
        "doctor",
    ),
    "maintenance": ("the nightly deleting of old records of runs failed. They pile up until it succeeds.", "doctor"),
}


def _of_run(run: FailedRun) -> Cause:
    if run.error == "BudgetReached":
        return Cause(
            "budget_reached", run.workspace, _BUDGET_TEXT, _budget_step(run.workspace), run.message, run_id=run.run_id
        )
    text, command = _OF_PURPOSE.get(run.purpose, (f"the job {run.purpose} failed.", "status {}"))
    step = f"arcana {'doctor' if run.error in _OF_THE_INSTALLATION else command.format(run.workspace)}"
    return Cause("failed_run", run.workspace, text, step, run.message, run.purpose, run.run_id)


_BUDGET_TEXT = "the monthly limit for embeddings is reached. What is new waits; readers keep what was published."


def _budget_step(slug: str) -> str:
    return f"arcana workspace budget {slug}"


def _incomplete_listing(slug: str, facts: Mapping[str, Any]) -> Cause:
    mode = facts["mode"]
    return Cause(
        "incomplete_listing",
        slug,
        f"the source's last {mode} listing was cut short. Nothing was removed, and pages may be missing.",
        f"arcana sync {slug} --mode {'audit' if mode == 'audit' else 'full'}",
        facts["problem"] or "",
    )


def _waiting_removals(slug: str, facts: Mapping[str, Any]) -> Cause:
    pages = facts["pages"]
    return Cause(
        "waiting_removals",
        slug,
        f"{pages} pages are gone from the source, too many to remove without confirmation. Check that the connection "
        "still sees everything; if they are really gone, allow it.",
        removal_command(slug, facts["mode"], pages),
        _some_of(facts["titles"], pages),
    )


def _some_of(titles: Sequence[str | None], pages: int) -> str:
    """The titles, and how many pages more there are; empty where there is no title."""
    named = ", ".join(shorten(title or "Untitled", MOST_TITLE) for title in titles)
    more = pages - len(titles)
    return f"{named}, and {more} more" if named and more > 0 else named


def _quarantine_growing(slug: str, facts: Mapping[str, Any]) -> Cause:
    titles = ", ".join(shorten(title or "Untitled", MOST_TITLE) for title in facts["titles"])
    return Cause(
        "quarantine_growing",
        slug,
        f"{facts['pages']} pages cannot be read, {facts['before']} a day ago. Readers keep their last version.",
        f"arcana status {slug}, then arcana retry {slug}",
        f"{titles}: {facts['reason'] or 'no reason given'}",
    )


def _files_unread(slug: str, facts: Mapping[str, Any]) -> Cause:
    names = ", ".join(shorten(name, MOST_TITLE) for name in facts["names"])
    return Cause(
        "files_unread",
        slug,
        f"{facts['files']} files could not be had or read and are not tried again, or have waited for an hour. "
        "What was read of them before is still found.",
        f"arcana doctor, then arcana file retry {slug}",
        f"{names}: {facts['reason'] or 'stored, and not read'}",
    )


def _source_unreachable(slug: str, facts: Mapping[str, Any]) -> Cause:
    return Cause(
        "source_unreachable",
        slug,
        f"the source could not be asked {facts['failures']} times in a row. Changes are not seen meanwhile.",
        f"arcana sync {slug}",
        facts["problem"] or "",
    )


def _budget_reached(slug: str, facts: Mapping[str, Any]) -> Cause:
    spent = f"{facts['spent']:.4f} of {facts['limit']} USD are spent"
    return Cause("budget_reached", slug, _BUDGET_TEXT, _budget_step(slug), spent)


def _stale(slug: str, facts: Mapping[str, Any]) -> Cause:
    return Cause(
        "stale",
        slug,
        f"nothing has compared the index with its source for {facts['hours']} hours.",
        f"arcana sync {slug}",
    )


def _unknown_topic(slug: str, facts: Mapping[str, Any]) -> Cause:
    path, version = spell_path(tuple(facts["labels"])), facts["version"]
    return Cause(
        "unknown_topic",
        slug,
        f"documents bring the topic '{shorten(path, MOST_PATH)}', which version {version} of the taxonomy does not "
        f"have, {facts['times']} of them. They are found, and not by it.",
        f"arcana taxonomy status {slug}",
        ", ".join(shorten(title or "Untitled", MOST_TITLE) for title in facts["titles"] or ()),
        subject=f"{version} {facts['key']}",
    )


def _unknown_topics(slug: str, facts: Mapping[str, Any]) -> Cause:
    return Cause(
        "unknown_topics",
        slug,
        f"documents bring {facts['more']} more topics that version {facts['version']} of the taxonomy does not have.",
        f"arcana taxonomy status {slug}",
        subject=facts["version"],
    )


def _target_behind(slug: str, facts: Mapping[str, Any]) -> Cause:
    target = facts["target"]
    return Cause(
        "target_behind",
        slug,
        f"the target '{target}' is not up to date: {facts['waiting']} documents wait for it, the first for "
        f"{facts['minutes']} minutes. Searches are not affected; programs that read it find what was there before.",
        f"arcana target list {slug}, then arcana doctor",
        facts["problem"] or "",
        subject=target,
    )


def _target_refuses(slug: str, facts: Mapping[str, Any]) -> Cause:
    target = facts["target"]
    return Cause(
        "target_refuses",
        slug,
        f"the target '{target}' refuses {facts['parked']} documents, which are not in it as they are published.",
        f"arcana target verify {slug} {target}",
        facts["reason"] or "",
        subject=target,
    )


def _target_wiped(slug: str, facts: Mapping[str, Any]) -> Cause | None:
    target, location = facts["target"], facts["location"]
    if facts["is_made_anew"]:
        what = "had lost what it held, and is filled again"
    elif is_gone(location):
        what = f"has lost what it held: {location} is not there any more. Dagster's daemon fills it again"
    else:
        return None
    return Cause(
        "target_wiped",
        slug,
        f"the target '{target}' {what}. Searches are not affected; programs that read it find nothing, or not all, "
        "until then.",
        f"arcana target list {slug}, then arcana target verify {slug} {target}",
        facts["problem"] or "",
        subject=target,
    )


_CAUSES: Mapping[str, Callable[[str, Mapping[str, Any]], Cause | None]] = {
    "incomplete_listing": _incomplete_listing,
    "waiting_removals": _waiting_removals,
    "quarantine_growing": _quarantine_growing,
    "files_unread": _files_unread,
    "source_unreachable": _source_unreachable,
    "budget_reached": _budget_reached,
    "stale": _stale,
    "unknown_topic": _unknown_topic,
    "unknown_topics": _unknown_topics,
    "target_behind": _target_behind,
    "target_refuses": _target_refuses,
    "target_wiped": _target_wiped,
}
