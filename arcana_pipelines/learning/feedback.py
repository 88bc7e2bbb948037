"""What readers say of answers: whether a chunk helped, was opened or used, or that nothing answered."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.learning.questions import masked
from arcana_pipelines.settings import Settings

load_sql = statements_beside(__file__)

Verdict = Literal["helpful", "unhelpful", "opened", "used", "no_answer"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A chunk in an answer that a key was given, or the answer as a whole.

    Attributes:
        at: when it was given.
        key_id: to which key.
        document_id: the chunk's; None: the answer as a whole.
        position: the chunk's, as the hit has it.
        place: among what was shown, from 1.
    """

    at: datetime
    workspace_id: UUID
    company_id: UUID
    index_name: str
    key_id: str
    request_id: str
    query_hash: bytes | None
    document_id: UUID | None
    position: int | None
    place: int | None


def find(
    connection: Connection, key_id: str, request_id: str, document_id: UUID | None, position: int | None
) -> Shown | None:
    """What a key was shown, or one that it was rotated from or into. `connection` acts for its company.

    Without a document it is the answer as a whole, without a position the document's first chunk in it. None: no answer
    with this id is known (any more), or nothing of the kind was in it.
    """
    of = {"key_id": key_id, "request_id": request_id, "document_id": document_id, "position": position}
    return query.find(connection, Shown, load_sql("feedback_shown"), of)


def keep(connection: Connection, settings: Settings, shown: Shown, verdict: Verdict, comment: str | None) -> None:
    """Keep what was said of it. The same again changes nothing; of `helpful` and `unhelpful` the later one holds.

    A comment is kept as questions are, where their texts are kept.
    """
    kept = masked(comment) if comment and settings.keep_questions == "text" else None
    connection.execute(load_sql("feedback_keep"), {**asdict(shown), "verdict": verdict, "comment": kept or None})
