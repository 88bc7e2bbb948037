"""The ledger: every page a source ever listed, and what became of it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import keyset_pages, scalar, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.db.storable import each_alone, storable_json
from arcana_pipelines.documents.read_page import ReadPage
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.ledger import files
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.markdown.urls import without_signatures_in_markdown
from arcana_pipelines.sources.protocol import FetchedPage, PageRef, Presence

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)


# Notion rounds edit times down to the minute; a page read this long after its edit minute cannot have been
# edited again without its time showing it.
SETTLE = timedelta(minutes=2)
# Freshly edited pages are read again at every sync until they are settled. Where more than this many are not (an
# import is going on), each is read again only once, after it is settled.
FEW_UNSETTLED = 20
# So many pages that were edited last are read before all others.
NEWEST = 100
# After a page was found gone, a sync is asked for that looks a second time. A hiccup of the source is over by then.
SECOND_LOOK = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class PartialReason:
    """Pages that are incomplete for one reason.

    Attributes:
        reason: in words; ids and numbers are left out (`…`) where they differ from page to page.
        pages: how many.
        examples: five of them at most, each with `external_id`, `title`, `url` and its own `reason`.
    """

    reason: str
    pages: int
    examples: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class PartialPages:
    """Pages that the source gave only a part of.

    Attributes:
        pages: how many; one that has several reasons counts once.
        reasons: the twenty commonest, the commonest first.
    """

    pages: int
    reasons: tuple[PartialReason, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"pages": self.pages, "reasons": [asdict(reason) for reason in self.reasons]}


def record(
    connection: Connection,
    generation: Generation,
    refs: Sequence[PageRef],
    comes_with: Mapping[str, str] | None = None,
) -> None:
    """Write one batch of listed pages; those whose revision we lack become `pending`.

    `comes_with` names, by id, the page that each came with where no listing shows it. A source may list a page twice;
    the last one counts. One that cannot be understood or stored goes to quarantine, and what is known of it stays.
    """
    distinct = {ref.external_id: ref for ref in refs}.values()
    unclear = {ref.external_id: (ref, ref.problem) for ref in distinct if ref.problem}
    clear = [ref for ref in distinct if not ref.problem]
    for ref, reason in each_alone(
        connection, clear, lambda part: _record(connection, generation, part, comes_with or {})
    ):
        unclear[ref.external_id] = (ref, reason)
    if unclear:
        rows = [
            {
                "external_id": page,
                "kind": ref.kind,
                "is_container": ref.is_container,
                "is_internal": ref.is_internal,
                "comes_with": (comes_with or {}).get(page),
                "reason": why,
            }
            for page, (ref, why) in unclear.items()
        ]
        connection.execute(load_sql("pages_unclear"), {**generation.params, "pages": storable_json(rows)})


def _record(
    connection: Connection, generation: Generation, refs: Sequence[PageRef], comes_with: Mapping[str, str]
) -> None:
    titles = {ref.external_id: ref.title for ref in refs if ref.is_container}
    if titles:
        databases = [{"external_id": database, "title": title} for database, title in titles.items()]
        connection.execute(load_sql("pages_renamed"), {**generation.params, "databases": storable_json(databases)})
    pages = [
        {
            "external_id": ref.external_id,
            "kind": ref.kind,
            "is_container": ref.is_container,
            "parent_kind": ref.parent_kind,
            "parent_id": ref.parent_id,
            "title": ref.title,
            "url": ref.url,
            "properties": ref.properties,
            "revision": ref.revision,
            "last_edited_at": ref.last_edited_at.isoformat(),
            "editor_id": ref.editor_id,
            "editor_name": ref.editor_name,
            "in_trash": ref.in_trash,
            "metadata_hash": metadata_hash(ref),
            "is_internal": ref.is_internal,
            "record": ref.record,
            "comes_with": comes_with.get(ref.external_id),
        }
        for ref in refs
    ]
    connection.execute(load_sql("pages_record"), {**generation.params, "pages": storable_json(pages)})


def are_unchanged(connection: Connection, workspace_id: UUID, refs: Sequence[PageRef]) -> list[bool]:
    """For each reference: does the ledger already agree with it, so that there is nothing to do?

    A trashed page that we never indexed, or have already removed, is as unchanged as an indexed page in the
    listed revision.
    """
    rows = connection.execute(
        "SELECT external_id, state, revision, metadata_hash, in_trash FROM source_page "
        "WHERE workspace_id = %s AND external_id = ANY(%s)",
        [workspace_id, [ref.external_id for ref in refs]],
    ).fetchall()
    held = {row[0]: row[1:] for row in rows}
    orphaned = {ref.external_id for ref in unknown_trashed_databases(connection, workspace_id, refs)}

    def agrees(ref: PageRef) -> bool:
        state, revision, known, in_trash = held.get(ref.external_id, (None, None, None, False))
        if ref.external_id in orphaned:
            return False
        if ref.problem:  # nothing to compare; a sync has said so already, or will
            return bool(state == "quarantined")
        if ref.in_trash:
            return state in (None, "tombstoned") or (ref.is_container and in_trash)
        if state not in ("unchanged", "skipped") or revision != ref.revision:
            return False
        return known is not None and bytes(known).hex() == metadata_hash(ref)

    return [agrees(ref) for ref in refs]


def unknown_trashed_databases(connection: Connection, workspace_id: UUID, refs: Sequence[PageRef]) -> list[PageRef]:
    """Those of the references that are trashed databases, not in the ledger themselves but with rows that are."""
    databases = {ref.external_id: ref for ref in refs if ref.is_container and ref.in_trash}
    if not databases:
        return []
    rows = connection.execute(
        "SELECT DISTINCT p.parent_external_id FROM source_page p WHERE p.workspace_id = %(workspace_id)s "
        "AND p.parent_external_id = ANY(%(ids)s) AND p.state <> 'tombstoned' AND NOT EXISTS (SELECT 1 FROM "
        "source_page d WHERE d.workspace_id = p.workspace_id AND d.external_id = p.parent_external_id)",
        {"workspace_id": workspace_id, "ids": list(databases)},
    ).fetchall()
    return [databases[external_id] for (external_id,) in rows]


def to_fetch(connection: Connection, generation: Generation, source_now: datetime) -> list[str]:
    """The ids of the pages to read now, in the order in which they are read: the newest first."""
    unsettled = scalar(
        connection,
        "SELECT count(*) FROM source_page WHERE workspace_id = %s AND state = 'unchanged' AND NOT settled",
        [generation.workspace_id],
    )
    parameters = {
        "workspace_id": generation.workspace_id,
        "settled_before": source_now - SETTLE,
        "reread_unsettled": unsettled <= FEW_UNSETTLED,
        "newest": NEWEST,
    }
    return scalars(connection, load_sql("pages_to_fetch"), parameters)


def references(
    connection: Connection, generation: Generation, ids: Sequence[str], limit: int = 500
) -> Iterator[list[PageRef]]:
    """What the ledger says of pages when they have their turn, in batches, in the order of the ids."""
    for start in range(0, len(ids), limit):
        key = {"workspace_id": generation.workspace_id, "ids": ids[start : start + limit]}
        yield query.rows(connection, PageRef, load_sql("page_refs"), key)


def to_process(connection: Connection, generation: Generation, limit: int) -> Iterator[list[ReadPage]]:
    """The pages whose body or metadata is newer than their content, in batches of at most `limit`."""
    parameters = {"workspace_id": generation.workspace_id, "limit": limit}
    first = {"after": ""}
    return keyset_pages(
        connection,
        ReadPage,
        load_sql("pages_to_process"),
        parameters,
        first,
        lambda page: {"after": page["external_id"]},
    )


def count_just_read(connection: Connection, generation: Generation) -> int:
    """How many pages this generation has read that are not processed yet."""
    statement = (
        "SELECT count(*) FROM source_page "
        "WHERE workspace_id = %(workspace_id)s AND state = 'fetched' AND seen_generation = %(generation)s"
    )
    return int(scalar(connection, statement, generation.params))


def just_read(
    connection: Connection, generation: Generation, limit: int, *, last_first: bool = False
) -> list[ReadPage]:
    """Pages that this generation has read and that are not processed yet: so many of those read first, or last."""
    parameters = {**generation.params, "limit": limit, "direction": -1 if last_first else 1}
    return query.rows(connection, ReadPage, load_sql("pages_just_read"), parameters)


def still_so(connection: Connection, generation: Generation, taken: Sequence[ReadPage]) -> set[str]:
    """The ids of those of `just_read` that nobody has written since, nor does until the caller's transaction ends."""
    parameters = {
        "workspace_id": generation.workspace_id,
        "pages": [page["external_id"] for page in taken],
        "written_by": [page["written_by"] for page in taken],
    }
    return set(scalars(connection, load_sql("pages_still_so"), parameters))


