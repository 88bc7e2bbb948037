"""The table `alert`: one row for each cause while it lasts.

What was not looked for at an evaluation is left as it is.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from arcana_pipelines.alerts.message import shorten
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import rows
from arcana_pipelines.db.statements import statements_beside

if TYPE_CHECKING:
    from arcana_pipelines.alerts.causes import Cause

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

MOST_DETAIL = 500


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that is not resolved: a row of the table `alert`. For the other fields see `Cause`.

    Attributes:
        alert_id: the key of its row.
        detail: what others said of it, at most `MOST_DETAIL` characters on one line.
        run_id: of the newest run in Dagster that shows it; None where no run does.
        since: when an evaluation first saw it; aware.
    """

    alert_id: int
    cause: str
    workspace: str
    subject: str
    text: str
    detail: str
    next_step: str
    run_id: str | None
    since: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        """As that of `Cause`."""
        return self.cause, self.workspace, self.subject


def open_alerts(connection: Connection) -> list[OpenAlert]:
    """Every alert that is not resolved, the oldest first."""
    return rows(
        connection,
        OpenAlert,
        "SELECT alert_id, cause, workspace, subject, text, detail, next_step, run_id, since FROM alert "
        "WHERE resolved_at IS NULL ORDER BY since, alert_id",
    )


def failed_known(connection: Connection) -> dict[tuple[str, str], str]:
    """(workspace, purpose) to run id of the failed runs that are on record."""
    return {
        (alert.workspace, alert.subject): alert.run_id
        for alert in open_alerts(connection)
        if alert.cause == "failed_run" and alert.run_id
    }


def record(connection: Connection, causes: Sequence[Cause], looked_at: Collection[str], retention_days: int) -> None:
    """Bring the table up to date: new causes get a row, those that were looked for and are gone are resolved."""
    as_json = json.dumps([{**asdict(cause), "detail": shorten(cause.detail, MOST_DETAIL)} for cause in causes])
    with connection.transaction():
        new = connection.execute(
            load_sql("alert_record"), {"found": as_json, "looked_at": sorted(looked_at)}
        ).fetchall()
        connection.execute("DELETE FROM alert WHERE resolved_at < now() - make_interval(days => %s)", [retention_days])
    for name, workspace, text, detail in new:
        log.error("alert %s, %s: %s %s", name, workspace or "this installation", text, detail)
