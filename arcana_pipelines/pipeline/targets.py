"""The stage `index_targets`: deliver to the targets of a workspace's indexes what they do not have yet."""

from __future__ import annotations

from uuid import UUID

from arcana_pipelines.db.engine import Database
from arcana_pipelines.indexes.targets.delivery import Delivery, deliver
from arcana_pipelines.indexes.targets.targets import targets_of

# A sync waits for targets that answer. One that is slow gets what is left from who follows the publishes.
SECONDS = 600.0


def deliver_all(database: Database, workspace_id: UUID, seconds: float = SECONDS) -> list[Delivery]:
    """Deliver to every target of a workspace that is not paused, one after the other.

    What fails is told in the reports and noted on the targets: nothing that is published depends on a target.
    """
    with database.connection() as connection:
        targets = [target for target in targets_of(connection, workspace_id) if not target.is_paused]
    return [deliver(database, target, seconds=seconds) for target in targets]