def mark_outdated(connection: Connection, workspace_id: UUID, normaliser: int) -> None:
    """Let pages be processed again that another normaliser than this one has processed."""
    connection.execute(
        "UPDATE source_page SET state = 'fetched' WHERE workspace_id = %s AND state = 'unchanged' AND normaliser <> %s",
        [workspace_id, normaliser],
    )


def titles_of(connection: Connection, workspace_id: UUID, ids: Collection[str]) -> dict[str, str]:
    """The titles of those of the pages that the ledger knows, by id."""
    if not ids:
        return {}
    rows = connection.execute(
        "SELECT external_id, title FROM source_page WHERE workspace_id = %s AND external_id = ANY(%s)",
        [workspace_id, list(ids)],
    ).fetchall()
    return dict(rows)


def unknown_databases(connection: Connection, workspace_id: UUID, limit: int) -> list[str]:
    """The ids of databases that rows name and no listing has shown."""
    return scalars(connection, load_sql("databases_unknown"), {"workspace_id": workspace_id, "limit": limit})


def unknown_links(connection: Connection, workspace_id: UUID, limit: int) -> list[str]:
    """The ids of pages that others link to, and that no listing has shown or that are gone and not with the trash."""
    return scalars(connection, load_sql("links_unknown"), {"workspace_id": workspace_id, "limit": limit})


