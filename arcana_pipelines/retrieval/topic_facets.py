"""How many documents there are of each topic, among those that may be found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg import sql

from arcana_pipelines.db.engine import Connection, snapshot
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.retrieval import past
from arcana_pipelines.retrieval.filters import Filters, Limits
from arcana_pipelines.retrieval.left import Left
from arcana_pipelines.retrieval.results import TopicFacet
from arcana_pipelines.retrieval.serving import find_serving
from arcana_pipelines.retrieval.shown import shown
from arcana_pipelines.taxonomy.lookup import no_active_version
from arcana_pipelines.taxonomy.topics import has_topics
from arcana_pipelines.taxonomy.tree import spell_path

load_sql = statements_beside(__file__)

_LEFT = sql.SQL("AND document_id IN ({})")
_OPEN = sql.SQL("AND document_id IN (SELECT o.document_id FROM document o WHERE NOT o.is_internal)")
# A file has its page's topics, too.
_WITH_FILES = sql.SQL(
    "(SELECT node_id, document_id FROM own UNION SELECT own.node_id, s.document_id FROM own "
    "JOIN source_page p ON p.document_id = own.document_id "
    "JOIN source_file s ON s.workspace_id = p.workspace_id AND s.page_external_id = p.external_id "
    "WHERE s.document_id IS NOT NULL)"
)


def topic_facets(
    connection: Connection,
    workspace_id: UUID,
    topic: str | None = None,
    *,
    limits: Limits = (),
    index: str = DEFAULT_INDEX,
) -> list[TopicFacet]:
    """The topics directly below one, or the uppermost, each with how many of the documents that an index serves are
    about it or about anything below it. See `TopicFacet`.

    Nothing is counted, and no topic named, that has only what one of the `limits` leaves out.

    Raises:
        TaxonomyNodeNotFoundError: there is no such topic.
        UnknownTaxonomyVersion: the workspace has no taxonomy.
        WrongUse: it has no such index.
    """
    with snapshot(connection):
        if not has_topics(connection, workspace_id):
            raise no_active_version(connection, workspace_id)
        build = find_serving(connection, workspace_id, index, None, None).build
        connection.execute("SET LOCAL jit = off")
        left = Left(connection, workspace_id, Filters(topic=topic).checked(), limits, build)
        return count_topics(connection, workspace_id, left, {"build": build})


def count_topics(
    connection: Connection, workspace_id: UUID, left: Left, served: Mapping[str, Any], is_past: bool = False
) -> list[TopicFacet]:
    """The topics directly below the one that the filters name, or the uppermost, within what is left.

    `served` are the parameters that say of which build, and of which time of the past (`build`, `as_of`).
    """
    if left.hides_topic:
        return []
    parents = [node.node_id for node in left.topic.nodes] if left.topic else []
    # What is about a topic below another is about that.
    filtered = [] if left.asks_topic_alone else left.filtered
    allowed: list[sql.Composable] = [_LEFT.format(each) for each in (*filtered, *left.limited)]
    if left.finds_open_alone or left.hides_internal:
        allowed.append(_OPEN)
    versions = past.versions_then() if is_past else sql.SQL("({})").format(sql.SQL(load_sql("versions")))
    statement = sql.SQL(load_sql("topic_facets")).format(
        children=sql.SQL("n.parent_id = ANY(%(parents)s::uuid[])" if parents else "n.parent_id IS NULL"),
        about=_WITH_FILES if left.with_files else sql.SQL("own"),
        versions=versions,
        allowed=sql.SQL(" ").join(allowed),
    )
    if not parents and not allowed:
        # Of all documents the planner would look at one after the other, which takes three times as long.
        connection.execute("SET LOCAL enable_nestloop = off")
    given = {**left.parameters, **served, "workspace_id": workspace_id, "parents": parents}
    found = connection.execute(statement, given).fetchall()
    return [
        TopicFacet(
            node_id=str(node_id), path=shown(spell_path(tuple(path))), label=shown(label), documents=documents,
            has_children=has_children, workspace=workspace,
        )
        for node_id, path, label, has_children, documents, workspace in found
        # What they have beyond the limits is not told, and neither is that there is such a topic.
        if documents or not left.limited
    ]  # fmt: skip
