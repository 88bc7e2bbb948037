"""Answers that keys were given: what was shown, and whether it answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.learning.questions import KeptQuestion, kept
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.settings import Settings

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was answered, as the search knows it.

    Attributes:
        shown: the document and the position of each chunk, best first.
        is_answered: it was found, and not only what comes nearest.
        is_cached: the answer had been kept from an earlier one.
        is_continued: further hits of a question that was asked before.
    """

    workspace_id: UUID
    index_name: str
    kept: KeptQuestion
    shown: tuple[tuple[str, int], ...]
    is_answered: bool
    is_cached: bool
    is_continued: bool
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Answer:
    """One that a key was given.

    Attributes:
        request_id: the one that the answer had, by which its reader names it.
    """

    company_id: UUID
    key_id: str
    request_id: str
    asked: Asked


def asked(
    settings: Settings, company_id: UUID, workspace_id: UUID, request: SearchRequest, told: Mapping[str, Any],
    is_cached: bool = False,
) -> Asked:  # fmt: skip
    """What is noted of a search of a company: its question as far as that is kept, and no word of the answer.

    `told` is the answer as `Results.to_dict` tells it.
    """
    return Asked(
        workspace_id,
        request.index or DEFAULT_INDEX,
        kept(request.query, company_id, settings),
        tuple((hit["document_id"], hit["position"]) for hit in told["hits"] or told.get("nearest", ())),
        bool(told["hits"]),
        is_cached,
        request.after is not None,
    )


def record(connection: Connection, answers: Sequence[Answer]) -> None:
    """Note answers of one company, and count their questions; all or none. `connection` acts for the company.

    Those of a workspace that was removed meanwhile are left out.
    """
    each = [(answer, answer.asked) for answer in answers]
    columns: dict[str, list[Any]] = {
        "at": [asked.at for _, asked in each],
        "workspace_id": [asked.workspace_id for _, asked in each],
        "index_name": [asked.index_name for _, asked in each],
        "key_id": [answer.key_id for answer, _ in each],
        "request_id": [answer.request_id for answer, _ in each],
        "query_hash": [asked.kept.query_hash for _, asked in each],
        "question": [asked.kept.question for _, asked in each],
        "document_ids": [_array(document for document, _ in asked.shown) for _, asked in each],
        "positions": [_array(position for _, position in asked.shown) for _, asked in each],
        "is_answered": [asked.is_answered for _, asked in each],
        "is_cached": [asked.is_cached for _, asked in each],
        "is_continued": [asked.is_continued for _, asked in each],
    }
    with connection.transaction():
        connection.execute(load_sql("answers_record"), {**columns, "company_id": answers[0].company_id})


def _array(values: Any) -> str:
    """As PostgreSQL writes an array of ids or numbers: arrays of arrays would have to be of one length."""
    return "{" + ",".join(map(str, values)) + "}"