def store_fetched(
    connection: Connection,
    generation: Generation,
    pages: Sequence[tuple[PageRef, FetchedPage]],
    source_now: datetime,
) -> None:
    """Store bodies that were read. One that cannot be stored puts its page into quarantine."""

    def write(part: Sequence[tuple[PageRef, FetchedPage]]) -> None:
        _store_fetched(connection, generation, part, source_now)

    refused = each_alone(connection, pages, write)
    if refused:
        store_failed(connection, generation, {ref.external_id: reason for (ref, _), reason in refused})


def _store_fetched(
    connection: Connection,
    generation: Generation,
    pages: Sequence[tuple[PageRef, FetchedPage]],
    source_now: datetime,
) -> None:
    together = [*pages, *_store_companions(connection, generation, pages)]
    rows = [
        {
            "external_id": ref.external_id,
            "revision": ref.revision,
            # An address that Notion signs is worth a file to whoever reads it, and is another one with each read.
            "body": without_signatures_in_markdown(page.markdown),
            "links": page.links,
            "fetched_at": page.fetched_at.isoformat(),
            "partial": page.partial,
            "properties": page.properties,
            "title": page.title,
            "unknown_types": page.unknown_types,
            "files_unknown": page.files is None,
            "record": page.record,
        }
        for ref, page in together
    ]
    connection.execute(
        load_sql("pages_fetched"),
        {**generation.params, "pages": storable_json(rows), "settled_before": source_now - SETTLE},
    )
    files.record(connection, generation.workspace_id, {ref.external_id: page for ref, page in together})


def _store_companions(
    connection: Connection, generation: Generation, pages: Sequence[tuple[PageRef, FetchedPage]]
) -> list[tuple[PageRef, FetchedPage]]:
    """Put what came with pages into the ledger, and take out what does not any more; returns what came."""
    asked = [ref.external_id for ref, page in pages if page.companions is not None]
    if not asked:
        return []
    brought = [(ref.external_id, companion) for ref, page in pages for companion in page.companions or ()]
    comes_with = {companion.external_id: page for page, (companion, _) in brought}
    record(connection, generation, [companion for _, (companion, _) in brought], comes_with)
    key = {"workspace_id": generation.workspace_id, "pages": asked, "brought": list(comes_with)}
    connection.execute(load_sql("companions_lost"), key)
    return [companion for _, companion in brought]


