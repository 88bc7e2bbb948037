"""Rows that an installation of each release had: one synced workspace of three pages, and one row at least a table.

A column or a table that a revision does not have is left out of what is inserted there. Who adds one with a migration
adds it here; who drops one adds it to `DROPPED`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.reader import grant_to_readers
from arcana_pipelines.embedding.local_small import SmallEmbedder
from arcana_pipelines.testing.notion_server import NotionWorld

WORKSPACE = "5e1f0000-0000-4000-8000-000000000001"
USER = "5e1f0000-0000-4000-8000-000000000002"
INDEX = "5e1f0000-0000-4000-8000-000000000003"
TARGET = "5e1f0000-0000-4000-8000-000000000006"
TICKET = "5e1f0000-0000-4000-8000-000000000007"
TOPIC = "5e1f0000-0000-4000-8000-000000000008"
COMPANY = "5e1f0000-0000-4000-8000-000000000005"
BATCH = "5e1f0000-0000-4000-8000-000000000004"
RETIRED_BUILD, ACTIVE_BUILD = 1, 2
FIRST_SYNC = "2026-01-05T09:30:00+00:00"

MODEL = {"embedding_model": "wordllama-l2-supercat", "dimensions": 256}
LEAVE = "Everyone has 30 days of vacation a year."
KOREAN = "모든 직원은 1년에 휴가 30일을 받는다."

DROPPED = {
    "workspace": {"source_fingerprint"},
    "chunk": {"lexemes", "position"},
    "chunk_stage": {"lexemes", "embed_text"},
}
# Tables that had another name before.
RENAMED = {"chunk": "document_chunk"}


class World:
    """What the workspace had in Notion when it was synced, and what it still has."""

    def __init__(self, world: NotionWorld) -> None:
        self.tasks = world.add_database(
            "Tasks", schema={"Name": "title", "Status": "rich_text", "Hours": "number", "Due": "date"}
        ).data_source_id
        self.leave = world.add_page("Vacation policy", blocks=LEAVE)
        self.korean = world.add_page("휴가 규정", blocks=KOREAN)
        self.task = world.add_row(
            self.tasks, "Mend the heater", {"Status": "Done", "Hours": 3, "Due": {"start": "2026-02-10"}}
        )
        self.removed = world.add_page("Old canteen", blocks="The canteen is closed.")
        self.editor = world.acting_user
        self.edited = world.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        world.trash(self.removed)
        self.pages = {
            self.leave: ("page", "Vacation policy", LEAVE),
            self.korean: ("page", "휴가 규정", KOREAN),
            self.task: ("row", "Mend the heater", ""),
            self.removed: ("page", "Old canteen", "The canteen is closed."),
        }


_PROPERTIES = {
    "Name": {"type": "title", "text": "Mend the heater", "value": "Mend the heater"},
    "Status": {"type": "rich_text", "text": "Done", "value": "Done"},
    "Hours": {"type": "number", "text": "3", "value": 3},
    "Due": {"type": "date", "text": "2026-02-10", "value": {"start": "2026-02-10", "end": None}},
}


def rows(world: World) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table, in an order in which they can be inserted (foreign keys are checked at the end)."""
    pages = list(world.pages)
    texts = [f"# {title}\n\n{text}" for _, title, text in world.pages.values()]
    vectors = [_vector(numbers) for numbers in SmallEmbedder().embed(texts).vectors]
    hashes = [_hash(text) for text in texts]
    document, content = [_id("d", page) for page in pages], [_id("c", page) for page in pages]
    removed = pages.index(world.removed)
    kept = [number for number in range(len(pages)) if number != removed]
    in_workspace: dict[str, Any] = {"workspace_id": WORKSPACE}
    in_answer: dict[str, Any] = {
        **in_workspace,
        "company_id": COMPANY,
        "index_name": "default",
        "key_id": "abcdefgh",
        "request_id": "from-a-proxy-1",
        "query_hash": "\\x" + 32 * "0a",
    }
    return {
        "company": [{"company_id": COMPANY, "name": "Acme", "requests_per_minute": 600, "searches_per_month": 50_000}],
        "workspace": [
            {
                **in_workspace,
                "company_id": COMPANY,
                "slug": "acme",
                "name": "Acme",
                "platform": "notion",
                "user_id": USER,
                "storage_path": "/srv/arcana/storage/workspace/acme",
                "source_config": {},
                "source_fingerprint": "f",
                "generation": 1,
                "source_cursor": '{"since": "2026-01-05T09:00:00+00:00"}',
                "polled_at": FIRST_SYNC,
                "poll_failures": 2,
                "poll_problem": "Notion did not answer",
                "sync_needed": "an edit",
                "sync_asked_at": FIRST_SYNC,
                "embedding_budget": 5,
                "declared_by": None,
            }
        ],
        "workspace_lease": [
            {**in_workspace, "run": None, "is_resting": False, "heartbeat_at": FIRST_SYNC, "fencing": 7}
        ],
        "workspace_places": [{**in_workspace, "changes": 3}],
        "source_credential": [{**in_workspace, "key_id": "0123456789abcdef", "sealed": "\\x" + 40 * "0f"}],
        "api_keys": [
            {
                "key_id": "abcdefgh",
                "company_id": COMPANY,
                "name": "app",
                "key_hash": "\\x" + 32 * "0f",
                "created_by": "a",
                "requests_per_minute": 60,
                "searches_per_month": 1000,
            }
        ],
        "ended_sessions": [{"session_hash": "\\x" + 32 * "0f", "ends_at": FIRST_SYNC}],
        "api_key_permissions": [
            {**in_workspace, "company_id": COMPANY, "key_id": "abcdefgh", "scope": "search", "index_name": "default"}
        ],
        "api_usage_logs": [
            {
                **in_workspace,
                "at": FIRST_SYNC,
                "key_id": "abcdefgh",
                "company_id": COMPANY,
                "action": "search",
                "route": "/v1/workspaces/{slug}/search",
                "status": 200,
                "milliseconds": 40,
                "hits": 10,
                "request_id": "from-a-proxy-1",
                "requests": 1,
            }
        ],
        "search_answers": [
            {
                **in_answer,
                "at": FIRST_SYNC,
                "document_ids": [document[0]],
                "positions": [0],
                "is_answered": True,
                "is_cached": False,
                "is_continued": False,
            }
        ],
        "search_feedback": [
            {
                **in_answer,
                "at": FIRST_SYNC,
                "searched_at": FIRST_SYNC,
                "document_id": document[0],
                "position": 0,
                "place": 1,
                "verdict": "helpful",
                "comment": "what I was looking for",
            }
        ],
        "query_cache": [
            {
                **in_workspace,
                "company_id": COMPANY,
                "query_hash": in_answer["query_hash"],
                "question": "how many days of vacation?",
                "asked": 3,
                "answered": 2,
                "cached": 1,
                "first_asked_at": FIRST_SYNC,
                "last_asked_at": FIRST_SYNC,
                "last_answered_at": FIRST_SYNC,
            }
        ],
        "conversation_context": [
            {
                **in_workspace,
                "conversation_id": "c0c0c0c0-0000-4000-8000-000000000001",
                "turn": turn,
                "company_id": COMPANY,
                "index_name": "default",
                "key_id": "abcdefgh",
                "question": question,
                "asked_at": FIRST_SYNC,
                "asked_after": 0,
                "expires_at": "2099-01-05T00:00:00Z",
            }
            for turn, question in ((0, None), (1, "how many days of vacation?"))
        ],
        "chunk_analytics": [
            {
                **in_workspace,
                "company_id": COMPANY,
                "index_name": "default",
                "day": "2026-01-05",
                "document_id": document[0],
                "position": 0,
                "shown": 3,
                "helpful": 1,
            }
        ],
        "system_health": [
            {"at": FIRST_SYNC, "reporter": "api", "component": "database", "state": "ok", "milliseconds": 2}
        ],
        "retired_slug": [{"slug": "gone"}],
        "audit_logs": [
            {
                **in_workspace,
                "actor": "user:ada",
                "company_id": COMPANY,
                "workspace_slug": "acme",
                "action": "workspace.registered",
                "object": "acme",
                "details": {"name": "Acme"},
            }
        ],
        "sync_generation": [
            {
                **in_workspace,
                "generation": 1,
                "mode": "full",
                "listing_complete": True,
                "counters": {"listed": 4},
                "started_at": FIRST_SYNC,
                "finished_at": FIRST_SYNC,
            }
        ],
        "document_content": [
            {
                "document_content_id": content[number],
                "document_id": document[number],
                "user_id": USER,
                "version": 1,
                "contents": {
                    "external_id": page,
                    "kind": kind,
                    "title": title,
                    "text": text,
                    "url": f"https://app.notion.com/p/{page.replace('-', '')}",
                    "links": [],
                    "properties": _PROPERTIES if kind == "row" else {},
                    "last_edited_at": world.edited,
                },
            }
            for number, (page, (kind, title, text)) in enumerate(world.pages.items())
        ],
        "document": [
            {
                **in_workspace,
                "company_id": COMPANY,
                "platform": "notion",
                "document_id": document[number],
                "user_id": USER,
                "path": f"w{WORKSPACE.replace('-', '')}.p{page.replace('-', '')[:16]}",
                "kind": "note",
                "upload_status": "uploaded",
                "latest_content_id": content[number],
                "deleted_at": FIRST_SYNC if number == removed else None,
            }
            for number, page in enumerate(pages)
        ],
        "document_property": [
            {
                **in_workspace,
                "document_id": document[pages.index(world.task)],
                "name": name,
                "position": 0,
                "text": text,
                "number": number,
                "starts": starts,
                "ends": ends,
            }
            for name, text, number, starts, ends in (
                ("Name", "Mend the heater", None, None, None),
                ("Status", "Done", None, None, None),
                ("Hours", "3", 3, None, None),
                ("Due", "2026-02-10", None, "2026-02-10", "2026-02-11"),
            )
        ],
        "document_relation": [
            {
                "document_relation_id": 1,
                "base_document_id": document[0],
                "related_document_id": document[1],
                "relation_type": "reference",
            }
        ],
        "source_page": [
            {
                **in_workspace,
                "external_id": world.tasks,
                "kind": "data_source",
                "is_container": True,
                "parent_kind": "workspace",
                "title": "Tasks",
                "revision": world.edited,
                "last_edited_at": world.edited,
                "state": "skipped",
                "reason": "its rows are pages of their own",
                "seen_generation": 1,
            },
            *(
                {
                    **in_workspace,
                    "external_id": page,
                    "kind": kind,
                    "is_container": False,
                    "parent_kind": "data_source" if kind == "row" else "workspace",
                    "parent_external_id": world.tasks if kind == "row" else None,
                    "title": title,
                    "url": f"https://app.notion.com/p/{page.replace('-', '')}",
                    "properties": _PROPERTIES if kind == "row" else {},
                    "revision": world.edited,
                    "last_edited_at": world.edited,
                    "in_trash": number == removed,
                    "body": text,
                    "fetched_revision": world.edited,
                    "fetched_at": FIRST_SYNC,
                    "settled": True,
                    "normaliser": 1,
                    "content_hash": _hash(text),
                    "metadata_hash": _hash(title),
                    "state": "tombstoned" if number == removed else "unchanged",
                    "outcome": "added",
                    "seen_generation": 1,
                    "removed_at": FIRST_SYNC if number == removed else None,
                    "document_id": document[number],
                    "editor_id": world.editor,
                    "editor_name": "Ada Lovelace",
                }
                for number, (page, (kind, title, text)) in enumerate(world.pages.items())
            ),
        ],
        "stored_file": [
            {
                **in_workspace,
                "sha256": "\\x" + 32 * "0f",
                "size": 1000,
                "kind": "pdf",
                "mime_type": "application/pdf",
                "storage_key": f"{COMPANY}/notion/{WORKSPACE}/0f/{32 * '0f'}",
            }
        ],
        "parsed_file": [
            {
                **in_workspace,
                "sha256": "\\x" + 32 * "0f",
                "parser": "pdf/1",
                "reason": "encrypted",
                "detail": "It opens with a password.",
            }
        ],
        "source_file": [
            {
                **in_workspace,
                "external_id": f"{world.leave}#0123456789abcdef",
                "page_external_id": world.leave,
                "file_id": "/space/file/plan.pdf",
                "position": 0,
                "name": "plan.pdf",
                "origin": "pdf",
                "state": "skipped",
                "reason": "encrypted",
                "sha256": "\\x" + 32 * "0f",
                "fetched_at": FIRST_SYNC,
                "parser": "pdf/1",
            }
        ],
        "tickets": [
            {
                **in_workspace,
                "id": TICKET,
                "company_id": COMPANY,
                "platform": "notion",
                "ticket_id": "20",
                "title": "Cannot log in",
                "status": "Open",
                "summary": {"symptom": "No log-in."},
                "content_hash": "\\x" + 32 * "0a",
            }
        ],
        "conversations": [
            {
                "ticket_id": TICKET,
                "company_id": COMPANY,
                "platform": "notion",
                "conversation_id": "3",
                "content": "Which browser?",
                "message_type": "public",
                "author_type": "agent",
                "created_at": FIRST_SYNC,
            }
        ],
        "ticket_counts": [
            {
                **in_workspace,
                "ticket_count_id": 9,
                "company_id": COMPANY,
                "platform": "notion",
                "status": "Open",
                "priority": "High",
                "is_processed": False,
                "tickets": 0,
            }
        ],
        "summary_attempt": [
            {
                **in_workspace,
                "ticket_id": TICKET,
                "claim": TICKET,
                "state": "failed",
                "content_hash": "\\x" + 32 * "0a",
                "model": "a-model",
                "prompt_version": 1,
                "reserved_tokens": 0,
                "ends_at": FIRST_SYNC,
                "reason": "no JSON",
            }
        ],
        "summary_usage": [
            {
                **in_workspace,
                "day": FIRST_SYNC[:10],
                "model": "a-model",
                "requests": 1,
                "input_tokens": 100,
                "output_tokens": 10,
                "seconds": 1.5,
            }
        ],
        "taxonomy_version": [{**in_workspace, "version": "1.0.0", "ordinal": 1, "nodes": 1}],
        "taxonomy_nodes": [
            {
                **in_workspace,
                "node_id": TOPIC,
                "version": "1.0.0",
                "label": "People",
                "canonical_path": ["People"],
                "lft": 1,
                "rgt": 2,
            }
        ],
        "doc_taxonomy": [
            {
                **in_workspace,
                "doc_id": _id("d", world.leave),
                "node_id": TOPIC,
                "version": "1.0.0",
                "path": ["People"],
                "confidence": 1.0,
                "origin": "person",
                "lft": 1,
            }
        ],
        "taxonomy_decision": [
            {
                **in_workspace,
                "doc_id": _id("d", world.leave),
                "node_id": TOPIC,
                "verdict": "accepted",
                "decided_by": "user:kim",
            }
        ],
        "taxonomy_change": [
            {**in_workspace, "taxonomy_change_id": 9, "version": "1.0.0", "kind": "add", "to_node": TOPIC}
        ],
        "taxonomy_ended": [
            {
                **in_workspace,
                "doc_id": _id("d", world.korean),
                "node_id": TOPIC,
                "version": "1.0.0",
                "from_version": "0.9.0",
                "path": ["Canteen"],
                "origin": "rule",
                "reason": "retired",
            }
        ],
        "taxonomy_rule": [
            {**in_workspace, "name": "leave", "position": 1, "node_id": TOPIC, "conditions": {"title": ["vacation"]}}
        ],
        "taxonomy_unknown_path": [{**in_workspace, "version": "1.0.0", "path": ["Pepole"]}],
        "taxonomy_settings": [{**in_workspace, "topic_properties": ["Topic"]}],
        "taxonomy_classified": [
            {**in_workspace, "doc_id": _id("d", world.leave), "version": "1.0.0", "logic": "\\x0a"}
        ],
        "source_limit": [{"credential_hash": "0" * 32, "configured": 180, "per_minute": 170.0, "reason": "429"}],
        "source_request": [{"credential_hash": "0" * 32, "second": FIRST_SYNC, "requests": 3}],
        "source_sweep": [
            {**in_workspace, "whole_began_at": FIRST_SYNC, "whole_ended_at": FIRST_SYNC, "whole_requests": 1}
        ],
        "source_sweep_answer": [{**in_workspace, "answer": 1, "ids": pages}],
        "unlisted_page": [{**in_workspace, "external_id": world.leave, "sweeps": 1}],
        "webhook_event": [
            {
                **in_workspace,
                "event_id": "e-1",
                "event_type": "page.content_updated",
                "external_id": world.leave,
                "occurred_at": FIRST_SYNC,
                "generation": 1,
            }
        ],
        "embedding_store": [
            {**in_workspace, **MODEL, "text_hash": hashes[number], "embedding": vectors[number], "token_count": 15}
            for number in range(len(pages))
        ],
        "embedding_rejected": [{**in_workspace, **MODEL, "text_hash": _hash("refused"), "reason": "refused by policy"}],
        "embedding_usage": [
            {
                **in_workspace,
                "month": "2026-01-01",
                "embedding_model": MODEL["embedding_model"],
                "tier": "standard",
                "texts": 4,
                "tokens": 60,
                "cost": 0,
                "seconds": 0.5,
            }
        ],
        "embedding_batch": [
            {
                "embedding_batch_id": BATCH,
                **in_workspace,
                **MODEL,
                "state": "done",
                "provider_batch_id": "batch_1",
                "texts": 1,
                "most_cost": 0.01,
            }
        ],
        "embedding_batch_text": [{"embedding_batch_id": BATCH, "text_hash": _hash("waits")}],
        "rag_indexes": [
            {
                **in_workspace,
                "company_id": COMPANY,
                "platform": "notion",
                **MODEL,
                "rag_index_id": INDEX,
                "name": "default",
                "storage_uri": "postgresql:chunk",
                "active_build_id": None,
                "object_count": len(kept),
                "vector_count": len(kept),
                "publish_seq": 2,
                "published_objects": len(kept),
                "published_vectors": len(kept),
            }
        ],
        "index_target": [
            {
                **in_workspace,
                "index_target_id": TARGET,
                "company_id": COMPANY,
                "platform": "notion",
                "rag_index_id": INDEX,
                "name": "sqlite",
                "kind": "sqlite",
                "location": "/nowhere/targets/sqlite.sqlite",
            }
        ],
        "target_collection": [
            {
                "index_target_id": TARGET,
                "rag_index_build_id": ACTIVE_BUILD,
                "kind": "sqlite",
                "location": "/nowhere/targets/sqlite.sqlite",
                "collection": "acme_default_b2_5e1f0000",
                "state": "live",
            }
        ],
        "sync_operations": [
            {
                "index_target_id": TARGET,
                "rag_index_build_id": ACTIVE_BUILD,
                "document_id": document[0],
                "operation": "put",
                "held": [1],
                "since": FIRST_SYNC,
            }
        ],
        "unwanted_collection": [
            {"kind": "sqlite", "location": "/nowhere/targets/sqlite.sqlite", "collection": "acme_default_b1_5e1f0000"}
        ],
        "rag_index_build": [
            {
                **MODEL,
                "rag_index_build_id": build,
                "rag_index_id": INDEX,
                "chunker": {"max_tokens": 512, "target_tokens": 256, "overlap_tokens": 0},
                "fingerprint": "of an older release"[:16],
                "ann": ann,
                "ann_effort": effort,
                "state": state,
                "created_at": FIRST_SYNC,
                "promoted_at": FIRST_SYNC,
                "retired_at": FIRST_SYNC if state == "retired" else None,
                "remembers_since": FIRST_SYNC,
                "promote_when_verified": True,
            }
            for build, ann, effort, state in (
                (RETIRED_BUILD, "hnsw", 400, "retired"),
                (ACTIVE_BUILD, "none", 0, "active"),
            )
        ],
        "published_document": [
            {
                "rag_index_build_id": ACTIVE_BUILD,
                "document_id": document[number],
                "document_content_id": content[number],
                "chunk_ids": [number + 1],
            }
            for number in kept
        ],
        "retired_document": [
            {
                "rag_index_build_id": ACTIVE_BUILD,
                "document_id": document[removed],
                "document_content_id": content[removed],
                "chunk_ids": [removed + 1],
                "published_at": "2026-01-04T09:30:00+00:00",
                "retired_at": FIRST_SYNC,
            }
        ],
        "chunk": [
            {
                "rag_index_build_id": ACTIVE_BUILD,
                "document_chunk_id": number + 1,
                "document_content_id": content[number],
                "position": 0,
                "chunk_content": texts[number],
                "heading_path": [],
                "text_hash": hashes[number],
                "token_count": 15,
                "chunk_embedding": vectors[number],
                "lexemes": "'vacation':1",
                "deleted_at": FIRST_SYNC if number == removed else None,
            }
            for number in range(len(pages))
        ],
        "chunk_terms": [{**_terms(number), "document_id": document[number]} for number in kept],
        "retired_chunk_terms": [{**_terms(removed), "document_id": document[removed]}],
        "term_count": [{"rag_index_build_id": ACTIVE_BUILD, "key": 36684173, "chunks": len(kept)}],
        "index_word": [{"rag_index_build_id": ACTIVE_BUILD, "word": "vacation"}],
        "passage": [{"rag_index_build_id": ACTIVE_BUILD, "text_hash": hashes[0], "passage_embedding": "[0.6,0.8]"}],
        "passage_stage": [{"rag_index_build_id": ACTIVE_BUILD, "text_hash": hashes[0], "embedded": texts[0]}],
        "content_stage": [{"rag_index_build_id": ACTIVE_BUILD, "document_content_id": content[0], "chunk_ids": [None]}],
        "chunk_stage": [
            {
                "rag_index_build_id": ACTIVE_BUILD,
                "document_content_id": content[0],
                "position": 0,
                "chunk_content": texts[0],
                "embed_text": texts[0],
                "lead": "",
                "heading_path": [],
                "text_hash": hashes[0],
                "token_count": 15,
                "lexemes": "'vacation':1",
                "terms": "{1:1}/268435456",
                "keys": [1],
            }
        ],
        "golden_question": [
            {**in_workspace, "query": "How many days of vacation?", "relevant": [{"page": world.leave}]}
        ],
        "retrieval_quality": [
            {
                "retrieval_quality_id": 1,
                "rag_index_id": INDEX,
                "rag_index_build_id": ACTIVE_BUILD,
                "questions": 1,
                "metrics": {"ndcg@10": 1.0},
                "by_question": {},
                "is_baseline": True,
            }
        ],
        "alert": [
            {
                "alert_id": 1,
                "cause": "stale",
                "workspace": "acme",
                "text": "acme is stale",
                "since": FIRST_SYNC,
                "told_at": FIRST_SYNC,
            }
        ],
        "alert_delivery": [{"alert_id": 1, "receiver": "webhook", "told_at": FIRST_SYNC}],
    }


