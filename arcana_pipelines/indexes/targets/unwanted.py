"""Collections that nobody wants any more: dropped in their stores as soon as those answer.

Of an embedded store in a directory of ours the last collection takes its files along. What somebody chose as a
location is emptied, and stays: other things may lie there.
"""

from __future__ import annotations

import logging
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import rows, scalar
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.errors import ArcanaError, CollectionMissing, TargetUnreachable
from arcana_pipelines.indexes.targets.embedded import EmbeddedLock
from arcana_pipelines.indexes.targets.registry import OWN_FOLDER, is_embedded, open_store

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# What SQLite and our locks keep beside a file.
BESIDE = ("-wal", "-shm", "-journal", ".lock")


@dataclass(frozen=True, slots=True)
class Place:
    """A store that has collections which nobody wants.

    Attributes:
        kind: see `Target`.
        location: see `Target`.
        collections: their names.
    """

    kind: str
    location: str
    collections: list[str]


def due_places(connection: Connection) -> list[Place]:
    """The stores that may be tried now."""
    return rows(connection, Place, load_sql("due_places"))


def drop_unwanted(database: Database, place: Place) -> int:
    """Drop these collections in their store; returns how many it has no more. What fails is noted, and tried later."""
    key = {"kind": place.kind, "location": place.location}
    done: list[str] = []
    try:
        if is_embedded(place.location) and not Path(place.location).exists():
            done += place.collections
        else:
            with open_store(database.settings, place.kind, place.location) as store:
                for collection in place.collections:
                    with suppress(CollectionMissing):
                        store.drop(collection)
                    done.append(collection)
    except Exception as error:  # whatever a library raises, it is asked again later
        said = str(error) if isinstance(error, ArcanaError) else f"{type(error).__name__}: {error}"
        log.warning("collections at %s cannot be dropped yet: %s", place.location, said)
        with database.connection() as connection, connection.transaction():
            connection.execute(load_sql("note_not_dropped"), {**key, "error": said})
    with database.connection() as connection, connection.transaction():
        connection.execute(load_sql("forget_dropped"), {**key, "collections": done})
        is_left = scalar(connection, load_sql("is_used"), key)
    if done and not is_left:
        _delete_files(database, place)
    return len(done)


# A library that serves a store in a thread of its own may still write to it when it says that it has ended.
@retry(retry=retry_if_exception_type(OSError), stop=stop_after_attempt(5), wait=wait_fixed(0.5), reraise=True)
def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _delete_files(database: Database, place: Place) -> None:
    """Delete an embedded store of which no collection is left, where its place is one that we chose."""
    path = Path(place.location)
    if not is_embedded(place.location) or path.parent.name != OWN_FOLDER or path.is_symlink():
        return
    if not path.is_relative_to(database.settings.storage_root.absolute()):
        return
    try:
        with EmbeddedLock(path).exclusive():
            for each in (path, *(path.with_name(path.name + suffix) for suffix in BESIDE)):
                _delete(each)
    except (OSError, TargetUnreachable) as error:
        log.warning("%s holds nothing any more, and could not be deleted: %s", path, error)