def store_failed(
    connection: Connection, generation: Generation, failures: Mapping[str, str], taken_up: bool = True
) -> None:
    """Put pages that could not be read or processed into quarantine, with the reason.

    Those that the generation did not list count as its own where it has `taken_up` them: read, and counted as listed.
    """
    rows = [{"external_id": page, "reason": reason} for page, reason in failures.items()]
    key = {**generation.params, "taken_up": taken_up}
    connection.execute(load_sql("pages_failed"), {**key, "pages": storable_json(rows)})


def release(connection: Connection, workspace_id: UUID, page: str | None) -> int:
    """Let the next sync read one page again, or all that are in quarantine; returns how many.

    Raises:
        WrongUse: the workspace has no such page.
    """
    if page is not None:
        require_page(connection, workspace_id, page)
    with connection.transaction():
        key = {"workspace_id": workspace_id, "page": page, "again": list(files.AGAIN)}
        rows = connection.execute(load_sql("pages_release"), key).fetchall()
    return len(rows)


def require_page(connection: Connection, workspace_id: UUID, page: str) -> None:
    """Refuse the id of a page that the workspace does not hold.

    Raises:
        WrongUse: it does not.
    """
    row = connection.execute(
        "SELECT 1 FROM source_page WHERE workspace_id = %s AND external_id = %s "
        "AND NOT is_container AND state <> 'tombstoned'",
        [workspace_id, page],
    ).fetchone()
    if row is None:
        raise WrongUse(
            f"The workspace holds no page {page}. `arcana status` names those that are not indexed; a page that was "
            "removed comes back by itself once the source lists it again."
        )


def unknown_types(connection: Connection, workspace_id: UUID) -> dict[str, int]:
    """On how many pages each type stands that we do not know."""
    rows = connection.execute(
        "SELECT name, count(*) FROM source_page CROSS JOIN LATERAL (SELECT DISTINCT unnest(unknown_types)) AS u(name) "
        "WHERE workspace_id = %s AND state <> 'tombstoned' GROUP BY name ORDER BY count(*) DESC, name",
        [workspace_id],
    ).fetchall()
    return dict(rows)


def partial_pages(connection: Connection, workspace_id: UUID) -> PartialPages:
    """How many pages are known to be incomplete, and why."""
    rows = connection.execute(load_sql("pages_partial"), {"workspace_id": workspace_id}).fetchall()
    reasons = tuple(PartialReason(reason, count, examples) for reason, count, examples, _ in rows)
    return PartialPages(rows[0][3] if rows else 0, reasons)


def not_listed(connection: Connection, generation: Generation, refs: Sequence[PageRef]) -> set[str]:
    """Those of the pages that this generation has not seen in a listing."""
    rows = connection.execute(
        "SELECT external_id FROM source_page WHERE workspace_id = %s AND seen_generation <> %s "
        "AND external_id = ANY(%s)",
        [generation.workspace_id, generation.number, [ref.external_id for ref in refs]],
    ).fetchall()
    return {row[0] for row in rows}


def not_seen(connection: Connection, generation: Generation, pages: Sequence[str]) -> list[str]:
    """Those of the pages that this generation has not listed, known to the ledger or not."""
    rows = connection.execute(
        "SELECT id FROM unnest(%s::text[]) AS id WHERE NOT EXISTS (SELECT 1 FROM source_page "
        "WHERE workspace_id = %s AND external_id = id AND seen_generation = %s)",
        [list(pages), generation.workspace_id, generation.number],
    ).fetchall()
    return [row[0] for row in rows]


def not_known(connection: Connection, workspace_id: UUID, ids: Sequence[str]) -> list[str]:
    """Those of the pages and databases that the ledger has never seen."""
    return scalars(
        connection,
        "SELECT id FROM unnest(%s::text[]) AS id WHERE NOT EXISTS (SELECT 1 FROM source_page "
        "WHERE workspace_id = %s AND external_id = id)",
        [list(ids), workspace_id],
    )


