"""Who is told of which alert: a row for each alert and receiver, so that one that fails delays none of the others."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from psycopg.rows import class_row

from arcana_pipelines.alert_routes import Route, leads_to
from arcana_pipelines.alerts.message import shorten
from arcana_pipelines.alerts.protocol import Alert, NotDelivered, Receiver, Unanswered
from arcana_pipelines.alerts.records import open_alerts
from arcana_pipelines.alerts.severity import severity_of
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import rows
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import ArcanaError

load_sql = statements_beside(__file__)

MOST_PROBLEM = 300


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of an alert at a receiver.

    Attributes:
        alert_id: the key of the alert.
        receiver: its name.
        told_at: when it took it; aware. None: it has not yet.
        unanswered_at: when it was last sent it and did not answer; aware. None: it never was.
        problem: why the last attempt failed; empty where none did.
    """

    alert_id: int
    receiver: str
    told_at: datetime | None
    unanswered_at: datetime | None
    problem: str


def plan(connection: Connection, receivers: Collection[str], routes: Sequence[Route]) -> None:
    """Note who is to be told of each open alert, by the routes as they are now; without routes everybody is.

    Who was told of an alert is told its end, whatever the routes say since.
    """
    wanted = [
        {"alert_id": alert.alert_id, "receiver": name}
        for alert in open_alerts(connection)
        for name in receivers
        if leads_to(routes, name, severity_of(alert.cause), alert.workspace)
    ]
    connection.execute(load_sql("alert_plan"), {"wanted": json.dumps(wanted)})


def tell_all(database: Database, receivers: Sequence[Receiver], seconds: float) -> list[str]:
    """Tell each receiver what it is to be told, all at once; what is left after so many seconds waits.

    Returns:
        a sentence for each receiver: how many it was told, and what went wrong.
    """
    if not receivers:
        return []
    with ThreadPoolExecutor(len(receivers)) as pool:
        return list(pool.map(partial(_tell_one, database, seconds), receivers))


def _tell_one(database: Database, seconds: float, receiver: Receiver) -> str:
    started, told = time.monotonic(), 0
    try:
        with database.connection() as connection:
            while time.monotonic() - started < seconds and tell(connection, receiver):
                told += 1
    except ArcanaError as error:
        return f"{receiver.name}: {told} told. {error}"
    return f"{receiver.name}: {told} told."


def tell(connection: Connection, receiver: Receiver) -> bool:
    """Send a receiver the next alert that it is to be told; False when there is none.

    The row of the delivery is locked meanwhile, so that no other process sends it. One that was sent without an answer
    waits: it most likely arrived, and a slow receiver is not to get it at every tick. One that was refused is tried
    again after the others.

    Raises:
        NotDelivered: it was not taken, and stays untold.
        Unanswered: it was sent, and whether it arrived is not known.
    """
    with connection.transaction(), connection.cursor(row_factory=class_row(Alert)) as cursor:
        cursor.execute(load_sql("alert_to_tell"), {"receiver": receiver.name})
        alert = cursor.fetchone()
        if alert is None:
            return False
        column = "told_at" if alert.resolved_at is None else "resolved_told_at"
        trouble: NotDelivered | Unanswered | None = None
        try:
            receiver.send(alert)
        except Unanswered as error:
            trouble, column = error, "unanswered_at"
        except NotDelivered as error:
            trouble, column = error, "failed_at"
        # now() is when the transaction began: before an end that is found while the receiver is silent.
        cursor.execute(
            f"UPDATE alert_delivery SET {column} = now(), problem = %s WHERE alert_id = %s AND receiver = %s",
            [shorten(str(trouble or ""), MOST_PROBLEM), alert.alert_id, receiver.name],
        )
    if trouble is not None:
        raise trouble
    return True


def deliveries(connection: Connection) -> dict[int, list[Delivery]]:
    """What became of each open alert, by its id."""
    found: dict[int, list[Delivery]] = defaultdict(list)
    for each in rows(
        connection,
        Delivery,
        "SELECT alert_id, receiver, d.told_at, d.unanswered_at, d.problem FROM alert_delivery d "
        "JOIN alert a USING (alert_id) WHERE a.resolved_at IS NULL ORDER BY alert_id, receiver",
    ):
        found[each.alert_id].append(each)
    return found
