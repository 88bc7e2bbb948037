"""What readers say of the answers that a key was given."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from arcana_pipelines.db.engine import Database
from arcana_pipelines.keys.access import Access
from arcana_pipelines.learning.feedback import Verdict, find, keep
from arcana_pipelines.web.gate import Keyed, lacking
from arcana_pipelines.web.problems import Refused, described
from arcana_pipelines.web.request_ids import GIVEN
from arcana_pipelines.web.use import SearchLog, use_now

_EXAMPLE: Any = {
    "request_id": "3f0c2a9e-5b1d-4c9e-8a76-0d2b1a4c5e6f", "verdict": "helpful",
    "document_id": "0190f3a2-7c1e-7cc4-9f0a-3d2b1a4c5e6f", "position": 0,
}  # fmt: skip
_GREATEST = 2**31 - 1
LONGEST_COMMENT = 1000
_UNKNOWN = (
    "The key was given no such answer, or it was too long ago, or had no such hit: send the `request_id` of the "
    "answer, and the hit's document_id and position as they stand in it."
)


class Feedback(BaseModel):
    """What a reader says of an answer, or of a hit in it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    request_id: Annotated[str, Field(pattern=f"^{GIVEN.pattern}$", description="The one of the answer.")]
    verdict: Annotated[
        Verdict,
        Field(
            description="Of a hit: `helpful` or `unhelpful`, of which the later one holds; `opened`; `used` in an "
            "answer that was made of it. Of the whole answer: `no_answer`, the question is not answered by it."
        ),
    ]
    document_id: UUID | None = Field(None, description="The hit's.")
    position: Annotated[int, Field(ge=0, le=_GREATEST)] | None = Field(
        None, description="The hit's `position`; without it the first hit of the document."
    )
    # PostgreSQL knows no NUL.
    comment: Annotated[str, Field(max_length=LONGEST_COMMENT, pattern=r"^[^\x00]*$")] | None = Field(
        None,
        description="In the reader's words. Without addresses of e-mail and long numbers, and kept for some weeks.",
    )

    @model_validator(mode="after")
    def _of_a_hit_or_of_all(self) -> Feedback:
        if self.verdict == "no_answer" and (self.document_id is not None or self.position is not None):
            raise ValueError("`no_answer` is said of the whole answer: leave out document_id and position")
        if self.verdict != "no_answer" and self.document_id is None:
            raise ValueError(f"`{self.verdict}` is said of a hit: give its document_id, and its position")
        return self


def add_feedback(app: FastAPI, database: Database, searched: SearchLog) -> None:
    """Add the route."""

    @app.post("/v1/feedback", summary="Say how good an answer was", tags=["feedback"], status_code=204,
              responses=described(401, 403, 404, 413, 415, 422, 503))  # fmt: skip
    def feedback(access: Keyed, said: Feedback) -> Response:
        take_feedback(database, searched, access, said)
        return Response(status_code=204)


def take_feedback(database: Database, searched: SearchLog, access: Access, said: Feedback) -> None:
    """Keep what a reader says of an answer that the key was given.

    Raises:
        Refused: 403: the key lacks the scope. 404: it was given no such answer.
    """
    if all(each.scope != "feedback" for each in access.permissions):
        raise lacking(access, "feedback")
    searched.flush()  # the answer may have been given a moment ago
    with database.connection(access.company_id) as connection, connection.transaction():
        shown = find(connection, access.key_id, said.request_id, said.document_id, said.position)
        if shown is None:
            raise Refused(404, "not-found", _UNKNOWN)
        use_now().workspace_id = shown.workspace_id
        if not access.may_in("feedback", shown.workspace_id, shown.index_name):
            raise lacking(access, "feedback")
        keep(connection, database.settings, shown, said.verdict, said.comment)
