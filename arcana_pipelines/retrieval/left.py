"""The documents that the filters of a request leave, and those that the limits of who asks leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import sql

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.interruptible import hides_internal
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval import past
from arcana_pipelines.retrieval.filtered import NO_DOCUMENT, documents_of, has_files, leaves_files
from arcana_pipelines.retrieval.filters import WITHOUT_INTERNAL, Filters, Limits

if TYPE_CHECKING:
    from arcana_pipelines.taxonomy.topics import Topic


class Left:
    """What is left, as SQL for the ids of documents.

    Attributes:
        filtered: of the request; empty where it asks for everything.
        limited: of each limit but the one to what is open.
        parameters: what both want besides `workspace_id`.
        notes: what to know of the filters, in sentences.
        topic: what the topic of the request means now; None: it names none.
        asks_topic_alone: the request has no other filter.
        hides_topic: it names one of which nothing may be told, or there is none.
        finds_open_alone: there is a limit to what is open.
        hides_internal: the database shows nothing else anyway.
        is_hushed: what is beyond the limits could be told by what is said of the filters.
        with_files: files may be among the documents.
    """

    def __init__(
        self,
        connection: Connection,
        workspace_id: UUID,
        filters: Filters,
        limits: Limits,
        build: int,
        as_of: datetime | None = None,
    ) -> None:
        """In a transaction of one snapshot. `as_of`: what the filters left then of what the build served.

        Raises:
            WrongUse: a filter names what is not there, and who asks may be told.
        """
        self._connection = connection
        self._workspace_id = workspace_id
        self._past = {"build": build, "as_of": as_of}
        self.finds_open_alone = WITHOUT_INTERNAL in limits
        others = [each for each in limits if each != WITHOUT_INTERNAL]
        # Where the database itself hides what is internal, it stands in no suggestion.
        self.hides_internal = hides_internal(connection)
        self.is_hushed = bool(others) or (self.finds_open_alone and not self.hides_internal)
        self.with_files = all(map(leaves_files, (filters, *others))) and has_files(connection, workspace_id)
        self.notes: list[str] = []
        self.parameters: dict[str, Any] = {}
        self.topic: Topic | None = None
        self.asks_topic_alone = filters == Filters(topic=filters.topic)
        self.hides_topic = False
        then = None if as_of is None else past.versions_then()
        self.filtered = [self._left(filters, then, "f0_", is_limit=False)] if filters else []
        # Of the past the limits leave what they left then and leave today.
        times = (None,) if then is None else (then, None)
        asked = [(limit, time) for limit in others for time in times]
        self.limited = [
            self._left(limit, time, f"f{number}_", is_limit=True) for number, (limit, time) in enumerate(asked, start=1)
        ]

    def _left(self, filters: Filters, then: sql.Composable | None, key: str, is_limit: bool) -> sql.Composable:
        try:
            documents, parameters = self._documents(filters, then, key, is_limit)
        except WrongUse:
            if not self.is_hushed:
                raise
            self.hides_topic |= not is_limit and filters.topic is not None
            return NO_DOCUMENT
        self.parameters |= parameters
        return documents

    def _documents(
        self, filters: Filters, then: sql.Composable | None, key: str, is_limit: bool
    ) -> tuple[sql.Composable, dict[str, Any]]:
        """The documents that filters leave; what they say is noted."""
        # Most searches have no filter, and do without what reads them.
        from arcana_pipelines.retrieval.conditions import known_conditions
        from arcana_pipelines.retrieval.number_ranges import in_ranges
        from arcana_pipelines.retrieval.places import find_indexed, find_place
        from arcana_pipelines.taxonomy.topics import asked_topic, topic_of_limit

        is_below_database, topic = False, None
        find = find_indexed if self._past["as_of"] is None else find_place
        if filters.below:
            place = find(self._connection, self._workspace_id, filters.below)
            filters = replace(filters, below=place.external_id)
            is_below_database = place.is_container
        if filters.links_to:
            place = find(self._connection, self._workspace_id, filters.links_to)
            filters = replace(filters, links_to=place.external_id)
        if filters.topic:
            topic = (topic_of_limit if is_limit else asked_topic)(self._connection, self._workspace_id, filters.topic)
            if topic is None:
                return NO_DOCUMENT, {}
        known, notes = known_conditions(self._connection, self._workspace_id, filters, self._past, then)
        self.notes += notes
        if not is_limit:
            self.topic = topic
        conditions = known if then is not None else in_ranges(known)
        return documents_of(filters, conditions, then, is_below_database, key, self.with_files, topic)
