"""SQL for the documents that filters let through, as they are now or as they were.

A file is let through where its page is: it stands below it, and has its properties, its links, its time and its topics
beside its own. The text of equal files is searched once, so what may be found of it is asked of all of them (see
`with_text_of`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import sql

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.retrieval.filters import Filters

if TYPE_CHECKING:
    from arcana_pipelines.retrieval.conditions import KnownCondition
    from arcana_pipelines.retrieval.number_ranges import NumberRange
    from arcana_pipelines.taxonomy.topics import Topic

# A condition on the document of a chunk `t`. Who may not see what is internal is not shown it by the database, either:
# it says what is open, so that what is hidden is none of it.
OPEN_CHUNK = sql.SQL("AND EXISTS (SELECT FROM document o WHERE o.document_id = t.document_id AND NOT o.is_internal)")
OPEN_FILE = sql.SQL("NOT f.is_internal")

NO_DOCUMENT = sql.SQL("SELECT NULL::uuid AS document_id WHERE false")


def has_files(connection: Connection, workspace_id: UUID) -> bool:
    """Whether a workspace has or had documents that are files; where none is, statements are simpler, and faster."""
    statement = "SELECT EXISTS (SELECT FROM source_file WHERE workspace_id = %s AND document_id IS NOT NULL)"
    return bool(query.scalar(connection, statement, [workspace_id]))


def leaves_files(filters: Filters) -> bool:
    """Whether a file can be let through at all."""
    return not filters.kinds or "file" in filters.kinds


def documents_of(
    filters: Filters,
    conditions: Sequence[KnownCondition | NumberRange] = (),
    versions_then: sql.Composable | None = None,
    is_below_database: bool = False,
    key: str = "",
    with_files: bool = True,
    topic: Topic | None = None,
) -> tuple[sql.Composable, dict[str, Any]]:
    """SQL for the ids of the documents, with its parameters besides `workspace_id`. One may be named twice.

    `below` and `links_to` are ids here, and `conditions` those on `properties` as `known_conditions` gives them, or as
    `in_ranges` makes of them.
    `is_below_database` says what `below` is the id of: a database is not a document and has no path. `topic` is what
    `filters.topic` means now.

    `key` begins the names of the parameters, where several filters stand in one statement. `with_files` says whether
    there may be any (see `has_files`).

    With `versions_then`, the versions that were served at a time, the conditions are on these. Only places and topics
    are those of today: no version has them.
    """
    if (filters.topic is None) != (topic is None):
        raise ValueError("a filter by topic goes with what it means now, and nothing else does")
    about, of_topic = _about(topic, key)
    if about is not None and versions_then is None and filters == Filters(topic=filters.topic):
        return _with_files(about) if with_files else about, of_topic
    facts = _NOW if versions_then is None else _THEN
    kinds = [kind for kind in filters.kinds if kind != "file"]
    parameters: dict[str, Any] = {
        f"{key}below": filters.below,
        f"{key}kinds": kinds,
        f"{key}edited_since": filters.edited_since,
        f"{key}links_to": filters.links_to,
        f"{key}internal": filters.internal,
    }
    given = {
        name: sql.Placeholder(f"{key}{name}") for name in ("below", "kinds", "edited_since", "links_to", "internal")
    }
    wanted: list[sql.Composable] = []
    if filters.edited_since:
        wanted.append(sql.SQL("{} >= {edited_since}::timestamptz").format(facts.last_edited_at, **given))
    own: list[sql.Composed] = []
    files_own: list[sql.Composed] = []
    if filters.below:
        above = _BELOW_DATABASE if is_below_database else _BELOW
        own.append(above.format(path=sql.SQL("d.path"), **given))
        files_own.append(above.format(path=sql.SQL("f.path"), **given))  # by its own: it may lie in a file
    if filters.internal is not None:
        own.append(sql.SQL("d.is_internal = {internal}").format(**given))
        files_own.append(sql.SQL("f.is_internal = {internal}").format(**given))
    if filters.links_to:
        wanted.append(facts.links.format(**given))
    for number, condition in enumerate(conditions):
        holds, values = condition.holds(f"{key}condition_{number}", is_past=versions_then is not None)
        wanted.append(holds)
        parameters |= values
    parameters |= of_topic
    some: list[sql.Composable] = []
    if kinds or not filters.kinds:
        of_kinds = [sql.SQL("{} = ANY({kinds})").format(facts.kind, **given)] if kinds else []
        pages = facts.pages.format(versions=versions_then)
        topics = [sql.SQL("d.document_id IN ({})").format(about)] if about else []
        some.append(sql.SQL(" AND ").join([pages, *own, *of_kinds, *wanted, *topics]))
    if with_files and leaves_files(filters):
        files: list[sql.Composable] = [facts.files.format(versions=versions_then), *files_own, *wanted]
        # One after the other: of an OR, PostgreSQL makes a look at every file.
        topics = [sql.SQL("{}.document_id IN ({})").format(sql.SQL(each), about) for each in "fd"] if about else []
        some += [sql.SQL(" AND ").join([*files, each]) for each in topics] or [sql.SQL(" AND ").join(files)]
    return sql.SQL(" UNION ALL ").join(some) if some else NO_DOCUMENT, parameters


def _about(topic: Topic | None, key: str) -> tuple[sql.Composable | None, dict[str, Any]]:
    """SQL for the ids of the documents that have a topic or one below it themselves, with its parameters."""
    if topic is None:
        return None, {}
    parameters: dict[str, Any] = {f"{key}taxonomy_version": topic.version}
    parts: list[sql.Composable] = []
    for number, node in enumerate(topic.nodes):
        lft, rgt = f"{key}topic_lft_{number}", f"{key}topic_rgt_{number}"
        parameters |= {lft: node.lft, rgt: node.rgt}
        names = {"version": f"{key}taxonomy_version", "lft": lft, "rgt": rgt}
        parts.append(_ABOUT.format(**{name: sql.Placeholder(parameter) for name, parameter in names.items()}))
    return sql.SQL(" UNION ALL ").join(parts), parameters


def _with_files(about: sql.Composable) -> sql.Composable:
    """The same with the files that hang on those that are pages. Nothing else is asked of them, and a topic of many
    documents is long to look through: whether they are served is for who searches."""
    return sql.SQL(
        "SELECT own.document_id FROM ({about}) own UNION ALL SELECT s.document_id FROM ({about}) own "
        "JOIN source_page p ON p.document_id = own.document_id "
        "JOIN source_file s ON s.workspace_id = p.workspace_id AND s.page_external_id = p.external_id "
        "WHERE s.document_id IS NOT NULL"
    ).format(about=about)


def with_text_of(documents: sql.Composable, is_past: bool) -> sql.Composable:
    """SQL for the ids of documents, and of those that have the text of a file among them, as an equal one.

    Of the past (the parameter `as_of`) those that had it then.
    """
    return sql.SQL(
        "WITH standing AS ({documents}) SELECT document_id FROM standing UNION ALL "
        "SELECT r.related_document_id FROM standing "
        "JOIN document_relation r ON r.base_document_id = standing.document_id "
        "AND {equal}"
    ).format(documents=documents, equal=are_equal(is_past))


def are_equal(is_past: bool) -> sql.Composable:
    """A condition on a relation `r`: its base is a file with the bytes of the related one, which has the text.

    What somebody made by hand is none: it lets nobody find what stands elsewhere.
    """
    time = (
        "r.created_at <= %(as_of)s::timestamptz AND (r.deleted_at IS NULL OR r.deleted_at > %(as_of)s::timestamptz)"
        if is_past
        else "r.deleted_at IS NULL"
    )
    return sql.SQL("r.relation_type = 'duplicate' AND r.origin = 'source' AND {}").format(sql.SQL(time))


# What waits for a person's word is no topic yet.
_ABOUT = sql.SQL(
    "SELECT t.doc_id AS document_id FROM doc_taxonomy t "
    "WHERE t.workspace_id = %(workspace_id)s AND t.version = {version} "
    "AND t.lft BETWEEN {lft} AND {rgt} AND NOT t.hitl_required"
)
# As in documents/sql/paths.sql.
_BELOW_DATABASE = sql.SQL("{path} ~ ('*.p' || left(md5({below}), 16) || '.*')::lquery")
_BELOW = sql.SQL(
    "{path} <@ (SELECT above.path FROM document above WHERE above.document_id = coalesce("
    "(SELECT a.document_id FROM source_page a "
    "WHERE a.workspace_id = %(workspace_id)s AND a.external_id = {below}), "
    "(SELECT a.document_id FROM source_file a "
    "WHERE a.workspace_id = %(workspace_id)s AND a.external_id = {below})))"
)


@dataclass(frozen=True, slots=True)
class _Facts:
    """Where conditions find what they are about: a page, and of a file the page that it hangs on (itself without)."""

    pages: sql.SQL
    files: sql.SQL
    kind: sql.SQL
    last_edited_at: sql.SQL
    links: sql.SQL


_NOW = _Facts(
    pages=sql.SQL(
        "SELECT d.document_id FROM document d JOIN source_page p USING (document_id) "
        "WHERE d.workspace_id = %(workspace_id)s AND d.deleted_at IS NULL"
    ),
    files=sql.SQL(
        "SELECT f.document_id FROM source_file s JOIN document f ON f.document_id = s.document_id "
        "LEFT JOIN source_page p ON p.workspace_id = s.workspace_id AND p.external_id = s.page_external_id "
        "JOIN document d ON d.document_id = coalesce(p.document_id, f.document_id) "
        "WHERE s.workspace_id = %(workspace_id)s AND f.deleted_at IS NULL AND d.deleted_at IS NULL"
    ),
    kind=sql.SQL("p.kind"),
    last_edited_at=sql.SQL("p.last_edited_at"),
    links=sql.SQL(
        "EXISTS (SELECT 1 FROM document_relation r "
        "JOIN source_page t ON t.document_id = r.related_document_id "
        "WHERE r.base_document_id = d.document_id AND r.relation_type = 'reference' AND r.deleted_at IS NULL "
        "AND t.workspace_id = %(workspace_id)s AND t.external_id = {links_to})"
    ),
)
_THEN = _Facts(
    pages=sql.SQL(
        "SELECT d.document_id FROM document d JOIN document_content c USING (document_id) "
        "LEFT JOIN source_page p ON p.document_id = d.document_id "
        "WHERE d.workspace_id = %(workspace_id)s AND d.kind <> 'file' "
        "AND EXISTS (SELECT 1 FROM {versions} v WHERE v.document_content_id = c.document_content_id)"
    ),
    files=sql.SQL(
        "SELECT f.document_id FROM source_file s JOIN document f ON f.document_id = s.document_id "
        "LEFT JOIN source_page p ON p.workspace_id = s.workspace_id AND p.external_id = s.page_external_id "
        "JOIN document d ON d.document_id = coalesce(p.document_id, f.document_id) "
        "JOIN document_content c ON c.document_id = d.document_id "
        "WHERE s.workspace_id = %(workspace_id)s "
        "AND EXISTS (SELECT 1 FROM {versions} v WHERE v.document_id = f.document_id) "
        "AND EXISTS (SELECT 1 FROM {versions} v WHERE v.document_content_id = c.document_content_id)"
    ),
    kind=sql.SQL("c.contents->>'kind'"),
    last_edited_at=sql.SQL("(c.contents->>'last_edited_at')::timestamptz"),
    links=sql.SQL("(c.contents->'links' ? {links_to} AND c.contents->>'external_id' <> {links_to})"),
)