def insert(connection: Connection, held: dict[str, list[dict[str, Any]]]) -> None:
    """Insert the rows into a database of any revision, and the tables of its builds with them."""
    connection.execute("SET CONSTRAINTS ALL DEFERRED")
    for table in _in_order(held):
        rows_of_table = held[table]
        if table in RENAMED and not _columns(connection, table):
            table = RENAMED[table]
        columns = _columns(connection, table)
        if not columns:
            continue
        if table in ("chunk", "document_chunk", "chunk_terms", "passage"):
            for build in (RETIRED_BUILD, ACTIVE_BUILD):
                _make_partition(connection, table, build)
        for row in rows_of_table:
            names = ", ".join(name for name in row if name in columns)
            connection.execute(
                f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE "  # type: ignore[arg-type]
                f"SELECT {names} FROM jsonb_populate_record(NULL::{table}, %s)",
                [Jsonb(row)],
            )
    chunks = "chunk" if _columns(connection, "chunk") else RENAMED["chunk"]
    connection.execute(
        "UPDATE rag_indexes SET active_build_id = %s, storage_uri = %s WHERE rag_index_id = %s",
        [ACTIVE_BUILD, f"postgresql:{chunks}_b{ACTIVE_BUILD}", INDEX],
    )
    for table, key in (
        ("rag_index_build", "rag_index_build_id"),
        ("document_relation", "document_relation_id"),
        ("retrieval_quality", "retrieval_quality_id"),
        ("alert", "alert_id"),
    ):
        if _columns(connection, table):
            connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{key}'), 100)"  # type: ignore[arg-type]
            )
    if _columns(connection, "taxonomy_version"):  # after its nodes, which stay as they are then
        connection.execute("UPDATE taxonomy_version SET state = 'active', released_at = now(), activated_at = now()")
    connection.execute("SELECT setval('document_chunk_document_chunk_id_seq', 100)")
    grant_to_readers(connection)  # as whoever makes the tables of a build does


