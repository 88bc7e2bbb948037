"""Sweeps: everything is listed once more, a request now and then, so that absence is seen sooner than by the audit.

A sweep belongs to the look that the change sensor takes at a workspace. It takes a small share of its token's requests
(`SWEEP_SHARE`), and its place is a row of the database: another process, or the same one after a crash, goes on there.
It lists the pages, then the rows of containers that this has not shown, then looks directly at what is still missing.
What is gone then is handed to the next sync, which proves it as ever (`ledger.removal`).

A listing that was cut short, refused or contradicted by those looks proves nothing, and another sweep begins anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import find, scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import (
    AnswerUnusable,
    PageRejected,
    PageUnavailable,
    SourceError,
    SourcePaused,
    SourceUnavailable,
    TokenRevoked,
)
from arcana_pipelines.ledger import pages
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.ledger.removal import is_below_trash
from arcana_pipelines.sources.protocol import Mode, Presence, Shown, Source
from arcana_pipelines.workspaces.workspaces import Workspace

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# A small workspace is listed in a few requests; oftener than this is of no use.
LEAST_INTERVAL = timedelta(minutes=15)
# After sweeps that proved nothing the next one waits twice as long each time, so long at most.
LONGEST_PAUSE = timedelta(hours=6)
# Of one look at a workspace: it must not hold up the others.
MOST_REQUESTS = 10
LONGEST_SECONDS = 5.0
# Answers in a row without a page that was not shown before, after which a listing is taken to have no end.
MOST_IDLE = 10
# Failures in a row at one place, after which a sweep begins anew, or a page is passed over.
MOST_FAILURES = 10
MOST_FAILED_LOOKS = 3
# After so many looks at pages that were not shown, all others are taken to be gone as well if half of these are.
ENOUGH_LOOKS = 20
# When so many were looked at (and more than the listing had answers) and others are left, most of them being there, the
# listing is not what it says.
MOST_LOOKS = 50
# Notion's, for a token that nothing limits.
DEFAULT_PER_MINUTE = 180


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep that is under way, when it has its turn.

    Attributes:
        workspace_id: of the workspace that is swept.
        began_at: aware; it tells sweeps of a workspace apart.
        generation: the newest sync when it began.
        stage: `pages`, `rows` (of a container) or `looks` (at single pages).
        container: whose rows are listed, or were last.
        place: where the listing goes on (see `Shown`).
        answers: noted so far.
        looks: noted so far.
        failures: in a row, at this place.
    """

    workspace_id: UUID
    began_at: datetime
    generation: int
    stage: str
    container: str | None
    place: str | None
    answers: int
    looks: int
    failures: int

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that most of its statements need."""
        return {
            "workspace_id": self.workspace_id,
            "began_at": self.began_at,
            "answers": self.answers,
            "looks": self.looks,
        }


def take_turn(database: Database, workspace: Workspace, source: Source) -> None:
    """Ask what a workspace's sweep may ask now: nothing, one request, or a few.

    Whatever goes wrong is written into its row or left for the next turn. No connection is held while the source is
    asked.

    Raises:
        TokenRevoked: the source does not accept the token any more.
    """
    share = database.settings.sweep_share
    if not share or not source.capabilities.sweeps or workspace.source_cursor is None:
        return
    if source.credential() != workspace.credential_hash:
        return  # whose token this is, is for a sync to find out
    ends = time.monotonic() + LONGEST_SECONDS
    for _ in range(MOST_REQUESTS):
        with database.connection() as connection:
            sweep = _taken(connection, workspace.workspace_id, share)
        if sweep is None or not _asked(database, source, sweep) or time.monotonic() > ends:
            return


def _taken(connection: Connection, workspace_id: UUID, share: float) -> Sweep | None:
    """The sweep, where it may send one request now. A new one begins where none is under way."""
    key = {"workspace_id": workspace_id}
    # Most looks come too soon, and there are many of them.
    if scalar(connection, "SELECT next_at > now() FROM source_sweep WHERE workspace_id = %(workspace_id)s", key):
        return None
    with connection.transaction():
        connection.execute(
            "INSERT INTO source_sweep (workspace_id) VALUES (%(workspace_id)s) ON CONFLICT DO NOTHING", key
        )
        connection.execute(load_sql("sweep_begin"), key)
        pace = {**key, "share": share, "default_per_minute": DEFAULT_PER_MINUTE}
        return find(connection, Sweep, load_sql("sweep_take"), pace)


def _asked(database: Database, source: Source, sweep: Sweep) -> bool:
    """Send one request and note what it said; False: this turn is over."""
    step = _look if sweep.stage == "looks" else _list
    try:
        note = step(database, source, sweep)
    except TokenRevoked:
        raise
    except SourcePaused:
        return False  # others use the token up; the place holds
    except SourceError as error:
        note = _failed(sweep, error)
    with database.connection() as connection, connection.transaction():
        return note(connection)


Note = Callable[[Connection], bool]


def _list(database: Database, source: Source, sweep: Sweep) -> Note:
    try:
        shown = source.sweep(sweep.container if sweep.stage == "rows" else None, sweep.place)
    except PageUnavailable:
        if sweep.stage == "pages":
            raise
        shown = Shown((), None)  # looks say what has become of the rows of a container that is not there
    return lambda connection: _noted(connection, sweep, shown)


def _noted(connection: Connection, sweep: Sweep, shown: Shown) -> bool:
    answer = {**sweep.params, "ids": list(shown.ids), "place": shown.place}
    idle = scalar(connection, load_sql("sweep_note"), answer)
    if idle is None:
        return False  # another process has had this answer
    if shown.place is None:
        return _listed(connection, sweep)
    if idle >= MOST_IDLE:
        return _in_vain(connection, sweep, "the listing says that there is more and more, and shows nothing new")
    return True


def _listed(connection: Connection, sweep: Sweep) -> bool:
    """A listing has ended: what comes next?"""
    showed_any = scalar(
        connection,
        "SELECT EXISTS (SELECT 1 FROM source_sweep_answer WHERE workspace_id = %(workspace_id)s AND ids <> '{}')",
        sweep.params,
    )
    held = scalar(connection, _of_unseen("SELECT EXISTS (SELECT 1 FROM unseen)"), sweep.params)
    if held and not showed_any and sweep.stage == "pages":
        # An empty listing is a failure of the source's until a person says otherwise; the audit tells people.
        return _in_vain(connection, sweep, "no page at all was listed")
    after = sweep.container if sweep.stage == "rows" else None
    container = scalar(connection, _of_unseen(load_sql("sweep_container")), {**sweep.params, "after": after})
    connection.execute(
        "UPDATE source_sweep SET stage = %s, container = %s, place = NULL, idle = 0 WHERE workspace_id = %s",
        ["rows" if container else "looks", container, sweep.workspace_id],
    )
    return True if container else _go_on_looking(connection, sweep)


def _go_on_looking(connection: Connection, sweep: Sweep) -> bool:
    if scalar(connection, _of_unseen("SELECT EXISTS (SELECT 1 FROM unseen)"), sweep.params):
        return True
    connection.execute(
        load_sql("sweep_whole"),
        {"workspace_id": sweep.workspace_id, "least_seconds": LEAST_INTERVAL.total_seconds()},
    )
    return False


def _look(database: Database, source: Source, sweep: Sweep) -> Note:
    """Look directly at one page that nothing has shown."""
    with database.connection() as connection:
        page = scalar(
            connection, _of_unseen("SELECT external_id FROM unseen ORDER BY external_id LIMIT 1"), sweep.params
        )
    if page is None:  # a sync has found the last ones meanwhile
        return lambda connection: _go_on_looking(connection, sweep)
    presence, ref = source.confirm(page)
    if presence is Presence.UNKNOWN and sweep.failures + 1 < MOST_FAILED_LOOKS:
        raise SourceUnavailable(f"page {page} could not be looked at")

    def note(connection: Connection) -> bool:
        # One that cannot be looked at may be there.
        is_gone = presence in (Presence.GONE, Presence.TRASHED)
        if presence is Presence.ARCHIVED:
            # No later sweep asks for it again.
            pages.mark_archived(connection, sweep.workspace_id, [page])
        if presence is Presence.ALIVE and ref is not None:
            # What lies below a page in the trash says of itself that it is there.
            generation = Generation(sweep.workspace_id, sweep.generation, Mode.INCREMENTAL)
            is_gone = is_below_trash(connection, generation, ref)
        return _looked(connection, sweep, page, is_gone)

    return note


def _looked(connection: Connection, sweep: Sweep, page: str, is_gone: bool) -> bool:
    look = {**sweep.params, "page": page, "is_gone": is_gone}
    row = connection.execute(load_sql("sweep_look"), look).fetchone()
    if row is None:
        return False
    looks, gone, answers = row
    if looks >= ENOUGH_LOOKS and 2 * gone >= looks:
        connection.execute(_of_unseen(load_sql("sweep_rest")), sweep.params)
    is_whole = not _go_on_looking(connection, sweep)
    if not is_whole and looks >= max(MOST_LOOKS, answers):
        return _in_vain(connection, sweep, f"most of {looks} pages that were not listed are there")
    return not is_whole


def _failed(sweep: Sweep, error: SourceError) -> Note:
    """Begin anew where the listing is refused or cannot be used; else the place holds for the next turn."""
    log.info("the sweep of workspace %s: %s", sweep.workspace_id, error)

    def note(connection: Connection) -> bool:
        is_over = isinstance(error, AnswerUnusable | PageRejected | PageUnavailable)
        if is_over or sweep.failures + 1 >= MOST_FAILURES:
            return _in_vain(connection, sweep, str(error))
        connection.execute(
            "UPDATE source_sweep SET failures = failures + 1 "
            "WHERE workspace_id = %(workspace_id)s AND began_at = %(began_at)s",
            sweep.params,
        )
        return False

    return note


def _in_vain(connection: Connection, sweep: Sweep, problem: str) -> bool:
    """This sweep has proven nothing."""
    connection.execute(
        load_sql("sweep_in_vain"),
        {
            **sweep.params,
            "problem": problem,
            "least_seconds": LEAST_INTERVAL.total_seconds(),
            "most_seconds": LONGEST_PAUSE.total_seconds(),
        },
    )
    return False


def _of_unseen(statement: LiteralString) -> LiteralString:
    return f"WITH unseen AS ({load_sql('sweep_unseen')}) {statement}"