def mark_stale(connection: Connection, generation: Generation, pages: Sequence[str]) -> None:
    """The bodies that we hold of these pages are out of date although no edit time says so."""
    connection.execute(
        "UPDATE source_page SET state = 'pending', fetched_revision = NULL "
        "WHERE workspace_id = %s AND external_id = ANY(%s) AND state = 'unchanged'",
        [generation.workspace_id, list(pages)],
    )


def read_all_again(connection: Connection, workspace_id: UUID) -> None:
    """The workspace is to show more of each page than was read: the next sync reads all of them."""
    connection.execute(
        "UPDATE source_page SET state = 'pending', fetched_revision = NULL "
        "WHERE workspace_id = %s AND state = 'unchanged' AND NOT is_container",
        [workspace_id],
    )


def mark_share_stale(connection: Connection, generation: Generation, share: int) -> None:
    """Have one in so many of the pages that were listed read again, those that were read longest ago."""
    with connection.transaction():
        connection.execute(load_sql("pages_share"), {**generation.params, "share": share})


def store_suspects(connection: Connection, generation: Generation, pages: Sequence[str]) -> None:
    """Pages that nothing lists and that answered 404 when they were read again: looked at by the next sync."""
    connection.execute(
        "UPDATE source_page SET state = 'suspect', reason = 'not found when it was read again', attempts = 1, "
        "next_attempt_at = now() + %s "
        "WHERE workspace_id = %s AND external_id = ANY(%s)",
        [SECOND_LOOK, generation.workspace_id, list(pages)],
    )


def mark_archived(connection: Connection, workspace_id: UUID, pages: Sequence[str]) -> None:
    """These are there, and no listing will show them again: a listing without them says nothing."""
    connection.execute(
        "UPDATE source_page SET is_archived = true WHERE workspace_id = %s AND external_id = ANY(%s)",
        [workspace_id, list(pages)],
    )


def record_looks(
    connection: Connection, generation: Generation, looks: Sequence[tuple[Presence, PageRef | None]]
) -> int:
    """Write down pages that direct looks found; returns how many."""
    found = [(presence, ref) for presence, ref in looks if presence.is_there and ref is not None]
    if found:
        with connection.transaction():
            record(connection, generation, [ref for _, ref in found])
            archived = [ref.external_id for presence, ref in found if presence is Presence.ARCHIVED]
            mark_archived(connection, generation.workspace_id, archived)
    return len(found)


def archived_to_look_at(connection: Connection, generation: Generation, limit: int) -> list[str]:
    """The ids of archived pages that were looked at longest ago."""
    return scalars(connection, load_sql("archived_to_look_at"), {**generation.params, "limit": limit})


def companions_follow(connection: Connection, generation: Generation, are_read: bool) -> int:
    """Let what comes with pages go and return with them; returns how many are back."""
    with connection.transaction():
        back: int = scalar(connection, load_sql("companions_follow"), {**generation.params, "are_read": are_read})
    return back


def metadata_hash(ref: PageRef) -> str:
    """Hex digest of what a listing says of a page besides its revision."""
    facts = [ref.kind, ref.parent_kind, ref.parent_id, ref.title, ref.url, ref.properties]
    if ref.is_internal:
        facts.append("internal")
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def count_listed(connection: Connection, generation: Generation) -> int:
    """How many pages a listing of everything should show: none that is archived, or comes with another."""
    listed: int = scalar(
        connection,
        "SELECT count(*) FROM source_page WHERE workspace_id = %s AND NOT is_container AND state <> 'tombstoned' "
        "AND NOT is_archived AND comes_with IS NULL",
        [generation.workspace_id],
    )
    return listed


def count_held(connection: Connection, generation: Generation) -> int:
    """How many pages the workspace has that are not removed."""
    held: int = scalar(
        connection,
        "SELECT count(*) FROM source_page WHERE workspace_id = %s AND NOT is_container AND state <> 'tombstoned'",
        [generation.workspace_id],
    )
    return held
