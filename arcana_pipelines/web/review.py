"""The queue of topics that wait for a person, and people's word on them: over HTTP, and for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from arcana_pipelines.audit.record import by_key
from arcana_pipelines.classification.review import (
    MOST_ROWS,
    Decision,
    QueueFilters,
    QueuePage,
    decide,
    queue,
    queue_counts,
)
from arcana_pipelines.db.engine import Database
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.keys.access import Access
from arcana_pipelines.retrieval.limits import LONGEST_TOPIC
from arcana_pipelines.retrieval.within import require_within
from arcana_pipelines.taxonomy.topics import one_topic
from arcana_pipelines.web import cursors, examples
from arcana_pipelines.web.cursors import Cursors
from arcana_pipelines.web.gate import Gate, Keyed, Slug
from arcana_pipelines.web.problems import described
from arcana_pipelines.web.topic_answers import Decided, Origin, ReviewQueue, Suggestion

_EXAMPLE: Any = {
    "document_id": "0190f3a2-7c1e-7cc4-9f0a-3d2b1a4c5e6f", "node_id": "0190f3a2-7c1e-7cc4-9f0a-3d2b1a4c5e71",
    "decision": "accept",
}  # fmt: skip


class Said(BaseModel):
    """A person's word on a topic that is suggested for a document."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    document_id: UUID
    node_id: UUID = Field(description="The topic that is suggested: `node_id` of a suggestion or of an alternative.")
    decision: Literal["accept", "reject", "instead"] = Field(
        description="`accept`: the document is about it; `reject`: it is not; `instead`: it is about another topic."
    )
    instead: Annotated[str, Field(max_length=LONGEST_TOPIC)] | None = Field(
        None, description="That topic: its path or its id; with `instead` alone."
    )

    @model_validator(mode="after")
    def _names_another_topic(self) -> Said:
        if (self.decision == "instead") != (self.instead is not None):
            raise ValueError("`instead` names the other topic where the decision is `instead`, and nowhere else")
        return self


@dataclass(frozen=True, slots=True)
class Waiting:
    """A part of the queue.

    Attributes:
        page: its rows.
        documents: that wait in all; None: the key may find some of the documents alone.
        cursor: for what follows; None: nothing does.
    """

    page: QueuePage
    documents: int | None
    cursor: str | None


class Reviews:
    """What keys with the scope `review` see and say, within what their searches find."""

    def __init__(self, gate: Gate, database: Database) -> None:
        self._gate = gate
        self._database = database
        self._cursors = Cursors(database.settings)

    def waiting(
        self, access: Access, slug: str, topic: str | None, origin: Origin | None, limit: int, cursor: str | None
    ) -> Waiting:
        """A part of a workspace's queue.

        Raises:
            Refused: the key does not review there.
            TaxonomyNodeNotFoundError: there is no such topic.
            UnknownTaxonomyVersion: the workspace has no topics.
            CursorRefused: the cursor is none of this list.
        """
        opened = self._gate.index(access, "review", slug, None)
        list_ = {"company": access.company_id, "review": opened.workspace_id, "topic": topic, "origin": origin,
                 "limits": opened.limits}  # fmt: skip
        after = self._cursors.read(list_, cursor) if cursor is not None else None
        with self._database.connection(access.company_id, opened.sees_internal) as connection:
            below = one_topic(connection, opened.workspace_id, topic).node_id if topic else None
            filters = QueueFilters(below, None, origin)
            page = queue(connection, opened.workspace_id, limit, after, filters, opened.limits)
            documents = None if opened.limits else queue_counts(connection, opened.workspace_id).documents
        following = self._cursors.write(list_, page.after) if page.after is not None else None
        return Waiting(page, documents, following)

    def decide(self, access: Access, slug: str, said: Said) -> Decision:
        """Write down a person's word.

        Raises:
            Refused: the key does not review there.
            UnknownDocument: the key's searches do not find it.
            TopicDecided: somebody was faster.
            WrongUse: nothing of the kind waits, or there is no such other topic.
        """
        opened = self._gate.index(access, "review", slug, None)
        with self._database.connection(access.company_id, opened.sees_internal) as connection:
            if opened.limits:
                require_within(connection, opened.workspace_id, str(said.document_id), opened.limits, DEFAULT_INDEX)
            other = one_topic(connection, opened.workspace_id, said.instead).node_id if said.instead else None
            return decide(
                connection, opened.workspace_id, said.document_id, said.node_id,
                "accepted" if said.decision == "accept" else "rejected", by_key(access.key_id), other,
            )  # fmt: skip


def add_review(app: FastAPI, reviews: Reviews) -> None:
    """Add the routes."""

    @app.get("/v1/workspaces/{slug}/taxonomy/queue", summary="Topics that wait for a person", tags=["review"],
             responses={200: {"content": examples.shown(examples.QUEUE)},
                        **described(401, 403, 404, 422, 503)})  # fmt: skip
    def waiting(
        access: Keyed,
        slug: Slug,
        topic: Annotated[
            str | None,
            Query(description="Only suggestions of this topic, or of one below it: its path or its id.",
                  max_length=LONGEST_TOPIC),
        ] = None,
        origin: Annotated[Origin | None, Query(description="Only those that were found so.")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Documents of one answer.")] = 20,
        cursor: Annotated[
            str | None, Query(description="That of the answer before.", max_length=cursors.LONGEST)
        ] = None,
    ) -> ReviewQueue:  # fmt: skip
        found = reviews.waiting(access, slug, topic, origin, limit, cursor)
        suggestions = [Suggestion.of(row) for row in found.page.rows]
        return ReviewQueue(found.page.version, found.documents, suggestions, found.cursor)

    @app.post("/v1/workspaces/{slug}/taxonomy/queue", summary="Decide on a topic that waits", tags=["review"],
              responses={200: {"content": examples.shown(examples.DECIDED)},
                         **described(401, 403, 404, 409, 413, 415, 422, 503)})  # fmt: skip
    def say(access: Keyed, slug: Slug, said: Said) -> Decided:
        """What else was suggested for the document by nearness goes with a topic that is accepted. 409: somebody else
        has decided; the same word of the same key may be repeated."""
        return Decided.of(reviews.decide(access, slug, said))
