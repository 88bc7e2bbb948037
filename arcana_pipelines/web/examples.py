"""An answer of each reading route, as the OpenAPI document shows it. FastAPI leaves out of it what is null."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python

from arcana_pipelines.indexes.builds import IndexStatistics
from arcana_pipelines.operations.served_status import NewestSync, NotIndexed, ServedStatus
from arcana_pipelines.retrieval.chunks import ChunkInPlace, DocumentChunks, ServedChunk
from arcana_pipelines.retrieval.served import ServedDocument
from arcana_pipelines.retrieval.whole_document import Document, DocumentHeading, ServedVersion
from arcana_pipelines.tickets.repository import Message, Ticket, TicketStats, WholeTicket
from arcana_pipelines.web.topic_answers import (
    Decided,
    DocumentTopic,
    DocumentTopics,
    FoundPath,
    FoundPaths,
    ReviewQueue,
    SuggestedTopic,
    Suggestion,
    Taxonomy,
    TaxonomyVersion,
    TopicNode,
    TopicNodes,
)

_URL = "https://www.notion.so/26f0a1b2c3d44e5f8a9b0c1d2e3f4a5b"
_LINK = f"{_URL}#:~:text=%EC%8B%A0%EC%B2%AD"
_TEXT = "Everyone has 30 days of vacation a year."
_PUBLISHED = datetime(2026, 3, 5, 9, 31, tzinfo=UTC)

LISTED_DOCUMENT = ServedDocument(
    document_id=UUID("0190f3a2-7c1e-7cc4-9f0a-3d2b1a4c5e6f"),
    external_id="26f0a1b2-c3d4-4e5f-8a9b-0c1d2e3f4a5b",
    kind="page",
    title="Vacation policy",
    url=_URL,
    path="w26f0a1b2c3d44e5f.p0c1d2e3f4a5b6c7d",
    depth=1,
    version=2,
    last_edited_at="2026-03-05T09:30:00.000Z",
    published_at=_PUBLISHED,
)
DOCUMENT = Document(
    workspace="handbook",
    document_id=str(LISTED_DOCUMENT.document_id),
    external_id=LISTED_DOCUMENT.external_id,
    kind="page",
    title="Vacation policy",
    url=_URL,
    path=LISTED_DOCUMENT.path,
    version=2,
    last_edited_at=LISTED_DOCUMENT.last_edited_at,
    published_at=_PUBLISHED,
    text=f"{_TEXT}\n\n## 신청\n\n휴가는 일주일 전에 신청한다.",
    headings=[DocumentHeading(2, "신청", _LINK)],
)
VERSION = ServedVersion(1, "Vacation", "2026-01-07T08:00:00.000Z", datetime(2026, 1, 7, 8, 1, tzinfo=UTC), _PUBLISHED)
_FIRST = ServedChunk("4711", 0, [], _URL, _TEXT, 9)
_SECOND = ServedChunk("4712", 1, ["신청"], _LINK, "휴가는 일주일 전에 신청한다.", 14)
CHUNKS = DocumentChunks(LISTED_DOCUMENT, [_FIRST, _SECOND])
CHUNK = ChunkInPlace(_FIRST, LISTED_DOCUMENT, [], [_SECOND])
STATISTICS = IndexStatistics(
    name="default",
    embedding_model="multilingual-e5-small",
    dimensions=384,
    object_count=1204,
    vector_count=9817,
    updated=_PUBLISHED,
    index_type="pgvector",
    created_at=datetime(2026, 1, 7, 8, 0, tzinfo=UTC),
    build=3,
    chunker={"target_tokens": 256, "max_tokens": 512, "overlap_tokens": 0},
    ann="ivfflat",
    promoted_at=datetime(2026, 2, 1, 4, 0, tzinfo=UTC),
    remembers_since=datetime(2026, 2, 3, 4, 0, tzinfo=UTC),
)

STATUS = ServedStatus(
    workspace="handbook",
    name="Handbook",
    status="active",
    edits_seen_to=datetime(2026, 3, 5, 9, 30, tzinfo=UTC),
    last_sync=NewestSync(
        generation=41,
        state="finished",
        mode="incremental",
        started_at=datetime(2026, 3, 5, 9, 30, tzinfo=UTC),
        finished_at=_PUBLISHED,
        listing_complete=True,
    ),
    not_indexed=NotIndexed(pending=0, skipped=12, quarantined=1, suspect=0),
)

_OF_TICKET: dict[str, Any] = {
    "id": UUID("0190f3a2-7c1e-7cc4-9f0a-3d2b1a4c5e70"),
    "ticket_id": "20",
    "workspace": "help",
    "title": "로그인이 안 됩니다",
    "status": "Open",
    "priority": "High",
    "requester_email": "jiwoo@example.com",
    "requester_name": "Jiwoo Kim",
    "assignee_email": "lee@example.com",
    "assignee_name": "Lee",
    "tags": ["login"],
    "is_processed": True,
    "created_at": datetime(2026, 3, 5, 9, 2, tzinfo=UTC),
    "updated_at": _PUBLISHED,
}
LISTED_TICKET = Ticket(**_OF_TICKET)
TICKET = WholeTicket(
    **_OF_TICKET,
    description="비밀번호를 바꾼 뒤로 로그인이 안 됩니다.",
    custom_fields={"Plan": "Pro"},
    summary={"symptom": "No log-in since the password was changed."},
    document_id=LISTED_DOCUMENT.document_id,
    messages=[
        Message(
            conversation_id="3",
            message_type="public",
            author_type="agent",
            author_name="Lee",
            author_email="lee@example.com",
            content="Which browser do you use?",
            attachments=[{"name": "screen.png", "content_type": "image/png", "size": 48211}],
            created_at=_PUBLISHED,
        )
    ],
)
TICKET_STATS = TicketStats(
    total_tickets=1204,
    status_distribution={"Closed": 1100, "Open": 104},
    priority_distribution={"Low": 900, "High": 304},
    processed_count=1188,
    unprocessed_count=16,
)

_TOPIC = UUID("0190f3a2-7c1e-7cc4-9f0a-3d2b1a4c5e71")
TAXONOMY = Taxonomy(
    version="1.1.0",
    documents=1204,
    with_topic=987,
    assigned={"given": 120, "person": 64, "rule": 733, "nearest": 210, "default": 0},
    waiting=31,
    waits_since=_PUBLISHED,
    versions=[
        TaxonomyVersion("1.1.0", "active", "1.0.0", "Vacation is time off now", 25, _PUBLISHED, _PUBLISHED, _PUBLISHED)
    ],
)
TOPIC_NODES = TopicNodes(
    "1.1.0",
    [
        TopicNode(
            node_id=_TOPIC,
            path="People/Time off",
            label="Time off",
            labels={"ko": "휴가"},
            definition="Vacation days, special leave for family events, parental and sick leave.",
            synonyms=["vacation", "연차"],
            documents=14,
            has_children=False,
        )
    ],
    0,
)
FOUND_PATHS = FoundPaths("1.1.0", [FoundPath("People/Time off", _TOPIC)])
DOCUMENT_TOPICS = DocumentTopics(
    LISTED_DOCUMENT.document_id,
    "1.1.0",
    [DocumentTopic(_TOPIC, "People/Time off", "rule", 1.0, False, "below the page People", _PUBLISHED)],
)

_OTHER_TOPIC = UUID("0190f3a2-7c1e-7cc4-9f0a-3d2b1a4c5e72")
QUEUE = ReviewQueue(
    version="1.1.0",
    waiting=31,
    suggestions=[
        Suggestion(
            document_id=LISTED_DOCUMENT.document_id,
            kind="page",
            title="Vacation policy",
            url=_URL,
            node_id=_TOPIC,
            path="People/Time off",
            origin="nearest",
            rule=None,
            reason=None,
            confidence=0.81,
            alternatives=[SuggestedTopic(_OTHER_TOPIC, "People/Pay and reviews", 0.62)],
            shown=17,
            created_at=_PUBLISHED,
        )
    ],
    cursor="GZ3tU0vS4l1xk9fYpQ",
)
DECIDED = Decided(LISTED_DOCUMENT.document_id, _TOPIC, "accepted", _TOPIC, "People/Time off", _PUBLISHED)


def shown(example: object) -> dict[str, Any]:
    """The content of an answer, with the example."""
    return {"application/json": {"example": to_jsonable_python(example)}}
