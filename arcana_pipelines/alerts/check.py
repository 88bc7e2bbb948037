"""What `arcana status --check` tells a monitor: every cause that is open now, and one number for all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from arcana_pipelines.alerts.causes import Cause, FailedRun, find_causes
from arcana_pipelines.alerts.records import OpenAlert, open_alerts
from arcana_pipelines.alerts.severity import BROKEN, LEVELS, OF_OUR_ROWS
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.sources.registry import out_of_reach, platform_named
from arcana_pipelines.workspaces.workspaces import Workspace, list_all


@dataclass(frozen=True, slots=True)
class OpenCause:
    """A cause that is open now, as `arcana status --check` shows it.

    Attributes:
        cause: its kind, a key of `LEVELS`; `installation_unreachable` where nothing could be looked at, and
            `runs_not_started`, which nobody is told but who asks.
        workspace: the slug; empty where it is the installation's.
        text: what is wrong and what that means for readers, in our words.
        detail: what the source, the provider or the failed run said of it; empty where there is nothing.
        next_step: what a person does about it: a command, as a rule.
        run_id: of the run in Dagster that shows it; None where no run does.
        since: when the sensor first saw it; aware. None: it has not seen it yet, and this look is the first.
    """

    cause: str
    workspace: str
    text: str
    detail: str
    next_step: str
    run_id: str | None
    since: datetime | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "since": self.since.isoformat() if self.since else None}


def check(
    connection: Connection,
    monthly_budget: Decimal | None,
    failed: Iterable[FailedRun],
    runs_elsewhere: Collection[str] = (),
    slug: str | None = None,
    seen_here: Iterable[Cause] = (),
) -> list[OpenCause]:
    """Every open cause, found now in our rows; of one workspace (and the installation) with `slug`.

    What cannot be found in our rows is taken as the sensor recorded it: whether the embedding provider answers, how
    full the disk is, and the failures among `runs_elsewhere`, runs of a Dagster that this process does not see.
    `seen_here`: what this process sees of it, which counts, too: a full disk may keep the sensor from recording it.
    """
    recorded = {alert.key: alert for alert in open_alerts(connection)}
    now = {cause.key: cause for cause in find_causes(connection, monthly_budget, failed)}
    kept = {
        key: alert
        for key, alert in recorded.items()
        if alert.cause not in OF_OUR_ROWS or (alert.cause == "failed_run" and alert.run_id in runs_elsewhere)
    }
    for cause in (*_out_of_reach(connection), *seen_here):
        now.setdefault(cause.key, cause)
    open_now: dict[tuple[str, str, str], Cause | OpenAlert] = {**kept, **now}
    return [
        OpenCause(
            each.cause, each.workspace, each.text, each.detail, each.next_step, each.run_id,
            recorded[key].since if key in recorded else None,
        )
        for key, each in sorted(open_now.items(), key=lambda item: (item[0][1], item[0]))
        if slug is None or each.workspace in (slug, "")
    ]  # fmt: skip


def _out_of_reach(connection: Connection) -> Iterator[Cause]:
    """Exports that are not there: a command that finds none ends before there is a run that could fail."""
    for workspace in list_all(connection):
        problem = out_of_reach(workspace.platform, workspace.source_config)
        if problem is not None and workspace.status == "active":
            step = _next_step(workspace)
            text = "the source cannot be read. What was published stays; changes are not seen meanwhile."
            yield Cause("source_unreachable", workspace.slug, text, step, problem)


def _next_step(workspace: Workspace) -> str:
    platform = platform_named(workspace.platform)
    if platform is None:
        return "install the plug-in that brings it, then start arcana up or Dagster again"
    if platform.path_is is not None:
        return f"arcana workspace set {workspace.slug} --path …, or put it back"
    return f"arcana sync {workspace.slug}"


def level(causes: Sequence[OpenCause]) -> int:
    """0: nothing is open. 1: something is broken. 3: something waits for a person, or is incomplete or stale."""
    levels = {LEVELS.get(cause.cause, BROKEN) for cause in causes}
    return BROKEN if BROKEN in levels else max(levels, default=0)
