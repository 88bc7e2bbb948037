"""What is asked in a conversation: kept while it lasts, and read by the key that began it alone.

The row of turn 0 is the beginning, without a question. A conversation that is over is not read any more; the nightly
maintenance deletes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.retrieval.follow_ups import FURTHEST

load_sql = statements_beside(__file__)

# The last so many turns are kept: those that a question may go on from, and some to show.
MOST_TURNS = 20


@dataclass(frozen=True, slots=True)
class Turn:
    """A question that was asked.

    Attributes:
        turn: its number in the conversation, from 1.
        question: as it was asked.
        asked_at: when it was answered.
        asked_after: the number of the last turn that it was searched with; 0: it was the first.
    """

    turn: int
    question: str
    asked_at: datetime
    asked_after: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a conversation is: what a further question needs of it, and by what is seen whether it is still so.

    Attributes:
        workspace_id: where it searches.
        platform: what that is read from.
        workspace: its slug.
        index: the name of the index there.
        earlier: the last questions, as far as one may go on from them, oldest first.
        turn: the number of the last one; 0: nothing was asked yet.
        asked_at: when that was, or when the conversation began.
        rows: that are kept of it.
    """

    workspace_id: UUID
    platform: str
    workspace: str
    index: str
    earlier: tuple[str, ...]
    turn: int
    asked_at: datetime
    rows: int

    def after(self, question: str, added: Added) -> Standing | None:
        """The same after a question; None: others were asked meanwhile."""
        if added.turn != self.turn + 1:
            return None
        earlier = (*self.earlier, question)[-FURTHEST:]
        return replace(
            self, earlier=earlier, turn=added.turn, asked_at=added.asked_at, rows=min(self.rows, MOST_TURNS) + 1
        )


@dataclass(frozen=True, slots=True)
class Added:
    """A turn that was added: its number, and when."""

    turn: int
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation that is not over.

    Attributes:
        conversation_id: it is no secret: it opens nothing without the key.
        workspace_id: where it searches.
        platform: what that is read from.
        workspace: the slug of that.
        index: the name of the index there.
        began_at: when it began.
        expires_at: from then on it is not there any more.
        turns: the last `MOST_TURNS`, oldest first.
    """

    conversation_id: UUID
    workspace_id: UUID
    platform: str
    workspace: str
    index: str
    began_at: datetime
    expires_at: datetime
    turns: tuple[Turn, ...] = ()

    @property
    def last(self) -> int:
        """The number of the last turn; 0: nothing was asked yet."""
        return self.turns[-1].turn if self.turns else 0

    @property
    def standing(self) -> Standing:
        """How far it is."""
        asked_at = self.turns[-1].asked_at if self.turns else self.began_at
        return Standing(
            self.workspace_id, self.platform, self.workspace, self.index, self.asked_up_to(self.last), self.last,
            asked_at, 1 + len(self.turns),
        )  # fmt: skip

    def asked_up_to(self, turn: int) -> tuple[str, ...]:
        """The questions that one is searched with which comes after this turn, oldest first."""
        return tuple(each.question for each in self.turns if each.turn <= turn)[-FURTHEST:]

    def turn_of(self, question: str) -> Turn | None:
        """The turn in which this was asked last: a request for further hits belongs to it."""
        return next((each for each in reversed(self.turns) if each.question == question), None)


@dataclass(frozen=True, slots=True)
class _Row:
    workspace_id: UUID
    platform: str
    workspace: str
    index_name: str
    expires_at: datetime
    turn: int
    question: str | None
    asked_at: datetime
    asked_after: int


def begin(
    connection: Connection, company_id: UUID, workspace_id: UUID, index: str, key_id: str, days: int
) -> tuple[UUID, datetime]:
    """A new conversation of a key's, and when it is over."""
    key = {"company_id": company_id, "workspace_id": workspace_id, "index": index, "key_id": key_id, "days": days}
    row = connection.execute(load_sql("begin"), key).fetchone()
    assert row is not None
    return row[0], row[1]


def find(connection: Connection, conversation_id: UUID, key_id: str) -> Conversation | None:
    """A conversation that a key began, or one that it was rotated from or into; None: there is none (any more)."""
    rows = query.rows(connection, _Row, load_sql("of_key"), {"conversation_id": conversation_id, "key_id": key_id})
    if not rows or rows[0].turn:
        return None
    first = rows[0]
    turns = tuple(
        Turn(row.turn, row.question, row.asked_at, row.asked_after) for row in rows if row.question is not None
    )
    return Conversation(
        conversation_id, first.workspace_id, first.platform, first.workspace, first.index_name, first.asked_at,
        first.expires_at, turns,
    )  # fmt: skip


def add_turn(
    connection: Connection, conversation_id: UUID, question: str, asked_after: int,
    as_kept: tuple[Standing, str] | None = None,
) -> Added | None:  # fmt: skip
    """Keep what was asked, and no more turns than may be.

    Of several at once each becomes a turn of its own.

    Args:
        connection: of the company.
        conversation_id: of a conversation that the key may go on with.
        question: as it was asked.
        asked_after: the number of the last turn that it was searched with.
        as_kept: how far the conversation was by what was kept of it, and the key that asks. It is looked whether all of
            that is so: that `find` would find it now, and what.

    Returns:
        The turn; None: the conversation is over, or is not as it was kept, and nothing was added.
    """
    kept, key_id = as_kept or (None, None)
    turn = {
        "conversation_id": conversation_id, "question": question, "asked_after": asked_after, "most": MOST_TURNS,
        "is_kept": kept is not None, "key_id": key_id, "workspace": kept and kept.workspace,
        "turn": kept and kept.turn, "asked_at": kept and kept.asked_at, "rows": kept and kept.rows,
    }  # fmt: skip
    with _alone(connection, conversation_id):
        return query.find(connection, Added, load_sql("add_turn"), turn)


def delete(connection: Connection, conversation_id: UUID) -> None:
    """Delete a conversation with what was asked in it."""
    with _alone(connection, conversation_id):
        connection.execute("DELETE FROM conversation_context WHERE conversation_id = %s", [conversation_id])


def delete_expired(connection: Connection) -> int:
    """Delete all that are over; returns how many."""
    deleted: int = query.scalar(connection, load_sql("delete_expired"))
    return deleted


@contextmanager
def _alone(connection: Connection, conversation_id: UUID) -> Iterator[None]:
    """A transaction in which nobody else adds turns to the conversation or deletes it: its beginning is locked."""
    with connection.transaction():
        connection.execute(
            "SELECT FROM conversation_context WHERE conversation_id = %s AND turn = 0 FOR UPDATE", [conversation_id]
        )
        yield
