"""What the searches of a key find nothing beyond: filters that are kept with its permission."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval.conditions import known_conditions
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.retrieval.places import find_indexed
from arcana_pipelines.taxonomy.topics import asked_topic
from arcana_pipelines.taxonomy.tree import spell_path

_HOW = 'Write it as in a search: {"kinds": ["page"], "below": "Handbook"}.'


def read_limit(text: str) -> Filters:
    """The filters that a JSON object says, as in a search.

    Raises:
        WrongUse: it is none, or cannot be meant.
    """
    try:
        filters = _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise WrongUse(f"This filter cannot be meant: {where and where + ': '}{first['msg']}. {_HOW}") from error
    return _some(filters)


def settled(connection: Connection, workspace_id: UUID | None, filters: Filters) -> Filters:
    """The same by ids in place of titles, so that nobody widens a key by naming a page as its filter does.

    Raises:
        WrongUse: the workspace has no such page, topic, property or value; or none is named, and the filter is of one.
    """
    filters = _some(filters)
    if workspace_id is None:
        if filters.below or filters.links_to or filters.properties or filters.topic:
            raise WrongUse("Pages, properties and topics are those of a workspace: name it, with a key for each.")
        return filters
    known, notes = known_conditions(connection, workspace_id, filters, {}, None)
    if notes:
        raise WrongUse(f"{notes[0]} A filter of a key names values that are there, so that no slip opens or shuts it.")
    return replace(
        filters,
        below=filters.below and find_indexed(connection, workspace_id, filters.below).external_id,
        links_to=filters.links_to and find_indexed(connection, workspace_id, filters.links_to).external_id,
        properties=tuple(replace(each.condition, written=None) for each in known),
        topic=filters.topic and str(_node_of(connection, workspace_id, filters.topic)),
    )


def told(filters: Filters) -> dict[str, Any]:
    """What they say, and nothing else, as JSON has it."""
    held: dict[str, Any] = _adapter().dump_python(filters, mode="json", exclude_defaults=True)
    return held


def limit_of(row: dict[str, Any] | None) -> Filters | None:
    """The filters of a row, which can be a key of a cache."""
    if row is None:
        return None
    filters = _adapter().validate_python(row)
    return replace(filters, kinds=tuple(filters.kinds), properties=tuple(filters.properties))


def _node_of(connection: Connection, workspace_id: UUID, topic: str) -> UUID:
    """The id of the one node that a topic is: it keeps it, whatever it is called and wherever it stands later."""
    nodes = asked_topic(connection, workspace_id, topic).nodes
    if len(nodes) > 1:
        paths = ", ".join(f"'{spell_path(node.path)}'" for node in nodes)
        raise WrongUse(f"'{topic}' was split into {paths}: name one of them, or what is above them.")
    return nodes[0].node_id


def _some(filters: Filters) -> Filters:
    if not filters.checked():
        raise WrongUse(f"This filter leaves everything: leave it out, or say what may be found. {_HOW}")
    return filters.checked()


@cache
def _adapter() -> TypeAdapter[Filters]:
    return TypeAdapter(Filters)
