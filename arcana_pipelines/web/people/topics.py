"""Topics as the page shows them: in its language, and as links say them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.retrieval.results import Results
from arcana_pipelines.retrieval.shown import shown
from arcana_pipelines.taxonomy.labels import spell_path
from arcana_pipelines.taxonomy.lookup import lookup
from arcana_pipelines.taxonomy.named import named_in
from arcana_pipelines.taxonomy.stored_versions import active_version
from arcana_pipelines.taxonomy.topics import asked_topic
from arcana_pipelines.web.people.asked import Asked
from arcana_pipelines.web.people.languages import Language


@dataclass(frozen=True, slots=True)
class ShownTopic:
    """A topic.

    Attributes:
        path: as it is written in filters.
        label: its own, in the page's language.
        documents: that are about it or about anything below it; None: they were not counted.
    """

    path: str
    label: str
    documents: int | None = None


def names_of(connection: Connection, workspace_id: UUID, nodes: Iterable[UUID], language: Language) -> dict[UUID, str]:
    """Whole names of topics of the active version, in a language: `사람 › 휴가`."""
    active = active_version(connection, workspace_id)
    if active is None:
        return {}
    found = named_in(connection, workspace_id, active.version, list(nodes), language)
    return {node_id: shown(" › ".join(path)) for node_id, path in found.items()}


def topics_of(
    connection: Connection, workspace_id: UUID, asked: Asked, results: Results, language: Language
) -> tuple[Sequence[ShownTopic], Sequence[ShownTopic]]:
    """The topics that have documents among those that a search may find, and the one that it is below, behind those
    above it. Nothing is told of a topic below which nothing may be found."""
    active = active_version(connection, workspace_id)
    if active is None:
        return (), ()
    counted = [facet for facet in results.facets if facet.documents]
    named = named_in(connection, workspace_id, active.version, [UUID(each.node_id) for each in counted], language)
    topics = [
        ShownTopic(each.path, shown(named.get(UUID(each.node_id), (each.label,))[-1]), each.documents)
        for each in counted
    ]
    is_there = asked.topic and (counted or results.hits or results.nearest)
    return topics, _trail(connection, workspace_id, asked.topic, language) if is_there else ()


def _trail(connection: Connection, workspace_id: UUID, topic: str, language: Language) -> Sequence[ShownTopic]:
    found = asked_topic(connection, workspace_id, topic)
    path = found.nodes[0].path
    prefixes = [path[: depth + 1] for depth in range(len(path))]
    nodes = lookup.find(connection, workspace_id, prefixes, found.version)
    named = named_in(connection, workspace_id, found.version, nodes.values(), language)
    return [ShownTopic(shown(spell_path(each)), shown(named[nodes[each]][-1])) for each in prefixes if each in nodes]