def _in_order(held: dict[str, Any]) -> Sequence[str]:
    """Tables before those that refer to them; `document_content` waits for `document`, which refers to it later."""
    first = ["company", "workspace", "rag_indexes", "rag_index_build", "document", "document_content"]
    return [*first, *(table for table in held if table not in first)]


def _columns(connection: Connection, table: str) -> set[str]:
    return {
        name
        for (name,) in connection.execute(
            "SELECT column_name FROM information_schema.columns JOIN information_schema.tables "
            "USING (table_schema, table_name) WHERE table_schema = current_schema() "
            "AND table_name = %s AND table_type = 'BASE TABLE' AND is_generated = 'NEVER'",
            [table],
        )
    }


def _make_partition(connection: Connection, parent: str, build: int) -> None:
    connection.execute(
        f"CREATE TABLE {parent}_b{build} PARTITION OF {parent} FOR VALUES IN ({build})"  # type: ignore[arg-type]
    )


def _terms(number: int) -> dict[str, Any]:
    return {
        "rag_index_build_id": ACTIVE_BUILD,
        "document_chunk_id": number + 1,
        "terms": "{4585522:1.710864,8193303:2.2415242}/268435456",
        "keys": [36684173, 458898205],
    }


def _vector(numbers: Any) -> str:
    return str([float(number) for number in numbers])


def _hash(text: str) -> str:
    return "\\x" + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _id(kind: str, page: str) -> str:
    """A document's or a content's id, made from its page's."""
    return {"d": "d0c00000", "c": "c0e00000"}[kind] + page[8:]
