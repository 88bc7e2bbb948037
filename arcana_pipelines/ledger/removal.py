"""Absence, proven: suspect, confirmed by direct looks, tombstoned. Nothing is removed on an error.

A page is removed when it is in the trash, when it lies below a page that is (and nothing says it moved), or
when as many syncs as the source demands found it gone (`Capabilities.absences_needed`). More removals at once than
the blast cap allows wait for a person.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from arcana_pipelines.audit.record import record
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.ledger import pages
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.sources.protocol import Listing, Mode, PageRef, Presence, Source

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# More than this many pages, and more than this share of the workspace, are not removed in one generation
# without a person's word.
CAP_PAGES = 50
CAP_SHARE = 0.20

# Sources archive what nobody has touched for longer than that.
ARCHIVED_AFTER = timedelta(days=100)

BELOW_TRASH = "below a page in the trash"  # also written by removal_trashed.sql
# What rows have as their parents.
_HOLDERS = ("data_source", "database")


@dataclass(frozen=True, slots=True)
class Above:
    """A page or database above others, as a direct look has told.

    Attributes:
        external_id: its own.
        parent_kind: see `PageRef`.
        parent_id: likewise.
        in_trash: it is, or it lies in a block that is deleted.
    """

    external_id: str
    parent_kind: str
    parent_id: str | None
    in_trash: bool


@dataclass(frozen=True, slots=True)
class Removal:
    """What was removed, how many removals wait for a person, and how many pages a direct look found alive.

    Attributes:
        removed: pages.
        waiting: pages.
        alive: pages.
    """

    removed: int = 0
    waiting: int = 0
    alive: int = 0


def remove_absent(
    connection: Connection,
    generation: Generation,
    source: Source,
    listing: Listing,
    allow_removals: int,
) -> Removal:
    """Find out which pages are gone and tombstone them; bring back those that are not.

    Raises:
        TokenRevoked: the token stopped working; nothing was removed.
    """
    with connection.transaction():
        if listing.complete and shows_everything(source, generation.mode):
            connection.execute(load_sql("removal_missing"), generation.params)
        connection.execute(load_sql("removal_swept"), generation.params)
        if listing.trash:
            connection.execute(load_sql("removal_trashed"), {**generation.params, "ids": list(listing.trash)})
    alive = _bring_back(connection, generation, source, listing)
    proven, kept = _proven(connection, generation, source, listing)
    alive += kept
    if not proven:
        return Removal(alive=alive)
    cap = max(CAP_PAGES, int(CAP_SHARE * pages.count_held(connection, generation)))
    if len(proven) > cap and len(proven) > allow_removals:
        log.warning(
            "%d pages are gone, more than the %d that are removed without a person's word; none was removed. "
            "Check that the connection still sees everything, then allow it with --allow-removals %d",
            len(proven), cap, len(proven),
        )  # fmt: skip
        return Removal(waiting=len(proven), alive=alive)
    with connection.transaction():
        connection.execute(load_sql("removal_tombstone"), {**generation.params, "ids": proven})
        if allow_removals:
            record(
                connection, None, "removals.allowed", f"generation {generation.number}",
                workspace_id=generation.workspace_id, details={"allowed": allow_removals, "removed": len(proven)},
            )  # fmt: skip
    return Removal(removed=len(proven), alive=alive)


def shows_everything(source: Source, mode: Mode) -> bool:
    """True where a complete listing in this mode misses what is gone."""
    return source.capabilities.lists_everything or mode is not Mode.INCREMENTAL


def _proven(connection: Connection, generation: Generation, source: Source, listing: Listing) -> tuple[list[str], int]:
    """Look at every suspect directly, except those that are listed in the trash now.

    Returns those whose absence is proven, and how many are alive.
    """
    trash: Set[str] = listing.trash or set()
    suspects = scalars(
        connection,
        "SELECT external_id FROM source_page "
        "WHERE workspace_id = %s AND state = 'suspect' AND NOT is_container ORDER BY external_id",
        [generation.workspace_id],
    )
    # That an interrupted sync saw it there is no proof: it may have been restored since.
    trashed = [external_id for external_id in suspects if external_id in trash]
    gone: list[str] = []
    looks = [(external_id, *source.confirm(external_id)) for external_id in suspects if external_id not in trash]
    answered = [(presence, ref) for _, presence, ref in looks if presence.is_there and ref is not None]
    # Nothing is removed on an error.
    unseen = learn_what_is_above(connection, generation, source, looks, is_sure=False)
    with connection.transaction():
        hidden = [external_id for external_id, presence, ref in looks if presence is Presence.ARCHIVED and ref is None]
        archived = _archived_unseen(connection, generation, hidden, listing.source_time)
        for external_id, presence, ref in looks:
            if presence is Presence.TRASHED and ref is not None:
                # A page in a deleted block is in no trash by itself, and no listing of the trash will ever show it.
                if ref.in_trash:
                    _mark_trashed(connection, generation, external_id)
                else:
                    _mark_below_trash(connection, generation, external_id)
                trashed.append(external_id)
            elif presence is Presence.GONE or (external_id in hidden and external_id not in archived):
                misses = _count_miss(connection, generation, external_id)
                # Also below a trashed page: it may have been moved away from there.
                if misses >= source.capabilities.absences_needed:
                    gone.append(external_id)
        alive: list[tuple[Presence, PageRef]] = []
        for presence, ref in answered:
            # A page below a trashed one is not listed any more, but says `in_trash: false` of itself.
            if is_below_trash(connection, generation, ref, trashed, unseen):
                _mark_below_trash(connection, generation, ref.external_id)
                trashed.append(ref.external_id)
            else:
                alive.append((presence, ref))
        pages.record_looks(connection, generation, alive)
    return trashed + gone, len(alive) + len(archived)


def learn_what_is_above(
    connection: Connection,
    generation: Generation,
    source: Source,
    looks: Sequence[tuple[str, Presence, PageRef | None]],
    *,
    is_sure: bool,
) -> list[Above]:
    """Write down what direct looks tell of parents and databases, before any page is judged by what is above it.

    Returns what is above those that are there and stands in no ledger, or is gone there and not for the trash, each
    looked at now. It may have been made, and trashed with all that is below it, between two listings; or it was in the
    trash of a page that was hidden, and is shown again. Of one that cannot be looked at nothing is known: it counts as
    trashed where that has to be `is_sure` not to be so.
    """
    there = [ref for _, presence, ref in looks if presence.is_there and ref is not None]
    with connection.transaction():
        _know_parents(connection, generation, [ref for _, _, ref in looks if ref is not None])
    found = {ref.external_id: _above(ref, ref.in_trash) for ref in there}
    unseen: dict[str, Above | None] = {}
    above = list(found.values())
    while above:
        unknown = _learn_databases(connection, generation, source, above)
        if is_sure:
            unseen |= {database: Above(database, "page", None, in_trash=True) for database in unknown}
        held = [each for each in above if each.parent_id and each.parent_kind != "block"]
        key = {
            "workspace_id": generation.workspace_id,
            "parents": [each.parent_id for each in held],
            "are_pages": [each.parent_kind == "page" for each in held],
        }
        new = [page for page in scalars(connection, load_sql("removal_unseen"), key) if page not in unseen]
        unseen |= {page: found[page] if page in found else _looked_at(source, page, is_sure) for page in new}
        above = [each for page in new if (each := unseen[page]) is not None]
    return [each for each in unseen.values() if each is not None]


def _learn_databases(
    connection: Connection, generation: Generation, source: Source, rows: Sequence[Above]
) -> list[str]:
    """Ask for databases of these rows that no listing of this generation has shown: a trashed one takes them along.

    Returns those that could not be looked at, and that the ledger does not know either.
    """
    if not source.capabilities.has_containers:
        return []
    parents = {row.parent_id for row in rows if row.parent_id and row.parent_kind in _HOLDERS}
    looks = [(each, *source.container(each)) for each in pages.not_seen(connection, generation, sorted(parents))]
    told = [ref for _, _, ref in looks if ref is not None]
    if told:
        with connection.transaction():
            pages.record(connection, generation, told)
    failed = [each for each, presence, _ in looks if presence is Presence.UNKNOWN]
    return pages.not_known(connection, generation.workspace_id, failed)


def is_below_trash(
    connection: Connection,
    generation: Generation,
    ref: PageRef,
    trashed: Sequence[str] = (),
    unseen: Sequence[Above] = (),
) -> bool:
    """True when a page or database above the page goes with the trash, counted from the parent it has now.

    `trashed` are pages that are about to; `unseen` is what `learn_what_is_above` found.
    """
    key = {
        **generation.params,
        "parent": ref.parent_id,
        "trashed": list(trashed),
        "unseen": [above.external_id for above in unseen],
        "unseen_parents": [above.parent_id for above in unseen],
        "unseen_in_trash": [above.in_trash for above in unseen],
    }
    return bool(scalar(connection, load_sql("removal_ancestors"), key))


def _looked_at(source: Source, page: str, is_sure: bool) -> Above | None:
    presence, ref = source.confirm(page)
    if ref is None:
        return Above(page, "page", None, in_trash=True) if is_sure and presence is Presence.UNKNOWN else None
    # In a deleted block it is in no trash by itself.
    return _above(ref, presence is Presence.TRASHED)


def _above(ref: PageRef, in_trash: bool) -> Above:
    return Above(ref.external_id, ref.parent_kind, ref.parent_id, in_trash)


def _bring_back(connection: Connection, generation: Generation, source: Source, listing: Listing) -> int:
    """Look at removed pages that may have been restored; those that are there are listed again."""
    trash = {
        **generation.params,
        "trash_known": listing.trash is not None,
        "trash": list(listing.trash or ()),
        "trash_since": listing.trash_since,
    }
    # That the trash does not show one proves nothing: its listing may be cut short, or be of pages alone.
    left = scalars(connection, load_sql("removal_restored_databases"), trash)
    looks = [(external_id, *source.container(external_id)) for external_id in left]
    restored = [ref for _, presence, ref in looks if presence.is_there and ref is not None]
    with connection.transaction():
        _forget_trash(connection, generation, [each for each, presence, _ in looks if presence is Presence.GONE])
        if restored:
            pages.record(connection, generation, restored)
        connection.execute(load_sql("removal_returned"), trash)
    alive = 0
    while returned := _look_at_returned(connection, generation, source):
        alive += returned
    return alive


def _look_at_returned(connection: Connection, generation: Generation, source: Source) -> int:
    """Look at the removed pages that are marked to be looked at; returns how many are there again."""
    returned = scalars(
        connection,
        "SELECT external_id FROM source_page WHERE workspace_id = %s AND state = 'tombstoned' "
        "AND next_attempt_at IS NOT NULL ORDER BY external_id",
        [generation.workspace_id],
    )
    looks = [(external_id, *source.confirm(external_id)) for external_id in returned]
    unseen = learn_what_is_above(connection, generation, source, looks, is_sure=True)
    alive: list[tuple[Presence, PageRef]] = []
    with connection.transaction():
        # First: what is below one of them is not below the trash.
        _forget_trash(
            connection,
            generation,
            [
                external_id for external_id, presence, ref in looks
                if presence is Presence.GONE or (presence is Presence.ARCHIVED and ref is None)
            ],
        )  # fmt: skip
        for external_id, presence, ref in looks:
            if presence.is_there and ref is not None:
                if is_below_trash(connection, generation, ref, unseen=unseen):
                    # It left the trash by itself, and something above it is still there: no more looks until that
                    # returns.
                    _mark_below_trash(connection, generation, external_id)
                else:
                    alive.append((presence, ref))
            elif presence is Presence.TRASHED and ref is not None:
                if ref.in_trash:
                    _mark_trashed(connection, generation, external_id)
                else:
                    _mark_below_trash(connection, generation, external_id)
        pages.record_looks(connection, generation, alive)
        if alive:
            # What lies below a page that came back may be back as well.
            nothing = {"trash_known": False, "trash": [], "trash_since": None}
            connection.execute(load_sql("removal_returned"), {**generation.params, **nothing})
    return len(alive)


def _archived_unseen(
    connection: Connection, generation: Generation, ids: Sequence[str], source_now: datetime | None
) -> set[str]:
    """Of pages that can be looked at no more, those that are old enough to be archived: they stay as they are."""
    if not ids:
        return set()
    key = {**generation.params, "ids": list(ids), "source_now": source_now, "archived_after": ARCHIVED_AFTER}
    return set(scalars(connection, load_sql("removal_archived"), key))


def _mark_trashed(connection: Connection, generation: Generation, external_id: str) -> None:
    connection.execute(
        "UPDATE source_page SET in_trash = true, reason = 'in the trash', next_attempt_at = NULL "
        "WHERE workspace_id = %s AND external_id = %s",
        [generation.workspace_id, external_id],
    )


def _mark_below_trash(connection: Connection, generation: Generation, external_id: str) -> None:
    connection.execute(
        "UPDATE source_page SET reason = %s, in_trash = false, next_attempt_at = NULL "
        "WHERE workspace_id = %s AND external_id = %s",
        [BELOW_TRASH, generation.workspace_id, external_id],
    )


def _know_parents(connection: Connection, generation: Generation, refs: Sequence[PageRef]) -> None:
    """Write down the parents that direct looks have told, before any of the pages is judged by what is above it: one
    may have moved, or stand in a block, of which a listing does not say what page that is on.
    """
    parents = {
        **generation.params,
        "ids": [ref.external_id for ref in refs],
        "kinds": [ref.parent_kind for ref in refs],
        "parents": [ref.parent_id for ref in refs],
    }
    connection.execute(load_sql("removal_parents"), parents)


def _count_miss(connection: Connection, generation: Generation, external_id: str) -> int:
    misses: int = scalar(
        connection,
        "UPDATE source_page SET attempts = attempts + 1, next_attempt_at = now() + %s "
        "WHERE workspace_id = %s AND external_id = %s RETURNING attempts",
        [pages.SECOND_LOOK, generation.workspace_id, external_id],
    )
    return misses


def _forget_trash(connection: Connection, generation: Generation, ids: Sequence[str]) -> None:
    """Pages and databases that left the trash for good are not looked at again."""
    if ids:
        connection.execute(
            "UPDATE source_page SET in_trash = false, reason = 'deleted for ever', next_attempt_at = NULL "
            "WHERE workspace_id = %s AND external_id = ANY(%s)",
            [generation.workspace_id, list(ids)],
        )
