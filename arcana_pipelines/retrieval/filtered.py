"""SQL for the documents that filters let through, as they are now or as they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from arcana_pipelines.retrieval.conditions import KnownCondition
from arcana_pipelines.retrieval.filters import Filters


def documents_of(
    filters: Filters,
    conditions: Sequence[KnownCondition] = (),
    versions_then: sql.Composable | None = None,
    is_below_database: bool = False,
    key: str = "",
) -> tuple[sql.Composable, dict[str, Any]]:
    """SQL for the ids of the documents, with its parameters besides `workspace_id`.

    `below` and `links_to` are ids here, and `conditions` those on `properties` as `known_conditions` gives them.
    `is_below_database` says what `below` is the id of: a database is not a document and has no path.

    `key` begins the names of the parameters, where several filters stand in one statement.

    With `versions_then`, the versions that were served at a time, the conditions are on these. Only places are those of
    today: no version has them.
    """
    facts = _NOW if versions_then is None else _THEN
    parameters: dict[str, Any] = {
        f"{key}below": filters.below,
        f"{key}kinds": list(filters.kinds),
        f"{key}edited_since": filters.edited_since,
        f"{key}links_to": filters.links_to,
    }
    given = {name: sql.Placeholder(f"{key}{name}") for name in ("below", "kinds", "edited_since", "links_to")}
    wanted: list[sql.Composable] = [facts.versions.format(versions=versions_then)]
    if filters.kinds:
        wanted.append(sql.SQL("{} = ANY({kinds})").format(facts.kind, **given))
    if filters.edited_since:
        wanted.append(sql.SQL("{} >= {edited_since}::timestamptz").format(facts.last_edited_at, **given))
    if filters.below and is_below_database:
        wanted.append(
            # As in documents/sql/paths.sql.
            sql.SQL("d.path ~ ('*.p' || left(md5({below}), 16) || '.*')::lquery").format(**given)
        )
    elif filters.below:
        wanted.append(
            sql.SQL(
                "d.path <@ (SELECT above.path FROM source_page a JOIN document above USING (document_id) "
                "WHERE a.workspace_id = %(workspace_id)s AND a.external_id = {below})"
            ).format(**given)
        )
    if filters.links_to:
        wanted.append(facts.links.format(**given))
    for number, condition in enumerate(conditions):
        holds, values = condition.holds(f"{key}condition_{number}", is_past=versions_then is not None)
        wanted.append(holds)
        parameters |= values
    return sql.SQL(" AND ").join(wanted), parameters


@dataclass(frozen=True, slots=True)
class _Facts:
    """Where conditions find what they are about."""

    versions: sql.SQL
    kind: sql.SQL
    last_edited_at: sql.SQL
    links: sql.SQL


_NOW = _Facts(
    versions=sql.SQL(
        "SELECT d.document_id FROM document d JOIN source_page p USING (document_id) "
        "WHERE d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL"
    ),
    kind=sql.SQL("p.kind"),
    last_edited_at=sql.SQL("p.last_edited_at"),
    links=sql.SQL(
        "EXISTS (SELECT 1 FROM document_relation r "
        "JOIN source_page t ON t.document_id = r.related_document_id "
        "WHERE r.base_document_id = d.document_id AND r.deleted_at IS NULL "
        "AND t.workspace_id = %(workspace_id)s AND t.external_id = {links_to})"
    ),
)
_THEN = _Facts(
    versions=sql.SQL(
        "SELECT d.document_id FROM document d JOIN document_content c USING (document_id) "
        "LEFT JOIN source_page p ON p.document_id = d.document_id "
        "WHERE d.workspace_id = %(workspace_id)s "
        "AND EXISTS (SELECT 1 FROM {versions} v WHERE v.document_content_id = c.document_content_id)"
    ),
    kind=sql.SQL("c.contents->>'kind'"),
    last_edited_at=sql.SQL("(c.contents->>'last_edited_at')::timestamptz"),
    links=sql.SQL("(c.contents->'links' ? {links_to} AND c.contents->>'external_id' <> {links_to})"),
)
